from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fusion import filters, motion
from fusion.frames import body_to_level
from fusion.measurement import (
    AZIMUTH,
    EAST,
    ELEVATION,
    NORTH,
    RANGE_RATE,
    SLANT_RANGE,
    UP,
    added_noise,
    expected,
    residual,
    stack,
)
from fusion.types import Detection, Orientation, Polar, Position, RangeRate, Sensor

ALL_POLAR = (AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE)


def at(east: float, north: float, up: float, *velocity: float) -> np.ndarray:
    return np.array([[east, north, up, *(velocity or (0.0, 0.0, 0.0))]])


@pytest.mark.parametrize(
    ("point", "azimuth_deg"), [((0, 9), 0), ((9, 0), 90), ((0, -9), -180), ((-9, 0), -90), ((5, 5), 45)]
)
def test_azimuth_is_zero_in_the_north_and_grows_to_the_east(radar: Sensor, point: tuple, azimuth_deg: float) -> None:
    h, _ = expected(at(*point, 4.0), radar, (AZIMUTH, ELEVATION))
    assert math.remainder(h[0, 0] - math.radians(azimuth_deg), 2 * math.pi) == pytest.approx(0.0, abs=1e-12)
    assert h[0, 1] == pytest.approx(0.0, abs=1e-12)  # the radar stands at 4 m


def test_a_point_straight_above_has_elevation_of_ninety_degrees_and_receding_is_positive(radar: Sensor) -> None:
    h, H = expected(at(0.0, 0.0, 104.0, 0.0, 0.0, 7.0), radar, ALL_POLAR)
    assert h[0, 1:] == pytest.approx([math.pi / 2, 100.0, 7.0])
    assert np.isfinite(H).all()


def test_jacobians_equal_finite_differences() -> None:
    random = np.random.default_rng(3)
    turned = body_to_level(Orientation(0.3, 0.02, -0.01))
    sensor = Sensor("s", (10.0, -20.0, 5.0), Orientation(0, 0, 0), None, level_to_enu=tuple(turned.ravel()))  # type: ignore[arg-type]
    for components in (ALL_POLAR, (EAST, NORTH, UP), (EAST, NORTH), (SLANT_RANGE, RANGE_RATE)):
        for _ in range(20):
            x = random.normal(0.0, 200.0, (1, 6))
            _, H = expected(x, sensor, components)
            for k in range(6):
                step = np.zeros((1, 6))
                step[0, k] = 1e-4
                ahead, _ = expected(x + step, sensor, components)
                behind, _ = expected(x - step, sensor, components)
                numeric = residual(ahead, behind, components)[0] / 2e-4
                assert H[0, :, k] == pytest.approx(numeric, rel=1e-5, abs=1e-7)


def test_the_azimuth_innovation_is_wrapped() -> None:
    y = residual(np.array([[math.radians(-179.0)]]), np.array([[math.radians(179.0)]]), (AZIMUTH,))
    assert y[0, 0] == pytest.approx(math.radians(2.0))


def test_a_sensor_on_a_tilted_level_frame_sees_the_same_point_elsewhere(radar: Sensor) -> None:
    """A level frame turned 90 degrees: its north is our east."""
    turn = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # columns: its east = our -north, its north = our east
    sensor = Sensor("s", (0, 0, 0), radar.orientation, radar.accuracy, level_to_enu=turn)
    h, _ = expected(at(50.0, 0.0, 0.0), sensor, (AZIMUTH,))
    assert h[0, 0] == pytest.approx(0.0, abs=1e-12)


def test_a_clock_error_widens_along_the_motion_only(radar: Sensor) -> None:
    x = at(0.0, 100.0, 4.0, 0.0, 20.0, 0.0)
    _, H = expected(x, radar, (AZIMUTH, ELEVATION, SLANT_RANGE))
    added = added_noise(x, H, radar, (AZIMUTH, ELEVATION, SLANT_RANGE), 0.1)[0]
    assert added[2, 2] == pytest.approx(4.0)  # (20 m/s x 0.1 s)²
    assert added[0, 0] == pytest.approx(0.0)


def test_what_is_not_finite_or_absurd_is_left_out() -> None:
    nan, inf = math.nan, math.inf
    bad = [
        Polar(nan, 0.1),
        Polar(0.1, nan),
        Polar(0.1, -0.1),
        Polar(0.1, 0.1, 2.0, 0.1),
        Polar(0.1, 0.1, 0.1, 0.1, -5.0, 1.0),
        Polar(0.1, 0.1, 0.1, 0.1, 1e9, 1.0),
        Polar(0.1, 0.1, 0.1, 0.1, 5.0, None),
        RangeRate(inf, 1.0),
        Position(nan, 0.0, 0.0, (1, 0, 0, 1, 0, 1)),
        Position(0.0, 0.0, 0.0, (1, 0, 0)),
        Position(0.0, 0.0, 0.0, (-1, 0, 0, 1, 0, 1)),
        Position(0.0, 0.0, 0.0, (1.0, 0.94, -1e200, 0.9, -1e200, 1.0)),  # its determinant is no number
        Position(1e9, 0.0, None, (1, 0, 1)),
    ]
    assert stack([Detection(measurement, 1.0) for measurement in bad], 100) == []
    assert stack([Detection(Polar(0.1, 0.1), nan)], 100) == []


def test_stacked_detections_do_not_depend_on_their_order() -> None:
    random = np.random.default_rng(5)
    detections = [Detection(Polar(a, 0.01, 0.1, 0.01), 0.5) for a in random.uniform(-3, 3, 20)]
    detections += [Detection(Polar(a, 0.01), 0.5) for a in random.uniform(-3, 3, 5)]
    one = stack(detections, 100)
    shuffled = [detections[k] for k in random.permutation(len(detections))]
    two = stack(shuffled, 100)
    assert [plots.components for plots in one] == [plots.components for plots in two]
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first.z, second.z)
        assert [detections[k] for k in first.index] == [shuffled[k] for k in second.index]


@pytest.mark.parametrize("missing", [(), ("range_rate_m_s",), ("slant_range_m", "range_rate_m_s"), ("elevation_rad",)])
def test_a_scan_of_like_detections_is_stacked_as_they_are_one_by_one(missing: tuple[str, ...]) -> None:
    random = np.random.default_rng(16)
    polars = [
        Polar(
            *(
                float(value)
                for one in zip(random.uniform(1.0, 9.0, 4), (0.02, 0.03, 5.0, 1.0), strict=True)
                for value in one
            )
        )
        for _ in range(30)
    ]
    polars = [replace(one, **({"elevation_rad": one.azimuth_rad / 9.0} | dict.fromkeys(missing))) for one in polars]
    points = [Position(*random.uniform(-9.0, 9.0, 3).tolist(), (4.0, 0.1, 0.0, 4.0, 0.0, 9.0)) for _ in range(30)]
    if "elevation_rad" in missing:
        points = [replace(one, up_m=None, covariance_m2=(4.0, 0.1, 4.0)) for one in points]
    for measured in (polars, points):
        scan = [Detection(one, 0.5) for one in measured]
        (together,), other = stack(scan, 100), Detection(RangeRate(1.0, 1.0), 0.5)
        apart = next(plots for plots in stack([*scan, other], 100) if len(plots.z) == len(scan))
        assert together.components == apart.components
        for one, twin in zip((together.z, together.R, together.index), (apart.z, apart.R, apart.index), strict=True):
            assert one.tolist() == twin.tolist()


def test_a_damaged_number_among_like_detections_is_left_out_alone() -> None:
    scan = [Detection(Polar(0.1 * k, 0.02, 0.1, 0.02, 100.0, 5.0), 0.9) for k in range(30)]
    for damaged in (math.nan, 2e6, 0.01):
        scan[7] = Detection(Polar(0.7, 0.02, 0.1, 0.02, damaged, 5.0), 0.9)
        assert sorted(stack(scan, 100)[0].index.tolist()) == [k for k in range(30) if k != 7]
    scan[7] = Detection(Polar(0.8, 0.02, 0.1, 0.02, 100.0, 5.0), 0.3)
    assert [len(plots.z) for plots in stack(scan, 100)] == [30]


def test_beyond_the_limit_the_most_confident_are_kept() -> None:
    detections = [Detection(Polar(0.1 * k, 0.01), confidence=k / 10) for k in range(10)]
    (plots,) = stack(detections, 3)
    assert sorted(plots.index.tolist()) == [7, 8, 9]


def test_the_filter_equals_filterpy_in_the_linear_case() -> None:
    kalman = pytest.importorskip("filterpy.kalman")
    random = np.random.default_rng(11)
    q = motion.spectral_density(2.0)
    x, P = random.normal(0, 10, (1, 6)), np.diag([25.0, 25, 9, 100, 100, 4])[None]
    reference = kalman.KalmanFilter(6, 3)
    reference.x, reference.P = x[0].reshape(6, 1).copy(), P[0].copy()
    reference.H, R = np.eye(3, 6), np.diag([4.0, 9.0, 16.0])
    reference.R = R
    sensor = Sensor("p", (0, 0, 0), Orientation(0, 0, 0), None)  # type: ignore[arg-type]
    for _ in range(50):
        dt_s = float(random.uniform(0.01, 2.0))
        F, Q = np.eye(6), np.zeros((6, 6))
        for axis in range(3):
            F[axis, axis + 3] = dt_s
            Q[axis, axis], Q[axis + 3, axis + 3] = q[axis] * dt_s**3 / 3, q[axis] * dt_s
            Q[axis, axis + 3] = Q[axis + 3, axis] = q[axis] * dt_s**2 / 2
        z = random.normal(0, 30, 3)
        reference.predict(F=F, Q=Q)
        reference.update(z.reshape(3, 1))
        x, P = motion.predict(x, P, dt_s, q)
        h, H = expected(x, sensor, (EAST, NORTH, UP))
        x, P = filters.update(x, P, z[None] - h, H, R[None])
        assert x[0] == pytest.approx(np.asarray(reference.x).ravel(), abs=1e-9)
        assert P[0] == pytest.approx(np.asarray(reference.P), abs=1e-9)


def test_the_extended_filter_equals_filterpys(radar: Sensor) -> None:
    kalman = pytest.importorskip("filterpy.kalman")
    random = np.random.default_rng(12)
    x, P = at(40.0, 90.0, 30.0, 3.0, -4.0, 0.5), np.diag([4.0, 4, 4, 25, 25, 4])[None]
    R = np.diag([0.02, 0.03, 0.8, 0.3]) ** 2
    reference = kalman.ExtendedKalmanFilter(6, 4)
    reference.x, reference.P = x[0].copy(), P[0].copy()
    for _ in range(20):
        z = expected(x, radar, ALL_POLAR)[0][0] + random.normal(0, 1, 4) * np.sqrt(np.diag(R))
        reference.update(
            z,
            lambda s: expected(s[None], radar, ALL_POLAR)[1][0],
            lambda s: expected(s[None], radar, ALL_POLAR)[0][0],
            R=R,
        )
        h, H = expected(x, radar, ALL_POLAR)
        x, P = filters.update(x, P, residual(z[None], h, ALL_POLAR), H, R[None])
        assert x[0] == pytest.approx(reference.x, abs=1e-9)
        assert P[0] == pytest.approx(reference.P, abs=1e-9)


def test_two_short_predictions_equal_a_long_one() -> None:
    random = np.random.default_rng(13)
    A = random.normal(0, 1, (4, 6, 6))
    x, P = random.normal(0, 10, (4, 6)), A @ A.transpose(0, 2, 1) + np.eye(6)
    q = motion.spectral_density(3.0)
    once = motion.predict(x, P, 1.3, q)
    twice = motion.predict(*motion.predict(x, P, 0.4, q), 0.9, q)
    assert once[0] == pytest.approx(twice[0])
    assert once[1] == pytest.approx(twice[1])


def test_a_prediction_is_that_of_the_motions_matrices() -> None:
    random = np.random.default_rng(14)
    A, dt_s = random.normal(0, 1, (4, 6, 6)), 0.7
    x, P, q = random.normal(0, 10, (4, 6)), A @ A.transpose(0, 2, 1) + np.eye(6), random.uniform(0.1, 3.0, (4, 3))
    F = np.eye(6) + dt_s * np.eye(6, k=3)
    by_axis = np.array([[dt_s**3 / 3.0, dt_s**2 / 2.0], [dt_s**2 / 2.0, dt_s]])
    Q = np.array([np.kron(by_axis, np.diag(one)) for one in q])
    later_x, later_P = motion.predict(x, P, dt_s, q)
    np.testing.assert_allclose(later_x, x @ F.T, rtol=1e-12)
    np.testing.assert_allclose(later_P, F @ P @ F.T + Q, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_squared_distances_and_determinants_are_those_of_linear_algebra(size: int) -> None:
    random = np.random.default_rng(15)
    A, y = random.normal(0, 1, (50, size, size)), random.normal(0, 2, (50, size))
    S = A @ A.transpose(0, 2, 1) + 0.1 * np.eye(size)
    nis, log_determinant = filters.squared_distance(y, S)
    np.testing.assert_allclose(nis, (y * np.linalg.solve(S, y[..., None])[..., 0]).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(log_determinant, np.linalg.slogdet(S)[1], rtol=1e-9, atol=1e-12)


def test_what_stands_on_the_sensor_itself_is_a_damaged_number() -> None:
    """Such a range begins a track whose direction means nothing, and whose covariance no decomposition survives."""
    near = [Detection(Polar(0.1, 0.02, 0.1, 0.02, range_m, 1.0), 0.9) for range_m in (1e-38, 0.05, 0.5)]
    assert [plots.index.tolist() for plots in stack(near, 10)] == [[2]]
