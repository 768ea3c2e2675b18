"""Which detection belongs to which track: gates, then the assignment with the highest total likelihood.

A pair's score is the log of what it makes likelier: the track was detected and this is its detection, against the track was
missed and this is a false alarm. The global nearest neighbour problem falls apart into groups of tracks and detections
that share gates; each is solved exactly. Rows and columns stand in an order that depends on their numbers alone, so ties
fall the same way whatever order the sensor reported in.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), sections 6.3 and 6.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaincinv

from fusion.filters import innovation_covariance, squared_distance
from fusion.measurement import IntArray, Plots, residual
from fusion.types import FloatArray

SMALL_PROBLEM = 2500  # rows × columns that are solved at once: finding their groups would take longer


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


def assign(row: IntArray, column: IntArray, score: FloatArray) -> IntArray:
    """Which of k pairs to choose so that no row or column is used twice and the sum of scores is highest.

    Scores below a hair count as a hair: a pair within its gate is never worse than none. Returns places, growing.
    """
    if len(row) == 0:
        return np.zeros(0, dtype=np.int64)
    gain = np.maximum(score, 1e-6)
    _, row = np.unique(row, return_inverse=True)
    _, column = np.unique(column, return_inverse=True)
    size = int(row.max()) + 1
    if size * (int(column.max()) + 1) <= SMALL_PROBLEM:
        return np.array(sorted(_assign_group(row, column, gain, np.arange(len(row)))), dtype=np.int64)
    count = size + int(column.max()) + 1
    _, group = connected_components(
        coo_matrix((np.ones(len(row)), (row, column + size)), (count, count)), directed=False
    )
    order = np.argsort(group[row], kind="stable")
    edges = np.flatnonzero(np.diff(group[row][order])) + 1
    chosen: list[int] = []
    for members in np.split(order, edges):
        chosen.extend(_assign_group(row[members], column[members], gain[members], members))
    return np.array(sorted(chosen), dtype=np.int64)


def _assign_group(row: IntArray, column: IntArray, gain: FloatArray, members: IntArray) -> list[int]:
    if len(members) == 1:
        return [int(members[0])]
    rows, i = np.unique(row, return_inverse=True)
    columns, j = np.unique(column, return_inverse=True)
    gains = np.zeros((len(rows), len(columns)))
    place = np.full(gains.shape, -1, dtype=np.int64)
    gains[i, j], place[i, j] = gain, members
    best_i, best_j = linear_sum_assignment(gains, maximize=True)
    return [int(value) for value in place[best_i, best_j] if value >= 0]


def unambiguous(row: IntArray, column: IntArray) -> IntArray:
    """Places of the pairs whose row and column have no other pair."""
    if len(row) == 0:
        return np.zeros(0, dtype=np.int64)
    alone = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1)
    return np.flatnonzero(alone).astype(np.int64)
