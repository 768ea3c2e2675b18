"""A site file is understood whole, or refused in one line that says what is wrong."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.site_file import SiteFileError, parse_site, read_site
from sarhad.commands.check_mapping import command as check_mapping

GOOD = """
[site]
id = "ridge-04"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 612.4 }
geoid_height_m = 48.6

[broker]
host = "center.example.net"
port = 8883
certificate = "ridge-04.pem"
outbox = { keep_hours = 12 }

[tracker]
confirm_at = 0.9
drop_below = 0.05

[[sensor]]
id = "radar-north"
device = { driver = "serial_port", path = "/dev/radar", baud = 921600 }
transmits = { band_ghz = [60.0, 64.0], power_dbm = 12, permit = "P-1" }
protocol = "ti_mmwave"
position = { east_m = 3.2, north_m = -1.0, up_m = 4.5 }
orientation = { heading_deg = 12.5, pitch_deg = 2.0, roll_deg = 0.0 }
bias = { azimuth_deg = 0.4, slant_range_m = 0.1 }
accuracy = { azimuth_deg = 1.5, elevation_deg = 2.0, slant_range_m = 0.8, range_rate_m_s = 0.3 }
coverage = { azimuth_deg = [-60, 60], elevation_deg = [-10, 40], slant_range_m = [2, 120] }
latency_s = 0.045
detection_probability = 0.85
false_alarms_per_scan = 0.4

[[sensor]]
id = "camera-north"
device = { driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream1" }
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 6.1 }
orientation = { heading_deg = 10.0, pitch_deg = 8.0 }
lens = { size_px = [1920, 1080], focal_px = [1650.0, 1652.0], center_px = [960.0, 540.0] }
accuracy = { azimuth_deg = 0.15, elevation_deg = 0.2 }
detection_probability = { by = "pixels", at = [[4, 0.0], [8, 0.35], [32, 0.95]], night = "none" }

[[sensor]]
id = "remote-id"
device = { driver = "serial_port", path = "/dev/remote-id", baud = 921600 }
protocol = "open_drone_id"
"""


def test_degrees_and_seconds_become_radians_and_nanoseconds():
    radar = parse_site(GOOD, "good.toml").sensors[0].sensor
    assert radar.orientation.heading_rad == pytest.approx(math.radians(12.5))
    assert radar.accuracy.azimuth_rad == pytest.approx(math.radians(1.5))
    assert radar.coverage.elevation_rad == pytest.approx((math.radians(-10), math.radians(40)))
    assert radar.azimuth_bias_rad == pytest.approx(math.radians(0.4))
    assert radar.slant_range_bias_m == 0.1
    assert radar.latency_ns == 45_000_000
    assert radar.position_enu_m == (3.2, -1.0, 4.5)
    assert radar.is_aligned
    assert radar.mounting_sigma_rad == 0.0


def test_a_camera_counts_pixels_with_its_own_lens():
    camera = parse_site(GOOD, "good.toml").sensors[1]
    assert camera.sensor.detection_probability.pixels_per_rad == 1650.0
    assert camera.sensor.detection_probability.by_pixels == ((4.0, 0.0), (8.0, 0.35), (32.0, 0.95))
    assert camera.sensor.coverage.azimuth_rad == pytest.approx((-math.atan(960 / 1650), math.atan(960 / 1650)))
    assert camera.model.path is None


def test_silence_of_a_sensor_without_detection_probability_means_nothing():
    remote_id = parse_site(GOOD, "good.toml").sensors[2].sensor
    assert remote_id.detection_probability is None
    assert remote_id.is_aligned, "a receiver that points nowhere cannot be unaligned"


def test_a_sensor_without_measured_angles_counts_five_degrees_and_is_marked():
    text = GOOD.replace("accuracy = { azimuth_deg = 0.15, elevation_deg = 0.2 }\n", "")
    camera = parse_site(text, "good.toml").sensors[1].sensor
    assert not camera.is_aligned
    assert camera.mounting_sigma_rad == pytest.approx(math.radians(5.0))
    assert camera.accuracy.azimuth_rad == pytest.approx(math.radians(0.3)), "typical of one measurement"


def test_relative_paths_start_at_the_site_file(tmp_path: Path):
    (tmp_path / "post.toml").write_text(GOOD)
    broker = read_site(tmp_path / "post.toml").broker
    assert broker.certificate == broker.key == str(tmp_path / "ridge-04.pem")
    assert broker.outbox_path == str(tmp_path / "outbox-ridge-04.db")


def test_the_start_file_is_read_without_comments(tmp_path: Path):
    (tmp_path / "radar.cfg").write_text("% profile\nsensorStop\n\nsensorStart\n")
    command = 'command = { path = "/dev/radar-command", send = "radar.cfg" }\nprotocol = "ti_mmwave"'
    (tmp_path / "post.toml").write_text(GOOD.replace('protocol = "ti_mmwave"', command))
    assert read_site(tmp_path / "post.toml").sensors[0].command.lines == ("sensorStop", "sensorStart")


def test_the_site_carries_its_text_and_hash():
    site = parse_site(GOOD, "good.toml")
    assert site.text == GOOD
    assert site.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_the_broker_is_on_this_machine_unless_the_file_says_otherwise():
    plain = parse_site(GOOD.split("[broker]")[0] + "[[sensor]]" + GOOD.split("[[sensor]]", 1)[1], "good.toml").broker
    assert (plain.host, plain.port, plain.certificate) == ("127.0.0.1", 1883, None)
    assert parse_site(GOOD.replace("port = 8883\n", ""), "good.toml").broker.port == 8883


MISTAKES = [
    # what is written, what stands there instead, what the line must say
    ('id = "ridge-04"', "", ("[site]", "id is missing")),
    ('id = "ridge-04"', 'id = "ridge/04"', ("[site]", 'id is "ridge/04"', "letters, digits")),
    ('id = "ridge-04"', f'id = "{"r" * 49}"', ("[site]", "at most 48")),
    ('id = "ridge-04"', 'id = "fused"', ("[site]", 'id is "fused"', "another name")),
    ('id = "ridge-04"', "id = 4", ("[site]", "id is 4", "a text in quotes")),
    ("latitude_deg = 45.0", "latitude_deg = 95.0", ("origin.latitude_deg is 95.0", "at most 90")),
    ("longitude_deg = 7.0", 'longitude_deg = "7 E"', ("origin.longitude_deg", '"7 E"', "a number")),
    (", height_m = 612.4", "", ("origin.height_m is missing",)),
    ("height_m = 612.4", "height_m = nan", ("origin.height_m is nan",)),
    ("geoid_height_m = 48.6", "geoid_height_m = 900", ("geoid_height_m is 900", "at most 120")),
    ("geoid_height_m", "geoid_heigth_m", ("geoid_heigth_m is not known here", 'did you mean "geoid_height_m"?')),
    ("geoid_height_m = 48.6", 'terrain = { path = "t.tif", sha256 = "00" }', ("terrain.datum is missing", "EGM2008")),
    (
        "geoid_height_m = 48.6",
        'terrain = { path = "t", datum = "EGM96", sha256 = "00" }',
        ("terrain.sha256", "64 hexa"),
    ),
    ("[broker]", "[brocker]", ('did you mean "broker"?',)),
    ("port = 8883", "port = 70000", ("[broker]", "port is 70000", "at most 65535")),
    ("port = 8883", "port = true", ("[broker]", "port is true", "a whole number")),
    ('certificate = "ridge-04.pem"', 'key = "a.key"', ("[broker]", "certificate is missing")),
    ("keep_hours = 12", "keep_hours = 0", ("outbox.keep_hours is 0", "above 0")),
    ("confirm_at = 0.9", "confirm_at = 0.04", ("[tracker]", "confirm_at is 0.04", "more than drop_below")),
    ("confirm_at = 0.9", "gate_probability = 1.0", ("[tracker]", "gate_probability is 1.0", "below 1")),
    ("confirm_at = 0.9", "acceleration_m_s2 = -3.0", ("acceleration_m_s2 is -3.0", "above 0")),
    ('id = "remote-id"', 'id = "camera-north"', ('sensor "camera-north"', "twice")),
    ('id = "remote-id"', 'id = "clock"', ('id is "clock"', "another name")),
    ('id = "remote-id"', 'id = "node"', ('id is "node"', "another name")),
    ('id = "remote-id"', 'id = "remote/id"', ('id is "remote/id"', "letters, digits")),
    ('id = "remote-id"', 'id = "remote id"', ('id is "remote id"', "letters, digits")),
    ('id = "remote-id"', 'id = "remote+id"', ('id is "remote+id"', "letters, digits")),
    ('id = "remote-id"', 'id = "remote#"', ('id is "remote#"', "letters, digits")),
    ('id = "remote-id"', "", ("sensor number 3", "id is missing")),
    (
        'driver = "rtsp_camera"',
        'driver = "rstp_camera"',
        ("device.driver", "serial_port", 'did you mean "rtsp_camera"?'),
    ),
    ('driver = "rtsp_camera", ', "", ("device.driver is missing", "rtsp_camera")),
    (', url = "rtsp://192.0.2.10/stream1"', "", ("device.url is missing",)),
    (', url = "rtsp', ', uri = "rtsp', ("device.uri is not known here", 'did you mean "url"?')),
    (
        "baud = 921600 }\ntransmits",
        "baud = 9601 }\ntransmits",
        ('sensor "radar-north"', "baud is 9601", "one of 1200, "),
    ),
    ('protocol = "ti_mmwave"', 'protocol = "ti_mmwav"', ("protocol", "open_drone_id", 'did you mean "ti_mmwave"?')),
    ('protocol = "ti_mmwave"', "", ('sensor "radar-north"', "protocol is missing")),
    ('protocol = "open_drone_id"', 'protocol = "yolo"', ('driver is "serial_port"', "one that yolo can come over")),
    (
        'protocol = "open_drone_id"',
        'protocol = "gnss"\nprotocol_options = { a = 1 }',
        ("protocol_options.a is not known",),
    ),
    ("position = { east_m = 3.2, north_m = -1.0, up_m = 4.5 }", "", ('sensor "radar-north"', "position is missing")),
    ("orientation = { heading_deg = 12.5, pitch_deg = 2.0, roll_deg = 0.0 }", "", ("orientation is missing",)),
    ("pitch_deg = 2.0", "pitch_deg = 100", ("orientation.pitch_deg is 100", "at most 90")),
    ("heading_deg = 12.5", "heading = 12.5", ('did you mean "heading_deg"?',)),
    ("azimuth_deg = 1.5", "azimuth_deg = 0.0", ("accuracy.azimuth_deg is 0.0", "above 0")),
    ("azimuth_deg = 1.5", "azimuth_deg = -1.5", ("accuracy.azimuth_deg is -1.5", "above 0")),
    ("elevation_deg = 2.0, ", "", ("accuracy.elevation_deg is missing", "needs it")),
    ("slant_range_m = 0.8, ", "", ("accuracy.slant_range_m is missing", "needs it")),
    (
        "azimuth_deg = [-60, 60]",
        "azimuth_deg = [60, -60]",
        ("coverage.azimuth_deg is [60, -60]", "the lower one first"),
    ),
    ("slant_range_m = [2, 120]", "slant_range_m = [-2, 120]", ("coverage.slant_range_m", "at least 0")),
    ("slant_range_m = [2, 120]", "slant_range_m = [120, 120]", ("coverage.slant_range_m", "the lower one first")),
    ("coverage = {", "# {", ('sensor "radar-north"', "coverage is missing")),
    ("latency_s = 0.045", "latency_s = -1", ("latency_s is -1", "at least 0")),
    ("detection_probability = 0.85", "detection_probability = 1.2", ("detection_probability is 1.2", "at most 1")),
    (
        "detection_probability = 0.85",
        'detection_probability = { by = "pixels", at = [[4, 0.0], [8, 0.5]] }',
        ("detection_probability.by", "need a camera with a lens"),
    ),
    ("[32, 0.95]]", "[8, 0.95]]", ("detection_probability.at", "that grow")),
    ("[32, 0.95]]", "[32, 0.30]]", ("detection_probability.at", "that grow")),
    ("[32, 0.95]]", "[32, 1.95]]", ("detection_probability.at", "within 0 and 1")),
    ("[32, 0.95]]", "[32]]", ("detection_probability.at", "pairs")),
    ('night = "none"', 'night = "maybe"', ("detection_probability.night", "one of same, none")),
    ("false_alarms_per_scan = 0.4", "false_alarms_per_scan = -0.4", ("false_alarms_per_scan is -0.4",)),
    ("lens = {", "# {", ('sensor "camera-north"', "lens is missing")),
    ("size_px = [1920, 1080]", "size_px = [1920]", ("lens.size_px is [1920]", "a list of 2 numbers")),
    (
        "center_px = [960.0, 540.0]",
        "center_px = [960.0, 1540.0]",
        ("lens.center_px", "inside the picture of 1920 x 1080"),
    ),
    ("focal_px = [1650.0, 1652.0]", "focal_px = [0, 1652.0]", ("lens.focal_px", "above 0")),
    (
        "latency_s = 0.045",
        "lens = { size_px = [64, 64], focal_px = [9, 9], center_px = [3, 3] }",
        ('sensor "radar-north"', "only a camera"),
    ),
    ("band_ghz = [60.0, 64.0]", "band_ghz = [64.0, 60.0]", ("transmits.band_ghz", "the lower one first")),
    (
        "latency_s = 0.045",
        'power = { switch = "magic", path = "a" }',
        ("power.switch", "one of kernel_file, serial_relay"),
    ),
    ("latency_s = 0.045", 'power = { switch = "kernel_file" }', ("power.path is missing",)),
    ("[[sensor]]", "[[sensors]]", ('did you mean "sensor"?',)),
    ('host = "center.example.net"', 'host = "not a host"', ("[broker]", 'host is "not a host"', "a host name or an")),
    (
        '"rtsp://192.0.2.10/stream1"',
        '"banana"',
        ('sensor "camera-north"', 'device.url is "banana"', "rtsp://host/path"),
    ),
    ('"rtsp://192.0.2.10/stream1"', '"rstp://192.0.2.10/"', ("device.url", "known are rtsp, ")),
    ('"rtsp://192.0.2.10/stream1"', '"tcp://192.0.2.10"', ("device.url", "tcp://host:port")),
    ('"rtsp://192.0.2.10/stream1"', '"rtsp://me:secret@host:port/"', ('"rtsp://me:***@host:port/"',)),
    ('id = "ridge-04"', 'id = "ridge-04', ("line 3", "not TOML")),
]


@pytest.mark.parametrize(
    ("good", "bad", "words"), MISTAKES, ids=[f"{i:02d}-{m[2][-1]}" for i, m in enumerate(MISTAKES)]
)
def test_a_mistake_is_told_in_one_line(good: str, bad: str, words: tuple[str, ...]):
    assert good in GOOD
    with pytest.raises(SiteFileError) as refused:
        parse_site(GOOD.replace(good, bad, 1 if good != "[[sensor]]" else -1), "ridge.toml")
    line = str(refused.value)
    assert line.startswith("ridge.toml: ")
    assert "\n" not in line
    for word in words:
        assert word in line


def refusal(path: Path) -> str:
    with pytest.raises(SiteFileError) as refused:
        read_site(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_file_that_is_not_there_not_text_or_empty_is_told(tmp_path: Path):
    assert "cannot be read" in refusal(tmp_path / "none.toml")
    assert "cannot be read" in refusal(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[site]\nid = 'caf\xe9'\n")
    assert "line 2: byte 0xe9 is not UTF-8" in refusal(tmp_path / "latin.toml")
    (tmp_path / "empty.toml").write_text("# nothing\n")
    assert "is empty" in refusal(tmp_path / "empty.toml")
    (tmp_path / "long.toml").write_text("#" * 1_000_001)
    assert "is longer than" in refusal(tmp_path / "long.toml")


DEVICES = [
    ('driver = "udp_listener", port = 1', 'host = "not a host"', 'host is "not a host"; expected a host name or an'),
    ('driver = "udp_listener", port = 1', 'host = "192.0.2.300"', 'host is "192.0.2.300"; expected a host name or an'),
    ('driver = "udp_listener", port = 1', 'group = "banana"', 'group is "banana"; expected an IPv4 multicast group'),
    ('driver = "udp_listener", port = 1', 'group = "192.0.2.1"', "224.0.0.0 to 239.255.255.255"),
    ('driver = "mqtt_feed"', 'topic = "a/#/b"', 'topic is "a/#/b"; expected an MQTT topic'),
    ('driver = "mqtt_feed"', 'topic = "a+/b"', "+ stands for a whole level"),
    ('driver = "mqtt_feed", topic = "a/#"', 'allow = ["a/#/b"]', 'allow is "a/#/b"; expected an MQTT topic'),
    ('driver = "mqtt_feed", topic = "a"', 'key = "k.pem"', "certificate is missing"),
    ('driver = "mqtt_feed", topic = "a"', 'host = "a/b"', 'host is "a/b"'),
    ('driver = "tcp_stream", port = 1', 'host = "tcp://a"', 'host is "tcp://a"'),
    ('driver = "tcp_stream", port = 1', 'host = "radar..local"', 'host is "radar..local"'),
    ('driver = "tcp_stream", port = 1', f'host = "{"r" * 64}.local"', "expected a host name"),
]


def site_with(device: str) -> str:
    head = GOOD.split("[[sensor]]")[0]
    return f'{head}[[sensor]]\nid = "x"\ndevice = {{ {device} }}\nprotocol = "ti_mmwave"\n{MOUNTED}'


MOUNTED = "position = {" + GOOD.split("position = {")[1].split("latency_s")[0]


@pytest.mark.parametrize(("device", "option", "words"), DEVICES, ids=[option for _, option, _ in DEVICES])
def test_a_device_that_could_never_work_is_refused(device: str, option: str, words: str):
    with pytest.raises(SiteFileError, match=r'^post.toml: sensor "x": device\.') as refused:
        parse_site(site_with(f"{device}, {option}"), "post.toml")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "device",
    [
        'driver = "udp_listener", port = 1, host = "::1"',
        'driver = "udp_listener", port = 1, group = "239.1.2.3"',
        'driver = "mqtt_feed", topic = "#"',
        'driver = "mqtt_feed", topic = "+/b/+/#", host = "bücher.example.net"',
        'driver = "tcp_stream", port = 1, host = "radar_2.local."',
    ],
)
def test_a_device_that_may_work_is_taken(device: str):
    assert parse_site(site_with(device), "post.toml").sensors[0].device.driver in device


@pytest.mark.parametrize(
    "url", ["rtsp://me:pass@[2001:db8::1]:554/a", "udp://:5000", "udp://@239.0.0.1:5000", "tcp://a:1"]
)
def test_an_address_that_a_camera_may_have_is_taken(url: str):
    assert parse_site(GOOD.replace("rtsp://192.0.2.10/stream1", url), "post.toml")


def test_compiled_arithmetic_is_taken_only_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch):
    site = GOOD.replace("confirm_at = 0.9", "compiled = true")
    monkeypatch.setattr("edge.site_file.can_compile", lambda: True)
    assert parse_site(site, "post.toml").tracker.compiled
    monkeypatch.setattr("edge.site_file.can_compile", lambda: False)
    with pytest.raises(SiteFileError, match=r"compiled is true; expected false, since numba is not installed"):
        parse_site(site, "post.toml")


def test_a_sensor_in_single_brackets_is_told_how_to_write_it():
    one = GOOD.split("[[sensor]]")
    with pytest.raises(SiteFileError, match=r"sensor is a table; expected a list of tables, each under \[\[sensor\]\]"):
        parse_site(one[0] + "[sensor]" + one[1], "post.toml")


def test_a_site_without_sensors_is_refused():
    head = GOOD.split("[[sensor]]")[0]
    with pytest.raises(SiteFileError, match="sensor is missing"):
        parse_site(head, "ridge.toml")
    with pytest.raises(SiteFileError, match="has 0 sensors"):
        parse_site("sensor = []\n" + head, "ridge.toml")


def test_files_that_are_named_must_be_there_and_be_the_right_ones(tmp_path: Path):
    post = tmp_path / "post.toml"
    command = 'command = { path = "/dev/c", send = "start.cfg" }\nprotocol = "ti_mmwave"'
    post.write_text(GOOD.replace('protocol = "ti_mmwave"', command))
    assert 'command.send is "start.cfg"' in refusal(post)
    (tmp_path / "start.cfg").write_text("% only words\n")
    assert "it holds none" in refusal(post)

    post.write_text(GOOD + '[[sensor]]\nid = "x"\n' + GOOD.split('id = "camera-north"\n')[1].split("[[sensor]]")[0])
    model = post.read_text() + f'model = {{ path = "drone.onnx", sha256 = "{"0" * 64}" }}\n'
    post.write_text(model)
    assert 'sensor "x": model.path is "drone.onnx"' in refusal(post)
    (tmp_path / "drone.onnx").write_bytes(b"not the one")
    assert f"expected {hashlib.sha256(b'not the one').hexdigest()}" in refusal(post)
    post.write_text(model.replace("0" * 64, hashlib.sha256(b"not the one").hexdigest()))
    assert read_site(post).sensors[3].model.path == str(tmp_path / "drone.onnx")


def test_a_site_from_a_recording_looks_for_no_files():
    command = 'command = { path = "/dev/c", send = "start.cfg" }\nprotocol = "ti_mmwave"'
    site = parse_site(GOOD.replace('protocol = "ti_mmwave"', command), "recording")
    assert site.sensors[0].command.lines == ()


WORDS = st.sampled_from(
    [
        '"x"',
        '"a\\nb"',
        '"\\u001b[31m"',
        '""',
        "true",
        "1979-05-27",
        "07:32:00",
        "nan",
        "-inf",
        "1e400",
        "0",
        "-1",
        "{}",
        "[]",
    ]
)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)).map(str)
VALUES = st.recursive(
    st.one_of(WORDS, NUMBERS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["by", "at", "driver", "path", '"a\\nb"', "id"]), inner, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"
        ),
    ),
    max_leaves=8,
)


def answer(text: str) -> str:
    """The refusal, or nothing."""
    try:
        parse_site(text, "odd.toml")
    except SiteFileError as refused:
        return str(refused)
    return ""


@given(number=st.integers(0, 200), value=VALUES)
@example(number=1, value="9" * 400)
@example(number=1, value="[" * 100_000)
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_is_understood_or_refused_in_one_line(number: int, value: str):
    lines = GOOD.splitlines()
    settable = [index for index, line in enumerate(lines) if " = " in line]
    index = settable[number % len(settable)]
    lines[index] = f"{lines[index].split(' = ')[0]} = {value}"
    assert answer("\n".join(lines)).isprintable()


@given(st.text(max_size=200))
def test_any_text_at_all_is_refused_in_one_line(text: str):
    assert answer(text).isprintable()


DOCS = Path(__file__).parents[2] / "docs"


def test_the_tutorials_site_files_can_be_pasted_as_they_stand(tmp_path: Path):
    (lines_site,) = (DOCS / "own-sensor-json.md").read_text().split("```toml\n")[1:]
    assert parse_site(lines_site.split("```")[0], "my-post.toml").sensors[0].protocol == "sensor_json"
    table, _, mapping_site = (
        block.split("```")[0] for block in (DOCS / "own-sensor-mapping.md").read_text().split("```toml\n")[1:]
    )
    (tmp_path / "mapping.toml").write_text(table)
    printed = CliRunner().invoke(check_mapping, [str(tmp_path / "mapping.toml")])
    assert printed.exit_code == 0
    assert parse_site(mapping_site + printed.output, "my-post.toml").sensors[0].protocol == "mapping"


def test_the_tutorials_line_is_read_by_its_table(tmp_path: Path):
    tutorial = (DOCS / "own-sensor-mapping.md").read_text()
    (tmp_path / "mapping.toml").write_text(tutorial.split("```toml\n")[1].split("```")[0])
    (tmp_path / "sample.txt").write_text(tutorial.split("echo '")[1].split("'")[0] + "\n")
    told = CliRunner().invoke(check_mapping, [str(tmp_path / "mapping.toml"), str(tmp_path / "sample.txt")])
    assert (told.exit_code, told.stdout.count("\n")) == (0, 1)
    (found,) = json.loads(told.stdout)["detections"]
    assert (found["slant_range_m"], found["range_rate_m_s"]) == (84.2, 3.1)
    assert found["azimuth_deg"] == pytest.approx(35.4)
