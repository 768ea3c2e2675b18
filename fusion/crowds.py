"""Where many tracks share detections, no scan tells who is whose: each track then becomes the mixture of what it may be.

With r the existence, p the detection probability, g the gate's, N the likelihood and λ the density of false alarms, a pair
(i, j) weighs w_ij = r p N_ij / λ_j against w_i0 = 1 - r p g, that the track was missed. In a crowd some objects have no track:
with u of them a track, and spread as the tracks are, a detection is one of theirs with the weight u_j = u Σ_i w_ij against
1, that it is a false alarm. Tracks and detections exchange

    μ_ij = w_ij / (w_i0 + Σ_{k≠j} w_ik ν_ik)        "it is mine"
    ν_ij = 1 / (1 + u_j + Σ_{k≠i} μ_kj)             "nobody else's"

until they stand still; then q_ij = w_ij ν_ij / (w_i0 + Σ_k w_ik ν_ik) is the chance that j is i's, and what is left of 1 that
i was missed. On a graph without loops this is exact; with loops it converges, and errs towards certainty.

A few tracks that meet are assigned outright (`association.py`): their mixtures would melt into one another. In a crowd the
best assignment is one of thousands as good, and to believe it makes tracks sure of places where nothing is. Yet in mixtures
alone the tracks of a crowd draw together, scan by scan, and stay between objects that part. So where each scan tells little,
with sensors of range, shares are sharpened, to q^s / Σ q^s with s = `SHARPNESS`: a step towards the best assignment, s = ∞.

Sources: Williams, Lau, Approximate evaluation of marginal association probabilities with belief propagation (2014),
section III; for the mixtures, Bar-Shalom, Li, Kirubarajan (2001), 1.4.16; for what pruned shares do against drawing together,
Blom, Bloem, Probabilistic data association avoiding track coalescence (2000). Sharpening instead of pruning is our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fusion import filters
from fusion.assignment import connected
from fusion.association import Pairs
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray

Marginals: TypeAlias = Callable[[IntArray, IntArray, FloatArray, FloatArray, float], FloatArray]  # `probabilities`
Update: TypeAlias = Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]
]  # `filters.update`

CROWD = 6  # tracks, or detections, whose gates hang together
UNKNOWN = 0.1  # objects of a crowd without a track, a track
SHARPNESS = 1.3  # of shares of sensors of range
MAX_ROUNDS = 100
STILL = 1e-4  # largest change of a message, as a share
LARGEST_WEIGHT = 1e30
LEAST_SHARE = 1e-4  # what is less likely is left out
LATELY_NS = 10_000_000_000  # a track that has been in a crowd since then is at its edge, if not in it


def shares(
    row: IntArray,
    column: IntArray,
    weight: FloatArray,
    missed: FloatArray,
    chosen: IntArray,
    sharpness: float = 1.0,
    marginals: Marginals | None = None,
) -> FloatArray:
    """How much of each of k pairs goes into its track, shape (k,): in a crowd its probability, else all of a chosen one.

    weight: w_ij, shape (k,); missed: w_i0 of each pair's row, shape (k,); chosen: places of the best assignment's pairs.
    """
    taken = np.zeros(len(row))
    taken[chosen] = 1.0
    in_crowd = groups(row, column) >= 0
    if in_crowd.any():
        _, row = np.unique(row[in_crowd], return_inverse=True)
        _, column = np.unique(column[in_crowd], return_inverse=True)
        q = (marginals or probabilities)(row, column, weight[in_crowd], missed[in_crowd], UNKNOWN)
        taken[in_crowd] = sharpened(row, q, sharpness)
    return taken


def groups(row: IntArray, column: IntArray) -> IntArray:
    """Which crowd each of k pairs belongs to, shape (k,); -1: none."""
    if len(row) < CROWD:
        return np.full(len(row), -1, dtype=np.int64)
    group = connected(row, column)
    sizes = np.maximum(_distinct(row, group), _distinct(column, group))
    return np.where(sizes[group] >= CROWD, group, -1).astype(np.int64)


def _distinct(members: IntArray, group: IntArray) -> IntArray:
    """How many members that differ each group has, of k members and their groups."""
    _, first = np.unique(members, return_index=True)
    return np.bincount(group[first], minlength=int(group.max()) + 1)


def probabilities(
    row: IntArray, column: IntArray, weight: FloatArray, missed: FloatArray, unknown: float = 0.0
) -> FloatArray:
    """q of k pairs, shape (k,); unknown: u."""
    w, w0 = np.minimum(weight, LARGEST_WEIGHT), np.maximum(missed, 1e-9)
    else_whose = 1.0 + unknown * np.bincount(column, w)[column]
    nu = 1.0 / else_whose
    for _ in range(MAX_ROUNDS):
        message = w * nu
        mu = w / (w0 + np.maximum(np.bincount(row, message)[row] - message, 0.0))
        before, nu = nu, 1.0 / (else_whose + np.maximum(np.bincount(column, mu)[column] - mu, 0.0))
        if np.all(np.abs(nu - before) <= STILL * before):
            break
    message = w * nu
    return np.asarray(message / (w0 + np.bincount(row, message)[row]))


def sharpened(row: IntArray, q: FloatArray, sharpness: float) -> FloatArray:
    """q^s / Σ q^s of k pairs, shape (k,), the sum taken over a row's pairs and its miss."""
    if sharpness == 1.0:
        return q
    missed = np.maximum(1.0 - np.bincount(row, q), 0.0)
    total = np.bincount(row, q**sharpness) + missed**sharpness
    return np.asarray(q**sharpness / total[row])


def melted(
    x: FloatArray, P: FloatArray, pairs: Pairs, share: FloatArray, update: Update = filters.update
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Rows whose pairs have shares between none and all, with the mean (n, 6) and spread (n, 6, 6) of what they may be.

    x, P: states and covariances of all rows, before this scan.
    """
    of = ((share > LEAST_SHARE) & (share < 1.0)).nonzero()[0]
    if len(of) == 0:
        return of, np.zeros((0, 6)), np.zeros((0, 6, 6))
    rows, group = np.unique(pairs.row[of], return_inverse=True)
    left = np.maximum(1.0 - np.bincount(group, share[of], len(rows)), 0.0)
    each_x, each_P = update(x[pairs.row[of]], P[pairs.row[of]], pairs.y[of], pairs.H[of], pairs.R[of])
    group = np.concatenate([group, np.arange(len(rows))])
    weight = np.concatenate([share[of], left])
    mean, spread = mixture(
        group, len(rows), weight, np.concatenate([each_x, x[rows]]), np.concatenate([each_P, P[rows]])
    )
    sound = np.isfinite(mean).all(axis=1) & np.isfinite(spread).all(axis=(1, 2))
    return rows[sound], mean[sound], spread[sound]


def mixture(
    group: IntArray, count: int, weight: FloatArray, x: FloatArray, P: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Means (count, 6) and covariances (count, 6, 6) of mixtures; component k of `weight`, x, P belongs to `group`.

    The weights of each group add up to 1.
    """
    mean, spread = np.zeros((count, x.shape[1])), np.zeros((count, x.shape[1], x.shape[1]))
    np.add.at(mean, group, weight[:, None] * x)
    apart = x - mean[group]
    np.add.at(spread, group, weight[:, None, None] * (P + apart[:, :, None] * apart[:, None, :]))
    return mean, np.asarray(0.5 * (spread + spread.transpose(0, 2, 1)))


def stand_apart(crowded_ns: IntArray, time_ns: int) -> BoolArray:
    """Which tracks, in a crowd last at crowded_ns (n,), teach how often a sensor detects.

    In a crowd a detection is nobody's for sure, and is not counted; that nothing lies in a gate is sure, and would be."""
    return np.asarray(crowded_ns < time_ns - LATELY_NS)


def perhaps_seen(row: IntArray, chosen: IntArray, share: FloatArray) -> dict[int, float]:
    """Rows that were given no detection, and the chance that they were seen nevertheless."""
    if len(chosen) == len(row):
        return {}
    seen = np.bincount(row, share)
    seen[row[chosen]] = 0.0
    return {place: min(float(seen[place]), 1.0) for place in np.flatnonzero(seen > LEAST_SHARE).tolist()}
