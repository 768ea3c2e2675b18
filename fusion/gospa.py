"""GOSPA and OSPA: the distance between a set of true points and a set of tracks, with its parts.

For a set of true points X and of tracks Y, with the best pairing γ among pairs nearer than the cut-off c:

    GOSPA^p = Σ_γ d^p + c^p/2 (missed + false)             (alpha = 2)
    OSPA^p  = (Σ_γ d^p + c^p (max(|X|,|Y|) - |γ|)) / max(|X|,|Y|)

Sources: Rahmathullah, García-Fernández, Svensson, Generalized optimal sub-pattern assignment metric (2017); Schuhmacher, Vo,
Vo (2008) for OSPA.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from fusion.assignment import assign
from fusion.measurement import IntArray
from fusion.types import FloatArray


@dataclass(frozen=True, slots=True)
class Gospa:
    """p-th powers of the parts, and the pairing: truth's and track's places, growing by group, with their distances."""

    localisation: float
    missed: float
    false: float
    truth: IntArray
    track: IntArray
    distance: FloatArray

    @property
    def total(self) -> float:
        """p-th power of the distance."""
        return self.localisation + self.missed + self.false


def pairing(
    truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0, kept: frozenset[tuple[int, int]] = frozenset()
) -> tuple[IntArray, IntArray, FloatArray]:
    """The GOSPA pairing of points (n, d) and (m, d): places and distances. `kept` pairs gain c^p more: continuity."""
    nothing = np.zeros(0, dtype=np.int64)
    if len(truth) == 0 or len(tracks) == 0:
        return nothing, nothing, np.zeros(0)
    near = cKDTree(truth).sparse_distance_matrix(cKDTree(tracks), c, output_type="ndarray")
    near = np.sort(near, order=["i", "j"])
    i, j, distance = near["i"].astype(np.int64), near["j"].astype(np.int64), near["v"]
    gain = c**p - distance**p
    if kept:
        gain = gain + np.array([c**p if pair in kept else 0.0 for pair in zip(i.tolist(), j.tolist(), strict=True)])
    chosen = assign(i, j, gain)
    return i[chosen], j[chosen], distance[chosen]


def gospa(truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0) -> Gospa:
    """GOSPA with alpha 2 of true points (n, d) and tracks (m, d)."""
    i, j, distance = pairing(truth, tracks, c, p)
    half = c**p / 2.0
    localisation = float((distance**p).sum())
    return Gospa(localisation, (len(truth) - len(i)) * half, (len(tracks) - len(i)) * half, i, j, distance)


def ospa(truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0) -> float:
    """OSPA distance of true points (n, d) and tracks (m, d); 0 where both are empty."""
    largest = max(len(truth), len(tracks))
    if largest == 0:
        return 0.0
    _, _, distance = pairing(truth, tracks, c, p)
    power = (float((distance**p).sum()) + (largest - len(distance)) * c**p) / largest
    return float(power ** (1.0 / p))
