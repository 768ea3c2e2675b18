"""The post's own satellite receiver: GGA, RMC and GST once a second, NMEA 0183, or NAV-PVT with UBX's warnings.

Its error wanders slowly, as a receiver's does: neighbouring seconds are nearly equally wrong. Jammed, it has no fix; spoofed,
it is led away and believes it. A receiver that speaks UBX tells what it notices (NAV-STATUS, MON-HW); NMEA has no words.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.faults import holding
from edge.simulator.scenario import Scenario
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces import ubx
from firmware_interfaces.nmea_sentences import encode_gga, encode_gst, encode_rmc
from fusion.frames import LocalFrame
from fusion.types import Geodetic

KEYS = (
    Key("rate_hz", "number", "fixes a second", 1.0, above=0.0, at_most=20.0),
    Key("latency_s", "number", "from the fix to the port", 0.10, at_least=0.0, at_most=2.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    Key("horizontal_sigma_m", "number", "its error", 1.2, at_least=0.0),
    Key("vertical_sigma_m", "number", "its error", 2.5, at_least=0.0),
    Key("satellites", "integer", "used", 11, at_least=0, at_most=60),
    Key("speaks", "text", "its protocol", "nmea", choices=("nmea", "ubx")),
)
WANDER_S = (47.0, 83.0, 131.0)  # periods of the slow error in east, north, up
NAV_PVT, NAV_STATUS, MON_HW = (0x01, 0x07), (0x01, 0x03), (0x0A, 0x09)
PVT = struct.Struct("<IHBBBBBBIiBBBBiiiiIIiiiiiIIH6x8x")  # 92 bytes: of protocol version 15 and later
VALID_TIME, FIX_OK = 0x07, 0x01
GPS_EPOCH_S, WEEK_S, LEAP_S = 315_964_800, 604_800, 18


class Gnss:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        values = read_keys(dict(simulate), KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._frame, self._geoid_height_m = LocalFrame(scenario.site.origin), scenario.site.geoid_height_m or 0.0
        self._position_enu_m = np.asarray(entry.sensor.position_enu_m)
        self._sigma_m = np.array([values["horizontal_sigma_m"]] * 2 + [values["vertical_sigma_m"]])
        self._satellites, self._speaks_ubx = values["satellites"], values["speaks"] == "ubx"
        self._phase = chance_of(seed, self.sensor_id).uniform(0.0, 2 * math.pi, 3)
        self._faults = scenario.faults

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        is_jammed = holding(self._faults, self.sensor_id, "jammed", time_s) is not None
        spoof = holding(self._faults, self.sensor_id, "spoofed", time_s)
        wander = np.sqrt(2.0) * np.sin(2 * math.pi * time_s / np.asarray(WANDER_S) + self._phase)
        believed = self._position_enu_m + wander * self._sigma_m
        if spoof is not None:
            believed = believed + np.array([spoof.told["drift_m_s"] * (time_s - spoof.from_s), 0.0, 0.0])
        point = self._frame.enu_to_geodetic(believed)
        moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
        if self._speaks_ubx:
            is_noticed = spoof is not None and bool(spoof.told["noticed"])
            return self._ubx(point, moment, is_jammed, is_noticed)
        return self._nmea(point, moment, is_jammed)

    def _nmea(self, point: Geodetic, moment: datetime, is_jammed: bool) -> bytes:
        assert point.height_m is not None
        midnight_s = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
        altitude_m = point.height_m - self._geoid_height_m
        east, north, up = (float(v) for v in self._sigma_m)
        quality, satellites = (0, 0) if is_jammed else (1, self._satellites)
        gga = encode_gga(
            midnight_s,
            point.latitude_deg,
            point.longitude_deg,
            altitude_m,
            self._geoid_height_m,
            quality,
            satellites_used=satellites,
        )
        rmc = encode_rmc(
            midnight_s, f"{moment:%d%m%y}", point.latitude_deg, point.longitude_deg, is_valid=not is_jammed
        )
        return gga + rmc + encode_gst(midnight_s, north, east, up)

    def _ubx(self, point: Geodetic, moment: datetime, is_jammed: bool, is_spoofed: bool) -> bytes:
        """NAV-PVT, NAV-STATUS and MON-HW, as u-blox lays them out (`firmware_interfaces/ubx.py`)."""
        assert point.height_m is not None
        week_ms = round((moment.timestamp() - GPS_EPOCH_S + LEAP_S) % WEEK_S * 1000)
        fix, flags, satellites = (0, 0, 0) if is_jammed else (3, FIX_OK, self._satellites)
        horizontal_mm, vertical_mm = round(self._sigma_m[0] * 1000), round(self._sigma_m[2] * 1000)
        height_mm = round(point.height_m * 1000)
        pvt = PVT.pack(
            *(week_ms, moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second),
            *(VALID_TIME, 50, moment.microsecond * 1000, fix, flags, 0, satellites),
            *(round(point.longitude_deg * 1e7), round(point.latitude_deg * 1e7), height_mm),
            *(
                height_mm - round(self._geoid_height_m * 1000),
                horizontal_mm,
                vertical_mm,
                0,
                0,
                0,
                0,
                0,
                200,
                1800000,
                130,
            ),
        )
        status = struct.pack("<IBBBBII", week_ms, fix, flags, 0, (2 if is_spoofed else 1) << 3, 20_000, 100_000)
        hardware = bytearray(60)
        hardware[22] = (3 if is_jammed else 1) << 2
        hardware[45] = 240 if is_jammed else 10  # jamInd: how strong the carrier of a jammer is
        return ubx.encode(NAV_PVT, pvt) + ubx.encode(NAV_STATUS, status) + ubx.encode(MON_HW, bytes(hardware))
