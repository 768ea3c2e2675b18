"""`sarhad check-mapping`: what it says of good and wrong mappings, and what it makes of recorded bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.site_file import read_site
from sarhad.cli import main

TABLE = """form = "ascii"
gives = "detection"
starts_with = "$RPT"
separator = ","
columns = 4

[fields.azimuth_deg]
from = 1
scale = 0.1
"""
SITE = """[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }

[[sensor]]
id = "old-radar"
device = { driver = "serial_port", path = "/dev/serial/by-id/usb-radar", baud = 9600 }
protocol = "mapping"
accuracy = { azimuth_deg = 2.0 }

"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(TABLE)
    return path


def test_a_sample_is_read_line_by_line_and_what_was_refused_comes_last(table: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"$RPT,125,84.2,1\r\nhello\r\n$RPT,5\r\n")
    result = CliRunner().invoke(main, ["check-mapping", str(table), str(sample), "--json"])
    assert result.exit_code == 0
    (record,) = (json.loads(line) for line in result.stdout.splitlines())
    assert record["detections"] == [{"azimuth_deg": 12.5, "confidence": 0.5, "class": "unknown"}]
    assert json.loads(result.stderr) == {"bytes": 32, "messages": 1, "rejected": {"length": 1}}


def test_a_sample_of_another_device_is_a_failed_check(table: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_bytes(b"$GPGGA,1,2\r\n")
    assert CliRunner().invoke(main, ["check-mapping", str(table), str(sample)]).exit_code == 1


def test_the_lines_it_prints_are_ones_that_a_site_file_understands(table: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check-mapping", str(table)])
    assert result.exit_code == 0
    (tmp_path / "ridge.toml").write_text(SITE + result.stdout)
    (entry,) = read_site(tmp_path / "ridge.toml").sensors
    assert entry.protocol_options["mapping"]["fields"]["azimuth_deg"] == {"from": 1, "scale": 0.1}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (TABLE.replace("scale", "scal"), "fields.azimuth_deg.scal is not known; did you mean scale?"),
        (TABLE.replace('"ascii"', '"csv"'), 'form is \'csv\'; expected "ascii" or "modbus"'),
        ("form = ", "Invalid value"),
    ],
)
def test_a_wrong_mapping_is_one_line_with_file_field_found_and_expected(table: Path, wrong: str, told: str) -> None:
    table.write_text(wrong)
    result = CliRunner().invoke(main, ["check-mapping", str(table)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(table) in result.stderr
    assert told in result.stderr


def test_a_wrong_mapping_inside_a_site_file_is_named_there(tmp_path: Path) -> None:
    from edge.site_file import SiteFileError

    inside = '[sensor.protocol_options.mapping]\nform = "csv"\n'
    (tmp_path / "ridge.toml").write_text(SITE + inside)
    with pytest.raises(
        SiteFileError, match=r'sensor "old-radar": protocol_options\.mapping\.form is .csv.; expected "ascii"'
    ):
        read_site(tmp_path / "ridge.toml")
