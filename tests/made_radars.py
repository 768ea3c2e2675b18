"""A post of one radar, for tests of what the center makes of its detections."""

from __future__ import annotations

import math

import numpy as np

from fusion.frames import LocalFrame, enu_to_polar
from fusion.scan_messages import MeasuredMessage, ScanMessage, ScansMessage, SensorDescription, SensorsMessage
from fusion.types import Geodetic
from fusion.wire import rfc3339

REACH_M = 1_600.0
AZIMUTH_DEG, ELEVATION_DEG, RANGE_M = 0.2, 0.2, 2.0  # 1-sigma


class PlayedPost:
    """A radar that sees all within its reach, once half a second."""

    def __init__(self, name: str, place: Geodetic, seed: int = 1) -> None:
        self.name, self.place, self.level = name, place, LocalFrame(place)
        self.random = np.random.default_rng(seed)

    def sensors(self, **fields: object) -> SensorsMessage:
        at = (self.place.latitude_deg, self.place.longitude_deg, self.place.height_m)
        radar = SensorDescription(
            *("radar", *at, 0.0, 0.0, 0.0),
            azimuth_sigma_deg=AZIMUTH_DEG,
            elevation_sigma_deg=ELEVATION_DEG,
            slant_range_sigma_m=RANGE_M,
            azimuth_deg=(-180.0, 180.0),
            elevation_deg=(-10.0, 90.0),
            slant_range_m=(5.0, REACH_M),
            **{"detection_probability": 0.95, "false_alarms_per_scan": 0.1, **fields},
        )
        return SensorsMessage(1, self.name, "run", rfc3339(0), *at, (radar,))

    def looks(self, time_ns: int, *points: Geodetic, noise: float = 1.0) -> ScansMessage:
        found = []
        for point in points:
            azimuth, elevation, range_m = enu_to_polar(self.level.geodetic_to_enu(point))
            if range_m < REACH_M:
                off = noise * self.random.normal(size=3)
                found.append(
                    MeasuredMessage(
                        *(float(math.degrees(azimuth) + AZIMUTH_DEG * off[0]), AZIMUTH_DEG),
                        *(float(math.degrees(elevation) + ELEVATION_DEG * off[1]), ELEVATION_DEG),
                        *(float(range_m + RANGE_M * off[2]), RANGE_M),
                    )
                )
        scan = ScanMessage("radar", rfc3339(time_ns), tuple(found), looked_everywhere=True)
        return ScansMessage(1, self.name, "run", rfc3339(time_ns), (scan,))
