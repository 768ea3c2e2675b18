"""A pinhole camera: pixels to directions and back.

    image                          body
    (0,0) ---> x                   y forward (optical axis)    x right of it, z up
      |
      v y      center_px is where the optical axis meets the image

With normalised coordinates a = x/y and b = -z/y of a direction in body axes, and s = a² + b²:

    a' = a (1 + k1 s + k2 s² + k3 s³) + 2 p1 a b + p2 (s + 2 a²)
    b' = b (1 + k1 s + k2 s² + k3 s³) + p1 (s + 2 b²) + 2 p2 a b
    pixel = (focal a' + center), by axis

A rolling shutter exposes row after row: what moves with v pixels a second and stands in row y of H was there a moment before
or after the picture's time, which is that of its middle row, and would stand at that time at

    pixel - v · readout · (y / H - 1/2)

Sources: OpenCV, calib3d, "Detailed description" (the Brown-Conrady model); Ait-Aider, Andreff, Lavest, Martinet (2006),
"Simultaneous object pose and velocity computation using a single view from a rolling shutter camera", section 2 (row times).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fusion.types import FloatArray

UNDISTORT_STEPS = 20  # Newton's method halves the error's exponent each time; lenses in use need four
UNDISTORT_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera with OpenCV's five distortion numbers (k1, k2, p1, p2, k3)."""

    size_px: tuple[int, int]
    focal_px: tuple[float, float]
    center_px: tuple[float, float]
    distortion: tuple[float, float, float, float, float]
    readout_s: float = 0.0  # from the first row's exposure to the last one's; 0: all rows at once


def row_time_s(lens: Lens, y_px: float) -> float:
    """When a row was exposed, from the picture's time on, which is that of its middle row."""
    return lens.readout_s * (y_px / lens.size_px[1] - 0.5)


def pixel_to_direction(lens: Lens, pixel: npt.ArrayLike) -> FloatArray:
    """Unit vectors in body axes, shape (..., 3), of image points, shape (..., 2)."""
    distorted = (np.asarray(pixel, float) - lens.center_px) / lens.focal_px
    a, b = undistort(lens, distorted[..., 0], distorted[..., 1])
    vector = np.stack([a, np.ones_like(a), -b], axis=-1)
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))


def direction_to_pixel(lens: Lens, direction: npt.ArrayLike) -> tuple[float, float] | None:
    """The image point of a direction in body axes, shape (3,), be it inside the image or not.

    None behind the camera, and where the distortion model folds back upon itself, far outside the image.
    """
    x, y, z = (float(v) for v in np.asarray(direction))
    if y <= 0.0:
        return None
    a, b = x / y, -z / y
    if a * a + b * b >= fold_radius_squared(lens.distortion):
        return None
    distorted_a, distorted_b = distort(lens, np.array(a), np.array(b))
    return (
        float(distorted_a) * lens.focal_px[0] + lens.center_px[0],
        float(distorted_b) * lens.focal_px[1] + lens.center_px[1],
    )


def distort(lens: Lens, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Normalised coordinates as the lens bends them."""
    k1, k2, p1, p2, k3 = lens.distortion
    s = a * a + b * b
    radial = 1.0 + s * (k1 + s * (k2 + s * k3))
    return (
        a * radial + 2.0 * p1 * a * b + p2 * (s + 2.0 * a * a),
        b * radial + p1 * (s + 2.0 * b * b) + 2.0 * p2 * a * b,
    )


def undistort(lens: Lens, distorted_a: FloatArray, distorted_b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Normalised coordinates as they were before the lens bent them, by Newton's method."""
    k1, k2, p1, p2, k3 = lens.distortion
    a, b = distorted_a, distorted_b
    if not any(lens.distortion):
        return a, b
    for _ in range(UNDISTORT_STEPS):
        s = a * a + b * b
        radial = 1.0 + s * (k1 + s * (k2 + s * k3))
        slope = 2.0 * (k1 + s * (2.0 * k2 + s * 3.0 * k3))  # of radial, by a it is slope * a
        found_a, found_b = distort(lens, a, b)
        error_a, error_b = found_a - distorted_a, found_b - distorted_b
        aa = radial + slope * a * a + 2.0 * p1 * b + 6.0 * p2 * a
        ab = slope * a * b + 2.0 * p1 * a + 2.0 * p2 * b
        bb = radial + slope * b * b + 6.0 * p1 * b + 2.0 * p2 * a
        determinant = aa * bb - ab * ab
        determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
        a = a - (bb * error_a - ab * error_b) / determinant
        b = b - (aa * error_b - ab * error_a) / determinant
        if max(np.max(np.abs(error_a), initial=0.0), np.max(np.abs(error_b), initial=0.0)) < UNDISTORT_TOLERANCE:
            break
    return a, b


@lru_cache(maxsize=64)
def fold_radius_squared(distortion: tuple[float, float, float, float, float]) -> float:
    """a² + b² from which on the radial distortion no longer grows outward; infinity where it always does."""
    k1, k2, _, _, k3 = distortion
    roots = np.roots([7.0 * k3, 5.0 * k2, 3.0 * k1, 1.0])  # derivative of r (1 + k1 r² + k2 r⁴ + k3 r⁶) by r, in r²
    folds = [float(root.real) for root in roots if abs(root.imag) < 1e-9 and root.real > 0.0]
    return min(folds, default=math.inf)


def angle_between(first: FloatArray, second: FloatArray) -> float:
    """The angle between two unit vectors, shape (3,); exact for small ones, too."""
    return 2.0 * math.atan2(float(np.linalg.norm(first - second)), float(np.linalg.norm(first + second)))
