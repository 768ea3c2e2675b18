"""A scenario's sensors, run: as readings in time order, as fast as they can be made.

    world ──▶ radar, Remote ID, satellite receiver, camera ──▶ Reading, Reading, ...

Every sensor gives its bytes for the k-th of its looks; a reading is stamped with that look's time plus the sensor's
latency. `edge.simulator.live` sends the same bytes down pseudo-terminals at the pace of the clock.
"""

from __future__ import annotations

import heapq
import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edge.simulator.scenario import Scenario, ScenarioError, read_scenario
from edge.site_file import SensorEntry
from edge.site_keys import Place, SiteFileError
from fusion.types import CLOCK, Reading

TICK_NS = 100_000_000  # as the node's own clock ticks
SECOND_NS = 1_000_000_000


class SimulatedSensor(Protocol):
    """One sensor and what it would put on its line."""

    sensor_id: str
    rate_hz: float
    latency_s: float

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """The bytes of its look `number`, taken at time_s of the scenario, time_ns UTC; empty: it sends nothing."""


SENSORS: dict[str, str] = {  # protocol -> module:class that simulates it; loaded when a scenario names it
    "ti_mmwave": "edge.simulator.radar:Radar",
    "open_drone_id": "edge.simulator.remote_id:RemoteId",
    "gnss": "edge.simulator.gnss:Gnss",
    "yolo": "edge.simulator.camera:Camera",
}


def sensors_of(scenario: Scenario, seed: int | None = None, video: bool = True) -> list[SimulatedSensor]:
    """The scenario's sensors, cameras only with video. Raises ScenarioError."""
    seed = scenario.seed if seed is None else seed
    try:
        return [
            sensor_of(scenario, entry, seed) for entry in scenario.site.sensors if video or entry.protocol != "yolo"
        ]
    except SiteFileError as error:
        raise ScenarioError(str(error)) from error


def sensor_of(scenario: Scenario, entry: SensorEntry, seed: int) -> SimulatedSensor:
    sensor_id = entry.sensor.sensor_id
    place = Place(scenario.file, f'sensor "{sensor_id}"', "simulate.")
    if entry.protocol not in SENSORS:
        raise place.error(f"protocol {entry.protocol} cannot be simulated; expected one of {', '.join(SENSORS)}")
    module, name = SENSORS[entry.protocol].split(":")
    make = getattr(importlib.import_module(module), name)
    sensor: SimulatedSensor = make(scenario, entry, scenario.simulate.get(sensor_id, {}), seed, place)
    return sensor


def readings(
    scenario: Scenario | Path, seed: int | None = None, seconds: float | None = None, video: bool = True
) -> Iterator[Reading]:
    """All sensors' bytes, the detector's findings and the clock's ticks, in time order; endless where seconds is None.

    video: with the cameras and what the detector finds in their pictures. Raises ScenarioError.
    """
    if isinstance(scenario, Path):
        scenario = read_scenario(scenario)
    streams = [looks(sensor, scenario.start_ns) for sensor in sensors_of(scenario, seed, video)]
    merged: Iterator[Reading] = heapq.merge(ticks(scenario.start_ns), *streams, key=lambda reading: reading.received_ns)
    if video:
        from edge.simulator.eyes import with_looks  # loads the detector

        merged = with_looks(merged, scenario.site)
    if seconds is None:
        return merged
    end_ns = scenario.start_ns + round(seconds * SECOND_NS)
    return itertools.takewhile(lambda reading: reading.received_ns <= end_ns, merged)


def looks(sensor: SimulatedSensor, start_ns: int) -> Iterator[Reading]:
    """One sensor's readings."""
    for number in itertools.count():
        time_s = number / sensor.rate_hz
        time_ns = start_ns + round(time_s * SECOND_NS)
        if data := sensor.emit(number, time_s, time_ns):
            received_ns = time_ns + round(sensor.latency_s * SECOND_NS)
            yield Reading(sensor.sensor_id, received_ns, received_ns - start_ns, None, None, data)


def ticks(start_ns: int) -> Iterator[Reading]:
    for number in itertools.count():
        yield Reading(CLOCK, start_ns + number * TICK_NS, number * TICK_NS, None, None, b"")
