from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fusion.frames import enu_to_polar
from fusion.measurement import AZIMUTH, SLANT_RANGE
from fusion.sensor_noise import SensorNoise
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Scan, Sensor

DEG = math.radians(1.0)
LOOK = Look(Orientation(0, 0, 0), (-math.pi, math.pi), (-1.6, 1.6), (0.0, 1e4))
RADAR = Sensor("radar", (0.0, 0.0, 0.0), Orientation(0, 0, 0), Accuracy(DEG, 1.5 * DEG, 1.5))
CAMERA = Sensor("camera", (0.0, 3.0, 0.0), Orientation(0, 0, 0), Accuracy(0.15 * DEG, 0.15 * DEG))
SECOND = Sensor("second", (4.0, 0.0, 0.0), Orientation(0, 0, 0), Accuracy(0.15 * DEG, 0.15 * DEG))
PERIOD_NS = 200_000_000
AT_M = np.array([[10.0, 110.0, 25.0], [-60.0, 150.0, 40.0]])
SPEED_M_S = np.array([[1.0, 0.3, 0.0], [2.0, 1.0, 0.0]])


def sway(time_s: float, phase: float = 0.0) -> tuple[float, float]:
    """Azimuth and elevation of a mast in a storm, rad: 1.2 and 1.1 degrees, 1 sigma."""
    turn = 2.0 * math.pi * time_s / 2.5 + phase
    return 1.7 * DEG * math.sin(turn), 1.5 * DEG * math.sin(turn + 1.0)


def steady(time_s: float) -> tuple[float, float]:
    return 0.0, 0.0


def scans_of(
    sensors: Sequence[Sensor],
    off: dict[str, Callable[[float], tuple[float, float]]],
    start_ns: int,
    seed: int,
    seconds: float,
) -> list[Scan]:
    """Two objects on straight lines, seen by all sensors in turn, five times a second."""
    random, scans = np.random.default_rng(seed), []
    for k in range(int(seconds * 1e9) // PERIOD_NS):
        for number, sensor in enumerate(sensors):
            time_ns = k * PERIOD_NS + number * 40_000_000
            time_s, found = time_ns / 1e9, []
            for place in AT_M + SPEED_M_S * time_s:
                azimuth, elevation, r = enu_to_polar(place - np.array(sensor.position_enu_m))
                accuracy, turned = sensor.accuracy, off.get(sensor.sensor_id, steady)(time_s)
                assert accuracy.azimuth_rad is not None
                assert accuracy.elevation_rad is not None
                azimuth += turned[0] + accuracy.azimuth_rad * random.standard_normal()
                elevation += turned[1] + accuracy.elevation_rad * random.standard_normal()
                ranged = (
                    None if accuracy.slant_range_m is None else r + accuracy.slant_range_m * random.standard_normal()
                )
                sigmas = accuracy.azimuth_rad, accuracy.elevation_rad, accuracy.slant_range_m
                measured = Polar(azimuth, sigmas[0], elevation, sigmas[1], ranged, sigmas[2])
                found.append(Detection(measured, 0.9))
            scans.append(Scan(sensor.sensor_id, start_ns + time_ns, (LOOK,), tuple(found)))
    return scans


def after(sensors: Sequence[Sensor], scans: Sequence[Scan]) -> tuple[Tracker, dict[int, int]]:
    """The tracker after these scans, and when it first told of each number."""
    tracker = Tracker(sensors)
    began_ns: dict[int, int] = {}
    for scan in scans:
        for track in tracker.apply(scan, scan.time_ns).tracks:
            began_ns.setdefault(track.track_number, scan.time_ns)
    return tracker, began_ns


def told(tracker: Tracker) -> set[tuple[str, str]]:
    return {(noise.sensor_id, noise.component) for noise in tracker.noises()}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_camera_that_sways_is_told_of_by_how_much_it_errs_and_loses_no_track_any_more(
    seed: int, start_ns: int
) -> None:
    scans = scans_of([RADAR, CAMERA], {"camera": sway}, start_ns, seed, 40.0)
    tracker, began_ns = after([RADAR, CAMERA], scans)
    assert told(tracker) == {("camera", "azimuth"), ("camera", "elevation")}
    for noise in tracker.noises():
        assert noise.declared == pytest.approx(0.15 * DEG, rel=0.01)
        assert 0.6 * DEG < noise.sigma < 2.4 * DEG
    assert max(began_ns.values()) < start_ns + 10 * 10**9


@pytest.mark.parametrize("seed", [1, 2])
def test_sensors_that_err_as_they_declare_are_left_alone(seed: int, start_ns: int) -> None:
    sensors = [RADAR, CAMERA, SECOND]
    tracker, _ = after(sensors, scans_of(sensors, {}, start_ns, seed, 30.0))
    assert tracker.noises() == ()
    assert not tracker._table.noise.excess.any()


@pytest.mark.parametrize("seed", [1, 2])
def test_of_three_the_one_that_sways_is_blamed_and_no_other(seed: int, start_ns: int) -> None:
    sensors = [RADAR, CAMERA, SECOND]
    tracker, _ = after(sensors, scans_of(sensors, {"second": sway}, start_ns, seed, 30.0))
    assert {sensor_id for sensor_id, _ in told(tracker)} == {"second"}


@pytest.mark.parametrize("phase", [1.0, 2.0])  # in unison they are two against one
def test_two_cameras_that_sway_do_not_blame_an_honest_radar(phase: float, start_ns: int) -> None:
    sensors = [RADAR, CAMERA, SECOND]
    off = {"camera": sway, "second": lambda time_s: sway(time_s, phase)}
    tracker, _ = after(sensors, scans_of(sensors, off, start_ns, 1, 40.0))
    assert "radar" not in {sensor_id for sensor_id, _ in told(tracker)}


def test_a_camera_that_errs_blames_no_range_that_its_track_hardly_leans_on() -> None:
    """Azimuth innovations of a camera whose track leans on a radar's azimuth, and by as little on its range."""
    noise = SensorNoise([RADAR, CAMERA], [(0, AZIMUTH), (0, SLANT_RANGE), (1, AZIMUTH)], np.array([0, 1]))
    random, own = np.random.default_rng(1), np.array([2])
    leans = np.array([[[0.9, 1e-5, 0.0]]])  # 20 m of range move it by 0.01 degree
    for _ in range(200):
        y = np.array([[2.0 * DEG * random.standard_normal()]])
        believed = np.full((1, 1), (0.15 * DEG) ** 2) + noise.excess[2]
        noise.learn(own, y, believed, np.full((1, 1), (0.15 * DEG) ** 2), leans)
    assert noise._information[1, 1] < 1e-3 * noise._information[0, 0]


def test_false_alarms_of_a_camera_that_does_not_see_the_object_blame_nobody(start_ns: int) -> None:
    random = np.random.default_rng(1)
    picture = Look(Orientation(0, 0, 0), (-15 * DEG, 15 * DEG), (-10 * DEG, 10 * DEG), (0.0, 1e4))
    tracker = Tracker([RADAR, CAMERA])
    for k in range(150 * 5):
        time_ns = start_ns + k * PERIOD_NS
        place = np.array([60 * math.sin(k / 100), 600 + 60 * math.cos(k / 100), 60.0])
        azimuth, elevation, r = enu_to_polar(place) + np.array([DEG, 1.5 * DEG, 1.5]) * random.standard_normal(3)
        plot = Detection(Polar(azimuth, DEG, elevation, 1.5 * DEG, r, 1.5), 0.9)
        alarms = [
            Detection(Polar(across * 15 * DEG, 0.15 * DEG, up * 10 * DEG, 0.15 * DEG), 0.5)
            for across, up in random.uniform(-1, 1, (random.poisson(0.5), 2))
        ]
        tracker.apply(Scan("radar", time_ns, (LOOK,), (plot,)), time_ns)
        tracker.apply(Scan("camera", time_ns + 40_000_000, (picture,), tuple(alarms)), time_ns + 40_000_000)
    assert tracker.noises() == ()
    assert not tracker._table.noise.excess.any()


def test_a_jump_that_is_set_right_is_no_noise(start_ns: int) -> None:
    radar = Sensor(
        "radar", (0.0, 0.0, 0.0), Orientation(0, 0, 0), Accuracy(DEG / 2, DEG / 2, 1.5), false_alarms_per_scan=0.1
    )
    paths = (((10, 310, 45), (3, 1, 0)), ((-160, 350, 60), (4, 2, 0)), ((200, 250, 40), (-3, 2, 0)))
    random, tracker = np.random.default_rng(1), Tracker([radar, CAMERA])
    for k in range(50 * 5):
        for number, sensor in enumerate([radar, CAMERA]):
            time_ns = k * PERIOD_NS + number * 40_000_000
            time_s, found = time_ns / 1e9, []
            for place, speed in paths:
                there = np.array(place) + np.array(speed) * time_s - sensor.position_enu_m
                azimuth, elevation, r = enu_to_polar(there) + random.standard_normal(3) * (
                    (DEG / 2, DEG / 2, 1.5) if sensor is radar else (0.15 * DEG, 0.15 * DEG, 0.0)
                )
                jumped = r + 60.0 * (time_s > 20.0)
                ranged = (jumped, 1.5) if sensor is radar else (None, None)
                sigma = sensor.accuracy.azimuth_rad
                assert sigma is not None
                found.append(Detection(Polar(azimuth, sigma, elevation, sigma, *ranged), 0.9))
            tracker.apply(Scan(sensor.sensor_id, start_ns + time_ns, (LOOK,), tuple(found)), start_ns + time_ns)
    (jump,) = tracker.jumps()
    assert jump.size == pytest.approx(60.0, abs=3.0)
    assert tracker.noises() == ()
    assert not tracker._table.noise.excess.any()


def test_one_sensor_alone_teaches_nothing(start_ns: int) -> None:
    tracker, _ = after([RADAR], scans_of([RADAR], {"radar": sway}, start_ns, 1, 20.0))
    assert tracker.noises() == ()
    assert not tracker._table.noise.excess.any()


def test_what_was_learned_shrinks_once_the_storm_is_over(start_ns: int) -> None:
    def for_a_while(time_s: float) -> tuple[float, float]:
        return sway(time_s) if time_s < 20.0 else steady(time_s)

    scans = scans_of([RADAR, CAMERA], {"camera": for_a_while}, start_ns, 1, 120.0)
    tracker = Tracker([RADAR, CAMERA])
    largest = 0.0
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
        largest = max(largest, float(tracker._table.noise.excess.max()))
    assert largest > (0.6 * DEG) ** 2
    assert tracker._table.noise.excess.max() < 0.1 * largest
    assert tracker.noises() == ()


def test_late_scans_find_the_same_noise(start_ns: int) -> None:
    scans = scans_of([RADAR, CAMERA], {"camera": sway}, start_ns, 1, 20.0)
    swapped = list(scans)
    for k in range(20, len(scans) - 4, 7):
        swapped[k], swapped[k + 3] = swapped[k + 3], swapped[k]
    in_order, _ = after([RADAR, CAMERA], scans)
    late, _ = after([RADAR, CAMERA], swapped)
    assert late.noises() == in_order.noises() != ()
