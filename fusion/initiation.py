"""How tracks begin: from what no track explains.

    range and direction      → a position, speed unknown but for the range rate and those of others
    a position               → itself
    a bearing                → a direction (never confirmed from one bearing alone), range by apparent size or coverage
    two crossing directions  → a position, where two sensors' rays meet (`crossing.py`)

How fast it flies is not known, but those that are known tell: birds migrate together, swarms fly together, and whoever
crosses a border crosses it in much the same direction. Or it comes the other way, a drone through a flock: half the
newcomers are expected to fly as the others do, half anyhow, and a track begins with the mean and the spread of both.

    m = Σ w v / n,   n = Σ w,   w = 1 - P_v / σ²         of those that are known
    u = m max(0, 1 - 2 σ² / (n m²))                      if they flew anywhere, m² would be 2 σ² / n by chance
    v ~ N(u / 2, σ² I + u uᵀ / 4)                        of ½ N(u, σ² I) + ½ N(0, σ² I)

A birth's existence weighs objects not yet seen against false alarms: r = p u / (p u + alarms), with u the number of objects
the sensor is expected not to have seen yet; every scan lowers u by what it would have shown and time brings new ones.

Source: for u, as one number, the undetected objects of Williams, Marginal multi-Bernoulli filters (2015), section III;
Efron, Morris, Stein's estimation rule and its competitors: an empirical Bayes approach (1973), for the share of a mean that
is not chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fusion import direction, filters
from fusion.existence import ASSUMED_DETECTION_PROBABILITY, ASSUMED_FALSE_ALARMS, SURVIVAL_S
from fusion.measurement import (
    AZIMUTH,
    EAST,
    ELEVATION,
    RANGE_RATE,
    SLANT_RANGE,
    UP,
    Plots,
    expected,
    residual,
    rotation_of,
)
from fusion.types import FloatArray, Sensor

UNKNOWN_HEIGHT_SIGMA_M = 60.0  # of an object whose sensor works in the plane: drones stay below 120 m
UNKNOWN_ELEVATION_RAD, UNKNOWN_ELEVATION_SIGMA_RAD = 0.1, 0.15  # of one seen by a radar without elevation
LEAST_EXISTENCE = 1e-7  # so that what is seen again and again is found anywhere
FASTEST_TURN_RAD_S = 1.0  # of a direction's unknown rate
ALIKE_SIGMAS = 3.0  # of the site's speed: an airplane tells nothing of drones
AS_OTHERS = 0.5  # of the newcomers


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """What is assumed of objects before any is seen; a site seldom changes it."""

    horizontal_speed_m_s: float = 15.0  # 1-sigma of each axis
    vertical_speed_m_s: float = 3.0
    undetected_at_start: float = 3.0  # objects in a sensor's coverage when it starts
    births_per_s: float = 0.05  # objects that enter a sensor's coverage
    stays_s: float = SURVIVAL_S  # how long one stays


def next_undetected(undetected: FloatArray, sensor: Sensor, births_per_s: float, since_s: float) -> FloatArray:
    """Objects a sensor is expected not to have seen yet, after one more scan: of those there at its start, of later ones."""
    probability = sensor.detection_probability.constant if sensor.detection_probability is not None else None
    share_missed = 1.0 - (ASSUMED_DETECTION_PROBABILITY if probability is None else probability)
    return np.asarray(undetected * share_missed + np.array([0.0, births_per_s * since_s]))


def birth_existence(undetected: float, sensor: Sensor, alarm_ratio: FloatArray) -> FloatArray:
    """r (n,) of tracks begun by one unexplained detection each; alarm_ratio (n,): false alarms there over those declared."""
    probability = sensor.detection_probability.constant if sensor.detection_probability is not None else None
    alarms = ASSUMED_FALSE_ALARMS if sensor.false_alarms_per_scan is None else sensor.false_alarms_per_scan
    likely = (ASSUMED_DETECTION_PROBABILITY if probability is None else probability) * undetected
    return np.asarray(np.clip(likely / (likely + np.maximum(alarms * alarm_ratio, 1e-6)), LEAST_EXISTENCE, 0.5))


def usual_velocity(velocity: FloatArray, variance: FloatArray, model: ObjectModel) -> FloatArray:
    """u, how those newcomers fly that fly as the others do, ENU, shape (3,), by those over the ground that are known, and
    their variances, shapes (n, 2)."""
    sigma_m_s = model.horizontal_speed_m_s
    weight = np.clip(1.0 - variance.max(axis=1) / sigma_m_s**2, 0.0, 1.0)
    weight[np.hypot(velocity[:, 0], velocity[:, 1]) > ALIKE_SIGMAS * sigma_m_s] = 0.0
    known, total = float(weight.sum()), weight @ velocity
    by_chance = 2.0 * sigma_m_s**2 * known / max(float(total @ total), 1e-9)
    east, north = total * max(0.0, 1.0 - by_chance) / max(known, 1e-9)
    return np.array([east, north, 0.0])


def begin(
    plots: Plots, sensor: Sensor, model: ObjectModel, usual_m_s: FloatArray, sizes_rad: list[float | None]
) -> tuple[FloatArray, FloatArray, bool] | None:
    """States (m, 6), covariances (m, 6, 6) and whether they are directions; None where these plots begin nothing.

    usual_m_s: as `usual_velocity` tells."""
    components = plots.components
    if EAST in components:
        return (*_from_positions(plots, *_velocity(model, usual_m_s)), False)
    if AZIMUTH in components and SLANT_RANGE in components:
        return (*_from_ranges(plots, sensor, *_velocity(model, usual_m_s)), False)
    if AZIMUTH in components and ELEVATION in components:
        return (*_from_bearings(plots, sensor, model, sizes_rad), True)
    return None


def speed_covariance(model: ObjectModel) -> FloatArray:
    """Of a velocity that nothing is known of, ENU, shape (3, 3)."""
    return np.diag([model.horizontal_speed_m_s**2, model.horizontal_speed_m_s**2, model.vertical_speed_m_s**2])


def _velocity(model: ObjectModel, usual_m_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (3,) and covariance (3, 3) of a newcomer's velocity."""
    apart = AS_OTHERS * (1.0 - AS_OTHERS) * np.outer(usual_m_s, usual_m_s)
    return AS_OTHERS * usual_m_s, speed_covariance(model) + apart


def _from_positions(plots: Plots, velocity_m_s: FloatArray, P_velocity: FloatArray) -> tuple[FloatArray, FloatArray]:
    size = plots.z.shape[1]
    x = np.zeros((len(plots.z), 6))
    P = np.zeros((len(plots.z), 6, 6))
    x[:, :size], x[:, 3:] = plots.z, velocity_m_s
    P[:, :size, :size] = plots.R
    if UP not in plots.components:
        P[:, 2, 2] = UNKNOWN_HEIGHT_SIGMA_M**2
    P[:, 3:, 3:] = P_velocity
    return x, P


def _from_ranges(
    plots: Plots, sensor: Sensor, velocity_m_s: FloatArray, P_velocity: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Position from azimuth, elevation and range; then the range rate as a measurement of the velocity."""
    count, columns = len(plots.z), plots.components
    variance = np.diagonal(plots.R, axis1=1, axis2=2)
    slant_range = plots.z[:, columns.index(SLANT_RANGE)]
    polar, polar_variance = np.zeros((count, 3)), np.zeros((count, 3))
    polar[:, 0] = plots.z[:, columns.index(AZIMUTH)]
    polar[:, 2] = np.log(slant_range)
    polar_variance[:, 0] = variance[:, columns.index(AZIMUTH)] + sensor.mounting_sigma_rad**2
    polar_variance[:, 2] = variance[:, columns.index(SLANT_RANGE)] / slant_range**2
    polar[:, 1], polar_variance[:, 1] = UNKNOWN_ELEVATION_RAD, UNKNOWN_ELEVATION_SIGMA_RAD**2
    if ELEVATION in columns:
        polar[:, 1] = plots.z[:, columns.index(ELEVATION)]
        polar_variance[:, 1] = variance[:, columns.index(ELEVATION)] + sensor.mounting_sigma_rad**2
    rotation = rotation_of(sensor)
    vector, J = direction.jacobian(polar)
    J = rotation @ J
    x, P = np.zeros((count, 6)), np.zeros((count, 6, 6))
    x[:, :3], x[:, 3:] = vector @ rotation.T + np.array(sensor.position_enu_m), velocity_m_s
    P[:, :3, :3] = (J * polar_variance[:, None, :]) @ J.transpose(0, 2, 1)
    P[:, :3, :3] += np.eye(3) * sensor.position_sigma_m**2
    P[:, 3:, 3:] = P_velocity
    if RANGE_RATE not in columns:
        return x, P
    column = columns.index(RANGE_RATE)
    h, H = expected(x, sensor, (RANGE_RATE,))
    y = residual(plots.z[:, column : column + 1], h, (RANGE_RATE,))
    return filters.update(x, P, y, H, plots.R[:, column : column + 1, column : column + 1])


def leaning_at_birth(x: FloatArray, components: tuple[int, ...], sensor: Sensor) -> FloatArray:
    """How states (n, 6), as begun, move with each measured component, shape (n, 6, d): the position alone."""
    moved = np.zeros((len(x), 6, len(components)))
    if SLANT_RANGE not in components or AZIMUTH not in components:
        return moved
    rotation = rotation_of(sensor)
    level = (x[:, :3] - np.array(sensor.position_enu_m)) @ rotation
    slant_range = np.maximum(np.sqrt((level**2).sum(axis=1)), 0.1)
    elevation = np.arctan2(level[:, 2], np.hypot(level[:, 0], level[:, 1]))
    polar = np.stack([np.arctan2(level[:, 0], level[:, 1]), elevation, np.log(slant_range)], axis=1)
    J = rotation @ direction.jacobian(polar)[1]
    for column, component in enumerate(components):
        if component in (AZIMUTH, ELEVATION):
            moved[:, :3, column] = J[:, :, 0 if component == AZIMUTH else 1]
        elif component == SLANT_RANGE:
            moved[:, :3, column] = J[:, :, 2] / slant_range[:, None]
    return moved


def _from_bearings(
    plots: Plots, sensor: Sensor, model: ObjectModel, sizes_rad: list[float | None]
) -> tuple[FloatArray, FloatArray]:
    count = len(plots.z)
    s, P = np.zeros((count, 6)), np.zeros((count, 6, 6))
    s[:, 0] = plots.z[:, plots.components.index(AZIMUTH)]
    s[:, 1] = plots.z[:, plots.components.index(ELEVATION)]
    P[:, :2, :2] = plots.R[:, :2, :2]
    for row in range(count):
        mean, sigma = direction.log_range(direction.range_limits(sensor, sizes_rad[row]))
        s[row, 2], P[row, 2, 2] = mean, sigma**2
    range_m = np.exp(s[:, 2])
    rate = np.minimum(model.horizontal_speed_m_s / range_m, FASTEST_TURN_RAD_S)
    P[:, 3, 3] = (rate / np.cos(np.minimum(np.abs(s[:, 1]), direction.STEEPEST_RAD))) ** 2
    P[:, 4, 4] = rate**2
    P[:, 5, 5] = rate**2
    return s, P
