"""A pinhole camera: pixels to directions and back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera with OpenCV's five distortion numbers (k1, k2, p1, p2, k3)."""

    size_px: tuple[int, int]
    focal_px: tuple[float, float]
    center_px: tuple[float, float]
    distortion: tuple[float, float, float, float, float]
