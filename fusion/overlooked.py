"""Which rows a scan looked at and did not see: those whose miss counts, of all rows at once.

A miss counts where the row surely lay in what was looked at (`existence.counted_misses`), where the sensor's last miss of it
is long enough ago, and where no other post sees it still.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fusion import direction, existence
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray, Look, Sensor

OTHERS_SEE_NS = 5_000_000_000  # what another post has seen so lately it still sees
TENTATIVE_MISSES_HANG_NS = 200_000_000  # what is not yet believed must show itself in most frames


def overlooked(
    x: FloatArray,
    P: FloatArray,
    direction_of: IntArray,
    is_confirmed: BoolArray,
    seen_ns: IntArray,
    missed_ns: IntArray,
    other_post: BoolArray,
    sensor: Sensor,
    number: int,
    time_ns: int,
    looks: Sequence[Look],
) -> tuple[IntArray, FloatArray]:
    """Rows whose silence in this scan of this sensor means something, and its detection probability there, shapes (k,).

    Of all n rows: states, and when each sensor saw and missed each, shapes (n, sensors); other_post (sensors,)."""
    hang_ns = np.where(is_confirmed, existence.misses_hang_ns(sensor), TENTATIVE_MISSES_HANG_NS)
    may = (direction_of < 0) | (direction_of == number)
    may &= seen_ns[:, number] != time_ns
    may &= time_ns - missed_ns[:, number] >= hang_ns
    rows = may.nonzero()[0]
    if other_post.any():
        rows = rows[~_is_outvoted(seen_ns[rows], missed_ns[rows], other_post, time_ns)]
    if len(rows) == 0:
        return rows, np.zeros(0)
    place_m, sigma_m = x[rows, :3], np.sqrt(existence.largest_variance(P[rows]))
    own = direction_of[rows] == number
    if own.any():  # a direction is unsure along its ray, not across
        of_own, own_P = x[rows[own]], P[rows[own]]
        place_m[own] = direction.place_of(of_own, sensor)
        sigma_m[own] = np.sqrt(own_P[:, 0, 0] + own_P[:, 1, 1]) * np.exp(direction.bounded(of_own[:, 2]))
    probability = existence.counted_misses(
        sensor,
        time_ns,
        place_m,
        sigma_m,
        np.where(own, 0.0, sensor.mounting_sigma_rad),
        looks,
        seen_ns[rows, number],
        missed_ns[rows, number],
        hang_ns[rows],
    )
    counted = probability > 0.0
    return rows[counted], probability[counted]


def _is_outvoted(seen_ns: IntArray, missed_ns: IntArray, other_post: BoolArray, time_ns: int) -> BoolArray:
    """Which of k rows another post sees, and saw no more since a miss of this scan's post was counted, shape (k,).

    So between two detections of others a post's silence counts once, however many and however quick its sensors are: one that
    only says that it looks everywhere ends nobody's tracks."""
    others_seen_ns = seen_ns[:, other_post].max(axis=1)
    missed_ns = missed_ns[:, ~other_post].max(axis=1)
    return np.asarray((others_seen_ns > time_ns - OTHERS_SEE_NS) & (missed_ns >= others_seen_ns))
