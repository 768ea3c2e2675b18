"""How things move through a simulated sky: each motion gives positions for any times, and comes round again.

    circuit     a smooth closed curve through points, flown at constant speed
    waypoints   straight legs: speed up, cruise, brake, hover, turn to the next; back to the first at the end
    hover       holding a point in the wind
    flapping    a circuit in bursts of wing beats: climbing while it flaps, sinking while it glides
    soaring     circles in a thermal that wanders and lifts
    still       fixed to the ground

`manoeuvres.py` has the ones that are flown by hand or by chance. A motion is a pure function of time, so that any moment can
be asked for at any time, in any order, and many at once. All repeat after `period_s` (or stand), so that a run of hours needs
no more memory than one of seconds. Times are s, shape (n,); positions ENU metres, shape (n, 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.interpolate import CubicSpline

from fusion.types import FloatArray

DIFFERENCE_S = 0.01  # velocities are central differences over this: within 1 mm/s of the curve's own at 5 m/s²


class Motion(Protocol):
    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        """East, north, up in m, shape (n, 3)."""


def position_enu_m(motion: Motion, time_s: float) -> FloatArray:
    """East, north, up in m, shape (3,)."""
    return np.asarray(motion.positions_enu_m(np.array([time_s]))[0])


def velocity_enu_m_s(motion: Motion, time_s: float) -> FloatArray:
    """East, north, up in m/s, shape (3,)."""
    return positions_and_velocities(motion, np.array([time_s]))[1][0]


def positions_and_velocities(motion: Motion, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both at once, shape (n, 3) each, m and m/s."""
    count = len(times_s)
    asked = np.concatenate([times_s, times_s + DIFFERENCE_S, times_s - DIFFERENCE_S])
    found = motion.positions_enu_m(asked)
    return found[:count], (found[count : 2 * count] - found[2 * count :]) / (2 * DIFFERENCE_S)


class Still:
    def __init__(self, point_enu_m: Sequence[float]) -> None:
        self._point = np.asarray(point_enu_m, float)

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        return np.tile(self._point, (len(times_s), 1))


class Circuit:
    """A periodic cubic spline through the points, walked by arc length."""

    def __init__(self, points_enu_m: Sequence[Sequence[float]], speed_m_s: float, start_s: float = 0.0) -> None:
        points = np.asarray(points_enu_m, float)
        closed = np.vstack([points, points[:1]])
        chord_m = np.linalg.norm(np.diff(closed, axis=0), axis=1)
        spline = CubicSpline(np.concatenate([[0.0], np.cumsum(np.sqrt(chord_m))]), closed, bc_type="periodic")
        along = np.linspace(0.0, spline.x[-1], 400 * len(points) + 1)
        curve = spline(along)
        arc_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
        # a spline again, over arc length: straight lines between samples would make the velocity jump
        self._curve = CubicSpline(arc_m[::20], np.vstack([curve[:-1:20], curve[:1]]), bc_type="periodic")
        self._length_m, self._speed_m_s, self._start_s = float(arc_m[-1]), speed_m_s, start_s
        self.period_s = self._length_m / speed_m_s

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        return np.asarray(self._curve((times_s + self._start_s) * self._speed_m_s % self._length_m))


class Waypoints:
    """Stop and go: every leg starts and ends at rest, with `acceleration_m_s2` between."""

    def __init__(
        self,
        points_enu_m: Sequence[Sequence[float]],
        speed_m_s: float,
        hover_s: float = 2.0,
        acceleration_m_s2: float = 2.5,
        start_s: float = 0.0,
    ) -> None:
        self._points = np.asarray(points_enu_m, float)
        following = np.roll(self._points, -1, axis=0)
        self._length_m = np.linalg.norm(following - self._points, axis=1)
        self._direction = (following - self._points) / self._length_m[:, None]
        self._speed_m_s, self._acceleration_m_s2 = speed_m_s, acceleration_m_s2
        self._moving_s = np.array([leg_duration_s(length, speed_m_s, acceleration_m_s2) for length in self._length_m])
        self._begin_s = np.concatenate([[0.0], np.cumsum(self._moving_s + hover_s)])
        self._start_s, self.period_s = start_s, float(self._begin_s[-1])

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        times_s = (times_s + self._start_s) % self.period_s
        leg = np.searchsorted(self._begin_s, times_s, side="right") - 1
        leg = np.minimum(leg, len(self._points) - 1)
        gone_m = leg_distance_m(
            times_s - self._begin_s[leg],
            self._length_m[leg],
            self._moving_s[leg],
            self._speed_m_s,
            self._acceleration_m_s2,
        )
        return np.asarray(self._points[leg] + gone_m[:, None] * self._direction[leg])


def leg_duration_s(length_m: float, speed_m_s: float, acceleration_m_s2: float) -> float:
    """From rest to rest. A short leg never reaches the cruising speed."""
    braking_m = speed_m_s**2 / acceleration_m_s2  # speeding up and braking together
    if length_m < braking_m:
        return 2.0 * math.sqrt(length_m / acceleration_m_s2)
    return 2.0 * speed_m_s / acceleration_m_s2 + (length_m - braking_m) / speed_m_s


def leg_distance_m(
    times_s: FloatArray, length_m: FloatArray, whole_s: FloatArray, speed_m_s: float, acceleration_m_s2: float
) -> FloatArray:
    """How far along its leg of whole_s each time is; stays at its end."""
    is_second_half = times_s > whole_s / 2  # the second half is the first, mirrored
    since_end_s = np.where(is_second_half, np.maximum(whole_s - times_s, 0.0), times_s)
    faster_s = np.minimum(since_end_s, speed_m_s / acceleration_m_s2)
    gone_m = 0.5 * acceleration_m_s2 * faster_s**2 + speed_m_s * (since_end_s - faster_s)
    return np.asarray(np.where(is_second_half, length_m - gone_m, gone_m))


class Hover:
    """A point held in gusts: a few slow swings of 0.1 to 0.4 m."""

    def __init__(self, point_enu_m: Sequence[float], gust_m: float, chance: np.random.Generator) -> None:
        self._point = np.asarray(point_enu_m, float)
        self._swing_m = gust_m * chance.uniform(0.2, 0.6, (4, 3)) * np.array([1.0, 1.0, 0.4])
        self._period_s = chance.uniform(3.0, 11.0, (4, 1))
        self._phase = chance.uniform(0.0, 2 * math.pi, (4, 3))

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        angle = 2 * math.pi * times_s[:, None, None] / self._period_s + self._phase
        return np.asarray(self._point + (self._swing_m * np.sin(angle)).sum(axis=1))


class Flapping:
    """A bird on its rounds: flaps 2 to 4 s and gains, glides 1 to 3 s and sinks; a little unsteady sideways."""

    def __init__(
        self,
        points_enu_m: Sequence[Sequence[float]],
        speed_m_s: float,
        chance: np.random.Generator,
        bounding_m: float = 0.8,
        start_s: float = 0.0,
    ) -> None:
        self._circuit = Circuit(points_enu_m, speed_m_s, start_s)
        self.period_s = self._circuit.period_s
        self._bounding_m = bounding_m
        self._bout_s = float(chance.uniform(3.5, 6.0))
        self._phase = chance.uniform(0.0, 2 * math.pi, 3)

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        bout = 2 * math.pi * times_s / self._bout_s
        up_m = self._bounding_m * np.sin(bout + self._phase[0])
        aside_m = 0.5 * self._bounding_m * np.sin(0.37 * bout[:, None] + self._phase[1:])
        return np.asarray(self._circuit.positions_enu_m(times_s) + np.column_stack([aside_m, up_m]))

    def is_flapping(self, time_s: float) -> bool:
        """While it climbs."""
        return math.cos(2 * math.pi * time_s / self._bout_s + self._phase[0]) > -0.3


class Soaring:
    """Circles around a thermal that wanders; rising half of `lift_period_s`, sinking the other half."""

    def __init__(
        self,
        centre_enu_m: Sequence[float],
        radius_m: float,
        speed_m_s: float,
        lift_m: float = 15.0,
        lift_period_s: float = 90.0,
        start_s: float = 0.0,
    ) -> None:
        self._centre = np.asarray(centre_enu_m, float)
        self._radius_m, self._turn_rate_rad_s = radius_m, speed_m_s / radius_m
        self._lift_m, self._lift_period_s, self._start_s = lift_m, lift_period_s, start_s

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        turned = self._turn_rate_rad_s * (times_s + self._start_s)
        slow = 2 * math.pi * (times_s + self._start_s) / self._lift_period_s
        level = np.zeros_like(slow)
        circle = np.column_stack([np.sin(turned), np.cos(turned), level]) * self._radius_m
        drift = np.column_stack([np.sin(0.7 * slow), np.cos(0.4 * slow), level]) * self._radius_m
        lift = np.column_stack([level, level, self._lift_m * 0.5 * np.sin(slow)])
        return np.asarray(self._centre + circle + drift + lift)
