"""How fast a thing flies, as far as it speaks of what it is: no bird goes on at 25 m/s over the ground.

    birds cruise at 8 to 20 m/s        fixed wings at 15 to 40 m/s        a camera alone takes the one for the other

Speaks against a bird by how far the mean speed over the ground, of looks of a camera in which it is known, lies beyond the
fastest, in sigmas of the birds and of the wind. A wind carries what flies straight; what it adds on the one side of a circle
it takes on the other, so it counts by how straight the flight is:

    sigma² = birds² + (wind |mean velocity| / mean speed)²

All looks show the same flight, so it counts once. A slow thing may be anything: drones hover, and so do kestrels.

Source: Bruderer, Boldt, Flight characteristics of birds: I. Radar measurements of speeds, Ibis 143 (2001).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fusion.existence import is_camera
from fusion.measurement import IntArray
from fusion.types import CLASSES, FloatArray

if TYPE_CHECKING:
    from fusion.scan_in_hand import ScanInHand
    from fusion.track_table import TrackTable

FASTEST_M_S, SIGMA_M_S = 20.0, 1.5  # of birds that cruise
WIND_M_S = 2.6  # sigma of what carries them
SURE_M_S = 3.0  # sigma of the speed; beyond, it is not known
LOOKS = 150  # the mean is of about so many: a circle of half a minute
LEAST_LOOKS = 10  # a filter that has just begun errs in all of its first ones alike
MOST_DOUBT = 4.0  # ln: speed alone makes nothing certain


def learn(table: TrackTable, hand: ScanInHand) -> None:
    """Take in the speeds of the rows in space that took a camera's detections."""
    if not is_camera(hand.sensor) or not hand.taken:
        return
    rows = np.array(sorted(set(hand.taken.values())))
    table.kernels.note_speeds(table, rows)


def note_speeds(table: TrackTable, rows: IntArray) -> None:
    """Take in the speeds of those of these rows that are in space, and whose speed is known."""
    variance = np.maximum(table.P[rows, 3, 3], table.P[rows, 4, 4])
    rows = rows[(table.direction_of[rows] < 0) & (variance < SURE_M_S**2)]
    table.speed_count[rows] += 1
    weight = 1.0 / np.minimum(table.speed_count[rows], LOOKS)
    speed = np.hypot(table.x[rows, 3], table.x[rows, 4])
    table.speed_m_s[rows] += weight * (speed - table.speed_m_s[rows])
    table.way_m_s[rows] += weight[:, None] * (table.x[rows, 3:5] - table.way_m_s[rows])


def log_likelihood(table: TrackTable, rows: IntArray) -> FloatArray:
    """What is known of the speeds of these rows speaks against each class, shape (n, classes): 0 where nothing does."""
    against = np.zeros((len(rows), len(CLASSES)))
    known = table.speed_count[rows] >= LEAST_LOOKS
    if not known.any():
        return against
    straight = np.hypot(table.way_m_s[rows, 0], table.way_m_s[rows, 1]) / np.maximum(table.speed_m_s[rows], 0.1)
    beyond = np.maximum(table.speed_m_s[rows] - FASTEST_M_S, 0.0) / np.hypot(SIGMA_M_S, WIND_M_S * straight)
    against[:, CLASSES.index("bird")] = np.where(known, -np.minimum(0.5 * beyond**2, MOST_DOUBT), 0.0)
    return against
