from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter

from fusion import filters, manoeuvres, motion
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    FloatArray,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
)

Q = motion.spectral_density(3.0)
H = np.eye(3, 6)[None]
R = np.diag([25.0, 25.0, 9.0])[None]
EVEN = np.full((1, 3), 1.0 / 3.0)


def carried(P: FloatArray, since_s: float, q: FloatArray) -> FloatArray:
    return motion.predict(np.zeros((1, 6)), P, since_s, q)[1]


def test_weights_and_covariance_are_those_of_three_filters_carried_side_by_side() -> None:
    """Against filterpy's filter, one for each level, each predicted with its own noise."""
    P, y, since_s = np.diag([30.0, 20.0, 10.0, 9.0, 6.0, 2.0]), np.array([[9.0, -4.0, 1.0]]), 1.7
    modes = np.array([[0.5, 0.3, 0.2]])
    mean = carried(P[None], since_s, Q * manoeuvres.factor(modes)[0])
    after, kept = manoeuvres.weighed(modes, mean, y, H, R, Q, np.array([since_s]))
    prior = manoeuvres.relaxed(modes, since_s - manoeuvres.AHEAD_S)[0]
    likelihood = []
    for level in manoeuvres.LEVELS:
        one = KalmanFilter(6, 3)
        one.F = np.eye(6) + since_s * np.eye(6, k=3)
        one.Q = manoeuvres.unit_noise(Q * level, np.array([since_s]))[0]
        one.P, one.H, one.R = P.copy(), H[0], R[0]
        one.predict()
        one.update(y[0])
        likelihood.append(one.likelihood)
    expected = prior * likelihood / (prior @ likelihood)
    np.testing.assert_allclose(manoeuvres.relaxed(expected[None], manoeuvres.AHEAD_S), after, rtol=1e-9)
    np.testing.assert_allclose(kept, carried(P[None], since_s, Q * (expected @ manoeuvres.LEVELS)), rtol=1e-9)


def test_a_turn_raises_the_noise_and_steady_flight_lowers_it() -> None:
    modes = np.tile(manoeuvres.USUAL, (2, 1))
    turns = np.array([[22.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    P = np.tile(np.diag([9.0, 9.0, 9.0, 4.0, 4.0, 1.0]), (2, 1, 1))
    P = carried(P, 1.0, Q * manoeuvres.factor(modes)[0])
    after, kept = manoeuvres.weighed(modes, P, turns, np.tile(H, (2, 1, 1)), np.tile(R, (2, 1, 1)), Q, np.ones(2))
    turning, steady = manoeuvres.factor(after)
    assert turning > 1.5 * manoeuvres.factor(modes)[0] > steady
    assert kept[0, 3, 3] > P[0, 3, 3] > kept[1, 3, 3]


def test_quick_detections_never_tell_of_steady_flight() -> None:
    P = carried(np.diag([9.0, 9.0, 9.0, 4.0, 4.0, 1.0])[None], 0.1, Q)
    rate = np.zeros((1, 1, 6))
    rate[0, 0, 4] = 1.0
    after, _ = manoeuvres.weighed(EVEN, P, np.zeros((1, 1)), rate, np.full((1, 1, 1), 0.01), Q, np.array([0.1]))
    assert manoeuvres.factor(after)[0] >= manoeuvres.factor(manoeuvres.relaxed(EVEN, manoeuvres.AHEAD_S))[0] * (
        1 - 1e-9
    )


@pytest.mark.parametrize("since_s", [0.0, 1e-9, 0.3, 30.0, 1e4])
def test_covariances_stay_positive_definite(since_s: float) -> None:
    random = np.random.default_rng(5)
    root = random.normal(size=(40, 6, 6)) * 10.0 ** random.uniform(-3, 3, (40, 1, 1))
    modes = random.dirichlet(np.ones(3), 40)
    P = np.concatenate(
        [carried(one[None] @ one.T[None] + 1e-6 * np.eye(6), since_s, Q * factor)
         for one, factor in zip(root, manoeuvres.factor(modes), strict=True)]
    )  # fmt: skip
    y = random.normal(size=(40, 3)) * 100.0
    after, kept = manoeuvres.weighed(
        modes, P, y, np.tile(H, (40, 1, 1)), np.tile(R, (40, 1, 1)), Q, np.full(40, since_s)
    )
    np.testing.assert_allclose(after.sum(axis=1), 1.0)
    scale = np.sqrt(np.diagonal(kept, axis1=1, axis2=2))
    assert np.linalg.eigvalsh(kept / scale[:, :, None] / scale[:, None, :]).min() > 0.0
    assert np.isfinite(
        filters.update(np.zeros((40, 6)), kept, y, np.tile(H, (40, 1, 1)), np.tile(R, (40, 1, 1)))[1]
    ).all()


def flown(seed: int) -> set[int]:
    """Numbers told of one object that flies straight at a radar, at 20 m/s and for 20 s, and then turns round within 6 s."""
    random = np.random.default_rng(seed)
    sky = Coverage((-np.pi, np.pi), (-0.2, 1.2), (50.0, 4000.0))
    sigma = np.array([0.017, 0.026, 5.0, 0.5])
    radar = Sensor(
        "radar", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(*sigma), sky, false_alarms_per_scan=10.0,
        detection_probability=DetectionProbability(constant=0.85),
    )  # fmt: skip
    tracker, numbers, place, speed = Tracker([radar]), set(), 2600.0, -20.0
    for second in range(40):
        time_ns, scan = second * 10**9, ()
        if random.random() < 0.85:
            azimuth, elevation, distance, rate = np.array([0.3, 0.04, place, speed]) + sigma * random.normal(size=4)
            polar = Polar(azimuth, sigma[0], elevation, sigma[1], distance, sigma[2], rate, sigma[3])
            scan = (Detection(polar, 0.9),)
        look = Look(Orientation(0.0, 0.0, 0.0), *astuple(sky))
        tracker.apply(Scan("radar", time_ns, (look,), scan), time_ns)
        numbers |= {track.track_number for track in tracker.tracks_at(time_ns)}
        for _ in range(10):
            speed = min(speed + 0.7, 20.0) if second >= 20 else speed
            place += 0.1 * speed
    return numbers


def test_an_object_that_turns_round_keeps_its_number() -> None:
    """Its range rate leaves the gate of steady flight in the first second of the turn."""
    assert [len(flown(seed)) for seed in range(12)] == [1] * 12


def test_a_radars_innovations_are_as_large_as_foretold_through_legs_and_turns() -> None:
    """NIS a dimension of tracks that are told of: legs of 10 s at up to 20 m/s, from one to the next at 3 m/s²."""
    random = np.random.default_rng(4)
    sky = Coverage((-np.pi, np.pi), (-0.2, 1.2), (50.0, 4000.0))
    sigma = np.array([0.017, 0.026, 5.0, 0.5])
    radar = Sensor(
        "radar", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(*sigma), sky, false_alarms_per_scan=10.0,
        detection_probability=DetectionProbability(constant=0.85),
    )  # fmt: skip
    tracker, nis = Tracker([radar]), []
    place = np.array([[1500.0 * np.sin(k), 1500.0 * np.cos(k), 80.0] for k in range(6)])
    speed, wanted, leg_ends_s = np.zeros((6, 3)), np.zeros((6, 3)), np.arange(6.0)
    for tenth in range(1500):
        changes = leg_ends_s <= tenth / 10.0
        leg_ends_s[changes] += 10.0
        wanted[changes, :2] = random.uniform(-14.0, 14.0, (6, 2))[changes]
        missing = wanted - speed
        speed = speed + missing * np.minimum(1.0, 0.3 / np.maximum(np.linalg.norm(missing, axis=1), 1e-9))[:, None]
        place = place + 0.1 * speed
        if tenth % 10:
            continue
        distance = np.linalg.norm(place, axis=1)
        polar = np.stack(
            [np.arctan2(place[:, 0], place[:, 1]), np.arcsin(place[:, 2] / distance), distance,
             (place * speed).sum(axis=1) / distance], axis=1,
        )  # fmt: skip
        seen = (polar + sigma * random.normal(size=(6, 4)))[random.random(6) < 0.85]
        detections = tuple(
            Detection(Polar(z[0], sigma[0], z[1], sigma[1], z[2], sigma[2], z[3], sigma[3]), 0.9) for z in seen.tolist()
        )
        time_ns = tenth * 10**8
        tracker.apply(Scan("radar", time_ns, (Look(Orientation(0.0, 0.0, 0.0), *astuple(sky)),), detections), time_ns)
        for track in tracker.tracks_at(time_ns):
            told = track.explanation
            if told is not None and told.time_ns == time_ns and told.chosen is not None:
                nis.append(dict(told.considered)[told.chosen])
    assert len(nis) > 600
    assert 0.85 < np.mean(nis) / 4.0 < 1.15


@pytest.mark.parametrize("seed", range(5))
def test_a_drone_that_stops_at_once_keeps_its_number(
    radar: Sensor, camera: Sensor, world: Any, flying_object: Any, seed: int
) -> None:
    """At 10 m/s, then still, before a radar of five looks a second and a camera that goes on seeing it."""
    rates_hz, told = {"radar": 5.0, "camera": 5.0}, set()
    flies, stands = flying_object((3.0, 86.0, 20.0), (0.0, -10.0, 0.0)), flying_object((3.0, 46.0, 20.0), (0, 0, 0))
    before = world([flies], rates_hz, [radar, camera], seed).scans(4.0)
    after = world([stands], rates_hz, [radar, camera], seed + 100).scans(4.0)
    tracker = Tracker([radar, camera])
    for scan in [*before, *(replace(scan, time_ns=scan.time_ns + 4_000_000_000) for scan in after)]:
        told |= {track.track_number for track in tracker.apply(scan, scan.time_ns).tracks}
    assert len(told) == 1


def test_noise_that_a_camera_has_seen_the_end_of_is_not_taken_off_twice(
    radar: Sensor, camera: Sensor, world: Any, flying_object: Any
) -> None:
    """Before a radar of exactly two looks a second, and a camera of ten that brings the covariance up to date between."""
    things = [flying_object((3.0, 86.0, 20.0), (0.5, -0.5, 0.0)), flying_object((-15.0, 60.0, 15.0), (1.0, 0.5, 0.0))]
    tracker = Tracker([radar, camera])
    for scan in world(things, {"radar": 2.0, "camera": 10.0}, [radar, camera], 2).scans(20.0):
        tracker.apply(scan, scan.time_ns)
        for track in tracker.tracks_at(scan.time_ns):
            if track.direction is None:
                assert np.linalg.eigvalsh(track.covariance).min() > 0.0


@pytest.mark.parametrize(
    ("alarms", "crowded_s", "last_by", "is_taken"),
    [(2.0, None, 0, True), (2e5, None, 0, False), (2.0, 5, 0, False), (2.0, 15, 0, True), (2.0, None, 1, False)],
)
def test_an_unusual_error_is_a_tracks_where_false_alarms_are_rare_and_neither_a_crowd_nor_another_sensor_is(
    alarms: float, crowded_s: int | None, last_by: int, is_taken: bool, start_ns: int
) -> None:
    """A radar that errs by 1 deg sees a drone hover 970 m off for 30 s; then by five sigmas of its azimuth too far.

    crowded_s: since when the drone is in no crowd any more; None: it never was. last_by: which sensor has seen it last."""
    level, coverage = Orientation(0.0, 0.0, 0.0), Coverage((-np.pi, np.pi), (-0.1, 1.3), (50.0, 3300.0))
    sensor = Sensor(
        "radar", (0.0, 0.0, 0.0), level, Accuracy(0.0175, 0.026, 5.0, 0.5), coverage=coverage, false_alarms_per_scan=alarms,
        detection_probability=DetectionProbability(constant=0.95),
    )  # fmt: skip
    tracker = Tracker([sensor, replace(sensor, sensor_id="another")])
    for second in range(31):
        azimuth, now_ns = 5.0 * 0.0175 if second == 30 else 0.0, start_ns + second * 10**9
        if second == 30 and crowded_s is not None:
            tracker._table.crowded_ns[:] = now_ns - crowded_s * 10**9
        if second == 30:
            tracker._table.last_sensor[:] = last_by
        plot = Polar(azimuth, 0.0175, 0.08, 0.026, 970.0, 5.0, 0.5, 0.5)
        look = Look(level, coverage.azimuth_rad, coverage.elevation_rad, coverage.slant_range_m)
        tracker.apply(Scan("radar", now_ns, (look,), (Detection(plot, 1.0),)), now_ns)
    (track,) = tracker.tracks_at(now_ns)
    assert (track.last_detection_ns == now_ns) == is_taken
