"""`sarhad check` says what a site file means, and how far its sensors should see."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.expected_range import expected_ranges, pixels_needed
from edge.site_file import parse_site
from edge.site_words import coverage_words, looks, shown_options, site_warnings, wind
from edge.vision.detector import SHIPPED_MODEL
from fusion.types import Coverage, Orientation
from sarhad.cli import main
from sarhad.commands.check import table

HEAD = '[site]\nid = "ridge"\norigin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }\ngeoid_height_m = 48\n'
RADAR = """
[[sensor]]
id = "radar"
device = { driver = "serial_port", path = "/dev/serial/by-id/radar", baud = 921600 }
protocol = "ti_mmwave"
position = { east_m = 0, north_m = 0, up_m = 4 }
orientation = { heading_deg = 45, pitch_deg = 10 }
accuracy = { azimuth_deg = 1.5, elevation_deg = 2.0, slant_range_m = 0.8 }
coverage = { azimuth_deg = [-60, 60], elevation_deg = [-20, 30], slant_range_m = [2, 35] }
detection_probability = 0.8
"""
CAMERA = """
[[sensor]]
id = "camera"
device = { driver = "rtsp_camera", url = "rtsp://guard:secret@192.0.2.7/stream" }
protocol = "yolo"
position = { east_m = 0, north_m = 0, up_m = 4 }
orientation = { heading_deg = 350 }
lens = { size_px = [1000, 500], focal_px = [1000, 1000], center_px = [500, 250] }
accuracy = { azimuth_deg = 0.2, elevation_deg = 0.2 }
detection_probability = { by = "pixels", at = [[4, 0.0], [8, 0.5], [16, 0.9]] }
"""


def check(tmp_path: Path, text: str, *options: str):
    path = tmp_path / "post.toml"
    path.write_text(text)
    return CliRunner().invoke(main, ["check", str(path), *options])


def test_a_good_site_is_told_in_words(tmp_path: Path):
    result = check(tmp_path, HEAD + RADAR + CAMERA)
    assert result.exit_code == 0
    assert "looks north-east (45°), 120° wide, 2–35 m, from 10° below to 40° above the horizon" in result.output
    assert "looks north (350°)" in result.output
    assert "Warnings: 1" in result.output
    assert "expected to be seen to 44 m at most: what sees farther is a network radar" in result.output
    assert "secret" not in result.output


def test_a_bad_site_ends_with_two_and_one_line(tmp_path: Path):
    result = check(tmp_path, HEAD + RADAR.replace("921600", "9601"))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert 'post.toml: sensor "radar": device.baud is 9601; expected one of 1200' in result.stderr
    assert result.stdout == ""


def test_the_json_says_the_same(tmp_path: Path):
    record = json.loads(check(tmp_path, HEAD + RADAR + CAMERA, "--json").output)
    assert [sensor["sensor_id"] for sensor in record["sensors"]] == ["radar", "camera"]
    assert record["sensors"][0]["heading_deg"] == 45.0
    assert ["seen to 44 m at most" in warning for warning in record["warnings"]] == [True]
    assert "secret" not in json.dumps(record)


@pytest.mark.parametrize(
    ("heading_deg", "name"),
    [(0, "north"), (359, "north"), (90, "east"), (12.5, "north-north-east"), (225, "south-west")],
)
def test_winds(heading_deg: float, name: str):
    assert wind(heading_deg) == name


def test_a_turning_radar_looks_all_around():
    all_around = Coverage((-math.pi, math.pi), (0.0, 0.5), (10.0, 5000.0))
    assert coverage_words(all_around, Orientation(1.0, 0.0, 0.0)).startswith("looks all around, 10–5000 m")


def test_a_head_says_what_it_turns_and_where_it_never_rests():
    head = """
[[sensor]]
id = "head"
device = { driver = "serial_port", path = "/dev/serial/by-id/head", baud = 9600 }
protocol = "pelco_d"
orientation = { heading_deg = 30.0 }
head = { carries = "camera", private_zones = [ { azimuth_deg = [350, 10] }, { azimuth_deg = [85, 95] } ] }
"""
    entry = parse_site(HEAD + CAMERA + head, "ridge.toml").sensors[1]
    assert looks(entry) == (
        "turns camera to where tracks are, -20° to 80° high; never rests at 350°–10°, 85°–95° (private)"
    )


def test_a_camera_sees_as_far_as_its_pixels_reach():
    entry = parse_site(HEAD + CAMERA, "x").sensors[0]
    small, quadcopter, large = expected_ranges(entry)
    assert quadcopter.day_m == pytest.approx(0.35 * 1000 / 8)
    assert quadcopter.day_sure_m == pytest.approx(0.35 * 1000 / 16)
    assert small.day_m < quadcopter.day_m < large.day_m
    assert quadcopter.night_m is None, "what was never measured is not claimed"


@pytest.mark.parametrize(("night", "reach_m"), [("none", 0.0), ("same", 43.75)])
def test_the_night_is_as_the_site_file_measured_it(night: str, reach_m: float):
    text = HEAD + CAMERA.replace("0.9]] }", f'0.9]], night = "{night}" }}')
    assert expected_ranges(parse_site(text, "x").sensors[0])[1].night_m == pytest.approx(reach_m)


def test_a_camera_without_a_measured_table_claims_nothing():
    text = HEAD + CAMERA.split("detection_probability")[0]
    site = parse_site(text, "x")
    assert {one.day_m for one in expected_ranges(site.sensors[0])} == {None}
    assert any("its silence means nothing" in warning for warning in site_warnings(site))


def test_pixels_are_read_with_straight_lines():
    assert pixels_needed(((4, 0.0), (8, 0.5), (16, 0.9)), 0.25) == pytest.approx(6.0)
    assert pixels_needed(((4, 0.0), (8, 0.5)), 0.9) is None
    assert pixels_needed(((4, 0.6), (8, 0.9)), 0.5) == 4


def test_a_radar_reaches_with_the_root_of_the_size_and_not_beyond_its_coverage():
    small, quadcopter, large = expected_ranges(parse_site(HEAD + RADAR, "x").sensors[0])
    assert small.day_m == pytest.approx(40 * math.sqrt(0.2 / 0.35))
    assert quadcopter.day_m == large.day_m == 35.0
    assert quadcopter.night_m == quadcopter.day_m


def test_warnings_name_what_to_know():
    text = (HEAD + RADAR.replace("[2, 35]", "[2, 120]") + RADAR.replace('id = "radar"', 'id = "twin"')).replace(
        "geoid_height_m = 48\n", ""
    )
    text = text.replace("accuracy = {", "# {").replace("[[sensor]]", '[broker]\nhost = "192.0.2.1"\n[[sensor]]', 1)
    warnings = "\n".join(site_warnings(parse_site(text, "x")))
    for words in (
        "± 5°",
        "coverage reaches 120 m",
        'used by "radar" and "twin"',
        "no certificate",
        "no geoid_height_m",
    ):
        assert words in warnings


def test_a_post_that_only_listens_is_told_so():
    device = '{ driver = "serial_port", path = "/dev/ttyUSB0", baud = 9600 }'
    text = f'{HEAD}[[sensor]]\nid = "r"\ndevice = {device}\nprotocol = "open_drone_id"\n'
    site = parse_site(text, "x")
    assert "notices only what broadcasts" in site_warnings(site)[0]
    assert "may get another number" in site_warnings(site)[-1]
    assert expected_ranges(site.sensors[0]) is None


def test_a_sensor_of_one_s_own_that_measures_directions_is_no_mere_listener():
    own = f"""{HEAD}[[sensor]]
id = "mine"
device = {{ driver = "tcp_stream", port = 5010, listen = true }}
protocol = "sensor_json"
orientation = {{ heading_deg = 90.0, pitch_deg = 0.0, roll_deg = 0.0 }}
"""
    pointing = parse_site(own + "accuracy = { azimuth_deg = 2.0 }\n", "x")
    assert looks(pointing.sensors[0]).startswith("points east (90°)")
    assert not any("notices only" in warning for warning in site_warnings(pointing))
    assert any(row.endswith("90°") for row in table(pointing))
    noticing = parse_site(own, "x")  # without errors its directions are not used: what is left are presences
    assert looks(noticing.sensors[0]) == "hears from all around"
    assert "what is there without a place" in site_warnings(noticing)[0]


def pem(tmp_path: Path, name: str) -> str:
    (tmp_path / name).write_text("a certificate")
    return f'"{name}"'


@pytest.mark.parametrize("field", ["certificate", "key", "authority"])
def test_a_certificate_that_is_not_there_is_told_by_field_and_path(tmp_path: Path, field: str):
    files = {name: pem(tmp_path, f"{name}.pem") for name in ("certificate", "key", "authority")}
    text = HEAD + "[broker]\n" + "".join(f"{name} = {path}\n" for name, path in files.items()) + RADAR
    assert check(tmp_path, text).exit_code == 0
    (tmp_path / f"{field}.pem").unlink()
    result = check(tmp_path, text)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"[broker]: {field} is " in result.stderr
    assert f"expected a file that can be read ({tmp_path / field}.pem: No such file or directory)" in result.stderr


def test_a_devices_certificate_that_is_not_there_is_told(tmp_path: Path):
    device = '{ driver = "mqtt_feed", topic = "a/#", authority = "who.pem" }'
    result = check(tmp_path, f'{HEAD}[[sensor]]\nid = "r"\ndevice = {device}\nprotocol = "dronescout"\n')
    assert result.exit_code == 2
    assert 'sensor "r": device.authority is' in result.stderr


def test_an_authority_alone_means_tls(tmp_path: Path):
    broker = f'[broker]\nhost = "192.0.2.1"\nauthority = {pem(tmp_path, "who.pem")}\n'
    told = check(tmp_path, HEAD + broker + RADAR).output
    assert "192.0.2.1:8883, TLS without a certificate of this post's own" in told
    assert "can be read and forged" not in told
    record = json.loads(check(tmp_path, HEAD + broker + RADAR, "--json").output)
    assert record["broker"] == {"host": "192.0.2.1", "port": 8883, "tls": True}


def test_a_password_in_an_address_is_not_shown():
    assert shown_options(parse_site(HEAD + CAMERA, "x").sensors[0])["url"] == "rtsp://guard:***@192.0.2.7/stream"


def own_model(tmp_path: Path, options: str = "") -> str:
    """A camera with a copy of the model that ships, whose helicopters have another name."""
    model = SHIPPED_MODEL.read_bytes()
    assert b"helicopter" in model  # in the metadata only, and the other word is as long
    (tmp_path / "theirs.onnx").write_bytes(model.replace(b"helicopter", b"rotorcraft"))
    return HEAD + CAMERA + 'model = { path = "theirs.onnx" }\n' + options


def test_a_class_of_ones_own_model_that_nobody_knows_is_told(tmp_path: Path):
    result = check(tmp_path, own_model(tmp_path))
    assert result.exit_code == 0
    assert 'sensor "camera": the model\'s rotorcraft count as unknown' in result.output


def test_a_class_that_is_mapped_needs_no_word_and_one_that_the_model_lacks_does(tmp_path: Path):
    mapped = 'protocol_options = { classes = { rotorcraft = "helicopter", uav = "drone" } }\n'
    result = check(tmp_path, own_model(tmp_path, mapped))
    assert "count as unknown" not in result.output
    assert "classes names uav, which the model does not tell" in result.output


def test_a_class_is_mapped_to_one_that_is_known(tmp_path: Path):
    result = check(tmp_path, own_model(tmp_path, 'protocol_options = { classes = { rotorcraft = "chopper" } }\n'))
    assert result.exit_code == 2
    assert 'rotorcraft is "chopper"; expected one of drone, bird, airplane, helicopter, unknown' in result.output


def test_a_damaged_model_ends_with_two_and_one_line(tmp_path: Path):
    text = own_model(tmp_path)
    (tmp_path / "theirs.onnx").write_bytes(SHIPPED_MODEL.read_bytes()[:100_000])
    result = check(tmp_path, text)
    assert result.exit_code == 2
    assert 'sensor "camera": model.path: ' in result.output
    assert "theirs.onnx: found no model that ONNX Runtime can load" in result.output
    assert len(result.output.splitlines()) == 1
