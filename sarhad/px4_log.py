"""PX4's flight log (ULog) as fixes of the drone: UTC, latitude, longitude, height.

    vehicle_global_position   the autopilot's own estimate      timestamp (since boot)
    vehicle_gps_position      its receiver's fixes              timestamp (since boot), time_utc_usec

    UTC = time since boot + median of (time_utc_usec less timestamp) over the receiver's 3D fixes

The estimate is taken where the log has it, else the receiver's fixes. Heights above the ellipsoid are taken where the log has
them apart from those above the sea; some receivers do not tell them, and PX4 then logs 0 or the other height again.

Source: PX4 message definitions VehicleGlobalPosition, SensorGps (fields of 1.8 to 1.16); ULog file format, read by pyulog.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion.types import FloatArray

ESTIMATE, RECEIVER = "vehicle_global_position", "vehicle_gps_position"
FIX_3D = 3  # fix_type: 0 and 1 none, 2 flat, 3 and more with height
EARLIEST_UTC_US = 10**15  # of September 2001; a receiver that does not know the time tells 0, or its own count
LEAST_APART_M = 0.01  # two heights that never differ by more are one height told twice
DEG_OF_UNIT, M_OF_UNIT = 1e-7, 1e-3  # of whole numbers, before PX4 1.14

Topic = dict[str, Any]  # field -> its values, (n,)


class WrongUlog(Exception):
    """What is wrong with a log; its name is the caller's."""


@dataclass(frozen=True, slots=True)
class DroneFixes:
    """Fixes (n, 4): UTC s, latitude and longitude in deg, height in m, above the ellipsoid or the sea."""

    topic: str
    values: FloatArray
    above_ellipsoid: bool


def fixes_of(path: Path) -> DroneFixes:
    """A log's fixes. Raises WrongUlog, also where pyulog is not installed, and OSError."""
    topics = topics_of(path)
    receiver = topics.get(RECEIVER)
    if receiver is None:
        raise WrongUlog(f"has no {RECEIVER}; expected it, since it tells UTC")
    after_boot_us = utc_after_boot_us(receiver)
    if ESTIMATE in topics:
        topic, fixes = ESTIMATE, estimated(topics[ESTIMATE])
    else:
        topic, fixes = RECEIVER, received(receiver)
    times_us, latitudes, longitudes, above_sea, above_ellipsoid = fixes
    has_ellipsoid = is_told(above_ellipsoid, above_sea)
    heights = above_ellipsoid if has_ellipsoid else above_sea
    values = np.stack([(times_us + after_boot_us) / 1e6, latitudes, longitudes, heights], axis=1)
    return DroneFixes(topic, values, has_ellipsoid)


def topics_of(path: Path) -> dict[str, Topic]:
    """The two topics' fields, of their first instances."""
    try:
        from pyulog import ULog
    except ImportError as error:
        raise WrongUlog('a PX4 log is read by pyulog; expected it installed: pip install "sarhad[ulog]"') from error
    with path.open("rb") as file:
        try:
            log = ULog(file, [ESTIMATE, RECEIVER])
        except Exception as error:  # whatever a broken file makes of formats and lengths
            raise WrongUlog(f"{type(error).__name__}: {error}; expected a ULog file") from error
    return {found.name: found.data for found in reversed(log.data_list)}


def sampled_us(topic: Topic) -> FloatArray:
    """When each value was true, since boot, us; of logs that do not say, when it was told."""
    told = np.asarray(topic["timestamp"], float)
    sampled = np.asarray(topic.get("timestamp_sample", told), float)
    return np.where(sampled > 0.0, sampled, told)


def has_fix(receiver: Topic) -> Any:
    return np.asarray(field(receiver, RECEIVER, "fix_type")) >= FIX_3D


def utc_after_boot_us(receiver: Topic) -> float:
    utc_us = np.asarray(field(receiver, RECEIVER, "time_utc_usec"), float)
    known = has_fix(receiver) & (utc_us > EARLIEST_UTC_US)
    if not known.any():
        raise WrongUlog(f"{RECEIVER} tells no UTC with a 3D fix; expected a flight under the open sky")
    return float(np.median((utc_us - sampled_us(receiver))[known]))


Columns = tuple[
    FloatArray, FloatArray, FloatArray, FloatArray, FloatArray
]  # us, deg, deg, m above sea, m above ellipsoid


def estimated(topic: Topic) -> Columns:
    """Where the autopilot thought itself to be, without what it only reckoned on from an earlier place."""
    values = [np.asarray(field(topic, ESTIMATE, name), float) for name in ("lat", "lon", "alt")]
    ellipsoid = np.asarray(topic.get("alt_ellipsoid", values[2]), float)
    sure = np.ones(len(values[0]), bool)
    for name, good in (("dead_reckoning", 0), ("lat_lon_valid", 1), ("alt_valid", 1)):
        if name in topic:
            sure &= np.asarray(topic[name]) == good
    return sampled_us(topic)[sure], values[0][sure], values[1][sure], values[2][sure], ellipsoid[sure]


def received(topic: Topic) -> Columns:
    """The receiver's 3D fixes; PX4 1.14 changed whole numbers into degrees and metres."""
    if "latitude_deg" in topic:
        names, units = ("latitude_deg", "longitude_deg", "altitude_msl_m", "altitude_ellipsoid_m"), (1.0, 1.0, 1.0, 1.0)
    else:
        names, units = ("lat", "lon", "alt", "alt_ellipsoid"), (DEG_OF_UNIT, DEG_OF_UNIT, M_OF_UNIT, M_OF_UNIT)
    fixed = has_fix(topic)
    columns = [
        np.asarray(field(topic, RECEIVER, name), float)[fixed] * unit for name, unit in zip(names, units, strict=True)
    ]
    return sampled_us(topic)[fixed], columns[0], columns[1], columns[2], columns[3]


def field(topic: Topic, name: str, wanted: str) -> Any:
    """Raises WrongUlog where a topic lacks it."""
    if wanted not in topic:
        raise WrongUlog(f"{name} has {', '.join(sorted(topic))}; expected {wanted}")
    return topic[wanted]


def is_told(above_ellipsoid: FloatArray, above_sea: FloatArray) -> bool:
    """Whether heights above the ellipsoid are heights of their own."""
    known = np.isfinite(above_ellipsoid) & (above_ellipsoid != 0.0)
    return bool(known.size) and bool(known.all()) and bool((np.abs(above_ellipsoid - above_sea) > LEAST_APART_M).any())
