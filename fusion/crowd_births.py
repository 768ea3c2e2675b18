"""Objects that a crowd hides: where detections keep outnumbering what its tracks should show, more objects are there.

In a crowd every detection lies in some track's gate, and the best assignment gives it to that track: for a miss costs more
than a neighbour's detection. So nothing is left over to begin a track with, however many objects are there. Yet the number
tells. Of n tracks in a crowd, each detected with the chance p, a scan should show E = Σ r p g; it shows m = Σ W_j / (1 + W_j),
each detection counted as far as it is no false alarm: W_j = Σ_i w_ij of `crowds.py`. With

    l ← l + a (m / E - 1 - l)        n l ± sqrt(a/(2 - a) · n (1 - p)/p)

as the running mean of what is lacking and its sigma, the objects beyond one sigma begin tracks, at the detections that the
others' shares explain least, and n l is lowered by as many. They exist as surely as their neighbours; where, the mixtures of
`crowds.py` tell. Where E is less than a quarter of the tracks, what is declared of the sensor alone would decide; none begin.

Source: our own; the sigma is that of an exponentially weighted mean of binomial counts (Roberts, Control chart tests based on
geometric moving averages, 1959).
"""

from __future__ import annotations

import math

import numpy as np

from fusion import crowds
from fusion.association import Pairs
from fusion.measurement import Plots
from fusion.track_table import TrackTable
from fusion.types import FloatArray

WEIGHT = 0.2  # of the newest scan in the running mean: some nine scans count
LEAST_SHOWN = 0.25  # of a crowd's tracks in a scan: a sensor that should show fewer tells nothing of how many hide


def lacking(
    table: TrackTable, pairs: Pairs, plots: Plots, weight: FloatArray, detected: FloatArray, share: FloatArray
) -> list[int]:
    """Places in the scan of detections that begin tracks although others take them; remembers what is still lacking.

    Of each of k pairs, shape (k,): weight w_ij; detected, r p g of its row; share, how much of it goes into its track.
    """
    crowd = crowds.groups(pairs.row, pairs.plot)
    begun: list[int] = []
    for one in np.unique(crowd[crowd >= 0]).tolist():
        of = np.flatnonzero(crowd == one)
        rows, first = np.unique(pairs.row[of], return_index=True)
        if table.is_confirmed[rows].sum() < crowds.CROWD:
            continue
        shown, place = np.unique(pairs.plot[of], return_inverse=True)
        theirs = np.bincount(place, np.minimum(weight[of], crowds.LARGEST_WEIGHT), len(shown))
        found, expected = float((theirs / (1.0 + theirs)).sum()), float(detected[of][first].sum())
        count = float(table.existence[rows].sum())
        if expected < LEAST_SHOWN * count:
            continue
        before = float(table.lacking[rows].mean())
        mean = before + WEIGHT * (found / expected - 1.0 - before)
        more = min(_whole(count, mean, expected / count), len(shown))
        explained = np.bincount(place, share[of], len(shown))
        begun += plots.index[shown[np.lexsort((shown, explained))[:more]]].tolist()
        table.lacking[rows] = mean - more / count
    return begun


def _whole(count: float, mean: float, p: float) -> int:
    """Objects that are lacking beyond one sigma, to the nearest whole one."""
    sigma = math.sqrt(WEIGHT / (2.0 - WEIGHT) * count * max(1.0 - p, 0.0) / p)
    return max(math.floor(count * mean - sigma + 0.5), 0)
