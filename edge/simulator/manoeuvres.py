"""Motions flown by hand, by chance and in company.

    legs      a list of [seconds, speed m/s, turn deg/s, climb m/s] from a point and a heading: transit, turn, climb, dive,
              abrupt stops; straight on after the last
    wander    a seeded smooth stroll about a place: insects, drifting balloons, gulls over a field
    offset    another motion a little aside, earlier or later: one of a flock, a swarm, a formation
    on the ground   another motion, its height taken from the terrain

As all motions, pure functions of time (`motion.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edge.simulator.motion import Motion
from fusion.types import FloatArray

STEP_S = 0.05  # of the integration of legs; a multirotor answers ten times more slowly
SWING_COUNT = 5  # of a stroll, in each axis


class Legs:
    """Speed and climb follow what a leg asks for with a time constant; the heading turns at the leg's rate."""

    def __init__(
        self,
        point_enu_m: Sequence[float],
        heading_deg: float,
        legs: Sequence[Sequence[float]],
        response_s: float,
        start_s: float = 0.0,
    ) -> None:
        table = np.asarray(legs, float)
        ends_s = np.cumsum(table[:, 0])
        self._times_s = np.arange(0.0, ends_s[-1] + STEP_S, STEP_S)
        leg = np.minimum(np.searchsorted(ends_s, self._times_s, side="right"), len(table) - 1)
        asked = table[leg]
        turned_deg = np.concatenate([[0.0], np.cumsum(asked[:-1, 2] * STEP_S)])
        heading_rad = np.radians(heading_deg + turned_deg)
        speed_m_s, climb_m_s = lagged(asked[:, 1], response_s), lagged(asked[:, 3], response_s)
        self._velocity = np.column_stack([speed_m_s * np.sin(heading_rad), speed_m_s * np.cos(heading_rad), climb_m_s])
        steps = 0.5 * (self._velocity[1:] + self._velocity[:-1]) * STEP_S
        self._path = np.asarray(point_enu_m, float) + np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        self._start_s = start_s

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        times_s = times_s + self._start_s
        held_s = np.clip(times_s, 0.0, self._times_s[-1])
        k = np.minimum((held_s / STEP_S).astype(int), len(self._times_s) - 2)
        within_s = (held_s - self._times_s[k])[:, None]
        start, end = self._velocity[k], self._velocity[k + 1]
        on_path = self._path[k] + start * within_s + 0.5 * (end - start) * within_s**2 / STEP_S
        before, after = np.minimum(times_s, 0.0)[:, None], np.maximum(times_s - self._times_s[-1], 0.0)[:, None]
        return np.asarray(on_path + self._velocity[0] * before + self._velocity[-1] * after)


def lagged(asked: FloatArray, response_s: float) -> FloatArray:
    """What follows `asked`, a value every STEP_S, with a first-order lag; begins settled."""
    if response_s <= 0.0:
        return asked
    keep, followed = math.exp(-STEP_S / response_s), np.empty_like(asked)
    now = asked[0]
    for number, value in enumerate(asked):
        now = value + (now - value) * keep
        followed[number] = now
    return followed


class Wander:
    """A sum of slow swings in each axis, carried by a steady drift and brought back after `drift_period_s`."""

    def __init__(
        self,
        point_enu_m: Sequence[float],
        radius_m: float,
        speed_m_s: float,
        chance: np.random.Generator,
        drift_m_s: Sequence[float],
        drift_period_s: float,
    ) -> None:
        self._point, self._drift = np.asarray(point_enu_m, float), np.asarray(drift_m_s, float)
        self._drift_period_s = drift_period_s
        share = chance.uniform(0.3, 1.0, (SWING_COUNT, 3))
        self._swing_m = radius_m * share / np.sqrt((share**2).sum(axis=0)) * np.array([1.0, 1.0, 0.4])
        # the root mean square of a swing's speed is its amplitude times its rate over √2
        rate = speed_m_s / max(radius_m, 1e-3) * chance.uniform(0.5, 1.5, (SWING_COUNT, 3))
        self._rate_rad_s, self._phase = rate, chance.uniform(0.0, 2 * math.pi, (SWING_COUNT, 3))
        self._begin_s = float(chance.uniform(0.0, drift_period_s))

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        angle = times_s[:, None, None] * self._rate_rad_s + self._phase
        gone_s = (times_s + self._begin_s) % self._drift_period_s - self._drift_period_s / 2
        swings = (self._swing_m * np.sin(angle)).sum(axis=1)
        return np.asarray(self._point + swings + gone_s[:, None] * self._drift)


class Offset:
    """Another motion, so far aside and so much earlier, with a stroll of its own about that place."""

    def __init__(self, motion: Motion, aside_enu_m: FloatArray, ahead_s: float, stroll: Wander | None) -> None:
        self._motion, self._aside, self._ahead_s, self._stroll = motion, aside_enu_m, ahead_s, stroll

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        found = self._motion.positions_enu_m(times_s + self._ahead_s) + self._aside
        return found if self._stroll is None else found + self._stroll.positions_enu_m(times_s)


class OnGround:
    """Another motion whose third number counts from the ground."""

    def __init__(self, motion: Motion, ground_up_m: Callable[[FloatArray], FloatArray]) -> None:
        self._motion, self._ground_up_m = motion, ground_up_m

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        found = np.array(self._motion.positions_enu_m(times_s))
        found[:, 2] += self._ground_up_m(found[:, :2])
        return found
