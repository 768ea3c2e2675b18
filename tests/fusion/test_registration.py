from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fusion.registration import Bias, Registration
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Position, Scan, Sensor

OFF_RAD, OFF_M = math.radians(0.6), 8.0
SIGMA_RAD, SIGMA_M, REFERENCE_M = math.radians(0.5), 3.0, 2.0
RADAR = Sensor("radar", (0.0, 0.0, 0.0), Orientation(0, 0, 0), Accuracy(SIGMA_RAD, SIGMA_RAD, SIGMA_M))
REFERENCE = Sensor("positions", (0.0, 0.0, 0.0), Orientation(0, 0, 0), Accuracy(slant_range_m=REFERENCE_M))
CAMERA = Sensor("camera", (0.0, 1.0, 0.0), Orientation(0, 0, 0), Accuracy(SIGMA_RAD, SIGMA_RAD))
LOOK = Look(Orientation(0, 0, 0), (-math.pi, math.pi), (-1.6, 1.6), (0.0, 1e4))


def flights(seed: int, off_rad: float, off_m: float, start_ns: int, seconds: int, reference: bool = True) -> list[Scan]:
    """Four objects on straight lines, seen by the radar and, half a second later, by a sensor of positions."""
    random = np.random.default_rng(seed)
    at = np.array([[300.0, 500.0, 80.0], [-400.0, 300.0, 60.0], [200.0, -600.0, 90.0], [-500.0, -300.0, 70.0]])
    v = np.array([[-5.0, 3.0, 0.0], [6.0, 2.0, 0.0], [-3.0, 7.0, 0.0], [4.0, 5.0, 0.0]])
    scans = []
    for k in range(seconds):
        plots = []
        for e, n, u in at + v * k:
            r = math.sqrt(e * e + n * n + u * u)
            azimuth = math.atan2(e, n) + off_rad + SIGMA_RAD * random.standard_normal()
            elevation = math.asin(u / r) + SIGMA_RAD * random.standard_normal()
            slant_range = r + off_m + SIGMA_M * random.standard_normal()
            plots.append(Detection(Polar(azimuth, SIGMA_RAD, elevation, SIGMA_RAD, slant_range, SIGMA_M), 0.9))
        scans.append(Scan("radar", start_ns + k * 10**9, (LOOK,), tuple(plots)))
        points = at + v * (k + 0.5) + REFERENCE_M * random.standard_normal((4, 3))
        R = (REFERENCE_M**2, 0.0, 0.0, REFERENCE_M**2, 0.0, REFERENCE_M**2)
        found = tuple(Detection(Position(*map(float, point), R), 0.9) for point in points)
        if reference:
            scans.append(Scan("positions", start_ns + k * 10**9 + 5 * 10**8, (LOOK,), found))
    return scans


def after(scans: list[Scan]) -> Tracker:
    tracker = Tracker([RADAR, REFERENCE])
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    return tracker


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_turned_radar_is_found_and_taken_off_where_another_sensor_sees_the_same_objects(
    seed: int, start_ns: int
) -> None:
    tracker = after(flights(seed, OFF_RAD, OFF_M, start_ns, 40))
    (bias,) = tracker.biases()  # a sensor of positions has none
    assert bias.is_applied
    assert abs(bias.azimuth_rad - OFF_RAD) < 3.0 * bias.azimuth_sigma_rad < math.radians(0.4)
    assert abs(bias.slant_range_m - OFF_M) < 3.0 * bias.slant_range_sigma_m < 4.0
    assert abs(bias.elevation_rad) < 3.0 * bias.elevation_sigma_rad


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_well_mounted_radar_is_left_alone(seed: int, start_ns: int) -> None:
    tracker = after(flights(seed, 0.0, 0.0, start_ns, 40))
    assert not tracker.biases()[0].is_applied
    assert not tracker._table.registration.applied.any()


def test_one_sensor_alone_tells_nothing_of_its_bias(start_ns: int) -> None:
    tracker = after(flights(1, OFF_RAD, OFF_M, start_ns, 30, reference=False))
    (bias,) = tracker.biases()
    assert not bias.is_applied
    assert bias.azimuth_sigma_rad > 0.9 * math.radians(1.0)


def test_late_scans_find_the_same_bias(start_ns: int) -> None:
    scans = flights(1, OFF_RAD, OFF_M, start_ns, 20)
    swapped = list(scans)
    for k in range(0, len(scans) - 3, 4):
        swapped[k], swapped[k + 3] = scans[k + 3], scans[k]
    in_order, late = after(scans), Tracker([RADAR, REFERENCE])
    for scan in swapped:
        late.apply(scan, scans[-1].time_ns)
    assert late.biases() == in_order.biases()


def test_the_bias_filter_is_weighted_least_squares() -> None:
    """Against the normal equations of all innovations at once."""
    random = np.random.default_rng(4)
    registration = Registration([RADAR])
    A = random.standard_normal((30, 2, 3))
    truth = np.array([0.004, -0.002, 3.0])
    y = A @ truth
    S = np.tile(np.diag([1e-4, 4e-4]), (30, 1, 1))
    weighed = np.zeros((3, 3)) + np.diag(np.array([0.0175, 0.0175, 20.0]) ** -2.0)
    pull = np.zeros(3)
    registration.learn(y, S, A)
    for k in range(30):
        weighed += A[k].T @ np.linalg.inv(2.0 * S[k]) @ A[k]
        pull += A[k].T @ np.linalg.inv(2.0 * S[k]) @ y[k]
    (bias,) = registration.biases()
    expected = np.linalg.solve(weighed, pull)
    assert (bias.azimuth_rad, bias.elevation_rad, bias.slant_range_m) == pytest.approx(expected, rel=1e-9)


def learned(registration: Registration, off_rad: float, sigma_rad: float, seconds: int) -> Bias:
    """After so many scans, one a second, of one object whose place is known."""
    random = np.random.default_rng(seconds)
    sigma, off = np.array([sigma_rad, sigma_rad, SIGMA_M]), np.array([off_rad, 0.0, 0.0])
    for _ in range(seconds):
        y = off + sigma * random.standard_normal((1, 3))
        registration.learn(y, np.diag(sigma**2)[None], np.eye(3)[None])
    return registration.biases()[0]


@pytest.mark.parametrize("sigma_deg", [0.2, 1.0])
def test_a_radar_that_is_knocked_after_an_hour_is_known_anew_ten_minutes_later(sigma_deg: float) -> None:
    registration, sigma_rad = Registration([RADAR]), math.radians(sigma_deg)
    before = learned(registration, 0.0, sigma_rad, 3600)
    assert abs(before.azimuth_rad) < 3.0 * before.azimuth_sigma_rad
    assert before.azimuth_sigma_rad > sigma_rad / math.sqrt(1000)  # an hour is not believed for ever
    knock_rad = math.radians(1.0)
    bias = learned(registration, knock_rad, sigma_rad, 600)
    assert abs(bias.azimuth_rad - knock_rad) < 3.0 * bias.azimuth_sigma_rad < math.radians(0.25)
    assert abs(bias.elevation_rad) < 3.0 * bias.elevation_sigma_rad  # what was not knocked


def test_what_other_sensors_teach_does_not_fade_what_is_known_of_one() -> None:
    registration = Registration([RADAR, replace(RADAR, sensor_id="east")])
    A = np.zeros((1, 3, 6))
    A[0, :, :3] = np.eye(3)
    S, y = np.diag([1e-4, 1e-4, 9.0])[None], np.zeros((1, 3))
    for _ in range(100):
        registration.learn(y, S, A)
    known_rad = registration.biases()[0].azimuth_sigma_rad
    for _ in range(500):
        registration.learn(y, S, A[:, :, ::-1])
    assert registration.biases()[0].azimuth_sigma_rad == pytest.approx(known_rad, rel=1e-9)


def test_what_a_new_track_leans_on_is_the_derivative_of_its_position(radar: Sensor, flying_object: Callable) -> None:
    from fusion.initiation import ObjectModel, begin, leaning_at_birth
    from fusion.measurement import stack

    tilted = replace(radar, position_enu_m=(5.0, -7.0, 3.0))
    values = [0.7, 0.2, 90.0]

    def position(azimuth: float, elevation: float, slant_range: float) -> np.ndarray:
        detection = Detection(Polar(azimuth, 0.01, elevation, 0.01, slant_range, 0.5), 0.9)
        begun = begin(stack([detection], 10)[0], tilted, ObjectModel(), np.zeros(3), [None])
        assert begun is not None
        return begun[0]

    leaning = leaning_at_birth(position(*values), (0, 1, 2), tilted)[0]
    for column, step in enumerate((1e-6, 1e-6, 1e-4)):
        moved = list(values)
        moved[column] += step
        slope = (position(*moved) - position(*values))[0] / step
        assert leaning[:, column] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_a_turn_before_one_radar_is_no_bias_of_its_range(start_ns: int) -> None:
    """A camera beside it tells nothing of range either, a sensor elsewhere does."""
    tracker = Tracker([RADAR, CAMERA])
    random = np.random.default_rng(8)
    for k in range(300):
        turn = 0.05 * k
        e, n, u = 10.0 + 25.0 * math.sin(turn), 110.0 + 25.0 * math.cos(turn), 25.0
        r = math.sqrt(e * e + n * n + u * u)
        azimuth, elevation = (a + SIGMA_RAD * random.standard_normal() for a in (math.atan2(e, n), math.asin(u / r)))
        slant_range = r + SIGMA_M * random.standard_normal()
        plot = Polar(azimuth, SIGMA_RAD, elevation, SIGMA_RAD, slant_range, SIGMA_M)
        tracker.apply(Scan("radar", start_ns + k * 10**8, (LOOK,), (Detection(plot, 0.9),)), start_ns + k * 10**8)
        sight = Polar(azimuth + 0.001, SIGMA_RAD, elevation, SIGMA_RAD)
        at_ns = start_ns + k * 10**8 + 10**7
        tracker.apply(Scan("camera", at_ns, (LOOK,), (Detection(sight, 0.9),)), at_ns)
    radar = tracker.biases()[0]
    assert radar.slant_range_sigma_m == pytest.approx(20.0)
    assert radar.azimuth_sigma_rad < 0.9 * math.radians(1.0)


def test_ranges_are_compared_with_ranges_or_with_lines_of_sight_that_cross() -> None:
    registration = Registration([RADAR, CAMERA, replace(CAMERA, sensor_id="east", position_enu_m=(80.0, 0.0, 0.0))])
    at = np.array([[0.0, 100.0, 0.0]] * 3)
    seen_ns = np.array([[9, 0, 0], [9, 9, 0], [9, 0, 9]]) * 10**9
    kinds = registration.compared(0, seen_ns, at, 9 * 10**9)[:, :3]  # the radar's azimuth, elevation, range
    assert kinds.tolist() == [[False, False, False], [True, True, False], [True, True, True]]
