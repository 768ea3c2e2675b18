from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fusion.sensor_rates import HIGHEST_ALARMS, SensorRates
from fusion.tracker import Tracker
from fusion.types import Sensor


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
