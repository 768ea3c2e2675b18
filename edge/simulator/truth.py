"""The truth file: where every object really was. JSON lines.

    {"origin": {"latitude_deg": 0.0, "longitude_deg": 0.0, "height_m": 0.0}}
    {"time_ns": 1, "objects": [{"object_id", "class", "position_enu_m": [e, n, u], "velocity_enu_m_s": [e, n, u]}]}

The first line gives the origin of the ENU frame, each other one a moment, ten a second. `time_ns` is the same UTC as the
`received_ns` of the readings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from edge.simulator.world import World
from fusion.types import Geodetic

TRUTH_HZ = 10


def origin_line(origin: Geodetic) -> str:
    point = {"latitude_deg": origin.latitude_deg, "longitude_deg": origin.longitude_deg, "height_m": origin.height_m}
    return json.dumps({"origin": point}) + "\n"


def moment_line(world: World, time_s: float, time_ns: int) -> str:
    objects = [
        {
            "object_id": sighting.object.object_id,
            "class": sighting.object.class_name,
            "position_enu_m": [round(float(v), 3) for v in sighting.position_enu_m],
            "velocity_enu_m_s": [round(float(v), 3) for v in sighting.velocity_enu_m_s],
        }
        for sighting in world.at(time_s)
    ]
    return json.dumps({"time_ns": time_ns, "objects": objects}) + "\n"


def truth_lines(world: World, origin: Geodetic, start_ns: int, seconds: float) -> Iterator[str]:
    """The whole file of a run that lasts so long."""
    yield origin_line(origin)
    for number in range(int(seconds * TRUTH_HZ) + 1):
        yield moment_line(world, number / TRUTH_HZ, start_ns + number * 1_000_000_000 // TRUTH_HZ)
