"""Which rows of the table may be one object twice: those that stand close by, and are equal within their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion import direction
from fusion.association import gate_threshold, near_pairs
from fusion.existence import BoolArray
from fusion.measurement import AZIMUTH, ELEVATION, IntArray, residual
from fusion.types import FloatArray

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

BELIEVED = 0.5  # existence from which a row is held against others
DUPLICATE_WITHIN_M = 60.0
DUPLICATE_WITHIN_RAD = 0.05
BEARING_AND_RATE = np.array([0, 1, 3, 4])  # of a direction's state
DUPLICATE_PROBABILITY = 0.5  # states nearer than half of all equal pairs would be


def near_rows(table: TrackTable) -> IntArray:
    """Pairs (k, 2) of believed rows that may be one: close in space, or directions of one mount; in whatever order."""
    rows = ((table.existence >= BELIEVED) & (table.origin < 0)).nonzero()[0]
    in_space = rows[table.direction_of[rows] < 0]
    pairs: list[IntArray] = [np.zeros((0, 2), dtype=np.int64)]
    if len(in_space) > 1:
        pairs.append(in_space[near_pairs(table.x[in_space, :3], DUPLICATE_WITHIN_M)])
    towards = rows[table.direction_of[rows] >= 0]
    if len(towards) > 1:
        apart = np.abs(residual(table.x[towards, None, :2], table.x[None, towards, :2], (AZIMUTH, ELEVATION))).max(
            axis=2
        )
        of, range_m = table.direction_of[towards], np.exp(direction.bounded(table.x[towards, 2]))
        place_m = table.stand_m[of]
        apart -= np.linalg.norm(place_m[:, None] - place_m, axis=2) / np.minimum(range_m[:, None], range_m)  # parallax
        apart[table.mount[of][:, None] != table.mount[of]] = np.inf
        pairs.append(towards[np.argwhere(np.triu(apart < DUPLICATE_WITHIN_RAD, 1))])
    return np.concatenate(pairs)


def are_equal(table: TrackTable, pairs: IntArray) -> BoolArray:
    """Which pairs (k, 2) have states that half of all equal pairs would be farther apart than."""
    equal = np.zeros(len(pairs), dtype=bool)
    in_space = table.direction_of[pairs[:, 0]] < 0
    for of, compared in ((in_space, np.arange(6)), (~in_space, BEARING_AND_RATE)):  # a direction's range tells nothing
        one, two = pairs[of].T
        if len(one) == 0:
            continue
        components = (AZIMUTH,) if compared is BEARING_AND_RATE else ()
        apart = residual(table.x[one][:, compared], table.x[two][:, compared], components)
        S = (table.P[one] + table.P[two])[:, compared[:, None], compared]
        for k in np.flatnonzero(table.direction_of[one] != table.direction_of[two]).tolist():
            seen, added = _beside(table, int(one[k]), int(two[k]))
            apart[k, :2], S[k, :2, :2] = residual(table.x[one[k], :2], seen, (AZIMUTH, ELEVATION)), S[k, :2, :2] + added
        distance = (apart * np.linalg.solve(S, apart[:, :, None])[:, :, 0]).sum(axis=1)
        equal[of] = distance < gate_threshold(DUPLICATE_PROBABILITY, len(compared))
    return equal


def _beside(table: TrackTable, one: int, two: int) -> tuple[FloatArray, FloatArray]:
    """The second row's bearing (2,) as the first row's camera on the same mount would see it, and what that adds to S."""
    by, of = table.sensors[table.direction_of[one]], table.sensors[table.direction_of[two]]
    h, _, added = direction.seen_beside(table.x[two : two + 1], table.P[two : two + 1], of, by)
    return h[0], added[0]
