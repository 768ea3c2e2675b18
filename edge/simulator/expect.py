"""The `[expect]` table of a scenario: what a user of the post needs to come of it, whatever today's tracker does.

    [expect]
    false_drones_at_most = 0             confirmed, called drone, and no drone there; the most important line of all
    contradicted = ["SERIAL"]            claims that measurements must be seen to contradict
    troubled = ["radar-north"]           sensors whose health must not be "ok" at some time
    group = [ { objects = ["quad", "quad-2"], by_s = 12.0, share = 0.8 }, … ]      what must be told as one group
    object = [ { id = "quad", by_s = 8.0, share = 0.8, called = "drone" }, … ]     what must be tracked, and as what

A real object is tracked in a second when a confirmed (or coasting) track stands within `within_m` of it, or, known as a
direction only, within 3 sigma and a degree of its direction; each track counts for one object. `share` is of the seconds of
its window. It is called what most of its tracked seconds from `called_from_s` on say, and "not called" what at most a
tenth of them say. Objects are told as one group while their tracks carry one group's number; there `share` is of their
tracked seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from edge.simulator.scenario import Scenario, ScenarioError
from edge.simulator.world import WorldObject
from edge.site_keys import Key, Place, SiteFileError, read_keys
from fusion.types import CLASSES

EXPECT_KEYS = (
    Key("object", "tables", "what must become of each object", []),
    Key("group", "tables", "objects that must be told as one group", []),
    Key("never_grouped", "texts", "objects that fly for themselves: ids", []),
    Key("false_drones_at_most", "integer", "confirmed and called drone where no drone is", 0, at_least=0),
    Key("false_tracks_at_most", "integer", "confirmed where no object is; left out: as it comes", None, at_least=0),
    Key("drones_at_most", "integer", "confirmed tracks called drone, true ones too; left out: any", None, at_least=0),
    Key("agrees", "texts", "serials whose claims must be borne out", []),
    Key("contradicted", "texts", "serials whose claims must be contradicted", []),
    Key("never_agrees", "texts", "serials, or beginnings of such, that must never be borne out", []),
    Key("never_contradicted", "texts", "honest serials that must never be contradicted", []),
    Key("retracted_at_most", "integer", "tracks taken back; left out: as it comes", None, at_least=0),
    Key("troubled", "texts", "sensors that the post must report as not well at some time", []),
    Key("healthy", "texts", "sensors that the post must never report as not well", []),
    Key("own_position", "text", "what the post must say of its own place", None, choices=("jammed", "spoofed")),
)
OBJECT_KEYS = (
    Key("id", "text", "of an [[object]]"),
    Key("tracked", "yes_no", "false: it must never be tracked, as it is no concern or cannot be seen", True),
    Key("from_s", "number", "its window begins; left out: when it appears", None, at_least=0.0),
    Key("until_s", "number", "its window ends; left out: when it is gone", None, above=0.0),
    Key("by_s", "number", "seconds of its window until the first confirmed track", 10.0, above=0.0),
    Key("share", "number", "of its window's seconds from then on", 0.8, at_least=0.0, at_most=1.0),
    Key("within_m", "number", "how near a track must be", 20.0, above=0.0),
    Key("called_from_s", "number", "its class is judged from then; left out: once it is due", None, at_least=0.0),
    Key("called", "text", "what most of its tracked seconds must say", None, choices=CLASSES),
    Key("not_called", "text", "what at most a tenth of its tracked seconds may say", None, choices=CLASSES),
    Key("numbers_at_most", "integer", "track numbers it may go through; left out: any", None, at_least=1),
)

GROUP_KEYS = (
    Key("objects", "texts", "ids of [[object]]s"),
    Key("by_s", "number", "seconds of the scenario until they are told as one", 15.0, above=0.0),
    Key("share", "number", "of their tracked seconds from then on", 0.8, at_least=0.0, at_most=1.0),
    Key(
        "counted",
        "number",
        "of the seconds in which its interval must hold their number",
        0.0,
        at_least=0.0,
        at_most=1.0,
    ),
)


@dataclass(frozen=True, slots=True)
class GroupExpectation:
    """Objects that fly together."""

    objects: tuple[str, ...]
    by_s: float
    share: float
    counted: float


@dataclass(frozen=True, slots=True)
class ObjectExpectation:
    """What must become of one object."""

    object_id: str
    is_tracked: bool
    from_s: float
    until_s: float
    by_s: float
    share: float
    within_m: float
    called_from_s: float
    called: str | None
    not_called: str | None
    numbers_at_most: int | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """The whole table."""

    objects: tuple[ObjectExpectation, ...]
    groups: tuple[GroupExpectation, ...]
    never_grouped: tuple[str, ...]
    false_drones_at_most: int
    false_tracks_at_most: int | None
    drones_at_most: int | None
    agrees: tuple[str, ...]
    contradicted: tuple[str, ...]
    never_agrees: tuple[str, ...]
    never_contradicted: tuple[str, ...]
    retracted_at_most: int | None
    troubled: tuple[str, ...]
    healthy: tuple[str, ...]
    own_position: str | None


def expectation_of(scenario: Scenario) -> Expectation:
    """Raises ScenarioError: where there is none, or it is wrong."""
    table = scenario.tables.get("expect")
    if table is None:
        raise ScenarioError(f"{scenario.file}: [expect] is missing; expected what must come of this scenario")
    place = Place(scenario.file, "[expect]")
    try:
        told = read_keys(table, EXPECT_KEYS, place)
        objects = tuple(
            object_of(row, scenario, Place(scenario.file, f"[expect] object {n}"))
            for n, row in enumerate(told.pop("object"), 1)
        )
        groups = tuple(
            group_of(row, scenario, Place(scenario.file, f"[expect] group {n}"))
            for n, row in enumerate(told.pop("group"), 1)
        )
        for object_id in told["never_grouped"]:
            thing_of(object_id, "never_grouped", scenario, place)
        known = [entry.sensor.sensor_id for entry in scenario.site.sensors]
        for name in ("troubled", "healthy"):
            for sensor_id in told[name]:
                if sensor_id not in known:
                    raise place.found(name, sensor_id, "ids of sensors: " + ", ".join(known))
    except SiteFileError as error:
        raise ScenarioError(str(error)) from error
    return Expectation(
        objects, groups, **{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    )


def object_of(row: dict[str, Any], scenario: Scenario, place: Place) -> ObjectExpectation:
    told = read_keys(row, OBJECT_KEYS, place)
    found = thing_of(told["id"], "id", scenario, place)
    until_s = told["until_s"] if told["until_s"] is not None else min(found.until_s, scenario.duration_s)
    from_s = found.from_s if told["from_s"] is None else told["from_s"]
    return ObjectExpectation(
        told["id"],
        told["tracked"],
        from_s,
        math.floor(until_s),
        told["by_s"],
        told["share"],
        told["within_m"],
        from_s + told["by_s"] if told["called_from_s"] is None else told["called_from_s"],
        told["called"],
        told["not_called"],
        told["numbers_at_most"],
    )


def group_of(row: dict[str, Any], scenario: Scenario, place: Place) -> GroupExpectation:
    told = read_keys(row, GROUP_KEYS, place)
    for object_id in told["objects"]:
        thing_of(object_id, "objects", scenario, place)
    return GroupExpectation(tuple(told["objects"]), told["by_s"], told["share"], told["counted"])


def thing_of(object_id: str, key: str, scenario: Scenario, place: Place) -> WorldObject:
    """The object of this id. Raises SiteFileError."""
    found = next((thing for thing in scenario.world.objects if thing.object_id == object_id), None)
    if found is None:
        raise place.found(key, object_id, "the id of an [[object]]")
    return found
