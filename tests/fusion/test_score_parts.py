"""HOTA, IDF1 and GOSPA against their reference packages; bands, ranges, times and honesty against what is known."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import trackeval.metrics as metrics
from scipy.stats import binom, poisson

from fusion.detection_range import Chance, by_range, percentiles, rate_band, reach, reached_m, share_band
from fusion.error_range import PositionError, errors_by_range
from fusion.gospa import gospa, ospa
from fusion.honesty import consistency
from fusion.hota import Moment, hota, idf1, numbered, similarity
from fusion.scoring import Frame, Scorer


def a_run(seed: int, steps: int = 40) -> tuple[list[Moment], int, int]:
    """Objects that walk, tracks that follow, swap, drop out and start from nothing."""
    random = np.random.default_rng(seed)
    place = random.uniform(0, 60, (6, 2))
    known_objects: dict = {}
    known_tracks: dict = {}
    moments = []
    for step in range(steps):
        place = place + random.standard_normal((6, 2)) * 2
        there = np.flatnonzero(random.random(6) < 0.9)
        kept = there[random.random(len(there)) < 0.85]
        names = [f"{k}-{(step + 7 * k) // 15}" for k in kept]  # each object's track ends and begins anew
        points = place[kept] + random.standard_normal((len(kept), 2)) * 3
        if random.random() < 0.4:
            names.append(f"ghost{step // 5}")
            points = np.vstack([points, random.uniform(0, 60, 2)])
        objects, tracks = numbered(there.tolist(), known_objects), numbered(names, known_tracks)
        moments.append(Moment(objects, tracks, similarity(place[there], points.reshape(-1, 2), 15.0)))
    return moments, len(known_objects), len(known_tracks)


@pytest.mark.parametrize("seed", range(5))
def test_hota_and_idf1_equal_trackevals(seed: int) -> None:
    moments, objects, tracks = a_run(seed)
    data = {
        "num_gt_ids": objects,
        "num_tracker_ids": tracks,
        "num_gt_dets": sum(len(m.objects) for m in moments),
        "num_tracker_dets": sum(len(m.tracks) for m in moments),
        "gt_ids": [m.objects for m in moments],
        "tracker_ids": [m.tracks for m in moments],
        "similarity_scores": [m.similarity for m in moments],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        expected = metrics.HOTA().eval_sequence(data)
        identity = metrics.Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(data)
    found = hota(moments, objects, tracks)
    assert found is not None
    assert found.hota == pytest.approx(expected["HOTA"].mean(), abs=1e-6)
    assert found.detection == pytest.approx(expected["DetA"].mean(), abs=1e-6)
    assert found.association == pytest.approx(expected["AssA"].mean(), abs=1e-6)
    assert found.localisation == pytest.approx(expected["LocA"].mean(), abs=1e-6)
    assert 0.2 < found.hota < 0.9
    assert idf1(moments, objects, tracks, 0.5) == pytest.approx(identity["IDF1"], abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_gospa_and_ospa_equal_stone_soups(seed: int) -> None:
    metric = pytest.importorskip(
        "stonesoup.metricgenerator.ospametric", reason="no stonesoup; pip install -e '.[peers]'"
    )
    from stonesoup.types.state import State

    random = np.random.default_rng(seed)
    for n, m in ((0, 3), (4, 0), (5, 5), (7, 4), (3, 9)):
        truth, tracks = random.uniform(0, 60, (n, 3)), random.uniform(0, 60, (m, 3))
        ours = gospa(truth, tracks, 20.0)
        both = [[State(point.reshape(3, 1)) for point in points] for points in (tracks, truth)]  # it takes tracks first
        theirs = metric.GOSPAMetric(p=2, c=20.0).compute_gospa_metric(*both)[0].value
        assert ours.total**0.5 == pytest.approx(theirs["distance"], abs=1e-6)
        assert (ours.localisation, ours.missed, ours.false) == pytest.approx(
            (theirs["localisation"], theirs["missed"], theirs["false"]), abs=1e-6
        )
        whole = metric.OSPAMetric(p=2, c=20.0).compute_OSPA_distance(*both).value
        assert ospa(truth, tracks, 20.0) == pytest.approx(whole, abs=1e-6)


def test_perfect_tracks_have_hota_1_and_an_exchange_at_half_time_halves_association() -> None:
    both = np.array([0, 1])
    moments = [Moment(both, both, np.eye(2)) for _ in range(10)]
    found = hota(moments, 2, 2)
    assert found is not None
    assert found.hota == pytest.approx(1.0)
    swapped = moments[:5] + [Moment(both, both[::-1], np.eye(2)) for _ in range(5)]
    found = hota(swapped, 2, 2)
    assert found is not None
    assert found.detection == pytest.approx(1.0)
    assert found.association == pytest.approx(1 / 3)  # 5 moments together of 15 of either
    assert idf1(swapped, 2, 2) == pytest.approx(0.5)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (45, 50)])
def test_share_bands_leave_a_fortieth_on_either_side(hits: int, trials: int) -> None:
    low, high = share_band(hits, trials)
    assert low == 0.0 if hits == 0 else binom.sf(hits - 1, trials, low) == pytest.approx(0.025)
    assert high == 1.0 if hits == trials else binom.cdf(hits, trials, high) == pytest.approx(0.025)


def test_no_event_in_a_day_still_allows_three_point_seven_a_day() -> None:
    assert rate_band(0, 1.0) == pytest.approx((0.0, 3.689), abs=1e-3)
    low, high = rate_band(4, 2.0)
    assert poisson.sf(3, low * 2.0) == pytest.approx(0.025)
    assert poisson.cdf(4, high * 2.0) == pytest.approx(0.025)


def test_detection_by_range_is_told_apart_by_sensor_class_and_condition_and_ends_at_a_gap() -> None:
    chances = [Chance("cam", "drone", "day", 50.0, True)] * 20
    chances += [Chance("cam", "drone", "day", 150.0, k > 0) for k in range(20)]
    chances += [Chance("cam", "drone", "day", 350.0, True)] * 20  # nothing flew between 200 and 300 m
    chances += [Chance("cam", "drone", "night", 50.0, False)] * 5
    bins = by_range(chances)
    day = [each for each in bins if each.condition == "day"]
    assert [(each.from_m, each.looks, each.detected) for each in day] == [(0, 20, 20), (100, 20, 19), (300, 20, 20)]
    assert reached_m(day) == 200.0
    assert reached_m([each for each in bins if each.condition == "night"]) is None
    assert day[1].low < 0.95 < day[1].high


def test_a_reach_is_sure_only_where_enough_looks_say_so_and_open_where_looks_end() -> None:
    chances = [Chance("cam", "drone", "day", 50.0, True)] * 36  # 0.025^(1/36) = 0.903; of 35 it would be 0.9
    chances += [Chance("cam", "drone", "day", 150.0, True)] * 35
    chances += [Chance("cam", "drone", "day", 250.0, k < 8) for k in range(10)]
    found = reach(by_range(chances))
    assert found is not None
    assert (found.sure_m, found.estimate_m, found.possible_m, found.looked_to_m) == (100.0, 200.0, 300.0, 300.0)
    assert reach([]) is None
    nowhere = reach(by_range([Chance("cam", "drone", "day", 250.0, False)] * 50))
    assert nowhere is not None
    assert (nowhere.nearest_m, nowhere.estimate_m, nowhere.possible_m) == (200.0, None, None)


def test_position_errors_are_told_by_range_beside_what_was_claimed() -> None:
    errors = [PositionError(50.0, 3.0, 27.0), PositionError(80.0, 5.0, 27.0), PositionError(150.0, 4.0, None)]
    near, far = errors_by_range(errors)
    assert (near.from_m, near.to_m, near.count, near.median_m) == (0.0, 100.0, 2, 4.0)
    assert near.rms_m == pytest.approx(17.0**0.5)
    assert near.claimed_m == pytest.approx(27.0**0.5)
    assert (far.count, far.claimed_m) == (1, None)


def test_percentiles_of_nothing_are_not_zero() -> None:
    assert percentiles([]) is None
    assert percentiles(range(101)) == pytest.approx((50.0, 95.0, 99.0))


def approach(tracked_from_s: int, called: str = "drone") -> Scorer:
    """A drone flies north to south over the origin at 10 m/s from 500 m; a track has it from a time on."""
    scorer = Scorer(20.0, line_radius_m=200.0)
    for time_s in range(60):
        truth = np.array([[0.0, 500.0 - 10.0 * time_s, 50.0, 0.0, -10.0, 0.0]])
        has = time_s >= tracked_from_s
        tracks = truth[:, :3] + [3.0, 0.0, 0.0] if has else np.zeros((0, 3))
        extra = [np.eye(3) * 9.0] if has else []
        scorer.add(
            Frame(time_s, ["d"], truth, [7] if has else [], tracks, [None] * has, extra, ["drone"], [called] * has)
        )
    return scorer


def test_warning_counts_from_the_first_track_to_the_line() -> None:
    score = approach(12).score()
    assert score.warning is not None
    assert score.warning.median_s == pytest.approx(18.0)  # 200 m is reached at 30 s
    assert score.time_to_track.median_s == pytest.approx(12.0)
    assert score.time_to_class is not None
    assert score.time_to_class.median_s == pytest.approx(12.0)
    late = approach(45).score()
    assert late.warning is not None
    assert (late.warning.median_s, late.warning.never) == (None, 1)
    mistaken = approach(12, "bird").score()
    assert mistaken.time_to_class is not None
    assert mistaken.time_to_class.never == 1


def test_a_track_that_never_had_an_object_is_false_and_an_alert_only_if_called_a_drone() -> None:
    scorer = Scorer(20.0)
    for time_s in range(36):
        truth = np.array([[0.0, 0, 50, 0, 0, 0]])
        tracks = np.array([[0.0, 0, 50], [900, 0, 50], [0, 900, 50]])
        words = ["drone", "drone", "bird"]
        scorer.add(Frame(time_s, ["d"], truth, [1, 2, 3], tracks, [None] * 3, [None] * 3, ["drone"], words))
    score = scorer.score()
    assert (score.false_tracks_per_h.count, score.false_tracks_per_h.rate) == (2, pytest.approx(200.0))
    assert score.false_alerts_per_day is not None
    assert (score.false_alerts_per_day.count, score.false_alerts_per_day.rate) == (1, pytest.approx(2400.0))


def test_errors_beyond_the_cut_off_still_count_as_dishonest() -> None:
    """A track drifts 60 m off while claiming 2 m: paired within c of 20 m it would look honest."""
    random = np.random.default_rng(3)
    scorer = Scorer(20.0)
    for time_s in range(100):
        truth = np.array([[0.0, 0, 50, 0, 0, 0]])
        drift = 60.0 if time_s >= 80 else 0.0
        tracks = truth[:, :3] + random.standard_normal(3) * 2.0 + [drift, 0, 0]
        scorer.add(Frame(time_s, ["d"], truth, [1], tracks, [None], [np.eye(3) * 4.0]))
    score = scorer.score()
    assert score.nees_per_dim == pytest.approx(1.0, abs=0.25)
    assert score.nees_by_identity is not None
    assert score.nees_by_identity.per_dim > 50.0


def test_honest_squares_lie_a_twentieth_above_their_quantile() -> None:
    squares = np.random.default_rng(1).chisquare(3, 20_000).tolist()
    found = consistency(squares, 3)
    assert found is not None
    assert found.per_dim == pytest.approx(1.0, abs=0.02)
    assert found.above_95 == pytest.approx(0.05, abs=0.006)
    assert consistency([], 3) is None
