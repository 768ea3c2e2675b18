"""Open Drone ID messages: what a drone broadcasts of itself, 25 bytes a message.

    byte 0        high nibble message type, low nibble protocol version
    0 Basic ID    who: serial number, registration, UTM or session id; what kind of aircraft
    1 Location    where, how fast, how sure, when (tenths of a second since the full hour)
    2 Authentication pages    3 Self ID (text)    4 System (operator's position)    5 Operator ID
    15 Message pack: size (25), count (0..9), then that many messages

Nothing protects these messages: whatever they say is a claim. Unknown is None here; the wire's own marks for it
(direction 361 deg, speeds 255 and 63 m/s, altitude -1000 m, time 0xFFFF, latitude and longitude both 0) end here.

Sources: ASTM F3411-22a, ASD-STAN prEN 4709-002; scales as in opendroneid-core-c.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from firmware_interfaces.decoder import Rejected

MESSAGE_BYTES = 25
MAX_PACKED = 9
PACK_TYPE = 15
MOST_IN_PACK = {0: 2, 1: 1, 3: 1, 4: 1, 5: 1}  # by message type; more is a radio's bit error (opendroneid-core-c)
ID_TYPES = {1: "serial", 2: "registration", 3: "utm", 4: "session"}
ID_UTM, ID_SESSION = 3, 4
CATEGORIES = {
    1: "airplane", 2: "multirotor", 3: "gyroplane", 4: "hybrid_lift", 5: "ornithopter", 6: "glider", 7: "kite",
    8: "free_balloon", 9: "captive_balloon", 10: "airship", 11: "parachute", 12: "rocket", 13: "tethered",
    14: "ground_obstacle", 15: "other",
}  # fmt: skip
STATUSES = {1: "ground", 2: "airborne", 3: "emergency", 4: "remote_id_failure"}  # 0: undeclared

# 95 % bounds by accuracy code (ASTM F3411-22a, tables 8 to 10); code 0 and codes not listed: unknown
NAUTICAL_MILE_M = 1852.0
HORIZONTAL_95_M = {
    1: 10 * NAUTICAL_MILE_M, 2: 4 * NAUTICAL_MILE_M, 3: 2 * NAUTICAL_MILE_M, 4: NAUTICAL_MILE_M,
    5: 0.5 * NAUTICAL_MILE_M, 6: 0.3 * NAUTICAL_MILE_M, 7: 0.1 * NAUTICAL_MILE_M, 8: 0.05 * NAUTICAL_MILE_M,
    9: 30.0, 10: 10.0, 11: 3.0, 12: 1.0,
}  # fmt: skip
VERTICAL_95_M = {1: 150.0, 2: 45.0, 3: 25.0, 4: 10.0, 5: 3.0, 6: 1.0}
SPEED_95_M_S = {1: 10.0, 2: 3.0, 3: 1.0, 4: 0.3}
RADIUS_95 = math.sqrt(-2.0 * math.log(0.05))  # 2.448 sigma: a circle that holds 95 % of a round two-axis normal error
BOUND_95 = 1.960  # sigma: 95 % of a one-axis normal error

BODY_LOCATION = struct.Struct("<BBBbiiHHHBBHBx")
BODY_SYSTEM = struct.Struct("<BiiHBHHBHIx")
UNKNOWN_TIME = 0xFFFF
UNKNOWN_ALTITUDE_M = -1000.0
UNKNOWN_VERTICAL_SPEED_RAW = 126  # 63 m/s


@dataclass(frozen=True, slots=True)
class BasicId:
    id_type: int
    aircraft_type: int
    uas_id: bytes  # 20 bytes or fewer, NUL padding taken off


@dataclass(frozen=True, slots=True)
class Location:
    status: int
    direction_deg: float | None  # track over ground, clockwise from true north
    speed_m_s: float | None
    vertical_speed_m_s: float | None  # positive up
    latitude_deg: float | None
    longitude_deg: float | None
    pressure_altitude_m: float | None
    geodetic_altitude_m: float | None  # above the WGS-84 ellipsoid
    height_m: float | None
    height_type: int  # 0 above take-off, 1 above ground
    horizontal_accuracy: int
    vertical_accuracy: int
    pressure_accuracy: int
    speed_accuracy: int
    timestamp_s: float | None  # since the full hour, UTC
    timestamp_accuracy: int


@dataclass(frozen=True, slots=True)
class Authentication:
    """One page; page 0 also tells length and time of the whole."""

    auth_type: int
    page: int
    last_page: int | None
    length: int | None
    timestamp_2019_s: int | None
    data: bytes


@dataclass(frozen=True, slots=True)
class SelfId:
    description_type: int
    text: bytes


@dataclass(frozen=True, slots=True)
class System:
    operator_position_type: int  # 0 take-off, 1 live, 2 fixed
    classification: int
    operator_latitude_deg: float | None
    operator_longitude_deg: float | None
    operator_altitude_m: float | None  # above the WGS-84 ellipsoid
    area_count: int
    area_radius_m: int
    area_ceiling_m: float | None
    area_floor_m: float | None
    eu_category: int
    eu_class: int
    timestamp_2019_s: int


@dataclass(frozen=True, slots=True)
class OperatorId:
    id_type: int
    operator_id: bytes


Message: TypeAlias = BasicId | Location | Authentication | SelfId | System | OperatorId


def horizontal_sigma_m(code: int) -> float | None:
    """1-sigma of each horizontal axis; None: unknown."""
    return None if (bound := HORIZONTAL_95_M.get(code)) is None else bound / RADIUS_95


def vertical_sigma_m(code: int) -> float | None:
    """1-sigma of the height; None: unknown."""
    return None if (bound := VERTICAL_95_M.get(code)) is None else bound / BOUND_95


def speed_sigma_m_s(code: int) -> float | None:
    """1-sigma of each horizontal velocity component; None: unknown."""
    return None if (bound := SPEED_95_M_S.get(code)) is None else bound / RADIUS_95


def clean_text(raw: bytes) -> str | None:
    """What people may be shown of a text that anyone can send: printable ASCII, anything else marked; None if empty."""
    text = raw.split(b"\0")[0].strip()
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "\ufffd" for byte in text) or None


def identity_of(message: BasicId) -> str | None:
    """The id as people write it: text, or hexadecimal for the binary kinds; None where there is none."""
    if message.id_type not in ID_TYPES or not message.uas_id:
        return None
    if message.id_type == ID_UTM:
        digits = message.uas_id.ljust(16, b"\0")[:16].hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return message.uas_id.hex() if message.id_type == ID_SESSION else clean_text(message.uas_id)


# Bytes to messages


def decode_pack(raw: bytes) -> tuple[Message, ...]:
    """All messages of a pack, or the one message. Raises Rejected; one impossible message spoils the whole pack."""
    if raw and raw[0] >> 4 != PACK_TYPE:
        return (decode(raw[:MESSAGE_BYTES]),)
    if len(raw) < 3:
        raise Rejected("length", f"a pack of {len(raw)} bytes")
    return decode_packed(raw[1], raw[2], raw[3:])


def decode_packed(size: int, count: int, raw: bytes) -> tuple[Message, ...]:
    """`count` messages of `size` bytes that stand one behind the other. Raises Rejected."""
    if size != MESSAGE_BYTES:
        raise Rejected("length", f"packed messages of {size} bytes, expected {MESSAGE_BYTES}")
    if count > MAX_PACKED or count * size > len(raw):
        raise Rejected("length", f"{count} messages packed in {len(raw)} bytes, at most {MAX_PACKED}")
    kinds = Counter(raw[place] >> 4 for place in range(0, count * size, size))
    for kind, at_most in MOST_IN_PACK.items():
        if kinds[kind] > at_most:
            raise Rejected("content", f"{kinds[kind]} messages of type {kind} in one pack, at most {at_most}")
    return tuple(decode(raw[place : place + size]) for place in range(0, count * size, size))


def decode(raw: bytes) -> Message:
    """One message of 25 bytes. Raises Rejected."""
    if len(raw) != MESSAGE_BYTES:
        raise Rejected("length", f"a message of {len(raw)} bytes, expected {MESSAGE_BYTES}")
    read = READERS.get(raw[0] >> 4)
    if read is None:
        raise Rejected("unknown", f"message type {raw[0] >> 4}")
    return read(raw[1:])


def _basic_id(body: bytes) -> Message:
    return BasicId(body[0] >> 4, body[0] & 0xF, body[1:21].rstrip(b"\0"))


def _location(body: bytes) -> Message:
    (flags, direction, speed, climb, latitude, longitude, pressure, geodetic, height, accuracy, other, tenths, age) = (
        BODY_LOCATION.unpack(body)
    )
    direction_deg = float(direction + (180 if flags & 2 else 0))
    speed_m_s = speed * 0.75 + 63.75 if flags & 1 else speed * 0.25
    has_position = latitude != 0 or longitude != 0
    return Location(
        status=flags >> 4,
        direction_deg=direction_deg if direction_deg < 360.0 else None,
        speed_m_s=speed_m_s if speed_m_s < 255.0 else None,
        vertical_speed_m_s=climb * 0.5 if climb != UNKNOWN_VERTICAL_SPEED_RAW else None,
        latitude_deg=latitude / 1e7 if has_position else None,
        longitude_deg=longitude / 1e7 if has_position else None,
        pressure_altitude_m=_altitude(pressure),
        geodetic_altitude_m=_altitude(geodetic),
        height_m=_altitude(height),
        height_type=flags >> 2 & 1,
        horizontal_accuracy=accuracy & 0xF,
        vertical_accuracy=accuracy >> 4,
        pressure_accuracy=other >> 4,
        speed_accuracy=other & 0xF,
        timestamp_s=tenths / 10.0 if tenths != UNKNOWN_TIME else None,
        timestamp_accuracy=age & 0xF,
    )


def _altitude(raw: int) -> float | None:
    return raw * 0.5 + UNKNOWN_ALTITUDE_M if raw else None


def _authentication(body: bytes) -> Message:
    auth_type, page = body[0] >> 4, body[0] & 0xF
    if page:
        return Authentication(auth_type, page, None, None, None, body[1:])
    return Authentication(auth_type, 0, body[1], body[2], int.from_bytes(body[3:7], "little"), body[7:])


def _self_id(body: bytes) -> Message:
    return SelfId(body[0], body[1:].rstrip(b"\0"))


def _system(body: bytes) -> Message:
    flags, latitude, longitude, count, radius, ceiling, floor, europe, altitude, seconds = BODY_SYSTEM.unpack(body)
    has_position = latitude != 0 or longitude != 0
    return System(
        operator_position_type=flags & 3,
        classification=flags >> 2 & 7,
        operator_latitude_deg=latitude / 1e7 if has_position else None,
        operator_longitude_deg=longitude / 1e7 if has_position else None,
        operator_altitude_m=_altitude(altitude),
        area_count=count,
        area_radius_m=radius * 10,
        area_ceiling_m=_altitude(ceiling),
        area_floor_m=_altitude(floor),
        eu_category=europe >> 4,
        eu_class=europe & 0xF,
        timestamp_2019_s=seconds,
    )


def _operator_id(body: bytes) -> Message:
    return OperatorId(body[0], body[1:21].rstrip(b"\0"))


READERS = {0: _basic_id, 1: _location, 2: _authentication, 3: _self_id, 4: _system, 5: _operator_id}


# Messages to bytes


def encode(message: Message, version: int = 2) -> bytes:
    """The 25 bytes of a message; numbers are rounded to the wire's steps."""
    if isinstance(message, BasicId):
        kind, body = 0, bytes((message.id_type << 4 | message.aircraft_type,)) + message.uas_id[:20]
    elif isinstance(message, Location):
        kind, body = 1, _encode_location(message)
    elif isinstance(message, Authentication):
        kind, body = 2, _encode_authentication(message)
    elif isinstance(message, SelfId):
        kind, body = 3, bytes((message.description_type,)) + message.text[:23]
    elif isinstance(message, System):
        kind, body = 4, _encode_system(message)
    else:
        kind, body = 5, bytes((message.id_type,)) + message.operator_id[:20]
    return (bytes((kind << 4 | version,)) + body).ljust(MESSAGE_BYTES, b"\0")


def encode_pack(messages: Sequence[Message], version: int = 2) -> bytes:
    """A message pack, as Bluetooth 5 and Wi-Fi carry it."""
    if len(messages) > MAX_PACKED:
        raise ValueError(f"{len(messages)} messages, a pack holds at most {MAX_PACKED}")
    head = bytes((PACK_TYPE << 4 | version, MESSAGE_BYTES, len(messages)))
    return head + b"".join(encode(message, version) for message in messages)


def _encode_location(message: Location) -> bytes:
    direction = 361 if message.direction_deg is None else round(message.direction_deg) % 360
    speed_m_s = 255.0 if message.speed_m_s is None else min(message.speed_m_s, 254.25)
    is_fast = speed_m_s > 63.75
    speed = round((speed_m_s - 63.75) / 0.75) if is_fast else round(speed_m_s / 0.25)
    flags = is_fast | (direction >= 180) << 1 | message.height_type << 2 | message.status << 4
    climb = message.vertical_speed_m_s
    return BODY_LOCATION.pack(
        flags,
        direction - 180 if direction >= 180 else direction,
        speed,
        UNKNOWN_VERTICAL_SPEED_RAW if climb is None else max(-128, min(127, round(climb * 2.0))),
        *_encode_position(message.latitude_deg, message.longitude_deg),
        _encode_altitude(message.pressure_altitude_m),
        _encode_altitude(message.geodetic_altitude_m),
        _encode_altitude(message.height_m),
        message.horizontal_accuracy | message.vertical_accuracy << 4,
        message.speed_accuracy | message.pressure_accuracy << 4,
        UNKNOWN_TIME if message.timestamp_s is None else round(message.timestamp_s * 10.0),
        message.timestamp_accuracy,
    )


def _encode_position(latitude_deg: float | None, longitude_deg: float | None) -> tuple[int, int]:
    if latitude_deg is None or longitude_deg is None:
        return 0, 0
    return round(latitude_deg * 1e7), round(longitude_deg * 1e7)


def _encode_altitude(altitude_m: float | None) -> int:
    return 0 if altitude_m is None else max(1, min(65535, round((altitude_m - UNKNOWN_ALTITUDE_M) * 2.0)))


def _encode_authentication(message: Authentication) -> bytes:
    head = bytes((message.auth_type << 4 | message.page,))
    if message.page:
        return head + message.data[:23]
    seconds = message.timestamp_2019_s or 0
    return (
        head + bytes((message.last_page or 0, message.length or 0)) + seconds.to_bytes(4, "little") + message.data[:17]
    )


def _encode_system(message: System) -> bytes:
    return BODY_SYSTEM.pack(
        message.operator_position_type | message.classification << 2,
        *_encode_position(message.operator_latitude_deg, message.operator_longitude_deg),
        message.area_count,
        message.area_radius_m // 10,
        _encode_altitude(message.area_ceiling_m),
        _encode_altitude(message.area_floor_m),
        message.eu_class | message.eu_category << 4,
        _encode_altitude(message.operator_altitude_m),
        message.timestamp_2019_s,
    )
