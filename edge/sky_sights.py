"""Sun and stars as landmarks: where they stood in a camera's picture, and where in the sky at that time.

    time,x_px,y_px,azimuth_deg,elevation_deg
    2026-06-21T05:10:00Z,312,588,,                  the sun: its place is computed
    2026-06-21T20:40:00Z,954,402,271.83,18.42       a star, a planet, the moon: as a planetarium shows it, refracted

They are so far that it does not matter where in the post the camera stands. The sun's place is good to 0.01 deg above 5 deg of
elevation; nearer the horizon the air bends light by more than a formula knows.

Source of the sun's place: NOAA's solar equations after Meeus, Astronomical Algorithms, as `astral` has them.
"""

from __future__ import annotations

import csv
import math
from datetime import datetime, timezone
from pathlib import Path as FilePath

import numpy as np
from astral import Observer
from astral.sun import azimuth, elevation

from edge.alignment import CannotAlign, Pair, Path, Sight
from edge.alignment_sources import CLICK_SIGMA_PX, time_of
from edge.site_types import SensorEntry
from fusion.camera import pixel_to_direction
from fusion.frames import polar_to_enu
from fusion.types import Geodetic, Sensor

FIELDS = ("time", "x_px", "y_px")
FAR_M = 1e9  # so far that where in the post the camera stands turns nothing
LOWEST_DEG = 2.0  # below, refraction is a guess


def sky_pairs(entry: SensorEntry, origin: Geodetic, file: FilePath) -> list[Pair]:
    """The sights of a CSV file. Raises CannotAlign, OSError."""
    assert entry.lens is not None
    sigma_rad = CLICK_SIGMA_PX / entry.lens.focal_px[0]
    pairs = []
    try:
        with file.open(newline="", encoding="utf-8") as text:
            rows = csv.DictReader(text)
            if missing := [name for name in FIELDS if name not in (rows.fieldnames or ())]:
                raise CannotAlign(f"{file}: first line lacks {', '.join(missing)}; expected {', '.join(FIELDS)}")
            for number, row in enumerate(rows, start=2):
                try:
                    pairs.append(sky_pair(entry, origin, row, sigma_rad))
                except (TypeError, ValueError, OverflowError) as error:
                    raise CannotAlign(f"{file}: line {number}: {error}; expected time with zone, pixels") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CannotAlign(f"{file}: {error}; expected a CSV file in UTF-8") from error
    return pairs


def sky_pair(entry: SensorEntry, origin: Geodetic, row: dict[str, str], sigma_rad: float) -> Pair:
    """One line's sight. Raises TypeError, ValueError, OverflowError."""
    assert entry.lens is not None
    time_ns, pixel = time_of(row["time"]), (float(row["x_px"]), float(row["y_px"]))
    azimuth_deg, elevation_deg = told_or_sun(row, origin, time_ns)
    if not all(map(math.isfinite, (*pixel, azimuth_deg, elevation_deg))):
        raise ValueError("a number is not finite")
    if not (LOWEST_DEG <= elevation_deg <= 90.0 and -180.0 <= azimuth_deg <= 360.0):
        raise ValueError(
            f"it stood at azimuth {azimuth_deg:.1f} deg, {elevation_deg:.1f} deg high; expected {LOWEST_DEG:g} to 90 deg high"
        )
    x, y, z = pixel_to_direction(entry.lens, pixel)
    sight = Sight(0, math.atan2(x, y), sigma_rad, math.asin(max(-1.0, min(1.0, float(z)))), sigma_rad)
    return Pair(sight, far_away(entry.sensor, azimuth_deg, elevation_deg))


def told_or_sun(row: dict[str, str], origin: Geodetic, time_ns: int) -> tuple[float, float]:
    """Azimuth and elevation, deg: as the row tells, or else the sun's. Raises ValueError."""
    told = [row.get(name) or "" for name in ("azimuth_deg", "elevation_deg")]
    if all(told):
        return float(told[0]), float(told[1])
    if any(told):
        raise ValueError("azimuth_deg and elevation_deg: one is missing")
    return sun_deg(origin, time_ns)


def sun_deg(place: Geodetic, time_ns: int) -> tuple[float, float]:
    """Azimuth clockwise from north and apparent elevation of the sun, deg. Raises OverflowError, ValueError: no such year."""
    moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
    observer = Observer(place.latitude_deg, place.longitude_deg, place.height_m or 0.0)
    return azimuth(observer, moment), elevation(observer, moment, with_refraction=True)


def far_away(sensor: Sensor, azimuth_deg: float, elevation_deg: float) -> Path:
    """A point in that direction of the sky, standing still."""
    unit = polar_to_enu(math.radians(azimuth_deg), math.radians(elevation_deg), 1.0)
    return Path([0], np.array([np.array(sensor.position_enu_m) + FAR_M * unit]))
