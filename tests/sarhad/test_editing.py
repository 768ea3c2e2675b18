"""Cut and merged recordings hold the same readings, and replay to the same tracks."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from made_commands import sarhad

from evidence.contents import contents_of
from evidence.editing import merge
from evidence.recording import RecordingHeader, RecordingWriter, read_recording
from fusion.types import CLOCK, Reading
from sarhad.editing import written

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"


def readings_of(path: Path) -> list[Reading]:
    with path.open("rb") as stream:
        return list(read_recording(stream)[1])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("editing") / "whole.mcap"
    sarhad("simulate", SCENARIO, "--out", path, "--seconds", 6, "--no-video")
    return path


def test_two_halves_put_together_are_the_whole_again(recording: Path, tmp_path: Path) -> None:
    first, second, both = (tmp_path / name for name in ("first.mcap", "second.mcap", "both.mcap"))
    sarhad("cut", recording, first, "--to", 3)
    sarhad("cut", recording, second, "--from", 3)
    sarhad("merge", second, first, "--out", both)
    whole = readings_of(recording)
    assert 0 < len(readings_of(first)) < len(whole)
    assert readings_of(both) == whole
    with both.open("rb") as stream:
        header, readings = read_recording(stream)
        contents = contents_of(readings)
    with recording.open("rb") as stream:
        assert read_recording(stream)[0] == header
    assert (contents.missing_readings, contents.is_cut, contents.damage) == (0, False, None)
    assert contents.sensors["radar-north"].protocol == "ti_mmwave"


def test_sensors_cut_apart_and_put_together_keep_their_readings_and_the_clock_ticks_once(
    recording: Path, tmp_path: Path
) -> None:
    radar, rest, both = (tmp_path / name for name in ("radar.mcap", "rest.mcap", "both.mcap"))
    names = {reading.sensor_id for reading in readings_of(recording)} - {"radar-north"}
    sarhad("cut", recording, radar, "--sensor", "radar-north")
    sarhad("cut", recording, rest, *(word for name in names for word in ("--sensor", name)))
    assert {reading.sensor_id for reading in readings_of(radar)} <= {"radar-north", CLOCK, "node"}
    sarhad("merge", radar, rest, "--out", both)
    whole, merged = readings_of(recording), readings_of(both)
    assert sorted(map(repr, merged)) == sorted(map(repr, whole))


def test_one_sensor_twice_at_a_time_is_refused_and_leaves_no_file(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.mcap"
    told = sarhad("merge", recording, recording, "--out", out, code=2)
    assert "in two of the files at the same time" in told
    assert list(tmp_path.iterdir()) == []


def test_a_cut_never_writes_over_a_recording(recording: Path) -> None:
    assert "exists already" in sarhad("cut", recording, recording, code=2)


def part_of(run_id: str, second: int, dropped: int) -> io.BytesIO:
    """One part of a run, whose counter counts from the run's start."""
    stream = io.BytesIO()
    writer = RecordingWriter(stream, RecordingHeader("ridge", run_id, 1, "", "ab" * 32, {}, "sarhad", {}))
    writer.write(Reading("radar", second * 10**9, second * 10**9, None, None, b"bytes"))
    writer.close({"radar": dropped})
    stream.seek(0)
    return stream


def test_drops_are_counted_once_a_run_however_many_parts_it_has() -> None:
    out = io.BytesIO()
    merge([part_of("first", 1, 4), part_of("first", 2, 9), part_of("second", 3, 5)], out)
    out.seek(0)
    _, readings = read_recording(out)
    assert len(list(readings)) == 3
    assert readings.counters == {"radar": 14}


def test_a_full_disk_leaves_no_half_file(recording: Path, tmp_path: Path) -> None:
    def fill(_sources: object, target: io.BufferedIOBase) -> int:
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SystemExit, match="2"):
        written([recording], tmp_path / "out.mcap", fill)
    assert list(tmp_path.iterdir()) == []
