"""How often a sensor sees an object, by range; how rare events are; each with the band its count allows.

    looks that should have shown the object, in bins of range, by sensor, class and condition

      P_D  1 ┤▆▆▆▅▅
             │      ▄▃      a bin says k of n, and the 95 % band of Clopper and Pearson about it:
           0 ┤        ▁     few looks give a wide band, none gives none

The bands take looks as independent. Looks of one pass are not quite, so a band from one flight is too narrow; it is exact
about counting, not about weather.

Sources: Clopper, Pearson (1934) for shares; Garwood (1936) for rates of rare events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaincinv, gammaincinv

BIN_M = 100.0
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Chance:
    """One look in which an object could have been seen."""

    sensor_id: str
    class_name: str
    condition: str  # "day", "night, rain", ...: what the looks are told apart by; "unknown" where nobody noted it
    range_m: float
    is_detected: bool


@dataclass(frozen=True, slots=True)
class RangeBin:
    """What a sensor made of its looks at one class, in one condition, between two ranges."""

    sensor_id: str
    class_name: str
    condition: str
    from_m: float
    to_m: float
    looks: int
    detected: int
    probability: float
    low: float
    high: float


def share_band(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Between which shares the truth lies when `hits` of `trials` hit."""
    tail = (1.0 - confidence) / 2.0
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1.0 - tail)) if hits < trials else 1.0
    return low, high


def rate_band(count: int, exposure: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Between which rates, per unit of exposure, the truth lies when `count` events came."""
    tail = (1.0 - confidence) / 2.0
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1.0 - tail)) / exposure


def by_range(chances: Iterable[Chance], bin_m: float = BIN_M) -> tuple[RangeBin, ...]:
    """Bins that hold looks, by sensor, class, condition and range."""
    counts: defaultdict[tuple[str, str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for chance in chances:
        tally = counts[chance.sensor_id, chance.class_name, chance.condition, int(chance.range_m // bin_m)]
        tally[0] += 1
        tally[1] += chance.is_detected
    bins = []
    for (sensor_id, class_name, condition, place), (looks, detected) in sorted(counts.items()):
        low, high = share_band(detected, looks)
        edges = place * bin_m, (place + 1) * bin_m
        bins.append(RangeBin(sensor_id, class_name, condition, *edges, looks, detected, detected / looks, low, high))
    return tuple(bins)


def reached_m(bins: Sequence[RangeBin], probability: float = 0.9) -> float | None:
    """Up to where bins of one sensor, class and condition, from the nearest on without a gap, keep this probability.

    None where the nearest bin already falls short. A bin counts by its estimate; its band says how sure that is.
    """
    reached = None
    for nearer in sorted(bins, key=lambda each: each.from_m):
        if nearer.probability < probability or (reached is not None and nearer.from_m > reached):
            break
        reached = nearer.to_m
    return reached


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a probability is kept, and how sure that is."""

    nearest_m: float  # nothing was looked for nearer than this
    estimate_m: float | None  # by the bins' shares; None: the nearest already falls short
    sure_m: float | None  # by the lower ends of their bands; None: too few looks, or too few hits
    possible_m: float | None  # by the upper ends
    looked_to_m: float  # without a gap; what reaches this far may reach farther


def reach(bins: Sequence[RangeBin], probability: float = 0.9) -> Reach | None:
    """`reached_m` of one sensor, class and condition with its band; None where there was no look."""
    if not bins:
        return None
    ordered = sorted(bins, key=lambda each: each.from_m)
    return Reach(
        nearest_m=ordered[0].from_m,
        estimate_m=reached_m(ordered, probability),
        sure_m=reached_m([replace(each, probability=each.low) for each in ordered], probability),
        possible_m=reached_m([replace(each, probability=each.high) for each in ordered], probability),
        looked_to_m=reached_m(ordered, 0.0) or 0.0,
    )


def percentiles(values: Sequence[float], shares: Sequence[float] = (50.0, 95.0, 99.0)) -> tuple[float, ...] | None:
    """Percentiles of what was measured; None where nothing was."""
    return tuple(float(value) for value in np.percentile(values, shares)) if len(values) else None
