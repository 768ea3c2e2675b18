from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.motion import VERTICAL_SHARE
from fusion.scoring import chi_square_bounds, normalised_squared
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Polar,
    Position,
    Presence,
    RangeRate,
    Scan,
    Sensor,
    Track,
    TrackerSettings,
)

RATES_HZ = {"radar": 15.0, "camera": 10.0, "camera-east": 10.0}


def likeliest(track: Track) -> str:
    return max(track.classes, key=lambda entry: entry[1])[0]


def run(tracker: Tracker, scans: Sequence[Scan]) -> list[Track]:
    """Everything that is published while these scans come in order."""
    return [track for scan in scans for track in tracker.apply(scan, scan.time_ns).tracks]


def as_bytes(tracks: Sequence[Track]) -> list[tuple[Any, ...]]:
    return [
        (
            *(track.track_number, track.revision, track.time_ns, track.status, track.reason),
            *(track.state.tobytes(), track.covariance.tobytes(), track.existence_probability, track.classes),
        )
        for track in tracks
    ]


@pytest.fixture
def two_drones_and_a_bird(world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor) -> Any:
    objects = [
        flying_object((-30.0, 80.0, 20.0), (5.0, 0.0, 0.0)),
        flying_object((20.0, 100.0, 30.0), (-3.0, -2.0, 0.0)),
        flying_object((0.0, 60.0, 25.0), (3.0, 1.0, 0.0), "bird", 0.5),
    ]
    return world(objects, RATES_HZ, [radar, camera], false_alarms=0.3)


def test_radar_and_camera_find_each_object_once_within_a_second(two_drones_and_a_bird: Any, start_ns: int) -> None:
    world = two_drones_and_a_bird
    tracker = Tracker(world.sensors)
    scans = world.scans(6.0)
    published = run(tracker, scans)
    first = {track.track_number: track.time_ns for track in reversed(published)}
    assert sorted((time_ns - start_ns) / 1e9 < 1.0 for time_ns in first.values())[:3] == [True] * 3
    now_s = (scans[-1].time_ns - start_ns) / 1e9
    tracks = tracker.tracks_at(scans[-1].time_ns)
    assert len(tracks) == 3
    for thing in world.objects:
        nearest = min(tracks, key=lambda track: float(np.linalg.norm(track.state[:3] - thing.at(now_s))))
        assert np.linalg.norm(nearest.state[:3] - thing.at(now_s)) < 1.5
        assert likeliest(nearest) == thing.class_name
        assert nearest.sensor_ids == ("radar", "camera")


def test_a_bird_is_never_called_a_drone(
    world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor
) -> None:
    for seed in range(3):
        birds = [flying_object((0.0, 60.0, 25.0), (3.0, 1.0, 0.0), "bird", 0.5)]
        scans = world(birds, RATES_HZ, [radar, camera], seed=seed, class_error=0.15).scans(4.0)
        published = run(Tracker([radar, camera]), scans)
        assert published
        assert "drone" not in [likeliest(track) for track in published[len(published) // 2 :]]


def test_the_order_of_detections_in_a_scan_changes_nothing(two_drones_and_a_bird: Any) -> None:
    scans = two_drones_and_a_bird.scans(3.0)
    turned = [replace(scan, detections=scan.detections[::-1]) for scan in scans]
    one = run(Tracker(two_drones_and_a_bird.sensors), scans)
    two = run(Tracker(two_drones_and_a_bird.sensors), turned)
    assert as_bytes(one) == as_bytes(two)


def test_the_same_input_gives_the_same_bytes(two_drones_and_a_bird: Any) -> None:
    scans = two_drones_and_a_bird.scans(3.0)
    one, two = (run(Tracker(two_drones_and_a_bird.sensors), scans) for _ in range(2))
    assert as_bytes(one) == as_bytes(two)


def test_late_scans_end_in_the_same_tracks_as_in_order(two_drones_and_a_bird: Any) -> None:
    scans = two_drones_and_a_bird.scans(3.0)
    in_order, late = Tracker(two_drones_and_a_bird.sensors), Tracker(two_drones_and_a_bird.sensors)
    random = np.random.default_rng(7)
    run(in_order, scans)
    arrivals = sorted((scan.time_ns + int(random.uniform(0.0, 1.5) * 1e9), k) for k, scan in enumerate(scans))
    rewound = 0
    for received_ns, k in arrivals:
        update = late.apply(scans[k], received_ns)
        rewound += update.rewound
        assert not update.too_old
    assert rewound > 30
    now_ns = scans[-1].time_ns
    expected = sorted((track.state.tobytes(), track.covariance.tobytes()) for track in in_order.tracks_at(now_ns))
    assert sorted((track.state.tobytes(), track.covariance.tobytes()) for track in late.tracks_at(now_ns)) == expected
    assert len(expected) == 3


def test_what_is_older_than_the_window_is_counted_and_not_used(two_drones_and_a_bird: Any) -> None:
    scans = two_drones_and_a_bird.scans(4.0)
    tracker = Tracker(two_drones_and_a_bird.sensors, TrackerSettings(rewind_s=2.0))
    run(tracker, scans)
    before = as_bytes(tracker.tracks_at(scans[-1].time_ns))
    update = tracker.apply(replace(scans[3], detections=()), scans[-1].time_ns)
    assert update.too_old
    assert not update.rewound
    assert update.late_ns == scans[-1].time_ns - scans[3].time_ns
    assert as_bytes(tracker.tracks_at(scans[-1].time_ns)) == before


def position_sensor() -> Sensor:
    return Sensor(
        "positions",
        (0.0, 0.0, 0.0),
        Orientation(0, 0, 0),
        Accuracy(slant_range_m=1.0),
        detection_probability=DetectionProbability(constant=0.9),
        false_alarms_per_scan=0.01,
    )


def position_scan(time_ns: int, *points: tuple[float, float, float], looked: bool = True) -> Scan:
    look = Look(Orientation(0, 0, 0), (-math.pi, math.pi), (-1.6, 1.6), (0.0, 1e4))
    detections = tuple(Detection(Position(*point, (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)), 0.9) for point in points)
    return Scan("positions", time_ns, (look,) if looked else None, detections)


def test_a_track_that_a_rewind_removes_is_retracted(start_ns: int) -> None:
    """Two detections far apart in time confirmed it; late scans show that the sensor saw nothing there in between."""
    tracker = Tracker([position_sensor()])
    step = 500_000_000
    first = run(tracker, [position_scan(start_ns + k * step, (100.0, 50.0, 20.0)) for k in (0, 4)])
    assert [track.status for track in first] == ["confirmed"]
    updates = [tracker.apply(position_scan(start_ns + k * step), start_ns + 5 * step) for k in (1, 2, 3)]
    gone = [track for update in updates for track in update.tracks]
    assert all(update.rewound for update in updates)
    assert [(track.track_number, track.status, track.reason) for track in gone] == [(1, "dropped", "retracted")]
    assert gone[0].revision > first[-1].revision
    again = run(tracker, [position_scan(start_ns + k * step, (0.0, 90.0, 20.0)) for k in (6, 7, 8)])
    assert {track.track_number for track in again} == {2}  # numbers are not used twice


def test_misses_count_only_inside_what_was_looked_at(start_ns: int) -> None:
    def existence_after(looked: bool) -> float:
        tracker = Tracker([position_sensor()])
        step = 500_000_000
        run(tracker, [position_scan(start_ns + k * step, (100.0, 50.0, 20.0)) for k in range(4)])
        run(tracker, [position_scan(start_ns + k * step, looked=looked) for k in (4, 5)])
        return tracker.tracks_at(start_ns + 5 * step)[0].existence_probability

    assert existence_after(looked=False) > 0.97
    assert existence_after(looked=True) < 0.9


def test_a_camera_in_the_dark_never_drops_a_radars_track(
    world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor
) -> None:
    dark = world([flying_object((-20.0, 80.0, 20.0), (2.0, 0.0, 0.0))], RATES_HZ, [radar, camera], dark=True)
    published = run(Tracker([radar, camera]), dark.scans(6.0))
    assert {track.track_number for track in published} == {1}
    assert min(track.existence_probability for track in published[10:]) > 0.9


def test_one_camera_gives_a_direction_with_an_honest_range(
    world: Callable, flying_object: Callable, camera: Sensor, start_ns: int
) -> None:
    inside = total = 0
    for seed in range(8):
        thing = flying_object((-30.0, 120.0 + 20.0 * seed, 30.0), (4.0, 1.0, 0.0), width_m=0.2 + 0.15 * seed)
        scans = world([thing], RATES_HZ, [camera], seed=seed, detection_probability=0.8).scans(3.0)
        tracks = run(Tracker([camera]), scans)
        assert tracks
        for track in tracks:
            assert track.direction is not None
            d = thing.at((track.time_ns - start_ns) / 1e9) - np.array(camera.position_enu_m)
            low_m, high_m = track.direction.slant_range_m
            inside += low_m <= np.linalg.norm(d) <= high_m
            total += 1
            assert track.direction.azimuth_rad == pytest.approx(math.atan2(d[0], d[1]), abs=0.015)
            middle_m = np.linalg.norm(track.state[:3] - np.array(camera.position_enu_m))
            assert middle_m == pytest.approx(math.sqrt(low_m * high_m))
    assert inside / total >= 0.9


def test_one_bearing_confirms_nothing(camera: Sensor, start_ns: int) -> None:
    tracker = Tracker([camera])
    bearing = Detection(Polar(0.1, 0.003, 0.1, 0.003), 0.99, (("drone", 0.99),))
    update = tracker.apply(Scan("camera", start_ns, None, (bearing,)), start_ns)
    assert update.tracks == ()
    assert tracker.tracks_at(start_ns + 10**9) == ()


def test_two_cameras_place_an_object_in_space(
    world: Callable, flying_object: Callable, camera: Sensor, second_camera: Sensor, start_ns: int
) -> None:
    things = [
        flying_object((20.0, 150.0, 30.0), (5.0, 0.0, 0.0)),
        flying_object((40.0, 250.0, 50.0), (-5.0, -3.0, 0.0)),
    ]
    scans = world(things, RATES_HZ, [camera, second_camera], false_alarms=0.1).scans(4.0)
    tracker = Tracker([camera, second_camera])
    run(tracker, scans)
    tracks = tracker.tracks_at(scans[-1].time_ns)
    now_s = (scans[-1].time_ns - start_ns) / 1e9
    assert [track.direction for track in tracks] == [None, None]
    for thing in things:
        assert min(np.linalg.norm(track.state[:3] - thing.at(now_s)) for track in tracks) < 3.0


@pytest.fixture
def infrared(camera: Sensor) -> Sensor:
    """Beside the camera, half a metre away."""
    east, north, up = camera.position_enu_m
    return replace(camera, sensor_id="infrared", position_enu_m=(east + 0.5, north, up))


def test_what_two_cameras_on_one_mount_see_is_one_direction(
    world: Callable, flying_object: Callable, camera: Sensor, infrared: Sensor
) -> None:
    things = [flying_object((-4.0, 30.0, 9.0), (1.0, 0.5, 0.0)), flying_object((30.0, 200.0, 30.0), (4.0, -2.0, 0.0))]
    rates_hz = {"camera": 10.0, "infrared": 9.0}
    scans = world(things, rates_hz, [camera, infrared], false_alarms=0.1).scans(8.0)
    tracker = Tracker([camera, infrared])
    published = run(tracker, scans)
    tracks = tracker.tracks_at(scans[-1].time_ns)
    assert {track.track_number for track in published} == {1, 2}
    assert [track.sensor_ids for track in tracks] == [("camera", "infrared")] * 2
    assert all(track.direction is not None for track in tracks)  # two places so close measure no range
    alone = Tracker([camera])
    run(alone, [scan for scan in scans if scan.sensor_id == "camera"])
    both, one = (
        np.mean([max(p for _, p in t.classes) for t in of.tracks_at(scans[-1].time_ns)]) for of in (tracker, alone)
    )
    assert both > one  # they confirm each other in what it is, too


def test_a_camera_goes_on_where_the_other_on_its_mount_goes_blind(
    world: Callable, flying_object: Callable, camera: Sensor, infrared: Sensor
) -> None:
    thing = flying_object((-10.0, 150.0, 30.0), (2.0, 0.0, 0.0))
    scans = world([thing], {"camera": 10.0, "infrared": 9.0}, [camera, infrared]).scans(10.0)
    blind_ns = scans[0].time_ns + 4 * 10**9
    seen = [scan for scan in scans if scan.sensor_id == "infrared" or scan.time_ns < blind_ns]
    tracker = Tracker([camera, infrared])
    published = run(tracker, seen)
    (track,) = tracker.tracks_at(seen[-1].time_ns)
    assert {one.track_number for one in published} == {track.track_number} == {1}
    assert track.sensor_ids == ("infrared",)


def test_cameras_whose_mountings_are_hardly_known_or_that_stand_apart_share_no_direction(
    world: Callable, flying_object: Callable, camera: Sensor, infrared: Sensor
) -> None:
    thing = flying_object((-10.0, 150.0, 30.0), (2.0, 0.0, 0.0))
    for other in (
        replace(infrared, mounting_sigma_rad=math.radians(5.0)),
        replace(infrared, accuracy=Accuracy(math.radians(2.0), math.radians(2.0), None, None)),  # microphones
        replace(infrared, position_enu_m=(camera.position_enu_m[0] + 1.5, *camera.position_enu_m[1:])),
    ):
        scans = world([thing], {"camera": 10.0, "infrared": 9.0}, [camera, other]).scans(4.0)
        tracker = Tracker([camera, other])
        run(tracker, scans)
        assert [track.sensor_ids for track in tracker.tracks_at(scans[-1].time_ns)] == [("camera",), ("infrared",)]


def test_two_directions_of_one_mount_that_are_one_object_become_one(
    world: Callable, flying_object: Callable, camera: Sensor, infrared: Sensor
) -> None:
    thing = flying_object((-10.0, 150.0, 30.0), (2.0, 0.0, 0.0))
    scans = world([thing], {"camera": 10.0, "infrared": 9.0}, [camera, infrared]).scans(6.0)
    tracker = Tracker([camera, infrared])
    table = tracker._table
    table.mount = np.array([0, 1])  # for a while they do not know of each other
    early = [scan for scan in scans if scan.time_ns < scans[0].time_ns + 3 * 10**9]
    run(tracker, early)
    assert len(tracker.tracks_at(early[-1].time_ns)) == 2
    tracker._table.mount = np.array([0, 0])
    run(tracker, scans[len(early) :])
    (track,) = tracker.tracks_at(scans[-1].time_ns)
    assert (track.track_number, track.sensor_ids) == (1, ("camera", "infrared"))


def test_a_direction_keeps_its_number_when_the_radar_finds_its_range(
    world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor, start_ns: int
) -> None:
    thing = flying_object((0.0, 220.0, 20.0), (1.0, -10.0, 0.0))
    scans = world([thing], RATES_HZ, [radar, camera], false_alarms=0.1).scans(14.0)
    tracker = Tracker([radar, camera])
    published = run(tracker, scans)
    assert published[0].direction is not None
    (track,) = tracker.tracks_at(scans[-1].time_ns)
    assert track.track_number == published[0].track_number == 1
    assert track.direction is None
    assert np.linalg.norm(track.state[:3] - thing.at((scans[-1].time_ns - start_ns) / 1e9)) < 1.5


def test_the_radars_track_of_a_direction_that_is_told_of_is_seldom_told_of_beside_it(
    world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor
) -> None:
    thing = flying_object((0.0, 150.0, 20.0), (1.0, -10.0, 0.0))
    numbers = []
    for seed in range(6):
        scans = world([thing], RATES_HZ, [radar, camera], false_alarms=0.1, seed=seed).scans(7.0)
        numbers.append(len({track.track_number for track in run(Tracker([radar, camera]), scans)}))
    assert min(numbers) == 1
    assert sum(numbers) <= 7  # a false range on the ray may come between


def test_a_rotated_world_gives_rotated_tracks(
    world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor
) -> None:
    objects = [
        flying_object((-30.0, 80.0, 20.0), (5.0, 0.0, 0.0)),
        flying_object((20.0, 100.0, 30.0), (-3.0, -2.0, 0.0)),
    ]
    scans = world(objects, RATES_HZ, [radar, camera], false_alarms=0.2).scans(4.0)
    turn = math.radians(137.0)
    cos, sin = math.cos(turn), math.sin(turn)
    rotation = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])  # clockwise, as headings go

    def turned_sensor(sensor: Sensor) -> Sensor:
        place = tuple(float(v) for v in rotation @ np.array(sensor.position_enu_m))
        return replace(sensor, position_enu_m=place, orientation=Orientation(turn, 0.0, 0.0))

    def turned_scan(scan: Scan) -> Scan:
        looked = tuple(replace(look, orientation=Orientation(turn, 0.0, 0.0)) for look in scan.looked or ())
        detections = tuple(
            replace(d, measurement=replace(d.measurement, azimuth_rad=d.measurement.azimuth_rad + turn))
            for d in scan.detections
        )
        return replace(scan, looked=looked, detections=detections)

    plain, turned = Tracker([radar, camera]), Tracker([turned_sensor(radar), turned_sensor(camera)])
    run(plain, scans)
    run(turned, [turned_scan(scan) for scan in scans])
    now_ns = scans[-1].time_ns
    first, second = plain.tracks_at(now_ns), turned.tracks_at(now_ns)
    assert len(first) == len(second) == 2
    for one in first:
        two = min(second, key=lambda track: float(np.linalg.norm(track.state[:3] - rotation @ one.state[:3])))
        assert two.state[:3] == pytest.approx(rotation @ one.state[:3], abs=1e-6)
        assert two.state[3:] == pytest.approx(rotation @ one.state[3:], abs=1e-6)
        assert two.covariance[:3, :3] == pytest.approx(rotation @ one.covariance[:3, :3] @ rotation.T, abs=1e-6)


def test_tracks_are_as_far_off_as_they_say(start_ns: int) -> None:
    """NEES and NIS of objects that move as the model says, over 20 seeds of 30 scans."""
    settings = TrackerSettings(acceleration_m_s2=2.0, gate_probability=0.99999)
    step_s, nees, nis = 0.5, [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        state = np.array([100.0, 50.0, 30.0, 8.0, -3.0, 0.5])
        tracker = Tracker([position_sensor()], settings)
        for k in range(30):
            q = 4.0 * np.array([1.0, 1.0, VERTICAL_SHARE])
            for axis in range(3):
                noise = np.array([[step_s**3 / 3, step_s**2 / 2], [step_s**2 / 2, step_s]]) * q[axis]
                state[axis] += step_s * state[axis + 3]
                state[[axis, axis + 3]] += np.linalg.cholesky(noise) @ random.standard_normal(2)
            point = tuple(float(v) for v in state[:3] + random.standard_normal(3))
            update = tracker.apply(position_scan(start_ns + int(k * step_s * 1e9), point), start_ns + 10**12)
            if k >= 5:  # the speed at birth is a guess
                explanation = update.tracks[0].explanation
                assert explanation is not None
                nis += [value for index, value in explanation.considered if index == explanation.chosen]
        (track,) = tracker.tracks_at(start_ns + int(29 * step_s * 1e9))
        nees.append(normalised_squared(track.state - state, track.covariance))
    low, high = chi_square_bounds(len(nees), 6, 0.99)
    assert low < np.mean(nees) < high
    low, high = chi_square_bounds(len(nis), 3, 0.99)
    assert len(nis) == 20 * 25
    assert low < np.mean(nis) < high


def test_a_track_unseen_coasts_and_is_then_given_up(start_ns: int) -> None:
    tracker = Tracker([position_sensor()])
    step = 200_000_000
    run(tracker, [position_scan(start_ns + k * step, (2.0 * k, 50.0, 20.0), looked=False) for k in range(10)])
    last_ns = start_ns + 9 * step
    statuses = []
    for k in range(1, 150):
        statuses += [(track.status, track.reason) for track in tracker.tick(last_ns + k * 100_000_000).tracks]
    assert statuses[0] == ("coasting", None)
    assert statuses[-1] == ("dropped", "unseen")
    assert 10 <= len(statuses) <= 14  # about once a second, for as long as a silent sensor is waited for
    assert tracker.tracks_at(last_ns + 14 * 10**9) == ()


@pytest.mark.parametrize(("silent_s", "numbers"), [(9, {1}), (14, {1, 2})])
def test_a_radar_that_was_silent_for_a_while_finds_its_track_again(
    world: Callable, flying_object: Callable, radar: Sensor, start_ns: int, silent_s: int, numbers: set[int]
) -> None:
    scans = world([flying_object((-40.0, 80.0, 20.0), (2.0, 0.0, 0.0))], {"radar": 10.0}, [radar]).scans(22.0)
    heard = [scan for scan in scans if not 5.0 <= (scan.time_ns - start_ns) / 1e9 < 5.0 + silent_s]
    assert {track.track_number for track in run(Tracker([radar]), heard)} == numbers


def test_a_track_that_its_radar_looks_for_and_does_not_see_is_given_up_within_seconds(
    world: Callable, flying_object: Callable, radar: Sensor, start_ns: int
) -> None:
    scans = world([flying_object((-40.0, 80.0, 20.0), (2.0, 0.0, 0.0))], {"radar": 10.0}, [radar]).scans(11.0)
    seen = [scan if scan.time_ns - start_ns < 5 * 10**9 else replace(scan, detections=()) for scan in scans]
    tracker = Tracker([radar])
    run(tracker, seen)
    assert tracker.tracks_at(seen[-1].time_ns) == ()


def test_revisions_grow_and_every_published_track_is_explained(two_drones_and_a_bird: Any) -> None:
    scans = two_drones_and_a_bird.scans(3.0)
    revision: dict[int, int] = {}
    for track in run(Tracker(two_drones_and_a_bird.sensors), scans):
        assert track.revision == revision.get(track.track_number, 0) + 1
        revision[track.track_number] = track.revision
        assert track.explanation is not None
        assert track.explanation.chosen in [index for index, _ in track.explanation.considered]


def test_two_tracks_of_one_object_become_one(start_ns: int) -> None:
    """One of two sensors is 12 m off at first and then drifts to where the object is; no scan ever showed two."""
    sensors = [position_sensor(), replace(position_sensor(), sensor_id="others")]
    tracker = Tracker(sensors)
    scans = []
    for k in range(50):
        offset_m = max(12.0 - 0.4 * k, 0.0) if k % 2 else 0.0
        scan = position_scan(start_ns + k * 100_000_000, (10.0 + offset_m, 50.0, 20.0), looked=False)
        scans.append(replace(scan, sensor_id=sensors[k % 2].sensor_id))
    published = run(tracker, scans)
    assert {track.track_number for track in published} == {1, 2}
    assert [track.track_number for track in tracker.tracks_at(scans[-1].time_ns)] == [1]
    assert [(track.track_number, track.reason) for track in published if track.status == "dropped"] == [(2, "merged")]


def test_two_objects_seen_apart_in_one_scan_stay_two(start_ns: int) -> None:
    tracker = Tracker([position_sensor()])
    run(tracker, [position_scan(start_ns + k * 200_000_000, (10, 50, 20), (14, 50, 20)) for k in range(20)])
    assert len(tracker.tracks_at(start_ns + 4 * 10**9)) == 2


def test_scans_of_unknown_sensors_and_from_the_future_are_ignored_and_counted(radar: Sensor, start_ns: int) -> None:
    tracker = Tracker([radar])
    assert tracker.apply(Scan("nobody", start_ns, None, ()), start_ns).tracks == ()
    tracker.apply(Scan("radar", start_ns + 3_600 * 10**9, None, ()), start_ns)
    assert tracker.ignored_scans == 2
    assert tracker.apply(Scan("radar", start_ns, None, ()), start_ns).late_ns == 0


def test_facts_that_are_neither_scans_nor_claims_change_nothing(radar: Sensor, start_ns: int) -> None:
    update = Tracker([radar]).apply(Presence("radar", start_ns, "motion", None, None, ""), start_ns)
    assert (update.tracks, update.claims, update.too_old) == ((), (), False)


numbers = st.one_of(
    st.floats(-1e7, 1e7), st.sampled_from([0.0, math.pi, -math.pi, 1e6, -1e6, math.nan, math.inf, 1e-300])
)
small = st.one_of(st.floats(0.0, 100.0), st.sampled_from([0.0, math.nan, math.inf, 1e-12]))
measurements = st.one_of(
    st.builds(Polar, numbers, small),
    st.builds(Polar, numbers, small, st.floats(-1.6, 1.6), small),
    st.builds(
        Polar, numbers, small, st.floats(-1.6, 1.6), small, st.floats(0.01, 1e5), small, st.floats(-99, 99), small
    ),
    st.builds(RangeRate, numbers, small, st.none(), st.none()),
    st.builds(Position, numbers, numbers, st.none(), st.tuples(small, st.just(0.0), small)),
    st.builds(
        Position, numbers, numbers, numbers, st.tuples(small, st.just(0.0), st.just(0.0), small, st.just(0.0), small)
    ),
)
detections = st.builds(Detection, measurements, st.floats(0, 1), angular_size_rad=st.one_of(st.none(), numbers))
streams = st.lists(
    st.tuples(
        st.sampled_from(["radar", "camera", "camera-east"]),
        st.integers(-(10**9), 10**9),
        st.lists(detections, max_size=4),
        st.integers(1, 4),
    ),
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(streams)
def test_covariances_stay_positive_definite_through_any_stream(
    stream: list[tuple[str, int, list[Detection], int]],
) -> None:
    sensors = [
        Sensor(
            name,
            (30.0 * k, 0.0, 5.0),
            Orientation(0, 0, 0),
            Accuracy(0.01, 0.01, 1.0 if k == 0 else None),
            detection_probability=DetectionProbability(constant=0.8, night="same"),
        )
        for k, name in enumerate(["radar", "camera", "camera-east"])
    ]
    tracker = Tracker(sensors, TrackerSettings(clock_error_s=0.05))
    look = Look(Orientation(0, 0, 0), (-math.pi, math.pi), (-1.6, 1.6), (0.0, 1e6))
    time_ns = 10**18
    for name, later_ns, found, repeats in stream:
        for _ in range(repeats):
            time_ns += later_ns
            tracker.apply(Scan(name, time_ns, (look,), tuple(found)), time_ns)
            table = tracker._table
            assert np.isfinite(table.x).all()
            if len(table):
                scale = np.sqrt(np.diagonal(table.P, axis1=1, axis2=2))
                assert (scale > 0.0).all()
                correlation = table.P / (scale[:, :, None] * scale[:, None, :])
                assert np.linalg.eigvalsh(correlation)[:, 0].min() > -1e-9
            for track in tracker.tracks_at(time_ns):
                assert np.isfinite(track.state).all()
                assert np.isfinite(track.covariance).all()


def test_memory_is_bounded_when_a_sensor_babbles(radar: Sensor, start_ns: int, monkeypatch: Any) -> None:
    from fusion import births, rewind

    monkeypatch.setattr(births, "MAX_TRACKS", 30)
    monkeypatch.setattr(rewind, "MAX_KEPT_FACTS", 20)
    tracker = Tracker([radar])
    random = np.random.default_rng(1)
    for k in range(60):
        found = tuple(
            Detection(Polar(a, 0.01, 0.1, 0.01, r, 0.5, 0.0, 0.3), 0.5)
            for a, r in zip(random.uniform(-1, 1, 20), random.uniform(5, 110, 20), strict=True)
        )
        tracker.apply(Scan("radar", start_ns + k * 10_000_000, None, found), start_ns + k * 10_000_000)
    assert len(tracker._table) <= 30
    assert len(tracker._history._facts) <= 20 + 26  # and what came since the last snapshot


def test_two_scans_of_one_sensor_at_one_time_are_two_scans(
    world: Callable, flying_object: Callable, radar: Sensor
) -> None:
    """One reading may complete several frames; they must not begin two rows of one name, nor two tracks of one object."""
    things = [flying_object((-20.0, 60.0, 14.0), (0.0, -2.0, 0.0)), flying_object((25.0, 90.0, 19.0), (0.0, -2.0, 0.0))]
    scans = world(things, {"radar": 20.0}, [radar], detection_probability=1.0).scans(5.0)
    tracker, late = Tracker([radar]), Tracker([radar])
    numbers = set()
    for k, scan in enumerate(scans):
        scan = replace(scan, time_ns=scans[k | 1].time_ns)
        numbers |= {track.track_number for track in tracker.apply(scan, scan.time_ns).tracks}
        scans[k] = scan
        keys = tracker._table.keys
        assert len(set(keys)) == len(keys)
    assert numbers == {1, 2}
    for k in (*range(0, 40), *range(60, 100), *range(40, 60)):  # late and replayed they are the same
        late.apply(scans[k], scans[-1].time_ns)
    assert late._table.keys == tracker._table.keys
    assert late._table.x == pytest.approx(tracker._table.x, rel=1e-9)


@pytest.mark.parametrize("period_s", [6, 10])
def test_a_sensor_that_turns_slowly_keeps_its_track(radar: Sensor, start_ns: int, period_s: int) -> None:
    random = np.random.default_rng(1)
    tracker = Tracker([replace(radar, false_alarms_per_scan=0.1)])
    published: list[Track] = []
    for k in range(30):
        now_ns = start_ns + k * period_s * 10**9
        polar = Polar(0.1 + random.normal(0, 0.02), 0.02, 0.1, 0.02, 90.0 - k + random.normal(0, 0.3), 0.3, 0.0, 0.3)
        published += tracker.apply(Scan("radar", now_ns, None, (Detection(polar, 0.9),)), now_ns).tracks
        published += [t for j in range(1, period_s) for t in tracker.tick(now_ns + j * 10**9).tracks]
    assert {track.track_number for track in published} == {1}
    assert "dropped" not in {track.status for track in published}
    gone = tracker.tick(now_ns + 3 * period_s * 10**9).tracks
    assert [track.status for track in gone] == ["dropped"]


def test_tracks_of_an_unaligned_radar_are_as_far_off_as_they_say(
    world: Callable, flying_object: Callable, radar: Sensor, start_ns: int
) -> None:
    """One error of 5°, 1 sigma, for each run: more scans make it no smaller. NEES of published position and velocity."""
    sigma_rad = math.radians(5.0)
    position, whole = [], []
    for seed in range(40):
        error_rad = sigma_rad * np.random.default_rng(seed).standard_normal(3)  # heading, pitch, roll
        thing = flying_object((-15.0, 80.0, 20.0), (5.0, 0.0, 0.0))
        turn = np.eye(3) + np.array(
            [
                [0.0, error_rad[0], -error_rad[2]],
                [-error_rad[0], 0.0, error_rad[1]],
                [error_rad[2], -error_rad[1], 0.0],
            ]
        )
        turn = np.linalg.qr(turn)[0] * np.sign(np.diag(np.linalg.qr(turn)[1]))  # a rotation
        place = np.array(radar.position_enu_m)
        seen = flying_object(
            tuple(place + turn @ (np.array(thing.position_enu_m) - place)),
            tuple(turn @ np.array(thing.velocity_enu_m_s)),
        )
        scans = world([seen], RATES_HZ, [radar], seed=seed).scans(2.0)
        tracker = Tracker([replace(radar, mounting_sigma_rad=sigma_rad, is_aligned=False)])
        run(tracker, scans)
        now_ns = scans[-1].time_ns
        (track,) = tracker.tracks_at(now_ns)
        error = track.state - np.array([*thing.at((now_ns - start_ns) / 1e9), *thing.velocity_enu_m_s])
        position.append(normalised_squared(error[:3], track.covariance[:3, :3]))
        whole.append(normalised_squared(error, track.covariance))
    assert 0.5 * 3 < np.mean(position) < chi_square_bounds(40, 3, 0.99)[1]
    assert 0.3 * 6 < np.mean(whole) < chi_square_bounds(40, 6, 0.99)[1]


def test_a_badly_mounted_camera_that_looks_past_an_object_takes_nothing_from_it(radar: Sensor, camera: Sensor) -> None:
    """Its field is 8° wide and it may be turned by 5°: a radar's track need not be in it, its own directions are."""
    assert camera.detection_probability is not None
    sees = replace(camera.detection_probability, night="same", pixels_per_rad=5000.0)
    narrow = replace(camera, detection_probability=sees)
    look = Look(Orientation(0, math.radians(6.0), 0), (-0.07, 0.07), (-0.05, 0.05), (0.0, 500.0))

    def least_existence(sensor: Sensor, seen_by: str, time_ns: int = 10**18) -> float:
        tracker, found = Tracker([radar, sensor]), []
        polar = Polar(0.0, 0.01, 0.13, 0.01, *((80.0, 0.3, 0.0, 0.3) if seen_by == "radar" else ()))
        for k in range(30):
            now_ns = time_ns + k * 100_000_000
            shows = k < 20 or seen_by == "radar"
            detections = (Detection(polar, 0.9, (("drone", 0.9),), angular_size_rad=0.004),) if shows else ()
            tracker.apply(Scan(seen_by, now_ns, None, detections), now_ns)
            if k >= 20:
                tracker.apply(Scan("camera", now_ns + 1000, (look,), ()), now_ns)
            found += [track.existence_probability for track in tracker.tracks_at(now_ns + 2000)]
        return min(found[-10:])

    turned = replace(narrow, mounting_sigma_rad=math.radians(5.0))
    assert least_existence(turned, "radar") > 0.99
    assert least_existence(narrow, "radar") < 0.99
    assert least_existence(turned, "camera") < 0.99


def test_an_airliner_is_not_told_to_be_as_near_as_a_drone_of_its_size(camera: Sensor, start_ns: int) -> None:
    far = replace(camera, coverage=replace(camera.coverage, slant_range_m=(5.0, 3000.0)))

    def interval_m(width_m: float, range_m: float, classes: tuple[tuple[str, float], ...]) -> tuple[float, float]:
        random, tracker = np.random.default_rng(3), Tracker([far])
        for k in range(20):
            now_ns = start_ns + k * 100_000_000
            azimuth, elevation = 0.004 * k + random.normal(0, 0.002), 0.1 + random.normal(0, 0.002)
            polar = Polar(azimuth, 0.002, elevation, 0.002)
            detection = Detection(polar, 0.8, classes, angular_size_rad=width_m / range_m)
            tracker.apply(Scan("camera", now_ns, None, (detection,)), now_ns)
        (track,) = tracker.tracks_at(now_ns)
        assert track.direction is not None
        return track.direction.slant_range_m

    low_m, high_m = interval_m(35.0, 2000.0, (("airplane", 0.8), ("unknown", 0.2)))
    assert low_m < 2000.0 < high_m
    low_m, high_m = interval_m(35.0, 2000.0, ())
    assert low_m < 2000.0 < high_m
    for name in ("drone", "bird"):
        low_m, high_m = interval_m(0.35, 60.0, ((name, 0.8),))
        assert 20.0 < low_m < 60.0 < high_m < 400.0


def test_rays_of_two_objects_that_meet_for_a_while_leave_no_ghost(
    world: Callable, flying_object: Callable, camera: Sensor, second_camera: Sensor
) -> None:
    """Each camera sees one object, which the other cannot see; at first both lie towards (40, 200, 40) m."""
    things = [
        flying_object((13.6, 60.0, 16.2), (0.0, 0.0, 0.0)),
        flying_object((117.0, 60.0, 15.0), (0.0, 0.0, 1.0)),
    ]
    steady = DetectionProbability(constant=0.85, night="same")
    cameras = [replace(sensor, detection_probability=steady) for sensor in (camera, second_camera)]
    for seed in range(3):
        scans = world(things, RATES_HZ, cameras, seed=seed).scans(8.0)
        tracker = Tracker(cameras)
        run(tracker, scans)
        assert [track.direction is not None for track in tracker.tracks_at(scans[-1].time_ns)] == [True, True]


@pytest.mark.parametrize(("range_m", "box_rad"), [(2500.0, 0.012), (610.0, 0.02)])  # far beyond 600 m, and just beyond
def test_a_camera_moves_no_track_beyond_its_reach_by_one_false_box_but_by_what_it_keeps_seeing(
    radar: Sensor, camera: Sensor, start_ns: int, range_m: float, box_rad: float
) -> None:
    """A radar is unsure of a far drone by 50 m across; a box beside it would seem to tell its place to a metre or two."""
    tall = ((-3.1, 3.1), (-0.2, 1.0), (0.0, 4000.0))
    far = replace(radar, accuracy=Accuracy(0.02, 0.02, 5.0, 0.5), coverage=Coverage(*tall))
    assert camera.coverage is not None
    picture = Look(Orientation(0, 0, 0), camera.coverage.azimuth_rad, camera.coverage.elevation_rad, (5.0, 600.0))

    def distance_m(boxes: int) -> float:
        tracker = Tracker([far, camera])
        for k in range(10):
            now_ns = start_ns + k * 1_000_000_000
            polar = Polar(0.0, 0.02, 0.05, 0.02, range_m, 5.0, 0.0, 0.5)
            look = Look(Orientation(0, 0, 0), *tall)
            tracker.apply(Scan("radar", now_ns, (look,), (Detection(polar, 0.9),)), now_ns)
        for k in range(10):
            now_ns += 50_000_000
            box = Detection(Polar(box_rad, 0.002, 0.05, 0.002), 0.8)
            tracker.apply(Scan("camera", now_ns, (picture,), (box,) if k >= 10 - boxes else ()), now_ns)
        (track,) = (track for track in tracker.tracks_at(now_ns) if "radar" in track.sensor_ids)
        return float(abs(track.state[0]))

    assert distance_m(0) == pytest.approx(distance_m(1), abs=0.1)
    assert distance_m(10) == pytest.approx(range_m * np.sin(box_rad), rel=0.25)


def test_detections_of_one_scan_that_measure_different_things_begin_tracks_of_their_own() -> None:
    sensor = Sensor("s", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy())
    tracker, told = Tracker([sensor]), set()
    places = [Position(100.0 * k, 300.0, 50.0, (9.0, 0.0, 0.0, 9.0, 0.0, 9.0)) for k in range(2)]
    places.append(Position(-500.0, 300.0, None, (9.0, 0.0, 9.0)))
    for second in range(4):
        scan = Scan("s", second * 10**9, None, tuple(Detection(place, 1.0) for place in places))
        told |= {track.track_number for track in tracker.apply(scan, scan.time_ns).tracks}
    assert told == {1, 2, 3}
