"""How a sensor's wrong mounting shifts tracks in space: one error, the same in every scan, that no averaging takes away.

The filter takes it for noise in gates and updates (`measurement.added_noise`) and so believes that it averages away; what is
told of a track, and what claims are compared with, therefore has it added once more, outside the filter. A sensor turned by
a small rotation θ shifts what it sees at d, with velocity v, by θ × d and θ × v, and, as a circle leaves its tangent, by
r |θ|² / 2 along the line of sight u, in square mean 2 (r m²)² for two angles of sigma m:

    P_told = P + m² G Gᵀ + 2 (r m²)² u uᵀ        G = -([d]×, [v]×)

Of several sensors that see a track it leans on the one best mounted, so the least of their errors is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion.measurement import IntArray
from fusion.types import FloatArray

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

LEANS_ON_NS = 1_000_000_000  # on sensors that saw it so long before its last detection


def mounting_covariance(table: TrackTable, rows: IntArray) -> FloatArray:
    """What the mounting adds to the covariance of these rows, shape (n, 6, 6), ENU; 0 for directions."""
    added = np.zeros((len(rows), 6, 6))
    mounting = table.mounting_rad
    if len(rows) == 0 or not mounting.any():
        return added
    sight = table.x[rows, None, :3] - table.stand_m
    slant_range = np.maximum(np.sqrt((sight**2).sum(axis=2)), 0.1)
    lately = table.seen_ns[rows] >= table.last_ns[rows, None] - LEANS_ON_NS
    best = np.where(lately, slant_range * mounting, np.inf).argmin(axis=1)
    d = sight[np.arange(len(rows)), best]
    m = mounting[best, None, None]
    G = np.concatenate([_cross(d), _cross(table.x[rows, 3:])], axis=1)
    added += m**2 * G @ G.transpose(0, 2, 1)
    added[:, :3, :3] += 2.0 * m**4 * d[:, :, None] * d[:, None, :]
    added[table.direction_of[rows] >= 0] = 0.0
    return added


def _cross(v: FloatArray) -> FloatArray:
    """[v]×, shape (n, 3, 3), of vectors (n, 3)."""
    x, y, z, nought = v[:, 0], v[:, 1], v[:, 2], np.zeros(len(v))
    rows = [nought, -z, y, z, nought, -x, -y, x, nought]
    return np.asarray(np.stack(rows, axis=1).reshape(-1, 3, 3))
