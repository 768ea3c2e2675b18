from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fusion.frames import enu_to_polar
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, DetectionProbability, Look, Orientation, Polar, Scan, Sensor

NORTH = Orientation(0.0, 0.0, 0.0)
LOOK = Look(NORTH, (-math.pi, math.pi), (-1.6, 1.6), (0.0, 5000.0))
RADAR = Sensor(
    "ridge/radar", (0.0, 0.0, 0.0), NORTH, Accuracy(0.01, 0.01, 2.0, 0.3),
    detection_probability=DetectionProbability(constant=0.85), false_alarms_per_scan=2.0,
)  # fmt: skip
WIDE = [
    replace(RADAR, sensor_id=f"pass/wide-{k}", position_enu_m=(400.0, 100.0 * k, 0.0),
            detection_probability=DetectionProbability(constant=0.98))
    for k in range(3)
]  # fmt: skip


def lives_to_the_end(wide: list[Sensor], start_ns: int, is_there: bool = True) -> bool:
    """Whether a thing that the radar sees for 20 s, in most scans, is one number all the time; the others see nothing."""
    random, tracker = np.random.default_rng(3), Tracker([RADAR, *wide])
    numbers: set[tuple[int, ...]] = set()
    for tenth in range(200):
        now_ns = start_ns + tenth * 100_000_000
        if tenth % 10 == 0:
            plots = []
            if random.random() < 0.85 and (is_there or tenth < 100):
                azimuth, elevation, r = enu_to_polar(np.array([200.0 + tenth, 600.0, 60.0]))
                error, rate = random.standard_normal(4), 10.0 * (200.0 + tenth) / r
                measured = Polar(
                    azimuth + 0.01 * error[0], 0.01, elevation + 0.01 * error[1], 0.01, r + 2.0 * error[2], 2.0,
                    rate + 0.3 * error[3], 0.3,
                )  # fmt: skip
                plots.append(Detection(measured, 0.9))
            tracker.apply(Scan(RADAR.sensor_id, now_ns, (LOOK,), tuple(plots)), now_ns)
        for k, sensor in enumerate(wide):
            tracker.apply(Scan(sensor.sensor_id, now_ns + 10_000_000 * (k + 1), (LOOK,), ()), now_ns)
        if tenth > 50:
            numbers.add(tuple(track.track_number for track in tracker.tracks_at(now_ns + 40_000_000)))
    return len(numbers) == 1 and () not in numbers


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_post_says_to_look_at_and_not_to_see_ends_no_track_of_another(count: int, start_ns: int) -> None:
    assert lives_to_the_end([], start_ns)
    assert lives_to_the_end(WIDE[:count], start_ns)


def test_sensors_of_the_same_post_do(start_ns: int) -> None:
    of_ridge = [replace(sensor, sensor_id=sensor.sensor_id.replace("pass", "ridge")) for sensor in WIDE]
    assert not lives_to_the_end(of_ridge, start_ns)


def test_a_thing_that_nobody_sees_any_more_is_gone(start_ns: int) -> None:
    assert not lives_to_the_end(WIDE, start_ns, is_there=False)
