"""Who takes what: the pairs with the highest total score, no row and no column twice.

A pair's score is the log of what it makes likelier: the track was detected and this is its detection, against the track was
missed and this is a false alarm. The global nearest neighbour problem falls apart into groups of tracks and detections
that share gates; each is solved exactly and apart, so that a tie falls as it would without the others. Rows and columns
stand in an order that depends on their numbers alone, so ties fall the same way whatever order the sensor reported in.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), section 6.4.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment

from fusion.measurement import IntArray
from fusion.types import FloatArray

FEW_PAIRS = 40  # so many are grouped sooner one by one than as arrays


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
    meeting = np.flatnonzero(~is_alone)
    chosen = np.flatnonzero(is_alone).tolist()
    for members in groups(row[meeting], column[meeting]):
        chosen.extend(_assign_group(row, column, gain, meeting[members]))
    return np.array(sorted(chosen), dtype=np.int64)


def groups(row: IntArray, column: IntArray) -> Iterable[IntArray]:
    """Places of the pairs that hang together by their rows and columns."""
    if len(row) > FEW_PAIRS:
        group = connected(row, column)
        order = np.argsort(group, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    groups: list[tuple[set[int], set[int], list[int]]] = []
    for place, (one, other) in enumerate(zip(row.tolist(), column.tolist(), strict=True)):
        joined = ({one}, {other}, [place])
        apart = []
        for found in groups:
            if one in found[0] or other in found[1]:
                joined = (joined[0] | found[0], joined[1] | found[1], found[2] + joined[2])
            else:
                apart.append(found)
        groups = [*apart, joined]
    return (np.array(sorted(places), dtype=np.int64) for _, _, places in groups)


def connected(row: IntArray, column: IntArray) -> IntArray:
    """The group of each of k pairs, shape (k,), that hang together by their rows and columns: its least row, counted from
    the least of all. Every row takes the least group among its neighbours until none changes."""
    i, j = row - row.min(), column - column.min()
    group = np.arange(int(i.max()) + 1)
    while True:
        of_column = np.full(int(j.max()) + 1, len(group))
        np.minimum.at(of_column, j, group[i])
        least = group.copy()
        np.minimum.at(least, i, of_column[j])
        least = least[least]  # a group that has joined another takes its own along
        if (least == group).all():
            return np.asarray(group[i])
        group = least


def _assign_group(row: IntArray, column: IntArray, gain: FloatArray, members: IntArray) -> list[int]:
    rows, i = _numbered(row[members].tolist())
    columns, j = _numbered(column[members].tolist())
    gains = np.zeros((rows, columns))
    place = np.full(gains.shape, -1, dtype=np.int64)
    gains[i, j], place[i, j] = gain[members], members
    best_i, best_j = linear_sum_assignment(gains, maximize=True)
    return [int(value) for value in place[best_i, best_j] if value >= 0]


def _numbered(values: list[int]) -> tuple[int, list[int]]:
    """How many differ, and the place of each among them, in their order; groups are small."""
    place = {value: k for k, value in enumerate(sorted(set(values)))}
    return len(place), [place[value] for value in values]
