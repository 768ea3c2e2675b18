"""Logs of others become recordings: the same bytes, at their times, that replay like any recording of ours."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_commands import sarhad

from edge.site_file import parse_site
from evidence.recording import read_recording
from firmware_interfaces.pcap import datagrams, is_capture
from firmware_interfaces.radio_frames import Frames
from fusion.frames import LocalFrame
from fusion.types import CLOCK, Geodetic, Reading, Scan
from sarhad.converting import Converted, Pace, Source, parts_of, write_converted
from sarhad.foreign_logs import WrongLog
from sarhad.recorded_facts import points_of, recorded_facts
from sarhad.utc import utc_ns

CAPTURES = Path(os.environ.get("SARHAD_SENSOR_DATA") or Path(__file__).parents[3] / "shared" / "data" / "sensors")
SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"
START_NS = 1_777_636_800_000_000_000  # 2026-05-01T12:00:00Z
SITE = """
[site]
id = "yard"
origin = { latitude_deg = 47.0, longitude_deg = 8.0, height_m = 500.0 }

[[sensor]]
id = "own"
device = { driver = "udp_listener", port = 5010 }
protocol = "sensor_json"
position = { east_m = 30.0, north_m = -20.0, up_m = 6.0 }
orientation = { heading_deg = 70.0, pitch_deg = 5.0, roll_deg = 2.0 }
accuracy = { azimuth_deg = 1.0, elevation_deg = 1.0, slant_range_m = 1.0 }
bias = { azimuth_deg = 1.5 }

[[sensor]]
id = "asterix"
device = { driver = "udp_listener", port = 21134 }
protocol = "asterix"
position = { east_m = 0.0, north_m = 0.0, up_m = 10.0 }
orientation = { heading_deg = 0.0, pitch_deg = 0.0, roll_deg = 0.0 }
accuracy = { azimuth_deg = 0.1, slant_range_m = 50.0 }
coverage = { azimuth_deg = [-180.0, 180.0], elevation_deg = [-5.0, 60.0], slant_range_m = [0.0, 400000.0] }

[[sensor]]
id = "gnss"
device = { driver = "serial_port", path = "ttyGNSS", baud = 9600 }
protocol = "gnss"
position = { east_m = 0.0, north_m = 0.0, up_m = 2.0 }

[[sensor]]
id = "air"
device = { driver = "tcp_stream", port = 5011 }
protocol = "radio_frames"
"""
GGA = b"$GNGGA,120000.00,4700.0000,N,00800.0000,E,4,12,0.8,452.0,M,48.0,M,,*"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "yard.toml"
    path.write_text(SITE)
    return path


def readings_of(path: Path, sensor_id: str) -> list[Reading]:
    with path.open("rb") as stream:
        return [reading for reading in read_recording(stream)[1] if reading.sensor_id == sensor_id]


def sentence() -> bytes:
    checksum = 0
    for byte in GGA[1:-1]:
        checksum ^= byte
    return GGA + f"{checksum:02X}\r\n".encode()


def udp_frame(data: bytes, port: int) -> bytes:
    """Ethernet, IPv4, UDP."""
    addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
    udp = struct.pack(">HHHH", 40000, port, 8 + len(data), 0) + data
    internet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    return bytes(12) + b"\x08\x00" + internet + udp


def capture(packets: list[tuple[int, bytes]], link_type: int = 1) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)
    parts = [
        struct.pack("<IIII", time_ns // 10**9, time_ns % 10**9, len(data), len(data)) + data
        for time_ns, data in packets
    ]
    return head + b"".join(parts)


def line(number: int, azimuth_deg: float) -> bytes:
    found = [{"azimuth_deg": azimuth_deg, "elevation_deg": 4.0, "slant_range_m": 200.0}]
    return json.dumps({"kind": "detections", "number": number, "detections": found}).encode() + b"\n"


def test_datagrams_go_to_who_listens_on_their_port_at_their_times(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "net.pcap", tmp_path / "out.mcap"
    at = [START_NS + k * 250_000_001 for k in range(20)]
    sent = [(time_ns, udp_frame(line(k, k), 5010)) for k, time_ns in enumerate(at)]
    file.write_bytes(capture([*sent, (at[3] + 7, udp_frame(b"stray", 9999))]))
    assert "20 readings" in sarhad("convert", "--site", site, file, out)
    found = readings_of(out, "own")
    assert [reading.data for reading in found] == [line(k, k) for k in range(20)]
    assert {reading.source for reading in found} == {"192.0.2.1:40000"}
    assert [reading.received_ns for reading in found] == pytest.approx(at, abs=2)
    assert len(readings_of(out, CLOCK)) == 1 + 48  # what it says of itself, and ten ticks a second of 4.75 s


def test_a_converted_log_is_told_replayed_and_cut_like_any_recording(site: Path, tmp_path: Path) -> None:
    file, out, part = tmp_path / "net.pcap", tmp_path / "out.mcap", tmp_path / "part.mcap"
    sent = [(START_NS + k * 250_000_000, udp_frame(line(k, 10 + k / 10), 5010)) for k in range(40)]
    file.write_bytes(capture(sent))
    sarhad("convert", "--site", site, f"own={file}", out)
    assert "own" in sarhad("info", out)
    sarhad("replay", out, "--out", tmp_path / "run")
    messages = [json.loads(text) for text in (tmp_path / "run" / "tracks.jsonl").read_text().splitlines()]
    assert any(track["status"] == "confirmed" for message in messages for track in message["tracks"])
    sarhad("cut", out, part, "--to", 2)
    assert len(readings_of(part, "own")) == 8


def test_the_same_logs_make_the_same_recording(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.pcap"
    file.write_bytes(capture([(START_NS + k * 10**8, udp_frame(line(k, k), 5010)) for k in range(9)]))
    outs = [tmp_path / "a.mcap", tmp_path / "b.mcap"]
    for out in outs:
        sarhad("convert", "--site", site, file, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_table_of_places_comes_out_where_the_places_are(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "plots.csv", tmp_path / "out.mcap"
    frame = LocalFrame(Geodetic(47.0, 8.0, 500.0))
    places = [np.array([150.0 + 5.0 * k, 90.0 - 3.0 * k, 60.0 + k]) for k in range(12)]
    rows = ["Time,lat,lon,alt,class"]
    for k, place in enumerate(places):
        at = frame.enu_to_geodetic(place)
        rows.append(
            f"2026-05-01T12:00:{k:02d}.5Z,{at.latitude_deg:.10f},{at.longitude_deg:.10f},{at.height_m:.4f},drone"
        )
    rows.append("2026-05-01T12:00:12.5Z,,,,")
    file.write_text("\n".join(rows) + "\n")
    sarhad("convert", "--site", site, f"own={file}", out)
    told = recorded_facts(out)
    scans = [fact for _, fact in told.facts if isinstance(fact, Scan)]
    own = next(entry.sensor for entry in told.site.sensors if entry.sensor.sensor_id == "own")
    assert scans[-1].detections == ()
    found = np.concatenate([points_of(scan, own) for scan in scans])
    assert found == pytest.approx(np.array(places), abs=0.02)  # the lines carry millimetres and millionths of a degree
    assert scans[0].detections[0].classes[0][0] == "drone"
    assert readings_of(out, "own")[0].received_ns == pytest.approx(utc_ns("2026-05-01T12:00:00.5Z"), abs=2)


def test_rows_of_one_time_are_one_look(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "plots.csv", tmp_path / "out.mcap"
    file.write_text("time,azimuth_deg\n1777636801,5\n1777636800,1\n1777636800,2\n")
    sarhad("convert", "--site", site, f"own={file}", out)
    looks = [json.loads(reading.data) for reading in readings_of(out, "own")]
    assert [[one["azimuth_deg"] for one in look["detections"]] for look in looks] == [[1.0, 2.0], [5.0]]
    assert [look["number"] for look in looks] == [0, 1]


def test_bytes_alone_take_as_long_as_their_line_does(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "port.log", tmp_path / "out.mcap"
    file.write_bytes(sentence() * 60)
    sarhad("convert", "--site", site, f"gnss={file}", out, "--start", "2026-05-01T12:00:00Z")
    found = readings_of(out, "gnss")
    assert b"".join(reading.data for reading in found) == file.read_bytes()
    assert (found[-1].received_ns - START_NS) / 1e9 == pytest.approx(file.stat().st_size / 960.0)
    spread = tmp_path / "spread.mcap"
    sarhad("convert", "--site", site, f"gnss={file}", spread, "--start", START_NS / 1e9, "--seconds", 60)
    assert (readings_of(spread, "gnss")[-1].received_ns - START_NS) / 1e9 == pytest.approx(60.0)


def test_stamped_bytes_keep_their_times(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "port.log", tmp_path / "out.mcap"
    stamps = ["2026-05-01T12:00:00.000000001Z", "1777636800.25", "2026-05-01T14:00:01+02:00"]
    halves = [sentence()[:20], sentence()[20:], sentence()]
    file.write_text(
        "# a logger's words\n" + "".join(f"{s} {half.hex(' ')}\n" for s, half in zip(stamps, halves, strict=True))
    )
    sarhad("convert", "--site", site, f"gnss={file}", out)
    found = readings_of(out, "gnss")
    assert [reading.data for reading in found] == halves
    assert [reading.received_ns - START_NS for reading in found] == pytest.approx([1, 250_000_000, 10**9], abs=3)


def test_a_sniffers_file_goes_through_byte_for_byte(site: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "air.pcap", tmp_path / "out.mcap"
    advertisement = bytes.fromhex("d6be898e") + bytes(range(20))
    at = [START_NS, START_NS + 10**9, START_NS + 5 * 10**8, START_NS + 2 * 10**9]  # the sniffer's clock stepped back
    file.write_bytes(capture([(time_ns, advertisement) for time_ns in at], link_type=251))
    sarhad("convert", "--site", site, f"air={file}", out)
    found = readings_of(out, "air")
    assert b"".join(reading.data for reading in found) == file.read_bytes()
    assert [round((reading.received_ns - START_NS) / 1e9, 3) for reading in found] == [0.0, 1.0, 1.0, 2.0]


WRONG = [
    ("net.pcap", capture([(START_NS, udp_frame(b"x", 9999))]), "{}", "1 to port 9999; expected some to port 5010"),
    ("a.log", b"$GP", "{}", "its sensor is not said; expected SENSOR=FILE"),
    ("a.log", b"$GP", "roof={}", "sensor is 'roof'; the site has own, asterix, gnss, air"),
    ("a.log", b"$GP", "gnss={}", "expected --start"),
    ("a.log", b"$GP", "air={}", "begins with 244750; expected a capture of radio frames"),
    ("a.log", b"", "own@70000={}", "port is '70000'; expected 1 to 65535"),
    ("a.csv", b"time,azimuth_deg\n1777636800,900\n", "own={}", "line 2: "),
    ("a.csv", b"time,azimuth_deg\nnoon,9\n", "own={}", "line 2: time is 'noon'; expected UTC and numbers"),
    ("a.csv", b'time,azimuth_deg\n1,"' + b"9" * 200_000 + b"\n", "own={}", "line 2: field larger than field limit"),
    ("a.csv", b"when,azimuth_deg\n1,9\n", "own={}", "found columns when, azimuth_deg; expected one for time"),
    ("a.csv", b"time,lat,lon\n1,9,9\n", "own={}", "all of latitude_deg, longitude_deg, height_m"),
    ("a.csv", b"time,azimuth_deg,colour\n1,9,9\n", "own={}", "found column 'colour'"),
    ("a.csv", b"time,azimuth_deg\n", "own={}", "nothing in it; expected a table"),
    ("a.csv", b"time,azimuth_deg\n1,9\n1777636800,9\n", "own={}", "expected at most 2, by one clock"),
    ("a.csv", b"time,azimuth_deg\n9300000000,9\n", "own={}", "expected UTC and numbers"),
    ("a.log", b"1777636800 aa\n1777636799 bb\n", "gnss={}", "line 2: its time is 1 s before"),
    ("a.log", b"1777636800 aa\n1777636801 0xbb\n", "gnss={}", "line 2: found '1777636801 0xbb'"),
]


@pytest.mark.parametrize(("name", "content", "source", "says"), WRONG)
def test_what_cannot_be_converted_is_refused_in_one_line(
    site: Path, tmp_path: Path, name: str, content: bytes, source: str, says: str
) -> None:
    file, out = tmp_path / name, tmp_path / "out.mcap"
    file.write_bytes(content)
    told = sarhad("convert", "--site", site, source.format(file), out, code=2)
    assert says in told
    assert len(told.strip().splitlines()) == 1
    assert not out.exists()


def test_a_table_of_what_a_radar_saw_is_scored_like_the_radar(tmp_path: Path) -> None:
    """The demo's radar as its own bytes and as a table of the places it told: the tracks are as good."""
    post, table, out = tmp_path / "post.mcap", tmp_path / "radar.csv", tmp_path / "table.mcap"
    sarhad("simulate", SCENARIO, "--out", post, "--seconds", 20, "--no-video")
    sarhad("cut", post, tmp_path / "radar.mcap", "--sensor", "radar-north")
    told = recorded_facts(tmp_path / "radar.mcap")
    radar = next(entry.sensor for entry in told.site.sensors if entry.sensor.sensor_id == "radar-north")
    rows = ["time,latitude_deg,longitude_deg,height_m"]
    for _, scan in told.facts:
        if isinstance(scan, Scan):
            time = f"{(scan.time_ns + radar.latency_ns) / 1e9:.6f}"
            places = [told.frame.enu_to_geodetic(point) for point in points_of(scan, radar)]
            rows += [f"{time},{at.latitude_deg:.9f},{at.longitude_deg:.9f},{at.height_m:.4f}" for at in places]
            rows += [] if places else [f"{time},,,"]
    table.write_text("\n".join(rows))
    site = tmp_path / "own.toml"
    text = told.site.text.replace('protocol = "ti_mmwave"', 'protocol = "sensor_json"')
    site.write_text(text)
    sarhad("convert", "--site", site, f"radar-north={table}", out)
    scores = []
    for recording in (tmp_path / "radar.mcap", out):
        run = tmp_path / recording.stem
        sarhad("replay", recording, "--out", run)
        scores.append(json.loads(sarhad("score", tmp_path / "post.truth.jsonl", run / "tracks.jsonl", "--json")))
    by_bytes, by_table = scores
    for name in ("n_missed", "n_false", "id_switches"):
        assert by_table[name] == by_bytes[name] == 0
    assert by_table["rms_gospa"] < 1.25 * by_bytes["rms_gospa"]  # the table has no range rates


@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12),
    keep=st.integers(0, 3000),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("form", ["pcap", "radio", "table", "stamped"])
def test_a_damaged_log_is_converted_or_refused_never_a_crash(
    form: str, flips: list[tuple[int, int]], keep: int
) -> None:
    data = bytearray(DAMAGED[form])
    for place, value in flips:
        data[place % len(data)] = value
    site, sensor_id = parse_site(SITE, "yard.toml"), {"radio": "air", "stamped": "gnss"}.get(form, "own")
    source = Source(Path("log.csv" if form == "table" else "log"), sensor_id)
    try:
        told, delivered = parts_of(source, bytes(data[: len(data) - keep % len(data)]), site, Pace(START_NS))
    except WrongLog:
        return
    if (
        delivered and delivered[-1].time_ns - delivered[0].time_ns < 600 * 10**9
    ):  # longer ones are mostly the clock's ticks
        out = io.BytesIO()
        write_converted([Converted(source, told, "", delivered)], site, out)
        out.seek(0)
        assert sum(bool(reading.data) for reading in read_recording(out)[1]) == 1 + len(delivered)


DAMAGED = {
    "pcap": capture([(START_NS + k * 10**8, udp_frame(line(k, k), 5010)) for k in range(12)]),
    "radio": capture([(START_NS + k * 10**8, bytes.fromhex("d6be898e") + bytes(24)) for k in range(12)], link_type=251),
    "table": b"time,azimuth_deg,class\n" + b"".join(b"%d,%d,drone\n" % (1777636800 + k, k) for k in range(12)),
    "stamped": b"".join(b"%d.5 a55a%02x\n" % (1777636800 + k, k) for k in range(12)),
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-05-01T12:00Z", 0.0),
        ("2026-05-01 12:00:00,5", 0.5),
        ("2026-05-01T10:00:00.25-0200", 0.25),
        ("1777636800.5", 0.5),
    ],
)
def test_a_time_may_be_written_in_several_ways(text: str, seconds: float) -> None:
    assert utc_ns(text) == START_NS + round(seconds * 1e9)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no captures in {CAPTURES}")
def test_real_captures_of_radio_say_the_same_converted(site: Path, tmp_path: Path) -> None:
    files = sorted([*CAPTURES.glob("remote_id/*.pcap*"), *CAPTURES.glob("dji_droneid/*.pcap*")])
    captures = [file for file in files if is_capture(file.read_bytes()[:16])]
    assert captures
    for number, file in enumerate(captures):
        out = tmp_path / f"{number}.mcap"
        sarhad("convert", "--site", site, f"air={file}", out)
        whole, pieces = Frames(), Frames()
        expected = [f.message for f in [*whole.feed(file.read_bytes(), 0), *whole.finish()]]
        said = [
            f.message for reading in readings_of(out, "air") for f in pieces.feed(reading.data, reading.monotonic_ns)
        ]
        assert said == expected
        assert expected


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no captures in {CAPTURES}")
def test_a_real_radars_datagrams_come_to_the_sensor_on_the_port_that_is_said(site: Path, tmp_path: Path) -> None:
    captures = [file for file in CAPTURES.glob("asterix/*.pcap*") if is_capture(file.read_bytes()[:16])]
    assert captures
    scans = 0
    for number, file in enumerate(captures):
        sent = list(datagrams(file.read_bytes()))
        out, port = tmp_path / f"{number}.mcap", Counter(datagram.port for datagram in sent).most_common(1)[0][0]
        sarhad("convert", "--site", site, f"asterix@{port}={file}", out)
        found = readings_of(out, "asterix")
        assert [reading.data for reading in found] == [each.data for each in sent if each.port == port]
        scans += sum(isinstance(fact, Scan) for _, fact in recorded_facts(out).facts)
    assert scans > 0


@pytest.mark.parametrize("text", ["1e9999999", "-1", "nan", "inf", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="time is"):
        utc_ns(text)
