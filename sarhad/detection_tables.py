"""A table of detections as the JSON lines of a sensor of one's own (docs/own-sensor-json.md), for `sarhad convert`.

    time,azimuth_deg,elevation_deg,slant_range_m          in the sensor's own axes: azimuth from where it points
    time,latitude_deg,longitude_deg,height_m              WGS-84, turned into the sensor's axes by the site file

Beside them, each where it is known: range_rate_m_s, power_db, confidence, class. Rows of one time are one look; a row with
a time and nothing else is a look that found nothing.

    place ──▶ ENU less the sensor's position ──▶ body axes ──▶ azimuth, elevation, slant range, each with its known bias
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import msgspec

from firmware_interfaces.sensor_json import MAX_LINE_BYTES, DetectionLine, DetectionsLine
from fusion.frames import LocalFrame, body_to_level, enu_to_polar
from fusion.types import Geodetic, Sensor
from sarhad.flight_log import HEIGHT_NAMES, LATITUDE_NAMES, LONGITUDE_NAMES, TIME_NAMES
from sarhad.foreign_logs import Delivered, WrongLog
from sarhad.utc import utc_ns

NAMES = {
    "time": TIME_NAMES,
    "azimuth_deg": ("azimuth_deg", "azimuth"),
    "elevation_deg": ("elevation_deg", "elevation"),
    "slant_range_m": ("slant_range_m", "range_m", "range"),
    "latitude_deg": LATITUDE_NAMES,
    "longitude_deg": LONGITUDE_NAMES,
    "height_m": HEIGHT_NAMES,
    "range_rate_m_s": ("range_rate_m_s",),
    "power_db": ("power_db", "snr_db"),
    "confidence": ("confidence",),
    "class": ("class",),
}
PLACE = ("latitude_deg", "longitude_deg", "height_m")


def table_of(text: str, sensor: Sensor, frame: LocalFrame) -> list[Delivered]:
    """One line of the sensor for each look, in order of time. Raises WrongLog."""
    rows = rows_of(text)
    columns = columns_of(next(rows, (0, []))[1])
    seen: list[tuple[int, dict[str, Any] | None]] = []
    for number, row in rows:
        if any(cell.strip() for cell in row):
            cells = {name: row[at].strip() for name, at in columns.items() if at < len(row) and row[at].strip()}
            seen.append(seen_of(cells, sensor, frame, f"line {number}"))
    seen.sort(key=lambda each: each[0])
    delivered = []
    for number, (time_ns, group) in enumerate(groupby(seen, key=lambda each: each[0])):
        found = [detection for _, detection in group if detection is not None]
        line = line_of(number, found, time_ns)
        delivered.append(Delivered(time_ns, sensor.sensor_id, line))
    return delivered


def rows_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with its line's number. Raises WrongLog."""
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise WrongLog(f"line {rows.line_num}: {error}; expected CSV") from error


def columns_of(head: list[str]) -> dict[str, int]:
    """Where each column that is understood stands. Raises WrongLog where what is needed is missing."""
    there: dict[str, int] = {}
    for at, name in enumerate(head):
        there.setdefault(name.strip().lower(), at)
    columns = {what: there[name] for what, names in NAMES.items() for name in reversed(names) if name in there}
    if "time" not in columns:
        raise WrongLog(f"found columns {', '.join(there) or 'none'}; expected one for time: {', '.join(TIME_NAMES)}")
    unknown = [name for name, at in there.items() if at not in columns.values()]
    if unknown:
        raise WrongLog(f"found column {unknown[0]!r}; expected only {', '.join(NAMES)}")
    has_place = [name for name in PLACE if name in columns]
    if "azimuth_deg" in columns and not has_place:
        return columns
    if len(has_place) < len(PLACE) or "azimuth_deg" in columns:
        raise WrongLog(
            f"found columns {', '.join(there)}; expected azimuth_deg, or all of {', '.join(PLACE)}, not both"
        )
    return columns


def seen_of(
    cells: Mapping[str, str], sensor: Sensor, frame: LocalFrame, place: str
) -> tuple[int, dict[str, Any] | None]:
    """One row's time and detection; None where it found nothing. Raises WrongLog."""
    try:
        time_ns = utc_ns(cells.get("time", ""))
        told: dict[str, Any] = {
            name: text if name == "class" else float(text) for name, text in cells.items() if name != "time"
        }
    except ValueError as error:
        raise WrongLog(f"{place}: {error}; expected UTC and numbers") from error
    if not told:
        return time_ns, None
    if any(name in told for name in PLACE):
        if not all(name in told for name in PLACE):
            raise WrongLog(f"{place}: found {', '.join(cells)}; expected all of {', '.join(PLACE)}")
        point = Geodetic(*(told.pop(name) for name in PLACE))
        told |= seen_from(sensor, frame, point, place)
    try:
        msgspec.convert(told, DetectionLine)
    except msgspec.ValidationError as error:
        raise WrongLog(f"{place}: {error}") from error
    return time_ns, told


def seen_from(sensor: Sensor, frame: LocalFrame, point: Geodetic, place: str) -> dict[str, float]:
    """A place in the sensor's own axes. Raises WrongLog where it is none."""
    numbers = (point.latitude_deg, point.longitude_deg, point.height_m or 0.0)
    if not all(map(math.isfinite, numbers)) or abs(point.latitude_deg) > 90.0 or abs(point.longitude_deg) > 180.0:
        raise WrongLog(f"{place}: found {numbers}; expected latitude, longitude and height")
    vector = frame.geodetic_to_enu(point) - sensor.position_enu_m
    azimuth_rad, elevation_rad, slant_range_m = enu_to_polar(body_to_level(sensor.orientation).T @ vector)
    return {
        "azimuth_deg": round(math.degrees(azimuth_rad + sensor.azimuth_bias_rad), 6),
        "elevation_deg": round(math.degrees(elevation_rad), 6),
        "slant_range_m": round(slant_range_m + sensor.slant_range_bias_m, 3),
    }


def line_of(number: int, found: list[dict[str, Any]], time_ns: int) -> bytes:
    """The look as the sensor would have printed it. Raises WrongLog where it is too full."""
    told = {"kind": "detections", "number": number, "detections": found}
    try:
        msgspec.convert(told, DetectionsLine)
    except msgspec.ValidationError as error:
        raise WrongLog(f"the look at {time_ns / 1e9:.3f} s: {error}") from error
    line = msgspec.json.encode(told) + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise WrongLog(f"the look at {time_ns / 1e9:.3f} s: {len(line)} bytes; expected at most {MAX_LINE_BYTES}")
    return line
