"""Sensors that only know a direction: a radio direction finder (KrakenSDR) and a microphone array (ODAS).

    direction finder   the loudest transmitter in reach, now and then by way of a reflection that stands for a while
    microphone array   up to four sources in earshot, each where it was when the sound left it (343 m/s); less in the wind

What transmits and what is heard is said by the objects: `radio_reach_m`, `sound_reach_m`. Hills stop sound and weaken radio
(`hearing.py`). Lines are those of the real devices; a direction finder's line tells its own latency.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.hearing import HILL_LOSS_DB
from edge.simulator.mount import mount_of
from edge.simulator.scenario import Scenario
from edge.simulator.world import Moment, Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces import krakensdr, odas
from fusion.types import FloatArray

SPEED_OF_SOUND_M_S = 343.0
SLOTS = 4  # of a microphone array's report
REFLECTION_S = 8.0  # how long a reflection keeps its direction
LATENCY = Key("latency_s", "number", "from measurement to the port", 0.3, at_least=0.0, at_most=5.0)
JITTER = Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0)
FINDER_KEYS = (
    Key("rate_hz", "number", "lines a second", 2.0, above=0.0, at_most=20.0),
    LATENCY,
    JITTER,
    Key("sigma_deg", "number", "of a direction", 3.0, at_least=0.0, at_most=90.0),
    Key("reflected_probability", "number", "that a reflection is louder", 0.1, at_least=0.0, at_most=1.0),
    Key("frequency_hz", "number", "that it listens to", 2.44e9, above=1e6, at_most=1e11),
)
EARS_KEYS = (
    Key("rate_hz", "number", "reports a second", 5.0, above=0.0, at_most=130.0),
    LATENCY,
    JITTER,
    Key("sigma_deg", "number", "of a direction", 4.0, at_least=0.0, at_most=90.0),
    Key("false_per_look", "number", "sounds of nothing that flies", 0.05, at_least=0.0, at_most=10.0),
)


class Listener:
    """What both have in common: a mount, a sky, and who is loud enough."""

    def __init__(
        self,
        scenario: Scenario,
        entry: SensorEntry,
        simulate: Mapping[str, Any],
        keys: tuple[Key, ...],
        seed: int,
        place: Place,
    ) -> None:
        self._mount, rest = mount_of(entry.sensor, simulate, seed, scenario.scene.gusts, scenario.faults, place)
        self._told = read_keys(rest, keys, place)
        self.sensor_id, self._seed, self._world = entry.sensor.sensor_id, seed, scenario.world
        self.rate_hz, self.latency_s = self._told["rate_hz"], self._told["latency_s"]
        self.jitter_s, self._site = self._told["jitter_s"], scenario.site
        self._timeline = Timeline(scenario.world, self.rate_hz)
        self._visible = scenario.world.visible_to(self.sensor_id)
        self._gusts = scenario.scene.gusts

    def _margin_db(self, moment: Moment, reach_m: FloatArray, hill_db: float) -> FloatArray:
        """How far above the faintest each object is; below 0 it is not heard. Reach 0: it is silent."""
        away_m = np.maximum(np.linalg.norm(moment.position_enu_m - self._mount.position_enu_m, axis=1), 1.0)
        margin_db = 20 * np.log10(np.maximum(reach_m, 1e-6) / away_m)
        is_behind = ~self._world.is_seen(self._mount.position_enu_m, moment.position_enu_m)
        return np.where(moment.exists & self._visible, margin_db - hill_db * is_behind, -np.inf)


class DirectionFinder(Listener):
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        super().__init__(scenario, entry, simulate, FINDER_KEYS, seed, place)
        self._reach_m = np.array([thing.radio_reach_m or 0.0 for thing in scenario.world.objects])

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """One line, or none while nobody transmits."""
        moment, chance = self._timeline.at(number), chance_of(self._seed, self.sensor_id, number)
        margin_db = self._margin_db(moment, self._reach_m, HILL_LOSS_DB)
        if not len(margin_db) or (loudest := float(margin_db.max())) < 0.0:
            return b""
        azimuth_deg = math.degrees(self._mount.view(moment).azimuth_rad[int(margin_db.argmax())])
        if chance.random() < self._told["reflected_probability"]:
            wall = chance_of(self._seed, self.sensor_id + "/wall", int(time_s / REFLECTION_S))
            azimuth_deg = float(wall.uniform(-180.0, 180.0))
        azimuth_deg = (azimuth_deg + chance.normal(0.0, self._told["sigma_deg"])) % 360.0
        origin = self._site.origin
        return krakensdr.encode(
            krakensdr.Bearing(
                time_ms=time_ns // 1_000_000,
                direction_deg=round(azimuth_deg, 1) % 360.0,
                confidence=4.0 + loudest / 3.0,
                power_db=-60.0 + loudest,
                frequency_hz=self._told["frequency_hz"],
                array="UCA",
                latency_ms=round(self.latency_s * 1000.0, 1),
                station=self.sensor_id,
                latitude_deg=round(origin.latitude_deg, 6),
                longitude_deg=round(origin.longitude_deg, 6),
                heading_deg=0.0,
                spectrum_peak=round(360.0 - azimuth_deg) % 360,
            )
        )


class Ears(Listener):
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        super().__init__(scenario, entry, simulate, EARS_KEYS, seed, place)
        calm_m = np.array([thing.sound_reach_m or 0.0 for thing in scenario.world.objects])
        self._reach_m = calm_m / math.sqrt(max(1.0, self._gusts))  # the wind's own noise, our assumption

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """One report, with empty slots where less is heard."""
        moment, chance = self._timeline.at(number), chance_of(self._seed, self.sensor_id, number)
        margin_db = self._margin_db(moment, self._reach_m, math.inf if self._world.terrain else 0.0)
        heard = np.flatnonzero(margin_db >= 0.0)
        heard = heard[np.argsort(-margin_db[heard], kind="stable")][:SLOTS]
        lines = moment.position_enu_m[heard] - self._mount.position_enu_m
        on_its_way_s = np.linalg.norm(lines, axis=1, keepdims=True) / SPEED_OF_SOUND_M_S
        body_m = (lines - moment.velocity_enu_m_s[heard] * on_its_way_s) @ self._mount.enu_to_body(time_s).T
        sources = [
            self._source(int(index) + 1, vector, min(1.0, 0.4 + margin_db[index] / 30.0), chance)
            for index, vector in zip(heard, body_m, strict=True)
        ]
        for _ in range(min(SLOTS - len(sources), chance.poisson(self._told["false_per_look"]))):
            vector = chance.normal(0.0, 1.0, 3) * np.array([1.0, 1.0, 0.3])
            sources.append(self._source(900 + number % 90, vector, float(chance.uniform(0.2, 0.6)), chance))
        return odas.encode(odas.Look(round(time_s * 125.0), tuple(sources)), SLOTS)

    def _source(self, number: int, vector: FloatArray, activity: float, chance: np.random.Generator) -> odas.Source:
        unit = vector / max(float(np.linalg.norm(vector)), 1e-9)
        unit = unit + chance.normal(0.0, math.radians(self._told["sigma_deg"]), 3)
        x, y, z = (float(v) for v in unit / np.linalg.norm(unit))
        return odas.Source(number, "dynamic", x, y, z, float(activity))
