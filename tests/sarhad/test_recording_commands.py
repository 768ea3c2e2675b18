"""`sarhad info`, `recover` and `compare` as a user runs them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence.recording import RecordingHeader, RecordingWriter
from fusion.types import Reading
from sarhad.cli import main

HEADER = RecordingHeader(
    "ridge-04", "run-1", 10**18, "[site]\n", "ab" * 32, {"drone.onnx": "cd" * 32}, "0.1.0", {"python": "3.11.7"}
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "flight.mcap"
    with path.open("wb") as stream:
        writer = RecordingWriter(stream, HEADER, {"radar": {"protocol": "ti_mmwave", "driver": "serial_port"}})
        for i in range(300):
            writer.write(Reading("radar", 10**18 + i * 10**7, i * 10**7, None, None, bytes(range(200))))
        writer.close({"radar": 4})
    return path


def cut(recording: Path) -> Path:
    path = recording.with_name("cut.mcap")
    path.write_bytes(recording.read_bytes()[:-900])
    return path


def test_info_tells_what_a_recording_holds(recording: Path) -> None:
    result = run("info", recording)
    assert result.exit_code == 0
    for word in ("ridge-04", "run-1", "drone.onnx", "ti_mmwave", "300", "radar 4", "whole"):
        assert word in result.stdout
    found = json.loads(run("info", recording, "--json").stdout)
    assert found["readings"] == found["sensors"]["radar"]["readings"] == 300
    assert found["header"]["models"] == {"drone.onnx": "cd" * 32}
    assert found["is_cut"] is False


def test_a_cut_recording_is_told_mended_and_whole_afterwards(recording: Path) -> None:
    broken = cut(recording)
    assert "CUT" in run("info", broken).stdout
    assert run("info", broken).exit_code == 0
    result = run("recover", broken)
    assert result.exit_code == 0, result.output
    mended = recording.with_name("cut.recovered.mcap")
    assert "whole" in run("info", mended).stdout
    kept = json.loads(run("info", mended, "--json").stdout)["readings"]
    assert 200 <= kept <= 300
    assert run("recover", broken).exit_code == 2  # it is there already
    result = run("recover", broken, "--out", recording.with_name("other.mcap"), "--json")
    assert json.loads(result.stdout)["readings"] == kept


def test_a_damaged_recording_fails_the_check(recording: Path) -> None:
    content = bytearray(recording.read_bytes())
    content[content.index(b"lz4") + 60] ^= 1
    recording.write_bytes(bytes(content))
    result = run("info", recording)
    assert result.exit_code == 1
    assert "DAMAGED: byte" in result.stdout


@pytest.mark.parametrize("command", ["info", "recover"])
def test_what_is_no_recording_is_refused_in_one_line(command: str, tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("not a recording")
    for path, expected in ((wrong, "starts with b'not a re'"), (tmp_path / "missing.mcap", "No such file")):
        result = run(command, path)
        assert result.exit_code == 2
        assert expected in result.stderr
        assert result.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == [wrong]


def test_compare_says_equal_and_different(tmp_path: Path) -> None:
    track = {
        "track_number": 1, "revision": 1, "time": "2026-03-02T10:15:30.000000Z", "status": "confirmed", "reason": None,
        "latitude_deg": 45.0, "longitude_deg": 7.0, "height_m": 600.0, "velocity_enu_m_s": [0, 0, 0],
        "covariance": [1.0] * 21, "existence_probability": 0.9, "classes": {"drone": 1.0}, "claims": [],
        "sensor_ids": [], "last_detection": "2026-03-02T10:15:30.000000Z", "direction": None, "explanation": None,
    }  # fmt: skip
    message = {"version": 1, "site_id": "s", "run_id": "r", "sequence": 1, "as_of": track["time"], "claims": []}
    for name, latitude_deg in (("a", 45.0), ("b", 45.0), ("c", 45.0001)):
        (tmp_path / name).mkdir()
        line = json.dumps({**message, "tracks": [{**track, "latitude_deg": latitude_deg}]})
        (tmp_path / name / "tracks.jsonl").write_text(line + "\n")
    equal = run("compare", tmp_path / "a", tmp_path / "b")
    assert (equal.exit_code, "no differences" in equal.stdout) == (0, True)
    moved = run("compare", tmp_path / "a" / "tracks.jsonl", tmp_path / "c", "--json")
    assert moved.exit_code == 1
    found = json.loads(moved.stdout)
    assert found["differences"][0]["kind"] == "moved"
    assert found["largest_distance_m"] == pytest.approx(11.11, abs=0.02)
    assert run("compare", tmp_path / "a", tmp_path / "c", "--position-tolerance-m", "20").exit_code == 0
    assert run("compare", tmp_path / "a", tmp_path / "nothing").exit_code == 2
    (tmp_path / "c" / "tracks.jsonl").write_text("nonsense\n")
    wrong = run("compare", tmp_path / "a", tmp_path / "c")
    assert wrong.exit_code == 2
    assert "line 1" in wrong.stderr
