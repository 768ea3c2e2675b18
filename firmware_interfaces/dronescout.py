"""DroneScout receivers over MQTT: Remote ID heard by Bluetooth and Wi-Fi, as JSON with a C structure inside.

    {"protocol": 1.0, "data": {"sensor ID", "RSSI" dBm, "channel", "timestamp" Unix ms, "MAC address",
                               "type": "BLE legacy" | "BLE long range" | "WiFi beacon" | "WiFi NaN",
                               "UASdata": base64}}
    {"protocol": 1.0, "data": {"sensor ID", "timestamp", "firmware version", "model", "status"}}

`UASdata` is the receiver's memory: ODID_UAS_Data of opendroneid-core-c on 64-bit ARM, 920 bytes, and one NUL.

    0    2 x Basic ID, 32 bytes      136  16 x Authentication, 40 bytes     808  System, 56 bytes
    64   Location, 72 bytes          776  Self ID, 28 bytes                 864  Operator ID, 28 bytes
    892  one byte each that tells whether it holds: 2 Basic ID, Location, 16 Authentication, Self ID, System, Operator ID

Another length means another build with another layout, and is refused. One message is one reading, or one line.

Source: opendroneid.h of opendroneid-core-c; BlueMark DroneScout MQTT documentation.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware_interfaces.decoder import Counts, Rejected
from firmware_interfaces.json_lines import number, read_json
from firmware_interfaces.open_drone_id_messages import (
    BasicId,
    Location,
    Message,
    OperatorId,
    SelfId,
    System,
    clean_text,
)
from firmware_interfaces.remote_id_claims import Transmitters
from firmware_interfaces.text_lines import TextLines
from fusion.types import Fact, Reading, Sensor, Status

MAX_LINE_BYTES = 16_384
UAS_DATA_BYTES = (920, 921)
BASIC_ID = struct.Struct("<II21s3x")
LOCATION = struct.Struct("<IfffddffIf5If")
SELF_ID = struct.Struct("<I24s")
SYSTEM = struct.Struct("<IIddHHffIIfI")
OPERATOR_ID = struct.Struct("<I21s3x")
BASIC_ID_AT, LOCATION_AT, SELF_ID_AT, SYSTEM_AT, OPERATOR_ID_AT, VALID_AT = 0, 64, 776, 808, 864, 892
LOCATION_VALID, SELF_ID_VALID, SYSTEM_VALID, OPERATOR_ID_VALID = 2, 19, 20, 21


@dataclass(frozen=True, slots=True)
class Heard:
    """One broadcast as the receiver heard it."""

    receiver: str
    rssi_dbm: float | None
    channel: int | None
    timestamp_ms: int | None
    mac: str
    transport: str
    messages: tuple[Message, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    receiver: str
    timestamp_ms: int | None
    firmware: str
    model: str
    status: str


Line = tuple[Heard | ReceiverStatus, ...]  # some tools write an array


class Lines(TextLines[Line]):
    """Bytes in, lines out, for captures of one object or array a line."""

    def __init__(self) -> None:
        super().__init__(
            parse, lambda line: "status" if isinstance(line[0], ReceiverStatus) else "heard", MAX_LINE_BYTES
        )


def parse(line: bytes) -> Line | None:
    """What a message says; None: nothing. Raises Rejected."""
    if not (text := line.strip()):
        return None
    found, is_repeated = read_json(text)
    if is_repeated:
        raise Rejected("repeated key", "a key comes twice: no receiver writes that")
    entries = found if isinstance(found, list) else [found]
    return tuple(_entry(entry) for entry in entries) or None


def _entry(entry: Any) -> Heard | ReceiverStatus:
    data = entry.get("data") if isinstance(entry, dict) else None
    if not isinstance(data, dict):
        raise Rejected("field", "a message without data")
    stamp = number(data.get("timestamp"))
    timestamp_ms = None if stamp is None else int(stamp)
    if "status" in data:
        texts = (_text(data.get(name)) for name in ("firmware version", "model", "status"))
        return ReceiverStatus(_text(data.get("sensor ID")), timestamp_ms, *texts)
    channel = number(data.get("channel"))
    return Heard(
        receiver=_text(data.get("sensor ID")),
        rssi_dbm=number(data.get("RSSI")),
        channel=None if channel is None else int(channel),
        timestamp_ms=timestamp_ms,
        mac=_text(data.get("MAC address")),
        transport=_text(data.get("type")),
        messages=uas_data(_decoded(data.get("UASdata"))),
    )


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        raise Rejected("field", "a text is no text")
    return clean_text(str(value).encode("ascii", "replace")[:80]) or ""


def _decoded(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Rejected("field", "a message without UASdata")
    try:
        return binascii.a2b_base64(value)
    except (ValueError, binascii.Error) as error:
        raise Rejected("field", "UASdata is no base64") from error


def uas_data(raw: bytes) -> tuple[Message, ...]:
    """The messages of the structure that it says hold. Raises Rejected."""
    if len(raw) not in UAS_DATA_BYTES:
        raise Rejected("length", f"UASdata has {len(raw)} bytes, expected {UAS_DATA_BYTES[0]} or {UAS_DATA_BYTES[1]}")
    holds = raw[VALID_AT : VALID_AT + 22]
    messages: list[Message] = []
    for number_of_id in range(2):
        if holds[number_of_id]:
            ua_type, id_type, uas_id = BASIC_ID.unpack_from(raw, BASIC_ID_AT + number_of_id * BASIC_ID.size)
            messages.append(BasicId(id_type, ua_type, uas_id.rstrip(b"\0")))
    if holds[LOCATION_VALID]:
        messages.append(_location(raw))
    if holds[SELF_ID_VALID]:
        kind, text = SELF_ID.unpack_from(raw, SELF_ID_AT)
        messages.append(SelfId(kind, text.rstrip(b"\0")))
    if holds[SYSTEM_VALID]:
        messages.append(_system(raw))
    if holds[OPERATOR_ID_VALID]:
        kind, operator_id = OPERATOR_ID.unpack_from(raw, OPERATOR_ID_AT)
        messages.append(OperatorId(kind, operator_id.rstrip(b"\0")))
    return tuple(messages)


def _location(raw: bytes) -> Location:
    values = LOCATION.unpack_from(raw, LOCATION_AT)
    status, direction, speed, climb, latitude, longitude, pressure, geodetic, height_type, height = values[:10]
    horizontal, vertical, barometer, speed_accuracy, time_accuracy, timestamp = values[10:]
    has_position = _is_finite(latitude, longitude) and (latitude != 0.0 or longitude != 0.0)
    return Location(
        status=status,
        direction_deg=direction if 0.0 <= direction < 360.0 else None,
        speed_m_s=speed if 0.0 <= speed < 255.0 else None,
        vertical_speed_m_s=climb if abs(climb) < 63.0 else None,
        latitude_deg=latitude if has_position else None,
        longitude_deg=longitude if has_position else None,
        pressure_altitude_m=_altitude(pressure),
        geodetic_altitude_m=_altitude(geodetic),
        height_m=_altitude(height),
        height_type=height_type,
        horizontal_accuracy=horizontal,
        vertical_accuracy=vertical,
        pressure_accuracy=barometer,
        speed_accuracy=speed_accuracy,
        timestamp_s=timestamp if 0.0 <= timestamp < 3600.0 else None,
        timestamp_accuracy=time_accuracy,
    )


def _system(raw: bytes) -> System:
    values = SYSTEM.unpack_from(raw, SYSTEM_AT)
    position_type, classification, latitude, longitude, count, radius, ceiling, floor = values[:8]
    category, eu_class, altitude, seconds = values[8:]
    has_position = _is_finite(latitude, longitude) and (latitude != 0.0 or longitude != 0.0)
    return System(
        operator_position_type=position_type,
        classification=classification,
        operator_latitude_deg=latitude if has_position else None,
        operator_longitude_deg=longitude if has_position else None,
        operator_altitude_m=_altitude(altitude),
        area_count=count,
        area_radius_m=radius,
        area_ceiling_m=_altitude(ceiling),
        area_floor_m=_altitude(floor),
        eu_category=category,
        eu_class=eu_class,
        timestamp_2019_s=seconds,
    )


def _is_finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _altitude(altitude_m: float) -> float | None:
    return altitude_m if math.isfinite(altitude_m) and altitude_m > -1000.0 else None


class Decoder:
    """Readings in, one message or array each; claims and the receiver's status out."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor, self.counts = sensor, Counts()
        self._transmitters = Transmitters(sensor, self.counts)
        self._status: dict[str, str] = {}

    @property
    def kept_bytes(self) -> int:
        """Nothing is kept: a reading is whole."""
        return 0

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts of this reading."""
        self.counts.bytes += len(reading.data)
        facts: list[Fact] = []
        for line in reading.data.splitlines():
            try:
                for said in parse(line) or ():
                    facts.extend(self._facts(said, reading.received_ns))
            except Rejected as rejected:
                self.counts.rejected[rejected.reason] += 1
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if self.counts.rejected["length"] > 0:
            return (
                "UASdata of another length: the receiver's firmware has another layout than the one that is read here"
            )
        refused = sum(self.counts.rejected.values())
        if refused > sum(self.counts.decoded.values()):
            return f"{refused} messages are none of a DroneScout receiver: check the topic"
        return self._transmitters.diagnosis()

    def _facts(self, said: Heard | ReceiverStatus, received_ns: int) -> list[Fact]:
        if isinstance(said, Heard):
            self.counts.decoded["heard"] += 1
            if not said.mac:
                raise Rejected("field", "a message without radio address")
            return [*self._transmitters.hear(said.mac.lower(), said.messages, received_ns, said.rssi_dbm)]
        self.counts.decoded["status"] += 1
        text = f"{said.receiver} ({said.model}, firmware {said.firmware}): {said.status}"
        if self._status.get(said.receiver) == text or len(self._status) > 64:
            return []
        self._status[said.receiver] = text
        level = "ok" if said.status == "normal" else "warning"
        return [Status(self._sensor.sensor_id, received_ns - self._sensor.latency_ns, level, text)]


# Records, named as the receiver and the reference library name them


def record(said: Heard | ReceiverStatus) -> dict[str, Any]:
    """One message as plain data; unknown numbers as the reference library marks them."""
    if isinstance(said, ReceiverStatus):
        return {
            "sensor ID": said.receiver,
            "timestamp": said.timestamp_ms,
            "firmware version": said.firmware,
            "model": said.model,
            "status": said.status,
        }
    return {
        "sensor ID": said.receiver,
        "RSSI": said.rssi_dbm,
        "channel": said.channel,
        "timestamp": said.timestamp_ms,
        "MAC address": said.mac,
        "type": said.transport,
        "uas_data": messages_record(said.messages),
    }


def messages_record(messages: tuple[Message, ...], text: Callable[[bytes], str | None] = clean_text) -> dict[str, Any]:
    """The messages under the names of opendroneid-core-c; `text` makes bytes readable."""
    out: dict[str, Any] = {"basic_id": []}
    for message in messages:
        if isinstance(message, BasicId):
            out["basic_id"].append(
                {
                    "ua_type": message.aircraft_type,
                    "id_type": message.id_type,
                    "uas_id": text(message.uas_id) or "",
                }
            )
        elif isinstance(message, Location):
            out["location"] = _location_record(message)
        elif isinstance(message, System):
            out["system"] = _system_record(message)
        elif isinstance(message, SelfId):
            out["self_id"] = {"desc_type": message.description_type, "desc": text(message.text) or ""}
        elif isinstance(message, OperatorId):
            out["operator_id"] = {"type": message.id_type, "id": text(message.operator_id) or ""}
    return out


def _or(value: float | None, unknown: float) -> float:
    return unknown if value is None else round(value, 7)


def _location_record(location: Location) -> dict[str, Any]:
    return {
        "status": location.status,
        "direction_deg": _or(location.direction_deg, 361),
        "speed_h_mps": _or(location.speed_m_s, 255),
        "speed_v_mps": _or(location.vertical_speed_m_s, 63),
        "lat": _or(location.latitude_deg, 0),
        "lon": _or(location.longitude_deg, 0),
        "alt_baro_m": _or(location.pressure_altitude_m, -1000),
        "alt_geo_m": _or(location.geodetic_altitude_m, -1000),
        "height_type": location.height_type,
        "height_m": _or(location.height_m, -1000),
        "horiz_acc": location.horizontal_accuracy,
        "vert_acc": location.vertical_accuracy,
        "baro_acc": location.pressure_accuracy,
        "speed_acc": location.speed_accuracy,
        "ts_acc": location.timestamp_accuracy,
        "timestamp_s_in_hour": _or(location.timestamp_s, 0xFFFF),
    }


def _system_record(system: System) -> dict[str, Any]:
    return {
        "operator_location_type": system.operator_position_type,
        "classification_type": system.classification,
        "operator_lat": _or(system.operator_latitude_deg, 0),
        "operator_lon": _or(system.operator_longitude_deg, 0),
        "area_count": system.area_count,
        "area_radius_m": system.area_radius_m,
        "area_ceiling_m": _or(system.area_ceiling_m, -1000),
        "area_floor_m": _or(system.area_floor_m, -1000),
        "category_eu": system.eu_category,
        "class_eu": system.eu_class,
        "operator_alt_geo_m": _or(system.operator_altitude_m, -1000),
        "timestamp_s_since_2019": system.timestamp_2019_s,
    }
