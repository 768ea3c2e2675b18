"""Many sets of joint hypotheses at once: what `joint.py` says of one, with the arithmetic done for all.

Sets stand one after the other, each hypothesis by hypothesis, each of those track by track:

    set         0                   1
    hypothesis  0       1           2
    state       0 1     2 3         4 5 6        hypotheses and states are counted through

`branches` and `settled` decide set by set; they are compiled where the site asks for it (`kernels.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fusion import filters, joint, manoeuvres, motion
from fusion.existence import BoolArray, bayes, survive
from fusion.joint import Joint
from fusion.measurement import IntArray
from fusion.types import FloatArray, TrackKey


@dataclass(frozen=True, slots=True)
class States:
    """The states of all these sets; n in all."""

    x: FloatArray  # (n, 6)
    P: FloatArray  # (n, 6, 6)
    modes: FloatArray  # (n, 3)
    carried_ns: IntArray  # (n,)
    existence: FloatArray  # (n,)

    def at(self, places: IntArray) -> States:
        """The states at these places, in their order."""
        columns = self.x[places], self.P[places], self.modes[places], self.carried_ns[places], self.existence[places]
        return States(*columns)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what belongs to s sets stands; h hypotheses and n states in all."""

    tracks: IntArray  # (s,) how many tracks each set is of
    first_hypothesis: IntArray  # (s + 1,) of each set, and the end
    first_state: IntArray  # (s + 1,)
    first_track: IntArray  # (s + 1,), the tracks of all sets being counted through
    set_of: IntArray  # (h,) each hypothesis's
    state_of: IntArray  # (h,) the first state of each
    hypothesis: IntArray  # (n,) each state's
    place: IntArray  # (n,) of its track in its set
    track: IntArray  # (n,) its track, counted through

    def states_of(self, hypotheses: IntArray) -> IntArray:
        """The states of these hypotheses, one after the other."""
        size = self.tracks[self.set_of[hypotheses]]
        begins = np.repeat(self.state_of[hypotheses] - (np.cumsum(size) - size), size)
        return begins + np.arange(len(begins))


@lru_cache(maxsize=256)  # from one step of a scan to the next most stay as they are
def laid_out(sizes: tuple[tuple[int, int], ...]) -> Layout:
    """Of sets of so many hypotheses and tracks; not to be written to."""
    hypotheses, tracks = np.array(sizes, dtype=np.int64).reshape(-1, 2).T.copy()
    set_of = np.repeat(np.arange(len(tracks)), hypotheses)
    size = tracks[set_of]
    state_of = np.cumsum(size) - size
    hypothesis = np.repeat(np.arange(len(set_of)), size)
    place = np.arange(len(hypothesis)) - state_of[hypothesis]
    first_track = _begins(tracks)
    track = first_track[set_of[hypothesis]] + place
    firsts = _begins(hypotheses), _begins(hypotheses * tracks), first_track
    return Layout(tracks, *firsts, set_of, state_of, hypothesis, place, track)


def layout_of(joints: Sequence[Joint]) -> Layout:
    """Of these sets."""
    return laid_out(tuple((len(one.log), len(one.keys)) for one in joints))


def states_of(joints: Sequence[Joint]) -> States:
    """All states of these sets, of which there is at least one."""
    return States(
        np.concatenate([one.x.reshape(-1, 6) for one in joints]),
        np.concatenate([one.P.reshape(-1, 6, 6) for one in joints]),
        np.concatenate([one.modes.reshape(-1, 3) for one in joints]),
        np.concatenate([one.carried_ns.reshape(-1) for one in joints]),
        np.concatenate([one.existence.reshape(-1) for one in joints]),
    )


def with_states(joints: Sequence[Joint], states: States) -> list[Joint]:
    """The same sets of hypotheses with other states."""
    known = [(one.keys, one.log, one.doubtful_ns) for one in joints]
    return parted(known, states)


def parted(known: Sequence[tuple[tuple[TrackKey, ...], FloatArray, int]], states: States) -> list[Joint]:
    """Sets of these keys, ln W and times of their last doubt, with these states."""
    found, begin = [], 0
    for keys, log, doubtful_ns in known:
        shape = len(log), len(keys)
        end = begin + shape[0] * shape[1]
        found.append(
            Joint(
                keys,
                log,
                states.x[begin:end].reshape(*shape, 6),
                states.P[begin:end].reshape(*shape, 6, 6),
                states.modes[begin:end].reshape(*shape, 3),
                states.carried_ns[begin:end].reshape(shape),
                states.existence[begin:end].reshape(shape),
                doubtful_ns,
            )
        )
        begin = end
    return found


def predicted(
    joints: Sequence[Joint], dt_s: float, q: FloatArray, ends_per_s: float, carry: Callable[..., None] = motion.carry
) -> list[Joint]:
    """The same sets, dt_s later; q (3,), the site's; ends_per_s: how often an object ends."""
    if not joints:
        return []
    states = states_of(joints)
    leaning = np.zeros((len(states.x), 6, 0))
    carry(states.x, states.P, leaning, q * manoeuvres.factor(states.modes)[:, None], dt_s)
    states.existence[:] = survive(states.existence, dt_s, ends_per_s)
    return with_states(joints, states)


def weighed(joints: Sequence[Joint], silent: FloatArray) -> list[Joint]:
    """The same sets, their hypotheses weighed by what they say of a scan in which no track is seen; silent: p g of the tracks
    of all sets."""
    if not joints:
        return []
    layout, existence = layout_of(joints), np.concatenate([one.existence.reshape(-1) for one in joints])
    unseen = np.add.reduceat(np.log1p(-existence * silent[layout.track]), layout.state_of)
    log = np.concatenate([one.log for one in joints]) + unseen
    log -= log[layout.first_hypothesis[layout.set_of]]
    ends = layout.first_hypothesis.tolist()
    return [replace(one, log=log[begin:end]) for one, begin, end in zip(joints, ends, ends[1:], strict=False)]


def missed(joints: Sequence[Joint], silent: FloatArray, time_ns: int) -> list[Joint]:
    """The same sets after a scan at this time; silent as above: of tracks that it did not see there is less."""
    if not joints:
        return []
    states, track = states_of(joints), layout_of(joints).track
    r = np.where(states.carried_ns == time_ns, states.existence, bayes(states.existence, 1.0 - silent[track]))
    return with_states(joints, replace(states, existence=r))


def spread(joints: Sequence[Joint]) -> FloatArray:
    """What the other hypotheses add to the covariances of the first ones, of the tracks of all these sets, (tracks, 6, 6)."""
    layout, x = layout_of(joints), np.concatenate([one.x.reshape(-1, 6) for one in joints])
    first, weight = layout.first_hypothesis[:-1], np.exp(np.concatenate([one.log for one in joints]))
    weight /= np.add.reduceat(weight, first)[layout.set_of]
    track = layout.track
    apart = x - x[layout.states_of(first)][track]
    found = np.zeros((int(layout.first_track[-1]), 6, 6))
    np.add.at(found, track, weight[layout.hypothesis, None, None] * apart[:, :, None] * apart[:, None, :])
    return found


def branches(
    log: FloatArray,
    tracks: IntArray,
    first_hypothesis: IntArray,
    first_state: IntArray,
    state: IntArray,
    plot: IntArray,
    score: FloatArray,
    first_pair: IntArray,
) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    """`joint.branches` of each of s sets; of k pairs, which stand by their states: whose they are, which detection, and s_ij;
    first_pair (s + 1,): of each set, and the end.

    Returns of b branches ln W, (b,), the hypothesis that each comes from, (b,), the pair that each track takes or -1,
    (b, MOST_TRACKS), and which is the first of each set, (s + 1,)."""
    found, counts = [], []
    for s, (size, begin, end) in enumerate(zip(tracks.tolist(), first_pair, first_pair[1:], strict=False)):
        hypothesis, track = np.divmod(state[begin:end] - first_state[s], size)
        of = log[first_hypothesis[s] : first_hypothesis[s + 1]]
        ways = joint.branches(of, size, hypothesis, track, plot[begin:end], score[begin:end])
        rest = (-1,) * (joint.MOST_TRACKS - size)
        found += [
            (value, int(first_hypothesis[s]) + h, [p + int(begin) if p >= 0 else p for p in (*taken, *rest)])
            for value, h, taken in ways
        ]
        counts.append(len(ways))
    values, hypotheses, takes = zip(*found, strict=True) if found else ((), (), ())
    whole = np.array(takes, dtype=np.int64).reshape(-1, joint.MOST_TRACKS)
    return (
        np.array(values, float),
        np.array(hypotheses, dtype=np.int64),
        whole,
        _begins(np.array(counts, dtype=np.int64)),
    )


def settled(
    x: FloatArray, P: FloatArray, log: FloatArray, is_held: BoolArray, first_branch: IntArray, tracks: IntArray
) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """Which branches go on of each of s sets, of whose b branches these are the states, ln W, and whether they come from what
    was told; that which is told next comes first.

    Returns the branches that are kept, (k,), their ln W less the first's, (k,), which is the first of each set, (s + 1,),
    and whose place each track takes in it, (s, MOST_TRACKS). Of a set whose states are not finite none is kept."""
    layout = laid_out(tuple(zip(np.diff(first_branch).tolist(), tracks.tolist(), strict=True)))
    same = alike(x, P, layout)
    kept_of: list[IntArray] = []
    log_of: list[FloatArray] = []
    places_of = np.full((len(tracks), joint.MOST_TRACKS), -1, dtype=np.int64)
    for s, size in enumerate(tracks.tolist()):
        states, of = slice(*layout.first_state[s : s + 2]), slice(*first_branch[s : s + 2])
        if not np.isfinite(x[states].sum() + P[states].sum()):
            kept_of.append(np.zeros(0, dtype=np.int64))
            continue
        its_x = x[states].reshape(-1, size, 6)
        kept, weight = joint.distinct(log[of], same[s])
        places = joint.placed_as(its_x[kept], its_x[int(is_held[of].argmax())])  # the likeliest that goes on as told
        told = joint.told(weight, places)
        order = [told, *(k for k in range(len(kept)) if k != told and weight[k] >= joint.LEAST_LOG)]
        kept_of.append(of.start + np.array(kept)[order])
        log_of.append(weight[order] - weight[told])
        places_of[s, :size] = places[told]
    first = _begins(np.array([len(kept) for kept in kept_of], dtype=np.int64))
    return np.concatenate([*kept_of, first[:0]]), np.concatenate([*log_of, log[:0]]), first, places_of


def alike(x: FloatArray, P: FloatArray, layout: Layout) -> list[BoolArray]:
    """Of each set, which hypotheses (K, K) are in one place in all tracks, a likelier one before a less likely one."""
    of, two = [], []
    for begin, end in zip(layout.first_hypothesis.tolist(), layout.first_hypothesis.tolist()[1:], strict=False):
        first, second = _every_two(end - begin)
        of.append(layout.states_of(begin + first))
        two.append(layout.states_of(begin + second))
    if not of:
        return []
    one, other = np.concatenate(of), np.concatenate(two)
    square, _ = filters.squared_distance(x[one] - x[other], P[one])
    found, begin = [], 0
    for count, size, states in zip(np.diff(layout.first_hypothesis).tolist(), layout.tracks.tolist(), of, strict=True):
        same: BoolArray = np.zeros((count, count), dtype=bool)
        near = square[begin : begin + len(states)].reshape(-1, size) < joint.SAME
        same[_every_two(count)] = near.all(axis=1)
        found.append(same)
        begin += len(states)
    return found


@lru_cache(maxsize=64)
def _every_two(count: int) -> tuple[IntArray, IntArray]:
    """Places of all pairs of so many, the smaller first; not to be written to."""
    first, second = np.triu_indices(count, 1)
    return first, second


def _begins(counts: IntArray) -> IntArray:
    """Where each of groups of so many begins, and the end, (s + 1,)."""
    found = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=found[1:])
    return found
