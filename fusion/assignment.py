"""Who takes what: the pairs with the highest total score, no row and no column twice.

A pair's score is the log of what it makes likelier: the track was detected and this is its detection, against the track was
missed and this is a false alarm. The global nearest neighbour problem falls apart into groups of tracks and detections
that share gates; each is solved exactly. Rows and columns stand in an order that depends on their numbers alone, so ties
fall the same way whatever order the sensor reported in.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), section 6.4.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fusion.measurement import IntArray
from fusion.types import FloatArray

SMALL_PROBLEM = 2500  # rows × columns that are solved at once: finding their groups would take longer


def assign(row: IntArray, column: IntArray, score: FloatArray) -> IntArray:
    """Which of k pairs to choose so that no row or column is used twice and the sum of scores is highest.

    Scores below a hair count as a hair: a pair within its gate is never worse than none. Returns places, growing.
    """
    if len(row) == 0:
        return np.zeros(0, dtype=np.int64)
    is_alone = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1)
    if is_alone.all():
        return np.arange(len(row), dtype=np.int64)
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
    meeting = np.flatnonzero(~is_alone)
    order = meeting[np.argsort(group[row[meeting]], kind="stable")]
    edges = np.flatnonzero(np.diff(group[row[order]])) + 1
    chosen = np.flatnonzero(is_alone).tolist()
    for members in np.split(order, edges):
        chosen.extend(_assign_group(row[members], column[members], gain[members], members))
    return np.array(sorted(chosen), dtype=np.int64)


def _assign_group(row: IntArray, column: IntArray, gain: FloatArray, members: IntArray) -> list[int]:
    rows, i = np.unique(row, return_inverse=True)
    columns, j = np.unique(column, return_inverse=True)
    gains = np.zeros((len(rows), len(columns)))
    place = np.full(gains.shape, -1, dtype=np.int64)
    gains[i, j], place[i, j] = gain, members
    best_i, best_j = linear_sum_assignment(gains, maximize=True)
    return [int(value) for value in place[best_i, best_j] if value >= 0]
