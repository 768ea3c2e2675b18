"""What a bearing without elevation tells: whether an object emits, and how far along a camera's ray it is.

A direction finder hears, by azimuth alone, what emits. With o the odds that a track does, p the chance to be heard, N_j the
likelihood of bearing j and λ the density of bearings that no track explains:

    Λ = 1 - p + p Σ N_j / λ          o' = Λ o

A camera's direction is heard at another azimuth for every range it may have, so bearings weigh the ranges. They are kept as
weights on a grid of ln range, spread as the object may move along the ray:

      camera ────x───x───x─── its ray        w_k' ∝ Λ_k w_k          o' = o Σ Λ_k w_k
                /   /   /
               finder                        known once the weights agree on it

The bearings of some other emitter cross the ray too, at a range that means nothing. So a range is believed as far as such
chance is unlikely: with m unexplained emitters and f the share of the circle that the ray fills, seen from the finder, it is
ours with the odds 1 : m f.

Bearings that are likelier a confirmed track's in space than nobody's weigh no direction.

Sources: Bucy, Senne, Digital synthesis of non-linear filters (1971), for the grid; Peach, Bearings-only tracking using a set
of range-parameterised extended Kalman filters (1995), for ranges as hypotheses.
"""

from __future__ import annotations

import math

import numpy as np

from fusion import direction, existence
from fusion.measurement import AZIMUTH, IntArray, Plots, expected, residual, rotation_of
from fusion.scan_in_hand import ScanInHand
from fusion.track_table import TrackTable
from fusion.types import FloatArray, Sensor

LN_RANGES: FloatArray = np.asarray(np.arange(math.log(5.0), math.log(10_000.0), 0.1), dtype=np.float64)
HEARD = existence.ASSUMED_DETECTION_PROBABILITY  # of an emitter, a scan: it pauses, and not every band is listened to
MOST_CERTAIN_LOG = 4.0  # of the odds: what emitted may stop
RANGE_KNOWN = 0.2  # sigma of ln range
RANGE_KNOWN_M = 50.0  # and of the range: a place less sure is found by looking along the ray anyway
STRAIGHT_S = 10.0  # how long an object moves one way along the ray


def hears_only(sensor: Sensor) -> bool:
    """Whether it measures azimuths and nothing else."""
    accuracy = sensor.accuracy
    return accuracy.azimuth_rad is not None and accuracy.elevation_rad is None and accuracy.slant_range_m is None


def listen(table: TrackTable, hand: ScanInHand) -> None:
    """A scan of bearings without elevation, or its silence, weighs who emits and which ranges are likely."""
    if not hears_only(hand.sensor) or hand.origin is not None or not hand.scan.looked:
        return
    since_s = 0.0 if table.listened_ns is None else (hand.scan.time_ns - table.listened_ns) / 1e9  # to whichever finder
    table.listened_ns = hand.scan.time_ns
    in_space = np.flatnonzero(table.direction_of < 0)
    clock_error_s = hand.rules.clock_error_s(hand.sensor)
    h, H, noise = table.kernels.foretold(table.x[in_space], hand.sensor, (AZIMUTH,), clock_error_s)
    variance = (H @ table.P[in_space] @ H.transpose(0, 2, 1) + noise)[:, 0, 0]
    ratio = _ratio(table, hand, table.x[in_space, :3], h[:, 0], variance, bearings(hand))
    free = _free(table, hand, in_space, h[:, 0], variance)
    table.emits_log[in_space] += np.log(ratio)
    for row in np.flatnonzero((table.direction_of >= 0) & table.is_confirmed).tolist():
        points, azimuth, width = _along_ray(table, row, hand.sensor)
        weights = _weights(table, row, since_s, hand.rules.objects.horizontal_speed_m_s)
        if weights is None:  # the grid holds no range that it may have
            table.ranges[row] = None
            continue
        variance = width**2 / 12.0 + hand.sensor.mounting_sigma_rad**2
        weighed = weights * _ratio(table, hand, points, azimuth, variance, free)
        table.emits_log[row] += math.log(weighed.sum())
        table.ranges[row] = weighed / weighed.sum()
    table.emits_log = np.clip(table.emits_log, -MOST_CERTAIN_LOG, MOST_CERTAIN_LOG)


def placed(table: TrackTable, hand: ScanInHand, row: int) -> tuple[FloatArray, FloatArray, float] | None:
    """State and covariance in space of a direction whose range is known by now, and how likely it is no chance."""
    weights = table.ranges[row]
    if weights is None:
        return None
    mean = float(weights @ LN_RANGES)
    variance = float(weights @ (LN_RANGES - mean) ** 2) + (LN_RANGES[1] - LN_RANGES[0]) ** 2 / 12.0
    if variance > min(RANGE_KNOWN, RANGE_KNOWN_M / math.exp(mean)) ** 2:
        return None
    s, P = table.x[row : row + 1].copy(), table.P[row : row + 1].copy()
    s[0, 2], s[0, 5] = mean, 0.0
    speed = hand.rules.objects.horizontal_speed_m_s / math.exp(mean)
    for place, value in ((2, variance), (5, speed**2)):
        P[0, place, :] = P[0, :, place] = 0.0
        P[0, place, place] = value
    x, P = direction.to_enu(s, P, table.sensors[int(table.direction_of[row])])
    return x[0], P[0], _no_chance(table, hand, row)


def heard_at(table: TrackTable, row: int, sensor: Sensor) -> float:
    """The azimuth at which a sensor hears a direction, at its likeliest range."""
    weights = table.ranges[row]
    return float(_along_ray(table, row, sensor)[1][int(np.argmax(weights))]) if weights is not None else math.nan


def _no_chance(table: TrackTable, hand: ScanInHand, row: int) -> float:
    _, azimuth, _ = _along_ray(table, row, hand.sensor)
    possible = _prior(table, row) > 0.0
    if not possible.any():
        return 0.0
    share = min(float(np.ptp(np.unwrap(azimuth)[possible])) / (2.0 * math.pi), 1.0)
    declared = hand.sensor.false_alarms_per_scan
    alarms = existence.ASSUMED_FALSE_ALARMS if declared is None else declared
    return 1.0 / (1.0 + share * alarms * table.learned.alarm_ratio(hand.number) / HEARD)


def _along_ray(table: TrackTable, row: int, listener: Sensor) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (k, 3) of a direction at each range, their azimuth from the listener, and how far apart those are."""
    owner = table.sensors[int(table.direction_of[row])]
    s = np.tile(table.x[row], (len(LN_RANGES), 1))
    s[:, 2] = LN_RANGES
    x = np.zeros_like(s)
    x[:, :3] = direction.jacobian(s)[0] @ rotation_of(owner).T + np.array(owner.position_enu_m)
    azimuth = expected(x, listener, (AZIMUTH,))[0][:, 0]
    return x[:, :3], azimuth, np.asarray(np.gradient(np.unwrap(azimuth)))


def _prior(table: TrackTable, row: int) -> FloatArray:
    """Which ranges the direction itself allows, by size and coverage: even in ln range."""
    owner = table.sensors[int(table.direction_of[row])]
    low_m, high_m = direction.to_direction(table.x[row], table.P[row], owner).slant_range_m
    return ((math.log(low_m) <= LN_RANGES) & (math.log(high_m) >= LN_RANGES)).astype(np.float64)


def _weights(table: TrackTable, row: int, since_s: float, speed_m_s: float) -> FloatArray | None:
    """Weights of the ranges, spread over the time that has passed; None where no range of the grid is possible."""
    prior = _prior(table, row)
    before = table.ranges[row]
    weights = prior if before is None else before * prior
    if not weights.sum() > 0.0:
        weights = prior
    if not weights.sum() > 0.0:
        return None
    weights = weights / weights.sum()
    spread = (speed_m_s / np.exp(LN_RANGES)) ** 2 * since_s * STRAIGHT_S  # variance of ln range
    moved = weights * np.minimum(spread / (2.0 * (LN_RANGES[1] - LN_RANGES[0]) ** 2), 0.25)
    spreading = weights - 2.0 * moved
    spreading[1:] += moved[:-1]
    spreading[:-1] += moved[1:]
    spreading[0] += moved[0]
    spreading[-1] += moved[-1]
    return np.asarray(spreading)


def _ratio(
    table: TrackTable,
    hand: ScanInHand,
    points: FloatArray,
    azimuth: FloatArray,
    variance: FloatArray,
    heard: Plots,
) -> FloatArray:
    """Λ (n,) of emitters at these points."""
    ratio = 1.0 - HEARD + HEARD * _likelihood(table, hand, azimuth, variance, heard).sum(axis=1)
    nowhere = np.zeros(len(points))
    inside = existence.looked_at(hand.sensor, hand.scan.looked or (), points, nowhere, nowhere)
    return np.where(inside, ratio, 1.0)


def bearings(hand: ScanInHand) -> Plots:
    """The scan's bearings without elevation."""
    for plots in hand.plots:
        if plots.components == (AZIMUTH,):
            return plots
    return Plots((AZIMUTH,), np.zeros((0, 1)), np.zeros((0, 1, 1)), np.zeros(0, dtype=np.int64))


def _free(table: TrackTable, hand: ScanInHand, in_space: IntArray, azimuth: FloatArray, variance: FloatArray) -> Plots:
    """The bearings that are likelier none of a confirmed track in space."""
    heard = bearings(hand)
    odds = np.exp(table.emits_log[in_space])[:, None] * HEARD * _likelihood(table, hand, azimuth, variance, heard)
    free = ~(odds[table.is_confirmed[in_space]] > 1.0).any(axis=0)
    return Plots(heard.components, heard.z[free], heard.R[free], heard.index[free])


def _likelihood(
    table: TrackTable, hand: ScanInHand, azimuth: FloatArray, variance: FloatArray, heard: Plots
) -> FloatArray:
    """N / λ, shape (n, m), of bearings at these azimuths (n,)."""
    z, R = heard.z[:, 0], heard.R[:, 0, 0]
    y = residual(z[None, :, None], azimuth[:, None, None], (AZIMUTH,))[:, :, 0]
    S = variance[:, None] + R[None, :]
    density = existence.clutter_density(hand.sensor, hand.scan.looked, (AZIMUTH,), z[:, None])
    density = density * table.learned.alarm_ratio(hand.number)
    return np.asarray(np.exp(-0.5 * y**2 / S) / np.sqrt(2.0 * math.pi * S) / density)
