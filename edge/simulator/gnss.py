"""The post's own satellite receiver: GGA, RMC and GST once a second, NMEA 0183.

Its error wanders slowly, as a receiver's does: neighbouring seconds are nearly equally wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.scenario import Scenario
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces.nmea_sentences import encode_gga, encode_gst, encode_rmc
from fusion.frames import LocalFrame

KEYS = (
    Key("rate_hz", "number", "fixes a second", 1.0, above=0.0, at_most=20.0),
    Key("latency_s", "number", "from the fix to the port", 0.10, at_least=0.0, at_most=2.0),
    Key("horizontal_sigma_m", "number", "its error", 1.2, at_least=0.0),
    Key("vertical_sigma_m", "number", "its error", 2.5, at_least=0.0),
    Key("satellites", "integer", "used", 11, at_least=0, at_most=60),
)
WANDER_S = (47.0, 83.0, 131.0)  # periods of the slow error in east, north, up


class Gnss:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        values = read_keys(dict(simulate), KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s = values["rate_hz"], values["latency_s"]
        self._frame, self._geoid_height_m = LocalFrame(scenario.site.origin), scenario.site.geoid_height_m or 0.0
        self._position_enu_m = np.asarray(entry.sensor.position_enu_m)
        self._sigma_m = np.array([values["horizontal_sigma_m"]] * 2 + [values["vertical_sigma_m"]])
        self._satellites = values["satellites"]
        self._phase = chance_of(seed, self.sensor_id).uniform(0.0, 2 * math.pi, 3)

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        wander = np.sqrt(2.0) * np.sin(2 * math.pi * time_s / np.asarray(WANDER_S) + self._phase)
        point = self._frame.enu_to_geodetic(self._position_enu_m + wander * self._sigma_m)
        assert point.height_m is not None
        moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
        midnight_s = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
        altitude_m = point.height_m - self._geoid_height_m
        east, north, up = (float(v) for v in self._sigma_m)
        return (
            encode_gga(
                midnight_s,
                point.latitude_deg,
                point.longitude_deg,
                altitude_m,
                self._geoid_height_m,
                satellites_used=self._satellites,
            )
            + encode_rmc(midnight_s, f"{moment:%d%m%y}", point.latitude_deg, point.longitude_deg)
            + encode_gst(midnight_s, north, east, up)
        )
