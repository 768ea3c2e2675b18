"""The ring of recordings: never fills the disk, never deletes what is held, begins again by itself."""

from __future__ import annotations

import random
import resource
import threading
from pathlib import Path

import pytest
from made_sites import RECEIVER, RIDGE

from edge.pipeline import Outgoing
from edge.recorder import Recorder
from edge.recording_ring import HELD, LOOK_FOR_ROOM_S, RecordingRing, size_of
from edge.site_file import parse_site
from edge.site_types import RecordingSettings, Site
from evidence.recording import RecordingHeader, read_recording
from fusion.types import Reading

SITE = RIDGE + RECEIVER
PART_S = 100.0


class Disk:
    """A disk with a limit, and a clock that the test moves."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size, self.now_s, self.others = folder, size, 0.0, 0
        self.is_gone = False

    def free(self, _path: Path) -> int:
        if self.is_gone:
            raise FileNotFoundError(2, "No such file or directory")
        return self.size - self.others - sum(size_of(part) for part in self.folder.iterdir())


def ring(disk: Disk, run_id: str = "run", law: str = "", **settings: int) -> RecordingRing:
    site = parse_site(SITE + law, "ridge.toml")
    header = RecordingHeader(site.site_id, run_id, 1, site.text, site.sha256, {}, "sarhad", {})
    kept = RecordingSettings(PART_S, settings.get("keep"), settings.get("least_free", 100_000))
    return RecordingRing(disk.folder, header, site, kept, lambda: disk.now_s, disk.free)


def reading(number: int) -> Reading:
    return Reading("remote-id", number * 10**9, number * 10**9, None, None, random.Random(number).randbytes(700))


def record(disk: Disk, writing: RecordingRing, seconds: int) -> None:
    """A reading a second, each with an answer, and looks at the disk between."""
    for _ in range(seconds):
        disk.now_s += 1.0
        writing.write(reading(int(disk.now_s)))
        writing.answered([Outgoing("tracks", int(disk.now_s), b"%d" % disk.now_s)])
        writing.sync()


def record_until_refused(disk: Disk, writing: RecordingRing) -> None:
    while "stopped" not in (writing.trouble or ""):
        record(disk, writing, 1)
        assert disk.now_s < PART_S


def readings_in(folder: Path) -> list[Reading]:
    with (folder / "recording.mcap").open("rb") as stream:
        return list(read_recording(stream)[1])


def test_every_reading_is_in_one_part_and_each_part_is_a_whole_recording(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk)
    record(disk, writing, 350)
    writing.close({})
    parts = sorted(tmp_path.iterdir())
    assert [part.name for part in parts] == ["run", "run.0002", "run.0003", "run.0004"]
    kept = [one for part in parts for one in readings_in(part)]
    assert kept == [reading(number) for number in range(1, 351)]
    assert [(part / "digest.txt").exists() for part in parts] == [True, False, False, False]


def test_the_oldest_go_before_the_disk_is_full_and_what_is_held_stays(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 500_000)
    writing = ring(disk)
    for number in range(30):
        record(disk, writing, int(PART_S))
        if number == 1:
            (tmp_path / "run" / HELD).touch()
        assert disk.free(tmp_path) > 0
    held = readings_in(tmp_path / "run")
    assert held == [reading(number) for number in range(1, len(held) + 1)]
    assert not (tmp_path / "run.0002").exists()
    assert writing.trouble is None
    writing.close({})
    assert disk.free(tmp_path) > 0


def test_a_limit_of_our_own_is_kept_across_runs(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**9)
    for run in range(6):
        writing = ring(disk, f"run{run}", keep=200_000)
        record(disk, writing, 150)
        writing.close({})
    ring(disk, "last", keep=200_000).close({})
    assert sum(size_of(part) for part in tmp_path.iterdir()) < 220_000
    assert not (tmp_path / "run0").exists()
    assert (tmp_path / "run5").exists()


def test_a_disk_full_of_others_things_is_told_and_nothing_held_is_touched(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**6)
    first = ring(disk, "held-run")
    record(disk, first, 50)
    first.close({})
    (tmp_path / "held-run" / HELD).touch()
    writing = ring(disk)
    disk.others = 900_000
    record(disk, writing, int(LOOK_FOR_ROOM_S) + 1)
    assert "held or not ours" in (writing.trouble or "")
    assert len(readings_in(tmp_path / "held-run")) == 50
    used = disk.free(tmp_path)
    record(disk, writing, 50)
    assert disk.free(tmp_path) == used  # it waits
    assert writing.lost >= 50
    disk.others = 0
    record(disk, writing, int(LOOK_FOR_ROOM_S) + 1)
    assert writing.trouble is None
    writing.close({})


def test_after_a_full_disk_it_begins_again_by_itself_and_says_what_is_missing(
    tmp_path: Path, small_files: None
) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk)
    record_until_refused(disk, writing)
    stopped = int(disk.now_s)
    disk.others = disk.size
    record(disk, writing, 30)
    assert writing.trouble is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    disk.others = 0
    record(disk, writing, 30)
    assert writing.trouble is None
    assert writing.lost >= 30
    writing.close({})
    before, after = readings_in(tmp_path / "run"), readings_in(tmp_path / "run.0002")
    assert before == [reading(number) for number in range(1, len(before) + 1)]
    assert len(before) > stopped - 30
    assert after == [reading(number) for number in range(int(disk.now_s) - len(after) + 1, int(disk.now_s) + 1)]


def allow_files(size: int) -> None:
    """Let files of this process grow to so many bytes, -1: without end."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_disk_that_is_gone_is_waited_for(tmp_path: Path, small_files: None) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk)
    record_until_refused(disk, writing)
    disk.is_gone = True
    record(disk, writing, 50)
    assert writing.trouble is not None
    allow_files(-1)
    disk.is_gone = False
    record(disk, writing, 30)
    assert writing.trouble is None
    writing.close({})
    assert readings_in(tmp_path / "run.0002")[-1] == reading(int(disk.now_s))


def test_a_disk_that_only_looks_find_gone_pauses_the_recording_and_says_so(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk)
    disk.is_gone = True
    record(disk, writing, 15)
    assert writing.trouble == "recording pauses: its disk does not answer: No such file or directory"
    disk.is_gone = False
    record(disk, writing, 25)
    assert writing.trouble is None
    writing.close({})


def test_a_pause_ends_the_part_and_its_answer_speaks_of_nothing_beyond(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**6)
    writing = ring(disk)
    record(disk, writing, 15)
    disk.others = 10**6
    record(disk, writing, 20)
    assert writing.trouble is not None
    disk.others = 0
    record(disk, writing, 40)
    assert writing.trouble is None
    assert writing.close({}) is None
    before, after = readings_in(tmp_path / "run"), readings_in(tmp_path / "run.0002")
    assert [*before, *after] == [reading(k) for k in (*range(1, len(before) + 1), *range(76 - len(after), 76))]
    assert len(before) + len(after) + writing.lost == 75
    assert writing.lost >= 10
    answers = (tmp_path / "run" / "tracks.jsonl").read_text().split()
    assert answers == [str(number) for number in range(1, len(before) + 1)]
    assert not (tmp_path / "run.0002" / "digest.txt").exists()


def test_no_answer_is_claimed_for_a_recording_that_leaves_receivers_out(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk, law="\n[law]\nkeep_operators = false\n")
    record(disk, writing, 5)
    assert writing.close({}) is None
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["recording.mcap"]


def test_after_a_part_that_could_not_be_begun_a_further_one_is(tmp_path: Path, small_files: None) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk)
    record_until_refused(disk, writing)
    allow_files(10)
    record(disk, writing, 25)
    assert writing.trouble is not None
    assert (tmp_path / "run.0002" / "recording.mcap").stat().st_size <= 10
    allow_files(-1)
    record(disk, writing, 15)
    assert writing.trouble is None
    writing.close({})
    last = max(tmp_path.iterdir())
    assert last.name > "run.0002"
    assert readings_in(last)[-1] == reading(int(disk.now_s))


def test_the_part_that_is_written_is_not_deleted_while_the_next_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, 10**9)
    writing = ring(disk, keep=50_000)
    looking: list[threading.Thread] = []
    kept: list[bool] = []

    class Slow(Recorder):
        """Takes so long to begin that another thread looks for room meanwhile."""

        def __init__(self, path: Path, header: RecordingHeader, site: Site, answer: bool) -> None:
            looking.append(threading.Thread(target=writing.sync))
            looking[0].start()
            looking[0].join(0.2)
            kept.append((tmp_path / "run" / "recording.mcap").exists())
            super().__init__(path, header, site, answer)

    monkeypatch.setattr("edge.recording_ring.Recorder", Slow)
    for number in range(1, int(PART_S) + 3):
        disk.now_s += 1.0
        writing.write(reading(number))
    looking[0].join()
    writing.close({})
    assert kept == [True]
