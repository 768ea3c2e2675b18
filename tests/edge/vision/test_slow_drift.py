"""A scene that drifts is told from sway, from a knock, and from a mount that creeps by less than anything can show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.vision.slow_drift import FIRST_S, SlowDrift

SWAY_RAD = math.radians(0.25)
HOUR_S = 3600.0
STEP_S = 2.0  # a look a swing


def turns(until_s: float, sway_rad: float, seed: int, drift_deg_h: float = 0.0) -> list[tuple[float, np.ndarray]]:
    """Turns, each swing by itself, of a scene that drifts to the right."""
    times_s = np.arange(0.0, until_s, STEP_S / 2.0)
    swings = sway_rad * np.random.default_rng(seed).standard_normal((len(times_s) // 2 + 1, 3))
    drifted = np.radians([0.0, 0.0, drift_deg_h]) / HOUR_S
    return [(float(s), swings[n // 2] + drifted * s) for n, s in enumerate(times_s)]


def found_s(all_turns: list[tuple[float, np.ndarray]]) -> tuple[float | None, SlowDrift]:
    """When a drift was found, if it was."""
    first = [each for each in all_turns if each[0] < FIRST_S]
    drift = SlowDrift(first)
    for time_s, turn in all_turns[len(first) :]:
        if drift.see(time_s, turn):
            return time_s, drift
    return None, drift


@pytest.mark.parametrize(("drift_deg_h", "sway_rad"), [(5.0, SWAY_RAD), (-3.0, SWAY_RAD), (1.0, 0.0)])
def test_a_scene_that_drifts_is_found_out_within_half_an_hour(drift_deg_h: float, sway_rad: float) -> None:
    for seed in range(10):
        time_s, _ = found_s(turns(HOUR_S / 2, sway_rad, seed, drift_deg_h))
        assert time_s is not None


def test_sway_alone_is_no_drift() -> None:
    for seed in range(20):
        time_s, drift = found_s(turns(2 * HOUR_S, SWAY_RAD, seed))
        assert time_s is None
        assert drift.sigma(2 * HOUR_S).max() < math.radians(0.25)  # what sway itself is


def test_a_knock_is_no_drift_and_what_it_turned_is_sure_again_two_windows_later() -> None:
    knocked = [(s, turn + (np.radians([0, 0, 2.0]) if s > 1500.0 else 0.0)) for s, turn in turns(HOUR_S, SWAY_RAD, 1)]
    time_s, drift = found_s(knocked)
    assert time_s is None
    assert drift.sigma(HOUR_S).max() < math.radians(0.25)


def test_a_creep_too_slow_to_be_found_is_as_unsure_as_it_is_large() -> None:
    time_s, drift = found_s(turns(2 * HOUR_S, 0.0, 1, drift_deg_h=0.3))
    assert time_s is None
    assert drift.sigma(2 * HOUR_S)[2] == pytest.approx(math.radians(0.6), rel=0.1)
    assert drift.sigma(2 * HOUR_S)[:2].max() < math.radians(0.001)


def test_a_night_without_landmarks_is_not_taken_for_hours_of_drift() -> None:
    before = turns(1800.0, SWAY_RAD, 1)
    _, drift = found_s(before)
    after_s = 1800.0 + 12 * HOUR_S
    assert drift.sigma(after_s).max() < math.radians(0.4)
    drift.see(after_s, np.zeros(3))
    assert not any(drift.see(after_s + s, turn) for s, turn in turns(1800.0, SWAY_RAD, 2))
