"""The camera model against OpenCV, and against directions a person can check in the head."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.camera import Lens, angle_between, direction_to_pixel, fold_radius_squared, pixel_to_direction

PLAIN = Lens((640, 480), (500.0, 500.0), (320.0, 240.0), (0.0, 0.0, 0.0, 0.0, 0.0))
WIDE = Lens((1920, 1080), (1100.0, 1105.0), (958.1, 541.7), (-0.31, 0.12, 0.0008, -0.0005, -0.02))
LENSES = (PLAIN, WIDE)


def camera_matrix(lens: Lens) -> np.ndarray:
    return np.array(
        [[lens.focal_px[0], 0.0, lens.center_px[0]], [0.0, lens.focal_px[1], lens.center_px[1]], [0.0, 0.0, 1.0]]
    )


def test_the_middle_of_the_image_looks_along_the_boresight() -> None:
    assert pixel_to_direction(PLAIN, (320.0, 240.0)) == pytest.approx([0.0, 1.0, 0.0])


def test_right_in_the_image_is_right_and_up_in_the_image_is_up() -> None:
    assert pixel_to_direction(PLAIN, (820.0, 240.0)) == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0.0])
    assert pixel_to_direction(PLAIN, (320.0, -260.0)) == pytest.approx([0.0, math.sqrt(0.5), math.sqrt(0.5)])


@pytest.mark.parametrize("lens", LENSES)
def test_directions_become_the_pixels_that_opencv_projects(lens: Lens) -> None:
    for azimuth in np.radians([-35.0, -10.0, 0.0, 5.0, 38.0]):
        for elevation in np.radians([-20.0, 0.0, 15.0]):
            direction = np.array(
                [math.sin(azimuth) * math.cos(elevation), math.cos(azimuth) * math.cos(elevation), math.sin(elevation)]
            )
            optical = np.array([direction[0], -direction[2], direction[1]])  # x right, y down, z forward
            expected, _ = cv2.projectPoints(
                optical.reshape(1, 1, 3), np.zeros(3), np.zeros(3), camera_matrix(lens), np.array(lens.distortion)
            )
            assert direction_to_pixel(lens, direction) == pytest.approx(expected.ravel(), abs=1e-6)


def test_pixels_become_the_directions_that_opencv_undistorts() -> None:
    pixels = np.array([(x, y) for x in range(0, 1921, 240) for y in range(0, 1081, 180)], float)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-13)
    normal = cv2.undistortPoints(
        pixels.reshape(-1, 1, 2), camera_matrix(WIDE), np.array(WIDE.distortion), criteria=criteria
    ).reshape(-1, 2)
    expected = np.stack([normal[:, 0], np.ones(len(normal)), -normal[:, 1]], axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # OpenCV's fixed-point iteration stops at 1e-9 or so in the corners: 1e-7 rad is a ten-thousandth of a pixel
    assert pixel_to_direction(WIDE, pixels) == pytest.approx(expected, abs=1e-7)


@given(st.sampled_from(LENSES), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_there_and_back_is_the_same_pixel(lens: Lens, across: float, down: float) -> None:
    pixel = (across * lens.size_px[0], down * lens.size_px[1])
    direction = pixel_to_direction(lens, pixel)
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert direction_to_pixel(lens, direction) == pytest.approx(pixel, abs=1e-6)


def test_nothing_behind_the_camera_has_a_pixel() -> None:
    assert direction_to_pixel(PLAIN, (0.0, -1.0, 0.0)) is None
    assert direction_to_pixel(PLAIN, (1.0, 0.0, 0.0)) is None


def test_a_direction_far_outside_never_folds_back_into_the_image() -> None:
    barrel = Lens((1920, 1080), (1100.0, 1100.0), (960.0, 540.0), (-0.31, 0.0, 0.0, 0.0, 0.0))
    assert fold_radius_squared(barrel.distortion) == pytest.approx(1.0 / (3.0 * 0.31))
    # at 65° the formula alone would give a = 2.14 * (1 - 0.31 * 4.6) < 0: on the other side of the image
    assert direction_to_pixel(barrel, (math.sin(math.radians(65.0)), math.cos(math.radians(65.0)), 0.0)) is None


def test_small_angles_between_directions_are_exact() -> None:
    tiny = 1e-9
    assert angle_between(np.array([0.0, 1.0, 0.0]), np.array([tiny, 1.0, 0.0])) == pytest.approx(tiny, rel=1e-6)
