from __future__ import annotations

import numpy as np
import pytest

from fusion.initiation import ALIKE_SIGMAS, ObjectModel, begin, speed_covariance, usual_velocity
from fusion.measurement import stack
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Detection,
    DetectionProbability,
    FloatArray,
    Look,
    Orientation,
    Position,
    Scan,
    Sensor,
    TrackerSettings,
)

SIGMA_M_S = 5.0
MODEL = ObjectModel(horizontal_speed_m_s=SIGMA_M_S, undetected_at_start=3.0, births_per_s=0.005)
SENSOR = Sensor(
    "sensor", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(slant_range_m=1.0), false_alarms_per_scan=300.0,
    detection_probability=DetectionProbability(constant=0.9, night="same"),
)  # fmt: skip
SECOND_NS = 10**9


def usual(*velocities: tuple[float, float], variance: float = 0.0) -> FloatArray:
    known = np.array(velocities, float).reshape(-1, 2)
    return usual_velocity(known, np.full(known.shape, variance), MODEL)


def test_who_comes_next_is_expected_to_fly_as_those_do_that_are_known() -> None:
    """As far as their mean is not what chance would make of so few."""
    assert usual().tolist() == [0.0, 0.0, 0.0]
    assert usual((4.0, 2.0)).tolist() == [0.0, 0.0, 0.0]
    share = 1.0 - 2.0 * SIGMA_M_S**2 / (9 * (4.0**2 + 2.0**2))
    assert usual(*[(4.0, 2.0)] * 9) == pytest.approx([4.0 * share, 2.0 * share, 0.0])
    assert usual(*[(4.0, 0.0), (-4.0, 0.0)] * 9) == pytest.approx([0.0, 0.0, 0.0])


def test_what_is_not_known_yet_or_flies_like_nothing_here_tells_nothing() -> None:
    assert usual((4.0, 2.0), variance=SIGMA_M_S**2) == pytest.approx([0.0, 0.0, 0.0])
    assert usual(((ALIKE_SIGMAS + 0.1) * SIGMA_M_S, 0.0)) == pytest.approx([0.0, 0.0, 0.0])


def test_half_the_newcomers_fly_as_the_others_do_and_half_anyhow() -> None:
    position = Detection(Position(3.0, 4.0, 30.0, (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)), 1.0)
    begun = begin(stack([position], 10)[0], SENSOR, MODEL, np.array([4.0, -2.0, 0.0]), [None])
    assert begun is not None
    x, P, _ = begun
    assert x[0].tolist() == [3.0, 4.0, 30.0, 2.0, -1.0, 0.0]
    apart = np.array([[4.0, -2.0, 0.0], [-2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert P[0, 3:, 3:] == pytest.approx(speed_covariance(MODEL) + apart)


def existence_of_another(velocity: tuple[float, float], others: int, east_m_s: float = 8.0) -> float:
    """What is believed of one that comes late and is seen three times, among others that fly east."""
    settings = TrackerSettings(0.2, 0.999, 0.5)
    tracker = Tracker([SENSOR], settings, objects=MODEL)
    look = (Look(SENSOR.orientation, (-np.pi, np.pi), (-np.pi, np.pi), (0.0, 1e4)),)
    for second in range(20):
        places = [(east_m_s * second, -200.0 * k) for k in range(others)]
        if second >= 17:
            places.append((velocity[0] * (second - 17), 300.0 + velocity[1] * (second - 17)))
        found = tuple(Detection(Position(e, n, None, (1.0, 0.0, 1.0)), 1.0) for e, n in places)
        tracker.apply(Scan("sensor", (1 + second) * SECOND_NS, look, found), (1 + second) * SECOND_NS)
    table = tracker._table
    return float(table.existence[table.birth_ns == 18 * SECOND_NS][0])


def odds(r: float) -> float:
    return r / (1.0 - r)


def test_one_that_comes_as_the_others_do_is_believed_sooner() -> None:
    alike, alone = existence_of_another((8.0, 0.0), 4), existence_of_another((8.0, 0.0), 0)
    assert odds(alike) > 2.0 * odds(alone)


def test_one_that_comes_the_other_way_through_a_quick_flock_is_believed_hardly_later() -> None:
    """At most one more bit of evidence is asked of it; with the spread of the site alone it were five and seven."""
    for velocity, flock in ((-6.0, 9.0), (-8.0, 12.0)):
        met, alone = existence_of_another((velocity, 0.0), 10, flock), existence_of_another((velocity, 0.0), 0)
        assert odds(met) > 0.5 * odds(alone)
