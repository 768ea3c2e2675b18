"""Cameras and a direction finder, no radar: a place in space where it is plain whom the finder hears."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fusion.hearing import LN_RANGES, listen
from fusion.initiation import ObjectModel
from fusion.motion import spectral_density
from fusion.scan_in_hand import Rules, take_in_hand
from fusion.track_table import Births, TrackTable
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    FloatArray,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
    Track,
    TrackerSettings,
)

LEVEL = Orientation(0.0, 0.0, 0.0)
EVERYWHERE = Look(LEVEL, (-math.pi, math.pi), (-1.5, 1.5), (1.0, 3000.0))
SIGMA_RAD = math.radians(4.0)
FINDER = Sensor(
    sensor_id="finder",
    position_enu_m=(400.0, 100.0, 8.0),
    orientation=LEVEL,
    accuracy=Accuracy(SIGMA_RAD),
    coverage=Coverage(EVERYWHERE.azimuth_rad, EVERYWHERE.elevation_rad, EVERYWHERE.slant_range_m),
    detection_probability=None,
    false_alarms_per_scan=0.3,
)
SECONDS = 20.0


def heard(emitters: list[Any], start_ns: int, seed: int) -> list[Scan]:
    """Twice a second: each emitter with probability 0.6, and 0.3 bearings of nothing."""
    random = np.random.default_rng(seed)
    scans = []
    for time_s in np.arange(0.25, SECONDS, 0.5):
        azimuths = []
        for emitter in emitters:
            east, north, _ = emitter.at(time_s) - np.array(FINDER.position_enu_m)
            if random.random() < 0.6:
                azimuths.append(math.atan2(east, north) + SIGMA_RAD * random.standard_normal())
        azimuths += random.uniform(-math.pi, math.pi, random.poisson(0.3)).tolist()
        detections = tuple(Detection(Polar(azimuth, SIGMA_RAD), 1.0) for azimuth in azimuths)
        scans.append(Scan("finder", start_ns + round(time_s * 1e9), (EVERYWHERE,), detections))
    return scans


@pytest.fixture
def scene(
    world: Callable, flying_object: Callable, camera: Sensor, start_ns: int
) -> Callable[[bool, int], tuple[Any, list[Scan]]]:
    """What a camera sees of one drone, beside a finder that hears it, or hears another that no camera sees."""

    def made(emits: bool, seed: int) -> tuple[Any, list[Scan]]:
        drone = flying_object((-100.0, 300.0, 60.0), (8.0, 0.0, 0.0))
        other = flying_object((1000.0, 700.0, 60.0), (0.0, 3.0, 0.0))
        seen = world([drone], {"camera": 10.0}, [camera], seed=seed, detection_probability=0.9).scans(SECONDS)
        scans = seen + heard([drone if emits else other], start_ns, seed)
        return drone, sorted(scans, key=lambda scan: (scan.time_ns, scan.sensor_id))

    return made


def tracks_after(scans: list[Scan], camera: Sensor) -> tuple[Track, ...]:
    tracker = Tracker([camera, FINDER])
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    return tracker.tracks_at(scans[-1].time_ns)


def test_a_camera_and_a_direction_finder_place_an_object_in_space(scene: Callable, camera: Sensor) -> None:
    for seed in range(3):
        drone, scans = scene(True, seed)
        (track,) = tracks_after(scans, camera)
        assert track.direction is None
        off = track.state[:3] - drone.at(SECONDS)
        assert np.linalg.norm(off) < 60.0  # 4° at 400 m is 28 m
        assert off @ np.linalg.solve(track.covariance[:3, :3], off) < 16.3  # χ²(3) at 99.9 %


def test_bearings_of_an_object_elsewhere_give_no_range(scene: Callable, camera: Sensor) -> None:
    for seed in range(3):
        _, scans = scene(False, seed)
        (track,) = tracks_after(scans, camera)
        assert track.direction is not None


def test_a_direction_finder_alone_begins_nothing(flying_object: Callable, camera: Sensor, start_ns: int) -> None:
    scans = heard([flying_object((-100.0, 300.0, 60.0), (8.0, 0.0, 0.0))], start_ns, 1)
    assert tracks_after(scans, camera) == ()


def test_bearings_give_the_same_tracks_in_any_order_and_late(scene: Callable, camera: Sensor) -> None:
    _, scans = scene(True, 1)
    turned = [Scan(scan.sensor_id, scan.time_ns, scan.looked, scan.detections[::-1]) for scan in scans]
    delay_ns = {"camera": 0, "finder": 1_300_000_000}
    late = sorted(scans, key=lambda scan: scan.time_ns + delay_ns[scan.sensor_id])
    plain = tracks_after(scans, camera)
    assert [track.state.tobytes() for track in tracks_after(turned, camera)] == [t.state.tobytes() for t in plain]
    tracker = Tracker([camera, FINDER])
    for scan in late:
        tracker.apply(scan, scan.time_ns + delay_ns[scan.sensor_id])
    arrived = tracker.tracks_at(scans[-1].time_ns)
    assert len(arrived) == len(plain) == 1
    assert np.allclose(arrived[0].state, plain[0].state, rtol=0.0, atol=1e-6)


def test_more_finders_do_not_make_time_pass_faster(camera: Sensor, start_ns: int) -> None:
    """Finders that look elsewhere tell nothing, so the weights of the ranges only spread, as far as time has passed."""
    elsewhere = Look(LEVEL, (-math.pi, math.pi), (-1.5, 1.5), (1.0, 2.0))

    def weights(finders: int) -> FloatArray:
        sensors = [camera, *(replace(FINDER, sensor_id=f"finder-{k}") for k in range(finders))]
        table = TrackTable(sensors, 1.0, spectral_density(3.0))
        table.predict(start_ns)
        s = np.array([[0.3, 0.1, math.log(300.0), 0.0, 0.0, 0.0]])
        P = np.diag([1e-3, 1e-3, 1.0, 1e-3, 1e-3, 1e-3])[None] ** 2
        table.append(Births(s, P, 0, np.full(1, 0.9), [(start_ns, "camera", 0)], 0), 0, start_ns)
        table.is_confirmed[:] = True
        for second in range(5):
            at_ns = start_ns + second * 1_000_000_000
            for number in range(1, finders + 1):
                scan = Scan(sensors[number].sensor_id, at_ns, (elsewhere,), ())
                rules = Rules(TrackerSettings(), ObjectModel(), spectral_density(3.0), None)
                listen(table, take_in_hand(scan, sensors[number], number, None, rules, table.registration, table.noise))
            if second == 0:  # what many bearings would have told
                table.ranges[0] = np.where(np.abs(LN_RANGES - math.log(300.0)) < 0.06, 1.0, 0.0)
        assert table.ranges[0] is not None
        return table.ranges[0]

    assert (weights(1) > 0.0).sum() > 3
    assert weights(3) == pytest.approx(weights(1))
