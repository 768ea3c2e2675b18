"""A sensor that is suddenly off is found by its own tracks, and what flies is not taken for it."""

from __future__ import annotations

import math
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

SIGMA_RAD, SIGMA_M, SIGMA_M_S = math.radians(1.0), 1.5, 0.3
LIMITS = ((-1.2, 1.2), (-0.3, 0.7), (3.0, 900.0))
RADAR = Sensor(
    "radar", (0.0, 0.0, 5.0), Orientation(0, 0, 0), Accuracy(SIGMA_RAD, SIGMA_RAD, SIGMA_M, SIGMA_M_S),
    coverage=Coverage(*LIMITS), detection_probability=DetectionProbability(0.9), false_alarms_per_scan=0.3,
)  # fmt: skip
LOOK = Look(Orientation(0, 0, 0), *LIMITS)
PERIOD_NS = 200_000_000


def flown(start_ns: int, off: Any, others: bool = False, seconds: float = 30.0, seed: int = 1) -> Tracker:
    """After a drone (and, for others, a second one) before a radar that is off by off(time_s): azimuth, range."""
    tracker, chance = Tracker([RADAR]), np.random.default_rng(seed)
    for k in range(int(seconds * 5)):
        time_s, found = k * 0.2, []
        places = [(20.0 * math.sin(0.3 * time_s), 140.0 + 20.0 * math.cos(0.3 * time_s), 30.0)]
        speeds = [(6.0 * math.cos(0.3 * time_s), -6.0 * math.sin(0.3 * time_s), 0.0)]
        if others:
            places.append((40.0 + 4.0 * time_s, 260.0, 40.0))
            speeds.append((4.0, 0.0, 0.0))
        for number, (place, speed) in enumerate(zip(places, speeds, strict=True)):
            away = np.array(place) - RADAR.position_enu_m
            r = float(np.linalg.norm(away))
            turned, farther = off(time_s) if number == 0 or off.__name__ != "only_one" else (0.0, 0.0)
            noise = chance.standard_normal(4)
            if chance.random() < 0.9:
                polar = Polar(
                    math.atan2(away[0], away[1]) + turned + SIGMA_RAD * noise[0], SIGMA_RAD,
                    math.asin(away[2] / r) + SIGMA_RAD * noise[1], SIGMA_RAD,
                    r + farther + SIGMA_M * noise[2], SIGMA_M,
                    float(np.dot(speed, away)) / r + SIGMA_M_S * noise[3], SIGMA_M_S,
                )  # fmt: skip
                found.append(Detection(polar, 0.9))
        at_ns = start_ns + k * PERIOD_NS
        tracker.apply(Scan("radar", at_ns, (LOOK,), tuple(found)), at_ns)
    return tracker


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
