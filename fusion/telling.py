"""The arithmetic of what is told of rows, of all at once: whether they are news, their classes, how unsure they are.

Which words come of it, `publication.py` tells. A row as its last update left it is packed into nine numbers of 8 bytes: when
it was last detected, how often, as seen by which sensor, and its state, bit by bit. They change with every detection that is
worked in, and with nothing else; beside them the table keeps the status and the time that were told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion import classification, silence, true_size, true_speed
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.mounting_error import mounting_covariance
from fusion.types import FloatArray

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

COUNTED, SEEN = 3, 9  # numbers of 8 bytes; a table's `told` holds all, then status and time
DROPPED = 3  # as `lifetimes.statuses` counts
REPUBLISH_NS = 950_000_000  # ticks tell of a moving track about once a second


def news(
    table: TrackTable, rows: IntArray, statuses: IntArray, time_ns: int, is_tick: bool
) -> tuple[IntArray, BoolArray, IntArray]:
    """These k rows packed (k, 9); which of them are surely news, (k,); and the places of others that may be.

    Surely, since this table told of them as living and they have been detected since; perhaps, since they differ in whatever
    digit from what was last told of them, or that was a while ago."""
    packed, told = pack(table, rows), table.told[rows]
    lives = (told[:, SEEN] != 0) & (told[:, SEEN] != DROPPED)
    surely = lives & (packed[:, :COUNTED] != told[:, :COUNTED]).any(axis=1)
    asked = (packed != told[:, :SEEN]).any(axis=1) | (statuses != told[:, SEEN])
    if is_tick:
        asked |= time_ns - told[:, SEEN + 1] >= REPUBLISH_NS
    return packed, surely, (asked & ~surely).nonzero()[0]


def pack(table: TrackTable, rows: IntArray) -> IntArray:
    """These rows packed, shape (k, 9)."""
    packed = np.empty((len(rows), SEEN), dtype=np.int64)
    packed[:, 0], packed[:, 1], packed[:, 2] = table.last_ns[rows], table.hits[rows], table.direction_of[rows]
    packed[:, COUNTED:] = table.updated_x[rows].view(np.int64)
    return packed


def classes(table: TrackTable, rows: IntArray) -> FloatArray:
    """Class probabilities of these rows, shape (k, classes), by votes, size, speed, and the silence of others."""
    voted = classification.by_all_votes(table.class_log[rows], table.linked_log[rows])
    log = voted + true_size.log_likelihood(table, rows) + true_speed.log_likelihood(table, rows)
    return silence.doubted(classification.probabilities(log), table, rows)


def widened(table: TrackTable, rows: IntArray, P: FloatArray) -> FloatArray:
    """Covariances (k, 6, 6) of these rows, with what their sensors' mountings and what is left unknown of biases add."""
    registration = table.registration
    return P + mounting_covariance(table, rows) + registration.told_covariance(table.leaning[rows])
