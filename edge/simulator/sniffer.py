"""An ESP32 that hears Remote ID and prints a JSON line for each broadcast, with its signal strength, over USB serial.

The flat form of `firmware_interfaces/esp32_remote_id.py`: no accuracy, no velocity, altitude as a number or 0 for unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge.simulator.chance import chance_of
from edge.simulator.hearing import HEARING_KEYS, Hearing, error_m
from edge.simulator.remote_id import radio_address
from edge.simulator.scenario import Scenario
from edge.simulator.world import Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from fusion.frames import LocalFrame

KEYS = (
    Key("rate_hz", "number", "broadcasts a second of each drone", 1.0, above=0.0, at_most=10.0),
    Key("latency_s", "number", "from the drone's fix to the port", 0.5, at_least=0.0, at_most=10.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    *HEARING_KEYS,
)


class Sniffer:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        values = read_keys(dict(simulate), KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._frame, self._seed = LocalFrame(scenario.site.origin), seed
        self._hearing = Hearing(scenario.world, entry.sensor, values, seed)
        self._timeline = Timeline(scenario.world, self.rate_hz)

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """A line for each broadcast that is heard."""
        chance, lines = chance_of(self._seed, self.sensor_id, number), []
        for said, claimed_enu_m, _, power_dbm in self._hearing.heard(self._timeline.at(number), chance):
            where = self._frame.enu_to_geodetic(claimed_enu_m + error_m(said, time_s, self._seed))
            pilot = self._frame.enu_to_geodetic(said.operator_enu_m)
            assert where.height_m is not None
            line = {
                "mac": radio_address(said.transmitter or said.serial).hex(":"),
                "rssi": round(power_dbm),
                "drone_lat": round(where.latitude_deg, 7),
                "drone_long": round(where.longitude_deg, 7),
                "drone_altitude": round(where.height_m, 1),
                "pilot_lat": round(pilot.latitude_deg, 7),
                "pilot_long": round(pilot.longitude_deg, 7),
                "basic_id": said.serial,
            }
            lines.append(json.dumps(line, separators=(",", ":")).encode() + b"\r\n")
        return b"".join(lines) if lines or number % 60 else b'{"heartbeat":"alive"}\r\n'
