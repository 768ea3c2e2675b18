from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from fusion import crowds
from fusion.tracker import Tracker
from fusion.types import Accuracy, Detection, DetectionProbability, Orientation, Position, Scan, Sensor


def by_enumeration(
    row: np.ndarray, column: np.ndarray, weight: np.ndarray, missed: np.ndarray, unknown: float = 0.0
) -> np.ndarray:
    """q of all pairs by adding up every way in which no detection has two tracks and no track two detections."""
    total, q = 0.0, np.zeros(len(row))
    nobodys = 1.0 + unknown * np.bincount(column, weight)  # a false alarm's, or that of an object without a track
    options = [[None, *np.flatnonzero(row == one).tolist()] for one in range(int(row.max()) + 1)]
    for event in itertools.product(*options):
        taken = [pair for pair in event if pair is not None]
        if len({int(column[pair]) for pair in taken}) < len(taken):
            continue
        chance = np.prod([missed[np.flatnonzero(row == one)[0]] for one, pair in enumerate(event) if pair is None])
        chance *= np.prod(weight[taken]) * np.prod(np.delete(nobodys, column[taken]))
        total += chance
        q[taken] += chance
    return q / total


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.0, crowds.UNKNOWN, 2.0]))
def test_without_loops_the_probabilities_are_exact(seed: int, count: int, unknown: float) -> None:
    """A chain: track k may have detection k or k + 1."""
    random = np.random.default_rng(seed)
    row = np.repeat(np.arange(count), 2)
    column = row + np.tile([0, 1], count)
    weight, missed = random.lognormal(0.0, 2.0, 2 * count), np.repeat(random.uniform(0.05, 1.0, count), 2)
    exact = by_enumeration(row, column, weight, missed, unknown)
    assert crowds.probabilities(row, column, weight, missed, unknown) == pytest.approx(exact, abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_with_loops_no_track_and_no_detection_is_given_more_than_once(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    row, column = (part.ravel() for part in np.indices((count, count)))
    missed = np.repeat(random.uniform(0.05, 1.0, count), count)
    q = crowds.probabilities(row, column, random.lognormal(0.0, 3.0, count**2), missed)
    assert np.bincount(row, q).max() <= 1.0 + 1e-9
    assert np.bincount(column, q).max() <= 1.0 + 1e-2
    assert q.min() >= 0.0


def test_a_few_are_assigned_outright_and_a_crowd_is_not() -> None:
    for count in (2, crowds.CROWD - 1, crowds.CROWD, 20):
        row, column = (part.ravel() for part in np.indices((count, count)))
        chosen = np.flatnonzero(row == column)
        share = crowds.shares(row, column, np.ones(count**2), np.full(count**2, 0.1), chosen)
        if count < crowds.CROWD:
            assert share.tolist() == (row == column).tolist()
        else:
            assert share == pytest.approx(share[0])


def test_a_mixture_has_the_mean_and_covariance_of_its_sample() -> None:
    random = np.random.default_rng(3)
    x, root = random.normal(0.0, 5.0, (3, 6)), random.normal(0.0, 1.0, (3, 6, 6))
    weight = np.array([0.2, 0.5, 0.3])
    mean, spread = crowds.mixture(np.zeros(3, dtype=np.int64), 1, weight, x, root @ root.transpose(0, 2, 1))
    of = random.choice(3, 200_000, p=weight)
    sample = x[of] + (root[of] @ random.normal(0.0, 1.0, (len(of), 6, 1)))[:, :, 0]
    assert mean[0] == pytest.approx(sample.mean(axis=0), abs=0.1)
    assert spread[0] == pytest.approx(np.cov(sample.T), abs=0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_sharpened_shares_lean_towards_the_likeliest_and_leave_the_rest_to_the_miss(seed: int, count: int) -> None:
    q = np.random.default_rng(seed).dirichlet(np.ones(count + 1))
    row = np.zeros(count, dtype=np.int64)
    sharp = crowds.sharpened(row, q[:count], 2.0)
    whole = np.append(sharp, 1.0 - sharp.sum())
    assert crowds.sharpened(row, q[:count], 1.0).tolist() == q[:count].tolist()
    assert whole.max() >= q.max() - 1e-12
    assert whole.argsort().tolist() == q.argsort().tolist()


def test_one_track_among_many_detections_is_not_sure_of_any() -> None:
    """A report tells of an object to 5 m; in the camera's next frame six objects stand there, and one of them is it."""
    row, column = np.zeros(crowds.CROWD, dtype=np.int64), np.arange(crowds.CROWD)
    share = crowds.shares(row, column, np.full(crowds.CROWD, 1e4), np.full(crowds.CROWD, 0.3), np.array([2]))
    assert share == pytest.approx(1.0 / crowds.CROWD, abs=0.02)


def swarm_errors(seed: int) -> np.ndarray:
    """Squared errors over claimed ones, per dimension, of 16 hovering objects 8 m apart that a 6 m sensor sees."""
    random = np.random.default_rng(seed)
    sensor = Sensor(
        "sensor", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy(), false_alarms_per_scan=0.5,
        detection_probability=DetectionProbability(constant=0.9),
    )  # fmt: skip
    places = np.stack([*np.divmod(np.arange(16), 4), np.zeros(16)], axis=1) * 8.0 + np.array([200.0, 300.0, 60.0])
    tracker, errors = Tracker([sensor]), []
    for second in range(60):
        seen = places[random.random(16) < 0.9]
        points = seen + random.normal(0.0, 6.0, seen.shape)
        detections = tuple(Detection(Position(*point, (36.0, 0.0, 0.0, 36.0, 0.0, 36.0)), 1.0) for point in points)
        tracker.apply(Scan("sensor", second * 10**9, None, detections), second * 10**9)
        tracks = tracker.tracks_at(second * 10**9)
        if second >= 20 and tracks:
            apart = places[None] - np.array([track.state[:3] for track in tracks])[:, None]
            P = np.array([track.covariance[:3, :3] for track in tracks])
            one, other = linear_sum_assignment((apart**2).sum(axis=2))
            d = apart[one, other]
            errors.extend((d * np.linalg.solve(P[one], d[:, :, None])[:, :, 0]).sum(axis=1) / 3.0)
    return np.array(errors)


def test_a_swarms_tracks_know_how_little_they_know() -> None:
    errors = np.concatenate([swarm_errors(seed) for seed in range(3)])
    assert len(errors) > 1500
    assert 0.2 < errors.mean() < 1.0  # assigned outright they err by more than they claim: 1.17
