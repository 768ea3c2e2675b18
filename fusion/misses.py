"""What a scan's silence does to the tracks that are there, and what its sensor's misses and false alarms teach of it.

    r' = Λ r / (1 - r + Λ r),  Λ = 1 - p g        only for rows that were surely looked at (`existence.counted_misses`)

Every counted miss, and every detection that no track explains, tells how far the sensor is from what it declares
(`sensor_rates.py`).
"""

from __future__ import annotations

import numpy as np

from fusion import direction, existence
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.scan_in_hand import ScanInHand, learns_detection
from fusion.track_table import TrackTable

OTHERS_SEE_NS = 5_000_000_000  # what another post has seen so lately it still sees
TENTATIVE_MISSES_HANG_NS = 200_000_000  # what is not yet believed must show itself in most frames


def count(table: TrackTable, hand: ScanInHand) -> None:
    """Silence lowers existence where it means something."""
    looks = hand.scan.looked
    if not looks or len(table) == 0 or hand.sensor.detection_probability is None:
        return
    hang_ns = np.where(table.is_confirmed, existence.misses_hang_ns(hand.sensor), TENTATIVE_MISSES_HANG_NS)
    may = (table.direction_of < 0) | (table.direction_of == hand.number)
    may &= table.seen_ns[:, hand.number] != hand.scan.time_ns
    may &= hand.scan.time_ns - table.missed_ns[:, hand.number] >= hang_ns
    rows = may.nonzero()[0]
    rows = rows[~_is_outvoted(table, hand, rows)]
    if len(rows) == 0:
        return
    place_m = table.x[rows, :3]
    sigma_m = np.sqrt(table.kernels.largest_variance(table.P[rows]))
    own = table.direction_of[rows] == hand.number
    if own.any():  # a direction is unsure along its ray, not across
        s, P = table.x[rows[own]], table.P[rows[own]]
        place_m[own] = direction.place_of(s, hand.sensor)
        sigma_m[own] = np.sqrt(P[:, 0, 0] + P[:, 1, 1]) * np.exp(direction.bounded(s[:, 2]))
    probability = existence.counted_misses(
        hand.sensor,
        hand.scan.time_ns,
        place_m,
        sigma_m,
        np.where(own, 0.0, hand.sensor.mounting_sigma_rad),
        looks,
        table.seen_ns[rows, hand.number],
        table.missed_ns[rows, hand.number],
        hang_ns[rows],
        table.kernels.looked_at,
    )
    counted = probability > 0.0
    rows, probability = rows[counted], probability[counted]
    if len(rows) == 0:
        return
    expected_share, probability = probability, table.learned.probability(hand.number, probability)
    ratio = 1.0 - probability * hand.rules.settings.gate_probability
    r = existence.bayes(table.existence[rows], ratio)
    if hand.perhaps_seen:
        seen = np.array([hand.perhaps_seen.get(row, 0.0) for row in rows.tolist()])
        r = np.minimum(seen + (1.0 - seen) * r, existence.HIGHEST_EXISTENCE)
    table.existence[rows] = r
    table.missed_ns[rows, hand.number] = hand.scan.time_ns
    table.denied_log[rows, hand.number] += np.log(np.maximum(1.0 - probability, 1e-3))
    if learns_detection(table, hand):
        surely = table.is_confirmed[rows]
        if hand.perhaps_seen:
            surely &= np.array([row not in hand.perhaps_seen for row in rows.tolist()], dtype=bool)
        table.learned.note_misses(hand.number, expected_share, table.existence[rows] * surely)
    if hand.sensor.accuracy.slant_range_m is not None:
        table.silent[rows] += 1


def _is_outvoted(table: TrackTable, hand: ScanInHand, rows: IntArray) -> BoolArray:
    """Which of these rows another post sees, and saw no more since a miss of this scan's post was counted, shape (n,).

    So between two detections of others a post's silence counts once, however many and however quick its sensors are: one that
    only says that it looks everywhere ends nobody's tracks."""
    others = table.post != table.post[hand.number]
    if not others.any():
        return np.zeros(len(rows), dtype=bool)
    seen_ns = table.seen_ns[np.ix_(rows, others)].max(axis=1)
    missed_ns = table.missed_ns[np.ix_(rows, ~others)].max(axis=1)
    return np.asarray((seen_ns > hand.scan.time_ns - OTHERS_SEE_NS) & (missed_ns >= seen_ns))


def learn_alarms(table: TrackTable, hand: ScanInHand) -> None:
    """What no track explains tells how often the sensor errs; a thing that comes again in its place is no alarm."""
    if hand.origin is not None or hand.identity is not None:
        return
    unexplained = sum(len(plots.z) for plots in hand.plots) - len(hand.taken.keys() | hand.used)
    expected = float(table.undetected[hand.number].sum()) * existence.ASSUMED_DETECTION_PROBABILITY
    declared = hand.sensor.false_alarms_per_scan
    declared = existence.ASSUMED_FALSE_ALARMS if declared is None else declared
    table.learned.note_scan(hand.number, declared, max(unexplained - expected, 0.0))
