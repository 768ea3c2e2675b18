"""A thing's size, by a camera's angle and a radar's range, speaks against classes that are never so large or small."""

from __future__ import annotations

import math

import pytest

from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Scan, Sensor

NORTH = Orientation(0.0, 0.0, 0.0)
CAMERA = Sensor("camera", (0.0, 0.0, 5.0), NORTH, Accuracy(0.003, 0.003), false_alarms_per_scan=0.05)
RADAR = Sensor("radar", (0.0, 0.0, 5.0), NORTH, Accuracy(0.02, 0.02, 0.5), false_alarms_per_scan=0.3)
LOOK = Look(NORTH, (-1.0, 1.0), (-0.5, 0.5), (0.5, 900.0))


def likeliest(start_ns: int, range_m: float, size_m: float) -> str:
    """The class of a thing that hovers there and that the detector calls a drone, after 6 s before camera and radar."""
    tracker = Tracker([CAMERA, RADAR])
    for k in range(30):
        at_ns = start_ns + k * 200_000_000
        echo = Detection(Polar(0.0, 0.02, 0.1, 0.02, range_m, 0.5), 0.9)
        tracker.apply(Scan("radar", at_ns, (LOOK,), (echo,)), at_ns)
        votes = (("drone", 0.8), ("unknown", 0.2))
        sight = Detection(Polar(0.0, 0.003, 0.1, 0.003), 0.8, votes, angular_size_rad=size_m / range_m)
        tracker.apply(Scan("camera", at_ns + 50_000_000, (LOOK,), (sight,)), at_ns + 50_000_000)
    (track,) = [track for track in tracker.tracks_at(start_ns + 6 * 10**9) if track.direction is None]
    assert math.fsum(probability for _, probability in track.classes) == pytest.approx(1.0)
    return max(track.classes, key=lambda one: one[1])[0]


@pytest.mark.parametrize(("range_m", "size_m"), [(9.0, 0.12), (120.0, 0.5), (400.0, 3.0)])
def test_what_is_as_large_as_drones_are_stays_one(start_ns: int, range_m: float, size_m: float) -> None:
    assert likeliest(start_ns, range_m, size_m) == "drone"


def test_an_insect_before_the_lens_is_no_drone_nor_is_what_is_as_large_as_a_house(start_ns: int) -> None:
    assert likeliest(start_ns, 9.0, 0.02) == "unknown"
    assert likeliest(start_ns, 600.0, 25.0) != "drone"
