"""Broker, center and post are killed and come back: every message is stored once.

Real processes: mosquitto where it is installed, the embedded broker, `sarhad center`, and a post that publishes. Outages
last 3 s; `SARHAD_OUTAGE_S=30 pytest tests/chaos` is the long form, in which every test meets every broker.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sarhad.broker import Broker, free_port

OUTAGE_S = float(os.environ.get("SARHAD_OUTAGE_S", "3"))
RATE_HZ = 100.0  # ten times what a busy post publishes
KINDS = ["mosquitto", "embedded"] if shutil.which("mosquitto") else ["embedded"]
IS_LONG = "SARHAD_OUTAGE_S" in os.environ
FIRST, LAST = (KINDS, KINDS) if IS_LONG else (KINDS[:1], KINDS[-1:])
POST = Path(__file__).with_name("publishing_post.py")
SARHAD = [sys.executable, "-c", "from sarhad.cli import main; main()"]


class Stage:
    """A broker and a center, both of which can be killed and started again, and the posts that were started."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder, self.port = kind, folder, free_port()
        self._center: subprocess.Popen[bytes] | None = None
        self._posts: list[Post] = []
        self.start_broker()
        (folder / "center.toml").write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {self.port}\n[store]\npath = "center.db"\n'
        )
        self.start_center()

    def start_broker(self) -> None:
        self.broker = Broker.start(port=self.port, prefer=(self.kind,))

    def kill_broker(self) -> None:
        assert self.broker.pid is not None
        os.kill(self.broker.pid, signal.SIGKILL)
        self.broker.stop()

    def start_center(self) -> None:
        command = [*SARHAD, "center", str(self.folder / "center.toml"), "--port", "0"]
        self._center = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._center.stdout is not None
        assert self._center.stdout.readline(), "the center ended before it told its address"

    def kill_center(self) -> None:
        assert self._center is not None
        self._center.kill()
        self._center.communicate()

    def post(self, run_id: str, count: int) -> "Post":
        self._posts.append(Post(self.port, self.folder / "outbox.db", run_id, count))
        return self._posts[-1]

    def stored(self, run_id: str) -> list[int]:
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'center.db'}?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT sequence FROM messages WHERE run_id = ? ORDER BY sequence", (run_id,))
            return [sequence for (sequence,) in rows]

    def close(self) -> None:
        for post in self._posts:
            post.process.kill()
            post.process.wait()
        self.kill_center()
        self.broker.stop()


class Post:
    """A publishing process; `safe` is the last sequence number that it told to be on disk, `summary` its last word."""

    def __init__(self, port: int, outbox: Path, run_id: str, count: int) -> None:
        command = [sys.executable, str(POST), str(port), str(outbox), run_id, str(RATE_HZ), str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.safe = 0
        self.summary: dict[str, float] = {}
        self._told = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._told:
                found = json.loads(line)
                self.safe = found.get("safe", self.safe)
                self.summary = found if "is_empty" in found else {}
                self._told.notify_all()

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        with self._told:
            assert self._told.wait_for(condition, timeout_s), f"told {self.safe}, then nothing more"

    def finish(self) -> dict[str, float]:
        self.wait_for(lambda: self.summary, timeout_s=120.0)
        return self.summary


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.delenv("SARHAD_BROKER", raising=False)
    stage = Stage(request.param, tmp_path)
    yield stage
    stage.close()


def outage(post: Post) -> None:
    """Let the time pass in which something is away, and the post publish on."""
    before, began_s = post.safe, time.monotonic()
    post.wait_for(lambda: post.safe >= before + OUTAGE_S * RATE_HZ and time.monotonic() - began_s >= OUTAGE_S)


def count_for(outages: int) -> int:
    """So many messages that publishing goes on a while before, during and after the outages."""
    return int(RATE_HZ * (outages * OUTAGE_S + 2.0))


def test_a_broker_killed_and_restarted_loses_nothing(stage: Stage) -> None:
    post = stage.post("run-1", count_for(1))
    post.wait_for(lambda: post.safe > RATE_HZ)
    stage.kill_broker()
    outage(post)
    stage.start_broker()
    summary = post.finish()
    assert stage.stored("run-1") == list(range(1, count_for(1) + 1))
    assert summary["is_empty"]
    assert summary["connects"] == 2


@pytest.mark.parametrize("stage", LAST, indirect=True)
def test_a_center_killed_and_restarted_loses_nothing(stage: Stage) -> None:
    post = stage.post("run-1", count_for(1))
    post.wait_for(lambda: post.safe > RATE_HZ)
    stage.kill_center()
    outage(post)
    stage.start_center()
    summary = post.finish()
    assert stage.stored("run-1") == list(range(1, count_for(1) + 1))
    assert summary["is_empty"]


@pytest.mark.parametrize("stage", FIRST, indirect=True)
def test_a_post_killed_in_the_middle_delivers_in_its_next_run_what_was_safe(stage: Stage) -> None:
    stage.kill_center()
    first = stage.post("run-1", 0)
    first.wait_for(lambda: first.safe > 2 * RATE_HZ)
    first.process.kill()
    first.process.wait()
    stage.start_center()
    second = stage.post("run-2", 100)
    assert second.finish()["is_empty"]
    assert stage.stored("run-2") == list(range(1, 101))
    assert set(stage.stored("run-1")) >= set(range(1, first.safe + 1))


@pytest.mark.skipif(not IS_LONG, reason="only in the long form: set SARHAD_OUTAGE_S")
def test_all_three_may_fall_one_after_the_other(stage: Stage) -> None:
    post = stage.post("run-1", count_for(2))
    post.wait_for(lambda: post.safe > RATE_HZ)
    stage.kill_broker()
    stage.kill_center()
    outage(post)
    stage.start_center()
    stage.start_broker()
    stage.kill_broker()  # at once again, in the middle of the backlog
    stage.start_broker()
    summary = post.finish()
    assert stage.stored("run-1") == list(range(1, count_for(2) + 1))
    assert summary["is_empty"]
