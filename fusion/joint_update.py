"""What a scan does to tracks that meet: which of its detections are decided jointly, and what the hypotheses become.

    tracks and detections that share gates ─▶ hypotheses so far (or the table alone) ─▶ branches ─▶ the likeliest: the table's
                                                                                         └▶ the others: `TrackTable.joints`

The arithmetic and its sources stand in `joint.py`, that of many sets of hypotheses at once in `joint_sets.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fusion import crowds, joint, joint_sets
from fusion.association import Pairs, concatenated
from fusion.existence import BoolArray, bayes
from fusion.joint import Joint
from fusion.joint_sets import Layout, States
from fusion.measurement import IntArray
from fusion.meetings import Measure, Meetings, all_measured, brought_together, grouped, living
from fusion.track_table import TrackTable
from fusion.types import FloatArray, TrackKey

NEAR_SIGMAS = 6.0  # where a crowd stands so near, who is who would stay open for ever
DOUBTFUL_LOG = -4.6  # the second best way is at least a hundredth as likely: worth remembering

Since: TypeAlias = Callable[[IntArray, IntArray], FloatArray]  # table rows, carried_ns → s, as `pairing.unwatched_s`
Score: TypeAlias = Callable[
    [IntArray, FloatArray, Pairs], tuple[FloatArray, FloatArray]
]  # table row of each pair, its r, pairs → s_ij of `joint.py`, Λ of `existence.py`
Silent: TypeAlias = Callable[[IntArray], FloatArray]  # table rows → p g where a miss counts


@dataclass(slots=True)
class Decided:
    """What the hypotheses say of this scan."""

    pairs: Pairs  # all pairs, those of the tracks that hypotheses hold as the likeliest one has them
    is_decided: BoolArray  # (k,) its track's detection is not open any more
    chosen: IntArray  # places of the pairs that the decided tracks take


@dataclass(slots=True)
class _Branches:
    """Ways to go on of the sets that are followed, one set after the other, and what becomes of their states."""

    sets: IntArray  # which of the meetings these are
    log: FloatArray  # (b,) ln W
    hypothesis: IntArray  # (b,) that each comes from, of all meetings'
    takes: IntArray  # (b, MOST_TRACKS) the pair that each track takes, or -1
    first: IntArray  # (sets + 1,) of each set, and the end
    layout: Layout  # each branch being a hypothesis


def decide(
    table: TrackTable, time_ns: int, pairs: Pairs, measure: Measure, score: Score, since: Since, silent: Silent | None
) -> Decided | None:
    """Branch the hypotheses of tracks that share these detections; None where there are none. Moves the table's rows where
    another hypothesis has become the likeliest.

    silent: None where they are weighed already by what they say of this scan's silence."""
    meets = are_shared(pairs)
    if not table.joints and not meets:
        return None
    known, rows = living(table)
    if silent is not None and known:
        known = joint_sets.weighed(known, silent(np.concatenate(rows)))
    seen = all_measured(known, rows, measure)
    if not meets and len(seen.plots()) == 0:
        table.joints = known
        return None
    found = grouped(pairs, known, rows, seen)
    decided = None
    if found.alone or found.again or found.united:
        met = brought_together(table, pairs, known, rows, seen, found, measure)
        scores, ratio = score(met.rows[met.layout.track[met.pairs.row]], met.states.existence[met.pairs.row], met.pairs)
        followed = _branches(table, met, scores)
        if len(followed.sets):
            after = _gone_on(table, time_ns, met, followed, ratio, since)
            decided = _settled(table, time_ns, pairs, met, followed, after, found.goes_on)
    table.joints = [one for one in found.goes_on if one is not None]
    return decided


def are_shared(pairs: Pairs) -> bool:
    """Whether two of these pairs are of one detection."""
    return len(pairs.plot) > 1 and int(np.bincount(pairs.plot).max()) > 1


def silence(table: TrackTable, time_ns: int, silent: Silent, is_weighed: bool) -> list[Joint]:
    """The hypotheses after a scan: tracks that they did not see are less believed."""
    known, rows = living(table)
    if not known:
        return []
    shown = silent(np.concatenate(rows))
    if not is_weighed:
        known = joint_sets.weighed(known, shown)
    return joint_sets.missed(known, shown, time_ns)


def _branches(table: TrackTable, met: Meetings, scores: FloatArray) -> _Branches:
    """The likeliest ways to go on of those of these sets that are followed; of the others who is who is plain, and the
    assignment of all finds the same, or they lie in a crowd."""
    of, pairs = met.layout, met.pairs
    log, first_pair = np.concatenate([one.log for one in met.sets]), np.searchsorted(pairs.row, of.first_state)
    sets = of.tracks, of.first_hypothesis, of.first_state
    log, hypothesis, takes, first = table.kernels.branches(log, *sets, pairs.row, pairs.plot, scores, first_pair)
    known = np.diff(of.first_hypothesis) > 1
    doubtful = (np.diff(first) > 1) & (log[np.minimum(first[:-1] + 1, len(log) - 1)] >= DOUBTFUL_LOG)
    is_open = known | doubtful
    if (is_open & ~known).any():
        confirmed_m = table.x[table.is_confirmed & (table.direction_of < 0), :3]
        for place in (is_open & ~known).nonzero()[0].tolist():
            rows = met.rows[of.first_track[place] : of.first_track[place + 1]]
            is_open[place] = not _stands_in_crowd(table, confirmed_m, rows)
    followed, ways = is_open.nonzero()[0], is_open[of.set_of[hypothesis]].nonzero()[0]
    counts = np.diff(first)[followed].tolist()
    layout = joint_sets.laid_out(tuple(zip(counts, of.tracks[followed].tolist(), strict=True)))
    return _Branches(followed, log[ways], hypothesis[ways], takes[ways], layout.first_hypothesis, layout)


def _stands_in_crowd(table: TrackTable, confirmed_m: FloatArray, rows: IntArray) -> bool:
    """Whether of these places of confirmed tracks as many as make a crowd lie within some sigmas of one of these rows."""
    reaches_m2 = NEAR_SIGMAS**2 * table.P[rows, :3, :3].trace(axis1=1, axis2=2)
    for place_m, reach_m2 in zip(table.x[rows, :3], reaches_m2, strict=True):
        near = (confirmed_m[:, 0] - place_m[0]) ** 2 < reach_m2
        if np.count_nonzero(near) >= crowds.CROWD:
            apart_m2 = ((confirmed_m[near] - place_m) ** 2).sum(axis=1)
            if np.count_nonzero(apart_m2 < reach_m2) >= crowds.CROWD:
                return True
    return False


def _gone_on(
    table: TrackTable, time_ns: int, met: Meetings, ways: _Branches, ratio: FloatArray, since: Since
) -> States:
    """The states of all branches, after what each takes; what several of them take is worked in once. ratio: Λ."""
    before, pairs = met.states, met.pairs
    after = before.at(met.layout.states_of(ways.hypothesis))
    taken = ways.takes[ways.layout.hypothesis, ways.layout.place]
    taking = (taken >= 0).nonzero()[0]
    if len(taking) == 0:
        return after
    places, which = np.unique(taken[taking], return_inverse=True)
    state = pairs.row[places]
    since_s = since(met.rows[met.layout.track[state]], before.carried_ns[state])
    seen = pairs.y[places], pairs.H[places], pairs.R[places]
    states, wholly = (before.x[state], before.P[state], before.modes[state]), np.ones(len(state))
    x, P, modes = table.kernels.filtered(*states, *seen, table.q, since_s, wholly)
    after.x[taking], after.P[taking], after.modes[taking] = x[which], P[which], modes[which]
    after.carried_ns[taking] = time_ns
    after.existence[taking] = bayes(before.existence[state], ratio[places])[which]
    return after


def _settled(
    table: TrackTable,
    time_ns: int,
    pairs: Pairs,
    met: Meetings,
    ways: _Branches,
    after: States,
    goes_on: list[Joint | None],
) -> Decided | None:
    """What these branches, whose states these are, mean: rows are moved to where the likeliest have them, what goes on beside
    the table comes into its place of `goes_on`, and all pairs come again, in the order of their rows."""
    layout, is_held = met.layout, ways.hypothesis == met.layout.first_hypothesis[ways.sets][ways.layout.set_of]
    kept, log, first, stood = table.kernels.settled(after.x, after.P, ways.log, is_held, ways.first, ways.layout.tracks)
    sound = np.diff(first).nonzero()[0]  # the others' states are not finite
    if len(sound) == 0:
        return None
    told, sets = kept[first[sound]], ways.sets[sound]  # the branch of each set that the table goes on with
    hypothesis, takes = ways.hypothesis[told], ways.takes[told]
    rows = met.rows[layout.track]
    is_told = np.isin(layout.hypothesis[met.pairs.row], hypothesis)
    theirs, is_taken = met.pairs.at(is_told.nonzero()[0]), np.zeros(len(is_told), dtype=bool)
    is_taken[takes[takes >= 0]] = True
    is_shared = _share(layout.set_of[layout.hypothesis[theirs.row]], theirs.plot)
    stays, branches = list[tuple[tuple[TrackKey, ...], FloatArray, int]](), list[IntArray]()
    places = list[int]()
    for place, (begin, end) in zip(
        sets.tolist(), np.stack([first[sound], first[sound + 1]], axis=1).tolist(), strict=True
    ):
        one = met.sets[place]
        doubtful_ns = time_ns if place in is_shared else one.doubtful_ns
        if end - begin > 1 and time_ns - doubtful_ns < joint.SETTLES_NS:
            stays.append((one.keys, log[begin:end], doubtful_ns))
            branches.append(kept[begin:end])
            places.append(met.places[place])
    if stays:
        states = after.at(ways.layout.states_of(np.concatenate(branches)))
        for place, one in zip(places, joint_sets.parted(stays, states), strict=True):
            goes_on[place] = one
    moves = (hypothesis != layout.first_hypothesis[sets]).nonzero()[0]
    if len(moves):
        _move(table, met, layout.states_of(hypothesis[moves]), stood[sound[moves]])
    others = pairs.chosen((~np.isin(pairs.row, rows[layout.states_of(hypothesis)])).nonzero()[0])
    every = concatenated([others, theirs.of_rows(rows[theirs.row])])
    order = np.lexsort((every.plot, every.row))
    is_chosen = np.concatenate([np.zeros(len(others.row), dtype=bool), is_taken[is_told]])
    return Decided(every.at(order), order >= len(others.row), is_chosen[order].nonzero()[0])


def _share(set_of: IntArray, plot: IntArray) -> set[int]:
    """Which sets have two pairs with one detection, of the pairs of their likeliest hypotheses."""
    seen = set_of * (int(plot.max(initial=0)) + 1) + plot
    _, first, count = np.unique(seen, return_index=True, return_counts=True)
    return set(set_of[first[count > 1]].tolist())


def _move(table: TrackTable, met: Meetings, states: IntArray, stood: IntArray) -> None:
    """Rows become what these states of the meetings say; stood: whose place each track of each set takes in it."""
    track, first = met.layout.track[states], met.layout.first_track[met.layout.set_of[met.layout.hypothesis[states]]]
    rows, of = met.rows[track], met.states.at(states)
    table.x[rows], table.P[rows], table.modes[rows] = of.x, of.P, of.modes
    table.carried_ns[rows], table.existence[rows] = of.carried_ns, of.existence
    table.updated_x[rows], table.leaning[rows] = of.x, table.leaning[met.rows[first + stood[stood >= 0]]]
