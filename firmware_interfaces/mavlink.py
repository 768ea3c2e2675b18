"""MAVLink frames, versions 1 and 2.

    2:  FD | length | incompat | compat | sequence | system | component | id (3) | payload | CRC (2) | [signature (13)]
    1:  FE | length | sequence | system | component | id (1) | payload | CRC (2)

All is little-endian. The CRC is CRC-16/MCRF4XX over all between the first byte and itself, and over one more byte, the
message's CRC_EXTRA, which both sides derive from the message's definition: a frame of a message that is not in the
table cannot be checked, and is refused. A sender cuts trailing zero bytes off the payload (version 2); fields travel in
the order of their size, largest first.

Some USB consoles expand each LF of the binary stream into CR LF; `undo_crlf` "auto" takes that back wherever a frame
passes its CRC only then.

Source: https://mavlink.io/en/guide/serialization.html; message definitions minimal.xml and common.xml.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.checksums import crc16_mcrf4xx
from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected

START_1, START_2 = 0xFE, 0xFD
SYNC = re.compile(rb"[\xfd\xfe]")
SIGNED = 0x01  # the only incompatibility flag that is defined
SIGNATURE_BYTES = 13
LONGEST_FRAME = 10 + 255 + 2 + SIGNATURE_BYTES
UNDO_CRLF = ("auto", "on", "off")

HEARTBEAT, ADSB_VEHICLE, BASIC_ID, LOCATION, AUTHENTICATION = 0, 246, 12900, 12901, 12902
SELF_ID, SYSTEM, OPERATOR_ID, MESSAGE_PACK, ARM_STATUS, SYSTEM_UPDATE = 12903, 12904, 12905, 12915, 12918, 12919


class Layout:
    """How one message's payload is laid out. A field is "name" + format of `struct`; "20B" becomes a list of numbers."""

    def __init__(self, name: str, crc_extra: int, fields: str) -> None:
        self.name, self.crc_extra = name, crc_extra
        self.fields = [tuple(entry.split(":")) for entry in fields.split()]
        self.struct = struct.Struct("<" + "".join(form for _, form in self.fields))

    def unpack(self, payload: bytes) -> dict[str, Any]:
        """The fields of a payload; what the sender cut off are zeros."""
        values = iter(self.struct.unpack(payload[: self.struct.size].ljust(self.struct.size, b"\0")))
        out: dict[str, Any] = {}
        for name, form in self.fields:
            if form.endswith("s"):
                out[name] = next(values).split(b"\0")[0].decode("ascii", "replace")
            elif len(form) > 1:
                out[name] = [next(values) for _ in range(int(form[:-1]))]
            else:
                out[name] = next(values)
        return out

    def pack(self, fields: dict[str, Any]) -> bytes:
        """The whole payload, nothing cut off; fields that are not given are zeros."""
        values: list[Any] = []
        for name, form in self.fields:
            if form.endswith("s"):
                values.append(str(fields.get(name, "")).encode("ascii"))
            elif len(form) > 1:
                given = list(fields.get(name, b""))
                values.extend(given + [0] * (int(form[:-1]) - len(given)))
            else:
                values.append(fields.get(name, 0))
        return self.struct.pack(*values)


_TO = "target_system:B target_component:B id_or_mac:20B"
LAYOUTS: dict[int, Layout] = {
    HEARTBEAT: Layout(
        "HEARTBEAT", 50, "custom_mode:I type:B autopilot:B base_mode:B system_status:B mavlink_version:B"
    ),
    ADSB_VEHICLE: Layout(
        "ADSB_VEHICLE",
        184,
        "ICAO_address:I lat:i lon:i altitude:i heading:H hor_velocity:H ver_velocity:h flags:H squawk:H "
        "altitude_type:B callsign:9s emitter_type:B tslc:B",
    ),
    BASIC_ID: Layout("OPEN_DRONE_ID_BASIC_ID", 114, f"{_TO} id_type:B ua_type:B uas_id:20B"),
    LOCATION: Layout(
        "OPEN_DRONE_ID_LOCATION",
        254,
        "latitude:i longitude:i altitude_barometric:f altitude_geodetic:f height:f timestamp:f direction:H "
        f"speed_horizontal:H speed_vertical:h {_TO} status:B height_reference:B horizontal_accuracy:B "
        "vertical_accuracy:B barometer_accuracy:B speed_accuracy:B timestamp_accuracy:B",
    ),
    AUTHENTICATION: Layout(
        "OPEN_DRONE_ID_AUTHENTICATION",
        140,
        f"timestamp:I {_TO} authentication_type:B data_page:B last_page_index:B length:B authentication_data:23B",
    ),
    SELF_ID: Layout("OPEN_DRONE_ID_SELF_ID", 249, f"{_TO} description_type:B description:23s"),
    SYSTEM: Layout(
        "OPEN_DRONE_ID_SYSTEM",
        77,
        "operator_latitude:i operator_longitude:i area_ceiling:f area_floor:f operator_altitude_geo:f timestamp:I "
        f"area_count:H area_radius:H {_TO} operator_location_type:B classification_type:B category_eu:B class_eu:B",
    ),
    OPERATOR_ID: Layout("OPEN_DRONE_ID_OPERATOR_ID", 49, f"{_TO} operator_id_type:B operator_id:20s"),
    MESSAGE_PACK: Layout(
        "OPEN_DRONE_ID_MESSAGE_PACK", 94, f"{_TO} single_message_size:B msg_pack_size:B messages:225B"
    ),
    ARM_STATUS: Layout("OPEN_DRONE_ID_ARM_STATUS", 139, "status:B error:50s"),
    SYSTEM_UPDATE: Layout(
        "OPEN_DRONE_ID_SYSTEM_UPDATE",
        7,
        "operator_latitude:i operator_longitude:i operator_altitude_geo:f timestamp:I "
        "target_system:B target_component:B",
    ),
}
# what an autopilot sends on the same line: checked, so that it is not taken for noise, and left alone
CRC_EXTRA_OF_OTHERS = {
    1: 124, 2: 137, 4: 237, 22: 220, 24: 24, 26: 170, 27: 144, 29: 115, 30: 39, 31: 246, 32: 185, 33: 104, 35: 244,
    36: 222, 42: 28, 62: 183, 65: 118, 74: 20, 76: 152, 77: 143, 109: 185, 111: 34, 116: 76, 125: 203, 129: 46,
    136: 1, 137: 195, 147: 154, 148: 178, 152: 208, 163: 127, 165: 21, 178: 47, 193: 71, 241: 90, 242: 104, 253: 83,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """One checked frame."""

    version: int
    message_id: int
    sequence: int
    system_id: int
    component_id: int
    payload: bytes  # as sent: trailing zeros may be missing
    length: int  # of the whole frame as it was sent
    is_signed: bool = False
    crlf_undone: bool = False

    @property
    def name(self) -> str:
        """The message's name in the standard."""
        layout = LAYOUTS.get(self.message_id)
        return layout.name if layout is not None else f"MESSAGE_{self.message_id}"

    @property
    def fields(self) -> dict[str, Any]:
        """The payload's fields by their names in the standard; empty for messages we do not interpret."""
        layout = LAYOUTS.get(self.message_id)
        return {} if layout is None else layout.unpack(self.payload)


class Frames:
    """Bytes in, checked frames out."""

    def __init__(self, undo_crlf: str = "auto", max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        if undo_crlf not in UNDO_CRLF:
            raise ValueError(f'undo_crlf is "{undo_crlf}", expected {", ".join(UNDO_CRLF)}')
        self.counts = Counts()
        self._undo_crlf = undo_crlf
        self.stream = FramedStream(SYNC, 1, self._frame_at, self.counts, max_frame_time_ns)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Frame]]:
        """The frames that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Frame]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Frame]]) -> list[Framed[Frame]]:
        for framed in found:
            self.counts.decoded[framed.message.name] += 1
            self.counts.remarks["LF expanded to CR LF"] += framed.message.crlf_undone
        return found

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Frame] | None:
        raw = bytes(buffer[start : start + 2 * LONGEST_FRAME])
        if self._undo_crlf == "on":
            return _repaired(raw)
        try:
            frame = parse(raw)
            return None if frame is None else Found(frame, frame.length)
        except Rejected:
            if self._undo_crlf == "off":
                raise
        return _repaired(raw)


def parse(raw: bytes) -> Frame | None:
    """The frame at the beginning of `raw`; None: more bytes are needed. Raises Rejected."""
    return _parse_2(raw) if raw[0] == START_2 else _parse_1(raw)


def _parse_2(raw: bytes) -> Frame | None:
    if len(raw) < 10:
        return None
    length, incompatible, _, sequence, system_id, component_id = raw[1:7]
    message_id = int.from_bytes(raw[7:10], "little")
    if incompatible & ~SIGNED:
        raise Rejected("unknown", f"incompatibility flags {incompatible:#04x}, only {SIGNED:#04x} is defined")
    crc_extra = crc_extra_of(message_id)
    total = 12 + length + (SIGNATURE_BYTES if incompatible & SIGNED else 0)
    if len(raw) < total:
        return None
    _check_crc(raw[1 : 10 + length], crc_extra, raw[10 + length : 12 + length])
    payload = raw[10 : 10 + length]
    return Frame(2, message_id, sequence, system_id, component_id, payload, total, bool(incompatible & SIGNED))


def _parse_1(raw: bytes) -> Frame | None:
    if len(raw) < 6:
        return None
    length, sequence, system_id, component_id, message_id = raw[1:6]
    crc_extra = crc_extra_of(message_id)
    if len(raw) < 8 + length:
        return None
    _check_crc(raw[1 : 6 + length], crc_extra, raw[6 + length : 8 + length])
    return Frame(1, message_id, sequence, system_id, component_id, raw[6 : 6 + length], 8 + length)


def crc_extra_of(message_id: int) -> int:
    """The message's own byte in its CRC. Raises Rejected where it is not known."""
    layout = LAYOUTS.get(message_id)
    crc_extra = CRC_EXTRA_OF_OTHERS.get(message_id) if layout is None else layout.crc_extra
    if crc_extra is None:
        raise Rejected("unknown", f"message {message_id} is not in the table, so its CRC cannot be checked")
    return crc_extra


def _check_crc(covered: bytes, crc_extra: int, sent: bytes) -> None:
    crc = crc16_mcrf4xx(covered + bytes((crc_extra,)))
    if (found := int.from_bytes(sent, "little")) != crc:
        raise Rejected("checksum", f"crc is {found:#06x}, expected {crc:#06x}")


def _repaired(raw: bytes) -> Found[Frame] | None:
    """The frame at the beginning of `raw` after each CR LF has become LF again."""
    # a CR at the end may be the first half of a pair
    whole = raw[:-1] if raw.endswith(b"\r") and len(raw) < 2 * LONGEST_FRAME else raw
    frame = parse(whole.replace(b"\r\n", b"\n"))
    if frame is None:
        return None
    consumed = frame.length
    while (expanded := frame.length + raw[:consumed].count(b"\r\n")) != consumed:
        consumed = expanded
    if raw[consumed - 1 : consumed + 1] == b"\r\n":
        consumed += 1
    was_changed = consumed != frame.length
    return Found(
        Frame(
            frame.version,
            frame.message_id,
            frame.sequence,
            frame.system_id,
            frame.component_id,
            frame.payload,
            frame.length,
            frame.is_signed,
            was_changed,
        ),
        consumed,
    )


def encode(message_id: int, payload: bytes, sequence: int, system_id: int = 1, component_id: int = 236) -> bytes:
    """A MAVLink 2 frame, unsigned; 236 is the component id of Remote ID transmitters."""
    sent = payload.rstrip(b"\0") or payload[:1]
    header = bytes((len(sent), 0, 0, sequence & 0xFF, system_id, component_id)) + message_id.to_bytes(3, "little")
    crc = crc16_mcrf4xx(header + sent + bytes((crc_extra_of(message_id),)))
    return bytes((START_2,)) + header + sent + crc.to_bytes(2, "little")


def encode_heartbeat(sequence: int, system_id: int = 1, component_id: int = 236) -> bytes:
    """The heartbeat of a Remote ID transmitter (type 34) that is active."""
    fields = {"type": 34, "autopilot": 8, "system_status": 4, "mavlink_version": 3}
    return encode(HEARTBEAT, LAYOUTS[HEARTBEAT].pack(fields), sequence, system_id, component_id)


def record(frame: Frame) -> dict[str, Any]:
    """A frame as plain data, named as in the standard."""
    return {
        "length": frame.length,
        "msgid": frame.message_id,
        "name": frame.name,
        "seq": frame.sequence,
        "sysid": frame.system_id,
        "compid": frame.component_id,
        "fields": {name: _plain(value) for name, value in frame.fields.items()},
    }


def _plain(value: Any) -> Any:
    """Numbers as a person writes them: 32-bit floats carry seven digits, and what is no number is None."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.7g}") if math.isfinite(value) else None
