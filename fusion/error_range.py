"""How far off positions are, by range, beside what the tracks claim: metres of error in bins of range from the post.

error m  │            ▄ ▄    paired by identity without a gate (`Scorer.by_identity`), so large errors stay in
         │     ▄ ▄ ▄         claimed: √ of the mean trace of the covariance; above the RMS: careful, below: too sure
         └────────────────
           0   100  200  m
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fusion.detection_range import BIN_M


@dataclass(frozen=True, slots=True)
class PositionError:
    """Of one track at one moment, in three dimensions."""

    range_m: float
    error_m: float
    claimed_m2: float | None  # trace of the covariance; None where the track tells none


@dataclass(frozen=True, slots=True)
class ErrorBin:
    """Errors between two ranges."""

    from_m: float
    to_m: float
    count: int
    median_m: float
    rms_m: float
    p95_m: float
    claimed_m: float | None


def errors_by_range(errors: Iterable[PositionError], bin_m: float = BIN_M) -> tuple[ErrorBin, ...]:
    """Bins that hold errors, the nearest first."""
    held: defaultdict[int, list[PositionError]] = defaultdict(list)
    for error in errors:
        held[int(error.range_m // bin_m)].append(error)
    return tuple(_bin(place * bin_m, bin_m, each) for place, each in sorted(held.items()))


def _bin(from_m: float, width_m: float, errors: list[PositionError]) -> ErrorBin:
    metres = np.array([error.error_m for error in errors])
    claimed = [error.claimed_m2 for error in errors if error.claimed_m2 is not None]
    median_m, p95_m = (float(value) for value in np.percentile(metres, (50.0, 95.0)))
    return ErrorBin(
        from_m=from_m,
        to_m=from_m + width_m,
        count=len(errors),
        median_m=median_m,
        rms_m=float(np.sqrt((metres**2).mean())),
        p95_m=p95_m,
        claimed_m=float(np.sqrt(np.mean(claimed))) if claimed else None,
    )
