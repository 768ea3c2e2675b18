from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.assignment import assign
from fusion.association import gate_threshold, unambiguous


def best_total(row: np.ndarray, column: np.ndarray, score: np.ndarray) -> float:
    """The highest total over all choices, by trying them all."""
    best = 0.0
    for size in range(len(row) + 1):
        for chosen in itertools.combinations(range(len(row)), size):
            if len({row[k] for k in chosen}) == size and len({column[k] for k in chosen}) == size:
                best = max(best, sum(score[k] for k in chosen))
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_the_assignment_is_the_best_of_all(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    cells = random.choice(16, size=count, replace=False)
    row, column, score = cells // 4, cells % 4, random.uniform(0.1, 10.0, count)
    chosen = assign(row, column, score)
    assert len(set(row[chosen])) == len(chosen) == len(set(column[chosen]))
    assert score[chosen].sum() == pytest.approx(best_total(row, column, score))


def test_large_problems_are_solved_group_by_group_with_the_same_total() -> None:
    random = np.random.default_rng(4)
    row, column = np.divmod(np.arange(100 * 3), 3)
    column = row + column  # a band: groups hang together
    score = random.uniform(0.1, 5.0, len(row))
    apart = np.concatenate([score, score])
    chosen = assign(np.concatenate([row, row + 1000]), np.concatenate([column, column + 1000]), apart)
    alone = assign(row, column, score)
    assert apart[chosen].sum() == pytest.approx(2 * score[alone].sum())


def test_nothing_to_assign_gives_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert len(assign(none, none, np.zeros(0))) == 0
    assert len(unambiguous(none, none)) == 0


def test_a_pair_is_unambiguous_when_neither_side_has_another() -> None:
    row, column = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    assert unambiguous(row, column).tolist() == [0]


@pytest.mark.parametrize(("dims", "quantile"), [(1, 6.6349), (2, 9.2103), (3, 11.3449), (4, 13.2767)])
def test_gates_are_the_chi_square_tables_quantiles(dims: int, quantile: float) -> None:
    assert gate_threshold(0.99, dims) == pytest.approx(quantile, abs=1e-4)
