"""Which rows of the table may be one object twice: those that stand close by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion import direction
from fusion.association import near_pairs
from fusion.measurement import AZIMUTH, ELEVATION, IntArray, residual

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

BELIEVED = 0.5  # existence from which a row is held against others
DUPLICATE_WITHIN_M = 60.0
DUPLICATE_WITHIN_RAD = 0.05


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
