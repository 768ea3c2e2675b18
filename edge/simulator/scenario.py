"""A scenario file: a post as its site file would describe it, and the world around it. TOML, degrees, metres, seconds.

    [scenario]              name, words, seed, start
    [scene]                 light, clouds, how far one sees
    [site] [tracker]        as in a site file
    [[sensor]]              as in a site file, but with `simulate` (what really happens there) in place of `device`
    [[object]]              what flies: id, class, size, motion, and a broadcast where it sends one

What a sensor says of itself stands in the site's part; what is true stands in `simulate`. Where both agree the post is
honest; a scenario that wants a crooked mounting or an optimistic accuracy writes them apart.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge.simulator.motion import Circuit, Flapping, Hover, Motion, Soaring, Still, Waypoints
from edge.simulator.silhouettes import SHAPES
from edge.simulator.site_text import site_text
from edge.simulator.world import Broadcast, World, WorldObject
from edge.site_file import Site, parse_site
from edge.site_keys import Key, Place, SiteFileError, read_keys, shown
from fusion.types import CLASSES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE_BYTES = 1_000_000

SCENARIO_KEYS = (
    Key("name", "text", "short name, also of the file"),
    Key("words", "text", "what happens"),
    Key("seed", "integer", "start of all chance", 0, at_least=0),
    Key("start", "text", "UTC of second 0 in simulated recordings", "2026-06-21T10:00:00Z"),
)
SCENE_KEYS = (
    Key("light", "text", "hour of the day", "day", choices=("day", "dusk")),
    Key("cloudiness", "number", "0 clear, 1 overcast", 0.4, at_least=0.0, at_most=1.0),
    Key("visibility_m", "number", "where contrast has fallen to 5 %", 8000.0, above=10.0),
)
OBJECT_KEYS = (
    Key("id", "text", "its name in the truth file"),
    Key("class", "text", "what it is", choices=CLASSES),
    Key("shape", "text", "its outline; left out: that of its class", None, choices=tuple(SHAPES)),
    Key("size_m", "number", "its largest dimension", above=0.0, at_most=100.0),
    Key("cross_section_m2", "number", "to radar", above=0.0, at_most=1000.0),
    Key("motion", "table", "how it moves"),
    Key("broadcast", "table", "its Remote ID; left out: silent", None),
)
BROADCAST_KEYS = (
    Key("serial", "text", "serial number, CTA-2063"),
    Key("operator_id", "text", "registration of the operator"),
    Key("operator_enu_m", "numbers", "where the operator stands", count=3),
    Key("horizontal_sigma_m", "number", "error of its receiver", 1.5, above=0.0),
    Key("vertical_sigma_m", "number", "error of its receiver", 3.0, above=0.0),
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
    "hover": (POINT, Key("gust_m", "number", "how far gusts move it", 0.3, at_least=0.0)),
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
}
THROUGH_POINTS = ("circuit", "waypoints", "flapping")  # these take points_enu_m, two or more


class ScenarioError(Exception):
    """One line: file, place, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class Scene:
    light: str
    cloudiness: float
    visibility_m: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    name: str
    words: str
    seed: int
    start_ns: int
    scene: Scene
    world: World
    site: Site  # as the post would read it; its devices are not opened
    simulate: dict[str, dict[str, Any]]  # sensor id -> what really happens there, as written
    tables: dict[str, Any]  # the file as TOML gave it
    file: str


def read_scenario(path: Path) -> Scenario:
    """Raises ScenarioError, one line."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE_BYTES + 1)
        if len(data) > LARGEST_FILE_BYTES:
            raise ScenarioError(f"{path}: more than {LARGEST_FILE_BYTES} bytes; a scenario is a short TOML file")
        return parse_scenario(data.decode(), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: byte {error.start} is not UTF-8; expected TOML text") from error


def parse_scenario(text: str, file: str) -> Scenario:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: is not TOML: {error}") from error
    try:
        return build(tables, file)
    except SiteFileError as error:
        raise ScenarioError(str(error)) from error


def build(tables: dict[str, Any], file: str) -> Scenario:
    head = read_keys(section(tables, "scenario", file), SCENARIO_KEYS, Place(file, "[scenario]"))
    scene = read_keys(tables.get("scene", {}), SCENE_KEYS, Place(file, "[scene]"))
    simulate = {
        str(sensor.get("id")): sensor.get("simulate", {})
        for sensor in several(tables, "sensor", file)
        if isinstance(sensor.get("simulate", {}), dict)
    }
    return Scenario(
        head["name"],
        head["words"],
        head["seed"],
        start_ns_of(head["start"], file),
        Scene(**scene),
        World(objects_of(tables, head["seed"], file)),
        parse_site(site_text(tables), file),
        simulate,
        tables,
        file,
    )


def section(tables: dict[str, Any], name: str, file: str) -> Any:
    if name not in tables:
        raise SiteFileError(f"{file}: [{name}] is missing")
    return tables[name]


def several(tables: dict[str, Any], name: str, file: str) -> list[dict[str, Any]]:
    """The tables of [[name]]; at least one."""
    found = section(tables, name, file)
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise SiteFileError(f"{file}: {name} is {shown(found)}; expected one or more [[{name}]]")
    return found


def start_ns_of(text: str, file: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError as error:
        expected = "UTC such as 2026-06-21T10:00:00Z"
        raise SiteFileError(f"{file}: [scenario]: start is {shown(text)}; expected {expected}") from error
    return int(moment.timestamp()) * 1_000_000_000


def objects_of(tables: dict[str, Any], seed: int, file: str) -> tuple[WorldObject, ...]:
    objects: dict[str, WorldObject] = {}
    for number, table in enumerate(several(tables, "object", file), 1):
        place = Place(file, f'object "{table["id"]}"' if isinstance(table.get("id"), str) else f"object {number}")
        thing = object_of(read_keys(table, OBJECT_KEYS, place), seed, place)
        if thing.object_id in objects:
            raise place.error("this id is used twice; expected one of its own")
        objects[thing.object_id] = thing
    return tuple(objects.values())


def object_of(values: dict[str, Any], seed: int, place: Place) -> WorldObject:
    shape = values["shape"] or values["class"]
    if shape not in SHAPES:
        raise place.missing("shape", "one of " + ", ".join(SHAPES))
    chance = np.random.default_rng([seed, zlib.crc32(values["id"].encode())])
    broadcast = None
    if values["broadcast"] is not None:
        said = read_keys(values["broadcast"], BROADCAST_KEYS, place.within("broadcast"))
        broadcast = Broadcast(**said | {"operator_enu_m": tuple(said["operator_enu_m"])})
    motion = motion_of(values["motion"], chance, place.within("motion"))
    return WorldObject(
        values["id"], values["class"], shape, values["size_m"], values["cross_section_m2"], motion, broadcast
    )


def motion_of(table: dict[str, Any], chance: np.random.Generator, place: Place) -> Motion:
    rest = dict(table)
    kind = rest.pop("kind", None)
    if kind not in MOTION_KEYS:
        raise place.found("kind", kind, "one of " + ", ".join(MOTION_KEYS))
    points = points_of(rest.pop("points_enu_m", None), place) if kind in THROUGH_POINTS else []
    values = read_keys(rest, MOTION_KEYS[kind], place)
    match kind:
        case "circuit":
            return Circuit(points, **values)
        case "waypoints":
            return Waypoints(points, **values)
        case "flapping":
            return Flapping(points, chance=chance, **values)
        case "hover":
            return Hover(values["point_enu_m"], values["gust_m"], chance)
        case "soaring":
            return Soaring(values.pop("point_enu_m"), **values)
    return Still(values["point_enu_m"])


def points_of(found: Any, place: Place) -> list[list[float]]:
    """Two or more different points of three numbers each."""
    expected = "two or more different points [east, north, up]"
    if found is None:
        raise place.missing("points_enu_m", expected)
    is_list = isinstance(found, list) and all(isinstance(point, list) and len(point) == 3 for point in found)
    if not is_list or not all(type(v) in (int, float) for point in found for v in point) or len(found) < 2:
        raise place.found("points_enu_m", found, expected)
    if any(one == following for one, following in zip(found, [*found[1:], found[0]], strict=True)):
        raise place.found("points_enu_m", "a point that follows itself", expected)
    return [[float(v) for v in point] for point in found]
