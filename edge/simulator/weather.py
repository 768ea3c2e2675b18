"""What hour and weather do to sensors.

    rain, cameras    sight falls to 12 km · R^−0.67 at R mm/h                 Atlas 1953
    rain, radar      0.86 · R^0.77 dB/km on each way at 60 GHz                ITU-R P.838-3
                     and drops themselves give points near the radar          our own assumption, not measured
    hour             how well a detector does by visible light and by heat    our own assumption, not measured
    wind             moves trees, masts, insects and hovering drones

Sources: Atlas, J. Meteor. 10 (1953), 486; Recommendation ITU-R P.838-3 (2005), table 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.site_keys import Key

SCENE_KEYS = (
    Key("light", "text", "hour of the day", "day", choices=("day", "dusk", "night")),
    Key("cloudiness", "number", "0 clear, 1 overcast", 0.4, at_least=0.0, at_most=1.0),
    Key("visibility_m", "number", "where contrast has fallen to 5 %, without the rain", 8000.0, above=10.0),
    Key("rain_mm_h", "number", "how hard it rains", 0.0, at_least=0.0, at_most=200.0),
    Key("wind_m_s", "number", "mean wind", 3.0, at_least=0.0, at_most=50.0),
    Key("wind_from_deg", "number", "where it comes from, clockwise from north", 270.0, at_least=0.0, at_most=360.0),
)
RAIN_POINTS_PER_MM_H = 0.05  # of drops within RAIN_REACH_M, in one radar frame
RAIN_REACH_M = 40.0
FOG_M = 1000.0  # visibility below which it is called fog (WMO)
CALM_M_S = 3.0  # the wind at which the given amplitudes of sway and gusts hold
# share of its daylight detection probability that a detector keeps: (visible, infrared)
KEPT_BY_LIGHT = {"day": (1.0, 0.9), "dusk": (0.6, 1.0), "night": (0.02, 1.0)}


@dataclass(frozen=True, slots=True)
class Scene:
    light: str
    cloudiness: float
    visibility_m: float
    rain_mm_h: float = 0.0
    wind_m_s: float = CALM_M_S
    wind_from_deg: float = 270.0

    @property
    def sight_m(self) -> float:
        """Where contrast has fallen to 5 %, in the rain as it is."""
        if self.rain_mm_h <= 0.0:
            return self.visibility_m
        return min(self.visibility_m, 12_000.0 * self.rain_mm_h**-0.67)

    @property
    def weather(self) -> str:
        """In one word, as trial reports tell conditions apart."""
        if self.rain_mm_h > 0.0:
            return "rain"
        return "fog" if self.visibility_m < FOG_M else "dry"

    @property
    def radar_loss_db_per_m(self) -> float:
        """Both ways."""
        return 0.0 if self.rain_mm_h <= 0.0 else 2 * 0.86 * self.rain_mm_h**0.77 / 1000.0

    @property
    def rain_points(self) -> float:
        """Mean count in one radar frame."""
        return RAIN_POINTS_PER_MM_H * self.rain_mm_h

    @property
    def wind_enu_m_s(self) -> tuple[float, float, float]:
        toward_rad = math.radians(self.wind_from_deg + 180.0)
        return self.wind_m_s * math.sin(toward_rad), self.wind_m_s * math.cos(toward_rad), 0.0

    @property
    def gusts(self) -> float:
        """Amplitudes of sway and gusts, against those at CALM_M_S."""
        return self.wind_m_s / CALM_M_S

    def kept(self, is_infrared: bool) -> float:
        """Share of its daylight detection probability that a detector keeps."""
        return KEPT_BY_LIGHT[self.light][is_infrared]

    def contrast(self, away_m: Any) -> Any:
        """What is left of a thing's contrast (Koschmieder); a number or an array."""
        return np.exp(math.log(0.05) * away_m / self.sight_m)
