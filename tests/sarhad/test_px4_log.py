"""A PX4 log becomes fixes at true times and heights, whichever PX4 wrote it."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusion.frames import LocalFrame
from fusion.types import Geodetic
from sarhad.flight_log import WrongFlightLog, read_flight

FRAME = LocalFrame(Geodetic(47.0, 8.0, 500.0))
UTC_S = 1_777_636_800  # 2026-05-01T12:00:00Z
BOOT_S = 120.0  # so long before the first value the autopilot was started
GEOID_M = 48.0
NAMES = {"uint64_t": "Q", "double": "d", "float": "f", "int32_t": "i", "uint8_t": "B", "bool": "?"}
ESTIMATE = (
    "uint64_t timestamp;uint64_t timestamp_sample;double lat;double lon;"
    "float alt;float alt_ellipsoid;bool dead_reckoning"
)
RECEIVER = (
    "uint64_t timestamp;uint64_t time_utc_usec;int32_t lat;int32_t lon;"
    "int32_t alt;int32_t alt_ellipsoid;uint8_t fix_type"
)
RECEIVER_NEW = (
    "uint64_t timestamp;uint64_t time_utc_usec;double latitude_deg;double longitude_deg;"
    "double altitude_msl_m;double altitude_ellipsoid_m;uint8_t fix_type"
)
MESSAGE_BYTES = 5 + struct.calcsize("<QQddff?")  # an estimate in the log: size, kind and topic, then its values


def message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<Hc", len(body), kind) + body


def ulog(topics: dict[str, tuple[str, list[tuple[Any, ...]]]]) -> bytes:
    """A log by the format's definition: header, flags, formats, subscriptions, data."""
    parts = [b"ULog\x01\x12\x35\x01" + struct.pack("<Q", 0), message(b"B", bytes(40))]
    for name, (fields, _) in topics.items():
        parts.append(message(b"F", f"{name}:{fields};".encode()))
    for number, name in enumerate(topics):
        parts.append(message(b"A", struct.pack("<BH", 0, number) + name.encode()))
    for number, (fields, rows) in enumerate(topics.values()):
        layout = "<H" + "".join(NAMES[field.split()[0]] for field in fields.split(";"))
        parts += [message(b"D", struct.pack(layout, number, *row)) for row in rows]
    return b"".join(parts)


def place_at(second: float) -> tuple[float, float, float]:
    """Latitude, longitude and height above the sea while it climbs to the north."""
    return 47.0 + 1e-4 * second, 8.001, 480.0 + second


def estimates(ellipsoid: bool = True) -> tuple[str, list[tuple[Any, ...]]]:
    rows = []
    for k in range(50):
        second = k / 5.0
        latitude, longitude, height = place_at(second)
        at_us = int((BOOT_S + second) * 1e6)
        rows.append((at_us + 30_000, at_us, latitude, longitude, height, height + GEOID_M if ellipsoid else 0.0, False))
    return ESTIMATE, rows


def fixes(fix_type: int = 3, knows_utc: bool = True) -> tuple[str, list[tuple[Any, ...]]]:
    rows = []
    for second in range(10):
        latitude, longitude, height = place_at(second)
        at_us, utc_us = int((BOOT_S + second) * 1e6), (UTC_S + second) * 1_000_000 if knows_utc else 0
        whole = (round(latitude * 1e7), round(longitude * 1e7), round(height * 1e3), round((height + GEOID_M) * 1e3))
        rows.append((at_us, utc_us, *whole, fix_type))
    return RECEIVER, rows


def new_fixes() -> tuple[str, list[tuple[Any, ...]]]:
    rows = []
    for second in range(10):
        latitude, longitude, height = place_at(second)
        at_us, utc_us = int((BOOT_S + second) * 1e6), (UTC_S + second) * 1_000_000
        rows.append((at_us, utc_us, latitude, longitude, height, height + GEOID_M, 3))
    return RECEIVER_NEW, rows


def written(path: Path, **topics: tuple[str, list[tuple[Any, ...]]]) -> Path:
    file = path / "flight.ulg"
    file.write_bytes(ulog(topics))
    return file


LOGS = {
    "the autopilot's estimate": {"vehicle_global_position": estimates(), "vehicle_gps_position": fixes()},
    "the receiver's fixes": {"vehicle_gps_position": fixes()},
    "the receiver's fixes since 1.14": {"vehicle_gps_position": new_fixes()},
}


@pytest.mark.parametrize("name", LOGS)
def test_places_times_and_heights_are_the_flights(tmp_path: Path, name: str) -> None:
    flight = read_flight(written(tmp_path, **LOGS[name]), FRAME)
    assert len(flight.times_s) == (50 if "estimate" in name else 10)
    for time_s, found in zip(flight.times_s, flight.enu_m, strict=True):
        latitude, longitude, height = place_at(time_s - UTC_S)
        expected = FRAME.geodetic_to_enu(Geodetic(latitude, longitude, height + GEOID_M))
        assert found == pytest.approx(expected, abs=0.03)  # whole numbers of 1e-7 deg, floats of 30 um at 500 m


def test_heights_above_the_sea_take_the_geoid_from_the_user(tmp_path: Path) -> None:
    log = written(tmp_path, vehicle_global_position=estimates(ellipsoid=False), vehicle_gps_position=fixes())
    flight = read_flight(log, FRAME, GEOID_M)
    expected = FRAME.geodetic_to_enu(Geodetic(*place_at(0.0)[:2], 480.0 + GEOID_M))
    assert flight.enu_m[0] == pytest.approx(expected, abs=0.01)


def test_heights_above_the_ellipsoid_refuse_another_offset(tmp_path: Path) -> None:
    with pytest.raises(WrongFlightLog, match="above the ellipsoid; expected no height offset"):
        read_flight(written(tmp_path, vehicle_gps_position=fixes()), FRAME, GEOID_M)


def test_what_was_only_reckoned_is_no_truth(tmp_path: Path) -> None:
    layout, rows = estimates()
    reckoned = [(*row[:-1], k >= 30) for k, row in enumerate(rows)]
    log = written(tmp_path, vehicle_global_position=(layout, reckoned), vehicle_gps_position=fixes())
    assert len(read_flight(log, FRAME).times_s) == 30


WRONG = [
    ({"vehicle_global_position": estimates()}, "has no vehicle_gps_position; expected it, since it tells UTC"),
    ({"vehicle_gps_position": fixes(knows_utc=False)}, "tells no UTC with a 3D fix"),
    ({"vehicle_gps_position": fixes(fix_type=2)}, "tells no UTC with a 3D fix"),
    ({"vehicle_gps_position": ("uint64_t timestamp;uint8_t fix_type", [(1, 3)])}, "expected time_utc_usec"),
]


@pytest.mark.parametrize(("topics", "says"), WRONG)
def test_a_log_without_what_is_needed_is_refused_by_name(tmp_path: Path, topics: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongFlightLog, match=says) as refused:
        read_flight(written(tmp_path, **topics), FRAME)
    assert str(refused.value).startswith(str(tmp_path / "flight.ulg"))


def test_bytes_that_are_no_ulog_are_refused(tmp_path: Path) -> None:
    whole = ulog(LOGS["the receiver's fixes"])
    for content in (b"", b"not a log", whole[:40], b"ULog\x01\x12\x35" + bytes(30)):
        (tmp_path / "flight.ulg").write_bytes(content)
        with pytest.raises(WrongFlightLog, match=r"flight\.ulg: "):
            read_flight(tmp_path / "flight.ulg", FRAME)


@pytest.mark.parametrize(("cut_bytes", "rows"), [(0, 50), (17, 49), (MESSAGE_BYTES, 49), (MESSAGE_BYTES + 1, 48)])
def test_a_log_that_was_cut_gives_exactly_the_whole_rows_before(tmp_path: Path, cut_bytes: int, rows: int) -> None:
    whole = ulog({"vehicle_gps_position": fixes(), "vehicle_global_position": estimates()})  # the estimates come last
    (tmp_path / "flight.ulg").write_bytes(whole[: len(whole) - cut_bytes])
    flight = read_flight(tmp_path / "flight.ulg", FRAME)
    assert flight.times_s == pytest.approx(UTC_S + np.arange(rows) / 5.0, abs=1e-5)
    assert np.isfinite(flight.enu_m).all()


def test_without_pyulog_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyulog", None)  # importing it fails now
    with pytest.raises(WrongFlightLog, match=r'expected it installed: pip install "sarhad\[ulog\]"'):
        read_flight(written(tmp_path, vehicle_gps_position=fixes()), FRAME)
