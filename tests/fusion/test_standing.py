"""What glints in its place is told from what flies and what hovers, and from nothing where nothing can tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fusion import standing
from fusion.tracker import Tracker
from fusion.types import Detection, Look, Polar, Scan, Sensor


def test_trees_that_glint_in_most_scans_confirm_next_to_nothing(radar: Sensor, start_ns: int) -> None:
    """Six crowns, each seen in half of all scans from the first on, the range rates of leaves in the wind: half a minute."""
    told: set[int] = set()
    for seed in range(3):
        told |= {(seed, number) for number in numbers(radar, start_ns, glints(seed))}
    assert len(told) <= 9  # of 18


def test_what_a_slow_radar_sees_is_not_judged(radar: Sensor, start_ns: int) -> None:
    """Seen once a second, an object would wait for seconds."""
    tracker = Tracker([radar])
    for scan in range(10):
        tracker.apply(Scan("radar", start_ns + scan * 1_000_000_000, looked_by(radar), glint(0, scan)), start_ns * 2)
    table = tracker._table
    assert len(table) > 0
    assert not standing.probability(table, np.arange(len(table))).any()


@pytest.mark.parametrize("velocity_m_s", [(0.0, 0.0, 0.0), (4.0, 0.0, 0.0), (0.0, -5.0, 0.0), (3.0, 3.0, 1.0)])
def test_what_hovers_or_flies_is_confirmed_soon_and_stays(
    radar: Sensor, start_ns: int, world: Callable[..., Any], flying_object: type[Any], velocity_m_s: Any
) -> None:
    for seed in range(4):
        one = flying_object((-10.0, 70.0, 20.0), velocity_m_s)
        scans = world([one], {"radar": 10.0}, [radar], seed=seed).scans(9.0)
        tracker, confirmed = Tracker([radar]), []
        for scan in scans:
            tracker.apply(scan, scan.time_ns)
            confirmed.append(len(tracker.tracks_at(scan.time_ns)))
        assert min(confirmed[12:]) == max(confirmed[12:]) == 1, (seed, confirmed)


def test_students_t_of_one_degree_is_cauchys_and_of_many_the_normal() -> None:
    y, scale = np.array([0.0, 0.7, -3.0]), np.full(3, 4.0)
    cauchy = -np.log(math.pi * 2.0 * (1.0 + y**2 / 4.0))
    assert standing.student_log(y, np.ones(3), scale) == pytest.approx(cauchy)
    normal = standing.normal_log(y[:, None], scale[:, None])
    assert standing.student_log(y, np.full(3, 1e7), scale) == pytest.approx(normal, abs=1e-4)


def glints(seed: int) -> list[tuple[Detection, ...]]:
    return [glint(seed, scan) for scan in range(150)]


def glint(seed: int, scan: int) -> tuple[Detection, ...]:
    """Of crowns every 18 m along a line 80 m before the radar."""
    random, found = np.random.default_rng([seed, scan]), []
    for east_m in np.arange(-45.0, 46.0, 18.0).tolist():
        if random.random() < 0.5:
            noise = random.normal(0.0, (0.026, 0.035, 0.8))
            place = np.array([math.atan2(east_m, 80.0), 0.03, math.hypot(east_m, 80.0)]) + noise
            polar = Polar(place[0], 0.026, place[1], 0.035, place[2], 0.8, random.normal(0.0, 2.0), 0.3)
            found.append(Detection(polar, 0.8))
    return tuple(found)


def numbers(radar: Sensor, start_ns: int, scans: list[tuple[Detection, ...]]) -> set[int]:
    """Numbers told of, at five scans a second."""
    tracker, told = Tracker([radar]), set()
    for scan, found in enumerate(scans):
        update = tracker.apply(Scan("radar", start_ns + scan * 200_000_000, looked_by(radar), found), start_ns * 2)
        told |= {track.track_number for track in update.tracks}
    return told


def looked_by(radar: Sensor) -> tuple[Look, ...]:
    coverage = radar.coverage
    assert coverage is not None
    return (Look(radar.orientation, coverage.azimuth_rad, coverage.elevation_rad, coverage.slant_range_m),)
