"""In what light and weather a flight was: what its truth file says, else by where the sun stood.

    day    the sun above the horizon          rain, fog, dry    as somebody noted
    dusk   at most 6° below it                unknown           nobody noted it
    night  lower

Source of the sun's place: Astronomical Almanac, low precision formulas, section C5 (0.01° between 1950 and 2050).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

LIGHTS = ("day", "dusk", "night")
WEATHERS = ("dry", "rain", "fog")
UNKNOWN = "unknown"
DUSK_DEG = -6.0  # civil twilight
J2000_S = 946_728_000.0  # 2000-01-01T12:00:00Z


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of one flight."""

    light: str = UNKNOWN
    weather: str = UNKNOWN

    @property
    def words(self) -> str:
        return f"{self.light}, {self.weather}"


EVERY = tuple(Conditions(light, weather) for weather in WEATHERS for light in LIGHTS)


def conditions_in(header: dict[str, Any]) -> Conditions:
    """As the first line of a truth file tells them. Raises ValueError."""
    told = header.get("conditions", {})
    if not isinstance(told, dict):
        raise ValueError(f"conditions is {told!r}; expected a table with light and weather")
    for key, known in (("light", LIGHTS), ("weather", WEATHERS)):
        if told.get(key, UNKNOWN) not in (*known, UNKNOWN):
            raise ValueError(f"conditions.{key} is {told[key]!r}; expected one of {', '.join(known)} or {UNKNOWN}")
    return Conditions(told.get("light", UNKNOWN), told.get("weather", UNKNOWN))


def light_at(time_s: float, latitude_deg: float, longitude_deg: float) -> str:
    """Day, dusk or night at a UTC time and a place."""
    elevation_deg = sun_elevation_deg(time_s, latitude_deg, longitude_deg)
    return "day" if elevation_deg > 0.0 else "dusk" if elevation_deg > DUSK_DEG else "night"


def sun_elevation_deg(time_s: float, latitude_deg: float, longitude_deg: float) -> float:
    """Of the sun's middle, without refraction."""
    days = (time_s - J2000_S) / 86_400.0
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 4e-7 * days)
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    right_ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    sidereal = math.radians(280.46062 + 360.98564737 * days + longitude_deg)
    latitude = math.radians(latitude_deg)
    return math.degrees(
        math.asin(
            math.sin(latitude) * math.sin(declination)
            + math.cos(latitude) * math.cos(declination) * math.cos(sidereal - right_ascension)
        )
    )
