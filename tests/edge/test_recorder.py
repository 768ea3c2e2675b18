"""The recorder: a disk that refuses stops the recording and nothing else."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from made_sites import BROKER, RECEIVER, RIDGE

from edge.node import Node
from edge.outbox import Outbox
from edge.recorder import Recorder
from edge.site_file import parse_site
from evidence.recording import RecordingHeader, read_recording
from fusion.types import Reading

SITE = RIDGE + BROKER + RECEIVER


def recorder(path: Path) -> Recorder:
    site = parse_site(SITE, "ridge.toml")
    header = RecordingHeader(site.site_id, "run", 1, site.text, site.sha256, {}, "sarhad", {})
    return Recorder(path, header, site, answer=True)


def reading(number: int) -> Reading:
    return Reading("remote-id", number * 10**8, number * 10**8, None, None, bytes([number % 251]) * 700)


def test_a_full_disk_is_told_once_and_what_was_written_stays_readable(tmp_path: Path, small_files: None) -> None:
    path = tmp_path / "recording.mcap"
    writing = recorder(path)
    for number in range(2000):
        writing.write(reading(number))
    assert writing.trouble is not None
    assert "too large" in writing.trouble
    assert writing.close({}) is None
    with path.open("rb") as stream:
        kept = list(read_recording(stream)[1])
    assert kept
    assert kept == [reading(number) for number in range(len(kept))]


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "recording.mcap"
    recorder(path).close({})
    with pytest.raises(FileExistsError):
        recorder(path)


def test_a_recorder_that_has_been_closed_meanwhile_is_not_synced(tmp_path: Path) -> None:
    writing = recorder(tmp_path / "recording.mcap")
    writing.close({})
    writing._synced_s = float("-inf")
    writing.sync()
    assert writing.trouble is None


def node(folder: Path) -> Node:
    text = SITE.replace("[[sensor]]", f'[broker.outbox]\npath = "{folder / "outbox.db"}"\n[[sensor]]')
    return Node(parse_site(text, "ridge.toml"), folder / "recordings")


def test_a_node_whose_recordings_are_gone_still_parts_from_the_center(tmp_path: Path) -> None:
    ending = node(tmp_path)
    stopped: list[float] = []
    ending.publisher.stop = lambda timeout_s: stopped.append(timeout_s) or True
    shutil.rmtree(tmp_path / "recordings")
    summary = asyncio.run(ending._close())
    assert summary["digest"] is None
    assert len(stopped) == 1
    Outbox(tmp_path / "outbox.db", 1.0).close()  # which is refused as long as somebody has it


def test_alarm_and_page_end_before_a_disk_can_keep_the_node_waiting(tmp_path: Path) -> None:
    ending = node(tmp_path)
    ended: list[str] = []

    class Part:
        def __init__(self, name: str, close: Callable[..., object] = lambda: None) -> None:
            self._name, self._close = name, close

        def close(self, *arguments: object) -> object:
            ended.append(self._name)
            return self._close(*arguments)

    ending.alarm, ending.page = Part("alarm"), Part("page")
    ending.recorder = Part("recorder", ending.recorder.close)
    ending.publisher.stop = lambda timeout_s: True
    asyncio.run(ending._close())
    assert ended == ["alarm", "page", "recorder"]


def test_a_slow_disk_is_asked_once_at_a_time(tmp_path: Path) -> None:
    asking, asked, may_end = node(tmp_path), threading.Semaphore(0), threading.Event()
    count = 0

    def slow() -> None:
        nonlocal count
        count += 1
        asked.release()
        may_end.wait(10.0)

    asking.recorder.sync = slow

    async def tell() -> None:
        for _ in range(5):
            asking._tell_health()
        await asyncio.to_thread(asked.acquire)
        assert count == 1
        may_end.set()
        await asking._syncing
        asking._tell_health()
        await asking._syncing
        assert count == 2

    asyncio.run(tell())
    asking.publisher.stop = lambda timeout_s: True
    asyncio.run(asking._close())
