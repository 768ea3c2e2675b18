"""Is a filter as sure as it claims? NEES against the truth, NIS against the next detection; a χ² variable when it is.

    NEES / dims, mean 1      paired by identity: track and object that were together most, at every moment both are there
    NIS / dims,  mean 1      5 % of them above their 95 % quantile

Pairing within a distance would hide large errors: an error beyond the distance is no pair, and the rest looks honest. So
errors are taken by identity, without a gate; a track that never had an object has no error.

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation (2001), section 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from fusion.types import FloatArray


@dataclass(frozen=True, slots=True)
class Consistency:
    """Of normalised squares that have `dims` components each."""

    count: int
    per_dim: float  # 1 when honest; above: too sure
    above_95: float  # the share beyond the 95 % quantile of χ²; 0.05 when honest


def consistency(squares: Sequence[float], dims: int) -> Consistency | None:
    """What a run's NEES or NIS say; None where there are none."""
    if not len(squares):
        return None
    values = np.asarray(squares)
    limit = 2.0 * float(gammaincinv(dims / 2.0, 0.95))
    return Consistency(len(values), float(values.mean()) / dims, float((values > limit).mean()))


def normalised_squares(errors: FloatArray, covariances: FloatArray) -> FloatArray:
    """eᵀ P⁻¹ e of errors (n, d) under covariances (n, d, d)."""
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    return np.asarray((errors * solved).sum(axis=-1))
