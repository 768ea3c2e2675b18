from __future__ import annotations

import math

import numpy as np
import pytest

from fusion import extra_plots
from fusion.frames import enu_to_polar
from fusion.measurement import stack
from fusion.tracker import Tracker
from fusion.types import Detection, Look, Polar, Scan, Sensor

PERIOD_S = 0.2
SIGMAS = np.array([math.radians(1.5), math.radians(2.0), 0.8, 0.3])


def look_at(radar: Sensor, start_ns: int, number: int, seen: list[np.ndarray]) -> Scan:
    """seen: azimuth, elevation, range and range rate of each detection."""
    assert radar.coverage is not None
    azimuth, elevation, slant_range, rate = SIGMAS
    found = tuple(
        Detection(Polar(one[0], azimuth, one[1], elevation, one[2], slant_range, one[3], rate), 0.9) for one in seen
    )
    looked = Look(
        radar.orientation, radar.coverage.azimuth_rad, radar.coverage.elevation_rad, radar.coverage.slant_range_m
    )
    return Scan(radar.sensor_id, start_ns + round(number * PERIOD_S * 1e9), (looked,), found)


def shown(radar: Sensor, place: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    away = place - np.array(radar.position_enu_m)
    return np.array([*enu_to_polar(away), away @ velocity / np.linalg.norm(away)])


def numbers(radar: Sensor, start_ns: int, seed: int, beside_m: float | None) -> set[int]:
    """Of a wing of 2 m that shows two points in one look of four; or, beside_m to its side, of two drones."""
    random, tracker, told = np.random.default_rng(seed), Tracker([radar]), set()
    velocity, offset = np.array([0.0, -4.0, 0.0]), np.array([beside_m or 0.0, 0.0, 0.0])
    for number in range(75):
        place = np.array([-3.0, 100.0, 30.0]) + number * PERIOD_S * velocity
        seen = [shown(radar, place, velocity) + SIGMAS * random.standard_normal(4)]
        if beside_m is not None:
            seen.append(shown(radar, place + offset, velocity) + SIGMAS * random.standard_normal(4))
        elif random.random() < 0.25:
            point = random.normal(0.0, 0.7, 3)
            seen.append(seen[0] + shown(radar, place + point, velocity) - shown(radar, place, velocity))
        scan = look_at(radar, start_ns, number, [one for one in seen if random.random() < 0.9])
        told |= {track.track_number for track in tracker.apply(scan, scan.time_ns).tracks}
    return told


@pytest.mark.parametrize("seed", range(6))
def test_a_wing_that_shows_several_points_in_a_look_is_one_track(radar: Sensor, start_ns: int, seed: int) -> None:
    assert len(numbers(radar, start_ns, seed, None)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_two_drones_side_by_side_are_two_tracks(radar: Sensor, start_ns: int, seed: int) -> None:
    assert len(numbers(radar, start_ns, seed, 8.0)) == 2


def test_others_are_expected_about_what_was_taken_as_many_as_said(radar: Sensor, start_ns: int) -> None:
    """The density, summed over a fine grid of ranges and range rates at the same angles, against its marginal."""
    z = np.array([0.1, 0.2, 80.0, -3.0])
    grid = [z + np.array([0.0, 0.0, dr, dv]) for dr in np.arange(-5, 5, 0.25) for dv in np.arange(-5, 5, 0.25)]
    (plots,) = stack(look_at(radar, start_ns, 0, [z, *grid]).detections, 5000)
    place = np.flatnonzero(plots.index == 0)
    found = float(np.delete(extra_plots.density(plots, place), place).sum()) * 0.25 * 0.25
    angles = [math.hypot(extra_plots.WIDTH_M / 80.0, extra_plots.OWN_ERROR * sigma) for sigma in SIGMAS[:2]]
    expected = extra_plots.EXPECTED / (2.0 * math.pi * angles[0] * angles[1])
    assert found == pytest.approx(expected, rel=1e-3)
    assert not extra_plots.density(plots, np.zeros(0, dtype=np.int64)).any()
