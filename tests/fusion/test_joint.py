from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import joint, joint_sets, joint_update, motion, publication
from fusion.association import Pairs
from fusion.track_table import Births, TrackTable
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Position,
    Scan,
    Sensor,
)

SENSOR = Sensor(
    "sensor", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(), false_alarms_per_scan=0.2,
    detection_probability=DetectionProbability(constant=0.85),
)  # fmt: skip
SECONDS, MEETING_S = 40, 20
SIGMA_M = 12.0
SECOND_NS = 10**9


def by_enumeration(log: np.ndarray, tracks: int, whose: np.ndarray, plot: np.ndarray, score: np.ndarray) -> list[float]:
    """ln W of every way in which no track and no detection has two, the best first, less the best."""
    totals = []
    for h, before in enumerate(log.tolist()):
        options = [[None, *np.flatnonzero(whose == h * tracks + i).tolist()] for i in range(tracks)]
        for way in itertools.product(*options):
            taken = [place for place in way if place is not None]
            if len({int(plot[place]) for place in taken}) == len(taken):
                totals.append(before + float(sum(score[place] for place in taken)))
    return sorted((total - max(totals) for total in totals), reverse=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_the_branches_are_the_likeliest_of_all_ways(seed: int, hypotheses: int, tracks: int) -> None:
    random = np.random.default_rng(seed)
    cells = random.choice(hypotheses * tracks * 3, size=hypotheses * tracks * 2, replace=False)
    whose, plot, score = cells // 3, cells % 3, random.normal(1.0, 3.0, len(cells))
    log = random.normal(0.0, 1.0, hypotheses)
    ways = joint.branches(log, tracks, whose // tracks, whose % tracks, plot, score)
    expected = by_enumeration(log, tracks, whose, plot, score)[: joint.MOST_HYPOTHESES]
    likely = [value for value in expected if value >= joint.LEAST_LOG]
    assert [value for value, _, _ in ways[: len(likely)]] == pytest.approx(likely)
    assert [h for _, h, _ in ways[len(likely) :]] == ([] if any(h == 0 for _, h, _ in ways[: len(likely)]) else [0])
    for _, h, taken in ways:
        places = [place for place in taken if place >= 0]
        assert len(set(plot[places].tolist())) == len(places)
        assert all(whose[place] == h * tracks + i for i, place in enumerate(taken) if place >= 0)


def test_what_was_told_so_far_is_weighed_though_many_branches_of_another_hypothesis_are_a_little_likelier() -> None:
    """Three tracks that may each take any of five detections: 205 ways in both hypotheses."""
    whose, plot = (part.ravel() for part in np.meshgrid(np.arange(6), np.arange(5), indexing="ij"))
    ways = joint.branches(np.array([0.0, 0.1]), 3, whose // 3, whose % 3, plot, np.full(len(whose), 2.0))
    assert [h for _, h, _ in ways] == [1] * joint.MOST_HYPOTHESES + [0]
    assert ways[-1][0] == pytest.approx(-0.1)


def two_that_may_be_each_other(log: float) -> tuple[TrackTable, np.ndarray, np.ndarray]:
    """Two rows, and the same with their places changed as a hypothesis that is e^log times as likely; states, covariances."""
    keys = [(SECOND_NS, "sensor", k) for k in range(2)]
    table = TrackTable((SENSOR,), 1.0, motion.spectral_density(3.0))
    table.predict(SECOND_NS)
    x = np.array([[0.0, 300.0, 40.0, 3.0, 0.0, 0.0], [10.0, 300.0, 40.0, -3.0, 0.0, 0.0]])
    P = np.tile(np.eye(6), (2, 1, 1))
    table.append(Births(x, P, -1, np.full(2, 0.9), keys, 1), 0, SECOND_NS)
    table.is_confirmed[:] = True
    kept = np.tile(table.modes, (2, 1, 1)), np.zeros((2, 2), dtype=np.int64), np.full((2, 2), 0.9)
    table.joints = [joint.Joint(tuple(keys), np.array([0.0, log]), np.stack([x, x[::-1]]), np.stack([P, P]), *kept, 0)]
    return table, x, P


def test_what_a_track_leans_on_changes_places_with_it() -> None:
    table, x, P = two_that_may_be_each_other(3.0)
    table.leaning = np.array([1.0, 2.0])[:, None, None] * np.ones((2, 6, 1))
    H, y = np.tile(np.eye(3, 6), (4, 1, 1)), np.zeros((4, 3))

    def measured(rows: np.ndarray, states: np.ndarray, covariances: np.ndarray) -> Pairs:
        """Each state sees the detection that lies where it is: the first one's at 0 m east, the other's at 10 m."""
        plot = np.where(states[:, 0] < 5.0, 0, 1)
        k, R = len(states), np.tile(np.eye(3), (len(states), 1, 1))
        return Pairs(np.arange(k), plot, y[:k], H[:k], R, 2.0 * R, np.zeros(k), np.zeros(k))

    joint_update.decide(
        table,
        10**9,
        measured(np.arange(2), x, P),
        measured,
        lambda rows, r, pairs: (np.full(len(rows), 3.0), np.full(len(rows), 20.0)),
        lambda rows, carried_ns: np.zeros(len(rows)),
        lambda rows: np.zeros(len(rows)),
    )
    assert table.x[:, 0] == pytest.approx([10.0, 0.0])
    assert table.leaning[:, 0, 0].tolist() == [2.0, 1.0]


def test_two_that_may_be_each_other_may_have_gone_either_way_by_the_time_that_is_told() -> None:
    """They are 10 m apart and part by 6 m/s: two seconds later the one told may be 2 m the other way, or -2."""
    table, _, _ = two_that_may_be_each_other(0.0)
    told = [publication._predicted(table, np.arange(2), time_ns)[1][0, 0, 0] for time_ns in (SECOND_NS, 3 * SECOND_NS)]
    alone, _, _ = two_that_may_be_each_other(0.0)
    alone.joints = []
    plain = [publication._predicted(alone, np.arange(2), time_ns)[1][0, 0, 0] for time_ns in (SECOND_NS, 3 * SECOND_NS)]
    assert np.subtract(told, plain) == pytest.approx([10.0**2 / 2.0, (10.0 - 2.0 * 6.0) ** 2 / 2.0])


def test_hypotheses_in_one_place_are_one_and_weigh_together() -> None:
    x = np.zeros((4, 2, 6))
    x[1, 0, 0], x[2, 1, 0], x[3, 0, 0] = 5.0, 0.5, 5.5  # metres from the first
    keys, log = ((0, "sensor", 0), (0, "sensor", 1)), np.log([0.35, 0.3, 0.2, 0.15])
    P, modes, carried_ns = np.tile(np.eye(6), (4, 2, 1, 1)), np.zeros((4, 2, 3)), np.zeros((4, 2), dtype=np.int64)
    one = joint.Joint(keys, log, x, P, modes, carried_ns, np.ones((4, 2)), 0)
    same = joint_sets.alike(x.reshape(-1, 6), P.reshape(-1, 6, 6), joint_sets.layout_of([one]))
    kept, log = joint.distinct(log, same[0])
    assert kept == [0, 1]
    assert np.exp(log) == pytest.approx([1.0, 0.45 / 0.55])


def two_of_which_one_may_be_gone() -> joint.Joint:
    """In the second hypothesis, as likely, it is the other one."""
    keys, existence = ((0, "sensor", 0), (0, "sensor", 1)), np.array([[0.9, 0.2], [0.2, 0.9]])
    x, P, modes, carried_ns = (
        np.zeros((2, 2, 6)),
        np.tile(np.eye(6), (2, 2, 1, 1)),
        np.zeros((2, 2, 3)),
        [[7, 0], [0, 7]],
    )
    return joint.Joint(keys, np.zeros(2), x, P, modes, np.array(carried_ns), existence, 0)


def test_a_hypothesis_whose_tracks_should_have_been_seen_and_were_not_is_less_likely() -> None:
    shown = np.array([0.5, 0.0])  # the first would be seen half the time, the second lies where nobody looks
    weighed = joint_sets.weighed([two_of_which_one_may_be_gone()], shown)[0]
    assert weighed.log == pytest.approx([0.0, np.log((1.0 - 0.5 * 0.2) / (1.0 - 0.5 * 0.9))])


def test_a_miss_counts_in_the_hypotheses_in_which_it_is_one() -> None:
    missed = joint_sets.missed([two_of_which_one_may_be_gone()], np.array([0.5, 0.5]), 7)[0]
    assert missed.existence.tolist() == [[0.9, pytest.approx(0.1 / 0.9)], [pytest.approx(0.1 / 0.9), 0.9]]


def test_hypotheses_in_which_a_track_that_was_given_up_lives_are_less_likely() -> None:
    left = joint.without(two_of_which_one_may_be_gone(), np.array([False, True]))
    assert left.keys == ((0, "sensor", 0),)
    assert left.log == pytest.approx([0.0, np.log(0.1 / 0.8)])
    assert left.existence.tolist() == [[0.9], [0.2]]


def test_tracks_change_places_only_where_that_is_much_likelier() -> None:
    held = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    places = joint.placed_as(np.array([held, held[::-1], held + 1.0]), held)
    assert places == [(0, 1), (1, 0), (0, 1)]
    for others, first in ((0.3, 0), (0.6, 0), (0.9, 1)):
        log = np.log([(1.0 - others) / 2.0, others, (1.0 - others) / 2.0])
        assert joint.told(log, places) == first


def crossing(seed: int) -> tuple[list[Scan], np.ndarray]:
    """Scans of two objects that pass each other at 3 m, at 16 m/s; and their places at every second, (seconds, 2, 3)."""
    random = np.random.default_rng(seed)
    places, scans = np.zeros((SECONDS, 2, 3)), []
    for second in range(SECONDS):
        since = second - MEETING_S
        places[second] = [[400.0 + 16.0 * since, 300.0, 60.0], [400.0, 303.0 + 16.0 * since * 0.7, 62.0 + 0.5 * since]]
        seen = places[second][random.random(2) < 0.85]
        points = seen + random.normal(0.0, SIGMA_M, seen.shape)
        R = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2)
        detections = tuple(Detection(Position(*point, R), 1.0) for point in points)
        scans.append(Scan("sensor", second * 10**9, None, detections))
    return scans, places


def played(scans: Sequence[Scan]) -> Tracker:
    tracker = Tracker([SENSOR])
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    return tracker


def numbers_of(tracker: Tracker, places: np.ndarray, time_ns: int) -> list[int]:
    """The number of the track that is nearest to each object."""
    tracks = tracker.tracks_at(time_ns)
    return [min(tracks, key=lambda track: float(np.linalg.norm(track.state[:3] - one))).track_number for one in places]


def test_who_is_who_survives_a_crossing() -> None:
    kept = 0
    for seed in range(30):
        scans, places = crossing(seed)
        before = numbers_of(played(scans[: MEETING_S - 4]), places[MEETING_S - 5], scans[MEETING_S - 5].time_ns)
        kept += before == numbers_of(played(scans), places[-1], scans[-1].time_ns)
    assert kept >= 28


def test_while_it_is_open_who_is_who_tracks_say_how_little_they_know() -> None:
    """Squared errors over claimed ones, a dimension, in the seconds after the crossing."""
    squares = []
    for seed in range(30):
        scans, places = crossing(seed)
        tracker = played(scans[: MEETING_S - 4])
        numbers = numbers_of(tracker, places[MEETING_S - 5], scans[MEETING_S - 5].time_ns)
        for scan, place in zip(scans[MEETING_S - 4 : MEETING_S + 6], places[MEETING_S - 4 :], strict=False):
            tracker.apply(scan, scan.time_ns)
            found = {track.track_number: track for track in tracker.tracks_at(scan.time_ns)}
            for number, one in zip(numbers, place, strict=True):
                if number in found:
                    error = found[number].state[:3] - one
                    squares.append(float(error @ np.linalg.solve(found[number].covariance[:3, :3], error)) / 3.0)
    assert 0.4 < np.mean(squares) < 1.3


def test_late_scans_of_a_crossing_end_in_the_same_tracks_as_in_order() -> None:
    scans, _ = crossing(3)
    late = [
        *scans[: MEETING_S - 2],
        *(scans[MEETING_S - 2 : MEETING_S + 1])[::-1],
        *scans[MEETING_S + 1 : MEETING_S + 3],
    ]
    told = []
    for order in (scans[: MEETING_S + 3], late):
        tracker = Tracker([SENSOR])
        for scan in order:
            tracker.apply(scan, scans[MEETING_S + 2].time_ns)
        told.append(
            [(t.state.tolist(), t.covariance.tolist()) for t in tracker.tracks_at(scans[MEETING_S + 2].time_ns)]
        )
    assert len(told[0]) == 2
    assert told[0] == told[1]


def test_of_two_that_fly_close_together_the_one_that_ends_is_given_up_within_seconds() -> None:
    """Who of the two it was stays open, but not that one is there no more."""
    sky = Coverage((-np.pi, np.pi), (-1.5, 1.5), (0.0, 2000.0))
    look, left = Look(Orientation(0.0, 0.0, 0.0), *astuple(sky)), 0
    for seed in range(20):
        random, tracker = np.random.default_rng(seed), Tracker([replace(SENSOR, coverage=sky)])
        for second in range(25):
            places = np.array([[100.0 + 5.0 * second, 300.0, 60.0], [100.0 + 5.0 * second, 300.0 + SIGMA_M, 60.0]])
            seen = places[: 2 if second < 20 else 1]
            points = seen[random.random(len(seen)) < 0.85]
            points = points + random.normal(0.0, SIGMA_M, points.shape)
            R = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2)
            detections = tuple(Detection(Position(*point, R), 1.0) for point in points)
            tracker.apply(Scan("sensor", second * 10**9, (look,), detections), second * 10**9)
        left += sum(track.existence_probability > 0.5 for track in tracker.tracks_at(24 * 10**9))
    assert left <= 22


def test_tracks_of_two_that_waited_together_know_half_a_minute_later_that_they_may_be_the_other() -> None:
    """They come from west and east, hover at one place for 8 s, and leave to north and south: nothing tells who is who."""
    squares = []
    for seed in range(12):
        random, tracker = np.random.default_rng(seed), Tracker([SENSOR])
        for second in range(55):
            comes, goes = max(20.0 - second, 0.0) * 8.0, max(second - 28.0, 0.0) * 6.0
            places = np.array([[400.0 - comes, 300.0 + goes, 60.0], [400.0 + comes, 300.0 - goes, 60.0]])
            points = places[random.random(2) < 0.85]
            points = points + random.normal(0.0, SIGMA_M, points.shape)
            R = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2)
            detections = tuple(Detection(Position(*point, R), 1.0) for point in points)
            tracker.apply(Scan("sensor", second * 10**9, None, detections), second * 10**9)
            if second == 12:
                numbers = numbers_of(tracker, places, second * 10**9)
        found = {track.track_number: track for track in tracker.tracks_at(54 * 10**9)}
        for number, place in zip(numbers, places, strict=True):
            if number in found:
                error, P = found[number].state[:3] - place, found[number].covariance[:3, :3]
                squares.append(float(error @ np.linalg.solve(P, error)) / 3.0)
    assert len(squares) >= 20
    assert np.mean(squares) < 3.0


@pytest.mark.parametrize("count", [2, 16])
def test_who_is_who_stays_open_for_two_and_not_in_a_swarm(count: int) -> None:
    """Objects 50 m apart, whose gates just meet: in a swarm all neighbours could be one another for ever."""
    random, tracker, opened = np.random.default_rng(1), Tracker([SENSOR]), 0
    places = np.stack([*np.divmod(np.arange(count), 4), np.zeros(count)], axis=1) * 50.0 + np.array(
        [200.0, 300.0, 60.0]
    )
    R = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2)
    for second in range(40):
        points = places[random.random(count) < 0.85]
        points = points + random.normal(0.0, SIGMA_M, points.shape)
        detections = tuple(Detection(Position(*point, R), 1.0) for point in points)
        tracker.apply(Scan("sensor", second * 10**9, None, detections), second * 10**9)
        opened += second >= 20 and len(tracker._table.joints) > 0
    assert (opened > 0) == (count == 2)


def test_no_track_takes_two_detections_of_a_scan_that_measures_several_sets_of_components() -> None:
    """Heights are measured now and then only: two that fly side by side, what they are is open from scan to scan."""
    random, tracker, hits, most = np.random.default_rng(0), Tracker([SENSOR]), {}, 0
    cubic, flat = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2), (SIGMA_M**2, 0.0, SIGMA_M**2)
    for second in range(30):
        places = np.array([[5.0 * second, 300.0, 60.0], [5.0 * second, 330.0, 60.0], [-400.0, 3.0 * second, 60.0]])
        points = places + random.normal(0.0, SIGMA_M, places.shape)
        has_height = random.random(3) < 0.5
        measured = [
            Position(*point, cubic) if high else Position(point[0], point[1], None, flat)
            for point, high in zip(points.tolist(), has_height.tolist(), strict=True)
        ]
        scan = Scan("sensor", second * 10**9, None, tuple(Detection(one, 1.0) for one in measured))
        tracker.apply(scan, scan.time_ns)
        now = dict(zip(tracker._table.keys, tracker._table.hits.tolist(), strict=True))
        most = max(most, *(count - hits.get(key, 0) for key, count in now.items()))
        hits = now
    assert most == 1


def test_a_row_that_is_hardly_believed_takes_no_second_detection_where_hypotheses_have_given_it_one() -> None:
    random, scans, most = np.random.default_rng(2), [], 0
    for second in range(30):
        places = np.array([[5.0 * second, 300.0, 60.0], [5.0 * second, 300.0 + SIGMA_M, 60.0]])
        points = np.concatenate([places, places]) + random.normal(0.0, SIGMA_M, (4, 3))
        R = (SIGMA_M**2, 0.0, 0.0, SIGMA_M**2, 0.0, SIGMA_M**2)
        detections = tuple(Detection(Position(*point, R), 1.0) for point in points[: 2 if second < 15 else 4])
        scans.append(Scan("sensor", second * 10**9, None, detections))
    tracker = played(scans[:15])
    assert tracker._table.joints
    for scan in scans[15:]:
        table = tracker._table
        held = [row for row, key in enumerate(table.keys) if any(key in one.keys for one in table.joints)]
        table.is_confirmed[held[-1:]], table.existence[held[-1:]] = False, 0.3
        before = dict(zip(table.keys, table.hits.tolist(), strict=True))
        tracker.apply(scan, scan.time_ns)
        now = dict(zip(tracker._table.keys, tracker._table.hits.tolist(), strict=True))
        most = max(most, *(count - before.get(key, 0) for key, count in now.items()))
    assert most == 1


def test_what_hypotheses_in_space_add_is_not_added_to_a_direction() -> None:
    """A track whose range has just been lost: its covariance is of angles, theirs of metres."""
    table, _, _ = two_that_may_be_each_other(0.0)
    assert table.doubt(np.arange(2))[:, 0, 0] == pytest.approx([50.0, 50.0])
    table.direction_of[0] = 0
    assert table.doubt(np.arange(2))[:, 0, 0] == pytest.approx([0.0, 50.0])
