from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fusion import existence
from fusion.measurement import AZIMUTH, ELEVATION, RANGE_RATE, SLANT_RANGE
from fusion.types import Look, Orientation, Sensor

NORTH = Look(Orientation(0.0, 0.0, 0.0), (-0.5, 0.5), (-0.2, 0.5), (2.0, 120.0))


def test_a_detection_raises_and_a_miss_lowers_existence() -> None:
    r = np.array([0.5])
    assert existence.bayes(r, np.array([50.0]))[0] > 0.97
    assert existence.bayes(r, np.array([0.15]))[0] == pytest.approx(0.15 / 1.15)
    assert existence.bayes(np.array([0.9]), np.array([1e12]))[0] == existence.HIGHEST_EXISTENCE


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0, 50, 5), True), ((0, -50, 5), False), ((0, 130, 5), False), ((60, 30, 5), False), ((0, 50, 60), False)],
)
def test_a_look_covers_its_own_part_of_space(radar: Sensor, point: tuple, inside: bool) -> None:
    assert existence.looked_at(radar, (NORTH,), np.array([point], float), np.array([0.1]), np.zeros(1))[0] == inside


def test_near_an_edge_an_unsure_track_is_not_surely_inside(radar: Sensor) -> None:
    point = np.array([[0.0, 118.0, 5.0]])
    assert existence.looked_at(radar, (NORTH,), point, np.array([0.5]), np.zeros(1))[0]
    assert not existence.looked_at(radar, (NORTH,), point, np.array([5.0]), np.zeros(1))[0]


def test_near_an_edge_a_badly_mounted_sensor_does_not_surely_look_there(radar: Sensor) -> None:
    point = np.array([[60.0 * math.sin(0.45), 60.0 * math.cos(0.45), 5.0]])
    for mounting_rad, inside in ((0.0, True), (0.02, True), (0.087, False)):
        looked = existence.looked_at(radar, (NORTH,), point, np.array([0.5]), np.array([mounting_rad]))
        assert looked[0] == inside


def test_detection_probability_by_pixels_is_read_for_an_assumed_small_drone(camera: Sensor) -> None:
    at_m = existence.ASSUMED_TARGET_M * 1650.0 / np.array([8.0, 16.0, 24.0, 2.0, 64.0])  # ranges of so many pixels
    assert existence.detection_probability(camera, at_m) == pytest.approx([0.35, 0.8, 0.875, 0.0, 0.95])


def test_unknown_detection_probability_means_that_silence_means_nothing(radar: Sensor, start_ns: int) -> None:
    silent = replace(radar, detection_probability=None)
    assert np.isnan(existence.detection_probability(silent, np.array([50.0]))).all()


def misses(sensor: Sensor, start_ns: int, seen_ago_s: float, missed_ago_s: float) -> float:
    hang = np.array([existence.misses_hang_ns(sensor)])
    seen = np.array([start_ns - int(seen_ago_s * 1e9)])
    missed = np.array([start_ns - int(missed_ago_s * 1e9)])
    point = np.array([[0.0, 20.0, 6.0]])
    look = replace(NORTH, azimuth_rad=(-1.0, 1.0))
    return float(
        existence.counted_misses(sensor, start_ns, point, np.array([0.5]), np.zeros(1), (look,), seen, missed, hang)[0]
    )


def test_a_cameras_misses_count_once_a_second_and_only_after_it_saw_the_object(camera: Sensor, start_ns: int) -> None:
    assert misses(camera, start_ns, seen_ago_s=0.2, missed_ago_s=9.0) > 0.8
    assert misses(camera, start_ns, seen_ago_s=0.2, missed_ago_s=0.5) == 0.0
    assert misses(camera, start_ns, seen_ago_s=9.0, missed_ago_s=9.0) == 0.0  # it may be night
    assert misses(camera, start_ns, seen_ago_s=0.2, missed_ago_s=1.1) > 0.8


def test_clutter_is_denser_in_measurement_space_far_away_and_adds_up_to_its_number(radar: Sensor) -> None:
    components = (AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE)
    ranges = np.linspace(2.0, 120.0, 4001)
    z = np.zeros((len(ranges), 4))
    z[:, 2] = ranges
    density = existence.clutter_density(radar, None, components, z)
    assert density[3000] > density[1000]
    volume = math.radians(120) * existence.CLUTTER_ELEVATION_RAD * existence.CLUTTER_SPEED_SPAN_M_S
    total = float((0.5 * (density[1:] + density[:-1]) * np.diff(ranges)).sum())
    assert total * volume == pytest.approx(0.4, rel=1e-3)


def test_the_largest_variance_is_the_largest_eigenvalue() -> None:
    random = np.random.default_rng(4)
    A = random.normal(0, 1, (200, 3, 3)) * random.uniform(0.01, 100.0, (200, 1, 3))
    P = np.concatenate([A @ A.transpose(0, 2, 1), np.eye(3)[None], np.diag([5.0, 5.0, 1.0])[None]])
    np.testing.assert_allclose(existence.largest_variance(P), np.linalg.eigvalsh(P)[:, -1], rtol=1e-7)
