"""Innovations that teach how much a sensor errs (`sensor_noise.py`): of tracks that another sensor holds as well.

The gates of association will not do: a track that has followed the sensor that errs is so sure of itself that it takes only
those of its detections that it believes. So a detection teaches where it alone lies within a wide gate of a track, and no
other track within its own. A sensor that shows too few of the objects where it looks holds none: what led the track may have
been false alarms.
"""

from __future__ import annotations

import numpy as np

from fusion.existence import BoolArray
from fusion.measurement import IntArray, Plots, residual
from fusion.registration import may_teach
from fusion.scan_in_hand import ScanInHand
from fusion.track_table import TrackTable

HELD_NS = 1_000_000_000  # so lately must another sensor have seen it
WIDE = 36.0  # squared innovation over its variance
MOST = 20_000  # tracks times detections: so full a scan tells little of any


def learn(table: TrackTable, hand: ScanInHand) -> None:
    """Take what this scan's innovations, of tracks predicted to its time, tell of its sensor's noise."""
    noise, number = table.noise, hand.number
    looks = hand.scan.looked  # what was not looked at tells nothing of what the sensor does not show
    if hand.identity is not None or not looks or not noise.is_due(number, hand.scan.time_ns):
        return
    lately = table.seen_ns > hand.scan.time_ns - HELD_NS
    lately &= noise.mount != noise.mount[number]
    held = lately.any(axis=1)
    held &= table.is_confirmed & (table.direction_of < 0) & may_teach(table.existence, table.hits)
    rows = np.flatnonzero(held)
    if len(rows):
        sigma_m = np.sqrt(table.kernels.largest_variance(table.P[rows]))
        mounting = np.full(len(rows), hand.sensor.mounting_sigma_rad)
        rows = rows[table.kernels.looked_at(hand.sensor, looks, table.x[rows, :3], sigma_m, mounting)]
    shown: set[int] = set()
    for plots in hand.plots:
        if 0 < len(rows) * len(plots.z) <= MOST:
            teaches = np.asarray((lately[rows] & noise.shows).any(axis=1))
            shown.update(_learn(table, hand, plots, rows, teaches))
    noise.looked(number, hand.scan.time_ns, len(rows), len(shown))


def _learn(table: TrackTable, hand: ScanInHand, plots: Plots, rows: IntArray, teaches: BoolArray) -> list[int]:
    """Take the lessons of those rows that teach; all rows near which something was shown."""
    noise = table.noise
    own = noise.columns(hand.number, plots.components)
    if len(own) < 2:  # one number alone may be anything's
        return []
    at = [plots.components.index(kind) for kind in noise.kind[own].tolist()]
    components = tuple(plots.components[k] for k in at)
    x, P = table.x[rows], table.P[rows]
    h, H, added = table.kernels.foretold(x, hand.sensor, components, hand.rules.clock_error_s(hand.sensor))
    R = added.diagonal(axis1=1, axis2=2)[:, None] + plots.R.diagonal(axis1=1, axis2=2)[None, :, at]
    y = residual(plots.z[None][:, :, at], h[:, None], components)
    foretold = R + ((H @ P) * H).sum(axis=2)[:, None]
    fits = (y**2 <= WIDE * foretold).all(axis=2)
    row, plot = np.nonzero(fits & (fits.sum(axis=0) == 1) & (fits.sum(axis=1) == 1)[:, None] & teaches[:, None])
    if len(row):
        declared = np.maximum(R[row, plot] - noise.excess[own], 0.0)
        leans = H[row] @ table.leaning[rows[row]]
        off = table.registration.applied[own]
        noise.learn(own, y[row, plot] + off, foretold[row, plot], declared, leans, table.kernels.learn_noise)
    return [int(one) for one in rows[fits.any(axis=1)]]
