"""What a ranging sensor's silence says of a thing that a camera alone sees.

    camera  ──────·───────────────────────·─────▶  the direction; by its size it is somewhere between the two points,
    radar   sees all of that, and reports nothing   were it as small as a drone or a bird

Then it is no drone and no bird, or one that this sensor cannot see: something painted into the film, a reflection, a drop on
the lens, a thing far away. The silence does not end the track, since the camera goes on seeing something; it weighs against
the classes that the sensor should have seen, and the track tells who should have seen it. What the sensor has seen once it
may lose again (it may be jammed), so its silence says nothing from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion import direction, existence
from fusion.lifetimes import NEVER_NS
from fusion.measurement import IntArray
from fusion.types import CLASSES, FloatArray

if TYPE_CHECKING:
    from fusion.scan_in_hand import ScanInHand
    from fusion.track_table import TrackTable

SEES = 0.7  # share of drones and birds that a sensor sees as its site file says: some are foam and stand still
MOST_DOUBT = 6.0  # ln: silence alone makes nothing certain
ALONG = (0.0, 0.5, 1.0)  # places along the interval of ln range that must all be looked at
SMALL = np.array([name in ("drone", "bird") for name in CLASSES])


def note(table: TrackTable, hand: ScanInHand) -> None:
    """Count what this scan's sensor, which measures ranges, should have seen of the directions of others."""
    sensor, looks = hand.sensor, hand.scan.looked
    if not looks or sensor.detection_probability is None or sensor.accuracy.slant_range_m is None:
        return
    time_ns, number = hand.scan.time_ns, hand.number
    due = (table.direction_of >= 0) & (table.direction_of != number) & (table.seen_ns[:, number] == NEVER_NS)
    due &= time_ns - table.missed_ns[:, number] >= existence.misses_hang_ns(sensor)
    rows = np.flatnonzero(due)
    if len(rows) == 0:
        return
    share = np.repeat(ALONG, len(rows))
    probability = _probability(table, hand, np.tile(rows, len(ALONG)), share).reshape(len(ALONG), -1).min(axis=0)
    rows, probability = rows[probability > 0.0], probability[probability > 0.0]
    table.missed_ns[rows, number] = time_ns
    table.denied_log[rows, number] += np.log(1.0 - SEES * np.minimum(probability, 1.0))


def _probability(table: TrackTable, hand: ScanInHand, rows: IntArray, share: FloatArray) -> FloatArray:
    """Chance (n,) that the sensor sees what stands at a share (n,) of the ranges of these directions; 0: it does not look
    there."""
    spread = direction.NINETY_PERCENT * np.sqrt(table.P[rows, 2, 2])
    s = table.x[rows].copy()
    s[:, 2] = direction.bounded(s[:, 2] + (2.0 * share - 1.0) * spread)
    place = np.empty((len(rows), 3))
    for of in np.unique(table.direction_of[rows]).tolist():
        mine = table.direction_of[rows] == of
        place[mine] = direction.place_of(s[mine], table.sensors[of])
    across_m = np.sqrt(table.P[rows, 0, 0] + table.P[rows, 1, 1]) * np.exp(s[:, 2])
    turned = np.full(len(rows), hand.sensor.mounting_sigma_rad)
    inside = table.kernels.looked_at(hand.sensor, hand.scan.looked or (), place, across_m, turned)
    away_m = np.linalg.norm(place - np.array(hand.sensor.position_enu_m), axis=1)
    return np.where(inside, np.nan_to_num(existence.detection_probability(hand.sensor, away_m)), 0.0)


def doubted(classes: FloatArray, table: TrackTable, rows: IntArray) -> FloatArray:
    """Class probabilities (n, classes) of these rows by what was seen, and by silence: what it takes is "unknown" then."""
    alone = table.direction_of[rows] >= 0
    if not alone.any():
        return classes
    unseen = np.where(table.seen_ns[rows] == NEVER_NS, table.denied_log[rows], 0.0).sum(axis=1)
    left = np.exp(np.where(alone, np.maximum(unseen, -MOST_DOUBT), 0.0))
    kept = np.where(SMALL, classes * left[:, None], classes)
    kept[:, CLASSES.index("unknown")] += (classes - kept).sum(axis=1)
    return kept
