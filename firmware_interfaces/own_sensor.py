"""What a sensor of one's own may say, whichever way it says it: detections of one look, a presence, its own state.

    sensor_json.py     JSON lines            ┐
    sensor_binary.py   COBS and CRC-16       ├──▶ Detections | Presence | Status ──▶ facts, with the site file's mounting
    mapping.py         lines or registers    ┘

Angles are degrees in the sensor's own axes: azimuth from its boresight, positive to the right; elevation from its
horizontal plane, positive upwards. Errors, mounting and coverage are the site file's. Unknown is left out, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_interfaces.mounting import Mounting
from firmware_interfaces.scan_times import ScanTimes
from fusion import types
from fusion.types import Detection, Fact, Reading, Sensor

LEVELS = ("ok", "warning", "fault")
CLASSES = ("unknown", "drone", "bird", "airplane", "helicopter")
MAX_DETECTIONS = 64  # of one look
MAX_TEXT = 64
FARTHEST_M = 100_000.0
FASTEST_M_S = 1000.0
FIRST_PERIOD_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a look found; None: not measured."""

    azimuth_deg: float
    elevation_deg: float | None = None
    slant_range_m: float | None = None
    range_rate_m_s: float | None = None  # positive = receding
    power_db: float | None = None
    confidence: float = 0.5
    kind: str = "unknown"  # one of CLASSES


@dataclass(frozen=True, slots=True)
class Detections:
    """One look; nothing found is worth telling, too."""

    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """Something is there, nobody knows where."""

    kind: str
    text: str = ""
    power_dbm: float | None = None
    frequency_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How the sensor is."""

    level: str
    text: str = ""


Said = Detections | Presence | Status


class Facts:
    """What was said, as facts of one sensor."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._mounting = Mounting(sensor) if sensor.accuracy.azimuth_rad is not None else None
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._unplaced = 0

    def of(self, said: Sequence[tuple[Said, int | None]], reading: Reading) -> list[Fact]:
        """The facts of one reading's messages, each with its own number where it has one."""
        looks = [number for message, number in said if isinstance(message, Detections)]
        times_ns = iter(self._times.of(looks, reading.received_ns))
        now_ns = reading.received_ns - self._sensor.latency_ns
        return [
            self._scan(message, next(times_ns)) if isinstance(message, Detections) else self._other(message, now_ns)
            for message, _ in said
        ]

    def diagnosis(self) -> str | None:
        """What the site file lacks."""
        if self._unplaced == 0:
            return None
        return f"{self._unplaced} detections are not used: the site file states no accuracy.azimuth_deg for this sensor"

    def _other(self, said: Presence | Status, time_ns: int) -> Fact:
        if isinstance(said, Status):
            return types.Status(self._sensor.sensor_id, time_ns, said.level, said.text)
        return types.Presence(
            self._sensor.sensor_id, time_ns, said.kind, said.power_dbm, said.frequency_hz, said.text or said.kind
        )

    def _scan(self, look: Detections, time_ns: int) -> types.Scan:
        if self._mounting is None:
            self._unplaced += len(look.found)
            return types.Scan(self._sensor.sensor_id, time_ns, None, ())
        detections = tuple(self._detection(found, self._mounting) for found in look.found)
        return types.Scan(self._sensor.sensor_id, time_ns, self._mounting.looked(), detections)

    @staticmethod
    def _detection(found: Found, mounting: Mounting) -> Detection:
        (polar,) = mounting.level_all(
            np.radians([found.azimuth_deg]),
            np.radians([found.elevation_deg or 0.0]),
            None if found.slant_range_m is None else np.array([found.slant_range_m]),
            None if found.range_rate_m_s is None else np.array([found.range_rate_m_s]),
        )
        if found.elevation_deg is None:
            polar = types.Polar(
                polar.azimuth_rad,
                polar.azimuth_sigma_rad,
                slant_range_m=polar.slant_range_m,
                slant_range_sigma_m=polar.slant_range_sigma_m,
                range_rate_m_s=polar.range_rate_m_s,
                range_rate_sigma_m_s=polar.range_rate_sigma_m_s,
            )
        classes = () if found.kind == "unknown" else ((found.kind, found.confidence),)
        return Detection(polar, found.confidence, classes, power_db=found.power_db)


def wrong(found: Found) -> str | None:
    """The field that cannot be, in words; None: all can be."""
    limits: tuple[tuple[str, float | None, float, float], ...] = (
        ("azimuth_deg", found.azimuth_deg, -180.0, 360.0),
        ("elevation_deg", found.elevation_deg, -90.0, 90.0),
        ("slant_range_m", found.slant_range_m, 0.0, FARTHEST_M),
        ("range_rate_m_s", found.range_rate_m_s, -FASTEST_M_S, FASTEST_M_S),
        ("power_db", found.power_db, -400.0, 400.0),
        ("confidence", found.confidence, 0.0, 1.0),
    )
    for name, value, low, high in limits:
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            return f"{name} is {value:g}, expected {low:g} to {high:g}"
    if found.slant_range_m == 0.0:
        return "slant_range_m is 0, expected more, or nothing where it is not measured"
    return None
