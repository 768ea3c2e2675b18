"""How large a thing is: its angle, as a camera sees it, times its range, as another sensor knows it.

    insect before the lens      0.02 m    ┐
    drone                0.08 ... 4 m     │   a camera alone takes the one for the other
    airliner               20 ... 80 m    ┘

A size speaks against the classes that are never so large or so small, by how far ln size lies beyond their band, in sigmas
of `BAND_SIGMA`. All looks show the same size, so it counts once, however often it was seen.
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

BANDS_M = {  # smallest, largest; a detector that does not tell its margin draws boxes up to twice the object's width
    "drone": (0.08, 5.0),  # a palm-sized one, a fixed wing
    "bird": (0.06, 4.0),
    "airplane": (4.0, 120.0),
    "helicopter": (4.0, 50.0),
    "unknown": (1e-3, 1e3),
}
BAND_SIGMA = 0.3
SURE_RANGE = 0.2  # sigma of the range over the range: beyond, the size is not known
LOOKS = 20  # the mean is of about so many
LEAST_LOOKS = 3

LN_BANDS = np.log(np.array([BANDS_M[name] for name in CLASSES]))  # (classes, 2)


def learn(table: TrackTable, hand: ScanInHand) -> None:
    """Take in the angular sizes of a camera's detections, for the rows in space that took them."""
    if not is_camera(hand.sensor) or not hand.taken:
        return
    sizes = {index: hand.scan.detections[index].angular_size_rad for index in sorted(hand.taken)}
    told = [
        (index, hand.taken[index], size) for index, size in sizes.items() if size is not None and 0.0 < size < np.inf
    ]
    if not told:
        return
    rows = np.array([row for _, row, _ in told])
    away_m = table.x[rows, :3] - np.array(hand.sensor.position_enu_m)
    range_m = np.maximum(np.linalg.norm(away_m, axis=1), 0.1)
    along = away_m / range_m[:, None]
    sigma_m = np.sqrt(np.maximum(np.einsum("ni,nij,nj->n", along, table.P[rows, :3, :3], along), 0.0))
    for (_, row, angle), away, sigma in zip(told, range_m, sigma_m, strict=True):
        if sigma > SURE_RANGE * away:
            continue
        table.metres_count[row] += 1
        weight = 1.0 / min(int(table.metres_count[row]), LOOKS)
        table.metres_log[row] += weight * (np.log(angle * away) - table.metres_log[row])


def log_likelihood(table: TrackTable, rows: IntArray) -> FloatArray:
    """What is known of the sizes of these rows speaks against each class, shape (n, classes): 0 where nothing does."""
    known = table.metres_count[rows] >= LEAST_LOOKS
    if not known.any():
        return np.zeros((len(rows), len(CLASSES)))
    size = table.metres_log[rows, None]
    beyond = np.maximum(LN_BANDS[:, 0] - size, 0.0) + np.maximum(size - LN_BANDS[:, 1], 0.0)
    return np.asarray(np.where(known[:, None], -0.5 * (beyond / BAND_SIGMA) ** 2, 0.0))
