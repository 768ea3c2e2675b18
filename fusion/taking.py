"""What a detection that a row takes leaves in the row's columns: its state, that it was seen, and how far it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion import existence
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray

if TYPE_CHECKING:
    from fusion.track_table import TrackTable


def take(
    table: TrackTable,
    number: int,
    time_ns: int,
    rows: IntArray,
    x: FloatArray,
    P: FloatArray,
    ratio: FloatArray,
    is_ranged: bool,
    is_report: bool,
) -> None:
    """These k rows take a detection each of a sensor: updated states (k, 6) and covariances (k, 6, 6), and Λ (k,).

    is_ranged: it tells where along the line of sight; is_report: the object itself says where it is."""
    believed = existence.bayes(table.existence[rows], ratio)
    if is_report:
        believed = np.where(_is_denied(table, rows), table.existence[rows], believed)
    table.existence[rows] = believed
    table.x[rows], table.P[rows], table.updated_x[rows] = x, P, x
    table.hits[rows] += 1
    if is_ranged:
        table.ranged_hits[rows] += 1
        table.silent[rows] = 0
    table.carried_ns[rows] = table.last_ns[rows] = time_ns
    table.last_sensor[rows] = number
    table.seen_ns[rows, number] = time_ns
    table.denied_log[rows, number] = 0.0


def _is_denied(table: TrackTable, rows: IntArray) -> BoolArray:
    """Rows of which a report tells no news, since a sensor that should see them does not.

    All reports of one transmitter are true together or made up together, so no number of them outweighs that. What is not
    yet believed is denied by one miss, what is, by as many as are no chance.
    """
    limit = np.where(table.is_confirmed[rows], existence.DENIED_LOG, 0.0)
    return np.asarray(table.denied_log[rows].min(axis=1) < limit)
