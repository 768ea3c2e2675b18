"""A radar aligned by a camera: drones that both see, echoes that only one of them has; known truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edge.alignment import CannotAlign, align
from edge.seen_rays import seen_pairs, tracklets
from fusion.frames import body_to_level
from fusion.types import Accuracy, Detection, Fact, Orientation, Polar, Scan, Sensor

S = 1_000_000_000


def degrees(*angles: float) -> tuple[float, ...]:
    return tuple(math.radians(angle) for angle in angles)


TRUE, TOLD = Orientation(*degrees(37.0, 6.0, -1.5)), Orientation(*degrees(25.0, 4.0, 0.0))
LATE_S = 0.15
EYE = Sensor("eye", (-12.0, 4.0, 5.0), Orientation(*degrees(30.0, 8.0, 0.0)), Accuracy(*degrees(0.05, 0.05)))
RADAR = Sensor("radar", (1.0, 2.0, 4.0), TOLD, Accuracy(*degrees(1.0, 1.5), 0.5))


def drone(number: int, time_s: float) -> np.ndarray:
    """ENU: two that fly loops, one nearer than the other."""
    along, across = (60.0 + 20.0 * math.sin(time_s / 7.0), 30.0 * math.sin(time_s / 4.0))
    if number == 1:
        along, across = 95.0 + 10.0 * math.cos(time_s / 5.0), -25.0 * math.cos(time_s / 6.0)
    ahead = math.radians(35.0)
    east, north = along * math.sin(ahead), along * math.cos(ahead)
    return np.array([east + across * math.cos(ahead), north - across * math.sin(ahead), 18.0 + 8.0 * math.sin(time_s)])


def polar_of(sensor: Sensor, offset: np.ndarray, noise: np.ndarray, sigma: float) -> Polar:
    """As the sensor tells it: level, from the axes it believes in."""
    x, y, z = offset
    away = float(np.linalg.norm(offset))
    has_range = sensor.accuracy.slant_range_m is not None
    return Polar(
        math.atan2(x, y) + noise[0] * sigma, sigma, math.asin(z / away) + noise[1] * sigma, sigma,
        away + noise[2] * 0.5 if has_range else None, 0.5 if has_range else None,
    )  # fmt: skip


def seen(seed: int, drones: tuple[int, ...] = (0, 1), clutter: int = 3, still: bool = False) -> list[Fact]:
    """Twenty seconds of both; the radar is turned otherwise than told, and tells late."""
    chance = np.random.default_rng(seed)
    turned = body_to_level(TOLD) @ body_to_level(TRUE).T  # what it believes of what is
    facts: list[Fact] = []
    for step in range(200):
        time_s = step / 10.0
        places = [drone(number, 0.0 if still else time_s) for number in drones]
        found = [polar_of(EYE, place - np.array(EYE.position_enu_m), chance.normal(size=3), 9e-4) for place in places]
        at_ns = 10**18 + round(time_s * S)
        facts.append(Scan("eye", at_ns, None, tuple(Detection(one, 0.8) for one in found)))
        offsets = [place - np.array(RADAR.position_enu_m) for place in places]
        offsets += [chance.uniform((-60.0, 5.0, 0.0), (60.0, 110.0, 30.0)) for _ in range(clutter)]
        echoes = [polar_of(RADAR, turned @ offset, chance.normal(size=3), math.radians(1.0)) for offset in offsets]
        facts.append(Scan("radar", at_ns + round(LATE_S * S), None, tuple(Detection(one, 0.8) for one in echoes)))
    return facts


@pytest.mark.parametrize("seed", range(3))
def test_two_drones_and_clutter_tell_how_the_radar_is_turned_and_how_late_it_is(seed: int) -> None:
    found = align(RADAR, seen_pairs(EYE, RADAR, seen(seed)), moving=True)
    angles = (found.orientation.heading_rad, found.orientation.pitch_rad, found.orientation.roll_rad)
    truths = (TRUE.heading_rad, TRUE.pitch_rad, TRUE.roll_rad)
    for angle, truth, sigma in zip(angles, truths, found.sigma_rad, strict=True):
        assert abs(angle - truth) < 4.0 * sigma
        assert sigma < math.radians(0.6)
    assert found.latency_sigma_s is not None
    assert abs(found.latency_ns / 1e9 - LATE_S) < 4.0 * found.latency_sigma_s < 0.2
    assert found.slant_range_bias_sigma_m is None  # a camera tells no range


def test_what_crosses_the_picture_is_one_tracklet_each() -> None:
    assert [len(tracklet.times_ns) for tracklet in tracklets(EYE, seen(0))] == [200, 200]


def test_the_cameras_own_mounting_makes_the_answer_less_sure() -> None:
    unsure = replace(EYE, mounting_sigma_rad=math.radians(1.0))
    found = align(RADAR, seen_pairs(unsure, RADAR, seen(0)), moving=True)
    assert math.radians(0.7) < found.sigma_rad[0] < math.radians(1.5)


def test_nothing_that_moved_is_said() -> None:
    with pytest.raises(CannotAlign, match="saw 0 things move and radar had 1000 echoes"):
        seen_pairs(EYE, RADAR, seen(0, still=True))
