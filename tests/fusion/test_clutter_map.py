from __future__ import annotations

import numpy as np
import pytest

from fusion.clutter_map import FADE_S, ClutterMap
from fusion.measurement import EAST, NORTH, Plots
from fusion.sensor_rates import Newcomers
from fusion.tracker import Tracker
from fusion.types import Detection, Look, Polar, Scan, Sensor

SECOND_NS = 1_000_000_000
HERE, ELSEWHERE = (50.0, 80.0), (-50.0, 80.0)


def plots(*points: tuple[float, float]) -> Plots:
    return Plots((EAST, NORTH), np.array(points), np.tile(np.eye(2), (len(points), 1, 1)), np.arange(len(points)))


def test_one_thing_that_came_to_nothing_may_be_chance_and_the_second_in_its_place_is_not() -> None:
    places = ClutterMap()
    found = []
    for second in range(3):
        places.note((0, (EAST, NORTH), HERE), 1.0, second * SECOND_NS)
        found.append(places.density(0, plots(HERE, ELSEWHERE), 3 * SECOND_NS, 1.0))
    assert found[1][0] == pytest.approx(11.0 * found[0][0], rel=0.02)
    assert found[2][0] == pytest.approx(21.0 * found[0][0], rel=0.02)
    assert all(one[1] < 1e-12 for one in found)
    assert not places.density(1, plots(HERE), 3 * SECOND_NS, 1.0).any()  # of another sensor nothing is known


def test_places_fade_and_a_copy_is_independent() -> None:
    places = ClutterMap()
    for _ in range(2):
        places.note((0, (EAST, NORTH), HERE), 1.0, 0)
    copy = places.copy()
    copy.note((0, (EAST, NORTH), HERE), 1.0, 0)
    fresh = places.density(0, plots(HERE), 0, 1.0)[0]
    assert places.density(0, plots(HERE), round(FADE_S * SECOND_NS), 1.0)[0] == pytest.approx(fresh / np.e)
    assert copy.density(0, plots(HERE), 0, 1.0)[0] > 1.5 * fresh


def test_a_buoy_that_glints_again_and_again_is_confirmed_more_seldom(radar: Sensor, start_ns: int) -> None:
    """Glints of 1 in 20 scans at one place, ten scans a second, for two minutes; the rate everywhere is as declared."""

    def confirmed(is_one_place: bool, seed: int) -> int:
        random, tracker, told = np.random.default_rng(seed), Tracker([radar]), set()
        look = looked_by(radar)
        for scan in range(1200):
            found = []
            if random.random() < 0.05:
                azimuth, slant_range_m = (0.3, 60.0) if is_one_place else random.uniform((-0.9, 30.0), (0.9, 110.0))
                azimuth, slant_range_m = random.normal((azimuth, slant_range_m), (0.02, 0.5))
                polar = Polar(azimuth, 0.026, 0.05, 0.035, slant_range_m, 0.8, random.normal(0.0, 0.2), 0.3)
                found = [Detection(polar, 0.8)]
            told_now = tracker.apply(Scan("radar", start_ns + scan * 100_000_000, look, tuple(found)), start_ns * 2)
            told |= {track.track_number for track in told_now.tracks}
        return len(told)

    in_place = [confirmed(True, seed) for seed in range(2)]
    assert sum(in_place) <= 4, in_place  # 12 and more where places are not learned
    assert confirmed(False, 1) <= 1


def looked_by(radar: Sensor) -> tuple[Look, ...]:
    coverage = radar.coverage
    assert coverage is not None
    return (Look(radar.orientation, coverage.azimuth_rad, coverage.elevation_rad, coverage.slant_range_m),)


def test_a_quiet_sky_lets_expect_fewer_newcomers_and_a_busy_one_more() -> None:
    newcomers = Newcomers()
    assert newcomers.per_s(0.05) == pytest.approx(0.05)
    newcomers.pass_time(60.0)
    quiet = newcomers.per_s(0.05)
    assert quiet < 0.05 / 3
    busy = newcomers.copy()
    busy.note(12.0)
    assert busy.per_s(0.05) > 10 * quiet
    assert newcomers.per_s(0.05) == quiet
