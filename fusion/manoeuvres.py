"""How much an object manoeuvres, learned track by track: three levels of one process noise, weighed by what they foretold.

All levels share the state and the motion F of `motion.py`; only q differs. Since white noise composes, a covariance that was
carried for T seconds with the mean level q̄ = Σ μ_j q_j holds the others':

    P_j = P + (q_j - q̄) Q₁(T)        Q₁(T) = | T³/3  T²/2 |  on each axis, T since the last detection
                                              | T²/2  T    |

A detection with innovation y weighs them, and the update goes on with the mean of the weights it leaves:

    μ_j ← μ°_j + (μ_j - μ°_j) exp(-T/τ)        μ_j ∝ μ_j N(y; 0, H P_j Hᵀ + R)        P ← P + (q̄' - q̄) Q₁(T)

This is the first-order generalised pseudo-Bayesian filter with its estimates merged before the update, one state a track
instead of one a model.

Source: Bar-Shalom, Li, Kirubarajan (2001), 11.6.3 (GPB1) and 11.5 (process noise as the mode).
"""

from __future__ import annotations

import numpy as np

from fusion import direction, filters
from fusion.measurement import IntArray
from fusion.types import FloatArray

LEVELS: FloatArray = np.array([0.1, 1.0, 10.0])  # of the site's q: steady flight, a drone's usual turns, abrupt ones
USUAL: FloatArray = np.array([0.7, 0.24, 0.06])  # share of the time in each: mixed flights' range rates err as foretold
HOLDS_S = 4.0  # how long an object goes on as it does
TELLING_S = 0.5  # within less no turn shows across the line of sight, so nothing that quick tells of steady flight
AHEAD_S = 1.0  # weights are kept as of so long after the detection: the next is foretold with them


def factor(modes: FloatArray) -> FloatArray:
    """q̄ over the site's q, shape (n,), of weights (n, 3)."""
    return np.asarray(modes @ LEVELS)


def weighed(
    modes: FloatArray, P: FloatArray, y: FloatArray, H: FloatArray, R: FloatArray, q: FloatArray, since_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights (n, 3) after innovations y (n, d), and the predicted covariances (n, 6, 6) that they mean; q (3,), T (n,)."""
    before = factor(modes)
    prior = relaxed(modes, since_s - AHEAD_S)
    unit = unit_noise(q, since_s)
    S = filters.innovation_covariance(P, H, R)
    seen = H @ unit @ H.transpose(0, 2, 1)
    S = S[:, None] + (LEVELS - before[:, None])[:, :, None, None] * seen[:, None]
    count, components = y.shape
    all_y, all_S = np.repeat(y, len(LEVELS), axis=0), S.reshape(-1, components, components)
    nis, log_determinant = filters.squared_distance(all_y, all_S)
    log = -0.5 * (nis + log_determinant).reshape(count, len(LEVELS))
    after = prior * np.exp(log - log.max(axis=1, keepdims=True))
    after /= after.sum(axis=1, keepdims=True)
    hasty = (since_s < TELLING_S) & (factor(after) < factor(prior))
    after[hasty] = prior[hasty]
    return relaxed(after, AHEAD_S), P + (factor(after) - before)[:, None, None] * unit


def filtered(
    x: FloatArray,
    P: FloatArray,
    modes: FloatArray,
    y: FloatArray,
    H: FloatArray,
    R: FloatArray,
    q: FloatArray,
    since_s: FloatArray,
    share: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """States (n, 6), covariances (n, 6, 6) and weights (n, 3) after these innovations, as the Kalman filter leaves them.

    share (n,): how much of each detection is the row's; what is not wholly its own tells nothing of how it manoeuvres."""
    after, raised_P = weighed(modes, P, y, H, R, q, since_s)
    sure = share == 1.0
    if not (sure.all() and np.isfinite(after.sum() + raised_P.sum())):
        sure &= np.isfinite(raised_P).all(axis=(1, 2)) & np.isfinite(after).all(axis=1)
        after, raised_P = np.where(sure[:, None], after, modes), np.where(sure[:, None, None], raised_P, P)
    return (*filters.update(x, raised_P, y, H, R), after)


def abrupt(modes: FloatArray, P: FloatArray, q: FloatArray, since_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Chance (n,) that each object manoeuvres at the highest level, and the predicted covariances (n, 6, 6) it means."""
    raised = LEVELS[-1] - factor(modes)
    return relaxed(modes, since_s - AHEAD_S)[:, -1], P + raised[:, None, None] * unit_noise(q, since_s)


def relaxed(modes: FloatArray, since_s: FloatArray | float) -> FloatArray:
    """Weights (n, 3) so long later: towards what is usual."""
    kept = np.exp(-np.maximum(since_s, 0.0) / HOLDS_S)
    return np.asarray(USUAL + (modes - USUAL) * np.reshape(kept, (-1, 1)))


def unit_noise(q: FloatArray, since_s: FloatArray) -> FloatArray:
    """q Q₁(T), shape (n, 6, 6), of q (3,) and T (n,)."""
    unit = np.zeros((len(since_s), 6, 6))
    for axis in range(3):
        unit[:, axis, axis] = q[axis] * since_s**3 / 3.0
        unit[:, axis, axis + 3] = unit[:, axis + 3, axis] = q[axis] * since_s**2 / 2.0
        unit[:, axis + 3, axis + 3] = q[axis] * since_s
    return unit


def density(
    q: FloatArray, modes: FloatArray, x: FloatArray, direction_of: IntArray, size_log: FloatArray, size_count: IntArray
) -> FloatArray:
    """Spectral density of the acceleration, shape (n, 3), in the coordinates of each of n rows, whose columns these are."""
    as_direction = direction_of >= 0
    found = q * factor(modes)[:, None]
    if as_direction.any():
        range_m = direction.manoeuvre_range_m(x[as_direction, 2], size_log[as_direction], size_count[as_direction])
        found[as_direction] = (q.max() / range_m**2)[:, None]
    return found
