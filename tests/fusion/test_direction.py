from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from fusion import direction, motion
from fusion.association import gate_threshold
from fusion.crossing import Ray, crossings
from fusion.initiation import ObjectModel
from fusion.measurement import AZIMUTH, ELEVATION, expected
from fusion.track_table import Births, TrackTable
from fusion.types import Sensor

STATE = np.array([[0.3, 0.15, math.log(120.0), 0.02, -0.01, 0.03]])
COVARIANCE = np.diag([0.003, 0.003, 0.6, 0.01, 0.01, 0.1])[None] ** 2


def test_there_and_back_gives_the_same_direction(camera: Sensor) -> None:
    x, P = direction.to_enu(STATE, COVARIANCE, camera)
    s, S = direction.from_enu(x, P, camera)
    assert s == pytest.approx(STATE)
    assert S[0] == pytest.approx(COVARIANCE[0], rel=1e-6, abs=1e-9)


def test_the_covariance_in_space_is_the_jacobians(camera: Sensor) -> None:
    """The position's Jacobian against finite differences."""
    vector, J = direction.jacobian(STATE)
    for k in range(3):
        step = np.zeros((1, 6))
        step[0, k] = 1e-6
        numeric = (direction.jacobian(STATE + step)[0] - direction.jacobian(STATE - step)[0]) / 2e-6
        assert J[0, :, k] == pytest.approx(numeric[0], rel=1e-6, abs=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(120.0)


def test_bearings_of_one_sensor_never_narrow_the_range(camera: Sensor) -> None:
    x, P = STATE.copy(), COVARIANCE.copy()
    before = P[0, 2, 2]
    for _ in range(100):
        x, P = motion.predict(x, P, 0.1, np.full(3, 1e-4))
    assert P[0, 2, 2] > before


@pytest.mark.parametrize("closing", [-300.0, 300.0])
def test_what_passed_a_hand_from_the_lens_stays_within_measure(camera: Sensor, closing: float) -> None:
    """At 0.1 m a speed of 30 m/s is a rate of the range of 300 a second: in seconds it would leave the numbers there are."""
    table = TrackTable((camera,), 1.0, motion.spectral_density(3.0))
    table.predict(0)
    s = np.array([[0.3, 0.15, math.log(0.1), 0.02, -0.01, closing]])
    P = np.diag([0.003, 0.003, 0.6, 0.5, 0.5, 150.0])[None] ** 2
    table.append(Births(s, P, 0, np.full(1, 0.9), [(0, camera.sensor_id, 0)], 0), 0, 0)
    for second in range(1, 10):
        table.predict(second * 1_000_000_000)
        x, covariance = table.in_enu(np.arange(len(table)))
        assert np.isfinite(x).all()
        assert np.isfinite(np.linalg.eigvalsh(covariance)).all()
        low_m, high_m = direction.to_direction(table.x[0], table.P[0], camera).slant_range_m
        assert 0.0 < low_m < high_m


def test_the_interval_by_size_holds_every_small_drone(camera: Sensor) -> None:
    for width_m in (0.2, 0.35, 1.5):
        for range_m in (40.0, 120.0, 300.0):
            low_m, high_m = direction.range_limits(camera, width_m / range_m)
            assert low_m <= range_m * 1.0001
            assert high_m >= range_m * 0.9999


def test_without_size_the_coverage_tells_the_range(camera: Sensor) -> None:
    assert direction.range_limits(camera, None) == (5.0, 600.0)
    mean, sigma = direction.log_range((5.0, 600.0))
    assert math.exp(mean - direction.NINETY_PERCENT * sigma) == pytest.approx(5.0)
    assert math.exp(mean + direction.NINETY_PERCENT * sigma) == pytest.approx(600.0)


def ray_to(sensor: Sensor, x: np.ndarray, sigma_rad: float = 0.0026) -> Ray:
    h, H = expected(x[None], sensor, (AZIMUTH, ELEVATION))
    s = np.array([*h[0], math.log(100.0), *(H[0, :, :3] @ x[3:]), 0.0])
    P = np.diag([sigma_rad, sigma_rad, 1.5, 0.01, 0.01, 0.1]) ** 2
    return Ray(sensor, s, P)


def test_two_rays_meet_at_the_object_with_its_speed(camera: Sensor, second_camera: Sensor) -> None:
    x = np.array([40.0, 150.0, 35.0, 6.0, -3.0, 0.0])
    [met] = crossings([(ray_to(camera, x), ray_to(second_camera, x))], ObjectModel(), 0.99)
    assert met is not None
    assert met[0][:3] == pytest.approx(x[:3], abs=0.01)
    assert met[0][3:] == pytest.approx(x[3:], abs=0.6)
    assert np.linalg.eigvalsh(met[1])[0] > 0.0


def test_crossings_are_as_far_off_as_they_say(camera: Sensor, second_camera: Sensor) -> None:
    random = np.random.default_rng(2)
    x = np.array([40.0, 150.0, 35.0, 0.0, 0.0, 0.0])
    inside = 0
    for _ in range(200):
        rays = [ray_to(sensor, x) for sensor in (camera, second_camera)]
        for ray in rays:
            ray.s[:2] += random.normal(0.0, 0.0026, 2)
        [met] = crossings([(rays[0], rays[1])], ObjectModel(), 0.999)
        if met is not None:
            error = met[0][:3] - x[:3]
            inside += error @ np.linalg.solve(met[1][:3, :3], error) < gate_threshold(0.95, 3)
    assert 180 <= inside <= 199  # 95 % of 200, ± 3 sigma


def test_rays_that_pass_each_other_do_not_meet(camera: Sensor, second_camera: Sensor) -> None:
    one = ray_to(camera, np.array([40.0, 150.0, 35.0, 0, 0, 0]))
    two = ray_to(second_camera, np.array([40.0, 150.0, 60.0, 0, 0, 0]))
    assert crossings([(one, two)], ObjectModel(), 0.99) == [None]


def test_nearly_parallel_rays_tell_no_range(camera: Sensor) -> None:
    x = np.array([40.0, 150.0, 35.0, 0, 0, 0])
    beside = Sensor("beside", (3.0, 0.0, 6.0), camera.orientation, camera.accuracy, coverage=camera.coverage)
    assert crossings([(ray_to(camera, x), ray_to(beside, x))], ObjectModel(), 0.99) == [None]


def test_three_cameras_in_a_row_on_one_mount_are_on_one_mount_in_whatever_order_they_are_listed(camera: Sensor) -> None:
    row = [replace(camera, sensor_id=str(k), position_enu_m=(0.8 * k, 0.0, 6.0)) for k in range(3)]
    far = replace(camera, sensor_id="far", position_enu_m=(9.0, 0.0, 6.0))
    for listed in permutations([*row, far]):
        mounts = direction.mounts_of(listed)
        on_mount = [number for number, sensor in enumerate(listed) if sensor is not far]
        assert mounts[on_mount].tolist() == [min(on_mount)] * 3
        assert mounts[listed.index(far)] == listed.index(far)
