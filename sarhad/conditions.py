"""In what light and weather a flight was: what its truth file says, else by where the sun stood.

    day    the sun above the horizon          rain, fog, dry    as somebody noted
    dusk   at most 6° below it                unknown           nobody noted it
    night  lower

The sun's place is that of `astral` (NOAA's equations after Meeus).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from astral import Observer
from astral.sun import elevation

LIGHTS = ("day", "dusk", "night")
WEATHERS = ("dry", "rain", "fog")
UNKNOWN = "unknown"
DUSK_DEG = -6.0  # civil twilight


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
    moment = datetime.fromtimestamp(time_s, timezone.utc)
    return elevation(Observer(latitude_deg, longitude_deg), moment, with_refraction=False)
