"""The `[[object]]` tables of a scenario: what is really there, what only pretends to be, and its motion.

[[object]]            id, class, shape, size, cross section, motion, a broadcast where it sends one
  from_s, until_s     when it is there: taken off, landed, switched on
  is_real = false     a forgery: injected into a camera's picture (`seen_by`), or a radio that claims a drone; in no truth
  copies = { … }      a flock, a swarm, insects: as many more, each a little aside, earlier or later
  looks_like          what a detector takes it for: a decoy
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from edge.simulator.manoeuvres import Legs, Offset, OnGround, Wander
from edge.simulator.motion import Circuit, Flapping, Hover, Motion, Soaring, Still, Waypoints
from edge.simulator.silhouettes import SHAPES
from edge.simulator.terrain import Terrain
from edge.simulator.weather import Scene
from edge.simulator.world import Broadcast, WorldObject
from edge.site_keys import Key, Place, read_keys
from fusion.types import CLASSES

MOST_COPIES = 2000
OBJECT_KEYS = (
    Key("id", "text", "its name in the truth file"),
    Key("class", "text", "what it is", choices=CLASSES),
    Key("shape", "text", "its outline; left out: that of its class", None, choices=tuple(SHAPES)),
    Key("size_m", "number", "its largest dimension", above=0.0, at_most=100.0),
    Key("cross_section_m2", "number", "to radar", above=0.0, at_most=1000.0),
    Key("motion", "table", "how it moves"),
    Key("broadcast", "table", "its Remote ID; left out: silent", None),
    Key("from_s", "number", "it is there from then", 0.0, at_least=0.0),
    Key("until_s", "number", "it is gone from then; left out: never", math.inf, above=0.0),
    Key("is_real", "yes_no", "false: a forgery, in no truth", True),
    Key("seen_by", "texts", "ids of the sensors that can see it; left out: all", None),
    Key("heat", "number", "contrast by heat, against a drone's", 1.0, at_least=0.0, at_most=10.0),
    Key("looks_like", "text", "the class a detector takes it for; left out: its own", None, choices=CLASSES),
    Key("radio_reach_m", "number", "where its link is just heard; left out: silent", None, above=0.0),
    Key("sound_reach_m", "number", "where it is just heard in calm air; left out: silent", None, above=0.0),
    Key("copies", "table", "more of its kind around it", None),
)
BROADCAST_KEYS = (
    Key("serial", "text", "serial number, CTA-2063"),
    Key("operator_id", "text", "registration of the operator"),
    Key("operator_enu_m", "numbers", "where the operator stands", count=3),
    Key("horizontal_sigma_m", "number", "error of its receiver", 1.5, above=0.0),
    Key("vertical_sigma_m", "number", "error of its receiver", 3.0, above=0.0),
    Key("shifted_enu_m", "numbers", "claimed minus true position: a lie", [0.0, 0.0, 0.0], count=3),
    Key("delay_s", "number", "how old the position is that it sends", 0.0, at_least=0.0, at_most=60.0),
    Key("from_s", "number", "it broadcasts from then", 0.0, at_least=0.0),
    Key("until_s", "number", "and is silent from then; left out: never", math.inf, above=0.0),
    Key("transmitter", "text", "name its radio address is made from; left out: its serial", None),
)
COPIES_KEYS = (
    Key("count", "integer", "how many more", at_least=1, at_most=MOST_COPIES),
    Key("spread_m", "number", "1-sigma of their places about the first", 15.0, at_least=0.0),
    Key("spread_s", "number", "how far ahead or behind on the same path, 1-sigma", 0.0, at_least=0.0),
    Key("stroll_m", "number", "how far each strays on its own", 0.0, at_least=0.0),
    Key("stroll_m_s", "number", "and how fast", 1.0, at_least=0.0),
)
SPEED = Key("speed_m_s", "number", "along the path", above=0.0, at_most=400.0)
START = Key("start_s", "number", "how far along it is at second 0", 0.0)
POINT = Key("point_enu_m", "numbers", "where it is", count=3)
MOTION_KEYS: dict[str, tuple[Key, ...]] = {
    "circuit": (SPEED, START),
    "waypoints": (
        SPEED,
        Key("hover_s", "number", "pause at each point", 2.0, at_least=0.0),
        Key("acceleration_m_s2", "number", "speeding up and braking", 2.5, above=0.0),
        START,
    ),
    "hover": (POINT, Key("gust_m", "number", "how far gusts move it in a breeze of 3 m/s", 0.3, at_least=0.0)),
    "flapping": (SPEED, Key("bounding_m", "number", "rise and fall between bouts", 0.8, at_least=0.0), START),
    "soaring": (
        POINT,
        SPEED,
        Key("radius_m", "number", "of its circles", above=0.0),
        Key("lift_m", "number", "between its lowest and highest", 15.0, at_least=0.0),
        Key("lift_period_s", "number", "time for both", 90.0, above=0.0),
        START,
    ),
    "still": (POINT,),
    "legs": (
        POINT,
        Key("heading_deg", "number", "at first", at_least=-360.0, at_most=360.0),
        Key("response_s", "number", "time constant of its speed; 0: at once", 0.3, at_least=0.0, at_most=10.0),
        START,
    ),
    "wander": (
        POINT,
        SPEED,
        Key("radius_m", "number", "of its stroll", above=0.0),
        Key("drifts", "yes_no", "with the wind", False),
        Key("drift_period_s", "number", "after which it begins anew upwind", 60.0, above=0.0),
    ),
}
ON_GROUND = Key("on_ground", "yes_no", "heights count from the ground", False)
THROUGH_POINTS = ("circuit", "waypoints", "flapping")  # these take points_enu_m, two or more


def object_of(
    table: dict[str, Any], seed: int, scene: Scene, terrain: Terrain | None, place: Place
) -> list[WorldObject]:
    """One table's object, and its copies. Raises SiteFileError."""
    values = read_keys(table, OBJECT_KEYS, place)
    shape = values["shape"] or values["class"]
    if shape not in SHAPES:
        raise place.missing("shape", "one of " + ", ".join(SHAPES))
    chance = np.random.default_rng([seed, zlib.crc32(values["id"].encode())])
    thing = WorldObject(
        values["id"],
        values["class"],
        shape,
        values["size_m"],
        values["cross_section_m2"],
        motion_of(values["motion"], chance, scene, terrain, place.within("motion")),
        broadcast_of(values["broadcast"], place),
        values["from_s"],
        values["until_s"],
        values["is_real"],
        None if values["seen_by"] is None else tuple(values["seen_by"]),
        values["heat"],
        values["looks_like"],
        values["radio_reach_m"],
        values["sound_reach_m"],
    )
    if values["copies"] is None:
        return [thing]
    told = read_keys(values["copies"], COPIES_KEYS, place.within("copies"))
    return [thing, *(copy_of(thing, number, told, chance) for number in range(2, told["count"] + 2))]


def copy_of(thing: WorldObject, number: int, told: dict[str, Any], chance: np.random.Generator) -> WorldObject:
    """The flock's next; its serial, where it broadcasts, is its own."""
    aside = chance.normal(0.0, told["spread_m"], 3) * np.array([1.0, 1.0, 0.4])
    ahead_s = float(chance.normal(0.0, told["spread_s"]))
    stroll = None
    if told["stroll_m"] > 0.0:
        stroll = Wander([0.0, 0.0, 0.0], told["stroll_m"], told["stroll_m_s"], chance, [0.0, 0.0, 0.0], 60.0)
    said = thing.broadcast
    if said is not None:
        said = replace(said, serial=f"{said.serial[: 20 - len(str(number)) - 1]}-{number}", transmitter=None)
    motion = Offset(thing.motion, aside, ahead_s, stroll)
    return replace(thing, object_id=f"{thing.object_id}-{number}", motion=motion, broadcast=said)


def broadcast_of(table: Any, place: Place) -> Broadcast | None:
    if table is None:
        return None
    said = read_keys(table, BROADCAST_KEYS, place.within("broadcast"))
    points = {name: tuple(said[name]) for name in ("operator_enu_m", "shifted_enu_m")}
    return Broadcast(**said | points)


def motion_of(
    table: dict[str, Any], chance: np.random.Generator, scene: Scene, terrain: Terrain | None, place: Place
) -> Motion:
    rest = dict(table)
    kind = rest.pop("kind", None)
    if kind not in MOTION_KEYS:
        raise place.found("kind", kind, "one of " + ", ".join(MOTION_KEYS))
    points = points_of(rest.pop("points_enu_m", None), place) if kind in THROUGH_POINTS else []
    legs = legs_of(rest.pop("legs", None), place) if kind == "legs" else []
    values = read_keys(rest, (*MOTION_KEYS[kind], ON_GROUND), place)
    on_ground = values.pop("on_ground")
    motion = motion_from(kind, points, legs, values, chance, scene)
    return OnGround(motion, terrain.ground_up_m) if on_ground and terrain is not None else motion


def motion_from(
    kind: str,
    points: list[list[float]],
    legs: list[list[float]],
    values: dict[str, Any],
    chance: np.random.Generator,
    scene: Scene,
) -> Motion:
    match kind:
        case "circuit":
            return Circuit(points, **values)
        case "waypoints":
            return Waypoints(points, **values)
        case "flapping":
            return Flapping(points, chance=chance, **values)
        case "hover":
            return Hover(values["point_enu_m"], values["gust_m"] * scene.gusts, chance)
        case "soaring":
            return Soaring(values.pop("point_enu_m"), **values)
        case "legs":
            return Legs(values["point_enu_m"], values["heading_deg"], legs, values["response_s"], values["start_s"])
        case "wander":
            drift = scene.wind_enu_m_s if values["drifts"] else (0.0, 0.0, 0.0)
            return Wander(
                values["point_enu_m"], values["radius_m"], values["speed_m_s"], chance, drift, values["drift_period_s"]
            )
    return Still(values["point_enu_m"])


def points_of(found: Any, place: Place) -> list[list[float]]:
    """Two or more different points of three numbers each."""
    expected = "two or more different points [east, north, up]"
    if found is None:
        raise place.missing("points_enu_m", expected)
    if not is_rows(found, 3) or len(found) < 2:
        raise place.found("points_enu_m", found, expected)
    if any(one == following for one, following in zip(found, [*found[1:], found[0]], strict=True)):
        raise place.found("points_enu_m", "a point that follows itself", expected)
    return [[float(v) for v in point] for point in found]


def legs_of(found: Any, place: Place) -> list[list[float]]:
    """One or more legs of four numbers each, of an hour at most."""
    expected = "one or more legs [seconds, speed m/s, turn deg/s, climb m/s]"
    if found is None:
        raise place.missing("legs", expected)
    if not is_rows(found, 4) or not found or any(leg[0] <= 0 for leg in found) or sum(leg[0] for leg in found) > 3600:
        raise place.found("legs", found, expected)
    return [[float(v) for v in leg] for leg in found]


def is_rows(found: Any, width: int) -> bool:
    """Whether this is a list of lists of so many numbers."""
    return isinstance(found, list) and all(
        isinstance(row, list) and len(row) == width and all(type(v) in (int, float) for v in row) for row in found
    )
