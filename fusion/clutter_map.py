"""Where a sensor's false alarms lie: rain is thick near by, surf lies along the shore, a mast glints in one place for ever.

What began a track and came to nothing is kept for some minutes: its measurement z_k and how often it was seen, n_k, fading
with its age as f_k. The density of false alarms at a new detection z is what the sensor's rate spreads over all it looks at,
and more where such things lie. How wide a neighbourhood tells it is left to them: with V_ρ the volume, in sigmas of the
detection's own noise, of the ball of radius ρ about z, and S the scans of that time,

    λ(z) = λ_everywhere + max over ρ of ( Σ n_k f_k - 0.9 of the largest ) N(range rate) / (S V_ρ)

        ·   ·                    one neighbourhood is wide and holds some      (rain)
      ·   z   ·      : z :       the other as narrow as the noise allows       (a mast)
        ·   ·

The sum is over those in the ball; the range rate's density is the normal one of theirs. One thing that came to nothing may be
chance and counts a tenth; the second beside it counts fully. What is confirmed is never kept, so an object does not stand in
its own way.

Source: Silverman, Density Estimation for Statistics and Data Analysis (1986), 5.1, for widths that vary; Mušicki, Evans,
Clutter map information for data association and track initialization (2004), for its use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from fusion.association import within_reach
from fusion.measurement import RANGE_RATE, IntArray, Plots, residual
from fusion.types import FloatArray

FADE_S = 300.0
LEAST_SCANS_S = 5.0  # so long a sensor counts as having looked when it starts
CHANCE = 0.9  # of the largest: one thing alone says little of a place
MOST_KEPT = 400  # of a sensor, the youngest
RADII = (2.0, 3.0, 4.5, 7.0, 11.0)  # sigmas; two sights of one thing lie within the first
USUAL_SPEED_M_S, USUAL_COUNT = 5.0, 2.0  # range rates of false alarms, as if so many of that sigma had been seen
UNIT_BALL = {1: 2.0, 2: math.pi, 3: 4.0 * math.pi / 3.0}

Thickest: TypeAlias = Callable[[Plots, FloatArray, FloatArray], FloatArray]  # `thickest`
Birth: TypeAlias = tuple[int, tuple[int, ...], tuple[float, ...]]  # the sensor's number, components, values


class ClutterMap:
    """Of each sensor and each set of components: values (k, d), times and counts of what came to nothing."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, tuple[int, ...]], tuple[FloatArray, IntArray, FloatArray]] = {}
        self._since_ns: dict[tuple[int, tuple[int, ...]], int] = {}  # what came to nothing since then is known

    def copy(self) -> ClutterMap:
        """An independent copy: the arrays are never changed, only replaced."""
        other = ClutterMap()
        other._kept, other._since_ns = dict(self._kept), dict(self._since_ns)
        return other

    def note(self, came_to_nothing: Sequence[tuple[Birth, float]], time_ns: int) -> None:
        """Tracks that began so, and were seen so often, came to nothing."""
        of_batch: dict[tuple[int, tuple[int, ...]], list[tuple[tuple[float, ...], float]]] = {}
        for (number, components, values), seen in came_to_nothing:
            of_batch.setdefault((number, components), []).append((values, seen))
        for of, noted in of_batch.items():
            z, counts = np.array([values for values, _ in noted]), np.array([seen for _, seen in noted])
            at_ns: IntArray = np.full(len(noted), time_ns, dtype=np.int64)
            if of in self._kept:
                before = self._kept[of]
                z = np.concatenate([before[0], z])
                at_ns, counts = np.concatenate([before[1], at_ns]), np.concatenate([before[2], counts])
            if len(z) > MOST_KEPT:
                self._since_ns[of] = int(at_ns[-MOST_KEPT - 1])
            self._kept[of] = z[-MOST_KEPT:], at_ns[-MOST_KEPT:], counts[-MOST_KEPT:]

    def density(
        self,
        number: int,
        plots: Plots,
        time_ns: int,
        first_ns: int,
        interval_s: float,
        found_by: Thickest | None = None,
    ) -> FloatArray:
        """What places add to the density of false alarms a scan, shape (m,).

        first_ns: the sensor's first scan; interval_s: between its scans."""
        of = number, plots.components
        kept = self._kept.get(of)
        if kept is None or len(plots.z) == 0:
            return np.zeros(len(plots.z))
        weight = kept[2] * np.exp((kept[1] - time_ns) / 1e9 / FADE_S)
        found = (found_by or thickest)(plots, kept[0], weight)
        looked_s = (time_ns - max(first_ns, self._since_ns.get(of, first_ns))) / 1e9
        scans = (FADE_S * (1.0 - math.exp(-looked_s / FADE_S)) + LEAST_SCANS_S) / max(interval_s, 1e-3)
        return np.asarray(found / scans)


def thickest(plots: Plots, kept: FloatArray, weight: FloatArray) -> FloatArray:
    """The largest, shape (m,), of what neighbourhoods of all radii tell, times S; kept (k, d) with weights n f, (k,)."""
    place = tuple(k for k, component in enumerate(plots.components) if component != RANGE_RATE)
    components = tuple(plots.components[k] for k in place)
    z, of_z = plots.z[:, place], kept[:, place]
    variance = np.diagonal(plots.R, axis1=1, axis2=2)
    i, k = within_reach(z, RADII[-1] * np.sqrt(variance[:, place]), of_z, components)
    found = np.zeros(len(z))
    if len(i) == 0:
        return found
    distance = (residual(z[i], of_z[k], components) ** 2 / variance[i][:, place]).sum(axis=1)
    weight = weight[k]
    ball = UNIT_BALL[len(place)] * np.sqrt(variance[:, place].prod(axis=1))
    for radius in RADII:
        inside = (distance <= radius**2).nonzero()[0]
        count, largest = np.bincount(i[inside], weight[inside], len(z)), np.zeros(len(z))
        np.maximum.at(largest, i[inside], weight[inside])
        thick = (count - CHANCE * largest) / (ball * radius ** len(place))
        if RANGE_RATE in plots.components:
            rate = plots.components.index(RANGE_RATE)
            speeds = i[inside], kept[k[inside], rate], weight[inside]
            thick *= _speed_density(plots.z[:, rate], variance[:, rate], *speeds)
        found = np.maximum(found, thick)
    return found


def _speed_density(
    speed: FloatArray, variance: FloatArray, place: IntArray, of: FloatArray, weight: FloatArray
) -> FloatArray:
    """Density (m,) of range rates (m,), by those of their neighbours, shapes (k,), and what is usual; place: whose each is."""
    total = np.bincount(place, weight, len(speed)) + USUAL_COUNT
    mean = np.bincount(place, weight * of, len(speed)) / total
    squares = np.bincount(place, weight * of**2, len(speed)) + USUAL_COUNT * USUAL_SPEED_M_S**2
    spread = squares / total - mean**2 + variance
    return np.asarray(np.exp(-0.5 * (speed - mean) ** 2 / spread) / np.sqrt(2.0 * math.pi * spread))
