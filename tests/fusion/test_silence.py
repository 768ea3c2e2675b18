"""What only a camera sees while a radar that should see it does not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
    Track,
)

NORTH = Orientation(0.0, 0.0, 0.0)
FINE_RAD, COARSE_RAD = math.radians(0.15), math.radians(1.0)
CAMERA = Sensor("camera", (0.0, 1.0, 6.0), NORTH, Accuracy(FINE_RAD, FINE_RAD), false_alarms_per_scan=0.05)
LIMITS = ((-1.0, 1.0), (-0.2, 0.6), (3.0, 900.0))
RADAR = Sensor(
    "radar", (0.0, 0.0, 5.0), NORTH, Accuracy(COARSE_RAD, COARSE_RAD, 1.5), coverage=Coverage(*LIMITS),
    detection_probability=DetectionProbability(0.85), false_alarms_per_scan=0.3,
)  # fmt: skip


def seen(start_ns: int, radar: Sensor = RADAR, heard_s: float = 0.0, named: str = "drone") -> Track:
    """What stands after 12 s of a thing 120 m away, of which the radar gives an echo until heard_s."""
    assert radar.coverage is not None
    tracker = Tracker([CAMERA, radar])
    look = Look(NORTH, radar.coverage.azimuth_rad, radar.coverage.elevation_rad, radar.coverage.slant_range_m)
    for k in range(60):
        azimuth, at_ns = 0.01 * math.sin(0.1 * k), start_ns + k * 200_000_000
        votes = ((named, 0.8), ("unknown", 0.2))
        sight = Detection(Polar(azimuth, FINE_RAD, 0.2, FINE_RAD), 0.8, votes, angular_size_rad=0.5 / 120.0)
        tracker.apply(Scan("camera", at_ns, (Look(NORTH, (-0.3, 0.3), (-0.1, 0.4), (0.0, math.inf)),), (sight,)), at_ns)
        echo = Detection(Polar(azimuth, COARSE_RAD, 0.2, COARSE_RAD, 120.0, 1.5), 0.9)
        found = (echo,) if 0.2 * k < heard_s else ()
        tracker.apply(Scan("radar", at_ns + 50_000_000, (look,), found), at_ns + 50_000_000)
    (track,) = tracker.tracks_at(start_ns + 12 * 10**9)
    return track


def likeliest(track: Track) -> str:
    return max(track.classes, key=lambda one: one[1])[0]


def test_a_drone_in_the_film_that_a_radar_should_see_and_does_not_is_not_called_one(start_ns: int) -> None:
    track = seen(start_ns)
    assert (track.status, likeliest(track)) == ("confirmed", "unknown")
    assert sum(probability for _, probability in track.classes) == pytest.approx(1.0)
    assert track.explanation is not None
    assert track.explanation.should_have_seen == ("radar",)


def test_silence_says_nothing_where_the_radar_does_not_look_far_enough_or_tells_no_chance(start_ns: int) -> None:
    near = replace(RADAR, coverage=Coverage(*LIMITS[:2], (3.0, 150.0)))
    assert likeliest(seen(start_ns, near)) == "drone"
    assert likeliest(seen(start_ns, replace(RADAR, detection_probability=None))) == "drone"
    assert likeliest(seen(start_ns, named="airplane")) == "airplane"  # it may be farther than the radar looks


def test_a_radar_that_has_lost_it_takes_nothing_back(start_ns: int) -> None:
    assert likeliest(seen(start_ns, heard_s=3.0)) == "drone"
