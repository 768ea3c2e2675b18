"""Health texts that say what is wrong with a line and what to do, on frames of the protocols themselves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.line_endings import LFS_TO_JUDGE, LineEndings
from edge.pipeline import Pipeline
from edge.site_file import parse_site
from firmware_interfaces.ti_mmwave import encode_frame
from fusion import wire
from fusion.types import CLOCK, NODE, Reading
from hardware.device import DeviceEvent

SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 48.1173, longitude_deg = 11.51667, height_m = 592.3 }
[[sensor]]
id = "radar"
device = { driver = "serial_port", path = "/dev/ttyACM0", baud = 921600 }
protocol = "ti_mmwave"
position = { east_m = 0.0, north_m = 0.0, up_m = 3.0 }
orientation = { heading_deg = 0.0 }
coverage = { azimuth_deg = [-60, 60], elevation_deg = [-10, 40], slant_range_m = [2, 120] }
[[sensor]]
id = "remote-id"
device = { driver = "udp_listener", port = 40001, allow = ["192.0.2.7"] }
protocol = "open_drone_id"
[[sensor]]
id = "gnss"
device = { driver = "serial_port", path = "/dev/ttyACM1", baud = 9600 }
protocol = "gnss"
"""
S = 1_000_000_000
CHANCE = random.Random(5)


def frames(count: int, first: int = 1) -> list[bytes]:
    """TI frames of one object with many points: all kinds of bytes, and little for the tracker to do."""
    return [
        encode_frame(
            first + number,
            [(CHANCE.gauss(5.0, 0.1), CHANCE.gauss(30.0, 0.1), 1.0, 2.0, 20.0, 40.0) for _ in range(40)],
        )
        for number in range(count)
    ]


def told(line: Pipeline, sensor_id: str, pieces: list[bytes], period_s: float = 0.05) -> wire.SensorHealthMessage:
    """What health says of a sensor after these readings, which come one after the other."""
    start_ns = line.watch.now_ns or S
    for number, piece in enumerate(pieces):
        at_ns = start_ns + round((number + 1) * period_s * S)
        line.feed(Reading(sensor_id, at_ns, at_ns, None, None, piece))
    at_ns = line.watch.now_ns + 1
    line.feed(Reading(CLOCK, at_ns, at_ns, None, None, b""))
    return next(message for message in line.watch.sensor_messages() if message.sensor_id == sensor_id)


@pytest.fixture
def line() -> Pipeline:
    return Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")


def test_a_good_line_is_not_complained_of(line: Pipeline) -> None:
    radar = told(line, "radar", frames(200))
    assert (radar.text, radar.state) == ("", "ok")
    assert radar.decoded["frame"] == 200
    assert radar.rejected == {}


def test_lf_that_became_cr_lf_is_undone_and_told(line: Pipeline) -> None:
    radar = told(line, "radar", [frame.replace(b"\n", b"\r\n") for frame in frames(300)])
    assert "LF comes as CR LF: undone" in radar.text
    assert "stty raw" in radar.text
    assert radar.decoded["frame"] >= 280
    good = told(line, "radar", frames(100, first=400))  # the console's setting was mended
    assert "CR LF" not in good.text
    assert good.decoded["frame"] >= radar.decoded["frame"] + 98


def test_cr_that_became_lf_is_told(line: Pipeline) -> None:
    said = [frame.replace(b"\r", b"\n") for frame in frames(300)]
    assert sum(map(len, said)) > 65_536
    assert "no byte 0x0D" in told(line, "radar", said).text


def test_a_wrong_baud_is_told_with_what_to_check(line: Pipeline) -> None:
    assert "baud" in told(line, "radar", [random.Random(1).randbytes(500) for _ in range(20)]).text


def test_a_wrong_baud_whose_noise_has_frames_of_a_sort_is_not_called_a_noisy_line(line: Pipeline) -> None:
    mangled = [b"$GPRMC,120000,A,4500.000,N,00700.000,E,0.0,0.0,170826,,,A*00\r\n" * 3 for _ in range(60)]
    assert "wrong baud?" in told(line, "gnss", mangled).text


def test_a_baud_that_changes_after_hours_is_told_within_a_minute_and_its_cure_too(line: Pipeline) -> None:
    assert told(line, "radar", frames(150), 0.1).text == ""
    noise = [random.Random(2).randbytes(100) for _ in range(150)]
    assert "after " in told(line, "radar", noise, 0.5).text
    assert told(line, "radar", frames(130, first=151), 0.5).text == ""


def test_a_radar_that_hangs_or_is_played_back_is_told_and_shows_nothing(line: Pipeline) -> None:
    said = frames(150)
    assert told(line, "radar", said, 0.2).state == "ok"
    frozen = told(line, "radar", [said[-1]] * 30, 0.2)
    assert "came before, byte for byte" in frozen.text
    assert (frozen.state, frozen.can_see, frozen.scans) == ("degraded", False, 150)
    assert told(line, "radar", frames(130, first=151), 0.5).text == ""  # it speaks of now again, for a minute
    replayed = told(line, "radar", said[20:60], 0.2)
    assert "old data" in replayed.text
    assert replayed.scans == 280


def test_a_replay_from_before_the_start_steps_back_in_number_and_is_told(line: Pipeline) -> None:
    """Nothing of it is known again; a radar that starts anew is silent first."""
    assert told(line, "radar", frames(60, first=5001), 0.2).text == ""
    assert "stepped back" in told(line, "radar", frames(5, first=1000), 0.2).text


def test_a_radar_that_starts_anew_is_not_taken_for_one_that_is_played_back(line: Pipeline) -> None:
    empty = [encode_frame(number, [], cpu_cycles=number * 10_000_000) for number in range(100)]
    later = [encode_frame(number, [], cpu_cycles=number * 10_000_000 + 17) for number in range(100)]
    assert told(line, "radar", empty, 0.1).text == ""
    assert told(line, "radar", later[:1], 2.0).text == ""  # it needs a while for that
    assert told(line, "radar", later[1:], 0.1).text == ""


def damaged(sentence: bytes) -> bytes:
    return sentence.replace(b"4807.038", b"4807.039")


def test_checksums_that_begin_to_fail_are_told_though_the_day_was_good(line: Pipeline) -> None:
    good = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
    assert "checksum" not in told(line, "gnss", [good] * 2000, 0.2).text
    gnss = told(line, "gnss", [damaged(good) if number % 5 == 0 else good for number in range(400)], 0.2)
    assert "failed their checksum in the last" in gnss.text
    assert gnss.rejected["checksum"] == 80
    assert "checksum" not in told(line, "gnss", [good] * 400, 0.2).text


def test_frames_that_begin_to_be_missing_are_told_though_the_day_was_good_and_no_longer_when_they_come(
    line: Pipeline,
) -> None:
    assert told(line, "radar", frames(900), 0.2).text == ""
    some = [frame for number, frame in enumerate(frames(200, 901)) if number % 5]  # 40 of 940: few against the day
    radar = told(line, "radar", some, 0.2)
    assert "never came, by the numbers of the others" in radar.text
    assert told(line, "radar", frames(400, 1101), 0.2).text == ""


def event(line: Pipeline, sensor_id: str, name: str, text: str, count: int | None = None) -> None:
    at_ns = line.watch.now_ns + 1
    line.feed(Reading(NODE, at_ns, at_ns, None, None, DeviceEvent(sensor_id, name, text, count=count).to_json()))


def test_a_second_program_on_the_port_is_named_where_bytes_are_missing(line: Pipeline) -> None:
    event(line, "radar", "shared", "also open in process 1234 (minicom)")
    assert told(line, "radar", frames(100)).text == ""
    noise = [random.Random(3).randbytes(100) for _ in range(700)]
    assert told(line, "radar", noise, 0.1).text.endswith("also open in process 1234 (minicom)")
    event(line, "radar", "unshared", "no other program has it open any more")
    assert "minicom" not in told(line, "radar", noise[:1]).text


def test_what_an_allow_list_kept_out_is_counted_with_its_reason(line: Pipeline) -> None:
    event(line, "remote-id", "refused", "3 deliveries of senders that `allow` does not name", 3)
    assert told(line, "remote-id", []).rejected == {"sender not allowed": 3}
    event(line, "remote-id", "silent", "open, but no bytes for 5.0 s")
    assert told(line, "remote-id", []).text == (
        "open, but no bytes for 5.0 s of senders that `allow` names; 3 deliveries of others were left out: "
        "name them, or find out who they are"
    )


@given(data=st.binary(max_size=4000), cuts=st.lists(st.integers(1, 60), min_size=1))
def test_undoing_gives_the_very_bytes_that_were_sent_however_they_were_cut(data: bytes, cuts: list[int]) -> None:
    prefix = b"x\n" * LFS_TO_JUDGE
    line = LineEndings()
    line.undo(prefix.replace(b"\n", b"\r\n"), refused=3)
    expanded, came, at, number = data.replace(b"\n", b"\r\n") + b"x", b"", 0, 0
    while at < len(expanded):
        size = cuts[number % len(cuts)]
        came += line.undo(expanded[at : at + size], refused=3)
        at, number = at + size, number + 1
    assert came == data + b"x"


@given(pieces=st.lists(st.binary(max_size=300), max_size=20))
def test_a_stream_whose_decoder_is_content_is_never_touched(pieces: list[bytes]) -> None:
    line = LineEndings()
    assert b"".join(line.undo(piece, refused=0) for piece in pieces) == b"".join(pieces)


MESSAGES = """
[site]
id = "ridge"
origin = { latitude_deg = 48.1, longitude_deg = 11.5, height_m = 592.3 }
[[sensor]]
id = "doors"
device = { driver = "mqtt_feed", topic = "rtl_433/+/events" }
protocol = "rtl_433"
[[sensor]]
id = "mine"
device = { driver = "udp_listener", port = 40002 }
protocol = "sensor_json"
[[sensor]]
id = "piped"
device = { driver = "tcp_stream", port = 40003 }
protocol = "sensor_json"
"""
DOOR = b'{"model":"Honeywell-Security","id":815221,"state":"open","battery_ok":1}'
FENCE = b'{"kind":"presence","presence":"fence","text":"zone 3"}'


def test_a_message_of_a_broker_and_a_datagram_need_no_line_end() -> None:
    """rtl_433 publishes its objects so."""
    line = Pipeline(parse_site(MESSAGES, "ridge.toml"), "run", "software")
    assert told(line, "doors", [DOOR]).noticed == "door: Honeywell-Security 815221: open"
    mine = told(line, "mine", [FENCE, FENCE[:20], FENCE[20:] + b"\n", FENCE])  # one of them cut by a gateway
    assert (mine.decoded, mine.rejected) == ({"presence": 3}, {})
    assert told(line, "piped", [FENCE]).decoded == {}  # a stream may go on
    assert told(line, "piped", [b"\n"]).decoded == {"presence": 1}
