"""A camera is held by what stands still before it: sway, drones, clouds, cloths, nights and a kick against the mast."""

from __future__ import annotations

import copy
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made_views
from made_views import LENS, MOUNTING, View, sway

from edge.vision.landmark_lock import LEARN_S, LandmarkLock, Turn, combined
from edge.vision.landmarks import find, lens_for, project
from fusion.camera import Lens, direction_to_pixel, pixel_to_direction
from fusion.frames import turn_about
from fusion.types import Orientation

ALIGNED_RAD = math.radians(0.3)
LOOKS_HZ = 1.0
SPARSE_S = 9.4  # between looks where much time passes; no part of the sway's periods
CLOUDS_PX_S = 6.0
LEARNED_S = LEARN_S + 5.0
# a tenth of a pixel, and the zero, which is the middle of a minute's sway; roll is told by a band that is low and wide
WITHIN_RAD = np.radians([0.06, 0.06, 0.12])


def turn_of(told: Turn) -> np.ndarray:
    return np.array([told.right_rad, told.up_rad, told.roll_rad])


def look(
    lock: LandmarkLock, view: View, time_s: float, turn: np.ndarray, cover=None, clouds_px_s: float = CLOUDS_PX_S
) -> Turn | None:
    grey = view.grey(turn, clouds_px_s * time_s)
    return lock.see(time_s, grey if cover is None else cover(grey))


def learn(
    view: View, mounting: Orientation = MOUNTING, turn=sway, aligned=None, clouds_px_s: float = CLOUDS_PX_S
) -> LandmarkLock:
    lock = LandmarkLock(LENS, mounting, ALIGNED_RAD, aligned)
    for number in range(int(LEARNED_S * LOOKS_HZ)):
        told = look(lock, view, number / LOOKS_HZ, turn(number / LOOKS_HZ), clouds_px_s=clouds_px_s)
        assert told is None or lock.is_learned
    return lock


@pytest.fixture(scope="module")
def learned() -> LandmarkLock:
    return learn(View())


@pytest.fixture
def lock(learned: LandmarkLock) -> LandmarkLock:
    return copy.deepcopy(learned)


def times(count: int) -> np.ndarray:
    return LEARNED_S + np.arange(count) / LOOKS_HZ


def test_sway_is_measured_under_drifting_clouds(lock: LandmarkLock) -> None:
    assert lock.is_learned
    view = View()
    errors, sigmas = [], []
    for time_s in times(16):
        told = look(lock, view, time_s, sway(time_s))
        assert told is not None
        errors.append(turn_of(told) - sway(time_s))
        sigmas.append(told.sigma_rad)
    assert (np.abs(errors) < WITHIN_RAD).all()
    assert (np.abs(errors) < 3.0 * np.array(sigmas)).all()
    assert np.std(errors, axis=0).max() < math.radians(0.02)  # what is left beside the zero


def test_clouds_are_no_landmarks_even_where_the_horizon_is_thought_to_be_high(lock: LandmarkLock) -> None:
    looks_down = Orientation(0.0, math.radians(-30.0), 0.0)  # a wrong site file: the whole sky counts as ground
    sky = View(ground=False, has_noise=False)
    assert learn(sky, looks_down, clouds_px_s=0.0).is_learned  # if it stood still, there would be enough to hold on to
    assert not learn(sky, looks_down).is_learned
    aloft = LandmarkLock(LENS, Orientation(0.0, math.radians(30.0), 0.0), ALIGNED_RAD)
    aloft.see(0.0, sky.grey())
    aloft.see(1.0, sky.grey())
    assert not aloft.is_learned  # all of it above the horizon: nothing to hold on to, and nothing raises


def test_a_drone_before_the_landmarks_changes_nothing(lock: LandmarkLock) -> None:
    view = View()
    for number, time_s in enumerate(times(12)):

        def drone(grey: np.ndarray, at: int = number) -> np.ndarray:
            return cv2.rectangle(grey.copy(), (40 + 36 * at, 190), (90 + 36 * at, 230), 25, -1)

        told = look(lock, view, time_s, sway(time_s), drone)
        assert told is not None
        assert (np.abs(turn_of(told) - sway(time_s)) < WITHIN_RAD).all()


@pytest.mark.parametrize("moved_deg", [(2.0, -1.0, 0.5), (-4.0, 0.0, 0.0), (0.3, 0.2, -1.0)])
def test_a_camera_that_was_knocked_is_told_by_how_much(lock: LandmarkLock, moved_deg: tuple[float, ...]) -> None:
    view, moved = View(), np.radians(moved_deg)
    for time_s in times(6):
        told = look(lock, view, time_s, sway(time_s) + moved)
        assert told is not None
        assert (np.abs(turn_of(told) - sway(time_s) - moved) < WITHIN_RAD + 0.02 * np.abs(moved).max()).all()


def test_behind_a_cloth_and_in_the_night_there_is_no_turn_and_afterwards_the_old_zero(lock: LandmarkLock) -> None:
    view, night = View(), View(light="night")
    chance = np.random.default_rng(1)

    def cloth(grey: np.ndarray) -> np.ndarray:
        return np.clip(90 + 2.0 * chance.standard_normal(grey.shape), 0, 255).astype(np.uint8)

    for number, time_s in enumerate(times(12)):
        dark = number >= 6
        assert look(lock, night if dark else view, time_s, sway(time_s), None if dark else cloth) is None
    assert lock.see(LEARNED_S + 7.0, None) is None  # a picture that does not show what is there
    moved = np.radians([1.0, 0.5, 0.0])
    told = look(lock, view, LEARNED_S + 3600.0, moved)  # somebody came in the night
    assert told is not None
    assert (np.abs(turn_of(told) - moved) < WITHIN_RAD + 0.02 * np.abs(moved).max()).all()


def test_a_half_covered_picture_gives_the_right_turn_or_none(lock: LandmarkLock) -> None:
    view = View()
    for number, time_s in enumerate(times(16)):

        def cover(grey: np.ndarray, share: float = number / 16) -> np.ndarray:
            covered = grey.copy()
            covered[:, : int(share * grey.shape[1])] = 120
            return covered

        told = look(lock, view, time_s, sway(time_s), cover)
        if told is not None:
            assert (np.abs(turn_of(told) - sway(time_s)) < np.maximum(WITHIN_RAD, 3.0 * np.array(told.sigma_rad))).all()
    assert lock.agreeing == 0  # at the end nearly all was covered


def test_another_scene_gives_no_turn(lock: LandmarkLock) -> None:
    for seed in (11, 12, 13):
        other = View(seed=seed)
        for time_s in times(3):
            assert look(lock, other, time_s, sway(time_s)) is None


def test_fading_light_changes_the_landmarks_not_the_turn(lock: LandmarkLock) -> None:
    view, before = View(), max(copy.deepcopy(lock)._zero_variance)

    for number, time_s in enumerate(times(60)):

        def fade(grey: np.ndarray, share: float = number / 60) -> np.ndarray:
            lit = cv2.GaussianBlur(grey, (0, 0), 0.1 + 2.5 * share).astype(
                float
            )  # fine detail goes, and the sun wanders
            slope = np.linspace(-40.0, 40.0, grey.shape[1])[None] * share
            return np.clip(lit * (1.0 - 0.5 * share) + slope + 30.0 * share, 0, 255).astype(np.uint8)

        told = look(lock, view, time_s, sway(time_s), fade)
        assert told is not None
        assert (np.abs(turn_of(told) - sway(time_s)) < WITHIN_RAD).all()
    assert max(lock._zero_variance) >= before  # each landmark that is cut anew makes it less sure, never surer


def test_a_scene_that_drifts_as_a_whole_is_no_scene_to_hold_on_to() -> None:
    drifting = learn(View(), turn=lambda time_s: np.radians([0.02 * time_s, 0.0, 0.0]))
    assert not drifting.is_learned


def test_a_scene_that_drifts_as_slowly_as_it_can_beside_sway_is_as_unsure_as_it_is_wrong_until_it_is_found_out() -> (
    None
):
    drift_rad_s, view = np.radians([0.0015, 0.0, 0.0]), View()
    lock = learn(view, turn=lambda time_s: sway(time_s) + drift_rad_s * time_s)
    assert lock.is_learned  # a minute does not show it
    wrong = []
    for time_s in LEARNED_S + SPARSE_S * np.arange(300):
        told = look(lock, view, time_s, sway(time_s) + drift_rad_s * time_s)
        if not lock.is_learned:
            break
        assert told is not None
        errors = turn_of(told) - sway(time_s)
        assert (np.abs(errors) < 3.0 * np.array(told.sigma_rad)).all()
        wrong.append(errors[0])
    assert not lock.is_learned
    assert max(wrong) > math.radians(0.3)  # it was not found out by chance, early


def test_what_turned_it_since_it_was_aligned_is_known_from_that_picture() -> None:
    moment, moved = np.radians([0.2, -0.1, 0.0]), np.radians([1.2, 0.4, 0.0])  # it swayed when the picture was taken
    aligned = cv2.resize(View().grey(moment, clouds_px=300.0), (640, 360))  # another size, other clouds
    lock = learn(View(), turn=lambda time_s: sway(time_s) + moved, aligned=aligned)
    assert (lock.is_learned, lock.by_alignment) == (True, True)
    told = look(lock, View(), LEARNED_S, sway(LEARNED_S) + moved)
    assert told is not None
    expected = sway(LEARNED_S) + moved - moment
    assert (np.abs(turn_of(told) - expected) < WITHIN_RAD + 0.02 * np.abs(moved).max()).all()
    assert max(told.sigma_rad[:2]) < math.radians(0.05)  # no minute's middle enters


def test_a_picture_of_another_place_is_told_and_not_held_on_to() -> None:
    lock, view = LandmarkLock(LENS, MOUNTING, ALIGNED_RAD, View(seed=11).grey()), View()
    for number in range(int((2 * LEARN_S + 5.0) * LOOKS_HZ)):
        look(lock, view, number / LOOKS_HZ, sway(number / LOOKS_HZ))
    assert (lock.is_learned, lock.by_alignment) == (True, False)


def test_a_picture_of_the_alignment_that_was_cut_is_not_stretched_over_the_view() -> None:
    whole = View().grey()
    for aligned, is_taken in ((whole, True), (whole[:-4], False), (whole[:, 60:-60], False)):
        lock = LandmarkLock(LENS, MOUNTING, ALIGNED_RAD, aligned)
        lock.see(0.0, whole)
        assert lock.by_alignment is is_taken


def test_the_same_pictures_give_the_same_turns(learned: LandmarkLock) -> None:
    told = []
    for _ in range(2):
        one, view = copy.deepcopy(learned), View()
        told.append([look(one, view, time_s, sway(time_s)) for time_s in times(4)])
    assert told[0] == told[1]


def test_a_template_is_found_to_a_tenth_of_a_pixel() -> None:
    chance = np.random.default_rng(5)
    big = cv2.GaussianBlur(chance.uniform(0, 255, (120, 160)).astype(np.float32), (0, 0), 2.0)
    picture = np.clip((big - big.mean()) * 4 + 128, 0, 255).astype(np.uint8)
    template = cv2.getRectSubPix(picture, (31, 31), (80.0, 60.0))
    moved = cv2.warpAffine(picture, np.array([[1.0, 0.0, 2.3], [0.0, 1.0, -1.6]]), (160, 120), flags=cv2.INTER_CUBIC)
    found = find(moved, template, np.array([80.0, 60.0]), 6)
    assert found is not None
    assert found[0] == pytest.approx([82.3, 58.4], abs=0.1)
    assert (
        find(moved, template, np.array([70.0, 60.0]), 6) is None
    )  # it lies beyond the reach: no peak at the rim counts
    assert find(np.full_like(moved, 90), template, np.array([80.0, 60.0]), 6) is None


def test_pixels_of_a_smaller_picture_are_those_of_the_lens() -> None:
    lens = Lens((1920, 1080), (1100.0, 1105.0), (958.1, 541.7), (-0.31, 0.12, 0.0008, -0.0005, -0.02))
    half = lens_for(lens, (540, 960))
    directions = pixel_to_direction(lens, [(300.0, 200.0), (1500.0, 900.0)])
    whole = [direction_to_pixel(lens, direction) for direction in directions]
    assert project(lens, directions) == pytest.approx(np.array(whole), abs=1e-6)
    assert project(half, directions) == pytest.approx((np.array(whole) + 0.5) / 2 - 0.5, abs=1e-6)


def test_rotations_one_after_the_other_are_one_rotation() -> None:
    first, second = np.array([0.02, -0.03, 0.05]), np.array([-0.01, 0.04, 0.02])
    assert turn_about(combined(second, first)) == pytest.approx(turn_about(second) @ turn_about(first), abs=1e-9)


def test_the_rendered_camera_turns_as_it_is_told() -> None:
    """What stands at the middle moves left when the camera turns right, down when it looks up."""
    still = View(cloudiness=0.0).grey()
    turned = View(cloudiness=0.0).grey(np.radians([1.0, 1.0, 0.0]))
    step_px = made_views.FOCAL_PX * math.radians(1.0) / 2.0
    middle = still[190:240, 200:280]
    likeness = cv2.matchTemplate(turned, middle, cv2.TM_CCOEFF_NORMED)
    _, _, _, (x, y) = cv2.minMaxLoc(likeness)
    assert (x - 200, y - 190) == pytest.approx((-step_px, step_px), abs=1.5)
