"""A Remote ID receiver: what it hears from the drones that broadcast, as MAVLink 2 on its serial port.

    drone ──(basic id, location, system, operator id, once a second; some get lost)──▶ receiver ──▶ MAVLink

The position in it is what the drone's own satellite receiver believes. That wanders slowly about the truth, with periods of
half a minute and more, so that neighbouring seconds are nearly equally wrong. A drone may lie (a position that is not its own,
an old one, another's serial), and a transmitter need not be a drone: an object that no other sensor can see.

What is heard is decided by `hearing.py`: distance, chance, reflections that fade, hills between.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from edge.simulator.chance import chance_of
from edge.simulator.hearing import HEARING_KEYS, Hearing, error_m
from edge.simulator.scenario import Scenario
from edge.simulator.world import Broadcast, Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces import mavlink
from firmware_interfaces.open_drone_id_messages import BOUND_95, HORIZONTAL_95_M, RADIUS_95, VERTICAL_95_M
from fusion.frames import LocalFrame
from fusion.types import FloatArray, Geodetic

KEYS = (
    Key("rate_hz", "number", "broadcasts a second of each drone", 1.0, above=0.0, at_most=10.0),
    Key("latency_s", "number", "from the drone's fix to the port", 0.3, at_least=0.0, at_most=10.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    *HEARING_KEYS,
)
SERIAL_NUMBER, MULTIROTOR, AIRBORNE, LIVE_OPERATOR = 1, 2, 2, 1  # codes of ASTM F3411-22a
SPEED_CODE = 3  # better than 1 m/s
UNKNOWN_ALTITUDE_M = -1000.0
UNIX_OF_2019_S = 1_546_300_800  # 2019-01-01T00:00:00Z, where a System message's time begins


class RemoteId:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        values = read_keys(dict(simulate), KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._frame, self._seed = LocalFrame(scenario.site.origin), seed
        self._hearing = Hearing(scenario.world, entry.sensor, values, seed)
        self._timeline, self._sent = Timeline(scenario.world, self.rate_hz), 0

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """All that is heard of this second's broadcasts."""
        heard = [
            self._packet(mavlink.HEARTBEAT, {"type": 34, "autopilot": 8, "system_status": 4, "mavlink_version": 3})
        ]
        chance = chance_of(self._seed, self.sensor_id, number)
        for broadcast, position_enu_m, velocity_enu_m_s, _ in self._hearing.heard(self._timeline.at(number), chance):
            age_ns = round(broadcast.delay_s * 1e9)
            where = position_enu_m + error_m(broadcast, time_s, self._seed)
            heard += self._broadcast(broadcast, where, velocity_enu_m_s, time_ns - age_ns)
        return b"".join(heard)

    def _broadcast(
        self, broadcast: Broadcast, claimed_enu_m: FloatArray, velocity_enu_m_s: FloatArray, time_ns: int
    ) -> list[bytes]:
        address = {"id_or_mac": radio_address(broadcast.transmitter or broadcast.serial)}
        operator = self._frame.enu_to_geodetic(broadcast.operator_enu_m)
        where = self._frame.enu_to_geodetic(claimed_enu_m)
        return [
            self._packet(
                mavlink.BASIC_ID,
                address | {"id_type": SERIAL_NUMBER, "ua_type": MULTIROTOR, "uas_id": broadcast.serial.encode()},
            ),
            self._packet(mavlink.LOCATION, address | location(where, velocity_enu_m_s, broadcast, time_ns)),
            self._packet(mavlink.SYSTEM, address | system(operator, time_ns)),
            self._packet(mavlink.OPERATOR_ID, address | {"operator_id": broadcast.operator_id}),
        ]

    def _packet(self, message_id: int, fields: dict[str, Any]) -> bytes:
        self._sent += 1
        return mavlink.encode(message_id, mavlink.LAYOUTS[message_id].pack(fields), self._sent & 0xFF)


def radio_address(name: str) -> bytes:
    """Six bytes, of the range that is nobody's (locally administered)."""
    return b"\x02\x00" + zlib.crc32(name.encode()).to_bytes(4, "big")


def location(
    where: Geodetic, velocity_enu_m_s: FloatArray, broadcast: Broadcast, time_ns: int
) -> dict[str, int | float]:
    """The fields of a Location message."""
    east, north, up = (float(v) for v in velocity_enu_m_s)
    moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
    assert where.height_m is not None
    return {
        "latitude": round(where.latitude_deg * 1e7),
        "longitude": round(where.longitude_deg * 1e7),
        "altitude_barometric": UNKNOWN_ALTITUDE_M,
        "altitude_geodetic": where.height_m,
        "height": UNKNOWN_ALTITUDE_M,
        "timestamp": moment.minute * 60 + moment.second + moment.microsecond / 1e6,
        "direction": round(math.degrees(math.atan2(east, north)) % 360.0 * 100) % 36_000,
        "speed_horizontal": round(math.hypot(east, north) * 100),
        "speed_vertical": round(up * 100),
        "status": AIRBORNE,
        "horizontal_accuracy": accuracy_code(HORIZONTAL_95_M, broadcast.horizontal_sigma_m * RADIUS_95),
        "vertical_accuracy": accuracy_code(VERTICAL_95_M, broadcast.vertical_sigma_m * BOUND_95),
        "speed_accuracy": SPEED_CODE,
        "timestamp_accuracy": 1,  # tenths of a second
    }


def system(operator: Geodetic, time_ns: int) -> dict[str, int | float]:
    """The fields of a System message: where the operator stands."""
    assert operator.height_m is not None
    return {
        "operator_latitude": round(operator.latitude_deg * 1e7),
        "operator_longitude": round(operator.longitude_deg * 1e7),
        "operator_altitude_geo": operator.height_m,
        "operator_location_type": LIVE_OPERATOR,
        "area_count": 1,
        "area_ceiling": UNKNOWN_ALTITUDE_M,
        "area_floor": UNKNOWN_ALTITUDE_M,
        "timestamp": time_ns // 1_000_000_000 - UNIX_OF_2019_S,
    }


def accuracy_code(bounds: Mapping[int, float], bound_95: float) -> int:
    """The tightest code whose 95 % bound holds; 0 where none does."""
    holding = [code for code, bound in bounds.items() if bound >= bound_95]
    return min(holding, key=lambda code: bounds[code], default=0)
