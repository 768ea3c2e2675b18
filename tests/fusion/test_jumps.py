"""A sensor that is suddenly off is found by its own tracks, and what flies is not taken for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
)

pytestmark = pytest.mark.filterwarnings("error")  # an uncertainty that is none, as the root of less than nothing

SIGMA_RAD, SIGMA_M, SIGMA_M_S = math.radians(1.0), 1.5, 0.3
LIMITS = ((-1.2, 1.2), (-0.3, 0.7), (3.0, 900.0))
RADAR = Sensor(
    "radar", (0.0, 0.0, 5.0), Orientation(0, 0, 0), Accuracy(SIGMA_RAD, SIGMA_RAD, SIGMA_M, SIGMA_M_S),
    coverage=Coverage(*LIMITS), detection_probability=DetectionProbability(0.9), false_alarms_per_scan=0.3,
)  # fmt: skip
SECOND = replace(RADAR, sensor_id="second", position_enu_m=(60.0, 0.0, 5.0))
CAMERA = Sensor(
    "camera", (5.0, 0.0, 5.0), Orientation(0, 0, 0), Accuracy(0.002, 0.002),
    coverage=Coverage(*LIMITS), detection_probability=DetectionProbability(0.9), false_alarms_per_scan=0.3,
)  # fmt: skip
FLAT = replace(RADAR, accuracy=Accuracy(SIGMA_RAD, None, SIGMA_M, None))  # of azimuth and range alone
LOOK = Look(Orientation(0, 0, 0), *LIMITS)


def flown(
    start_ns: int, off: Any, others: bool = False, seconds: float = 30.0, seed: int = 1, period_s: float = 0.2
) -> Tracker:
    """After a drone (and, for others, a second one) before a radar that is off by off(time_s): azimuth, range."""
    tracker, chance = Tracker([RADAR]), np.random.default_rng(seed)
    for k in range(int(seconds / period_s)):
        time_s, found = k * period_s, []
        places = [(20.0 * math.sin(0.3 * time_s), 140.0 + 20.0 * math.cos(0.3 * time_s), 30.0)]
        speeds = [(6.0 * math.cos(0.3 * time_s), -6.0 * math.sin(0.3 * time_s), 0.0)]
        if others:
            places.append((40.0 + 4.0 * time_s, 260.0, 40.0))
            speeds.append((4.0, 0.0, 0.0))
        for number, (place, speed) in enumerate(zip(places, speeds, strict=True)):
            shift = off(time_s) if number == 0 or off.__name__ != "only_one" else (0.0, 0.0)
            found += seen(RADAR, chance, place, speed, shift)
        at_ns = start_ns + round(time_s * 1e9)
        tracker.apply(Scan("radar", at_ns, (LOOK,), tuple(found)), at_ns)
    return tracker


def seen(
    sensor: Sensor, chance: np.random.Generator, place: Any, speed: Any, shift: tuple[float, float] = (0.0, 0.0)
) -> list[Detection]:
    """What a sensor sees of one object, nine times of ten; what it does not measure is left out."""
    away, noise, accuracy = np.array(place) - sensor.position_enu_m, chance.standard_normal(4), sensor.accuracy
    r = float(np.linalg.norm(away))
    if chance.random() >= 0.9:
        return []
    sigmas = (accuracy.azimuth_rad, accuracy.elevation_rad, accuracy.slant_range_m, accuracy.range_rate_m_s)
    true = (
        math.atan2(away[0], away[1]) + shift[0], math.asin(away[2] / r), r + shift[1], float(np.dot(speed, away)) / r
    )  # fmt: skip
    numbers: list[Any] = []
    for value, sigma, one in zip(true, sigmas, noise.tolist(), strict=True):
        numbers += (None, None) if sigma is None else (value + sigma * one, sigma)
    return [Detection(Polar(*numbers), 0.9)]


def turned(time_s: float) -> tuple[float, float]:
    return (math.radians(12.0) if time_s > 15.0 else 0.0), 0.0


def longer(time_s: float) -> tuple[float, float]:
    return 0.0, 60.0 if time_s > 15.0 else 0.0


def longer_for_a_while(time_s: float) -> tuple[float, float]:
    return 0.0, 60.0 if 10.0 < time_s < 20.0 else 0.0


def only_one(time_s: float) -> tuple[float, float]:
    return longer(time_s)


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize(
    ("off", "component", "size", "slack"),
    [(turned, "azimuth", math.radians(12.0), 0.05), (longer, "slant range", 60.0, 4.0)],
)
def test_a_radar_that_is_hit_or_lies_from_one_look_to_the_next_is_found_and_its_tracks_stay(
    start_ns: int, off: Any, component: str, size: float, slack: float, others: bool
) -> None:
    tracker = flown(start_ns, off, others)
    (jump,) = tracker.jumps()
    assert (jump.sensor_id, jump.component) == ("radar", component)
    assert jump.size == pytest.approx(size, abs=slack)
    assert (jump.since_ns - start_ns) / 1e9 == pytest.approx(15.0, abs=0.9)
    tracks = tracker.tracks_at(start_ns + 30 * 10**9)
    assert len(tracks) == 1 + others
    assert max(track.track_number for track in tracks) <= 4
    assert min(np.hypot(track.state[0] - 8.2, track.state[1] - 121.8) for track in tracks) < 12.0


def test_what_comes_back_is_well_again(start_ns: int) -> None:
    assert flown(start_ns, longer_for_a_while, seconds=15.0).jumps()
    assert flown(start_ns, longer_for_a_while).jumps() == ()


def test_one_track_that_ends_where_another_begins_is_no_jump_while_a_third_lives_on(start_ns: int) -> None:
    assert flown(start_ns, only_one, others=True).jumps() == ()


@pytest.mark.parametrize("off", [turned, longer])
def test_a_radar_that_looks_twice_a_second_is_found_as_well(start_ns: int, off: Any) -> None:
    """The track that it lost is held against the new one's first sight, before its own uncertainty has grown."""
    assert [len(flown(start_ns, off, seed=seed, period_s=0.5, seconds=25.0).jumps()) for seed in (1, 2, 3)] == [1, 1, 1]


Seen = Callable[[str, float], list[int]]  # which of the drones a sensor sees at a time, s
RING = ((0.0, 0.0), (0.5, 0.0), (-0.35, 0.0), (0.15, 0.0))  # azimuth of drones, each on the ring of 150 m or so


def ring(
    start_ns: int, sensors: Sequence[Sensor], sees: Seen, shift: float = 0.0, seconds: float = 25.0, seed: int = 1
) -> Tracker:
    """After drones that fly outward, 12 m/s; the first sensor turned by `shift` since 15 s."""
    tracker, chance = Tracker(sensors), np.random.default_rng(seed)
    for k in range(int(seconds * 5)):
        time_s = k * 0.2
        for late, sensor in enumerate(sensors):
            found = []
            for number in sees(sensor.sensor_id, time_s):
                azimuth, farther = RING[number][0], 40.0 * (number >= 2)
                unit = np.array([math.sin(azimuth), math.cos(azimuth), 0.25])
                off = (shift if late == 0 and time_s > 15.0 else 0.0, 0.0)
                found += seen(sensor, chance, unit * (120.0 + farther + 3.0 * time_s), 3.0 * unit, off)
            at_ns = start_ns + k * 200_000_000 + late * 20_000_000
            tracker.apply(Scan(sensor.sensor_id, at_ns, (LOOK,), tuple(found)), at_ns)
    return tracker


def one_goes_another_comes(sensor_id: str, time_s: float) -> list[int]:
    return [0] if time_s < 15.0 else [1]


@pytest.mark.parametrize("other", [SECOND, CAMERA])
def test_a_second_drone_that_another_sensor_sees_too_is_no_jump(start_ns: int, other: Sensor) -> None:
    assert ring(start_ns, [RADAR], one_goes_another_comes).jumps()  # alone it cannot be told apart
    assert [ring(start_ns, [RADAR, other], one_goes_another_comes, seed=seed).jumps() for seed in (1, 2, 3)] == [()] * 3


def test_what_another_sensor_has_lost_as_well_has_gone_and_has_not_jumped(start_ns: int) -> None:
    """The second radar sees nothing of what comes then: it may lie behind a house."""

    def sees(sensor_id: str, time_s: float) -> list[int]:
        return [] if sensor_id == "second" and time_s > 15.0 else one_goes_another_comes(sensor_id, time_s)

    assert ring(start_ns, [RADAR, SECOND], sees, seconds=20.0).jumps() == ()


def test_what_another_sensor_sees_at_its_place_is_real_though_it_never_saw_what_went(start_ns: int) -> None:
    def sees(sensor_id: str, time_s: float) -> list[int]:
        return [] if sensor_id == "second" and time_s < 15.0 else one_goes_another_comes(sensor_id, time_s)

    assert [ring(start_ns, [RADAR, SECOND], sees, seconds=16.6, seed=seed).jumps() for seed in (2, 3)] == [()] * 2


def test_a_radar_that_jumps_beside_one_that_does_not_is_found(start_ns: int) -> None:
    (jump,) = ring(start_ns, [RADAR, SECOND], lambda *_: [0], math.radians(12.0)).jumps()
    assert jump.sensor_id == "radar"
    assert jump.size == pytest.approx(math.radians(12.0), abs=0.05)


def test_a_jump_that_another_radar_speaks_against_later_is_withdrawn(start_ns: int) -> None:
    def sees(sensor_id: str, time_s: float) -> list[int]:
        return [] if sensor_id == "second" and time_s < 20.0 else one_goes_another_comes(sensor_id, time_s)

    assert ring(start_ns, [RADAR, SECOND], sees, seconds=19.0).jumps()
    tracker = ring(start_ns, [RADAR, SECOND], sees, seconds=32.0)
    assert tracker.jumps() == ()
    (track,) = tracker.tracks_at(start_ns + 32 * 10**9)
    assert math.atan2(track.state[0], track.state[1]) == pytest.approx(0.5, abs=0.03)


def test_one_number_alone_makes_no_jump_but_two_tracks_that_go_the_same_way_do(start_ns: int) -> None:
    assert ring(start_ns, [FLAT], one_goes_another_comes).jumps() == ()
    (jump,) = ring(start_ns, [FLAT], lambda *_: [0, 2], math.radians(12.0)).jumps()
    assert jump.size == pytest.approx(math.radians(12.0), abs=0.05)


def test_what_comes_while_a_radar_jumps_keeps_its_track_and_is_set_right(start_ns: int) -> None:
    tracker = ring(start_ns, [RADAR], lambda _, time_s: [0] if time_s < 15.0 else [0, 3], math.radians(12.0), 16.4)
    assert tracker.jumps()
    azimuths = sorted(math.atan2(t.state[0], t.state[1]) for t in tracker.tracks_at(start_ns + round(16.4e9)))
    assert azimuths == pytest.approx([0.0, RING[3][0]], abs=0.05)
