"""A scenario file: a post as its site file would describe it, and the world around it. TOML, degrees, metres, seconds.

    [scenario]              name, words, seed, start, duration
    [scene]                 hour, clouds, sight, rain, wind                                weather.py
    [terrain]               the ground that hides things; left out: a plain                terrain.py
    [site] [tracker]        as in a site file
    [[sensor]]              as in a site file, but with `simulate` (what really happens there) in place of `device`
    [[object]]              what flies, drives or only pretends to                         objects.py
    [[clutter]]             places that give echoes of nothing: trees, turbines, surf      clutter.py
    [[fault]]               what breaks, or is done to a sensor, and when                  faults.py
    [clock]                 the post's own clock: steps, a boot in 1970                    post_clock.py
    [expect]                what must come of it                                           expect.py

What a sensor says of itself stands in the site's part; what is true stands in `simulate`. Where both agree the post is
honest; a scenario that wants a crooked mounting or an optimistic accuracy writes them apart.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.simulator.clutter import ClutterPlace, clutter_of
from edge.simulator.faults import Fault, faults_of
from edge.simulator.objects import object_of
from edge.simulator.post_clock import PostClock, clock_of
from edge.simulator.site_text import site_text
from edge.simulator.terrain import Terrain, read_ground
from edge.simulator.weather import SCENE_KEYS, Scene
from edge.simulator.world import World, WorldObject
from edge.site_file import Site, parse_site
from edge.site_keys import Key, Place, SiteFileError, read_keys, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE_BYTES = 1_000_000
LIBRARY = Path(__file__).parents[1] / "scenarios"  # the scenarios that ship

SCENARIO_KEYS = (
    Key("name", "text", "short name, also of the file"),
    Key("words", "text", "what happens"),
    Key("seed", "integer", "start of all chance", 0, at_least=0),
    Key("start", "text", "UTC of second 0 in simulated recordings", "2026-06-21T10:00:00Z"),
    Key("duration_s", "number", "how long it is played for its expected outcome", 60.0, above=0.0, at_most=86_400.0),
)
PARTS = ("scenario", "scene", "terrain", "site", "broker", "tracker", "sensor", "object", "clutter", "fault", "clock",
         "expect")  # fmt: skip


class ScenarioError(Exception):
    """One line: file, place, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    name: str
    words: str
    seed: int
    start_ns: int  # true UTC of second 0
    duration_s: float
    scene: Scene
    world: World
    clutter: tuple[ClutterPlace, ...]
    faults: tuple[Fault, ...]
    clock: PostClock
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
    return parse_scenario_tables(tables, file)


def parse_scenario_tables(tables: dict[str, Any], file: str) -> Scenario:
    """Of what TOML gave. Raises ScenarioError."""
    try:
        return build(tables, file)
    except SiteFileError as error:
        raise ScenarioError(str(error)) from error


def build(tables: dict[str, Any], file: str) -> Scenario:
    head = read_keys(section(tables, "scenario", file), SCENARIO_KEYS, Place(file, "[scenario]"))
    for part in tables:
        if part not in PARTS:
            raise SiteFileError(f"{file}: [{part}] is not known here; known are {', '.join(PARTS)}")
    scene = Scene(**read_keys(tables.get("scene", {}), SCENE_KEYS, Place(file, "[scene]")))
    sensors = several(tables, "sensor", file)
    site = parse_site(site_text(tables), file)
    sensor_ids = [entry.sensor.sensor_id for entry in site.sensors]
    start_ns = start_ns_of(head["start"], file)
    terrain = read_ground(tables, site.origin, site.geoid_height_m or 0.0, head["seed"], file)
    return Scenario(
        head["name"],
        head["words"],
        head["seed"],
        start_ns,
        head["duration_s"],
        scene,
        World(objects_of(tables, head["seed"], scene, terrain, sensor_ids, file), terrain),
        clutter_of(tables, scene, file),
        faults_of(tables, {entry.sensor.sensor_id: entry.protocol for entry in site.sensors}, file),
        clock_of(tables, start_ns, file),
        site,
        {str(sensor.get("id")): sensor.get("simulate", {}) for sensor in sensors},
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


def objects_of(
    tables: dict[str, Any], seed: int, scene: Scene, terrain: Terrain | None, sensor_ids: list[str], file: str
) -> tuple[WorldObject, ...]:
    """All [[object]]; none at all is a quiet day."""
    objects: dict[str, WorldObject] = {}
    for number, table in enumerate(several(tables, "object", file) if "object" in tables else [], 1):
        place = Place(file, f'object "{table["id"]}"' if isinstance(table.get("id"), str) else f"object {number}")
        for thing in object_of(table, seed, scene, terrain, place):
            if thing.object_id in objects:
                raise place.error("this id is used twice; expected one of its own")
            for sensor_id in thing.seen_by or ():
                if sensor_id not in sensor_ids:
                    raise place.found("seen_by", sensor_id, "ids of sensors: " + ", ".join(sensor_ids))
            objects[thing.object_id] = thing
    return tuple(objects.values())
