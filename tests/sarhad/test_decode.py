"""`sarhad decode` as its user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_interfaces.ti_mmwave import encode_frame
from sarhad.commands.decode import command


def decode(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "radar.bin"
    frames = [encode_frame(n, [(1.0, 5.0, 0.0, -2.0, 12.0, 50.0)]) for n in range(3)]
    path.write_bytes(b"boot" + frames[0] + frames[1] + frames[2][:60])
    return path


def test_records_are_json_lines_and_the_summary_comes_last_on_stderr(capture: Path) -> None:
    result = decode("ti_mmwave", capture)
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(record["offset"], record["frame"]) for record in records] == [(4, 0), (100, 1)]
    assert records[0]["points"] == [{"x": 1.0, "y": 5.0, "z": 0.0, "v": -2.0, "snr_0p1db": 120, "noise_0p1db": 500}]
    assert "2 records; rejected: 1 cut" in result.stderr


def test_the_summary_may_be_json(capture: Path) -> None:
    summary = json.loads(decode("ti_mmwave", capture, "--json").stderr)
    assert (summary["decoded"], summary["rejected"]) == (2, {"cut": 1})


def test_settings_are_taken(capture: Path) -> None:
    assert decode("ti_mmwave", capture, "--set", "profile=people3d_48").stdout == ""


def test_the_list_names_protocols_aliases_and_settings() -> None:
    assert "mavlink_odid (also: open_drone_id)" in decode("--list").stdout
    rows = json.loads(decode("--list", "--json").stdout)
    assert {"profile": "auto"} in [row["settings"] for row in rows]


def test_a_feed_that_is_read_in_a_wrong_way_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "tracks.bin"
    path.write_bytes(bytes.fromhex("3e00199b0c19643c6005007f3e9b0025188dff3302a8137400"))
    assert decode("asterix", path).exit_code == 0
    path.write_bytes(bytes.fromhex("3e00189b0c19643c6005007f3e9b0025188dff3302a81374"))
    told = json.loads(decode("asterix", path, "--json").stderr)
    assert (told["decoded"], told["rejected"]) == (0, {"layout": 1})
    assert "1 of the last 1 blocks do not fit edition 1.21: wrong edition" in told["diagnosis"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["xr9", "CAPTURE"], 'PROTOCOL is "xr9", expected one of ti_mmwave'),
        (["ti_mmwave", "nowhere.bin"], "nowhere.bin: No such file"),
        (["ti_mmwave", "CAPTURE", "--set", "baud=9600"], '--set is "baud=9600", expected one of profile=auto'),
        (["ti_mmwave", "CAPTURE", "--set", "profile=x"], 'profile is "x", expected auto'),
        (["gnss", "CAPTURE", "--set", "needs_checksum=maybe"], 'needs_checksum is "maybe", expected true or false'),
        (["ti_mmwave"], "PROTOCOL and FILE are needed"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], line: str, capture: Path) -> None:
    result = decode(*[capture if argument == "CAPTURE" else argument for argument in arguments])
    assert result.exit_code == 2
    assert line in result.stderr
    assert result.stderr.count("\n") == 1
