"""Positions as others state them: taken only where they are points on Earth."""

from __future__ import annotations

from fusion.types import Geodetic


def geodetic(latitude_deg: float, longitude_deg: float, height_m: float | None) -> Geodetic | None:
    """The point; None where the numbers are none on Earth."""
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):
        return None
    return Geodetic(latitude_deg, longitude_deg, height_m)
