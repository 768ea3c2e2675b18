"""Tracks that are known as a direction only, in coordinates in which ignorance of the range stays by itself.

    s = [azimuth, elevation, ln range, and their rates], level frame at one sensor

A bearing measures the first two; the logarithm of the range is moved by no bearing of the same sensor, so a filter in these
coordinates never fools itself about it, as one in East, North, Up does. To the outside such a track is the point at the
middle of its range interval with the covariance that follows:

    p = sensor + r u        J = ∂p/∂(azimuth, elevation, ln r)        v = J (rates)

Cameras on one mount (infrared beside visible, a narrow lens beside a wide one) see the same directions but for the parallax of
their places, which the range interval bounds: each may go on with what another began.

Source: Aidala, Hammel, Utilization of modified polar coordinates for bearings-only tracking (1983).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from fusion.measurement import AZIMUTH, ELEVATION, IntArray, expected, rotation_of, stand_of
from fusion.types import Direction, FloatArray, Sensor

SMALLEST_TARGET_M, LARGEST_SMALL_M = 0.2, 1.5  # widths of the drones and birds we look for
LARGEST_TARGET_M = 60.0  # of an airliner
NEAREST_M, FARTHEST_M = 5.0, 3000.0  # where neither size nor coverage tells
NINETY_PERCENT = 1.6448536269514722  # sigmas either side that hold 90 %
SIZE_ERROR = 0.25  # relative: a box of eight pixels is one or two off
LEAST_LN_RANGE, MOST_LN_RANGE = math.log(0.1), 15.0  # 0.1 m, 3000 km: rates carry no direction's range beyond
STEEPEST_RAD = 1.4  # azimuth loses its meaning above: no direction is started there
ONE_MOUNT_M = 1.0  # cameras so close are on one mount
HARDLY_KNOWN_RAD = math.radians(1.0)  # sigma of a mounting, or of a bearing that is no camera's


def range_limits(
    sensor: Sensor, angular_size_rad: float | None, largest_m: float = LARGEST_SMALL_M
) -> tuple[float, float]:
    """90 % interval of the slant range of something seen once, from its size where it has one, else from the coverage.

    largest_m: LARGEST_SMALL_M for what is likely a drone or a bird, LARGEST_TARGET_M for what may be anything.
    """
    nearest_m, farthest_m = NEAREST_M, FARTHEST_M
    if sensor.coverage is not None:
        nearest_m = max(sensor.coverage.slant_range_m[0], NEAREST_M)
        farthest_m = max(sensor.coverage.slant_range_m[1], nearest_m * 2.0)
    if angular_size_rad is None or not angular_size_rad > 0.0:
        return nearest_m, farthest_m
    low_m = max(SMALLEST_TARGET_M / angular_size_rad, nearest_m)
    high_m = min(largest_m / angular_size_rad, farthest_m)
    return (low_m, high_m) if low_m * 1.5 < high_m else (nearest_m, farthest_m)


def log_range(limits_m: tuple[float, float], error: float = 0.0) -> tuple[float, float]:
    """Mean and sigma of ln range whose 90 % interval these limits are, widened by a relative error of both."""
    low, high = math.log(limits_m[0]), math.log(limits_m[1])
    return 0.5 * (low + high), math.hypot(max((high - low) / 2.0 / NINETY_PERCENT, 1e-3), error)


def bounded(ln_range: FloatArray) -> FloatArray:
    """ln range (n,) kept where its exponential still means a distance: close by, a rate doubles or halves it in no time."""
    return np.asarray(np.minimum(np.maximum(ln_range, LEAST_LN_RANGE), MOST_LN_RANGE))


def manoeuvre_range_m(ln_range: FloatArray, ln_size: FloatArray, size_count: IntArray) -> FloatArray:
    """Range (n,) at which an acceleration is seen as a turn: never farther than a small target of that size would be, and
    never nearer than `NEAREST_M`.

    An airplane's interval reaches far out; taken at its middle, a drone near by could not turn as it does.
    """
    small_m = np.where(size_count > 0, math.sqrt(SMALLEST_TARGET_M * LARGEST_SMALL_M) / np.exp(ln_size), np.inf)
    return np.asarray(np.maximum(np.minimum(np.exp(bounded(ln_range)), small_m), NEAREST_M))


def jacobian(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Level vectors (n, 3) and ∂/∂(azimuth, elevation, ln r), shape (n, 3, 3), of coordinates (n, >= 3)."""
    azimuth, elevation, r = s[:, 0], s[:, 1], np.exp(bounded(s[:, 2]))
    sin_a, cos_a, sin_e, cos_e = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    vector = r[:, None] * np.stack([cos_e * sin_a, cos_e * cos_a, sin_e], axis=1)
    by_azimuth = r[:, None] * np.stack([cos_e * cos_a, -cos_e * sin_a, np.zeros_like(r)], axis=1)
    by_elevation = r[:, None] * np.stack([-sin_e * sin_a, -sin_e * cos_a, cos_e], axis=1)
    return vector, np.stack([by_azimuth, by_elevation, vector], axis=2)


def place_of(s: FloatArray, sensor: Sensor) -> FloatArray:
    """ENU points (n, 3) of direction states about one sensor."""
    return np.asarray(jacobian(s)[0] @ rotation_of(sensor).T + stand_of(sensor))


def to_enu(s: FloatArray, P: FloatArray, sensor: Sensor) -> tuple[FloatArray, FloatArray]:
    """ENU states (n, 6) and covariances (n, 6, 6) of direction states about one sensor."""
    rotation = rotation_of(sensor)
    vector, J = jacobian(s)
    J = rotation @ J
    x = np.empty_like(s)
    x[:, :3] = vector @ rotation.T + stand_of(sensor)
    x[:, 3:] = (J @ s[:, 3:, None])[:, :, 0]
    G = np.zeros((len(s), 6, 6))
    G[:, :3, :3] = G[:, 3:, 3:] = J
    G[:, 3:, 2] = x[:, 3:]  # all speeds grow with the range
    covariance = G @ P @ G.transpose(0, 2, 1)
    return x, np.asarray(0.5 * (covariance + covariance.transpose(0, 2, 1)))


def from_enu(x: FloatArray, P: FloatArray, sensor: Sensor) -> tuple[FloatArray, FloatArray]:
    """The inverse of `to_enu`."""
    rotation = rotation_of(sensor)
    level = (x[:, :3] - stand_of(sensor)) @ rotation
    g = np.hypot(level[:, 0], level[:, 1])
    r = np.maximum(np.sqrt((level**2).sum(axis=1)), 0.1)
    s = np.zeros_like(x)
    s[:, 0], s[:, 1], s[:, 2] = np.arctan2(level[:, 0], level[:, 1]), np.arctan2(level[:, 2], g), np.log(r)
    _, J = jacobian(s)
    inverse = np.linalg.inv(rotation @ J)
    s[:, 3:] = (inverse @ x[:, 3:, None])[:, :, 0]
    G = np.zeros((len(x), 6, 6))
    G[:, :3, :3] = G[:, 3:, 3:] = inverse
    G[:, 3:, :3] = -s[:, 3:, None] * inverse[:, 2:3, :]  # all rates shrink as the range grows
    covariance = G @ P @ G.transpose(0, 2, 1)
    return s, np.asarray(0.5 * (covariance + covariance.transpose(0, 2, 1)))


def mounts_of(sensors: Sequence[Sensor]) -> IntArray:
    """Which sensors are cameras on one mount: the number of the first on each one's mount, shape (sensors,).

    What stands so near a camera of a mount is on that mount, too. A camera whose mounting is hardly known stands for itself:
    where it is off by degrees, one object is taken for another.
    """
    mounts = np.arange(len(sensors), dtype=np.int64)
    cameras = [number for number, sensor in enumerate(sensors) if _is_known_camera(sensor)]
    for one, two in combinations(cameras, 2):
        if math.dist(sensors[one].position_enu_m, sensors[two].position_enu_m) <= ONE_MOUNT_M:
            either = mounts[[one, two]]
            mounts[np.isin(mounts, either)] = either.min()
    return mounts


def _is_known_camera(sensor: Sensor) -> bool:
    """Microphones tell both angles too, by degrees, of where something was when it made its sound: they are none."""
    measured, mounting_rad = sensor.accuracy, sensor.mounting_sigma_rad
    angles = (measured.azimuth_rad, measured.elevation_rad)
    is_sharp = all(sigma is not None and sigma <= HARDLY_KNOWN_RAD for sigma in angles)
    return is_sharp and measured.slant_range_m is None and mounting_rad <= HARDLY_KNOWN_RAD


def seen_beside(s: FloatArray, P: FloatArray, of: Sensor, by: Sensor) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bearings h (n, 2), H (n, 2, 6) and added noise (n, 2, 2) by which a camera sees directions of one beside it.

    The parallax counts at the middle of the range interval, and its spread over the interval as noise, as do both mountings
    and places: two cameras that close measure no range.
    """
    rotation = rotation_of(of)
    vector, J = jacobian(s)
    x = np.zeros_like(s)
    x[:, :3] = vector @ rotation.T + np.array(of.position_enu_m)
    h, by_place = expected(x, by, (AZIMUTH, ELEVATION))
    by_direction = by_place[:, :, :3] @ (rotation @ J)
    H = np.zeros((len(s), 2, 6))
    H[:, :, :2] = by_direction[:, :, :2]
    parallax = by_direction[:, :, 2:3] * np.sqrt(P[:, 2, 2])[:, None, None]
    places = by_place[:, :, :3] * math.hypot(of.position_sigma_m, by.position_sigma_m)
    turned = np.eye(2) * (of.mounting_sigma_rad**2 + by.mounting_sigma_rad**2)
    return h, H, np.asarray(parallax @ parallax.transpose(0, 2, 1) + places @ places.transpose(0, 2, 1) + turned)


def to_direction(s: FloatArray, P: FloatArray, sensor: Sensor) -> Direction:
    """What one direction state (6,) honestly says; the mounting's uncertainty belongs to it."""
    spread = NINETY_PERCENT * math.sqrt(P[2, 2])
    low_m, high_m = np.exp(bounded(s[2] + np.array([-spread, spread]))).tolist()
    if sensor.coverage is not None and sensor.coverage.slant_range_m[1] > low_m * 1.1:
        high_m = min(high_m, sensor.coverage.slant_range_m[1])
    return Direction(
        sensor_id=sensor.sensor_id,
        azimuth_rad=float(math.atan2(math.sin(s[0]), math.cos(s[0]))),
        azimuth_sigma_rad=math.sqrt(P[0, 0] + sensor.mounting_sigma_rad**2),
        elevation_rad=float(s[1]),
        elevation_sigma_rad=math.sqrt(P[1, 1] + sensor.mounting_sigma_rad**2),
        slant_range_m=(low_m, high_m),
    )
