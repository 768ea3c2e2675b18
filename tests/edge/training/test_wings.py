"""What tells a bird by its unsteadiness, fitted: no clips, no torch."""

from __future__ import annotations

import numpy as np
import pytest

from edge.training.clips import CLASSES
from edge.training.wings import BIRD, Windows, area_under_curve, fit, other_days, weights_of, windows_of
from edge.vision.wing_beats import FEWEST, SHARED, WINDOW


def made(seed: int = 3) -> Windows:
    """Three days of windows in which birds' first number is larger; the second is the day's, and tells nothing."""
    chance = np.random.default_rng(seed)
    rows = [
        (kind, f"{day}-{CLASSES[kind]}-{clip}", day)
        for day in ("a", "b", "c")
        for kind in range(4)
        for clip in range(2 if day == "a" else 5)
        for _ in range(6)
    ]
    kinds = np.array([kind for kind, _, _ in rows])
    days = np.array([day for _, _, day in rows])
    numbers = chance.normal(size=(len(rows), 8))
    numbers[:, 0] += 2.5 * (kinds == BIRD)
    numbers[:, 1] += 5.0 * (days == "b")
    return Windows(numbers, kinds, np.array([clip for _, clip, _ in rows]), days, np.zeros(len(rows), bool))


def test_birds_and_the_rest_weigh_the_same_and_so_do_clips_of_a_day() -> None:
    windows = made()
    weights = weights_of(windows)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[windows.kinds == BIRD].sum() == pytest.approx(0.5)
    for kind in set(range(4)) - {BIRD}:
        assert weights[windows.kinds == kind].sum() == pytest.approx(0.5 / 3)
    of_a_day = (windows.kinds == BIRD) & (windows.days == "b")
    by_clip = [weights[of_a_day & (windows.clips == clip)].sum() for clip in np.unique(windows.clips[of_a_day])]
    assert by_clip == pytest.approx([by_clip[0]] * 5)


def test_the_fit_finds_what_tells_birds_on_a_day_it_has_not_seen() -> None:
    windows = made()
    assert area_under_curve(other_days(windows), windows.kinds == BIRD) > 0.9
    beats = fit(windows, np.ones(len(windows.kinds), bool))
    assert abs(beats.weights[0]) > 4 * np.abs(beats.weights[1:]).max()
    again = fit(windows, np.ones(len(windows.kinds), bool))
    assert again.written() == beats.written()


def test_the_area_under_the_curve_is_the_chance_that_a_bird_is_above() -> None:
    assert area_under_curve(np.array([3.0, 2.0, 1.0]), np.array([True, False, False])) == 1.0
    assert area_under_curve(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


def test_windows_are_those_that_a_tracklet_is_told_by() -> None:
    shapes = [(float(n), 0.0, 0.0, 0.0) for n in range(WINDOW - SHARED + FEWEST)]
    assert len(windows_of(shapes)) == 2
    assert len(windows_of(shapes[:-1])) == 1
    assert windows_of(shapes[: FEWEST - 1]) == []
