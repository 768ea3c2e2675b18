"""DJI DroneID in Wi-Fi beacons: where an older DJI drone with a Wi-Fi link says it is, and where its pilot is.

    OUI 26:37:12 (or another of OUIS) | 58 62 13 | 10 telemetry, 11 text
    10, version 2   version | sequence u16 | state (2) | serial (16) | lon lat i32 | altitude height north east up yaw i16
                    | app time u64 | pilot lat lon i32 | home lon lat i32 | product u8 | length u8 | uuid (20)
    10, version 1   the same to `up`, then pitch roll yaw i16 | home lon lat i32 | product u8 | length u8 | uuid (20)
    11              serial (16) | length u8 | drone's name (10) | length u8 | purpose

Little-endian. Coordinates are radians times 10^7, so raw / 174532.925 degrees; note the pilot's order. Nothing protects
any of it. The scales of altitude and speeds differ between those who have described the format, and the datum of the
altitude is not known: they are told raw and used for nothing. Newer drones encrypt what they send.

Sources: the element as Kismet and the RemoteIDReceiver of the Cyber-Defence Campus read it. Version 1 and the text were
not seen on a wire by us.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Rejected
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.positions import geodetic
from fusion.types import Claim, Geodetic, Sensor

OUIS = tuple(bytes.fromhex(oui) for oui in ("263712", "60601f", "481cb9", "34d262"))
MARK = bytes.fromhex("586213")
TELEMETRY, TEXT = 0x10, 0x11
DEGREES = 1e7 * math.pi / 180.0  # raw counts in one degree
VERSION_1 = struct.Struct("<BH2s16sii8hiiBB20s")
VERSION_2 = struct.Struct("<BH2s16sii6hQiiiiBB20s")


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What one element says; angles are degrees, None where there is no position."""

    oui: str
    version: int
    sequence: int
    state: bytes
    serial: str
    latitude_deg: float
    longitude_deg: float
    altitude_raw: int
    height_raw: int
    north_raw: int
    east_raw: int
    up_raw: int
    yaw_raw: int
    app_time_raw: int | None
    pilot_latitude_deg: float | None
    pilot_longitude_deg: float | None
    home_latitude_deg: float
    home_longitude_deg: float
    product_type: int
    uuid_length: int
    uuid: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a pilot wrote."""

    oui: str
    serial: str
    name: str
    purpose: str


def is_drone_id(element: bytes) -> bool:
    """Whether a vendor element is one of these."""
    return element[:3] in OUIS and element[3:6] == MARK


def parse(element: bytes) -> Telemetry | Text:
    """An element from its OUI on. Raises Rejected."""
    oui, body = element[:3].hex(), element[7:]
    kind = element[6] if len(element) > 6 else None
    if kind == TEXT and len(body) >= 28:
        purpose = body[28 : 28 + body[27]]
        return Text(oui, _text(body[:16]), _text(body[17:27][: body[16]]), _text(purpose))
    if kind != TELEMETRY or not body:
        raise Rejected("unknown", f"DroneID sub-command {kind}")
    if body[0] == 2:
        return _version_2(oui, body)
    if body[0] == 1:
        return _version_1(oui, body)
    raise Rejected("unknown", f"DroneID version {body[0]}")


def _version_2(oui: str, body: bytes) -> Telemetry:
    if len(body) < VERSION_2.size:
        raise Rejected("length", f"DroneID of {len(body)} bytes, expected {VERSION_2.size}")
    version, sequence, state, serial, longitude, latitude, *rest = VERSION_2.unpack_from(body)
    altitude, height, north, east, up, yaw, app_time, pilot_latitude, pilot_longitude, *last = rest
    home_longitude, home_latitude, product, uuid_length, uuid = last
    return Telemetry(
        *(oui, version, sequence, state, _text(serial), latitude / DEGREES, longitude / DEGREES),
        *(altitude, height, north, east, up, yaw, app_time, pilot_latitude / DEGREES, pilot_longitude / DEGREES),
        *(home_latitude / DEGREES, home_longitude / DEGREES, product, uuid_length, _uuid(uuid, uuid_length)),
    )


def _version_1(oui: str, body: bytes) -> Telemetry:
    if len(body) < VERSION_1.size:
        raise Rejected("length", f"DroneID of {len(body)} bytes, expected {VERSION_1.size}")
    version, sequence, state, serial, longitude, latitude, *rest = VERSION_1.unpack_from(body)
    altitude, height, north, east, up, _, _, yaw, home_longitude, home_latitude, product, uuid_length, uuid = rest
    values: list[Any] = [oui, version, sequence, state, _text(serial), latitude / DEGREES, longitude / DEGREES]
    values += [altitude, height, north, east, up, yaw, None, None, None]  # neither an app's time nor a pilot's position
    values += [home_latitude / DEGREES, home_longitude / DEGREES, product, uuid_length, _uuid(uuid, uuid_length)]
    return Telemetry(*values)


def _text(raw: bytes) -> str:
    return clean_text(raw) or ""


def _uuid(raw: bytes, length: int) -> str:
    """Some senders put a NUL before it."""
    return _text(raw.lstrip(b"\0")[:length])


def place(latitude_deg: float | None, longitude_deg: float | None) -> Geodetic | None:
    """A position without height; None where it is not given, or 0,0."""
    if latitude_deg is None or longitude_deg is None or (latitude_deg == 0.0 and longitude_deg == 0.0):
        return None
    return geodetic(latitude_deg, longitude_deg, None)


def claim(
    sensor: Sensor, transmitter: str, said: Telemetry, text: str | None, received_ns: int, power_dbm: float | None
) -> Claim:
    """What a drone says of itself; its accuracy is not told."""
    return Claim(
        sensor_id=sensor.sensor_id,
        time_ns=received_ns - sensor.latency_ns,
        protocol="dji_droneid",
        transmitter=transmitter,
        identity=said.serial or None,
        identity_type="serial" if said.serial else None,
        category="multirotor",
        position=place(said.latitude_deg, said.longitude_deg),
        horizontal_sigma_m=None,
        vertical_sigma_m=None,
        velocity_enu_m_s=None,
        speed_sigma_m_s=None,
        operator_position=place(said.pilot_latitude_deg, said.pilot_longitude_deg),
        operator_id=None,
        status=None,
        text=text,
        authenticated=False,
        power_dbm=power_dbm,
    )


def record(said: Telemetry | Text) -> dict[str, Any]:
    """An element as plain data."""
    if isinstance(said, Text):
        names = {"oui": said.oui, "subcmd": (MARK + bytes((TEXT,))).hex()}
        return {**names, "serial": said.serial, "drone_id": said.name, "purpose": said.purpose}
    numbers = {
        "lon_deg": said.longitude_deg,
        "lat_deg": said.latitude_deg,
        "altitude_raw": said.altitude_raw,
        "height_raw": said.height_raw,
        "v_north_raw": said.north_raw,
        "v_east_raw": said.east_raw,
        "v_up_raw": said.up_raw,
        "yaw_raw": said.yaw_raw,
        "yaw_deg": said.yaw_raw / 100.0,
        "app_time_raw": said.app_time_raw,
        "pilot_lat_deg": said.pilot_latitude_deg,
        "pilot_lon_deg": said.pilot_longitude_deg,
        "home_lon_deg": said.home_longitude_deg,
        "home_lat_deg": said.home_latitude_deg,
    }
    return {
        "oui": said.oui,
        "subcmd": (MARK + bytes((TELEMETRY,))).hex(),
        "version": said.version,
        "seq": said.sequence,
        "state_hex": said.state.hex(),
        "serial": said.serial,
        **{name: round(value, 6) if isinstance(value, float) else value for name, value in numbers.items()},
        "product_type": said.product_type,
        "uuid_len": said.uuid_length,
        "uuid": said.uuid,
    }


def encode(said: Telemetry) -> bytes:
    """The element of version 2, from its OUI on."""
    raw = [round((value or 0.0) * DEGREES) for value in (said.pilot_latitude_deg, said.pilot_longitude_deg)]
    return (
        bytes.fromhex(said.oui)
        + MARK
        + bytes((TELEMETRY,))
        + VERSION_2.pack(
            *(2, said.sequence, said.state, said.serial.encode()),
            *(round(said.longitude_deg * DEGREES), round(said.latitude_deg * DEGREES)),
            *(said.altitude_raw, said.height_raw, said.north_raw, said.east_raw, said.up_raw, said.yaw_raw),
            *(said.app_time_raw or 0, *raw),
            *(round(said.home_longitude_deg * DEGREES), round(said.home_latitude_deg * DEGREES)),
            *(said.product_type, said.uuid_length, said.uuid.encode()),
        )
    )
