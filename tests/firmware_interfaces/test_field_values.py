"""Frames that are sound by their checksum and carry anything at all: nothing raises, and every number told is finite."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_interfaces import dronescout, esp32_remote_id, mavlink, nmea, open_drone_id, ti_mmwave, ubx, yolo
from firmware_interfaces.decoder import MAX_NAMES
from firmware_interfaces.nmea_sentences import TABLE
from firmware_interfaces.ti_mmwave_frames import MAGIC, TLV_HEADER, WORDS_40, WORDS_48, WORDS_52, header_sum
from firmware_interfaces.ti_mmwave_tlvs import KNOWN_UNREAD, TLV_MEANING
from fusion.camera import Lens
from fusion.types import Reading, Sensor

MakeReading = Callable[..., Reading]
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LATEST_NS = 7_289_654_400_000_000_000  # 2201-01-01
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="$*,"), max_size=12)
oddities = st.sampled_from(
    (
        *("", "-3", "0", "00", "-0", "1e308", "-1e308", "1e999", "nan", "9" * 60, "120000.00", "235960", "310226"),
        *("290269", "4500.0", "00700.0", "9000.0", "N", "S", "W", "A", "V", "1", "4", "2026", "-2026", "0000"),
    )
)


def numbers_in(value: Any) -> Iterator[float]:
    """Every number of a fact."""
    if dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from numbers_in(getattr(value, item.name))
    elif isinstance(value, tuple):
        for entry in value:
            yield from numbers_in(entry)
    elif isinstance(value, int | float):
        yield value


def feed(decoder: Any, reading: Reading) -> list[Any]:
    """What a decoder tells of a reading, looked over."""
    facts = list(decoder.feed(reading))
    decoder.diagnosis()
    for fact in facts:
        assert all(math.isfinite(number) for number in numbers_in(fact)), fact
        assert 0 <= (getattr(fact, "utc_ns", None) or 0) < LATEST_NS
    return facts


sentences = st.tuples(st.sampled_from(sorted(TABLE)), st.lists(printable | oddities, max_size=20))


@MANY
@given(st.lists(sentences, min_size=1, max_size=6))
@example([("ZDA", ["120000.00", "05", "-3", "2026", "00", "00"])])
@example([("ZDA", ["120000.00", "31", "02", "2026", "00", "00"])])
@example([("ZDA", ["120000.00", "05", "13", "99999", "00", "00"])])
@example([("GST", ["120000.00", "", "", "", "", "1e308", "1e308", ""])])
@example([("RMC", ["120000.00", "A", "4500.0", "N", "00700.0", "E", "", "", "310226"])])
def test_any_fields_of_sentences(sensor: Sensor, make_reading: MakeReading, said: list[tuple[str, list[str]]]) -> None:
    decoder = nmea.Decoder(sensor)
    stream = b"".join(nmea.encode(kind if kind.startswith("P") else f"GN{kind}", *values) for kind, values in said)
    followed = stream + nmea.encode_gga(43_200.0, 45.0, 7.0, 600.0, 48.0) + nmea.encode("GNGGA", "250000.00")
    assert feed(decoder, make_reading(followed))
    assert not decoder.counts.rejected


ubx_sizes = [(key, size) for key, layout in ubx.LAYOUTS.items() for size in (*layout.sizes, 0, 7)]
ubx_messages = st.sampled_from(ubx_sizes).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.binary(min_size=pair[1], max_size=pair[1]))
)
mon_rf = st.integers(0, 4).flatmap(lambda n: st.binary(min_size=24 * n, max_size=24 * n)).map(
    lambda blocks: ((0x0A, 0x38), bytes((0, len(blocks) // 24, 0, 0)) + blocks)
)  # fmt: skip


@MANY
@given(st.lists(ubx_messages | mon_rf, min_size=1, max_size=6))
def test_any_payload_of_ubx(
    sensor: Sensor, make_reading: MakeReading, sent: list[tuple[tuple[int, int], bytes]]
) -> None:
    decoder = nmea.Decoder(sensor)
    feed(decoder, make_reading(b"".join(ubx.encode(key, payload) for key, payload in sent)))
    assert sum(decoder.counts.decoded.values()) == len(sent)


@pytest.mark.parametrize(("year", "month", "hour"), [(65535, 255, 255), (2026, 13, 12), (2026, 2, 24), (0, 0, 0)])
def test_a_ubx_date_that_is_none_gives_no_time(
    sensor: Sensor, make_reading: MakeReading, year: int, month: int, hour: int
) -> None:
    payload = bytearray(92)
    struct.pack_into("<IHBBBBBB", payload, 0, 0, year, month, 30, hour, 0, 0, 0x07)
    payload[20], payload[21] = 3, 1
    (own,) = feed(nmea.Decoder(sensor), make_reading(ubx.encode((0x01, 0x07), bytes(payload))))
    assert own.utc_ns is None


@MANY
@given(st.lists(st.tuples(st.sampled_from(sorted(mavlink.LAYOUTS)), st.binary(max_size=255)), min_size=1, max_size=6))
def test_any_payload_of_mavlink(sensor: Sensor, make_reading: MakeReading, sent: list[tuple[int, bytes]]) -> None:
    decoder = open_drone_id.Decoder(sensor)
    frames = [mavlink.encode(message_id, payload or b"\0", n) for n, (message_id, payload) in enumerate(sent)]
    feed(decoder, make_reading(b"".join(frames)))
    assert sum(decoder.counts.decoded.values()) == len(sent)


floats = st.floats(width=32).map(lambda value: struct.pack("<f", value))
payloads = st.binary(max_size=120) | st.lists(floats, max_size=32).map(b"".join)
tlv_types = st.sampled_from(sorted({*KNOWN_UNREAD, 77, *(t for known in TLV_MEANING.values() for t in known)}))


def ti_frame(profile: str, number: int, tlvs: list[tuple[int, bytes]]) -> bytes:
    counted = 0 if profile == "sdk3_oob_40" else TLV_HEADER.size
    body = b"".join(TLV_HEADER.pack(kind, len(payload) + counted) + payload for kind, payload in tlvs)
    if profile == "sdk3_oob_40":
        return MAGIC + WORDS_40.pack(1, 40 + len(body), 0xA6843, number, 0, 3, len(tlvs), 0) + body
    if profile == "people3d_48":
        header = MAGIC + WORDS_48.pack(1, 48 + len(body), 0xA6843, number, 0, 0, 0, 0, 0, len(tlvs), 0)
    else:
        header = MAGIC + WORDS_52.pack(1, 0xA6843, 0, 52 + len(body), number, 0, 0, 0, 0, 0, len(tlvs), 0)
    return header[:-2] + struct.pack("<H", header_sum(header)) + body


@MANY
@given(
    st.sampled_from(sorted(TLV_MEANING)),
    st.lists(st.lists(st.tuples(tlv_types, payloads), max_size=4), min_size=1, max_size=4),
    st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4),
)
def test_any_tlvs_of_ti_frames(
    sensor: Sensor, make_reading: MakeReading, profile: str, sent: list, numbers: list[int]
) -> None:
    decoder = ti_mmwave.Decoder(sensor, profile)
    frames = [ti_frame(profile, number, tlvs) for number, tlvs in zip(numbers, sent, strict=False)]
    for scan in feed(decoder, make_reading(b"".join(frames))):
        assert scan.sensor_id == sensor.sensor_id
    assert sum(decoder.counts.decoded.values()) + sum(decoder.counts.rejected.values()) > 0


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=24) | st.sampled_from([10**400, 45.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


flat = objects("rssi", "drone_lat", "drone_long", "drone_altitude", "pilot_lat", "pilot_long", "basic_id", "heartbeat")
where = objects("latitude", "longitude", "geodetic_altitude", "height_agl", "speed", "vert_speed")
who, system = objects("id", "id_type", "ua_type", "MAC"), objects("operator_lat", "operator_lon", "latitude")
nested = st.fixed_dictionaries(
    {"aext": st.just({"AdvA": "90:3a:e6:00:00:01 random"}) | values},
    optional={"Location/Vector Message": where, "Basic ID": who | values, "System Message": system},
)
addressed = st.tuples(flat, st.just("90:3a:e6:00:00:01") | values).map(lambda pair: {**pair[0], "mac": pair[1]})
NESTED_DEEPLY = b'{"heartbeat":' + b"[" * 400 + b"]" * 400 + b"}"


@MANY
@given(line=(flat | addressed | nested | values).map(lambda value: json.dumps(value).encode()))
@example(line=NESTED_DEEPLY)
@example(line=NESTED_DEEPLY.replace(b"heartbeat", b"mac"))
def test_any_values_of_an_esp32_line(sensor: Sensor, make_reading: MakeReading, line: bytes) -> None:
    feed(esp32_remote_id.Decoder(sensor), make_reading(line + b"\n"))


holds = st.binary(min_size=22, max_size=22)
structures = st.tuples(st.binary(min_size=892, max_size=892), holds).map(
    lambda parts: base64.b64encode(parts[0] + parts[1] + bytes(7)).decode()
)
heard = st.tuples(
    objects("sensor ID", "RSSI", "channel", "timestamp", "type", "firmware version", "model", "UASdata"),
    structures | values,
    st.sampled_from(["UASdata", "status"]),
).map(lambda parts: {"MAC address": "DF:72:11:D2:6B:95", **parts[0], parts[2]: parts[1]})


@MANY
@given(heard | values)
def test_any_values_of_a_dronescout_message(sensor: Sensor, make_reading: MakeReading, data: Any) -> None:
    feed(dronescout.Decoder(sensor), make_reading(json.dumps({"protocol": 1.0, "data": data}).encode()))


finding = objects("class", "confidence", "x", "y", "w", "h")


@MANY
@given(objects("size_px", "looked", "detections", "access_unit_ns"), st.lists(finding, max_size=2) | values)
def test_any_values_of_a_look(
    sensor: Sensor, lens: Lens, make_reading: MakeReading, make_yolo_reading: Any, odd: dict[str, Any], found: Any
) -> None:
    feed(yolo.Decoder(sensor, lens), make_reading(make_yolo_reading(**{"detections": found, **odd})))


def test_invented_names_do_not_fill_the_memory(sensor: Sensor, make_reading: MakeReading) -> None:
    gnss, radar = nmea.Decoder(sensor), ti_mmwave.Decoder(sensor)
    names = [f"{first}{second}" for first in "ABCDEFGHIJKLMNOQRSTUVWXYZ" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for name in names:
        gnss.feed(make_reading(nmea.encode(f"{name}GGA") + nmea.encode(f"GN{name}X") + nmea.encode(f"P{name}")))
        gnss.feed(make_reading(ubx.encode((ord(name[0]), ord(name[1])), b"")))
    assert len(gnss.counts.decoded) <= MAX_NAMES + 1
    assert sum(gnss.counts.decoded.values()) == 4 * len(names)
    for tlv_type in range(100_000, 100_300):
        radar.feed(make_reading(ti_frame("sdk3_oob_40", tlv_type, [(tlv_type, b"")])))
    assert len(radar.counts.remarks) <= MAX_NAMES + 4
    assert radar.counts.remarks["TLV of further types"] > 200
    assert len(radar.diagnosis() or "") < 300


def test_what_the_tables_list_is_counted_by_its_name(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = nmea.Decoder(sensor)
    decoder.feed(make_reading(nmea.encode("GNVTG") + nmea.encode("GNQQQ") + ubx.encode((0x01, 0x61), bytes(4))))
    assert decoder.counts.decoded == {"GNVTG": 1, "other": 1, "NAV-EOE": 1}
