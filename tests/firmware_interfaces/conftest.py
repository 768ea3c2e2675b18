"""The table of decoders that the shared tests run over: how each is made, and a sound stream of it, made by us."""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_interfaces import (
    asterix,
    asterix_records,
    dronescout,
    esp32_remote_id,
    ld2450,
    mavlink,
    nmea,
    open_drone_id,
    ti_mmwave,
    ubx,
    yolo,
)
from firmware_interfaces.open_drone_id_messages import BasicId, Location, OperatorId, SelfId, System
from fusion.camera import Lens
from fusion.types import Accuracy, Coverage, Orientation, Reading, Sensor

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))  # decoders.py
sys.path.insert(0, str(Path(__file__).parent))  # truth_*.py, made_*.py
import made_adsb
import made_own_sensors
import made_radio
import made_sensors

SENSOR = Sensor(
    "post",
    (0.0, 0.0, 4.0),
    Orientation(0.3, 0.05, 0.0),
    Accuracy(math.radians(1.5), math.radians(2.0), 0.5, 0.3),
    latency_ns=40_000_000,
    coverage=Coverage((-1.0, 1.0), (-0.2, 0.7), (1.0, 120.0)),
)
LENS = Lens((1920, 1080), (1100.0, 1105.0), (958.1, 541.7), (-0.31, 0.12, 0.0008, -0.0005, -0.02))
RECEIVED_NS = 1_780_000_000_000_000_000


def ti_stream() -> bytes:
    """Two objects, one of them of two points; the last byte of a frame may be the first of the magic word."""
    frames = []
    for number in range(12):
        x = -4.0 + number
        points = [
            (x, 20.0, 1.0, -3.2, 18.0, 51.4),
            (x + 0.3, 20.2, 1.1, -3.0, 15.5, 51.4),
            (8.0, 40.0, 3.0, 0.0, 9, 52),
        ]
        frames.append(ti_mmwave.encode_frame(number + 1, points if number != 5 else []))
    return b"".join(frames)


def location(number: int = 0) -> Location:
    """A drone that flies east at 10 m/s."""
    return Location(
        2, 90.0, 10.0, 0.5, 45.0, 7.0 + number * 1e-4, 600.0, 650.5, 40.0, 0, 10, 4, 3, 3, 123.4 + number, 1
    )


def remote_id_stream() -> bytes:
    """Packs, single messages, heartbeats and an aircraft; LF bytes stand among them."""
    who = BasicId(1, 2, b"1581F0000000000000A1")
    system = System(1, 0, 45.001, 7.001, 612.0, 1, 0, None, None, 1, 2, 200_000_000)
    out = [mavlink.encode_heartbeat(0)]
    for number in range(10):
        messages = [who, location(number), system, OperatorId(0, b"XYZ-OP"), SelfId(0, b"survey\n")]
        out.append(open_drone_id.encode_message_pack(messages[: 1 + number % 5], b"\x0a\x0d\x0a\x43\x24\x01", number))
    fields = {"ICAO_address": 0x4B1234, "lat": 450_000_000, "lon": 70_000_000, "flags": 0x1 | 0x10, "callsign": "TEST1"}
    out.append(mavlink.encode(mavlink.ADSB_VEHICLE, mavlink.LAYOUTS[mavlink.ADSB_VEHICLE].pack(fields), 11))
    arm = mavlink.LAYOUTS[mavlink.ARM_STATUS].pack({"status": 1, "error": "no position"})
    out.append(mavlink.encode(mavlink.ARM_STATUS, arm, 12))
    return b"".join(out)


def gnss_stream() -> bytes:
    """Sentences with UBX and something like RTCM between them."""
    out = []
    for second in range(6):
        out += [
            nmea.encode_rmc(43_200.0 + second, "170826", 45.0, -7.0, 0.1),
            nmea.encode_gst(43_200.0 + second, 0.8, 0.6, 1.5),
            nmea.encode_gga(43_200.0 + second, 45.0, -7.0, 563.2, 48.6),
            ubx.encode((0x0A, 0x09), bytes(22) + b"\x04" + bytes(37)),
        ]
    return b"noise\xd3\x00" + b"".join(out)


def esp32_stream() -> bytes:
    """Boot text, then a drone and its pilot."""
    line = '{"mac":"90:3a:e6:00:00:0%d","rssi":-5%d,"drone_lat":45.1,"drone_long":7.0%d,"drone_altitude":650,'
    line += '"pilot_lat":45.0,"pilot_long":7.0,"basic_id":"1581F%d"}\r\n'
    lines = "".join(line % (n, n, n, n) for n in range(8))
    return f'ESP-ROM:esp32s3\r\n{{"heartbeat":"alive"}}\r\n{lines}'.encode()


def dronescout_message(length: int = 921, **changes: Any) -> bytes:
    """A drone at 45.1 N 7.2 E, heard by Bluetooth; the structure is filled at the documented offsets."""
    raw = bytearray(max(length, 921))
    struct.pack_into("<II21s", raw, 0, 2, 1, b"1581F4QWB22CC00302LV")
    struct.pack_into("<IfffddffIf5If", raw, 64, 2, 90.0, 10.0, 0.5, 45.1, 7.2, -1000.0, 650.5, 0, 40.0,
                     10, 4, 0, 3, 1, 900.0)  # fmt: skip
    struct.pack_into("<IIddHHffIIfI", raw, 808, 1, 0, 45.0, 7.0, 1, 0, -1000.0, -1000.0, 0, 0, 612.0, 200_000_000)
    for place in (0, 2, 20):  # Basic ID, Location and System hold
        raw[892 + place] = 1
    data = {
        "sensor ID": "receiver-1",
        "RSSI": -72,
        "channel": 37,
        "timestamp": 1_780_000_000_000,
        "MAC address": "DF:72:11:D2:6B:95",
        "type": "BLE legacy",
        "UASdata": base64.b64encode(bytes(raw[:length])).decode(),
    }
    return json.dumps({"protocol": 1.0, "data": {**data, **changes}}).encode()


def ld2450_stream() -> bytes:
    """Somebody walks by; a command is answered in between."""
    reports = [ld2450.encode_report([ld2450.Target(-900 + 300 * n, 2500, -40, 360)]) for n in range(8)]
    reports[3] += bytes.fromhex("fdfcfbfa0800ff010000010040 0004030201")
    return b"".join(reports)


def asterix_block(category: int, *records: bytes) -> bytes:
    """A data block, its length in front."""
    body = b"".join(records)
    return bytes((category,)) + (len(body) + 3).to_bytes(2, "big") + body


def asterix_record(category: int, edition: str, items: dict[str, bytes]) -> bytes:
    """A record: the FSPEC that an edition's order of items asks for, then the items."""
    base, categories = asterix_records.library()
    major, minor = (int(part) for part in edition.split("."))
    uap = categories[category][(major, minor)].cv_uap.cv_record.cv_items_list
    names = [slot.cv_non_spare.cv_name if issubclass(slot, base.UapItem) else None for slot in uap]
    numbers = sorted(names.index(name) for name in items)
    fspec = bytearray(numbers[-1] // 7 + 1)
    for number in numbers:
        fspec[number // 7] |= 0x80 >> number % 7
    for place in range(len(fspec) - 1):
        fspec[place] |= 1
    return bytes(fspec) + b"".join(items[str(names[number])] for number in numbers)


def asterix_plot(
    time_of_day_s: float, azimuth_deg: float, slant_range_nm: float, kind: int = 1, sic: int = 13
) -> bytes:
    """CAT048: source, time of day, descriptor, polar position."""
    of_day = round(time_of_day_s * 128) % (86_400 * 128)
    place = struct.pack(">HH", round(slant_range_nm * 256), round(azimuth_deg * 65_536 / 360) % 65_536)
    return b"\xf0\x19" + bytes((sic,)) + of_day.to_bytes(3, "big") + bytes((kind << 5,)) + place


def asterix_sector(time_of_day_s: float, azimuth_deg: float, sic: int = 13) -> bytes:
    """CAT034: source, sector crossing, time of day, sector."""
    of_day = round(time_of_day_s * 128) % (86_400 * 128)
    return b"\xf0\x19" + bytes((sic, 2)) + of_day.to_bytes(3, "big") + bytes((round(azimuth_deg * 256 / 360) % 256,))


def asterix_turn(turns: int = 2, period_s: float = 4.0) -> list[bytes]:
    """A radar's datagrams: each of 32 sectors with a plot near its middle, then its crossing; received without delay."""
    start_s = RECEIVED_NS / 1e9 % 86_400.0
    datagrams = []
    for sector in range(1, 32 * turns + 1):
        end_s, end_deg = start_s + sector * period_s / 32, sector * 11.25 % 360.0
        plot = asterix_plot(end_s - period_s / 64, (end_deg - 5.6) % 360.0, 20.0 + sector / 10)
        datagrams.append(asterix_block(48, plot) + asterix_block(34, asterix_sector(end_s, end_deg)))
    return datagrams


def yolo_reading(**changes: Any) -> bytes:
    """A picture in which a drone was found."""
    found = {
        "access_unit_ns": 900_000_000,
        "sensor_id": "camera",
        "size_px": [1920, 1080],
        "looked": [[0, 0, 1920, 1080]],
        "model_sha256": "0" * 64,
        "provider": "CPUExecutionProvider",
        "detections": [{"class": "drone", "confidence": 0.8, "x": 900.0, "y": 500.0, "w": 40.0, "h": 20.0}],
    }
    return json.dumps({**found, **changes}).encode()


@dataclass(frozen=True)
class Case:
    """One decoder under the shared tests."""

    name: str
    make: Callable[[], Any]
    stream: bytes
    is_stream: bool = True  # False: each reading is whole, as datagrams are

    def __str__(self) -> str:
        return self.name


SMALL = (*made_sensors.DECODERS, *made_own_sensors.DECODERS)
CASES = (
    Case("ti_mmwave", lambda: ti_mmwave.Decoder(SENSOR), ti_stream()),
    Case("open_drone_id", lambda: open_drone_id.Decoder(SENSOR), remote_id_stream()),
    Case(
        "open_drone_id behind a console that expands LF",
        lambda: open_drone_id.Decoder(SENSOR),
        remote_id_stream().replace(b"\n", b"\r\n"),
    ),
    Case("gnss", lambda: nmea.Decoder(SENSOR), gnss_stream()),
    Case("esp32_remote_id", lambda: esp32_remote_id.Decoder(SENSOR), esp32_stream()),
    Case("dronescout", lambda: dronescout.Decoder(SENSOR), dronescout_message(), is_stream=False),
    *(
        Case(name, partial(make, SENSOR), stream)
        for name, make, stream in (*made_adsb.DECODERS, *made_radio.DECODERS, *SMALL)
    ),
    Case("ld2450", lambda: ld2450.Decoder(SENSOR), ld2450_stream()),
    Case("asterix", lambda: asterix.Decoder(SENSOR), asterix_turn()[0], is_stream=False),
    Case("yolo", lambda: yolo.Decoder(SENSOR, LENS), yolo_reading(), is_stream=False),
)


def reading(data: bytes, monotonic_ns: int = 1_000_000_000) -> Reading:
    """A reading of the shared tests' sensor."""
    return Reading("post", RECEIVED_NS, monotonic_ns, None, None, data)


@pytest.fixture(scope="session")
def all_cases() -> tuple[Case, ...]:
    """The whole table."""
    return CASES


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Each decoder in turn."""
    found: Case = request.param
    return found


@pytest.fixture(params=[c for c in CASES if c.is_stream], ids=str)
def stream_case(request: pytest.FixtureRequest) -> Case:
    """Each decoder of a byte stream in turn."""
    found: Case = request.param
    return found


@pytest.fixture
def make_reading() -> Callable[..., Reading]:
    """Bytes to a reading."""
    return reading


@pytest.fixture
def sensor() -> Sensor:
    """The shared tests' sensor."""
    return SENSOR


@pytest.fixture
def lens() -> Lens:
    """The shared tests' lens."""
    return LENS


@pytest.fixture
def make_yolo_reading() -> Callable[..., bytes]:
    """The detector's JSON, with changes."""
    return yolo_reading


@pytest.fixture
def make_location() -> Callable[..., Location]:
    """A Remote ID position."""
    return location


@pytest.fixture
def make_dronescout_message() -> Callable[..., bytes]:
    """A DroneScout receiver's message, with changes."""
    return dronescout_message


@pytest.fixture
def make_asterix() -> SimpleNamespace:
    """ASTERIX blocks, plots, sector crossings and whole turns."""
    return SimpleNamespace(
        block=asterix_block, record=asterix_record, plot=asterix_plot, sector=asterix_sector, turn=asterix_turn
    )
