"""Which detections may belong to which track: the gates.

    z within the gate of h(x): (z - h)ᵀ S⁻¹ (z - h) ≤ the chi-square quantile

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), section 6.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from fusion.filters import innovation_covariance, squared_distance
from fusion.measurement import IntArray, Plots, residual
from fusion.types import FloatArray


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections whose gates hold them: k pairs of one batch of plots."""

    row: IntArray  # (k,) the track's row
    plot: IntArray  # (k,) the detection's row in its Plots
    y: FloatArray  # (k, d)
    H: FloatArray  # (k, d, 6)
    R: FloatArray  # (k, d, d), with what the mounting and the clock add
    nis: FloatArray  # (k,)
    log_likelihood: FloatArray  # (k,)

    def chosen(self, kept: IntArray) -> Pairs:
        """Only these pairs."""
        return Pairs(
            self.row[kept],
            self.plot[kept],
            self.y[kept],
            self.H[kept],
            self.R[kept],
            self.nis[kept],
            self.log_likelihood[kept],
        )


def gate_threshold(probability: float, components: int) -> float:
    """The chi-square quantile: the normalised innovation squared that this share of true detections stays below."""
    return float(2.0 * gammaincinv(components / 2.0, probability))


def gated_pairs(
    rows: IntArray, P: FloatArray, h: FloatArray, H: FloatArray, added: FloatArray, plots: Plots, gate: float
) -> Pairs:
    """All pairs of these rows and plots within the gate; P, h, H, added belong to the rows, shapes (n, ...)."""
    base = innovation_covariance(P, H, added)
    reach = np.sqrt(gate * (np.diagonal(base, axis1=1, axis2=2) + plots.R.diagonal(axis1=1, axis2=2).max(axis=0)))
    near = np.ones((len(rows), len(plots.z)), dtype=bool)
    for column, component in enumerate(plots.components):
        apart = residual(plots.z[None, :, column, None], h[:, column, None, None], (component,))[..., 0]
        near &= np.abs(apart) <= reach[:, column, None]
    i, j = np.nonzero(near)
    y = residual(plots.z[j], h[i], plots.components)
    nis, log_determinant = squared_distance(y, base[i] + plots.R[j])
    log_likelihood = -0.5 * (nis + log_determinant + y.shape[1] * math.log(2.0 * math.pi))
    pairs = Pairs(rows[i], j, y, H[i], added[i] + plots.R[j], nis, log_likelihood)
    return pairs.chosen(np.flatnonzero(nis <= gate))


def unambiguous(row: IntArray, column: IntArray) -> IntArray:
    """Places of the pairs whose row and column have no other pair."""
    if len(row) == 0:
        return np.zeros(0, dtype=np.int64)
    alone = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1)
    return np.flatnonzero(alone).astype(np.int64)
