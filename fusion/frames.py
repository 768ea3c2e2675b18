"""Frames: WGS-84, ECEF, local East-North-Up, and the level and body frames of a sensor.

    ENU                      body
     N (y)                    y forward (boresight)
     |  . azimuth             |
     | /                      |
     +----- E (x)             +----- x right          z is up in both

Azimuth is clockwise from north: east = sin(azimuth), north = cos(azimuth). Heading turns the boresight clockwise from
north, then pitch lifts it, then roll turns it about itself, right side down.

Sources: WGS-84: NIMA TR8350.2, table 3.1. Geodetic to ECEF: Hofmann-Wellenhof et al., GNSS (2008), section 8.2.
ECEF to geodetic: Bowring (1985) start, refined by fixed-point iteration until 1e-12 rad.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fusion.types import FloatArray, Geodetic, Orientation

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1.0 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2.0 - FLATTENING)


def wrap_angle(angle_rad: npt.ArrayLike) -> Any:
    """The same angle in [-pi, pi). Takes and gives a float or an array."""
    return (np.asarray(angle_rad) + math.pi) % (2.0 * math.pi) - math.pi


def geodetic_to_ecef(latitude_deg: float, longitude_deg: float, height_m: float) -> FloatArray:
    """Earth-centred coordinates, m, shape (3,)."""
    latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
    sine = math.sin(latitude)
    normal_m = SEMI_MAJOR_M / math.sqrt(1.0 - ECCENTRICITY_SQUARED * sine * sine)
    across_m = (normal_m + height_m) * math.cos(latitude)
    return np.array(
        [
            across_m * math.cos(longitude),
            across_m * math.sin(longitude),
            (normal_m * (1.0 - ECCENTRICITY_SQUARED) + height_m) * sine,
        ]
    )


def ecef_to_geodetic(ecef_m: npt.ArrayLike) -> Geodetic:
    """The WGS-84 point of earth-centred coordinates, shape (3,)."""
    x, y, z = (float(v) for v in np.asarray(ecef_m))
    across_m = math.hypot(x, y)
    latitude = math.atan2(z, across_m * (1.0 - ECCENTRICITY_SQUARED))
    for _ in range(10):
        sine = math.sin(latitude)
        normal_m = SEMI_MAJOR_M / math.sqrt(1.0 - ECCENTRICITY_SQUARED * sine * sine)
        refined = math.atan2(z + ECCENTRICITY_SQUARED * normal_m * sine, across_m)
        if abs(refined - latitude) < 1e-13:
            latitude = refined
            break
        latitude = refined
    sine, cosine = math.sin(latitude), math.cos(latitude)
    normal_m = SEMI_MAJOR_M / math.sqrt(1.0 - ECCENTRICITY_SQUARED * sine * sine)
    # near the poles across_m / cosine loses its digits, so the height is taken along the normal
    height_m = across_m * cosine + z * sine - normal_m * (1.0 - ECCENTRICITY_SQUARED * sine * sine)
    return Geodetic(math.degrees(latitude), math.degrees(math.atan2(y, x)), height_m)


def ecef_to_enu_rotation(latitude_deg: float, longitude_deg: float) -> FloatArray:
    """Rotation whose rows are east, north and up of that point in ECEF axes, shape (3, 3)."""
    latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
    sin_lat, cos_lat, sin_lon, cos_lon = (
        math.sin(latitude),
        math.cos(latitude),
        math.sin(longitude),
        math.cos(longitude),
    )
    return np.array(
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )


class LocalFrame:
    """The East-North-Up frame of one origin."""

    def __init__(self, origin: Geodetic) -> None:
        if origin.height_m is None:
            raise ValueError("the origin of a local frame needs a height above the ellipsoid")
        self.origin = origin
        self._origin_ecef_m = geodetic_to_ecef(origin.latitude_deg, origin.longitude_deg, origin.height_m)
        self._ecef_to_enu = ecef_to_enu_rotation(origin.latitude_deg, origin.longitude_deg)

    def geodetic_to_enu(self, point: Geodetic) -> FloatArray:
        """East, north, up in m, shape (3,). A point without height is taken at the origin's height."""
        height_m = self.origin.height_m if point.height_m is None else point.height_m
        assert height_m is not None
        ecef_m = geodetic_to_ecef(point.latitude_deg, point.longitude_deg, height_m)
        return np.asarray(self._ecef_to_enu @ (ecef_m - self._origin_ecef_m))

    def enu_to_geodetic(self, enu_m: npt.ArrayLike) -> Geodetic:
        """The WGS-84 point of east, north, up in m, shape (3,)."""
        return ecef_to_geodetic(self._ecef_to_enu.T @ np.asarray(enu_m, float) + self._origin_ecef_m)

    def level_to_enu(self, point: Geodetic) -> FloatArray:
        """Rotation from the level frame at another point into this frame, shape (3, 3)."""
        return np.asarray(self._ecef_to_enu @ ecef_to_enu_rotation(point.latitude_deg, point.longitude_deg).T)


def body_to_level(orientation: Orientation) -> FloatArray:
    """Rotation from body axes (x right, y forward, z up) to level East-North-Up, shape (3, 3)."""
    sin_h, cos_h = math.sin(orientation.heading_rad), math.cos(orientation.heading_rad)
    sin_p, cos_p = math.sin(orientation.pitch_rad), math.cos(orientation.pitch_rad)
    sin_r, cos_r = math.sin(orientation.roll_rad), math.cos(orientation.roll_rad)
    heading = np.array([[cos_h, sin_h, 0.0], [-sin_h, cos_h, 0.0], [0.0, 0.0, 1.0]])
    pitch = np.array([[1.0, 0.0, 0.0], [0.0, cos_p, -sin_p], [0.0, sin_p, cos_p]])
    roll = np.array([[cos_r, 0.0, sin_r], [0.0, 1.0, 0.0], [-sin_r, 0.0, cos_r]])
    return np.asarray(heading @ pitch @ roll)


def orientation_of(rotation: npt.ArrayLike) -> Orientation:
    """The orientation whose rotation from body axes to level this is, shape (3, 3); undone by `body_to_level`."""
    matrix = np.asarray(rotation, float)
    east, north, up = matrix[:, 1]  # the boresight
    return Orientation(
        math.atan2(east, north), math.asin(max(-1.0, min(1.0, up))), math.atan2(-matrix[2, 0], matrix[2, 2])
    )


def turn_about(vector: npt.ArrayLike) -> FloatArray:
    """How directions turn about a rotation vector, rad, shape (3,), right-handed; shape (3, 3). Rodrigues' formula."""
    rotation = np.asarray(vector, float)
    angle = float(np.linalg.norm(rotation))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = rotation / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross)


def polar_to_enu(azimuth_rad: float, elevation_rad: float, slant_range_m: float) -> FloatArray:
    """The level vector, m, shape (3,), of a direction and range."""
    ground_m = slant_range_m * math.cos(elevation_rad)
    return np.array(
        [ground_m * math.sin(azimuth_rad), ground_m * math.cos(azimuth_rad), slant_range_m * math.sin(elevation_rad)]
    )


def enu_to_polar(vector_m: npt.ArrayLike) -> tuple[float, float, float]:
    """Azimuth in [-pi, pi), elevation and slant range of a level vector, shape (3,)."""
    east, north, up = (float(v) for v in np.asarray(vector_m))
    return (
        math.atan2(east, north),
        math.atan2(up, math.hypot(east, north)),
        math.sqrt(east * east + north * north + up * up),
    )
