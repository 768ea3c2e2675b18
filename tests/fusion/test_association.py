from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import association
from fusion.assignment import assign
from fusion.association import gate_threshold, gated_pairs, in_sight, unambiguous, within_reach
from fusion.measurement import AZIMUTH, ELEVATION, Plots, added_noise, expected
from fusion.types import Accuracy, Orientation, Sensor

BADLY_PLACED = Sensor(
    "radar",
    (0.0, 0.0, 0.0),
    Orientation(0.3, 0.0, 0.0),
    Accuracy(0.02, 0.03),
    position_sigma_m=4.0,
    mounting_sigma_rad=0.02,
)


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_tie_falls_the_same_whatever_else_is_to_be_assigned(seed: int) -> None:
    """Scores at the floor are all equal: which of two equal pairs is chosen must not depend on pairs far away."""
    random = np.random.default_rng(seed)
    cells = random.choice(36, size=10, replace=False)
    row, column, score = cells // 6, cells % 6, random.choice([-5.0, 0.0, 2.0], 10)
    first, second = assign(row, column, score), assign(row + 6, column + 6, score)
    both = assign(np.concatenate([row, row + 6]), np.concatenate([column, column + 6]), np.concatenate([score, score]))
    assert both.tolist() == [*first.tolist(), *(second + 10).tolist()]


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(AZIMUTH, ELEVATION), (ELEVATION, AZIMUTH)]))
def test_windows_find_the_same_pairs_as_comparing_all_with_all(seed: int, components: tuple[int, ...]) -> None:
    """Azimuths all around, so that some windows lie across ±π and some reach all the way round."""
    random = np.random.default_rng(seed)
    h, z = random.uniform(-np.pi, np.pi, (120, 2)), random.uniform(-np.pi, np.pi, (100, 2))
    reach = 10.0 ** random.uniform(-2.0, 1.0, (120, 2))
    one_by_one = [(k, j) for k in range(120) for j in within_reach(h[k : k + 1], reach[k : k + 1], z, components)[1]]
    assert len(h) * len(z) > association.SMALL_TABLE >= len(z)
    assert list(zip(*within_reach(h, reach, z, components), strict=True)) == one_by_one


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_row_that_has_a_plot_in_its_gate_is_left_out_at_first_sight(seed: int) -> None:
    random = np.random.default_rng(seed)
    sensor = replace(BADLY_PLACED, position_enu_m=(*random.uniform(-50.0, 50.0, 3).tolist(),))
    A = random.normal(0, 1, (300, 6, 6)) * random.choice([0.1, 3.0, 30.0], (300, 1, 1))
    x = np.concatenate([random.normal(0, 600, (300, 3)), random.normal(0, 15, (300, 3))], axis=1)
    P, gate = A @ A.transpose(0, 2, 1) + np.eye(6), gate_threshold(0.99, 2)
    z = np.stack([random.uniform(-np.pi, np.pi, 8), random.uniform(-0.3, 0.9, 8)], axis=1)
    plots = Plots((AZIMUTH, ELEVATION), z, np.tile(np.diag([3e-4, 1e-3]), (8, 1, 1)), np.arange(8))
    h, H = expected(x, sensor, plots.components)
    pairs = gated_pairs(np.arange(300), P, h, H, added_noise(x, H, sensor, plots.components, 0.3), plots, gate)
    kept = in_sight(x, P, sensor, plots, 0.3, gate)
    assert kept[pairs.row].all()
    assert not kept.all()
