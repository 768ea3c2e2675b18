"""Where the rays of two cameras meet: a position, and, from the rates of both bearings, a velocity.

    camera A ────────────x──────────      the point nearest to both rays, then two rounds of Gauss and Newton on both bearings;
                        /                  they meet where what is left of the innovations lies within the gate, at an open
            camera B ──/                   angle, and where both directions may reach

Source: Bar-Shalom, Li, Kirubarajan (2001), section 3.4, for weighted least squares and the χ² test of the miss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusion import direction
from fusion.association import gate_threshold
from fusion.existence import BoolArray
from fusion.initiation import ObjectModel, speed_covariance
from fusion.measurement import AZIMUTH, ELEVATION, expected, residual, rotation_of, stand_of
from fusion.types import FloatArray, Sensor

LEAST_CROSSING_RAD = math.radians(3.0)  # rays closer to parallel do not tell a range
NEARER, FARTHER = 0.7, 1.4  # of the range interval's ends: so far beyond them a direction may still reach
BEARING = (AZIMUTH, ELEVATION)


@dataclass(frozen=True)
class Ray:
    """A direction track as one sensor sees it: bearing and its rate, with covariance, and how far it may reach."""

    sensor: Sensor
    s: FloatArray  # (6,)
    P: FloatArray  # (6, 6)

    @cached_property
    def unit(self) -> FloatArray:
        """Where it points, ENU, shape (3,)."""
        vector, _ = direction.jacobian(self.s[None, :])
        return np.asarray(rotation_of(self.sensor) @ vector[0] / np.linalg.norm(vector[0]))

    @cached_property
    def reach_m(self) -> tuple[float, float]:
        """Nearest and farthest it may be."""
        low_m, high_m = direction.to_direction(self.s, self.P, self.sensor).slant_range_m
        return NEARER * low_m, FARTHER * high_m

    @cached_property
    def noise(self) -> FloatArray:
        """Of its bearing, with that of the mounting, shape (2, 2)."""
        return self.P[:2, :2] + np.eye(2) * self.sensor.mounting_sigma_rad**2


def crossings(
    pairs: Sequence[tuple[Ray, Ray]], model: ObjectModel, gate_probability: float
) -> list[tuple[FloatArray, FloatArray] | None]:
    """ENU state (6,) and covariance (6, 6) where each two rays meet; None where they do not, or at too sharp an angle."""
    found: list[tuple[FloatArray, FloatArray] | None] = [None] * len(pairs)
    near = {k: point for k, (one, two) in enumerate(pairs) if (point := _nearest(one, two)) is not None}
    if near:
        x, P, meets = _least_squares(np.array(list(near.values())), [pairs[k] for k in near], model, gate_probability)
        for place, k in enumerate(near):
            if meets[place]:
                found[k] = x[place], P[place]
    return found


def _nearest(one: Ray, two: Ray) -> FloatArray | None:
    """The point (3,) that is nearest to both rays; None where one of them does not reach so far."""
    first, second = one.unit, two.unit
    cosine = float(first @ second)
    if abs(cosine) > math.cos(LEAST_CROSSING_RAD):
        return None
    start, other_start = stand_of(one.sensor), stand_of(two.sensor)
    apart = other_start - start
    along_first = float(apart @ (first - cosine * second)) / (1.0 - cosine**2)
    along_second = float(-apart @ (second - cosine * first)) / (1.0 - cosine**2)
    if not (one.reach_m[0] < along_first < one.reach_m[1] and two.reach_m[0] < along_second < two.reach_m[1]):
        return None
    return np.asarray(0.5 * (start + along_first * first + other_start + along_second * second))


def _least_squares(
    points: FloatArray, pairs: Sequence[tuple[Ray, Ray]], model: ObjectModel, gate_probability: float
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """From points (n, 3) on: states (n, 6), covariances (n, 6, 6), and whether each two rays meet there, (n,)."""
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    noise = [np.array([ray.noise for ray in side]) for side in sides]
    weight = [np.linalg.inv(one) for one in noise]
    x = np.zeros((len(pairs), 6))
    x[:, :3] = points
    for _ in range(2):
        information, moved = np.zeros((len(pairs), 3, 3)), np.zeros((len(pairs), 3, 1))
        for side, W in zip(sides, weight, strict=True):
            y, J = _seen(x, side)
            information += J.transpose(0, 2, 1) @ W @ J
            moved += J.transpose(0, 2, 1) @ W @ y[:, :, None]
        information_of_place = information + np.eye(3) * 1e-9
        x[:, :3] += np.linalg.solve(information_of_place, moved)[:, :, 0]
    miss, speed_pull = np.zeros(len(pairs)), np.zeros((len(pairs), 3, 1))
    speed_information = np.tile(np.linalg.inv(speed_covariance(model)), (len(pairs), 1, 1))
    for side, R in zip(sides, noise, strict=True):
        y, J = _seen(x, side)
        miss += (y * np.linalg.solve(R, y[:, :, None])[:, :, 0]).sum(axis=1)
        pull = J.transpose(0, 2, 1) @ np.linalg.inv(np.array([ray.P[3:5, 3:5] for ray in side]))
        speed_information += pull @ J
        speed_pull += pull @ np.array([ray.s[3:5, None] for ray in side])
    P = np.zeros((len(pairs), 6, 6))
    P[:, :3, :3], P[:, 3:, 3:] = np.linalg.inv(information_of_place), np.linalg.inv(speed_information)
    x[:, 3:] = (P[:, 3:, 3:] @ speed_pull)[:, :, 0]
    meets = (miss < gate_threshold(gate_probability, 1)) & np.isfinite(x[:, :3]).all(axis=1)
    return x, 0.5 * (P + P.transpose(0, 2, 1)), meets


def _seen(x: FloatArray, rays: Sequence[Ray]) -> tuple[FloatArray, FloatArray]:
    """How far each ray's bearing lies from where its sensor would see these ENU states, (n, 2), and ∂/∂place, (n, 2, 3)."""
    y, J = np.empty((len(x), 2)), np.empty((len(x), 2, 3))
    places: dict[int, list[int]] = {}
    for k, ray in enumerate(rays):
        places.setdefault(id(ray.sensor), []).append(k)
    for of in places.values():
        h, H = expected(x[of], rays[of[0]].sensor, BEARING)
        y[of], J[of] = residual(np.array([rays[k].s[:2] for k in of]), h, BEARING), H[:, :, :3]
    return y, J
