"""The truth file: where every object really was. JSON lines.

    {"origin": {"latitude_deg": 0.0, "longitude_deg": 0.0, "height_m": 0.0}}
    {"time_ns": 1, "objects": [{"object_id", "class", "position_enu_m": [e, n, u], "velocity_enu_m_s": [e, n, u]}]}

The first line gives the origin of the ENU frame, and in the simulator's own recordings also `made_by` and the `conditions`;
each other line a moment, ten a second. `time_ns` is stamped as the
`received_ns` of the readings are. Forgeries (injected pictures, a radio that claims a drone) are in no truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from edge.simulator.weather import Scene
from edge.simulator.world import Moment, Timeline, World
from fusion.types import Geodetic

TRUTH_HZ = 10


def origin_line(origin: Geodetic, scene: Scene | None = None) -> str:
    point = {"latitude_deg": origin.latitude_deg, "longitude_deg": origin.longitude_deg, "height_m": origin.height_m}
    told = {} if scene is None else {"light": scene.light, "weather": scene.weather}
    return json.dumps({"origin": point} | ({"made_by": "simulator", "conditions": told} if told else {})) + "\n"


def moment_line(world: World, time_s: float, time_ns: int) -> str:
    """The line of any moment."""
    return line_of(world, world.moments(np.array([time_s]))[0], time_ns)


def line_of(world: World, moment: Moment, time_ns: int) -> str:
    positions = np.round(moment.position_enu_m, 3).tolist()
    velocities = np.round(moment.velocity_enu_m_s, 3).tolist()
    objects = [
        {
            "object_id": thing.object_id,
            "class": thing.class_name,
            "position_enu_m": positions[index],
            "velocity_enu_m_s": velocities[index],
        }
        for index, thing in enumerate(world.objects)
        if thing.is_real and moment.exists[index]
    ]
    return json.dumps({"time_ns": time_ns, "objects": objects}) + "\n"


def truth_lines(
    world: World, origin: Geodetic, start_ns: int, seconds: float, scene: Scene | None = None
) -> Iterator[str]:
    """The whole file of a run that lasts so long."""
    yield origin_line(origin, scene)
    timeline = Timeline(world, TRUTH_HZ)
    for number in range(int(seconds * TRUTH_HZ) + 1):
        yield line_of(world, timeline.at(number), start_ns + number * 1_000_000_000 // TRUTH_HZ)
