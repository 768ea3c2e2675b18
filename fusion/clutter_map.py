"""Where a sensor's false alarms stick: a buoy, a mast, a tree line show themselves in the same place again and again.

What began a track and came to nothing is kept for some minutes: its measurement z_k, its noise and how often it was seen, n_k.
The density of false alarms at a new detection z is what the sensor's rate spreads over all it looks at, and more where such
things lie (a kernel estimate, f fading with their age, S the scans of that time):

    λ(z) = λ_everywhere + ( Σ n_k f_k N(z; z_k, 2 R) - 0.9 of the largest term ) / S

One thing that came to nothing may be chance and counts a tenth; the second in its place counts fully. What is confirmed is
never kept, so an object does not stand in its own way.

Source: Silverman, Density Estimation for Statistics and Data Analysis (1986), 2.4 and 4.2, with the noise as the width.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from fusion.association import within_reach
from fusion.measurement import IntArray, Plots, residual
from fusion.types import FloatArray

FADE_S = 120.0
LEAST_SCANS_S = 10.0  # so long a sensor counts as having looked when it starts
CHANCE = 0.9  # of the largest term: one thing alone says little of a place
MOST_KEPT = 256  # of a sensor, the youngest; more of them are spread everywhere
NOTHING = 120.0  # a kernel at this squared distance is exp(-60) of its height
MOST_OVER_EVERYWHERE = 300.0  # what hovers and is seldom seen must still become a track

Birth: TypeAlias = tuple[int, tuple[int, ...], tuple[float, ...]]  # the sensor's number, components, values


class ClutterMap:
    """Of each sensor and each set of components: values (k, d), times and counts of what came to nothing."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, tuple[int, ...]], tuple[FloatArray, IntArray, FloatArray]] = {}

    def copy(self) -> ClutterMap:
        """An independent copy: the arrays are never changed, only replaced."""
        other = ClutterMap()
        other._kept = dict(self._kept)
        return other

    def note(self, born: Birth, seen: float, time_ns: int) -> None:
        """A track that began so, and was seen so often, came to nothing."""
        number, components, values = born
        z, at_ns, counts = np.array([values]), np.array([time_ns], dtype=np.int64), np.array([seen])
        if (number, components) in self._kept:
            before = self._kept[number, components]
            z = np.concatenate([before[0][1 - MOST_KEPT :], z])
            at_ns = np.concatenate([before[1][1 - MOST_KEPT :], at_ns])
            counts = np.concatenate([before[2][1 - MOST_KEPT :], counts])
        self._kept[number, components] = z, at_ns, counts

    def density(self, number: int, plots: Plots, time_ns: int, interval_s: float) -> FloatArray:
        """What places add to the density of false alarms a scan, shape (m,); interval_s: between the sensor's scans."""
        kept = self._kept.get((number, plots.components))
        if kept is None or len(plots.z) == 0:
            return np.zeros(len(plots.z))
        z, at_ns, seen = kept
        weight = seen * np.exp((at_ns - time_ns) / 1e9 / FADE_S)
        variance = 2.0 * np.diagonal(plots.R, axis1=1, axis2=2)
        i, k = within_reach(plots.z, np.sqrt(NOTHING * variance), z, plots.components)
        distance = (residual(plots.z[i], z[k], plots.components) ** 2 / variance[i]).sum(axis=1)
        norm = np.sqrt((2.0 * math.pi * variance).prod(axis=1))
        terms = weight[k] * np.exp(-0.5 * distance) / norm[i]
        largest = np.zeros(len(plots.z))
        np.maximum.at(largest, i, terms)
        scans = (FADE_S + LEAST_SCANS_S) / max(interval_s, 1e-3)
        return np.asarray(np.maximum(np.bincount(i, terms, len(plots.z)) - CHANCE * largest, 0.0) / scans)
