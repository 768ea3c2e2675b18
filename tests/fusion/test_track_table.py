from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import motion
from fusion.track_table import ARRAYS, LISTS, Births, TrackTable
from fusion.types import Accuracy, Orientation, Sensor

RADAR = Sensor("radar", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(0.02, 0.03, 5.0))


def begin(table: TrackTable, numbers: list[int]) -> None:
    x = np.repeat(np.array(numbers, float)[:, None], 6, axis=1)
    P = np.eye(6) * np.array(numbers, float)[:, None, None]
    keys = [(number, "radar", 0) for number in numbers]
    table.append(Births(x, P, -1, np.full(len(numbers), 0.5), keys, 1), 0, 0)


def holds(table: TrackTable, numbers: list[int]) -> bool:
    """Whether every column is as long as the rows are many, and what tells a row stands in its place."""
    names = [key[0] for key in table.keys]
    columns = [table.x[:, 3].tolist(), table.P[:, 2, 2].tolist(), table.began_m[:, 0].tolist(), names]
    lengths = {len(getattr(table, name)) for name in (*ARRAYS, *LISTS)}
    return all(column == numbers for column in columns) and lengths <= {len(numbers)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**32 - 1)), min_size=1, max_size=12))
def test_rows_that_come_and_go_leave_the_others_as_they_were(steps: list[tuple[int, int]]) -> None:
    table, there, number = TrackTable((RADAR,), 3.0, motion.spectral_density(3.0)), [], 0
    snapshots: list[tuple[TrackTable, list[int]]] = []
    for come, seed in steps:
        begin(table, list(range(number, number + come)))
        there, number = [*there, *range(number, number + come)], number + come
        assert holds(table, there)
        snapshots.append((table.copy(), list(there)))
        goes = np.flatnonzero(np.random.default_rng(seed).uniform(size=len(there)) < 0.3)
        table.end(goes, "unseen", 0)
        there = [one for place, one in enumerate(there) if place not in set(goes.tolist())]
        assert holds(table, there)
    for snapshot, held in snapshots:  # none is touched by what came after it
        assert holds(snapshot, held)
        snapshot.end(np.arange(0, len(held), 2), "unseen", 0)
        begin(snapshot, [10_000])
        assert holds(snapshot, [*held[1::2], 10_000])
