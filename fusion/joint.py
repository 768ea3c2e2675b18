"""Who is who where a few tracks meet: not decided at once, but kept as several joint hypotheses until later scans tell.

A hypothesis gives each of m tracks a history of its own: a state, its covariance and how much it manoeuvres. A scan branches
every hypothesis into the ways in which its tracks may take detections, each detection once:

    ln W' = ln W + Σ s_ij        s_ij = ln (r p N_ij / λ_j) - ln (1 - r p g), over the pairs (i, j) that it takes

One of them goes on in the table of tracks, and is what is told; the others stand beside it. It is the likeliest of those in
which each track is where it was held to be; tracks change places with one another only where all the hypotheses that say so
together outweigh these by `CHANGES_LOG`. Two hypotheses that end up in one place in all tracks are one. A hypothesis
ends when it is `LEAST_LOG` less likely than the best, or when nothing has been doubtful for `SETTLES_NS`. Until then what is
told of a track is as unsure as the hypotheses differ:

    P_told = P_0 + Σ W_h (x_h - x_0) (x_h - x_0)ᵀ

What is believed of a track's existence differs between them as well: one of four that meet ends, and which one it was each
says otherwise. So a hypothesis whose tracks the scan should have shown, and did not, is the less likely,

    ln W' = ln W + Σ ln (1 - r p g)        over its tracks, where a miss counts; to this add the s_ij of what it takes

and the existence told is that of the hypothesis told.

Sources: Reid, An algorithm for tracking multiple targets (1979); Blackman, Multiple hypothesis tracking for multiple target
tracking (2004), for the likeliest one as output; Salmond, Mixture reduction algorithms for target tracking in clutter
(1990), for the union of what has become one; García-Fernández, Williams, Granström, Svensson, Poisson multi-Bernoulli
mixture filter: direct derivation and implementation (2018), for an existence in every hypothesis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray, TrackKey

Branch: TypeAlias = tuple[
    float, int, tuple[int, ...]
]  # ln W, the hypothesis it comes from, the pair each track takes or -1

MOST_TRACKS = 5  # of one set of hypotheses; beyond it, `crowds.py`
MOST_HYPOTHESES = 12
MOST_BRANCHES = 60  # that are looked at on the way
LEAST_LOG = -7.0  # ln W less than the best's: one in a thousand
CHANGES_LOG = 1.5  # numbers that go to and fro harm more than one that is wrong a little longer
SETTLES_NS = 30_000_000_000  # by then the velocities or a Remote ID have told the tracks apart, or nothing will
SAME = 1.0  # normalised square of the difference of states, six components, that makes two one


@dataclass(frozen=True, slots=True)
class Joint:
    """K hypotheses of m tracks, first that which the table holds."""

    keys: tuple[TrackKey, ...]
    log: FloatArray  # (K,) ln W less the first's
    x: FloatArray  # (K, m, 6)
    P: FloatArray  # (K, m, 6, 6)
    modes: FloatArray  # (K, m, 3), of `manoeuvres.py`
    carried_ns: IntArray  # (K, m), since when P has only been predicted
    existence: FloatArray  # (K, m)
    doubtful_ns: int  # when two of its tracks last shared a detection


def without(one: Joint, gone: BoolArray) -> Joint:
    """The same set without these of its tracks (m,), of which it is now known that there are none."""
    stays = (~gone).nonzero()[0]
    log = one.log + np.log1p(-one.existence[:, gone]).sum(axis=1)
    kept = np.concatenate([[0], 1 + (log[1:] - log.max() >= LEAST_LOG).nonzero()[0]])
    of = np.ix_(kept, stays)
    states = one.x[of], one.P[of], one.modes[of], one.carried_ns[of], one.existence[of]
    return Joint(tuple(one.keys[k] for k in stays.tolist()), log[kept] - log[0], *states, one.doubtful_ns)


def together(parts: Sequence[Joint]) -> Joint:
    """Hypotheses of all these tracks: every one of each part with every one of the others."""
    one = parts[0]
    for other in parts[1:]:
        log = one.log[:, None] + other.log
        likely = np.argsort(-log.ravel(), kind="stable")
        kept = np.concatenate([[0], likely[likely > 0]])[:MOST_HYPOTHESES]
        i, j = np.unravel_index(kept, log.shape)
        one = Joint(
            one.keys + other.keys,
            log[i, j],
            np.concatenate([one.x[i], other.x[j]], axis=1),
            np.concatenate([one.P[i], other.P[j]], axis=1),
            np.concatenate([one.modes[i], other.modes[j]], axis=1),
            np.concatenate([one.carried_ns[i], other.carried_ns[j]], axis=1),
            np.concatenate([one.existence[i], other.existence[j]], axis=1),
            max(one.doubtful_ns, other.doubtful_ns),
        )
    return one


def branches(
    log: FloatArray, tracks: int, hypothesis: IntArray, track: IntArray, plot: IntArray, score: FloatArray
) -> list[Branch]:
    """The likeliest ways to go on, the likeliest first; of k pairs: whose they are, which detection, and s_ij.

    The best of the first hypothesis, which is what was told so far, stands among them, at the end where it is unlikely.
    """
    options: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    for place, (h, i, j, gain) in enumerate(
        zip(hypothesis.tolist(), track.tolist(), plot.tolist(), score.tolist(), strict=True)
    ):
        options.setdefault((h, i), []).append((place, j, gain))
    grown: list[tuple[float, int, tuple[int, ...], frozenset[int]]] = [
        (float(value), h, (), frozenset()) for h, value in enumerate(log.tolist())
    ]
    for i in range(tracks):
        before, grown = grown, []
        for value, h, taken, used in before:
            grown.append((value, h, (*taken, -1), used))
            for place, j, gain in options.get((h, i), ()):
                if j not in used:
                    grown.append((value + gain, h, (*taken, place), used | {j}))
        grown.sort(key=lambda one: (-one[0], one[1:3]))
        firsts = next(one for one in grown if one[1] == 0)
        del grown[MOST_BRANCHES:]
        if all(one[1] > 0 for one in grown):
            grown.append(firsts)
    best = grown[0][0]
    kept = [one for one in grown[:MOST_HYPOTHESES] if one[0] - best >= LEAST_LOG]
    if all(one[1] > 0 for one in kept):
        kept.append(next(one for one in grown if one[1] == 0))
    return [(value - best, h, taken) for value, h, taken, _ in kept]


def distinct(log: FloatArray, same: BoolArray) -> tuple[list[int], FloatArray]:
    """Hypotheses that differ, the likeliest first, and their ln W; of those that are one, `same`, the likeliest stays."""
    weight: dict[int, float] = {}
    for k, one in enumerate(np.exp(log).tolist()):
        into = next((kept for kept in weight if same[kept, k]), k)
        weight[into] = weight.get(into, 0.0) + one
    kept = sorted(weight, key=lambda k: (-weight[k], k))
    total = np.log([weight[k] for k in kept])
    return kept, total - total[0]


def placed_as(x: FloatArray, held: FloatArray) -> list[tuple[int, ...]]:
    """Which place of `held` (m, 6) each track takes in each of these hypotheses (K, m, 6): a permutation."""
    apart = ((x[:, :, None, :3] - held[:, :3]) ** 2).sum(axis=-1)
    as_held, nearest = list(range(len(held))), apart.argmin(axis=2).tolist()
    return [
        tuple(as_held if place == as_held else linear_sum_assignment(one)[1].tolist())
        for one, place in zip(apart, nearest, strict=True)
    ]


def told(log: FloatArray, places: Sequence[tuple[int, ...]]) -> int:
    """Which hypothesis goes on in the table; places: as `placed_as` tells them, of the likeliest first."""
    weight: dict[tuple[int, ...], float] = {}
    for place, one in zip(places, np.exp(log - log.max()).tolist(), strict=True):
        weight[place] = weight.get(place, 0.0) + one
    as_held = tuple(range(len(places[0])))
    best = max(weight, key=lambda place: (weight[place], place))
    changes = weight[best] > weight.get(as_held, 0.0) * math.exp(CHANGES_LOG)
    return places.index(best if changes else as_held)
