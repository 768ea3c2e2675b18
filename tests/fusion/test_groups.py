"""Groups form, keep their number, split, merge and end by how their tracks move."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from fusion.groups import GroupBook, count_interval, together
from fusion.types import CLASSES, Direction, FloatArray, Group, Track

SECOND = 1_000_000_000
Path = Callable[[float], tuple[FloatArray, FloatArray]]  # seconds → position and velocity


def track(number: int, t: float, path: Path, rng: np.random.Generator, sigma_m_s: float = 0.5) -> Track:
    place, velocity = path(t)
    state = np.concatenate([place, velocity + sigma_m_s * rng.standard_normal(3)])
    covariance = np.diag([4.0, 4.0, 4.0] + 3 * [sigma_m_s**2])
    return Track(
        track_number=number,
        revision=int(t * 10) + 1,
        time_ns=round(t * 1e9),
        state=state,
        covariance=covariance,
        existence_probability=0.99,
        status="confirmed",
        reason=None,
        classes=tuple((name, 1.0 / len(CLASSES)) for name in CLASSES),
        claims=(),
        sensor_ids=("radar",),
        last_detection_ns=round(t * 1e9),
        direction=None,
        explanation=None,
    )


def straight(x: float, y: float, east: float, north: float) -> Path:
    return lambda t: (np.array([x + east * t, y + north * t, 50.0]), np.array([east, north, 0.0]))


def turning(before: Path, at_s: float, east: float, north: float) -> Path:
    """As before until a time, then another way."""

    def path(t: float) -> tuple[FloatArray, FloatArray]:
        if t < at_s:
            return before(t)
        place, _ = before(at_s)
        velocity = np.array([east, north, 0.0])
        return place + velocity * (t - at_s), velocity

    return path


def play(book: GroupBook, paths: dict[int, Path], seconds: range, **of_track: float) -> list[Group]:
    rng = np.random.default_rng(seconds.start)
    news: list[Group] = []
    for t in seconds:
        news += book.changes([track(n, float(t), path, rng, **of_track) for n, path in paths.items()], t * SECOND)
    return news


def test_two_that_fly_side_by_side_are_a_group_and_one_that_crosses_is_not() -> None:
    book = GroupBook()
    news = play(book, {1: straight(0, 0, 10, 0), 2: straight(0, 30, 10, 0), 3: straight(100, -100, 0, 10)}, range(30))
    assert [(g.event, g.members, g.count) for g in news] == [("formed", (1, 2), (2, 2))]
    assert news[0].time_ns <= 10 * SECOND
    assert book.group_of(1) == book.group_of(2) == news[0].group_number
    assert book.group_of(3) is None


def test_velocities_that_are_hardly_known_and_standing_objects_are_no_evidence() -> None:
    unknown = play(GroupBook(), {1: straight(0, 0, 10, 0), 2: straight(0, 30, 10, 0)}, range(20), sigma_m_s=30.0)
    standing = play(GroupBook(), {1: straight(0, 0, 0, 0), 2: straight(0, 30, 0, 0)}, range(60), sigma_m_s=0.1)
    assert unknown == standing == []


def test_a_group_that_splits_keeps_its_number_in_the_larger_part_and_takes_it_back_when_they_meet_again() -> None:
    book = GroupBook()
    together_ = {n: straight(0, 25.0 * n, 12, 0) for n in range(1, 6)}
    first = play(book, together_, range(20))
    number = first[-1].group_number
    assert first[-1].members == (1, 2, 3, 4, 5)

    apart = {n: path if n <= 3 else turning(path, 20.0, 0, 12) for n, path in together_.items()}
    second = play(book, apart, range(20, 50))
    split = next(g for g in second if g.event == "split")
    assert (split.members, split.others) == ((4, 5), (number,))
    assert book.group_of(1) == number
    assert book.group_of(4) == split.group_number != number

    back = {n: straight(0, 25.0 * n, 12, 0) for n in range(1, 6)}  # as if they had flown on together
    third = play(book, back, range(50, 80))
    merged = next(g for g in third if g.event == "merged")
    ended = next(g for g in third if g.event == "ended")
    assert (merged.group_number, merged.others) == (number, (split.group_number,))
    assert (ended.group_number, ended.others, ended.count) == (split.group_number, (number,), (0, 0))


def test_a_member_that_is_seen_no_more_widens_the_count_and_one_that_was_a_duplicate_does_not() -> None:
    for reason, low_high in (("unseen", (3, 4)), ("merged", (3, 3))):
        book = GroupBook()
        paths = {n: straight(0, 25.0 * n, 12, 0) for n in range(1, 5)}
        assert play(book, paths, range(20))[-1].count == (4, 4)
        last = track(4, 20.0, paths[4], np.random.default_rng(0))
        gone = Track(**{**{f: getattr(last, f) for f in last.__slots__}, "status": "dropped", "reason": reason})
        changed = book.changes([gone], 20 * SECOND)
        assert [(g.members, g.count) for g in changed] == [((1, 2, 3), low_high)]


WEDGE = Direction("camera", 0.0, 0.01, 0.1, 0.01, (50.0, 500.0))


@pytest.mark.parametrize(
    ("again", "meanwhile"), [(3, {"direction": WEDGE}), (9, {"status": "dropped", "reason": "unseen"})]
)
def test_a_member_that_is_found_again_counts_once_whatever_its_number(again: int, meanwhile: dict[str, object]) -> None:
    book = GroupBook()
    paths = {n: straight(0, 25.0 * n, 12, 0) for n in range(1, 4)}
    play(book, paths, range(20))
    last = track(3, 20.0, paths[3], np.random.default_rng(0))
    gone = Track(**{**{f: getattr(last, f) for f in last.__slots__}, **meanwhile})
    assert [(g.members, g.count) for g in book.changes([gone], 20 * SECOND)] == [((1, 2), (2, 3))]
    play(book, {n: paths[n] for n in (1, 2)}, range(21, 24))
    back = play(book, {1: paths[1], 2: paths[2], again: paths[3]}, range(24, 40))[-1]
    assert (back.members, back.count) == ((1, 2, again), (3, 3))


def test_a_direction_belongs_to_no_group_and_a_group_ends_with_its_tracks() -> None:
    book = GroupBook()
    paths = {1: straight(0, 0, 10, 0), 2: straight(0, 30, 10, 0)}
    assert play(book, paths, range(20))[-1].event == "formed"
    known = track(2, 20.0, paths[2], np.random.default_rng(0))
    as_direction = Track(**{**{f: getattr(known, f) for f in known.__slots__}, "direction": WEDGE})
    assert [g.event for g in book.changes([as_direction], 20 * SECOND)] == ["ended"]
    assert book.group_of(1) is None


def test_the_order_in_which_tracks_are_told_changes_nothing() -> None:
    def told(order: int) -> Iterator[list[Group]]:
        book, rng = GroupBook(), np.random.default_rng(3)
        paths = {n: straight(40.0 * (n % 5), 40.0 * (n // 5), 9, 4 if n < 10 else -4) for n in range(20)}
        for t in range(20):
            tracks = [track(n, float(t), path, rng) for n, path in paths.items()]
            yield list(book.changes(tracks[::order], t * SECOND))

    assert list(told(1)) == list(told(-1))


def test_independent_velocities_give_evidence_against_and_equal_ones_for() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(0, 8, (500, 3))
    apart = together(one, rng.normal(0, 8, (500, 3)), np.full(500, 0.5))
    same = together(one, one + rng.normal(0, 0.5, (500, 3)), np.full(500, 0.5))
    assert apart.mean() < -1.0
    assert same.mean() > 1.0


@pytest.mark.parametrize(
    ("chances", "expected"), [([], (0, 0)), ([1.0, 1.0], (2, 2)), ([0.5] * 4, (0, 4)), ([0.99] * 30, (29, 30))]
)
def test_the_count_is_the_quantiles_of_the_poisson_binomial(chances: list[float], expected: tuple[int, int]) -> None:
    assert count_interval(chances) == expected
