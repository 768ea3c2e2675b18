"""Several posts before the same sky: each has the scenario's sensors, and stands `POST_EVERY_M` east of the one before.

Post 0 is the scenario's own. All see the same objects: their places are turned into each post's own ENU frame, the Earth's
curve included. Terrain stays with the first post's frame and is not shared by the others.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from edge.simulator.motion import Motion
from edge.simulator.scenario import Scenario, parse_scenario_tables
from edge.simulator.world import Broadcast, World, WorldObject
from fusion.frames import LocalFrame
from fusion.types import FloatArray

POST_EVERY_M = 1500.0
STEP_M = 1000.0


class Moved:
    """A motion seen from another post: turned and shifted."""

    def __init__(self, motion: Motion, turn: FloatArray, shift_m: FloatArray) -> None:
        self._motion, self._turn, self._shift_m = motion, turn, shift_m

    def positions_enu_m(self, times_s: FloatArray) -> FloatArray:
        return np.asarray(self._motion.positions_enu_m(times_s) @ self._turn.T + self._shift_m)


def post_of(scenario: Scenario, number: int) -> Scenario:
    """The scenario as post `number` lives it; its seed is its own."""
    if number == 0:
        return scenario
    here = LocalFrame(scenario.site.origin)
    origin = here.enu_to_geodetic([number * POST_EVERY_M, 0.0, 0.0])
    site = scenario.tables["site"]
    place = {"latitude_deg": origin.latitude_deg, "longitude_deg": origin.longitude_deg, "height_m": origin.height_m}
    tables = scenario.tables | {
        "site": site | {"id": f"{site['id']}-{number + 1}", "origin": place},
        "scenario": scenario.tables["scenario"] | {"seed": scenario.seed + number},
    }
    post = parse_scenario_tables({name: table for name, table in tables.items() if name != "terrain"}, scenario.file)
    there = LocalFrame(origin)
    corners = np.array([[0.0, 0.0, 0.0], [STEP_M, 0.0, 0.0], [0.0, STEP_M, 0.0], [0.0, 0.0, STEP_M]])
    seen = np.array([there.geodetic_to_enu(here.enu_to_geodetic(corner)) for corner in corners])
    turn, shift_m = (seen[1:] - seen[0]).T / STEP_M, seen[0]
    objects = tuple(moved(thing, turn, shift_m) for thing in scenario.world.objects)
    return dataclasses.replace(post, world=World(objects))


def moved(thing: WorldObject, turn: FloatArray, shift_m: FloatArray) -> WorldObject:
    said: Broadcast | None = thing.broadcast
    if said is not None:
        operator = turn @ np.asarray(said.operator_enu_m) + shift_m
        lie = turn @ np.asarray(said.shifted_enu_m)
        said = dataclasses.replace(said, operator_enu_m=three(operator), shifted_enu_m=three(lie))
    return dataclasses.replace(thing, motion=Moved(thing.motion, turn, shift_m), broadcast=said)


def three(vector: FloatArray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
