from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fusion import crowd_births
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, DetectionProbability, Look, Orientation, Position, Scan, Sensor

LEVEL = Orientation(0.0, 0.0, 0.0)
ALL_AROUND = (Look(LEVEL, (-math.pi, math.pi), (-1.5, 1.5), (0.0, 5000.0)),)
SENSOR = Sensor(
    "sensor", (0.0, 0.0, 0.0), LEVEL, Accuracy(), false_alarms_per_scan=0.5,
    detection_probability=DetectionProbability(constant=0.85),
)  # fmt: skip


def tracks_of_a_swarm(
    seed: int, side: int, sigma_m: float, seconds: int, parting_m_s: float = 0.0, sensor: Sensor = SENSOR
) -> list[np.ndarray]:
    """Places of the tracks, second by second, of side² objects that hover 8 m apart; every other one then moves east."""
    random = np.random.default_rng(seed)
    at = np.stack([*np.divmod(np.arange(side**2), side), np.zeros(side**2)], axis=1) * 8.0 + np.array(
        [200.0, 300.0, 60.0]
    )
    tracker, covariance = Tracker([sensor]), (sigma_m**2, 0.0, 0.0, sigma_m**2, 0.0, sigma_m**2)
    told = []
    for second in range(seconds):
        places = at.copy()
        places[::2, 0] += parting_m_s * max(second - seconds // 3, 0)
        seen = places[random.random(len(places)) < 0.85]
        points = seen + random.normal(0.0, sigma_m, seen.shape)
        detections = tuple(Detection(Position(e, n, u, covariance), 1.0) for e, n, u in points.tolist())
        tracker.apply(Scan("sensor", second * 10**9, ALL_AROUND, detections), second * 10**9)
        told.append(np.array([track.state[:3] for track in tracker.tracks_at(second * 10**9)]).reshape(-1, 3))
    return told


def test_a_crowd_has_as_many_tracks_as_its_detections_tell_of() -> None:
    """36 objects 8 m apart, seen to 15 m: every detection lies in gates of tracks, so nothing is left over to begin with."""
    counts = [len(places) for seed in range(2) for places in tracks_of_a_swarm(seed, 6, 15.0, 40)[20:]]
    assert 34.0 < np.mean(counts) < 38.0


def test_a_sensor_that_is_said_to_see_hardly_anything_and_sees_all_fills_no_crowd() -> None:
    """What is wrong then is the number in its site file; by that number 36 objects show as hundreds."""
    chance = DetectionProbability(constant=0.05)
    counts = [
        len(places) for places in tracks_of_a_swarm(1, 6, 4.0, 25, sensor=replace(SENSOR, detection_probability=chance))
    ]
    assert 20 < max(counts) <= 40


@pytest.mark.parametrize(("excess", "begun"), [(0.0, 0), (0.4, 0), (3.0, 2)])
def test_what_may_be_chance_begins_nothing(excess: float, begun: int) -> None:
    """Of 30 tracks seen with 0.85, what is lacking is known to 0.8 objects."""
    assert crowd_births._whole(30.0, excess / 30.0, 0.85) == begun
