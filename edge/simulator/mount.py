"""Where an object stands as a mounted sensor sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge.simulator.world import Sighting
from fusion.frames import body_to_level
from fusion.types import Coverage, FloatArray, Orientation, Sensor


@dataclass(frozen=True, slots=True)
class Seen:
    """An object in the sensor's body frame: x right, y forward, z up."""

    azimuth_rad: float  # from the boresight, positive to the right
    elevation_rad: float  # from the plane of x and y
    slant_range_m: float
    range_rate_m_s: float  # positive = receding


class Mount:
    """A sensor's true place and turn. `crooked` is what the site file does not know of."""

    def __init__(self, sensor: Sensor, crooked: Orientation | None = None) -> None:
        turn = sensor.orientation
        if crooked is not None:
            turn = Orientation(
                turn.heading_rad + crooked.heading_rad,
                turn.pitch_rad + crooked.pitch_rad,
                turn.roll_rad + crooked.roll_rad,
            )
        self.position_enu_m = np.asarray(sensor.position_enu_m)
        self._enu_to_body = body_to_level(turn).T @ np.asarray(sensor.level_to_enu).reshape(3, 3).T

    def to_body(self, position_enu_m: FloatArray) -> FloatArray:
        """Body coordinates, m, shape (3,)."""
        return np.asarray(self._enu_to_body @ (position_enu_m - self.position_enu_m))

    def see(self, sighting: Sighting) -> Seen:
        right, forward, up = (float(v) for v in self.to_body(sighting.position_enu_m))
        away_m = math.sqrt(right * right + forward * forward + up * up)
        line = (sighting.position_enu_m - self.position_enu_m) / max(away_m, 1e-6)
        return Seen(
            math.atan2(right, forward),
            math.atan2(up, math.hypot(right, forward)),
            away_m,
            float(line @ sighting.velocity_enu_m_s),
        )


def covers(coverage: Coverage, seen: Seen) -> bool:
    return all(
        low <= value <= high
        for value, (low, high) in (
            (seen.azimuth_rad, coverage.azimuth_rad),
            (seen.elevation_rad, coverage.elevation_rad),
            (seen.slant_range_m, coverage.slant_range_m),
        )
    )
