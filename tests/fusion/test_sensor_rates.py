from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fusion import existence
from fusion.sensor_rates import HIGHEST_ALARMS, SensorRates, Stays
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Position,
    Scan,
    Sensor,
)


@pytest.mark.parametrize("true_share", [0.55, 0.85])
def test_the_detection_probability_is_learned_from_tracks_that_are_looked_at(
    world: Callable, flying_object: Callable, radar: Sensor, true_share: float
) -> None:
    """Declared 0.85; six objects, two scans a second, a minute."""
    places = [(-30.0 + 12.0 * k, 60.0 + 6.0 * k, 20.0) for k in range(6)]
    things = [flying_object(place, (0.2, 0.1, 0.0)) for place in places]
    scans = world(things, {"radar": 2.0}, [radar], detection_probability=true_share).scans(60.0)
    tracker = Tracker([radar])
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    learned = float(tracker._table.learned.probability(0, np.array([0.85]))[0])
    assert learned == pytest.approx(true_share, abs=0.07)


def test_false_alarms_are_counted_beside_what_is_declared(
    world: Callable, flying_object: Callable, radar: Sensor
) -> None:
    """Declared 0.4 a scan, truly 2.5."""
    scans = world([flying_object((0.0, 70.0, 20.0), (1.0, 0.0, 0.0))], {"radar": 2.0}, [radar], false_alarms=2.5)
    tracker = Tracker([radar])
    for scan in scans.scans(120.0):
        tracker.apply(scan, scan.time_ns)
    assert 0.4 * tracker._table.learned.alarm_ratio(0) == pytest.approx(2.5, rel=0.35)


def test_a_crowd_whose_gates_come_apart_now_and_then_teaches_nothing_false(start_ns: int) -> None:
    """36 objects hover 25 m apart, seen with 0.85 to 2 m: whose a detection is stays open, that a gate is empty does not."""
    random, level = np.random.default_rng(1), Orientation(0.0, 0.0, 0.0)
    at = np.stack([*np.divmod(np.arange(36), 6), np.zeros(36)], axis=1) * 25.0 + np.array([200.0, 300.0, 60.0])
    sensor = Sensor(
        "sensor", (0.0, 0.0, 0.0), level, Accuracy(), false_alarms_per_scan=0.5,
        detection_probability=DetectionProbability(constant=0.85),
    )  # fmt: skip
    tracker, look = Tracker([sensor]), Look(level, (-np.pi, np.pi), (-1.5, 1.5), (0.0, 5000.0))
    for second in range(60):
        seen = at[random.random(36) < 0.85]
        detections = tuple(
            Detection(Position(e, n, u, (4.0, 0.0, 0.0, 4.0, 0.0, 4.0)), 1.0)
            for e, n, u in (seen + random.normal(0.0, 2.0, seen.shape)).tolist()
        )
        now_ns = start_ns + second * 10**9
        tracker.apply(Scan("sensor", now_ns, (look,), detections), now_ns)
    assert 0.8 < float(tracker._table.learned.probability(0, np.array([0.85]))[0]) < 0.9
    assert len(tracker.tracks_at(now_ns)) <= 36


def test_nothing_seen_leaves_what_is_declared() -> None:
    rates = SensorRates(2)
    assert rates.alarm_ratio(1) == 1.0
    assert rates.probability(0, np.array([0.3, 0.95])).tolist() == [0.3, 0.95]


def test_a_flood_of_alarms_has_a_limit_and_a_copy_is_independent() -> None:
    rates = SensorRates(1)
    kept = rates.copy()
    for _ in range(2000):
        rates.note_scan(0, 0.1, 500.0)
    assert rates.alarm_ratio(0) == HIGHEST_ALARMS
    assert kept.alarm_ratio(0) == 1.0


def test_where_objects_stay_for_long_two_misses_in_a_row_end_none_of_them() -> None:
    """A sensor that sees 0.9 of them, once a second: it misses one twice in a row once in a hundred times."""
    stays = Stays(60.0)
    assert stays.ends_per_s() == pytest.approx(1.0 / 60.0)

    def after_two_misses() -> float:
        r = np.array([existence.HIGHEST_EXISTENCE])
        for _ in range(2):
            r = existence.bayes(existence.survive(r, 1.0, stays.ends_per_s()), np.array([0.1]))
        return float(r[0])

    assert after_two_misses() < 0.35
    for _ in range(120):
        stays.pass_time(1.0, 4.0)
    assert after_two_misses() > 0.5
    before = stays.copy()
    stays.note(8)
    assert after_two_misses() < 0.35
    assert before.ends_per_s() < stays.ends_per_s() / 5.0


def test_tracks_that_are_given_up_tell_how_long_objects_stay() -> None:
    """Four stand there for 40 s, or one of them ends after 20 s."""
    level = Orientation(0.0, 0.0, 0.0)
    known = DetectionProbability(constant=0.9, night="same")
    sensor = Sensor("sensor", (0.0, 0.0, 0.0), level, Accuracy(slant_range_m=1.0), detection_probability=known)
    look, rates = (Look(level, (-np.pi, np.pi), (-np.pi, np.pi), (0.0, 1e4)),), []
    for left in (4, 3):
        tracker = Tracker([sensor])
        for second in range(40):
            there = range(4 if second < 20 else left)
            found = tuple(Detection(Position(50.0 * k, 80.0, 30.0, (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)), 1.0) for k in there)
            tracker.apply(Scan("sensor", second * 10**9, look, found), second * 10**9)
        rates.append(tracker._table.stays.ends_per_s())
    assert rates[0] == pytest.approx(1.0 / (60.0 + 4 * 40.0), rel=0.1)
    assert rates[1] == pytest.approx(2.0 / (60.0 + 4 * 20.0 + 3 * 20.0), rel=0.15)


def test_neither_a_sensor_that_falls_silent_nor_what_is_seen_for_moments_makes_objects_end_sooner() -> None:
    """Four stand there; the sensor says nothing for 20 s, so that all are given up. Then others are there for 5 s each."""
    level = Orientation(0.0, 0.0, 0.0)
    known = DetectionProbability(constant=0.9, night="same")
    sensor = Sensor("sensor", (0.0, 0.0, 0.0), level, Accuracy(slant_range_m=1.0), detection_probability=known)
    look, tracker, rates = (Look(level, (-np.pi, np.pi), (-np.pi, np.pi), (0.0, 1e4)),), Tracker([sensor]), []
    for second in (*range(20), *range(40, 60), *range(60, 200)):
        north_m = 80.0 if second < 60 else 500.0 + 100.0 * (second // 10 % 5)
        there = range(4) if second < 60 or second % 10 < 5 else range(0)
        found = tuple(Detection(Position(50.0 * k, north_m, 30.0, (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)), 1.0) for k in there)
        tracker.apply(Scan("sensor", second * 10**9, look, found), second * 10**9)
        rates.append(tracker._table.stays.ends_per_s())
    assert rates[20] == pytest.approx(rates[19], rel=0.25)  # 3.3 times where each that is given up has ended
    assert max(rates) <= 1.0 / 60.0  # 1 / 7 s where what is seen for moments tells of all
