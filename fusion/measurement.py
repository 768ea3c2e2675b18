"""What a sensor should measure of a state, and how sure it is.

A scan's detections are stacked by what they measure (`Plots`): some of azimuth, elevation, slant range, range rate, or east,
north, up. With d the object as seen from the sensor, in the sensor's level frame, and g² = e² + n²:

    azimuth = atan2(e, n)     elevation = atan2(u, g)     slant range r = |d|     range rate = v · d / r

    ∂azimuth/∂d   = (n, -e, 0) / g²                ∂r/∂d    = d / r
    ∂elevation/∂d = (-e u, -n u, g²) / (r² g)      ∂rate/∂d = (v - (v·d/r) d/r) / r,   ∂rate/∂v = d / r

Source: Bar-Shalom, Li, Kirubarajan (2001), section 10.3; azimuth clockwise from north as everywhere here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fusion.frames import wrap_angle
from fusion.types import Detection, FloatArray, Polar, Position, RangeRate, Sensor

IntArray: TypeAlias = npt.NDArray[np.int64]
Row: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], int]  # values, covariance, place in the scan
Batch: TypeAlias = tuple[tuple[int, ...], FloatArray, tuple[float, ...]]  # components, values (m, d), one covariance

AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE, EAST, NORTH, UP = range(7)
POLAR = frozenset((AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE))
POSITION = frozenset((EAST, NORTH, UP))

MAX_DISTANCE_M = 1e6  # no sensor of a post measures farther: such a number is an error
MAX_SPEED_M_S = 1e4
MAX_SIGMA = 1e6
MAX_ANGLE_SIGMA_RAD = math.pi  # an angle less sure than this was not measured
SMALLEST_VARIANCE = 1e-6  # a sigma of zero is a sensor's boast; the filter needs a little: a millimetre
SMALLEST_ANGLE_VARIANCE = 1e-9  # 0.03 mrad
NEAREST_M = 0.1  # closer than this a direction has no meaning
MANY = 20  # detections, from which it pays to look first whether all are alike
EASTING, NORTHING, HEIGHT, COVARIANCE = map(attrgetter, ("east_m", "north_m", "up_m", "covariance_m2"))
POLAR_VALUES = attrgetter("azimuth_rad", "elevation_rad", "slant_range_m", "range_rate_m_s")
POLAR_SIGMAS = attrgetter("azimuth_sigma_rad", "elevation_sigma_rad", "slant_range_sigma_m", "range_rate_sigma_m_s")
LARGEST = {AZIMUTH: MAX_DISTANCE_M, ELEVATION: math.pi / 2.0, SLANT_RANGE: MAX_DISTANCE_M, RANGE_RATE: MAX_SPEED_M_S}


@dataclass(frozen=True, slots=True)
class Plots:
    """The detections of one scan that measure the same components, stacked, in an order that is their own."""

    components: tuple[int, ...]
    z: FloatArray  # (m, d)
    R: FloatArray  # (m, d, d)
    index: IntArray  # (m,) place of each in the scan


def stack(detections: Sequence[Detection], limit: int) -> list[Plots]:
    """The usable detections in batches. Their order depends on their numbers alone, so the scan's order changes nothing.

    What is not finite or absurd is left out; beyond `limit` only the most confident are kept.
    """
    if len(detections) >= MANY and (alike := _all_alike(detections)) is not None:
        return [alike] if len(alike.z) <= limit else _most_confident([alike], detections, limit)
    batches: dict[tuple[int, ...], list[Row]] = {}
    for index, detection in enumerate(detections):
        row = _row(detection)
        if row is not None:
            components, values, covariance = row
            batches.setdefault(components, []).append((values, covariance, index))
    plots = [_stacked(components, batch, detections) for components, batch in sorted(batches.items())]
    return plots if sum(len(batch.z) for batch in plots) <= limit else _most_confident(plots, detections, limit)


def _stacked(components: tuple[int, ...], batch: Sequence[Row], detections: Sequence[Detection]) -> Plots:
    count, size = len(batch), len(components)
    values, noises, places = zip(*batch, strict=True)
    z, index = np.array(values, float).reshape(count, size), np.array(places, dtype=np.int64)
    if count == 1:
        return Plots(components, z, np.array(noises, float).reshape(1, size, size), index)
    order = np.lexsort(z.T[::-1])
    ordered = z[order]
    if (ordered[1:] == ordered[:-1]).all(axis=1).any():  # what measured the same is told apart by what else it says
        said = [(*row[:2], -detections[row[2]].confidence, detections[row[2]].classes, row[2]) for row in batch]
        order = np.array(sorted(range(count), key=said.__getitem__))
    if len(set(map(id, noises))) == 1:  # a sensor's accuracy seldom differs: one matrix stands for all
        R = _for_all(noises[0], count)
    else:
        R = np.array(noises, float).reshape(count, size, size)[order]
    return Plots(components, z[order], R, index[order])


def _all_alike(detections: Sequence[Detection]) -> Plots | None:
    """The one batch of detections that all measure the same, equally well; None where any needs a look of its own."""
    measured = [detection.measurement for detection in detections]
    kinds = set(map(type, measured))
    if len(kinds) > 1 or not np.isfinite([detection.confidence for detection in detections]).all():
        return None
    stacked = {Position: _alike_positions, Polar: _alike_polars}.get(kinds.pop())
    found = stacked(measured) if stacked is not None else None
    if found is None:
        return None
    components, z, covariance = found
    order = np.lexsort(z.T[::-1])
    z = np.ascontiguousarray(z[order])
    if (z[1:] == z[:-1]).all(axis=1).any():  # told apart by what else they say
        return None
    return Plots(components, z, _for_all(covariance, len(z)), order.astype(np.int64))


def _alike_positions(measured: Sequence[Any]) -> Batch | None:
    """Of points with one covariance: components, values (m, d) and covariance by rows."""
    first = measured[0]
    given, has_up = first.covariance_m2, first.up_m is not None
    if any(noise is not given and noise != given for noise in map(COVARIANCE, measured)):
        return None
    covariance, heights = _position_noise(tuple(given), has_up), list(map(HEIGHT, measured))
    if heights.count(None) != (0 if has_up else len(measured)):
        return None
    columns = [list(map(EASTING, measured)), list(map(NORTHING, measured)), heights]
    z = np.array(columns if has_up else columns[:2], float).T
    if covariance is None or not (np.abs(z) <= MAX_DISTANCE_M).all():  # NaN neither
        return None
    return ((EAST, NORTH, UP) if has_up else (EAST, NORTH)), z, covariance


def _alike_polars(measured: Sequence[Any]) -> Batch | None:
    """Of directions and ranges with the same components and sigmas: the same."""
    sigmas = {POLAR_SIGMAS(one) for one in measured}
    columns = list(zip(*map(POLAR_VALUES, measured), strict=True))
    unknown = [column.count(None) for column in columns]
    if len(sigmas) > 1 or not set(unknown) <= {0, len(measured)}:
        return None
    kinds = [component for component, missing in enumerate(unknown) if not missing]
    covariance = _noise(tuple(kinds), tuple(map(sigmas.pop().__getitem__, kinds)))
    z = np.array([columns[kind] for kind in kinds], float).T
    largest = np.array([LARGEST[component] for component in kinds])
    if covariance is None or not (np.abs(z) <= largest).all():
        return None
    if SLANT_RANGE in kinds and (z[:, kinds.index(SLANT_RANGE)] < NEAREST_M).any():
        return None
    if AZIMUTH in kinds:
        z[:, 0] = (z[:, 0] + math.pi) % (2.0 * math.pi) - math.pi
    return tuple(kinds), z, covariance


def _most_confident(plots: Sequence[Plots], detections: Sequence[Detection], limit: int) -> list[Plots]:
    index = np.concatenate([batch.index for batch in plots])
    unsure = np.argsort([-detections[place].confidence for place in index.tolist()], kind="stable")[limit:]
    is_kept = np.ones(len(index), dtype=bool)
    is_kept[unsure] = False
    parts = np.split(is_kept, np.cumsum([len(batch.z) for batch in plots])[:-1])
    return [
        Plots(batch.components, batch.z[kept], batch.R[kept], batch.index[kept])
        for batch, kept in zip(plots, parts, strict=True)
        if kept.any()
    ]


def _row(detection: Detection) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]] | None:
    """Components, values and covariance (by rows) of one detection; None where they cannot be used."""
    measurement = detection.measurement
    if not math.isfinite(detection.confidence):
        return None
    if isinstance(measurement, Position):
        return _position_row(measurement)
    pairs = _polar_pairs(measurement) if isinstance(measurement, Polar) else _range_rate_pairs(measurement)
    components: list[int] = []
    values: list[float] = []
    sigmas: list[float | None] = []
    for component, value, sigma in pairs:
        if value is None:
            continue
        if not abs(value) <= LARGEST[component] or (component == SLANT_RANGE and value < NEAREST_M):
            return None  # NaN neither
        components.append(component)
        values.append((value + math.pi) % (2.0 * math.pi) - math.pi if component == AZIMUTH else float(value))
        sigmas.append(sigma)
    measured = tuple(components)
    covariance = _noise(measured, tuple(sigmas))
    return None if covariance is None else (measured, tuple(values), covariance)


def _polar_pairs(polar: Polar) -> Sequence[tuple[int, float | None, float | None]]:
    return (
        (AZIMUTH, polar.azimuth_rad, polar.azimuth_sigma_rad),
        (ELEVATION, polar.elevation_rad, polar.elevation_sigma_rad),
        (SLANT_RANGE, polar.slant_range_m, polar.slant_range_sigma_m),
        (RANGE_RATE, polar.range_rate_m_s, polar.range_rate_sigma_m_s),
    )


def _range_rate_pairs(measurement: RangeRate) -> Sequence[tuple[int, float | None, float | None]]:
    return (
        (SLANT_RANGE, measurement.slant_range_m, measurement.slant_range_sigma_m),
        (RANGE_RATE, measurement.range_rate_m_s, measurement.range_rate_sigma_m_s),
    )


@lru_cache(maxsize=1024)
def _noise(components: tuple[int, ...], sigmas: tuple[float | None, ...]) -> tuple[float, ...] | None:
    """The covariance (by rows) of independent components; None where a sigma cannot be used. Sensors seldom have many."""
    size = len(sigmas)
    covariance = [0.0] * (size * size)
    for place, (component, sigma) in enumerate(zip(components, sigmas, strict=True)):
        is_angle = component in (AZIMUTH, ELEVATION)
        if sigma is None or not 0.0 <= sigma < MAX_SIGMA or (is_angle and sigma > MAX_ANGLE_SIGMA_RAD):
            return None
        least = SMALLEST_ANGLE_VARIANCE if is_angle else SMALLEST_VARIANCE
        covariance[place * size + place] = max(float(sigma) ** 2, least)
    return tuple(covariance)


def _position_row(position: Position) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]] | None:
    east, north, up = position.east_m, position.north_m, position.up_m
    if not (abs(east) <= MAX_DISTANCE_M and abs(north) <= MAX_DISTANCE_M and abs(up or 0.0) <= MAX_DISTANCE_M):
        return None  # NaN neither
    covariance = _position_noise(tuple(position.covariance_m2), up is not None)
    if covariance is None:
        return None
    return (
        ((EAST, NORTH), (east, north), covariance) if up is None else ((EAST, NORTH, UP), (east, north, up), covariance)
    )


@lru_cache(maxsize=1024)
def _position_noise(given: tuple[float, ...], has_up: bool) -> tuple[float, ...] | None:
    """A covariance (by rows) from its upper triangle, by rows; None where it is none."""
    if len(given) != (6 if has_up else 3) or not math.isfinite(sum(given)) or max(map(abs, given)) > MAX_SIGMA**2:
        return None
    if not has_up:
        a, b, c = given
        a, c = a + SMALLEST_VARIANCE, c + SMALLEST_VARIANCE
        return (a, b, b, c) if a > 0.0 and a * c - b * b > 0.0 else None
    a, b, c, d, e, f = given
    a, d, f = a + SMALLEST_VARIANCE, d + SMALLEST_VARIANCE, f + SMALLEST_VARIANCE
    determinant = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)
    if not (a > 0.0 and a * d - b * b > 0.0 and determinant > 0.0):  # Sylvester: all leading minors are positive
        return None
    return a, b, c, b, d, e, c, e, f


def rotation_of(sensor: Sensor) -> FloatArray:
    """Level to ENU, shape (3, 3); not to be written to."""
    return _matrix(sensor.level_to_enu)


def stand_of(sensor: Sensor) -> FloatArray:
    """Where it stands, ENU, shape (3,); not to be written to."""
    return _vector(sensor.position_enu_m)


@lru_cache(maxsize=1024)
def _for_all(covariance: tuple[float, ...], count: int) -> FloatArray:
    """One covariance (by rows) that stands for so many, shape (count, d, d); not to be written to."""
    size = math.isqrt(len(covariance))
    return np.broadcast_to(np.array(covariance, float).reshape(size, size), (count, size, size))


@lru_cache(maxsize=1024)
def _matrix(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, float).reshape(3, 3)


@lru_cache(maxsize=1024)
def _vector(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, float)


def expected(x: FloatArray, sensor: Sensor, components: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """h(x), shape (n, d), and its Jacobian H, shape (n, d, 6), of ENU states (n, 6)."""
    if POSITION.issuperset(components):
        axes = [component - EAST for component in components]
        return x[:, axes], np.repeat(np.eye(6)[None, axes], len(x), axis=0)
    rotation = rotation_of(sensor)
    d, v = rotation.T @ (x[:, :3] - stand_of(sensor)).T, rotation.T @ x[:, 3:].T
    east, north, up = d
    ground = np.hypot(east, north)
    g, r = np.maximum(ground, NEAREST_M), np.maximum(np.sqrt((d**2).sum(axis=0)), NEAREST_M)
    unit = d / r
    h, by_place = np.empty((len(components), len(x))), np.zeros((len(components), 3, len(x)))
    H = np.zeros((len(x), len(components), 6))
    for row, component in enumerate(components):
        if component == AZIMUTH:
            h[row] = np.arctan2(east, north)
            by_place[row, 0], by_place[row, 1] = north / g**2, -east / g**2
        elif component == ELEVATION:
            h[row] = np.arctan2(up, ground)
            by_place[row, :2] = d[:2] * (-up / (r**2 * g))
            by_place[row, 2] = g / r**2
        elif component == SLANT_RANGE:
            h[row], by_place[row] = r, unit
        else:
            h[row] = (v * unit).sum(axis=0)
            by_place[row] = (v - h[row] * unit) / r
            H[:, row, 3:] = (rotation @ unit).T
    H[:, :, :3] = (rotation @ by_place).transpose(2, 0, 1)
    return h.T, H


def residual(z: FloatArray, h: FloatArray, components: tuple[int, ...]) -> FloatArray:
    """z - h with the azimuth wrapped to ±π; shapes broadcast."""
    y = np.asarray(z - h)
    if AZIMUTH in components:
        column = components.index(AZIMUTH)
        y[..., column] = wrap_angle(y[..., column])
    return y


def foretold(
    x: FloatArray, sensor: Sensor, components: tuple[int, ...], clock_error_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """h (n, d), H (n, d, 6) and the added noise (n, d, d) of ENU states (n, 6)."""
    h, H = expected(x, sensor, components)
    return h, H, added_noise(x, H, sensor, components, clock_error_s)


def added_noise(
    x: FloatArray, H: FloatArray, sensor: Sensor, components: tuple[int, ...], clock_error_s: float
) -> FloatArray:
    """What the sensor's own place, its mounting and the clock add to the noise, shape (n, d, d)."""
    added = np.zeros((len(x), len(components), len(components)))
    if sensor.position_sigma_m > 0.0:
        along = H[:, :, :3] * sensor.position_sigma_m
        added += along @ along.transpose(0, 2, 1)
    if clock_error_s > 0.0:
        shift = (H[:, :, :3] @ x[:, 3:, None]) * clock_error_s
        added += shift @ shift.transpose(0, 2, 1)
    if sensor.mounting_sigma_rad > 0.0:
        for row, component in enumerate(components):
            if component in (AZIMUTH, ELEVATION):
                added[:, row, row] += sensor.mounting_sigma_rad**2
    return added
