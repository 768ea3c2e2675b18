"""No bird goes on at 25 m/s over the ground."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fusion.frames import enu_to_polar
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Scan, Sensor

NORTH = Orientation(0.0, 0.0, 0.0)
CAMERA = Sensor("camera", (0.0, 0.0, 5.0), NORTH, Accuracy(0.003, 0.003), false_alarms_per_scan=0.05)
RADAR = Sensor("radar", (0.0, 0.0, 5.0), NORTH, Accuracy(0.02, 0.02, 0.5, 0.3), false_alarms_per_scan=0.3)
LOOK = Look(NORTH, (-1.0, 1.0), (-0.5, 0.5), (0.5, 900.0))


def bird_share(start_ns: int, speed_m_s: float, turn_rad_s: float = 0.0, seconds: int = 10) -> float:
    """How likely a bird it is, as told in the end: a thing straight on or in a circle, that the detector calls either."""
    random, tracker = np.random.default_rng(7), Tracker([CAMERA, RADAR])
    for k in range(5 * seconds):
        place = np.array([(k / 5.0 - 5.0) * speed_m_s, 300.0, 40.0])
        velocity = np.array([speed_m_s, 0.0, 0.0])
        if turn_rad_s:
            turned, radius_m = turn_rad_s * k / 5.0, speed_m_s / turn_rad_s
            place = np.array([radius_m * math.sin(turned), 300.0 + radius_m * math.cos(turned), 40.0])
            velocity = speed_m_s * np.array([math.cos(turned), -math.sin(turned), 0.0])
        azimuth, elevation, slant_range = enu_to_polar(place - np.array(CAMERA.position_enu_m))
        rate = velocity @ (place - np.array(CAMERA.position_enu_m)) / slant_range
        error, at_ns = random.standard_normal(6), start_ns + k * 200_000_000
        echo = Polar(
            azimuth + 0.02 * error[0], 0.02, elevation + 0.02 * error[1], 0.02,
            slant_range + 0.5 * error[2], 0.5, rate + 0.3 * error[3], 0.3,
        )  # fmt: skip
        tracker.apply(Scan("radar", at_ns, (LOOK,), (Detection(echo, 0.9),)), at_ns)
        sight = Polar(azimuth + 0.003 * error[4], 0.003, elevation + 0.003 * error[5], 0.003)
        votes = (("bird", 0.4), ("drone", 0.4), ("unknown", 0.2))
        tracker.apply(Scan("camera", at_ns + 1, (LOOK,), (Detection(sight, 0.8, votes),)), at_ns + 1)
    (track,) = [track for track in tracker.tracks_at(start_ns + seconds * 10**9) if track.direction is None]
    return dict(track.classes)["bird"]


def test_speed_speaks_against_a_bird_the_more_the_faster_it_is(start_ns: int) -> None:
    slow, cruising, fast, faster = (bird_share(start_ns, speed) for speed in (3.0, 15.0, 25.0, 33.0))
    assert slow == pytest.approx(cruising, rel=0.05)
    assert fast < 0.5 * cruising
    assert faster < 0.5 * fast


def test_a_wind_may_carry_what_flies_straight_but_not_all_around_a_circle(start_ns: int) -> None:
    straight = bird_share(start_ns, 24.0)
    around = bird_share(start_ns, 24.0, turn_rad_s=0.25, seconds=30)
    assert around < 0.5 * straight
    slow_around = bird_share(start_ns, 12.0, turn_rad_s=0.25, seconds=30)  # as gulls and buzzards do
    assert slow_around > straight
