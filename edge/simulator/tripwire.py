"""An LD2450 presence radar at a gate: up to three things within a few metres, and their radial speed. It knows no drone.

What is as large as a person or a vehicle is seen; a place in the report is kept by the nearest three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.mount import covers, mount_of
from edge.simulator.scenario import Scenario
from edge.simulator.world import Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces.ld2450 import TARGET_COUNT, Target, encode_report

KEYS = (
    Key("rate_hz", "number", "reports a second", 10.0, above=0.0, at_most=20.0),
    Key("latency_s", "number", "from measurement to the port", 0.1, at_least=0.0, at_most=2.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    Key("least_cross_section_m2", "number", "smaller things are not seen", 0.3, above=0.0),
    Key("sigma_m", "number", "of a position", 0.15, at_least=0.0, at_most=2.0),
)
RESOLUTION_MM = 360


class Tripwire:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        if entry.sensor.coverage is None:
            raise place.missing("coverage", "limits: a simulated radar sees inside them")
        self._mount, rest = mount_of(entry.sensor, simulate, seed, scenario.scene.gusts, scenario.faults, place)
        values = read_keys(rest, KEYS, place)
        self.sensor_id, self._coverage, self._seed = entry.sensor.sensor_id, entry.sensor.coverage, seed
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._sigma_m = values["sigma_m"]
        self._timeline = Timeline(scenario.world, self.rate_hz)
        large = [thing.cross_section_m2 >= values["least_cross_section_m2"] for thing in scenario.world.objects]
        self._visible = scenario.world.visible_to(self.sensor_id) & np.array(large, bool)

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        moment = self._timeline.at(number)
        view = self._mount.view(moment)
        there = np.flatnonzero(moment.exists & self._visible & covers(self._coverage, view))
        nearest = there[np.argsort(view.slant_range_m[there])][:TARGET_COUNT]
        noise = chance_of(self._seed, self.sensor_id, number).normal(0.0, self._sigma_m, (len(nearest), 2))
        targets = [
            Target(round(x * 1000), max(1, round(y * 1000)), round(rate * 100), RESOLUTION_MM)
            for (x, y), rate in zip(view.body_m[nearest, :2] + noise, view.range_rate_m_s[nearest], strict=True)
        ]
        return encode_report(targets)
