from __future__ import annotations

import numpy as np
import pytest

from fusion import pairing
from fusion.clutter_map import FADE_S, ClutterMap
from fusion.measurement import AZIMUTH, EAST, ELEVATION, NORTH, RANGE_RATE, SLANT_RANGE, Plots
from fusion.scan_in_hand import take_in_hand
from fusion.sensor_rates import FADE, Newcomers
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
    Scan,
    Sensor,
)

SECOND_NS = 1_000_000_000
HERE, ELSEWHERE = (50.0, 80.0), (-50.0, 80.0)


def plots(*points: tuple[float, float]) -> Plots:
    return Plots((EAST, NORTH), np.array(points), np.tile(np.eye(2), (len(points), 1, 1)), np.arange(len(points)))


LONG_AGO_NS = -3600 * SECOND_NS


def test_one_thing_that_came_to_nothing_may_be_chance_and_the_second_in_its_place_is_not() -> None:
    places = ClutterMap()
    found = []
    for second in range(3):
        places.note([((0, (EAST, NORTH), HERE), 1.0)], second * SECOND_NS)
        found.append(places.density(0, plots(HERE, ELSEWHERE), 3 * SECOND_NS, 0, 1.0))
    assert found[1][0] == pytest.approx(11.0 * found[0][0], rel=0.02)
    assert found[2][0] == pytest.approx(21.0 * found[0][0], rel=0.02)
    assert all(one[1] < 1e-12 for one in found)
    assert not places.density(1, plots(HERE), 3 * SECOND_NS, 0, 1.0).any()  # of another sensor nothing is known


def test_places_fade_and_a_copy_is_independent() -> None:
    places = ClutterMap()
    for _ in range(2):
        places.note([((0, (EAST, NORTH), HERE), 1.0)], 0)
    copy = places.copy()
    copy.note([((0, (EAST, NORTH), HERE), 1.0)], 0)
    fresh = places.density(0, plots(HERE), 0, LONG_AGO_NS, 1.0)[0]
    faded = places.density(0, plots(HERE), round(FADE_S * SECOND_NS), LONG_AGO_NS, 1.0)[0]
    assert faded == pytest.approx(fresh / np.e, rel=1e-4)
    assert copy.density(0, plots(HERE), 0, LONG_AGO_NS, 1.0)[0] > 1.5 * fresh


@pytest.mark.parametrize("side_m", [4.0, 16.0, 64.0])
def test_the_density_is_that_of_the_neighbourhood_however_wide_that_is(side_m: float) -> None:
    """Three false alarms a scan, even in a square of that side; in its middle, for five minutes."""
    random, places = np.random.default_rng(4), ClutterMap()
    for second in range(300):
        for point in random.uniform(-0.5 * side_m, 0.5 * side_m, (3, 2)).tolist():
            places.note([((0, (EAST, NORTH), tuple(point)), 1.0)], second * SECOND_NS)
    found = places.density(0, plots((0.0, 0.0), (0.2 * side_m, 0.1 * side_m)), 300 * SECOND_NS, 0, 1.0)
    share = found * side_m**2 / 3.0
    assert share.min() > 0.5
    assert share.max() < 3.5  # it is the thickest of five neighbourhoods, and few lie in one


def test_what_glints_at_one_rate_has_one_density_from_early_on() -> None:
    """One glint in five scans of a second each."""
    places, found = ClutterMap(), []
    for second in range(1, 301):
        if second % 5 == 0:
            places.note([((0, (EAST, NORTH), HERE), 1.0)], second * SECOND_NS)
        found.append(places.density(0, plots(HERE), second * SECOND_NS, 0, 1.0)[0])
    assert found[40 - 1] == pytest.approx(found[-1], rel=0.5)


def test_a_range_rate_unlike_those_of_the_place_is_no_false_alarm_of_it() -> None:
    """A mast's glints stand still; what flies by has ten metres a second."""
    components, R = (AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE), np.diag([1e-4, 1e-4, 1.0, 0.09])
    places = ClutterMap()
    for second in range(20):
        places.note([((0, components, (0.3, 0.1, 100.0, 0.1)), 1.0)], second * SECOND_NS)
    z = np.array([[0.3, 0.1, 100.0, 0.0], [0.3, 0.1, 100.0, 10.0]])
    stands, flies = places.density(0, Plots(components, z, np.tile(R, (2, 1, 1)), np.arange(2)), 20 * SECOND_NS, 0, 1.0)
    assert flies < 1e-3 * stands


def test_rain_near_the_radar_confirms_next_to_nothing(radar: Sensor, start_ns: int) -> None:
    """Half a drop in each of two scans a second, even in the volume within 40 m, its speed that of gusts: two minutes."""
    random, tracker, told = np.random.default_rng(2), Tracker([radar]), set()
    look = looked_by(radar)
    for scan in range(240):
        found = []
        for _ in range(random.poisson(0.6)):
            azimuth, elevation, share = random.uniform((-1.0, -0.2, 0.0), (1.0, 0.6, 1.0))
            polar = Polar(azimuth, 0.02, elevation, 0.03, 40.0 * share ** (1 / 3), 1.0, random.normal(0.0, 6.0), 0.3)
            found.append(Detection(polar, 0.8))
        update = tracker.apply(Scan("radar", start_ns + scan * 500_000_000, look, tuple(found)), start_ns * 2)
        told |= {track.track_number for track in update.tracks}
    assert len(told) <= 1  # 9 where places alone are learned


def test_false_alarms_that_lie_everywhere_count_once(start_ns: int) -> None:
    """Ten a scan as declared, anywhere within 170 m, for a minute: neither in their places too, nor left out where a track
    that one of them began takes another."""
    random, radius_m = np.random.default_rng(4), 170.0
    level = Orientation(0.0, 0.0, 0.0)
    coverage = Coverage((-np.pi, np.pi), (-np.pi / 2.0, np.pi / 2.0), (0.0, radius_m))
    sensor = Sensor(
        "sensor", (0.0, 0.0, 0.0), level, Accuracy(slant_range_m=1.0), coverage=coverage, false_alarms_per_scan=10.0,
        detection_probability=DetectionProbability(constant=0.9, night="same"),
    )  # fmt: skip
    tracker, ratios = Tracker([sensor]), []
    look = (Look(level, (-np.pi, np.pi), (-np.pi, np.pi), (0.0, 1e4)),)
    for second in range(60):
        turn, distance = 2.0 * np.pi * random.random(10), radius_m * np.sqrt(random.random(10))
        places = zip((distance * np.sin(turn)).tolist(), (distance * np.cos(turn)).tolist(), strict=True)
        found = tuple(Detection(Position(e, n, None, (1.0, 0.0, 1.0)), 1.0) for e, n in places)
        scan = Scan("sensor", start_ns + second * SECOND_NS, look, found)
        tracker.apply(scan, scan.time_ns)
        table = tracker._table
        hand = take_in_hand(scan, sensor, 0, None, tracker._rules, table.registration, table.noise)
        ratios.append(pairing.alarm_density(table, hand, hand.plots[0]) / (10.0 / (np.pi * radius_m**2)))
    assert np.median(ratios[30:]) == pytest.approx(1.0, abs=0.15)  # 0.7 where what tentative tracks take is none


def test_what_many_believed_tracks_take_is_no_false_alarm(start_ns: int) -> None:
    """Fifty that stand there; each is believed to 0.995 at the most, and there are no other detections."""
    level = Orientation(0.0, 0.0, 0.0)
    known = DetectionProbability(constant=0.9, night="same")
    sensor = Sensor("sensor", (0.0, 0.0, 0.0), level, Accuracy(slant_range_m=1.0), detection_probability=known)
    look, tracker, alarms = (Look(level, (-np.pi, np.pi), (-np.pi, np.pi), (0.0, 1e4)),), Tracker([sensor]), []
    for second in range(20):
        found = [Detection(Position(50.0 * k, 80.0, 30.0, (1.0, 0.0, 0.0, 1.0, 0.0, 1.0)), 1.0) for k in range(50)]
        tracker.apply(Scan("sensor", start_ns + second * SECOND_NS, look, tuple(found)), start_ns + second * SECOND_NS)
        alarms.append(float(tracker._table.learned._unexplained[0]))
    assert alarms[-1] == pytest.approx(alarms[-2] * FADE, abs=1e-3)  # 0.25 more, one in four scans


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
