"""Is there an object at all: detections raise the belief in a track, misses lower it where silence means something.

With r the existence probability, p the sensor's chance to detect there, g the gate's probability, λ the density of false
alarms and N the likelihood of the innovation:

    detected:  Λ = 1 - p g + p N / λ        missed:  Λ = 1 - p g        r' = Λ r / (1 - r + Λ r)
    time:      r' = r exp(-μ t), μ being how often an object ends (`sensor_rates.py`)

A miss counts only inside what was looked at, only where the detection probability is known, and at most once within the
time over which a sensor's misses hang together: what hides an object in one frame hides it in the next.

Source: Mušicki, Evans, Stanković, Integrated probabilistic data association (1994), for one chosen detection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fusion import direction
from fusion.frames import body_to_level
from fusion.measurement import (
    AZIMUTH,
    EAST,
    ELEVATION,
    NORTH,
    RANGE_RATE,
    SLANT_RANGE,
    UP,
    IntArray,
    rotation_of,
    stand_of,
)
from fusion.types import FloatArray, Look, Orientation, Sensor

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Inside: TypeAlias = Callable[[Sensor, Sequence[Look], FloatArray, FloatArray, FloatArray], BoolArray]  # `looked_at`

ASSUMED_TARGET_M = 0.35  # a small drone's width: what a table by pixels is read for
ASSUMED_DETECTION_PROBABILITY = 0.5  # weighs a detection of a sensor that tells no probability; never a miss
LEAST_DETECTING = 0.05  # of a sensor that has just detected
ASSUMED_FALSE_ALARMS = 1.0  # a scan, where the site file tells none
ASSUMED_RANGE_M = 2000.0  # where a sensor's coverage is not known
HIGHEST_EXISTENCE = 0.995  # so that a vanished object is given up after a few misses
SURVIVAL_S = 60.0  # before any ended: a drone leaves our sky in about a minute: 900 m at 15 m/s
CAMERA_MISSES_HANG_S = 1.0  # a background or a pose that hides a drone lasts about a second
RADAR_MISSES_HANG_S = 0.5  # fading of a turning, tilting airframe
DENIED_LOG = math.log(0.01)  # a sensor that should see it would miss it so often once in a hundred times
CAMERA_SEES_S = 5.0  # a camera whose sight at night is not known may only miss what it saw this recently
SURELY_SIGMAS = 3.0  # what lies so far outside of what was looked at was not seen
CLUTTER_SPEED_SPAN_M_S = 20.0  # false alarms of a radar move at birds' and leaves' speeds
CLUTTER_ELEVATION_RAD = 0.3  # and stand near the horizon
CLUTTER_HEIGHT_M = 300.0


def survive(r: FloatArray, dt_s: float, ends_per_s: float) -> FloatArray:
    """Existence dt_s later, unseen; ends_per_s: how often an object ends."""
    return np.asarray(r * math.exp(-dt_s * ends_per_s))


def bayes(r: FloatArray, ratio: FloatArray) -> FloatArray:
    """Existence after evidence of that likelihood ratio."""
    raised = ratio * r
    return np.asarray(np.minimum(raised / (1.0 - r + raised), HIGHEST_EXISTENCE))


def detection_probability(sensor: Sensor, slant_range_m: FloatArray) -> FloatArray:
    """Chance to detect an object at these ranges, shape (n,); NaN where it is not known."""
    model = sensor.detection_probability
    if model is not None and model.by_pixels and model.pixels_per_rad is not None:
        pixels, probability = zip(*model.by_pixels, strict=True)
        on_target = ASSUMED_TARGET_M * model.pixels_per_rad / np.maximum(slant_range_m, 0.1)
        return np.asarray(np.interp(on_target, pixels, probability), float)
    if model is not None and model.constant is not None:
        return np.full(len(slant_range_m), model.constant)
    return np.full(len(slant_range_m), np.nan)


def assumed_probability(sensor: Sensor, slant_range_m: FloatArray) -> FloatArray:
    """The same for weighing detections: never unknown, never nought, since it did detect."""
    known = detection_probability(sensor, slant_range_m)
    return np.asarray(np.maximum(np.where(np.isnan(known), ASSUMED_DETECTION_PROBABILITY, known), LEAST_DETECTING))


def ranges_of(rows: IntArray, x: FloatArray, sensor: Sensor, is_direction: bool) -> FloatArray:
    """How far these k rows of x (n, 6) are from a sensor, shape (k,); is_direction: its own coordinates tell."""
    if is_direction:
        return np.asarray(np.exp(direction.bounded(x[rows, 2])))
    return np.asarray(np.sqrt(((x[rows, :3] - stand_of(sensor)) ** 2).sum(axis=1)))


def assumed_at(rows: IntArray, x: FloatArray, sensor: Sensor, is_direction: bool) -> FloatArray:
    """The same of k rows, at their ranges."""
    return assumed_probability(sensor, ranges_of(rows, x, sensor, is_direction))


def is_camera(sensor: Sensor) -> bool:
    """A sensor of directions: its misses hang together longer, and darkness may blind it."""
    return sensor.accuracy.slant_range_m is None and sensor.accuracy.elevation_rad is not None


def misses_hang_ns(sensor: Sensor) -> int:
    """How long a sensor's misses count as one."""
    return int((CAMERA_MISSES_HANG_S if is_camera(sensor) else RADAR_MISSES_HANG_S) * 1e9)


def sees_at_night(sensor: Sensor) -> bool:
    """Whether a miss may count without having seen the object just before."""
    model = sensor.detection_probability
    return not is_camera(sensor) or (model is not None and model.night == "same")


def looked_at(
    sensor: Sensor, looks: Sequence[Look], position_m: FloatArray, sigma_m: FloatArray, mounting_rad: FloatArray
) -> BoolArray:
    """Which ENU points (n, 3) lie surely inside, by one sigma (n,) of theirs and one of the mounting (n,) from every edge."""
    level = (position_m - stand_of(sensor)) @ rotation_of(sensor)
    slant_range = np.maximum(np.sqrt((level**2).sum(axis=1)), 0.1)
    angle = sigma_m / slant_range + mounting_rad
    inside = np.zeros(len(position_m), dtype=bool)
    for look in looks:
        body = level @ turned_by(look.orientation)
        azimuth = np.arctan2(body[:, 0], body[:, 1])
        elevation = np.arctan2(body[:, 2], np.hypot(body[:, 0], body[:, 1]))
        inside |= (
            _within(azimuth, look.azimuth_rad, 0.0 if is_full_circle(look) else angle)
            & _within(elevation, look.elevation_rad, angle)
            & _within(slant_range, look.slant_range_m, sigma_m)
        )
    return inside


def within_looks(
    rows: IntArray, x: FloatArray, P: FloatArray, sensor: Sensor, looks: Sequence[Look]
) -> tuple[BoolArray, BoolArray]:
    """Which of k of these states (n, 6) lie surely inside, by one sigma, and which may, by three, shapes (k,)."""
    place_m, sigma_m = x[rows, :3], np.sqrt(largest_variance(P[rows]))
    mounting_rad = np.full(len(rows), sensor.mounting_sigma_rad)
    surely = looked_at(sensor, looks, place_m, sigma_m, mounting_rad)
    if surely.all():
        return surely, surely
    return surely, looked_at(sensor, looks, place_m, -SURELY_SIGMAS * sigma_m, -SURELY_SIGMAS * mounting_rad)


@lru_cache(maxsize=1024)
def turned_by(orientation: Orientation) -> FloatArray:
    """Body to level, shape (3, 3); not to be written to. Looks are few and come again."""
    return body_to_level(orientation)


def largest_variance(P: FloatArray) -> FloatArray:
    """Of the places in covariances (n, >= 3, >= 3), along whatever axis, shape (n,): the largest eigenvalue.

    q + 2 p cos(φ / 3), q = tr A / 3, p² = tr (A - q I)² / 6, cos φ = det (A - q I) / 2 p³ (Smith 1961).
    """
    ee, nn, uu, en, eu, nu = P[:, 0, 0], P[:, 1, 1], P[:, 2, 2], P[:, 0, 1], P[:, 0, 2], P[:, 1, 2]
    q = (ee + nn + uu) / 3.0
    ee, nn, uu = ee - q, nn - q, uu - q
    p = np.sqrt((ee**2 + nn**2 + uu**2 + 2.0 * (en**2 + eu**2 + nu**2)) / 6.0)
    determinant = ee * (nn * uu - nu**2) - en * (en * uu - nu * eu) + eu * (en * nu - nn * eu)
    cosine = np.clip(determinant / np.maximum(2.0 * p**3, np.finfo(float).tiny), -1.0, 1.0)
    return np.asarray(q + 2.0 * p * np.cos(np.arccos(cosine) / 3.0))


def _within(value: FloatArray, limits: tuple[float, float], margin: FloatArray | float) -> BoolArray:
    return np.asarray((value >= limits[0] + margin) & (value <= limits[1] - margin))


def is_full_circle(look: Look) -> bool:
    return look.azimuth_rad[1] - look.azimuth_rad[0] >= 2.0 * math.pi - 1e-6


def clutter_density(
    sensor: Sensor, looks: Sequence[Look] | None, components: tuple[int, ...], z: FloatArray
) -> FloatArray:
    """False alarms per unit of measurement space at z (m, d), shape (m,).

    Uniform over azimuth and the ground's area, so the density grows with range; a scan's whole look shares its alarms. Those
    of a sensor of positions lie in its coverage.
    """
    alarms = sensor.false_alarms_per_scan
    alarms = ASSUMED_FALSE_ALARMS if alarms is None else max(alarms, 1e-6)
    is_position = EAST in components or NORTH in components
    azimuth_rad, elevation_rad, (nearest_m, farthest_m) = _extent(sensor, None if is_position else looks)
    density = np.full(len(z), float(alarms))
    if is_position:
        density /= math.pi * farthest_m**2
        return density / CLUTTER_HEIGHT_M if UP in components else density
    if AZIMUTH in components:
        density /= azimuth_rad
    if SLANT_RANGE in components:
        slant_range = z[:, components.index(SLANT_RANGE)]
        density *= 2.0 * np.maximum(slant_range, 1.0) / max(farthest_m**2 - nearest_m**2, 1.0)
        elevation_rad = min(elevation_rad, CLUTTER_ELEVATION_RAD)
    if ELEVATION in components:
        density /= elevation_rad
    if RANGE_RATE in components:
        density /= CLUTTER_SPEED_SPAN_M_S
    return density


def _extent(sensor: Sensor, looks: Sequence[Look] | None) -> tuple[float, float, tuple[float, float]]:
    """Widths of what was looked at, and its ranges."""
    parts = looks or ((sensor.coverage,) if sensor.coverage is not None else ())
    if not parts:
        return 2.0 * math.pi, math.pi / 2.0, (0.0, ASSUMED_RANGE_M)
    azimuth_rad = min(sum(part.azimuth_rad[1] - part.azimuth_rad[0] for part in parts), 2.0 * math.pi)
    elevation_rad = max(part.elevation_rad[1] - part.elevation_rad[0] for part in parts)
    nearest_m = min(part.slant_range_m[0] for part in parts)
    farthest_m = max(part.slant_range_m[1] for part in parts)
    return max(azimuth_rad, 1e-3), max(elevation_rad, 1e-3), (nearest_m, max(farthest_m, nearest_m + 1.0))


def counted_misses(
    sensor: Sensor,
    time_ns: int,
    position_m: FloatArray,
    sigma_m: FloatArray,
    mounting_rad: FloatArray,
    looks: Sequence[Look],
    seen_ns: IntArray,
    missed_ns: IntArray,
    hang_ns: IntArray,
) -> FloatArray:
    """Detection probability of those (n,) whose silence in this scan means something; 0 for the others.

    mounting_rad: the sensor's mounting error, 0 for its own directions, which are turned with it; seen_ns and missed_ns: when
    this sensor last saw each, and when its last miss was counted; hang_ns: how long misses of each count as one.
    """
    slant_range = np.sqrt(((position_m - stand_of(sensor)) ** 2).sum(axis=1))
    probability = detection_probability(sensor, slant_range)
    counts = ~np.isnan(probability) & looked_at(sensor, looks, position_m, sigma_m, mounting_rad)
    counts &= time_ns - missed_ns >= hang_ns
    if not sees_at_night(sensor):
        counts &= time_ns - seen_ns <= int(CAMERA_SEES_S * 1e9)
    return np.where(counts, probability, 0.0)
