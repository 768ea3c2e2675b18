"""One scan while it is worked in: its detections stacked by what they measure, its sensor, and what became of them so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from fusion import existence
from fusion.initiation import ObjectModel
from fusion.measurement import AZIMUTH, EAST, ELEVATION, SLANT_RANGE, IntArray, Plots, stack
from fusion.registration import Registration
from fusion.sensor_noise import SensorNoise
from fusion.track_table import TrackTable
from fusion.types import FloatArray, Scan, Sensor, TrackerSettings

MAX_DETECTIONS_PER_SCAN = 5000
Origins: TypeAlias = Callable[[str, int], Sequence[int]]  # (sensor_id, time_ns) -> true object of each detection, or -1


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays the same for all scans."""

    settings: TrackerSettings
    objects: ObjectModel
    q: FloatArray  # (3,) spectral density of the acceleration
    origins: Origins | None  # given: association is not decided here
    clock_errors_s: dict[str, float] = field(default_factory=dict)  # by sensor, where it is known

    def clock_error_s(self, sensor: Sensor) -> float:
        """How wrong the clock may be by which this sensor's times are told."""
        return self.clock_errors_s.get(sensor.sensor_id, self.settings.clock_error_s)


@dataclass(slots=True)
class ScanInHand:
    """One scan while it is worked in."""

    scan: Scan
    sensor: Sensor
    number: int  # the sensor's
    identity: str | None  # of a cooperative report that acts as a measurement
    rules: Rules
    plots: list[Plots]
    origin: IntArray | None  # of each detection, where it is given
    taken: dict[int, int] = field(default_factory=dict)  # detection → ENU row that took it
    perhaps_seen: dict[int, float] = field(default_factory=dict)  # row that was given none → chance that it was seen
    hidden: set[int] = field(default_factory=set)  # detections that begin tracks of objects that a crowd hides
    used: set[int] = field(default_factory=set)  # detections that begin nothing any more
    alarms: dict[tuple[int, ...], FloatArray] = field(default_factory=dict)  # by components: `alarm_density`
    is_silence_weighed: bool = False  # of joint hypotheses, by what they say of this scan's silence


def take_in_hand(
    scan: Scan,
    sensor: Sensor,
    number: int,
    identity: str | None,
    rules: Rules,
    registration: Registration,
    noise: SensorNoise,
) -> ScanInHand:
    """Stack the detections, what their sensor is known to be off by taken off and what it errs by more than it declares added
    to their noise; the most telling batches come first."""
    plots = sorted(stack(scan.detections, MAX_DETECTIONS_PER_SCAN), key=lambda batch: -len(batch.components))
    plots = [noise.widened(number, registration.corrected(number, batch)) for batch in plots]
    origin = None
    if rules.origins is not None:
        origin = np.array(rules.origins(scan.sensor_id, scan.time_ns), dtype=np.int64)
    return ScanInHand(scan, sensor, number, identity, rules, plots, origin)


def is_bearing(plots: Plots) -> bool:
    """Azimuth and elevation and no range."""
    return AZIMUTH in plots.components and ELEVATION in plots.components and SLANT_RANGE not in plots.components


def measures_range(plots: Plots) -> bool:
    """Slant range or position: it tells where along the line of sight."""
    return SLANT_RANGE in plots.components or EAST in plots.components


def learns_detection(table: TrackTable, hand: ScanInHand) -> bool:
    """Whether every scan's silence counts: where several misses count as one, hits would outweigh them."""
    known = hand.sensor.detection_probability is not None and bool(hand.scan.looked) and hand.origin is None
    return known and table.interval_s[hand.number] * 1e9 >= existence.misses_hang_ns(hand.sensor)
