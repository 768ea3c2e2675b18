"""How the objects of a generated tracking scenario fly: legs of a few seconds, drawn by kind, everything at once in arrays.

    multirotor  (class 0)  hover, straight, turn, abrupt manoeuvre, climb;  5-25 m/s
    fixed wing  (class 1)  straight, turn, climb;                          20-40 m/s
    bird        (class 2)  straight, mostly turning;                        8-16 m/s

A leg sets a wanted velocity; the real one follows it no faster than the kind can accelerate. Where an object nears the edge of
the area it turns home. States are east, north, up and their velocities, metres and seconds; NaN: not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MULTIROTOR, FIXED_WING, BIRD = 0, 1, 2
HOVER, STRAIGHT, TURN, ABRUPT, CLIMB = range(5)  # modes, as truth.npz numbers them
LEG_SHARES = np.array([[0.20, 0.35, 0.20, 0.10, 0.15], [0.0, 0.50, 0.35, 0.0, 0.15], [0.0, 0.30, 0.70, 0.0, 0.0]])
SPEED_M_S = np.array([[5.0, 25.0], [20.0, 40.0], [8.0, 16.0]])
LEG_S = (5.0, 25.0)
USUAL_ACCELERATION_M_S2, ABRUPT_ACCELERATION_M_S2 = 3.0, 15.0
TURN_ACCELERATION_M_S2 = 5.0  # a banked turn of a small aircraft
CLIMB_M_S = (1.0, 4.0)
HEIGHT_M = (15.0, 300.0)
HOME_SHARE = 0.9  # of the radius: beyond it an object turns home


@dataclass(frozen=True, slots=True)
class Flight:
    """What flew: times (k,), states (k, n, 6), modes (k, n), classes (n,)."""

    times_s: Array
    states: Array
    modes: NDArray[np.int8]
    classes: NDArray[np.int8]


def fly(
    classes: NDArray[np.int8], duration_s: float, radius_m: float, random: np.random.Generator, step_s: float
) -> Flight:
    """Objects that start anywhere in the area and fly legs until the end; all of them are there all the time."""
    count = len(classes)
    times_s = np.arange(round(duration_s / step_s) + 1) * step_s
    states, modes = np.empty((len(times_s), count, 6)), np.empty((len(times_s), count), np.int8)
    position = _anywhere(count, radius_m * 0.8, random)
    heading = random.uniform(-np.pi, np.pi, count)
    speed = random.uniform(*SPEED_M_S[classes].T)
    climb, turn = np.zeros(count), np.zeros(count)
    mode = np.full(count, STRAIGHT)
    until_s = np.zeros(count)
    velocity = _velocity(speed, heading, climb)
    for k, time_s in enumerate(times_s):
        over = until_s <= time_s
        mode, speed, heading, climb, turn, until_s = _legs(
            over, classes, time_s, (mode, speed, heading, climb, turn, until_s), random
        )
        outward = (position[:, :2] * velocity[:, :2]).sum(1) > 0
        leaving = (np.hypot(position[:, 0], position[:, 1]) > HOME_SHARE * radius_m) & outward
        heading = np.where(leaving, np.arctan2(-position[:, 0], -position[:, 1]), heading + turn * step_s)
        climb = np.where(position[:, 2] < HEIGHT_M[0], np.abs(climb), climb)
        climb = np.where(position[:, 2] > HEIGHT_M[1], -np.abs(climb), climb)
        states[k], modes[k] = np.concatenate([position, velocity], axis=1), mode
        limit = np.where(mode == ABRUPT, ABRUPT_ACCELERATION_M_S2, USUAL_ACCELERATION_M_S2)
        limit = np.where((mode == TURN) | leaving, TURN_ACCELERATION_M_S2 * 1.5, limit)
        change = _velocity(speed, heading, climb) - velocity
        size = np.maximum(np.linalg.norm(change, axis=1), 1e-12)
        after = velocity + change * np.minimum(1.0, limit * step_s / size)[:, None]
        position = position + step_s * (velocity + after) / 2.0
        velocity = after
    return Flight(times_s, states, modes, classes)


def _anywhere(count: int, radius_m: float, random: np.random.Generator) -> Array:
    distance, azimuth = radius_m * np.sqrt(random.random(count)), random.uniform(-np.pi, np.pi, count)
    height = random.uniform(30.0, 200.0, count)
    return np.stack([distance * np.sin(azimuth), distance * np.cos(azimuth), height], axis=1)


def _velocity(speed: Array, heading: Array, climb: Array) -> Array:
    return np.stack([speed * np.sin(heading), speed * np.cos(heading), climb], axis=1)


def _legs(
    over: NDArray[np.bool_], classes: NDArray[np.int8], time_s: float, now: tuple, random: np.random.Generator
) -> tuple:
    """New legs for those whose leg is over; the draws are the same however many that are, so one object moves no other."""
    count = len(classes)
    draws = random.random((7, count))
    mode, speed, heading, climb, turn, until_s = now
    shares = np.cumsum(LEG_SHARES[classes], axis=1)
    drawn_mode = np.minimum((draws[0][:, None] > shares).sum(1), CLIMB)
    low, high = SPEED_M_S[classes].T
    drawn_speed = np.where(drawn_mode == HOVER, 0.0, low + draws[1] * (high - low))
    drawn_heading = np.where(drawn_mode == ABRUPT, 2.0 * np.pi * draws[2] - np.pi, heading)
    side = np.where(draws[3] < 0.5, -1.0, 1.0)
    sharpness = (0.3 + 0.7 * draws[4]) * TURN_ACCELERATION_M_S2 / np.maximum(drawn_speed, 5.0)
    drawn_turn = np.where(drawn_mode == TURN, side * np.minimum(sharpness, 0.4), 0.0)
    drawn_climb = np.where(drawn_mode == CLIMB, side * (CLIMB_M_S[0] + draws[5] * (CLIMB_M_S[1] - CLIMB_M_S[0])), 0.0)
    ends_s = time_s + LEG_S[0] + draws[6] * (LEG_S[1] - LEG_S[0])
    ends_s = np.where(drawn_mode == ABRUPT, time_s + 2.0 + 3.0 * draws[6], ends_s)
    drawn = (drawn_mode, drawn_speed, drawn_heading, drawn_climb, drawn_turn, ends_s)
    return tuple(
        np.where(over, new, old) for new, old in zip(drawn, (mode, speed, heading, climb, turn, until_s), strict=True)
    )


def come_and_go(flight: Flight, random: np.random.Generator, late_share: float, early_share: float) -> None:
    """Some appear late, some vanish early."""
    end_s, count = flight.times_s[-1], len(flight.classes)
    from_s = np.where(random.random(count) < late_share, random.uniform(0.05, 0.5, count) * end_s, 0.0)
    to_s = np.where(random.random(count) < early_share, random.uniform(0.6, 0.95, count) * end_s, end_s)
    outside = (flight.times_s[:, None] < from_s) | (flight.times_s[:, None] > to_s)
    flight.states[outside] = np.nan


def leave_area(flight: Flight, radius_m: float) -> None:
    """Who is out of the area is not there."""
    with np.errstate(invalid="ignore"):
        flight.states[np.hypot(flight.states[..., 0], flight.states[..., 1]) > radius_m] = np.nan


def cross(flight: Flight, pair_count: int, random: np.random.Generator, apart_m: float = 4.0) -> None:
    """Shift every second object of the first pairs so that it meets its partner, within `apart_m`, somewhere in the middle."""
    for pair in range(pair_count):
        a, b = 2 * pair, 2 * pair + 1
        k = int(random.uniform(0.25, 0.75) * len(flight.times_s))
        gap = random.standard_normal(3) * apart_m / np.sqrt(3.0) / 2.0
        shift = flight.states[k, a, :3] + gap - flight.states[k, b, :3]
        flight.states[:, b, :3] += shift
        lift = max(0.0, HEIGHT_M[0] - float(flight.states[:, [a, b], 2].min()))
        flight.states[:, [a, b], 2] += lift


def swarm(
    sizes: tuple[int, ...], duration_s: float, radius_m: float, random: np.random.Generator, step_s: float
) -> Flight:
    """Swarms of multirotors: a swaying grid of 15 m cells around a leader; each swarm parts at half time."""
    count = sum(sizes)
    leaders = fly(np.zeros(len(sizes), np.int8), duration_s, radius_m * 0.6, random, step_s)
    states = np.empty((len(leaders.times_s), count, 6))
    first = 0
    for number, size in enumerate(sizes):
        side = int(np.ceil(np.sqrt(size)))
        grid = np.stack(np.divmod(np.arange(size), side), axis=1) * 15.0 - side * 7.5
        offset = np.column_stack([grid, random.uniform(-10.0, 10.0, size)]) + random.standard_normal((size, 3)) * 2.0
        after_s = np.clip(leaders.times_s - duration_s / 2.0, 0.0, None)
        parting = np.where(np.arange(size) % 2 == 0, 3.0, -3.0)  # m/s
        position = leaders.states[:, None, number, :3] + offset + _sway(len(leaders.times_s), size, step_s, random)
        position[..., 0] += after_s[:, None] * parting
        position[..., 2] += max(0.0, HEIGHT_M[0] - float(position[..., 2].min()))
        states[:, first : first + size, :3] = position
        states[:, first : first + size, 3:] = np.gradient(position, step_s, axis=0)
        first += size
    modes = np.full(states.shape[:2], STRAIGHT, np.int8)
    return Flight(leaders.times_s, states, modes, np.zeros(count, np.int8))


def _sway(steps: int, count: int, step_s: float, random: np.random.Generator) -> Array:
    """Slow smooth wandering of 1.5 m about one's place, shape (steps, count, 3): a sum of a few slow waves."""
    times_s = (np.arange(steps) * step_s)[:, None, None]
    swaying = np.zeros((steps, count, 3))
    for _ in range(4):
        period_s, phase = random.uniform(6.0, 30.0, (count, 3)), random.uniform(0.0, 2.0 * np.pi, (count, 3))
        swaying += 1.06 * np.sin(2.0 * np.pi * times_s / period_s + phase)
    return swaying


def join(*flights: Flight) -> Flight:
    """All of them in one sky; they must have the same times."""
    return Flight(
        flights[0].times_s,
        np.concatenate([flight.states for flight in flights], axis=1),
        np.concatenate([flight.modes for flight in flights], axis=1),
        np.concatenate([flight.classes for flight in flights]),
    )


def close_encounter(random: np.random.Generator) -> Flight:
    """Four targets in the plane within a metre or two of one another at 40 s, where one of them ends; 81 moments.

    Built outwards from the encounter with white-noise acceleration. Sources: Williams (2015), section VI; García-Fernández
    et al. (2018), section VI.
    """
    psd, half, count = 0.02, 40, 4
    noise = np.linalg.cholesky(psd * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]]))
    states = np.full((2 * half + 1, count, 6), np.nan)
    position = np.array([150.0, 150.0]) + random.standard_normal((count, 2)) * 0.6
    velocity = np.array([1.0, 2.5]) + random.standard_normal((count, 2)) * 0.8
    for way in (1, -1):
        p, v = position.copy(), velocity.copy()
        for k in range(half + 1):
            states[half + way * k, :, :2], states[half + way * k, :, 3:5] = p, v
            w = random.standard_normal((count, 2, 2)) @ noise.T
            p, v = p + way * v + w[..., 0], v + w[..., 1]
    states[:, :, [2, 5]] = 0.0
    states[half + 1 :, 0] = np.nan
    states[:20, 2:] = np.nan  # two are there from the start, two come at 20 s
    times_s = np.arange(2 * half + 1, dtype=float)
    return Flight(times_s, states, np.full(states.shape[:2], STRAIGHT, np.int8), np.zeros(count, np.int8))


def at(flight: Flight, time_s: float) -> Array:
    """States (n, 6) at any time, by cubic Hermite curves between the moments of the flight."""
    step_s = flight.times_s[1] - flight.times_s[0]
    k = int(np.clip(time_s / step_s, 0, len(flight.times_s) - 2))
    a, b = flight.states[k], flight.states[k + 1]
    s = float(np.clip((time_s - flight.times_s[k]) / step_s, 0.0, 1.0))
    if s < 1e-9:
        return a
    near_b, rise = 3 * s**2 - 2 * s**3, s**3 - 2 * s**2 + s
    position = (1 - near_b) * a[:, :3] + near_b * b[:, :3] + step_s * (rise * a[:, 3:] + (s**3 - s**2) * b[:, 3:])
    return np.concatenate([position, a[:, 3:] * (1 - s) + b[:, 3:] * s], axis=1)
