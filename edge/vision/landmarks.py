"""Small pieces of a camera's picture that stand still in the world, and where they are found again in later pictures.

    half-size grey ──▶ corners below the horizon, one a cell ──▶ Patch: direction, fine and coarse template
    later picture  ──▶ coarse: ± 96 px about where it should be ──▶ fine: ± 6 px about where most say ──▶ pixel, likeness

Likeness is the normalised correlation coefficient, which does not mind brighter or flatter pictures; the peak's place is
refined by a parabola through its neighbours. Source: Lewis (1995), Fast normalized cross-correlation.

Pixels here are those of the half-size picture, their middles at whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fusion.camera import Lens, distort, pixel_to_direction
from fusion.types import FloatArray

Grey = npt.NDArray[np.uint8]

FINE, COARSE, FACTOR = 31, 13, 4  # sides of the templates, px of their pictures; the coarse picture is so much smaller
COARSE_REACH, FINE_REACH = 24, 6  # px of their pictures
LIKE, COARSE_LIKE = 0.6, 0.55  # less is not the same thing; noise alone gives 0.1, 0.2
FLAT = 0.5  # grey levels, 1-sigma: nothing to hold on to
CELL_PX = 40  # a patch stands for so much of the picture
MARGIN_PX = COARSE * FACTOR // 2 + 2  # from the picture's rim
MOST_PATCHES = 24
LEAST_CORNER = 4e-6  # smaller eigenvalue of the gradients' matrix; noise of 2 grey levels gives less


def are_of_one_view(size_px: tuple[int, int], other_px: tuple[int, int]) -> bool:
    """Whether one picture can be the other at another size, sides rounded to whole pixels: width and height of each."""
    (width, height), (other_width, other_height) = size_px, other_px
    return abs(width * other_height - other_width * height) <= max(width, height, other_width, other_height)


def lens_for(lens: Lens, shape: tuple[int, ...]) -> Lens:
    """The lens in the pixels of a smaller picture of the same view."""
    scale = np.array([shape[1] / lens.size_px[0], shape[0] / lens.size_px[1]])
    focal, center = np.array(lens.focal_px) * scale, (np.array(lens.center_px) + 0.5) * scale - 0.5
    return Lens(
        (shape[1], shape[0]), (float(focal[0]), float(focal[1])), (float(center[0]), float(center[1])), lens.distortion
    )


def project(lens: Lens, directions: FloatArray) -> FloatArray:
    """Pixels of directions before the camera in body axes, shape (n, 3) to (n, 2)."""
    ahead = np.maximum(directions[:, 1], 1e-3)
    a, b = distort(lens, directions[:, 0] / ahead, -directions[:, 2] / ahead)
    return np.stack([a * lens.focal_px[0] + lens.center_px[0], b * lens.focal_px[1] + lens.center_px[1]], axis=1)


@dataclass(slots=True)
class Patch:
    """One piece, and how well it keeps its place."""

    direction: FloatArray  # in the axes of the camera as it hung when nothing was turned, shape (3,)
    fine: Grey
    coarse: Grey
    since_s: float
    looks: int = 0
    agreed: float = 0.0  # share of the looks, the late ones weighing more
    likeness: float = 1.0  # of late
    is_landmark: bool = False  # it has stood its trial


def coarse_of(grey: Grey) -> Grey:
    """The picture at a quarter."""
    size = (grey.shape[1] // FACTOR, grey.shape[0] // FACTOR)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def cut_fine(grey: Grey, pixel: FloatArray) -> Grey:
    return np.asarray(cv2.getRectSubPix(grey, (FINE, FINE), (float(pixel[0]), float(pixel[1]))), np.uint8)


def cut_coarse(coarse: Grey, pixel: FloatArray) -> Grey:
    x, y = ((float(value) + 0.5) / FACTOR - 0.5 for value in pixel)
    return np.asarray(cv2.getRectSubPix(coarse, (COARSE, COARSE), (x, y)), np.uint8)


def corners(grey: Grey, allowed: Grey, taken: FloatArray, most: int) -> FloatArray:
    """The sharpest corners where `allowed` is not 0, none near those taken, shape (n, 2); strongest first."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.2)
    strength = cv2.cornerMinEigenVal(smooth, 9, ksize=3)
    free = allowed.copy()
    free[:MARGIN_PX], free[-MARGIN_PX:], free[:, :MARGIN_PX], free[:, -MARGIN_PX:] = 0, 0, 0, 0
    for x, y in taken:
        cv2.circle(free, (round(float(x)), round(float(y))), CELL_PX, 0, -1)
    strength = np.where(free > 0, strength, 0.0)
    found: list[tuple[float, float]] = []
    while len(found) < most:
        _, peak, _, (x, y) = cv2.minMaxLoc(strength)
        if peak < LEAST_CORNER:
            break
        found.append((float(x), float(y)))
        cv2.circle(strength, (x, y), CELL_PX, 0.0, -1)
    return np.array(found).reshape(-1, 2)


def find(picture: Grey, template: Grey, at: FloatArray, reach: int) -> tuple[FloatArray, float] | None:
    """Where a template is within so many pixels of a place, and its likeness; None where nothing can be told."""
    half = template.shape[0] // 2
    x, y = round(float(at[0])), round(float(at[1]))
    left, right = max(0, x - reach - half), min(picture.shape[1], x + reach + half + 1)
    top, bottom = max(0, y - reach - half), min(picture.shape[0], y + reach + half + 1)
    if right - left < template.shape[1] + 2 or bottom - top < template.shape[0] + 2:
        return None  # beyond the rim
    window = picture[top:bottom, left:right]
    if float(window.std()) < FLAT or float(template.std()) < FLAT:
        return None
    likeness = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
    _, peak, _, (column, row) = cv2.minMaxLoc(likeness)
    if not (0 < column < likeness.shape[1] - 1 and 0 < row < likeness.shape[0] - 1):
        return None  # at the rim of the search: the true peak may lie beyond
    across = parabola(likeness[row, column - 1], peak, likeness[row, column + 1])
    down = parabola(likeness[row - 1, column], peak, likeness[row + 1, column])
    return np.array([left + column + half + across, top + row + half + down]), float(peak)


def parabola(before: float, peak: float, after: float) -> float:
    """Where between -0.5 and 0.5 the top lies of a parabola through three values."""
    bend = before - 2.0 * peak + after
    return 0.0 if bend >= 0.0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def find_coarsely(coarse: Grey, patches: Sequence[Patch], expected: FloatArray) -> tuple[list[int], FloatArray]:
    """Which patches are found far around where they should be, and their pixels, shape (n, 2)."""
    numbers, pixels = [], []
    for number, (patch, at) in enumerate(zip(patches, expected, strict=True)):
        found = find(coarse, patch.coarse, (at + 0.5) / FACTOR - 0.5, COARSE_REACH)
        if found is not None and found[1] >= COARSE_LIKE:
            numbers.append(number)
            pixels.append((found[0] + 0.5) * FACTOR - 0.5)
    return numbers, np.array(pixels).reshape(-1, 2)


def find_finely(
    grey: Grey, patches: Sequence[Patch], expected: FloatArray
) -> tuple[list[int], FloatArray, list[float]]:
    """Which patches are found close to where they should be, their pixels, and how like they are."""
    numbers, pixels, likenesses = [], [], []
    for number, (patch, at) in enumerate(zip(patches, expected, strict=True)):
        found = find(grey, patch.fine, at, FINE_REACH)
        if found is not None and found[1] >= LIKE:
            numbers.append(number)
            pixels.append(found[0])
            likenesses.append(found[1])
    return numbers, np.array(pixels).reshape(-1, 2), likenesses


def below_horizon(lens: Lens, shape: tuple[int, ...], to_level: FloatArray, below_rad: float) -> Grey:
    """255 where the picture looks at least so far below the level, by the mounting in the site file."""
    step = 8
    rows, columns = np.arange(0, shape[0], step), np.arange(0, shape[1], step)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(float)
    up = pixel_to_direction(lens, pixels) @ to_level[2]
    small = (up < -np.sin(below_rad)).reshape(len(rows), len(columns)).astype(np.uint8) * 255
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)
