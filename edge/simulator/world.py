"""What is out there: objects with a motion each, seeded, the same at any moment however often it is asked.

A world knows nothing of sensors. Sensors ask it where things are at a time, and see of that what they can. Who looks at a
steady rate asks through a `Timeline`, which works out many moments at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.simulator.motion import Flapping, Motion, positions_and_velocities
from edge.simulator.terrain import Terrain
from fusion.types import FloatArray

STANDING_M_S = 0.3  # slower than this a multirotor keeps its nose where it was: north
BLOCK = 64  # moments worked out at once
BLOCKS_KEPT = 4  # of one timeline

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What a cooperative drone says of itself by Remote ID, and what a lying one says."""

    serial: str
    operator_id: str
    operator_enu_m: tuple[float, float, float]
    horizontal_sigma_m: float
    vertical_sigma_m: float
    shifted_enu_m: tuple[float, float, float] = (0.0, 0.0, 0.0)  # claimed minus true
    delay_s: float = 0.0  # how old the position is that it sends
    from_s: float = 0.0
    until_s: float = math.inf
    transmitter: str | None = None  # left out: its radio address follows from its serial


@dataclass(frozen=True, slots=True)
class WorldObject:
    object_id: str
    class_name: str  # one of fusion.types.CLASSES
    shape: str  # one of edge.simulator.silhouettes
    size_m: float  # its largest dimension
    cross_section_m2: float  # to radar
    motion: Motion
    broadcast: Broadcast | None = None
    from_s: float = 0.0  # it is there from then
    until_s: float = math.inf
    is_real: bool = True  # False: a forgery, in no truth: injected pictures, a radio that claims a drone
    seen_by: tuple[str, ...] | None = None  # ids of the sensors that can see it; None: all
    heat: float = 1.0  # contrast by heat, against a drone's
    looks_like: str | None = None  # the class it is mistaken for by a detector
    radio_reach_m: float | None = None  # where its control or video link is just heard; None: it transmits nothing
    sound_reach_m: float | None = None  # where it is just heard in calm air


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object at one time."""

    object: WorldObject
    position_enu_m: FloatArray  # (3,)
    velocity_enu_m_s: FloatArray  # (3,)
    heading_rad: float  # where the nose points, clockwise from true north
    cycle: float  # rotors or wings, 0..1 of their cycle


@dataclass(frozen=True, slots=True)
class Moment:
    """All objects at one time, in the world's order."""

    time_s: float
    position_enu_m: FloatArray  # (n, 3)
    velocity_enu_m_s: FloatArray  # (n, 3)
    exists: BoolArray  # (n,)


class World:
    """All objects of a scenario and the ground. Time is seconds since its start."""

    def __init__(self, objects: tuple[WorldObject, ...], terrain: Terrain | None = None) -> None:
        self.objects, self.terrain = objects, terrain
        self._from_s = np.array([thing.from_s for thing in objects])
        self._until_s = np.array([thing.until_s for thing in objects])

    def at(self, time_s: float) -> tuple[Sighting, ...]:
        """What is there, forgeries included."""
        moment = self.moments(np.array([time_s]))[0]
        return tuple(sight(self.objects[index], moment, index) for index in np.flatnonzero(moment.exists))

    def moments(self, times_s: FloatArray) -> list[Moment]:
        """Many times at once."""
        shape = (len(times_s), len(self.objects), 3)
        positions, velocities = np.zeros(shape), np.zeros(shape)
        for index, thing in enumerate(self.objects):
            positions[:, index], velocities[:, index] = positions_and_velocities(thing.motion, times_s)
        exists = (times_s[:, None] >= self._from_s) & (times_s[:, None] < self._until_s)
        return [Moment(float(time_s), positions[k], velocities[k], exists[k]) for k, time_s in enumerate(times_s)]

    def visible_to(self, sensor_id: str) -> BoolArray:
        """Which objects this sensor could see at all; shape (n,)."""
        return np.array([visible_to(thing, sensor_id) for thing in self.objects], bool)

    def is_seen(self, here_enu_m: FloatArray, there_enu_m: FloatArray) -> BoolArray:
        """Whether no ground stands between; shape (n,)."""
        if self.terrain is None:
            return np.ones(len(there_enu_m), bool)
        return np.asarray(self.terrain.is_seen(here_enu_m, there_enu_m), bool)


class Timeline:
    """A world seen so many times a second, by the number of the look."""

    def __init__(self, world: World, rate_hz: float) -> None:
        self._world, self._rate_hz = world, rate_hz
        self._blocks: dict[int, list[Moment]] = {}

    def at(self, number: int) -> Moment:
        block, within = divmod(number, BLOCK)
        if block not in self._blocks:
            while len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block] = self._world.moments((block * BLOCK + np.arange(BLOCK)) / self._rate_hz)
        return self._blocks[block][within]


def visible_to(thing: WorldObject, sensor_id: str) -> bool:
    return thing.seen_by is None or sensor_id in thing.seen_by


def sight(thing: WorldObject, moment: Moment, index: int) -> Sighting:
    velocity = moment.velocity_enu_m_s[index]
    is_moving = math.hypot(velocity[0], velocity[1]) > STANDING_M_S
    heading_rad = math.atan2(velocity[0], velocity[1]) if is_moving else 0.0
    return Sighting(thing, moment.position_enu_m[index], velocity, heading_rad, cycle(thing, moment.time_s))


def cycle(thing: WorldObject, time_s: float) -> float:
    """Where rotors or wings are: a multirotor's blur past, a bird's beat 3 to 12 times a second, faster the smaller."""
    if thing.class_name != "bird":
        return 61.3 * time_s % 1.0
    if isinstance(thing.motion, Flapping) and not thing.motion.is_flapping(time_s):
        return 0.97  # wings bowed in a glide, hands lower than elbows, as gulls hold them
    beats_hz = min(12.0, max(3.0, 3.6 / max(thing.size_m, 0.1)))
    return beats_hz * time_s % 1.0
