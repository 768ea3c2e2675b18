"""What a scan's silence does to the tracks that are there, and what its sensor's misses and false alarms teach of it.

    r' = Λ r / (1 - r + Λ r),  Λ = 1 - p g        only for rows that were surely looked at (`overlooked.py`)

Every counted miss, and every detection that no track explains, tells how far the sensor is from what it declares
(`sensor_rates.py`). Where who is who is open, each hypothesis has misses of its own (`joint.py`).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from fusion import crowds, existence, joint_update
from fusion.measurement import IntArray
from fusion.scan_in_hand import ScanInHand, learns_detection
from fusion.track_table import TrackTable
from fusion.types import FloatArray


def chance_to_show(table: TrackTable, hand: ScanInHand, rows: IntArray) -> FloatArray:
    """p g of these rows, shape (k,): whether it did or not, how likely this scan is to show them; 0 where its silence means
    nothing."""
    looks = hand.scan.looked
    found = np.zeros(len(rows))
    if not looks or hand.sensor.detection_probability is None:
        return found
    of_rows = table.x[rows], table.P[rows], table.direction_of[rows], table.is_confirmed[rows]
    seen_ns = np.minimum(table.seen_ns[rows], hand.scan.time_ns - 1)
    at = hand.sensor, hand.number, hand.scan.time_ns, looks
    other_post = table.post != table.post[hand.number]
    places, probability = table.kernels.overlooked(*of_rows, seen_ns, table.missed_ns[rows], other_post, *at)
    learned = table.learned.probability(hand.number, probability)
    found[places] = learned * hand.rules.settings.gate_probability
    return found


def count(table: TrackTable, hand: ScanInHand) -> None:
    """Silence lowers existence where it means something, in what the table holds and in the hypotheses beside it."""
    if table.joints:
        silent, is_weighed = partial(chance_to_show, table, hand), hand.is_silence_weighed
        table.joints = joint_update.silence(table, hand.scan.time_ns, silent, is_weighed)
    _of_rows(table, hand)


def _of_rows(table: TrackTable, hand: ScanInHand) -> None:
    looks = hand.scan.looked
    if not looks or len(table) == 0 or hand.sensor.detection_probability is None:
        return
    rows, probability = table.kernels.overlooked(
        table.x,
        table.P,
        table.direction_of,
        table.is_confirmed,
        table.seen_ns,
        table.missed_ns,
        table.post != table.post[hand.number],
        hand.sensor,
        hand.number,
        hand.scan.time_ns,
        looks,
    )
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
        surely = table.is_confirmed[rows] & crowds.stand_apart(table.crowded_ns[rows], hand.scan.time_ns)
        if hand.perhaps_seen:
            surely &= np.array([row not in hand.perhaps_seen for row in rows.tolist()], dtype=bool)
        table.learned.note_misses(hand.number, expected_share, table.existence[rows] * surely)
    if hand.sensor.accuracy.slant_range_m is not None:
        table.silent[rows] += 1


def learn_alarms(table: TrackTable, hand: ScanInHand) -> None:
    """What no track explains tells how often the sensor errs, and what one took as far as that is not believed; a thing that
    comes again in its place is no alarm."""
    if hand.origin is not None or hand.identity is not None:
        return
    unexplained = float(sum(len(plots.z) for plots in hand.plots) - len(hand.taken.keys() | hand.used))
    rows = [row for index, row in hand.taken.items() if index not in hand.used]
    unexplained += float((1.0 - table.existence[rows] / existence.HIGHEST_EXISTENCE).sum())  # what is at it is believed
    expected = float(table.undetected[hand.number].sum()) * existence.ASSUMED_DETECTION_PROBABILITY
    declared = hand.sensor.false_alarms_per_scan
    declared = existence.ASSUMED_FALSE_ALARMS if declared is None else declared
    table.learned.note_scan(hand.number, declared, max(unexplained - expected, 0.0))
