"""Which detections may belong to which track: the gates.

    z within the gate of h(x): (z - h)ᵀ S⁻¹ (z - h) ≤ the chi-square quantile

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), section 6.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaincinv

from fusion.existence import BoolArray
from fusion.filters import innovation_covariance, squared_distance
from fusion.frames import wrap_angle
from fusion.measurement import AZIMUTH, NEAREST_M, IntArray, Plots, residual, rotation_of, stand_of
from fusion.types import FloatArray, Sensor

SMALL_TABLE = 10_000  # rows × plots that are compared at once
FEW_POINTS = 60  # whose distances are all looked at: a tree would take longer


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections whose gates hold them: k pairs of one batch of plots."""

    row: IntArray  # (k,) the track's row
    plot: IntArray  # (k,) the detection's row in its Plots
    y: FloatArray  # (k, d)
    H: FloatArray  # (k, d, 6)
    R: FloatArray  # (k, d, d), with what the mounting and the clock add
    S: FloatArray  # (k, d, d), of the innovations
    nis: FloatArray  # (k,)
    log_likelihood: FloatArray  # (k,)

    def chosen(self, kept: IntArray) -> Pairs:
        """Only these pairs, whose places grow."""
        return self if len(kept) == len(self.row) else self.at(kept)

    def of_rows(self, row: IntArray) -> Pairs:
        """The same pairs, of other rows."""
        return Pairs(row, self.plot, self.y, self.H, self.R, self.S, self.nis, self.log_likelihood)

    def at(self, places: IntArray) -> Pairs:
        """The pairs at these places, in their order."""
        return Pairs(
            self.row[places],
            self.plot[places],
            self.y[places],
            self.H[places],
            self.R[places],
            self.S[places],
            self.nis[places],
            self.log_likelihood[places],
        )

    def between(self, begin: int, end: int) -> Pairs:
        """The pairs from one place to another, as views."""
        return Pairs(*(getattr(self, name)[begin:end] for name in NAMES))


NAMES = tuple(field.name for field in fields(Pairs))


def concatenated(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of parts that have the same components, one part after the other."""
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))


@lru_cache(maxsize=256)
def gate_threshold(probability: float, components: int) -> float:
    """The chi-square quantile: the normalised innovation squared that this share of true detections stays below."""
    return float(2.0 * gammaincinv(components / 2.0, probability))


def gated_pairs(
    rows: IntArray, P: FloatArray, h: FloatArray, H: FloatArray, added: FloatArray, plots: Plots, gate: float
) -> Pairs:
    """All pairs of these rows and plots within the gate; P, h, H, added belong to the rows, shapes (n, ...)."""
    base = innovation_covariance(P, H, added)
    reach = np.sqrt(gate * (np.diagonal(base, axis1=1, axis2=2) + plots.R.diagonal(axis1=1, axis2=2).max(axis=0)))
    i, j = within_reach(h, reach, plots.z, plots.components)
    y, S = residual(plots.z[j], h[i], plots.components), base[i] + plots.R[j]
    nis, log_determinant = squared_distance(y, S)
    inside = (nis <= gate).nonzero()[0]
    if len(inside) < len(i):
        i, j, y, S = i[inside], j[inside], y[inside], S[inside]
        nis, log_determinant = nis[inside], log_determinant[inside]
    log_likelihood = -0.5 * (nis + log_determinant + y.shape[1] * math.log(2.0 * math.pi))
    return Pairs(rows[i], j, y, H[i], added[i] + plots.R[j], S, nis, log_likelihood)


def in_sight(
    x: FloatArray, P: FloatArray, sensor: Sensor, plots: Plots, clock_error_s: float, gate: float
) -> BoolArray:
    """Which ENU states (n, 6) may have a plot, whose first component is an azimuth, within their gate.

    The azimuth's gradient is no longer than 1 / g, g over the ground, so its variance is at most tr P / g² of the place; what
    the sensor's place and the clock add is bounded alike.
    """
    d = (x[:, :3] - stand_of(sensor)) @ rotation_of(sensor)
    g = np.maximum(np.hypot(d[:, 0], d[:, 1]), NEAREST_M)
    moved = sensor.position_sigma_m**2 + (clock_error_s * x[:, 3:]) ** 2
    variance = (P[:, range(3), range(3)] + moved).sum(axis=1) / g**2 + sensor.mounting_sigma_rad**2
    reach = np.sqrt(1.001 * gate * (variance + plots.R[:, 0, 0].max()))
    azimuth = np.sort(plots.z[:, 0])
    around = np.concatenate([azimuth - 2.0 * math.pi, azimuth, azimuth + 2.0 * math.pi])
    middle = np.arctan2(d[:, 0], d[:, 1])
    return np.asarray(np.searchsorted(around, middle - reach) < np.searchsorted(around, middle + reach, side="right"))


def within_reach(
    h: FloatArray, reach: FloatArray, z: FloatArray, components: tuple[int, ...]
) -> tuple[IntArray, IntArray]:
    """Places of h (n, d) and z (m, d) that no component sets farther apart than its reach (n, d), in growing order.

    Many against many are first taken by windows of the component that tells most, in its order; then one by one.
    """
    if len(h) * len(z) <= SMALL_TABLE:
        i, j = np.nonzero((np.abs(residual(z, h[:, None], components)) <= reach[:, None]).all(axis=2))
        return i, j
    telling = np.argsort(np.median(reach, axis=0) / np.maximum(np.ptp(z, axis=0), 1e-9))
    first = int(telling[0])
    i, j = _windows(h[:, first], reach[:, first], z[:, first], components[first] == AZIMUTH)
    for column in telling[1:].tolist():
        apart = z[j, column] - h[i, column]
        near = np.abs(wrap_angle(apart) if components[column] == AZIMUTH else apart) <= reach[i, column]
        i, j = i[near], j[near]
    order = np.lexsort((j, i))
    return i[order], j[order]


def _windows(middle: FloatArray, reach: FloatArray, z: FloatArray, is_angle: bool) -> tuple[IntArray, IntArray]:
    """Places of all middles (n,) and values (m,) that are no farther apart than each middle's reach."""
    place = np.argsort(z, kind="stable")
    value = z[place]
    if is_angle:  # once around in both ways, so that no window ends at ±π
        reach = np.minimum(reach, np.nextafter(math.pi, 0.0))
        value, place = np.concatenate([value - 2.0 * math.pi, value, value + 2.0 * math.pi]), np.tile(place, 3)
    first, last = np.searchsorted(value, middle - reach), np.searchsorted(value, middle + reach, side="right")
    count = last - first
    i = np.repeat(np.arange(len(middle)), count)
    return i, place[np.arange(len(i)) + np.repeat(first - np.cumsum(count) + count, count)]


def near_pairs(points: FloatArray, distance: float) -> IntArray:
    """Places (k, 2) of those points (n, 3) that are no farther apart, the lower place first, in whatever order."""
    if len(points) > FEW_POINTS:
        return np.asarray(cKDTree(points).query_pairs(distance, output_type="ndarray"))
    square = ((points[:, None] - points) ** 2).sum(axis=2)
    one, two = np.nonzero(square <= distance**2)
    return np.stack([one, two], axis=1)[one < two]


def unambiguous(row: IntArray, column: IntArray) -> IntArray:
    """Places of the pairs whose row and column have no other pair."""
    if len(row) == 0:
        return np.zeros(0, dtype=np.int64)
    alone = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1)
    return np.flatnonzero(alone).astype(np.int64)
