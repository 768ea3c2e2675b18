"""What is out there: objects with a motion each, seeded, the same at any moment however often it is asked.

A world knows nothing of sensors. Sensors ask it where things are at a time, and see of that what they can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.simulator.motion import Flapping, Motion, velocity_enu_m_s
from fusion.types import FloatArray

STANDING_M_S = 0.3  # slower than this a multirotor keeps its nose where it was: north


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What a cooperative drone says of itself by Remote ID."""

    serial: str
    operator_id: str
    operator_enu_m: tuple[float, float, float]
    horizontal_sigma_m: float
    vertical_sigma_m: float


@dataclass(frozen=True, slots=True)
class WorldObject:
    object_id: str
    class_name: str  # one of fusion.types.CLASSES
    shape: str  # one of edge.simulator.silhouettes
    size_m: float  # its largest dimension
    cross_section_m2: float  # to radar
    motion: Motion
    broadcast: Broadcast | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object at one time."""

    object: WorldObject
    position_enu_m: FloatArray  # (3,)
    velocity_enu_m_s: FloatArray  # (3,)
    heading_rad: float  # where the nose points, clockwise from true north
    cycle: float  # rotors or wings, 0..1 of their cycle


class World:
    """All objects of a scenario. Time is seconds since its start."""

    def __init__(self, objects: tuple[WorldObject, ...]) -> None:
        self.objects = objects

    def at(self, time_s: float) -> tuple[Sighting, ...]:
        return tuple(sight(thing, time_s) for thing in self.objects)


def sight(thing: WorldObject, time_s: float) -> Sighting:
    velocity = velocity_enu_m_s(thing.motion, time_s)
    is_moving = math.hypot(velocity[0], velocity[1]) > STANDING_M_S
    heading_rad = math.atan2(velocity[0], velocity[1]) if is_moving else 0.0
    return Sighting(thing, thing.motion.position_enu_m(time_s), velocity, heading_rad, cycle(thing, time_s))


def cycle(thing: WorldObject, time_s: float) -> float:
    """Where rotors or wings are: a multirotor's blur past, a bird's beat 3 to 12 times a second, faster the smaller."""
    if thing.class_name != "bird":
        return 61.3 * time_s % 1.0
    if isinstance(thing.motion, Flapping) and not thing.motion.is_flapping(time_s):
        return 0.97  # wings bowed in a glide, hands lower than elbows, as gulls hold them
    beats_hz = min(12.0, max(3.0, 3.6 / max(thing.size_m, 0.1)))
    return beats_hz * time_s % 1.0
