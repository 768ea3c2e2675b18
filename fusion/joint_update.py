"""What a scan does to tracks that meet: which of its detections are decided jointly, and what the hypotheses become.

    tracks and detections that share gates ─▶ hypotheses so far (or the table alone) ─▶ branches ─▶ the likeliest: the table's
                                                                                         └▶ the others: `TrackTable.joints`

The arithmetic and its sources stand in `joint.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, compress
from typing import TypeAlias

import numpy as np

from fusion import crowds, joint
from fusion.assignment import groups
from fusion.association import Pairs, concatenated
from fusion.existence import BoolArray, bayes
from fusion.joint import Branch, Joint
from fusion.measurement import IntArray
from fusion.track_table import TrackTable
from fusion.types import FloatArray, TrackKey

NEAR_SIGMAS = 6.0  # where a crowd stands so near, who is who would stay open for ever
DOUBTFUL_LOG = -4.6  # the second best way is at least a hundredth as likely: worth remembering

Measure: TypeAlias = Callable[
    [IntArray, FloatArray, FloatArray], Pairs
]  # table rows, x, P → pairs; `row` counts these states
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
class _Case:
    """Tracks that meet, in this scan or in one before."""

    one: Joint
    rows: IntArray  # of the tracks
    pairs: Pairs  # of all states, which `row` counts hypothesis by hypothesis


@dataclass(slots=True)
class _Measured:
    """The pairs of all states of several sets of hypotheses, in the order of the states."""

    pairs: Pairs | None  # `row` counts all states; None where there are none
    row_of: IntArray  # the table's row of each state
    first_state: list[int]  # of each set, and the end
    first_pair: list[int]

    def of(self, k: int) -> Pairs:
        """Those of one set; `row` counts its states, hypothesis by hypothesis."""
        assert self.pairs is not None
        part = self.pairs.between(self.first_pair[k], self.first_pair[k + 1])
        return replace(part, row=part.row - self.first_state[k])

    def rows(self) -> IntArray:
        """The table's row of each pair."""
        return self.row_of[:0] if self.pairs is None else self.row_of[self.pairs.row]

    def plots(self) -> IntArray:
        """The detection of each pair."""
        return self.row_of[:0] if self.pairs is None else self.pairs.plot

    def is_seen(self, k: int) -> bool:
        """Whether there is a detection that one of its tracks may have made."""
        return self.first_pair[k + 1] > self.first_pair[k]


@dataclass(slots=True)
class _Decision:
    rows: IntArray  # of the tracks
    pairs: Pairs  # of the likeliest hypothesis, `row` as in the table
    chosen: list[int]  # places among them
    stays: Joint | None  # what goes on beside the table
    moved: (
        tuple[FloatArray, FloatArray, FloatArray, IntArray, FloatArray, IntArray] | None
    )  # x, P, modes, carried_ns, existence where the rows are another's, and the row in whose place each then is


def decide(
    table: TrackTable, time_ns: int, pairs: Pairs, measure: Measure, score: Score, since: Since, silent: Silent | None
) -> Decided | None:
    """Branch the hypotheses of tracks that share these detections; None where there are none. Moves the table's rows where
    another hypothesis has become the likeliest.

    silent: None where they are weighed already by what they say of this scan's silence."""
    shared = np.bincount(pairs.plot, minlength=1)[pairs.plot] > 1
    if not table.joints and not shared.any():
        return None
    cases = _cases(table, pairs, measure, silent)
    decisions = iter(_branched(table, time_ns, [case for case in cases if isinstance(case, _Case)], score, since))
    decided: list[_Decision] = []
    stays: list[Joint] = []
    for case in cases:
        if isinstance(case, Joint):
            stays.append(case)
        elif (decision := next(decisions)) is not None:
            decided.append(decision)
            if decision.stays is not None:
                stays.append(decision.stays)
    table.joints = stays
    return _as_decided(table, pairs, decided)


def _cases(table: TrackTable, pairs: Pairs, measure: Measure, silent: Silent | None) -> list[_Case | Joint]:
    """Tracks whose detections are decided jointly, and the hypotheses of those of which none was seen."""
    known, rows = living(table)
    if silent is not None:
        known = [joint.weighed(one, share) for one, share in zip(known, _of_each(silent, rows), strict=True)]
    seen = _all_measured(known, rows, measure)
    of_known = np.concatenate([*rows, np.zeros(0, dtype=np.int64)])
    number = np.repeat(np.arange(len(rows)), [len(row) for row in rows])  # of the set that each of those rows is of
    held = np.zeros(len(table), dtype=bool)
    held[of_known] = True
    free = (~held[pairs.row]).nonzero()[0]
    nodes = np.concatenate([pairs.row[free], seen.rows(), of_known])
    plots = np.concatenate([pairs.plot[free], seen.plots(), -1 - number])
    meets = ((np.bincount(nodes)[nodes] > 1) | (np.bincount(plots + len(rows))[plots + len(rows)] > 1)).nonzero()[0]
    set_of = dict(zip(of_known.tolist(), number.tolist(), strict=True))
    cases: list[_Case | Joint] = []
    united: dict[int, tuple[Joint, IntArray]] = {}  # by place among the cases: what is yet to be looked at
    for members in groups(nodes[meets], plots[meets]):
        met = meets[members]
        track, shows = sorted(set(nodes[met].tolist())), {plot for plot in plots[met].tolist() if plot >= 0}
        if len(track) == 1 or len(track) > joint.MOST_TRACKS or len(shows) >= crowds.CROWD:
            continue
        within = sorted({set_of[row] for row in track if row in set_of})
        alone = [row for row in track if row not in set_of]
        if not within:
            cases.append(_Case(_alone(table, alone), np.array(alone), _renumbered(pairs.at(free[met]), alone)))
        elif len(within) == 1 and not alone:
            one = known[within[0]]
            cases.append(_Case(one, rows[within[0]], seen.of(within[0])) if seen.is_seen(within[0]) else one)
        else:
            one = joint.together([*(known[k] for k in within), *([_alone(table, alone)] if alone else [])])
            order = np.concatenate([*(rows[k] for k in within), np.array(alone, dtype=np.int64)])
            united[len(cases)] = one, order
            cases.append(one)
    looked = _all_measured([one for one, _ in united.values()], [order for _, order in united.values()], measure)
    for k, (place, (one, order)) in enumerate(united.items()):
        cases[place] = _Case(one, order, looked.of(k))
    return cases


def living(table: TrackTable) -> tuple[list[Joint], list[IntArray]]:
    """Hypotheses of tracks that are still there, in space, the first of each as the table holds it; and their rows."""
    if not table.joints:
        return [], []
    row_of = table.rows_of([key for one in table.joints for key in one.keys])
    left = [_of_living(table, one, row_of) for one in table.joints]
    living = [one for one in left if one is not None and all(table.direction_of[row_of[key]] < 0 for key in one.keys)]
    if not living:
        return [], []
    rows = [np.array([row_of[key] for key in one.keys]) for one in living]
    states, sizes = joint.states_of(living), [one.carried_ns.size for one in living]
    begins = np.cumsum([0, *sizes[:-1]]).tolist()
    held = np.concatenate([np.arange(begin, begin + len(row)) for begin, row in zip(begins, rows, strict=True)])
    row = np.concatenate(rows)
    states.x[held], states.P[held] = table.x[row], table.P[row]
    states.modes[held], states.carried_ns[held] = table.modes[row], table.carried_ns[row]
    states.existence[held] = table.existence[row]
    return joint.with_states(living, states), rows


def _of_living(table: TrackTable, one: Joint, row_of: dict[TrackKey, int]) -> Joint | None:
    """This set without the tracks that were given up as unseen; None where too few remain, or one became another."""
    gone = np.array([key not in row_of for key in one.keys])
    if not gone.any():
        return one
    ends = {table.ended.get(key, (0, "retracted"))[1] for key in compress(one.keys, gone.tolist())}
    if ends != {"unseen"} or np.count_nonzero(~gone) < 2:
        return None
    left = joint.without(one, gone)
    return left if len(left.log) > 1 else None


def silence(table: TrackTable, time_ns: int, silent: Silent, is_weighed: bool) -> list[Joint]:
    """The hypotheses after a scan: tracks that they did not see are less believed."""
    known, rows = living(table)
    shown = _of_each(silent, rows)
    if not is_weighed:
        known = [joint.weighed(one, share) for one, share in zip(known, shown, strict=True)]
    return [joint.missed(one, share, time_ns) for one, share in zip(known, shown, strict=True)]


def _of_each(silent: Silent, rows: Sequence[IntArray]) -> list[FloatArray]:
    """p g of the tracks of each of these sets, asked for all at once."""
    if not rows:
        return []
    return np.split(silent(np.concatenate(rows)), np.cumsum([len(of) for of in rows])[:-1])


def _alone(table: TrackTable, rows: list[int]) -> Joint:
    """The table's own view of these rows: one hypothesis."""
    keys = tuple(table.keys[row] for row in rows)
    x, P, modes = table.x[rows][None], table.P[rows][None], table.modes[rows][None]
    carried_ns, existence = table.carried_ns[rows][None], table.existence[rows][None]
    return Joint(keys, np.zeros(1), x, P, modes, carried_ns, existence, table.time_ns or 0)


def _all_measured(joints: Sequence[Joint], rows: Sequence[IntArray], measure: Measure) -> _Measured:
    """One look at all states of these sets, of tracks in these rows."""
    names = [row for one, of in zip(joints, rows, strict=True) for row in of.tolist() * len(one.log)]
    first = [0, *accumulate(one.carried_ns.size for one in joints)]
    if not joints:
        return _Measured(None, np.array(names, dtype=np.int64), first, first)
    states = joint.states_of(joints)
    row_of = np.array(names)
    pairs = measure(row_of, states.x, states.P)
    return _Measured(pairs, row_of, first, np.searchsorted(pairs.row, first).tolist())


def _renumbered(pairs: Pairs, rows: list[int]) -> Pairs:
    return replace(pairs, row=np.searchsorted(rows, pairs.row))


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


def _branched(
    table: TrackTable, time_ns: int, cases: Sequence[_Case], score: Score, since: Since
) -> list[_Decision | None]:
    """What becomes of each of these; None: who is who is plain, and the assignment of all finds the same, or it lies in a
    crowd."""
    ways, ratios = _ways(cases, score)
    confirmed_m = table.x[table.is_confirmed & (table.direction_of < 0), :3]
    is_open = [
        len(case.one.log) > 1
        or (len(of) > 1 and of[1][0] >= DOUBTFUL_LOG and not _stands_in_crowd(table, confirmed_m, case.rows))
        for case, of in zip(cases, ways, strict=True)
    ]
    followed, their_ways = list(compress(cases, is_open)), list(compress(ways, is_open))
    gone_on = _gone_on(table, time_ns, followed, their_ways, list(compress(ratios, is_open)), since)
    decisions = [
        _decision(time_ns, *of) for of in zip(followed, their_ways, gone_on, joint.alike(gone_on), strict=True)
    ]
    decided = iter(decisions)
    return [next(decided) if one else None for one in is_open]


def _ways(cases: Sequence[_Case], score: Score) -> tuple[list[list[Branch]], list[FloatArray]]:
    """The likeliest ways in which each of these may go on; and Λ of each of its pairs."""
    if not cases:
        return [], []
    rows = [case.rows[case.pairs.row % len(case.rows)] for case in cases]
    r = np.concatenate([case.one.existence.reshape(-1)[case.pairs.row] for case in cases])
    scores, ratios = score(np.concatenate(rows), r, concatenated([case.pairs for case in cases]))
    ends = np.cumsum([len(row) for row in rows])[:-1]
    found = []
    for case, of in zip(cases, np.split(scores, ends), strict=True):
        hypothesis, track = np.divmod(case.pairs.row, len(case.rows))
        found.append(joint.branches(case.one.log, len(case.rows), hypothesis, track, case.pairs.plot, of))
    return found, np.split(ratios, ends)


def _gone_on(
    table: TrackTable,
    time_ns: int,
    cases: Sequence[_Case],
    ways: Sequence[Sequence[Branch]],
    ratios: Sequence[FloatArray],
    since: Since,
) -> list[Joint]:
    """All branches of each of these, after what each takes; what several branches take is worked in once. ratios: Λ."""
    if not cases:
        return []
    grown: list[Joint] = []
    of_state: list[int] = []  # states of `grown` that take something,
    taken_pair: list[int] = []  # and which pair of all
    first_pair = first_state = 0
    for case, branches in zip(cases, ways, strict=True):
        one, parent = case.one, [h for _, h, _ in branches]
        states = one.x[parent], one.P[parent], one.modes[parent], one.carried_ns[parent], one.existence[parent]
        grown.append(Joint(one.keys, np.array([log for log, _, _ in branches]), *states, one.doubtful_ns))
        for place in chain.from_iterable(taken for _, _, taken in branches):
            if place >= 0:
                of_state.append(first_state)
                taken_pair.append(first_pair + place)
            first_state += 1
        first_pair += len(case.pairs.row)
    if not taken_pair:
        return grown
    places, which = np.unique(taken_pair, return_inverse=True)
    pairs = concatenated([case.pairs for case in cases]).at(places)
    begins = np.cumsum([0, *(case.one.carried_ns.size for case in cases)])[:-1]
    state = pairs.row + np.repeat(begins, [len(case.pairs.row) for case in cases])[places]
    before, after = joint.states_of([case.one for case in cases]), joint.states_of(grown)
    rows = np.concatenate([case.rows[case.pairs.row % len(case.rows)] for case in cases])[places]
    since_s = since(rows, before.carried_ns[state])
    seen = pairs.y, pairs.H, pairs.R
    modes, P = table.kernels.weighed(before.modes[state], before.P[state], *seen, table.q, since_s)
    x, P = table.kernels.update(before.x[state], P, *seen)
    after.x[of_state], after.P[of_state], after.modes[of_state] = x[which], P[which], modes[which]
    after.carried_ns[of_state] = time_ns
    after.existence[of_state] = bayes(before.existence[state], np.concatenate(ratios)[places])[which]
    return joint.with_states(grown, after)


def _decision(
    time_ns: int, case: _Case, ways: Sequence[Branch], gone_on: Joint, is_alike: BoolArray
) -> _Decision | None:
    """What the branches of one case mean; is_alike: which of them are one, as `joint.alike` tells."""
    one, rows, pairs, x = case.one, case.rows, case.pairs, gone_on.x
    if not np.isfinite(x.sum() + gone_on.P.sum()):
        return None
    kept, log = joint.distinct(gone_on.log, is_alike)
    held = next(k for k, (_, h, _) in enumerate(ways) if h == 0)  # the likeliest way to go on with what was told
    places = joint.placed_as(x[kept], x[held])
    told = joint.told(log, places)
    order = [told, *(k for k in range(len(kept)) if k != told and log[k] >= joint.LEAST_LOG)]
    kept, log = [kept[k] for k in order], log[order] - log[told]
    _, h, takes = ways[kept[0]]
    of = (pairs.row // len(rows) == h).nonzero()[0]
    theirs = pairs.at(of)
    theirs = replace(theirs, row=rows[theirs.row % len(rows)])
    is_shared = len(set(theirs.plot.tolist())) < len(of)
    doubtful_ns = time_ns if is_shared else one.doubtful_ns
    goes_on = len(kept) > 1 and time_ns - doubtful_ns < joint.SETTLES_NS
    states = x[kept], gone_on.P[kept], gone_on.modes[kept], gone_on.carried_ns[kept], gone_on.existence[kept]
    stays = Joint(one.keys, log, *states, doubtful_ns) if goes_on else None
    before = one.x[h], one.P[h], one.modes[h], one.carried_ns[h], one.existence[h]
    moved = (*before, rows[list(places[told])]) if h > 0 else None
    chosen = np.searchsorted(of, [place for place in takes if place >= 0]).tolist()
    return _Decision(rows, theirs, chosen, stays, moved)


def _as_decided(table: TrackTable, pairs: Pairs, decisions: Sequence[_Decision]) -> Decided | None:
    """Rows moved to where the likeliest hypotheses have them, and all pairs again, in the order of their rows."""
    if not decisions:
        return None
    for decision in decisions:
        if decision.moved is not None:
            rows = decision.rows
            x, P, table.modes[rows], table.carried_ns[rows], table.existence[rows], stood = decision.moved
            table.x[rows], table.P[rows] = x, P
            table.updated_x[rows], table.leaning[rows] = table.x[rows], table.leaning[stood]
    others = pairs.chosen((~np.isin(pairs.row, np.concatenate([d.rows for d in decisions]))).nonzero()[0])
    every = concatenated([others, *(decision.pairs for decision in decisions)])
    is_decided, chosen, first = (
        np.zeros(len(every.row), dtype=bool),
        np.zeros(len(every.row), dtype=bool),
        len(others.row),
    )
    is_decided[first:] = True
    for decision in decisions:
        chosen[[first + place for place in decision.chosen]] = True
        first += len(decision.pairs.row)
    order = np.lexsort((every.plot, every.row))
    return Decided(every.at(order), is_decided[order], chosen[order].nonzero()[0])
