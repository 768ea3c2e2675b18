"""Tracks of several posts: one object under one number, consistent whatever their errors share."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.classification import PRIOR
from fusion.track_fusion import NEIGHBOURS, FusedObject, Report, TrackFusion, classes_of, intersection
from fusion.types import FloatArray

SECOND = 1_000_000_000
SIGMA = np.diag([9.0, 9.0, 16.0, 0.5, 0.5, 0.5])
NEVER = tuple(PRIOR.tolist())


def report(site: str, number: int, t: float, state: FloatArray, P: FloatArray = SIGMA) -> Report:
    return Report((site, "run", number), round(t * SECOND), state, P, 0.9, NEVER)


def flying(t: float, x: float = 0.0, y: float = 0.0, vx: float = 12.0, vy: float = 0.0) -> FloatArray:
    return np.array([x + vx * t, y + vy * t, 6.37e6, vx, vy, 0.0])


def noisy(state: FloatArray, rng: np.random.Generator, P: FloatArray = SIGMA) -> FloatArray:
    return state + rng.multivariate_normal(np.zeros(6), P)


def test_one_object_of_two_posts_is_one_and_two_side_by_side_stay_two() -> None:
    fusion, rng = TrackFusion(), np.random.default_rng(1)
    for t in range(12):
        found = fusion.look(
            [
                report("a", 1, t, noisy(flying(t), rng)),
                report("b", 5, t, noisy(flying(t), rng)),
                report("a", 2, t, noisy(flying(t, y=60.0), rng)),
                report("b", 6, t, noisy(flying(t, y=60.0), rng)),
            ],
            t * SECOND,
        )
    assert [one.members for one in found] == [
        (("a", "run", 1), ("b", "run", 5)),
        (("a", "run", 2), ("b", "run", 6)),
    ]
    assert all(one.existence_probability == pytest.approx(0.9) for one in found)


def test_an_object_has_one_track_of_each_post_at_most() -> None:
    fusion, rng = TrackFusion(), np.random.default_rng(2)
    for t in range(12):
        found = fusion.look([report("a", n, t, noisy(flying(t), rng)) for n in (1, 2)], t * SECOND)
    assert [len(one.members) for one in found] == [1, 1]


def test_a_number_outlives_the_hand_over_with_and_without_a_gap() -> None:
    for gap_s in (-5, 4):  # the second post begins five seconds before the first ends, or four seconds after
        fusion, rng = TrackFusion(), np.random.default_rng(3)
        numbers: list[int] = []
        for t in range(40):
            here = [report("a", 1, t, noisy(flying(t), rng))] if t < 20 else []
            here += [report("b", 9, t, noisy(flying(t), rng))] if t >= 20 + gap_s else []
            numbers += [one.number for one in fusion.look(here, t * SECOND)][:1]
        assert set(numbers) == {1}


def test_tracks_that_part_become_two_objects_and_the_older_post_keeps_the_number() -> None:
    fusion, rng = TrackFusion(), np.random.default_rng(4)
    for t in range(30):
        apart = flying(t) if t < 15 else flying(t - 15, x=180.0, vx=0.0, vy=12.0)
        both = [report("a", 1, t, noisy(flying(t), rng)), report("b", 5, t, noisy(apart, rng))]
        found = fusion.look(both, t * SECOND)
        if t == 14:
            assert len(found) == 1
    assert [(one.number, one.members[0][0]) for one in found] == [(1, "a"), (2, "b")]


def test_reports_of_other_times_are_compared_at_one_time() -> None:
    fusion = TrackFusion()
    for t in range(10):
        found = fusion.look([report("a", 1, t, flying(t)), report("b", 5, t - 1.5, flying(t - 1.5))], t * SECOND)
    [one] = found
    assert one.state == pytest.approx(flying(9), abs=1e-6)


def test_the_order_in_which_posts_report_changes_nothing() -> None:
    def told(order: int) -> list[tuple[FusedObject, ...]]:
        fusion, rng = TrackFusion(), np.random.default_rng(5)
        looks = []
        for t in range(10):
            reports = [report(site, n, t, noisy(flying(t, y=70.0 * n), rng)) for site in "abc" for n in range(5)]
            looks.append(fusion.look(reports[::order], t * SECOND))
        return looks

    for one, two in zip(told(1), told(-1), strict=True):
        assert [(o.number, o.members, o.state.tolist()) for o in one] == [
            (o.number, o.members, o.state.tolist()) for o in two
        ]


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.95])
def test_the_intersection_is_consistent_for_every_correlation_and_tighter_than_either(shared: float) -> None:
    """Against 4000 draws whose errors share a part: the claimed covariance is no less than the true one in any direction."""
    rng = np.random.default_rng(6)
    A, B = np.diag([9.0, 1.0, 4.0, 1.0, 1.0, 1.0]), np.diag([1.0, 9.0, 4.0, 1.0, 1.0, 1.0])
    common = np.minimum(np.diag(A), np.diag(B)) * shared
    draws = 4000
    together = rng.normal(0, np.sqrt(common), (draws, 6))
    a = together + rng.normal(0, np.sqrt(np.diag(A) - common), (draws, 6))
    b = together + rng.normal(0, np.sqrt(np.diag(B) - common), (draws, 6))
    _, P = intersection(a[0], A, b[0], B)
    errors = np.array([intersection(one, A, two, B)[0] for one, two in zip(a[:400], b[:400], strict=True)])
    whitened = errors @ np.linalg.cholesky(np.linalg.inv(P))
    assert np.linalg.eigvalsh(whitened.T @ whitened / len(errors)).max() < 1.25  # 400 draws: 1 and their scatter
    assert np.trace(P[:3, :3]) < min(np.trace(A[:3, :3]), np.trace(B[:3, :3]))


def test_tellers_of_the_class_count_by_what_they_know_and_never_twice() -> None:
    bird = (0.1, 0.6, 0.1, 0.1, 0.1)
    assert classes_of([bird, NEVER]) == pytest.approx(bird, abs=1e-6)
    assert classes_of([bird, bird]) == pytest.approx(bird)
    assert classes_of([bird, (0.9, 0.025, 0.025, 0.025, 0.025)])[0] > 0.5


def test_a_post_that_tells_thousands_of_tracks_in_one_place_costs_no_more_than_its_share() -> None:
    """Evidence is weighed for a few neighbours of each track, whatever stands in one heap."""
    fusion, rng = TrackFusion(), np.random.default_rng(7)
    heap = [report("a", n, 0, noisy(flying(0), rng)) for n in range(2000)]
    fusion.look([*heap, *(report("b", n, 0, noisy(flying(0), rng)) for n in range(20))], 0)
    assert len(fusion._scores) <= 2000 * NEIGHBOURS


def test_a_clock_that_is_set_back_gives_no_object_another_number_and_keeps_none_for_as_long() -> None:
    fusion, hour_s = TrackFusion(), 3600.0
    for t in range(6):
        fusion.look([report("a", 1, t, flying(t)), report("b", 1, t, flying(t, y=5000.0))], t * SECOND)
    now_ns = round((6 - hour_s) * SECOND)
    [found] = fusion.look([report("a", 2, 6 - hour_s, flying(6))], now_ns)  # its post has begun a new run
    assert found.number == 1
    fusion.look([], now_ns + 20 * SECOND)
    assert fusion.objects == ()


class Counted(int):
    """A number that counts how often it was compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


def test_the_numbers_of_thousands_of_objects_are_not_all_held_against_each_other() -> None:
    fusion, count = TrackFusion(), 1000
    reports = [report("a", n, 0, flying(0, y=1000.0 * n)) for n in range(count)]
    fusion.go_on(
        [FusedObject(Counted(n), 0, (reports[n].key,), flying(0), SIGMA, 0.9, NEVER) for n in range(count)], count
    )
    assert len(fusion.look(reports, 0)) == count
    assert Counted.compared < 20 * count
