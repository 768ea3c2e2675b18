"""Which tracks meet, in this scan or in one before: those whose detections are decided jointly, with the hypotheses that hold
them so far.

    pairs of rows that no hypotheses hold, pairs of all states of those that these do ─▶ groups ─▶ one set of hypotheses each

What becomes of them, `joint_update.py` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import TypeAlias

import numpy as np

from fusion import crowds, joint, joint_sets
from fusion.assignment import groups
from fusion.association import Pairs, concatenated
from fusion.joint import Joint
from fusion.joint_sets import Layout, States
from fusion.measurement import IntArray
from fusion.track_table import TrackTable
from fusion.types import FloatArray, TrackKey

Measure: TypeAlias = Callable[
    [IntArray, FloatArray, FloatArray], Pairs
]  # table rows, x, P → pairs; `row` counts these states


@dataclass(slots=True)
class Measured:
    """The pairs of all states of several sets of hypotheses, in the order of the states."""

    pairs: Pairs | None  # `row` counts all states; None where there are none
    row_of: IntArray  # the table's row of each state
    first_state: IntArray  # of each set, and the end
    first_pair: IntArray

    def of(self, sets: Sequence[int], begins: int) -> Pairs:
        """Those of these sets, one after the other; `row` counts their states from `begins`."""
        assert self.pairs is not None
        chosen = np.array(sets)
        size = self.first_pair[chosen + 1] - self.first_pair[chosen]
        states = self.first_state[chosen + 1] - self.first_state[chosen]
        part = self.pairs.at(np.repeat(self.first_pair[chosen] - np.cumsum(size) + size, size) + np.arange(size.sum()))
        moved = begins + np.cumsum(states) - states - self.first_state[chosen]
        return part.of_rows(part.row + np.repeat(moved, size))

    def rows(self) -> IntArray:
        """The table's row of each pair."""
        return self.row_of[:0] if self.pairs is None else self.row_of[self.pairs.row]

    def plots(self) -> IntArray:
        """The detection of each pair."""
        return self.row_of[:0] if self.pairs is None else self.pairs.plot

    def is_seen(self, k: int) -> bool:
        """Whether there is a detection that one of its tracks may have made."""
        return bool(self.first_pair[k + 1] > self.first_pair[k])


@dataclass(slots=True)
class Groups:
    """Tracks that hang together by what they may have shown, or by the hypotheses that hold them."""

    alone: list[tuple[list[int], IntArray]] = field(
        default_factory=list
    )  # rows that no hypotheses hold, and their pairs
    again: list[int] = field(default_factory=list)  # sets that go on for themselves
    united: list[tuple[list[int], list[int]]] = field(default_factory=list)  # sets, and rows that come to them
    places: tuple[list[int], list[int], list[int]] = field(
        default_factory=lambda: ([], [], [])
    )  # of each, of `goes_on`
    goes_on: list[Joint | None] = field(default_factory=list)  # all hypotheses, None where it is yet to be decided


@dataclass(slots=True)
class Meetings:
    """Sets of tracks of which some may have been seen, one after the other."""

    sets: list[Joint]
    places: list[int]  # of each, among all hypotheses that go on
    rows: IntArray  # the table's, of the tracks of all sets
    pairs: Pairs  # of all states, which `row` counts through, in their order
    layout: Layout
    states: States


def grouped(pairs: Pairs, known: Sequence[Joint], rows: Sequence[IntArray], seen: Measured) -> Groups:
    """Which tracks meet, by the pairs of those that no hypotheses hold and the pairs `seen` of those that these do."""
    of_known = np.concatenate([*rows, np.zeros(0, dtype=np.int64)])
    number = np.repeat(np.arange(len(rows)), [len(row) for row in rows])  # of the set that each of those rows is of
    free = (~np.isin(pairs.row, of_known)).nonzero()[0]
    nodes = np.concatenate([pairs.row[free], seen.rows(), of_known])
    plots = np.concatenate([pairs.plot[free], seen.plots(), -1 - number])
    meets = ((np.bincount(nodes)[nodes] > 1) | (np.bincount(plots + len(rows))[plots + len(rows)] > 1)).nonzero()[0]
    set_of = dict(zip(of_known.tolist(), number.tolist(), strict=True))
    node, plot, found = nodes[meets].tolist(), plots[meets].tolist(), Groups()
    for members in groups(nodes[meets], plots[meets]):
        places = members.tolist()
        track, shows = sorted({node[k] for k in places}), {plot[k] for k in places if plot[k] >= 0}
        if len(track) == 1 or len(track) > joint.MOST_TRACKS or len(shows) >= crowds.CROWD:
            continue
        within = sorted({set_of[row] for row in track if row in set_of})
        new, stays = [row for row in track if row not in set_of], None
        if not within:
            found.alone.append((new, free[meets[members]]))
            found.places[0].append(len(found.goes_on))
        elif len(within) > 1 or new:
            found.united.append((within, new))
            found.places[2].append(len(found.goes_on))
        elif seen.is_seen(within[0]):
            found.again.append(within[0])
            found.places[1].append(len(found.goes_on))
        else:
            stays = known[within[0]]
        found.goes_on.append(stays)
    return found


def brought_together(
    table: TrackTable,
    pairs: Pairs,
    known: Sequence[Joint],
    rows: Sequence[IntArray],
    seen: Measured,
    found: Groups,
    measure: Measure,
) -> Meetings:
    """Hypotheses and pairs of these groups: first of those new, then of known sets, then of united ones."""
    of_alone = np.array([row for of, _ in found.alone for row in of], dtype=np.int64)
    united, united_rows = list[Joint](), list[IntArray]()
    for within, new in found.united:
        united.append(joint.together([*(known[k] for k in within), *(_alone(table, [new]) if new else ())]))
        united_rows.append(np.concatenate([*(rows[k] for k in within), np.array(new, dtype=np.int64)]))
    sets = [*_alone(table, [of for of, _ in found.alone]), *(known[k] for k in found.again), *united]
    layout, parts = joint_sets.layout_of(sets), list[Pairs]()
    if found.alone:
        state = np.zeros(len(table), dtype=np.int64)
        state[of_alone] = np.arange(len(of_alone))
        part = pairs.at(np.concatenate([places for _, places in found.alone]))
        parts.append(part.of_rows(state[part.row]))
    if found.again:
        parts.append(seen.of(found.again, len(of_alone)))
    if united:
        looked = all_measured(united, united_rows, measure)
        parts.append(looked.of(range(len(united)), int(layout.first_state[-len(united) - 1])))
    of_all = np.concatenate([of_alone, *(rows[k] for k in found.again), *united_rows])
    places = [place for of in found.places for place in of]
    every = parts[0] if len(parts) == 1 else concatenated(parts)
    return Meetings(sets, places, of_all, every, layout, joint_sets.states_of(sets))


def living(table: TrackTable) -> tuple[list[Joint], list[IntArray]]:
    """Hypotheses of tracks that are still there, in space, the first of each as the table holds it; and their rows."""
    if not table.joints:
        return [], []
    row_of = table.rows_of([key for one in table.joints for key in one.keys])
    left = [_of_living(table, one, row_of) for one in table.joints]
    living = [one for one in left if one is not None and all(table.direction_of[row_of[key]] < 0 for key in one.keys)]
    if not living:
        return [], []
    states, layout = joint_sets.states_of(living), joint_sets.layout_of(living)
    held = layout.states_of(layout.first_hypothesis[:-1])
    row = np.array([row_of[key] for one in living for key in one.keys])
    states.x[held], states.P[held] = table.x[row], table.P[row]
    states.modes[held], states.carried_ns[held] = table.modes[row], table.carried_ns[row]
    states.existence[held] = table.existence[row]
    begins = layout.first_track.tolist()
    rows = [row[begin:end] for begin, end in pairwise(begins)]
    return joint_sets.with_states(living, states), rows


def _of_living(table: TrackTable, one: Joint, row_of: dict[TrackKey, int]) -> Joint | None:
    """This set without the tracks that were given up as unseen; None where too few remain, or one became another."""
    if all(key in row_of for key in one.keys):
        return one
    gone = np.array([key not in row_of for key in one.keys])
    ends = {table.ended.get(key, (0, "retracted"))[1] for key in compress(one.keys, gone.tolist())}
    if ends != {"unseen"} or np.count_nonzero(~gone) < 2:
        return None
    left = joint.without(one, gone)
    return left if len(left.log) > 1 else None


def _alone(table: TrackTable, sets: Sequence[list[int]]) -> list[Joint]:
    """The table's own view of these sets of rows: one hypothesis each."""
    if not sets:
        return []
    rows = np.array([row for of in sets for row in of])
    states = States(table.x[rows], table.P[rows], table.modes[rows], table.carried_ns[rows], table.existence[rows])
    known = [(tuple(table.keys[row] for row in of), np.zeros(1), table.time_ns or 0) for of in sets]
    return joint_sets.parted(known, states)


def all_measured(joints: Sequence[Joint], rows: Sequence[IntArray], measure: Measure) -> Measured:
    """One look at all states of these sets, of tracks in these rows."""
    layout = joint_sets.layout_of(joints)
    if not joints:
        return Measured(None, np.zeros(0, dtype=np.int64), layout.first_state, layout.first_state)
    states, row_of = joint_sets.states_of(joints), np.concatenate(rows)[layout.track]
    pairs = measure(row_of, states.x, states.P)
    return Measured(pairs, row_of, layout.first_state, np.searchsorted(pairs.row, layout.first_state))
