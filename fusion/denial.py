"""Claims that nothing bears out: a sensor looks where a transmitter says that it is, again and again, and sees nothing there.

With p the chance that the sensor detects what stands there and g the gate's probability, silence of n looks weighs

    ln Π (1 - p g)          looks within the time over which misses hang together count as one

against a detection anywhere near, of whatever track or of none, that ends it. Only a sensor of known detection probability
that sees by night as by day may deny, and only what it should see well above the ground: behind a hill, a tree or in the
clutter of the ground an honest drone may be hidden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fusion import existence
from fusion.association import gate_threshold
from fusion.measurement import Plots, expected, residual
from fusion.types import FloatArray, Scan, Sensor

DENIED_LOG = math.log(0.001)  # of the silence, were the claim true
DENIED_NS = 3_000_000_000  # and so long it must have lasted: an airframe may hide in a fade
LOWEST_RAD = math.radians(3.0)  # above the sensor's horizon; below, the ground may hide what is there
LEAST_PROBABILITY = 0.5  # a sensor that would miss it more often than not denies nothing
GATE_PROBABILITY = 0.99


@dataclass(slots=True)
class Denial:
    """How long, and how surely, nothing was seen where one transmitter says that it is."""

    since_ns: int | None = None
    last_ns: int = 0
    log: float = 0.0
    counted_ns: dict[str, int] = field(default_factory=dict)  # by sensor: when its last miss was counted

    def seen(self) -> None:
        self.since_ns, self.log = None, 0.0
        self.counted_ns.clear()

    def missed(self, sensor: Sensor, time_ns: int, probability: float) -> None:
        if time_ns - self.counted_ns.get(sensor.sensor_id, -(2**62)) < existence.misses_hang_ns(sensor):
            return
        self.since_ns = time_ns if self.since_ns is None else self.since_ns
        self.counted_ns[sensor.sensor_id] = self.last_ns = time_ns
        self.log += math.log(1.0 - min(probability, 0.99) * GATE_PROBABILITY)

    def is_proven(self) -> bool:
        return self.since_ns is not None and self.last_ns - self.since_ns >= DENIED_NS and self.log < DENIED_LOG


def may_deny(scan: Scan, sensor: Sensor) -> bool:
    """Whether this scan's silence can say anything of a claim."""
    return bool(scan.looked) and sensor.detection_probability is not None and existence.sees_at_night(sensor)


def weigh(
    denials: Sequence[Denial], x: FloatArray, P: FloatArray, scan: Scan, sensor: Sensor, plots: Sequence[Plots]
) -> None:
    """Hold one scan against claimed states x (n, 6), ENU, with covariances P (n, 6, 6), in the order of the denials."""
    seen = np.zeros(len(x), dtype=bool)
    for batch in plots:
        seen |= _near(x, P, sensor, batch)
    sigma_m = np.sqrt(np.linalg.eigvalsh(P[:, :3, :3])[:, -1])
    away_m = x[:, :3] - np.array(sensor.position_enu_m)
    is_high = np.arctan2(away_m[:, 2], np.hypot(away_m[:, 0], away_m[:, 1])) > LOWEST_RAD
    probability = existence.detection_probability(sensor, np.linalg.norm(away_m, axis=1))
    turned = np.full(len(x), sensor.mounting_sigma_rad)
    should = existence.looked_at(sensor, scan.looked or (), x[:, :3], sigma_m, turned) & is_high
    should &= np.nan_to_num(probability) >= LEAST_PROBABILITY
    for denial, is_seen, should_see, p in zip(denials, seen, should, probability, strict=True):
        if is_seen:
            denial.seen()
        elif should_see:
            denial.missed(sensor, scan.time_ns, float(p))


def _near(x: FloatArray, P: FloatArray, sensor: Sensor, plots: Plots) -> existence.BoolArray:
    """Which claimed states have a detection of this batch in their gate, shape (n,)."""
    h, H = expected(x, sensor, plots.components)
    S = (H @ P @ H.transpose(0, 2, 1))[:, None] + plots.R[None]
    y = residual(plots.z[None], h[:, None], plots.components)
    distance = (y * np.linalg.solve(S, y[..., None])[..., 0]).sum(axis=-1)
    return np.asarray((distance < gate_threshold(GATE_PROBABILITY, len(plots.components))).any(axis=1))
