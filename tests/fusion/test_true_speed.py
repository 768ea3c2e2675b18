"""No bird goes on at 25 m/s over the ground."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.frames import enu_to_polar
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Scan, Sensor

NORTH = Orientation(0.0, 0.0, 0.0)
CAMERA = Sensor("camera", (0.0, 0.0, 5.0), NORTH, Accuracy(0.003, 0.003), false_alarms_per_scan=0.05)
RADAR = Sensor("radar", (0.0, 0.0, 5.0), NORTH, Accuracy(0.02, 0.02, 0.5, 0.3), false_alarms_per_scan=0.3)
LOOK = Look(NORTH, (-1.0, 1.0), (-0.5, 0.5), (0.5, 900.0))


def bird_share(start_ns: int, speed_m_s: float) -> float:
    """How likely a bird it is, as told after 10 s: a thing on a straight way across, that the detector calls either."""
    random, tracker = np.random.default_rng(7), Tracker([CAMERA, RADAR])
    for k in range(50):
        place = np.array([(k / 5.0 - 5.0) * speed_m_s, 300.0, 40.0])
        azimuth, elevation, slant_range = enu_to_polar(place - np.array(CAMERA.position_enu_m))
        rate = speed_m_s * place[0] / slant_range
        error, at_ns = random.standard_normal(6), start_ns + k * 200_000_000
        echo = Polar(
            azimuth + 0.02 * error[0], 0.02, elevation + 0.02 * error[1], 0.02,
            slant_range + 0.5 * error[2], 0.5, rate + 0.3 * error[3], 0.3,
        )  # fmt: skip
        tracker.apply(Scan("radar", at_ns, (LOOK,), (Detection(echo, 0.9),)), at_ns)
        sight = Polar(azimuth + 0.003 * error[4], 0.003, elevation + 0.003 * error[5], 0.003)
        votes = (("bird", 0.4), ("drone", 0.4), ("unknown", 0.2))
        tracker.apply(Scan("camera", at_ns + 1, (LOOK,), (Detection(sight, 0.8, votes),)), at_ns + 1)
    (track,) = [track for track in tracker.tracks_at(start_ns + 10 * 10**9) if track.direction is None]
    return dict(track.classes)["bird"]


def test_speed_speaks_against_a_bird_the_more_the_faster_it_is(start_ns: int) -> None:
    slow, cruising, fast, faster = (bird_share(start_ns, speed) for speed in (3.0, 15.0, 25.0, 33.0))
    assert slow == pytest.approx(cruising, rel=0.05)
    assert fast < 0.5 * cruising
    assert faster < 0.5 * fast
