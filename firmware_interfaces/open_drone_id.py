"""Remote ID receivers on a serial port: Open Drone ID over MAVLink 2, and ADS-B beside it.

    frames (mavlink.py) ──▶ messages (open_drone_id_messages.py) ──▶ one state a transmitter (remote_id_claims.py) ──▶ Claim

A transmitter is known by the radio address that the bridge gives (`id_or_mac`). Silence means nothing: whoever does not
want to be seen does not broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from firmware_interfaces import mavlink
from firmware_interfaces.decoder import Counts, Rejected, diagnose
from firmware_interfaces.open_drone_id_messages import (
    MESSAGE_BYTES,
    Authentication,
    BasicId,
    Location,
    Message,
    OperatorId,
    SelfId,
    System,
    clean_text,
    decode_packed,
    encode,
)
from firmware_interfaces.positions import geodetic
from firmware_interfaces.remote_id_claims import Transmitters, velocity_enu_m_s
from fusion.types import Claim, Fact, Reading, Sensor, Status

SYSTEM_STATUS = {
    0: "starting", 1: "starting", 2: "calibrating", 3: "standby", 4: "active", 5: "critical", 6: "emergency",
    7: "shutting down", 8: "terminated",
}  # fmt: skip


class Decoder:
    """Readings in, claims and the receiver's status out."""

    def __init__(self, sensor: Sensor, undo_crlf: str = "auto") -> None:
        self._sensor = sensor
        self._frames = mavlink.Frames(undo_crlf)
        self.counts: Counts = self._frames.counts
        self._transmitters = Transmitters(sensor, self.counts)
        self._statuses: dict[str, str] = {}

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._frames.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        facts: list[Fact] = []
        for framed in self._frames.feed(reading.data, reading.monotonic_ns):
            frame = framed.message
            try:
                facts.extend(self._facts(frame, reading.received_ns))
            except Rejected as rejected:  # the frame is sound, the message inside is not
                self.counts.rejected[f"message {rejected.reason}"] += 1
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "MAVLink frame")) is not None:
            return told
        if (count := self.counts.remarks["LF expanded to CR LF"]) > 0:
            return (
                f"the port turns LF into CR LF; undone in {count} frames: switch line end translation off at the sender"
            )
        return self._transmitters.diagnosis()

    def _facts(self, frame: mavlink.Frame, received_ns: int) -> Sequence[Fact]:
        if frame.message_id == mavlink.HEARTBEAT:
            return self._heartbeat(frame, received_ns)
        if frame.message_id == mavlink.ARM_STATUS:
            return self._arm_status(frame, received_ns)
        if frame.message_id == mavlink.ADSB_VEHICLE:
            return (self._aircraft(frame.fields, received_ns),)
        messages = messages_of(frame)
        return self._transmitters.hear(transmitter_of(frame), messages, received_ns) if messages else ()

    def _aircraft(self, fields: dict[str, Any], received_ns: int) -> Claim:
        """ADSB_VEHICLE; its flags say which fields hold."""
        flags = fields["flags"]
        is_geometric = fields["altitude_type"] == 1 and flags & 2
        position = None
        if flags & 1 and (fields["lat"] or fields["lon"]):
            height_m = fields["altitude"] / 1000.0 if is_geometric else None
            position = geodetic(fields["lat"] / 1e7, fields["lon"] / 1e7, height_m)
        velocity = None
        if flags & 4 and flags & 8:
            climb_m_s = fields["ver_velocity"] / 100.0 if flags & 128 else None
            velocity = velocity_enu_m_s(fields["heading"] / 100.0, fields["hor_velocity"] / 100.0, climb_m_s)
        address = f"{fields['ICAO_address'] & 0xFFFFFF:06x}"
        return Claim(
            sensor_id=self._sensor.sensor_id,
            time_ns=received_ns - self._sensor.latency_ns - min(fields["tslc"], 30) * 1_000_000_000,
            protocol="ads_b",
            transmitter=address,
            identity=address,
            identity_type="icao",
            category=None,
            position=position,
            horizontal_sigma_m=None,
            vertical_sigma_m=None,
            velocity_enu_m_s=velocity,
            speed_sigma_m_s=None,
            operator_position=None,
            operator_id=None,
            status=None,
            text=clean_text(fields["callsign"].encode("ascii", "replace")) if flags & 16 else None,
            authenticated=False,
            power_dbm=None,
        )

    def _heartbeat(self, frame: mavlink.Frame, received_ns: int) -> Sequence[Fact]:
        state = frame.fields["system_status"]
        level = "ok" if state <= 4 else "warning" if state == 5 else "fault"
        return self._status(
            "heartbeat", level, f"receiver {SYSTEM_STATUS.get(state, f'in state {state}')}", received_ns
        )

    def _arm_status(self, frame: mavlink.Frame, received_ns: int) -> Sequence[Fact]:
        fields = frame.fields
        if fields["status"] == 0:
            return self._status("arm", "ok", "ready to arm", received_ns)
        return self._status("arm", "warning", f"not ready to arm: {fields['error'] or 'no reason given'}", received_ns)

    def _status(self, kind: str, level: str, text: str, received_ns: int) -> Sequence[Fact]:
        """A status fact where it differs from the last of its kind."""
        if self._statuses.get(kind) == text:
            return ()
        self._statuses[kind] = text
        return (Status(self._sensor.sensor_id, received_ns - self._sensor.latency_ns, level, text),)


def messages_of(frame: mavlink.Frame) -> tuple[Message, ...]:
    """The Open Drone ID messages that a frame carries, packed or single. Raises Rejected."""
    fields = frame.fields
    if frame.message_id == mavlink.MESSAGE_PACK:
        return decode_packed(fields["single_message_size"], fields["msg_pack_size"], bytes(fields["messages"]))
    make = SINGLE.get(frame.message_id)
    return () if make is None else (make(fields),)


def transmitter_of(frame: mavlink.Frame) -> str:
    """The key of a transmitter: its radio address, else its id, else who sent the frame."""
    raw = bytes(frame.fields.get("id_or_mac", b""))
    if any(raw[:6]) and not any(raw[6:]):
        return ":".join(f"{byte:02x}" for byte in raw[:6])
    return clean_text(raw) or f"mavlink {frame.system_id}.{frame.component_id}"


# Single messages of MAVLink: the same content in other units


def _single_location(fields: dict[str, Any]) -> Message:
    has_position = fields["latitude"] != 0 or fields["longitude"] != 0
    return Location(
        status=fields["status"],
        direction_deg=fields["direction"] / 100.0 if fields["direction"] < 36000 else None,
        speed_m_s=fields["speed_horizontal"] / 100.0 if fields["speed_horizontal"] < 25500 else None,
        vertical_speed_m_s=fields["speed_vertical"] / 100.0 if fields["speed_vertical"] != 6300 else None,
        latitude_deg=fields["latitude"] / 1e7 if has_position else None,
        longitude_deg=fields["longitude"] / 1e7 if has_position else None,
        pressure_altitude_m=_known_altitude(fields["altitude_barometric"]),
        geodetic_altitude_m=_known_altitude(fields["altitude_geodetic"]),
        height_m=_known_altitude(fields["height"]),
        height_type=fields["height_reference"],
        horizontal_accuracy=fields["horizontal_accuracy"],
        vertical_accuracy=fields["vertical_accuracy"],
        pressure_accuracy=fields["barometer_accuracy"],
        speed_accuracy=fields["speed_accuracy"],
        timestamp_s=fields["timestamp"] if 0.0 <= fields["timestamp"] < 3600.0 else None,
        timestamp_accuracy=fields["timestamp_accuracy"],
    )


def _single_system(fields: dict[str, Any]) -> Message:
    has_position = fields["operator_latitude"] != 0 or fields["operator_longitude"] != 0
    return System(
        operator_position_type=fields["operator_location_type"],
        classification=fields["classification_type"],
        operator_latitude_deg=fields["operator_latitude"] / 1e7 if has_position else None,
        operator_longitude_deg=fields["operator_longitude"] / 1e7 if has_position else None,
        operator_altitude_m=_known_altitude(fields["operator_altitude_geo"]),
        area_count=fields["area_count"],
        area_radius_m=fields["area_radius"],
        area_ceiling_m=_known_altitude(fields["area_ceiling"]),
        area_floor_m=_known_altitude(fields["area_floor"]),
        eu_category=fields["category_eu"],
        eu_class=fields["class_eu"],
        timestamp_2019_s=fields["timestamp"],
    )


def _known_altitude(altitude_m: float) -> float | None:
    return altitude_m if math.isfinite(altitude_m) and altitude_m > -1000.0 else None


def _single_basic_id(fields: dict[str, Any]) -> Message:
    return BasicId(fields["id_type"], fields["ua_type"], bytes(fields["uas_id"]).rstrip(b"\0"))


def _single_authentication(fields: dict[str, Any]) -> Message:
    return Authentication(
        fields["authentication_type"],
        fields["data_page"],
        fields["last_page_index"],
        fields["length"],
        fields["timestamp"],
        bytes(fields["authentication_data"]),
    )


def _single_self_id(fields: dict[str, Any]) -> Message:
    return SelfId(fields["description_type"], fields["description"].encode("ascii", "replace"))


def _single_operator_id(fields: dict[str, Any]) -> Message:
    return OperatorId(fields["operator_id_type"], fields["operator_id"].encode("ascii", "replace"))


SINGLE = {
    mavlink.BASIC_ID: _single_basic_id,
    mavlink.LOCATION: _single_location,
    mavlink.AUTHENTICATION: _single_authentication,
    mavlink.SELF_ID: _single_self_id,
    mavlink.SYSTEM: _single_system,
    mavlink.OPERATOR_ID: _single_operator_id,
}


# The way back


def encode_message_pack(
    messages: Sequence[Message],
    transmitter: bytes,
    sequence: int,
    system_id: int = 1,
    component_id: int = 236,
) -> bytes:
    """A MAVLink 2 frame with a pack of at most nine messages, as a bridge sends it.

    `transmitter` is the radio address (six bytes) or an id of at most 20 bytes.
    """
    fields = {
        "id_or_mac": transmitter[:20],
        "single_message_size": MESSAGE_BYTES,
        "msg_pack_size": len(messages),
        "messages": b"".join(encode(message) for message in messages),
    }
    payload = mavlink.LAYOUTS[mavlink.MESSAGE_PACK].pack(fields)
    return mavlink.encode(mavlink.MESSAGE_PACK, payload, sequence, system_id, component_id)
