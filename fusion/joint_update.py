"""What a scan does to tracks that meet: which of its detections are decided jointly, and what the hypotheses become.

    tracks and detections that share gates ─▶ hypotheses so far (or the table alone) ─▶ branches ─▶ the likeliest: the table's
                                                                                         └▶ the others: `TrackTable.joints`

The arithmetic and its sources stand in `joint.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from fusion import crowds, joint
from fusion.assignment import groups
from fusion.association import Pairs, concatenated
from fusion.existence import BoolArray
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
Score: TypeAlias = Callable[[IntArray, Pairs], FloatArray]  # table row of each pair, pairs → s_ij of `joint.py`


@dataclass(slots=True)
class Decided:
    """What the hypotheses say of this scan."""

    pairs: Pairs  # all pairs, those of the tracks that hypotheses hold as the likeliest one has them
    is_decided: BoolArray  # (k,) its track's detection is not open any more
    chosen: IntArray  # places of the pairs that the decided tracks take


def decide(
    table: TrackTable, time_ns: int, pairs: Pairs, measure: Measure, score: Score, since: Since
) -> Decided | None:
    """Branch the hypotheses of tracks that share these detections; None where there are none. Moves the table's rows where
    another hypothesis has become the likeliest."""
    shared = np.bincount(pairs.plot, minlength=1)[pairs.plot] > 1
    if not table.joints and not shared.any():
        return None
    place = {key: row for row, key in enumerate(table.keys)} if table.joints else {}
    known = [_of_table(table, one, [place[key] for key in one.keys]) for one in _living(table, place)]
    rows = [np.array([place[key] for key in one.keys]) for one in known]
    seen = _all_measured(known, rows, measure)
    held = np.isin(pairs.row, np.concatenate([*rows, np.zeros(0, dtype=np.int64)]))
    node = [pairs.row[~held], *(row[of.row % len(row)] for row, of in zip(rows, seen, strict=True)), *rows]
    plot = [pairs.plot[~held], *(of.plot for of in seen), *(np.full(len(row), -1 - k) for k, row in enumerate(rows))]
    nodes, plots = np.concatenate(node), np.concatenate(plot)
    decided: list[_Decision] = []
    stays: list[Joint] = []
    first = {int(row[0]): k for k, row in enumerate(rows)}
    meets = ((np.bincount(nodes)[nodes] > 1) | (np.bincount(plots + len(rows))[plots + len(rows)] > 1)).nonzero()[0]
    free = (~held).nonzero()[0]
    for members in groups(nodes[meets], plots[meets]):
        met = meets[members]
        track, shows = sorted(set(nodes[met].tolist())), {plot for plot in plots[met].tolist() if plot >= 0}
        if len(track) == 1 or len(track) > joint.MOST_TRACKS or len(shows) >= crowds.CROWD:
            continue
        within = sorted(first[row] for row in track if row in first)
        spoken_for = {row for k in within for row in rows[k].tolist()}
        alone = [row for row in track if row not in spoken_for]
        if len(within) == 1 and not alone and len(seen[within[0]].row) == 0:  # none of them was seen
            stays.append(known[within[0]])
            continue
        if not within and _stands_in_crowd(table, alone):
            continue
        if not within:
            one, order, of = _alone(table, alone), np.array(alone), _renumbered(pairs.chosen(free[met]), alone)
        elif len(within) == 1 and not alone:
            one, order, of = known[within[0]], rows[within[0]], seen[within[0]]
        else:
            one = joint.together([*(known[k] for k in within), *([_alone(table, alone)] if alone else [])])
            order = np.concatenate([*(rows[k] for k in within), np.array(alone, dtype=np.int64)])
            of = _measured(one, order, measure)
        decision = _branched(table, time_ns, one, order, of, score, since)
        if decision is None:
            continue
        decided.append(decision)
        if decision.stays is not None:
            stays.append(decision.stays)
    table.joints = stays
    return _as_decided(table, pairs, decided)


@dataclass(slots=True)
class _Decision:
    rows: IntArray  # of the tracks
    pairs: Pairs  # of the likeliest hypothesis, `row` as in the table
    chosen: list[int]  # places among them
    stays: Joint | None  # what goes on beside the table
    moved: (
        tuple[FloatArray, FloatArray, FloatArray, IntArray, IntArray] | None
    )  # x, P, modes, carried_ns where the rows are another's, and the row in whose place each then is


def _stands_in_crowd(table: TrackTable, rows: list[int]) -> bool:
    """Whether as many confirmed tracks as make a crowd stand within some sigmas of one of these rows."""
    in_space = table.x[table.is_confirmed & (table.direction_of < 0), :3]
    reach_m2 = NEAR_SIGMAS**2 * table.P[rows, :3, :3].trace(axis1=1, axis2=2)
    apart_m2 = ((in_space - table.x[rows, None, :3]) ** 2).sum(axis=2)
    return bool(((apart_m2 < reach_m2[:, None]).sum(axis=1) >= crowds.CROWD).any())


def _living(table: TrackTable, place: dict[TrackKey, int]) -> list[Joint]:
    """Hypotheses all of whose tracks are still there, in space."""
    return [one for one in table.joints if all(key in place and table.direction_of[place[key]] < 0 for key in one.keys)]


def _of_table(table: TrackTable, one: Joint, rows: list[int]) -> Joint:
    """The same with its first hypothesis as the table holds it."""
    x, P, modes, carried_ns = one.x.copy(), one.P.copy(), one.modes.copy(), one.carried_ns.copy()
    x[0], P[0], modes[0], carried_ns[0] = table.x[rows], table.P[rows], table.modes[rows], table.carried_ns[rows]
    return replace(one, x=x, P=P, modes=modes, carried_ns=carried_ns)


def _alone(table: TrackTable, rows: list[int]) -> Joint:
    """The table's own view of these rows: one hypothesis."""
    keys = tuple(table.keys[row] for row in rows)
    x, P, modes, carried_ns = table.x[rows], table.P[rows], table.modes[rows], table.carried_ns[rows]
    return Joint(keys, np.zeros(1), x[None], P[None], modes[None], carried_ns[None], table.time_ns or 0)


def _measured(one: Joint, rows: IntArray, measure: Measure) -> Pairs:
    """Pairs of all hypotheses' states; `row` counts them, hypothesis by hypothesis."""
    return measure(np.tile(rows, len(one.log)), one.x.reshape(-1, 6), one.P.reshape(-1, 6, 6))


def _all_measured(known: Sequence[Joint], rows: Sequence[IntArray], measure: Measure) -> list[Pairs]:
    """The pairs of each of these, as `_measured` tells them, by one look at all of their states."""
    if not known:
        return []
    names = np.concatenate([np.tile(row, len(one.log)) for one, row in zip(known, rows, strict=True)])
    x = np.concatenate([one.x.reshape(-1, 6) for one in known])
    P = np.concatenate([one.P.reshape(-1, 6, 6) for one in known])
    pairs = measure(names, x, P)  # in the order of their rows
    first = np.cumsum([0, *(one.x.shape[0] * one.x.shape[1] for one in known)])
    ends = np.searchsorted(pairs.row, first)
    parts = (pairs.at(np.arange(begin, end)) for begin, end in pairwise(ends))
    return [replace(part, row=part.row - begin) for part, begin in zip(parts, first[:-1].tolist(), strict=True)]


def _renumbered(pairs: Pairs, rows: list[int]) -> Pairs:
    return replace(pairs, row=np.searchsorted(rows, pairs.row))


def _branched(
    table: TrackTable, time_ns: int, one: Joint, rows: IntArray, pairs: Pairs, score: Score, since: Since
) -> _Decision | None:
    count = len(rows)
    row, hypothesis = rows[pairs.row % count], pairs.row // count
    ways = joint.branches(one.log, count, hypothesis, pairs.row % count, pairs.plot, score(row, pairs))
    if len(one.log) == 1 and (len(ways) == 1 or ways[1][0] < DOUBTFUL_LOG):
        return None  # plain: the assignment of all finds the same
    log, x, P, modes, carried_ns = _gone_on(table, time_ns, one, rows, pairs, ways, since)
    if not np.isfinite(x.sum() + P.sum()):
        return None
    kept, log = joint.distinct(log, x, P)
    held = next(k for k, (_, h, _) in enumerate(ways) if h == 0)  # the likeliest way to go on with what was told
    places = joint.placed_as(x[kept], x[held])
    told = joint.told(log, places)
    order = [told, *(k for k in range(len(kept)) if k != told and log[k] >= joint.LEAST_LOG)]
    kept, log = [kept[k] for k in order], log[order] - log[told]
    first = ways[kept[0]]
    of = (hypothesis == first[1]).nonzero()[0]
    theirs = replace(pairs.chosen(of), row=row[of])
    is_shared = len(np.unique(theirs.plot)) < len(theirs.plot)
    doubtful_ns = time_ns if is_shared else one.doubtful_ns
    goes_on = len(kept) > 1 and time_ns - doubtful_ns < joint.SETTLES_NS
    stays = Joint(one.keys, log, x[kept], P[kept], modes[kept], carried_ns[kept], doubtful_ns) if goes_on else None
    h = first[1]
    moved = (one.x[h], one.P[h], one.modes[h], one.carried_ns[h], rows[list(places[told])]) if h > 0 else None
    chosen = np.searchsorted(of, [place for place in first[2] if place >= 0]).tolist()
    return _Decision(rows, theirs, chosen, stays, moved)


def _gone_on(
    table: TrackTable, time_ns: int, one: Joint, rows: IntArray, pairs: Pairs, ways: Sequence[Branch], since: Since
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """ln W, states, covariances, modes and times of all branches, after what each takes."""
    count = one.x.shape[1]
    used = sorted({place for _, _, taken in ways for place in taken if place >= 0})
    parent = np.array([h for _, h, _ in ways])
    x, P, modes, carried_ns = one.x[parent], one.P[parent], one.modes[parent], one.carried_ns[parent]
    if used:
        of = pairs.chosen(np.array(used))
        before = one.x.reshape(-1, 6)[of.row], one.P.reshape(-1, 6, 6)[of.row], one.modes.reshape(-1, 3)[of.row]
        since_s = since(rows[of.row % count], one.carried_ns.reshape(-1)[of.row])
        after_modes, weighed = table.kernels.weighed(before[2], before[1], of.y, of.H, of.R, table.q, since_s)
        after_x, after_P = table.kernels.update(before[0], weighed, of.y, of.H, of.R)
        number = {place: k for k, place in enumerate(used)}
        for b, (_, _, taken) in enumerate(ways):
            for i in range(count):
                if taken[i] >= 0:
                    k = number[taken[i]]
                    x[b, i], P[b, i], modes[b, i] = after_x[k], after_P[k], after_modes[k]
                    carried_ns[b, i] = time_ns
    return np.array([value for value, _, _ in ways]), x, P, modes, carried_ns


def _as_decided(table: TrackTable, pairs: Pairs, decisions: Sequence[_Decision]) -> Decided | None:
    """Rows moved to where the likeliest hypotheses have them, and all pairs again, in the order of their rows."""
    if not decisions:
        return None
    for decision in decisions:
        if decision.moved is not None:
            rows = decision.rows
            table.x[rows], table.P[rows], table.modes[rows], table.carried_ns[rows], stood = decision.moved
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
