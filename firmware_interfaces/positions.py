"""Positions as others state them: taken only where they are points on Earth."""

from __future__ import annotations

from fusion.types import Geodetic

HIGHEST_M = 100_000.0  # and as deep: beyond, a number is damaged or made up


def plausible_height_m(height_m: float | None) -> float | None:
    """The height; None where nothing flies there."""
    return height_m if height_m is not None and abs(height_m) <= HIGHEST_M else None


def geodetic(latitude_deg: float, longitude_deg: float, height_m: float | None) -> Geodetic | None:
    """The point, its height left out where nothing flies there; None where the numbers are none on Earth."""
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):
        return None
    return Geodetic(latitude_deg, longitude_deg, plausible_height_m(height_m))
