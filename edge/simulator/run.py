"""A scenario's sensors, run: as readings in time order, as fast as they can be made.

    world ──▶ radar, Remote ID, satellite receiver, camera ──▶ line with its faults ──▶ Reading, Reading, ...

Every sensor gives its bytes for the k-th of its looks; a reading is stamped with that look's time plus the sensor's
latency and its jitter, and no byte overtakes another on its line. What is in the bytes is true UTC, what they are stamped with
is the post's own clock. `edge.simulator.live` sends the same bytes down pseudo-terminals at the pace of the clock.
"""

from __future__ import annotations

import heapq
import importlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from edge.simulator.chance import chance_of
from edge.simulator.faults import Line, node_events
from edge.simulator.mount import MOUNT_NAMES
from edge.simulator.scenario import Scenario, ScenarioError, read_scenario
from edge.site_file import SensorEntry
from edge.site_keys import Place, SiteFileError, read_keys
from fusion.types import VISION_SUFFIX, Reading

SECOND_NS = 1_000_000_000


class SimulatedSensor(Protocol):
    """One sensor and what it would put on its line."""

    sensor_id: str
    rate_hz: float
    latency_s: float
    jitter_s: float

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """The bytes of its look `number`, taken at time_s of the scenario, time_ns UTC; empty: it sends nothing."""


SENSORS: dict[str, str] = {  # protocol -> module:class that simulates it; loaded when a scenario names it
    "ti_mmwave": "edge.simulator.radar:Radar",
    "open_drone_id": "edge.simulator.remote_id:RemoteId",
    "esp32_remote_id": "edge.simulator.sniffer:Sniffer",
    "ld2450": "edge.simulator.tripwire:Tripwire",
    "krakensdr": "edge.simulator.listeners:DirectionFinder",
    "odas": "edge.simulator.listeners:Ears",
    "gnss": "edge.simulator.gnss:Gnss",
    "yolo": "edge.simulator.camera:Camera",
}


def sensors_of(scenario: Scenario, seed: int | None = None, video: bool = True) -> list[SimulatedSensor]:
    """The scenario's sensors; without video a camera is its declared detector, or left out. Raises ScenarioError."""
    seed = scenario.seed if seed is None else seed
    try:
        made = [sensor_of(scenario, entry, seed, video) for entry in scenario.site.sensors]
    except SiteFileError as error:
        raise ScenarioError(str(error)) from error
    return [sensor for sensor in made if sensor is not None]


def sensor_of(scenario: Scenario, entry: SensorEntry, seed: int, video: bool = True) -> SimulatedSensor | None:
    """One sensor; None: a camera without pictures and without a declared detector. Raises SiteFileError."""
    sensor_id = entry.sensor.sensor_id
    place = Place(scenario.file, f'sensor "{sensor_id}"', "simulate.")
    if entry.protocol not in SENSORS:
        raise place.error(f"protocol {entry.protocol} cannot be simulated; expected one of {', '.join(SENSORS)}")
    simulate = scenario.simulate.get(sensor_id, {})
    if entry.protocol == "yolo" and not video:
        return looking_camera(scenario, entry, simulate, seed, place)
    module, name = SENSORS[entry.protocol].split(":")
    make = getattr(importlib.import_module(module), name)
    sensor: SimulatedSensor = make(scenario, entry, simulate, seed, place)
    return sensor


def looking_camera(
    scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place
) -> SimulatedSensor | None:
    """The camera's declared detector in place of its pictures; None where it has none."""
    from edge.simulator import camera, looks

    rest = {name: value for name, value in simulate.items() if name not in MOUNT_NAMES}
    told = read_keys(rest, camera.KEYS, place)
    if told["detector"] is None:
        return None
    return looks.LookingCamera(scenario, entry, simulate, told, seed, place)


def readings(
    scenario: Scenario | Path, seed: int | None = None, seconds: float | None = None, video: bool = True
) -> Iterator[Reading]:
    """All sensors' bytes, the detector's findings and the clock's ticks, in time order; endless where seconds is None.

    video: with the cameras' pictures and what the detector finds in them. Raises ScenarioError.
    """
    if isinstance(scenario, Path):
        scenario = read_scenario(scenario)
    seed = scenario.seed if seed is None else seed
    protocols = {entry.sensor.sensor_id: entry.protocol for entry in scenario.site.sensors}
    streams = [
        looks(
            sensor, scenario, Line(sensor.sensor_id.removesuffix(VISION_SUFFIX), scenario.faults, seed), seed, seconds
        )
        for sensor in sensors_of(scenario, seed, video)
    ]
    told = node_events(scenario.faults, protocols, scenario.clock.start_ns)
    merged: Iterator[Reading] = heapq.merge(
        scenario.clock.readings(), told, *streams, key=lambda reading: reading.monotonic_ns
    )
    if video:
        from edge.simulator.eyes import with_looks  # loads the detector

        merged = with_looks(merged, scenario.site)
    if seconds is None:
        return merged
    end_ns = round(seconds * SECOND_NS)
    return itertools.takewhile(lambda reading: reading.monotonic_ns <= end_ns, merged)


def looks(
    sensor: SimulatedSensor, scenario: Scenario, line: Line, seed: int, seconds: float | None
) -> Iterator[Reading]:
    """One sensor's readings, as they come through its line; no look is later than seconds."""
    last_ns = -1
    for number in itertools.count():
        time_s = number / sensor.rate_hz
        if (seconds is not None and time_s > seconds) or line.is_dead_from(time_s):
            return
        sent = line.number_sent(number, sensor.rate_hz)
        data = b"" if sent is None else look_bytes(sensor, scenario, line, number, sent)
        if data:
            late_s = sensor.latency_s + line.delay_s(time_s)
            if sensor.jitter_s > 0.0:
                late_s += chance_of(seed, sensor.sensor_id + "/jitter", number).exponential(sensor.jitter_s)
            last_ns = max(round(time_s * SECOND_NS) + round(late_s * SECOND_NS), last_ns + 1)
            yield Reading(sensor.sensor_id, scenario.clock.start_ns + last_ns, last_ns, None, None, data)


def look_bytes(sensor: SimulatedSensor, scenario: Scenario, line: Line, number: int, sent: int) -> bytes:
    """The bytes in place of look `number`: those of look `sent`. A camera's look is of now, whatever its picture shows."""
    time_s, sent_s = number / sensor.rate_hz, sent / sensor.rate_hz
    is_picture = sensor.sensor_id.endswith(VISION_SUFFIX)
    stamped_ns = scenario.start_ns + round((time_s if is_picture else sent_s) * SECOND_NS)
    return line.bytes_sent(sensor.emit(sent, sent_s, stamped_ns), number, time_s)
