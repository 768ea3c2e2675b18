"""A sensor of one's own, way 2: COBS frames with a CRC, for firmware without JSON. `sarhad_sensor.h` is the other end of it.

    00 | COBS of ( version 01 | kind u8 | number u16 | device ms u32 | body | CRC-16 of all before it ) | 00     little-endian

    kind 1, detections   count u8, then 14 bytes each: azimuth i16 0.01 deg | elevation i16 0.01 deg | slant range u32 mm
                         | range rate i16 0.01 m/s | power i16 0.1 dB | confidence u8 0..200 | class u8
    kind 2, presence     what u8 | power i16 0.1 dBm | frequency u32 kHz | length u8 | text
    kind 3, status       level u8 (0 ok, 1 warning, 2 fault) | length u8 | text

Not measured: 7FFF (i16), FFFFFFFF (range), 0 (frequency). The CRC is CRC-16/CCITT-FALSE: poly 1021, init FFFF, not reflected.
COBS leaves no 00 inside a frame, so the next 00 is always a boundary: damage costs the frame it hits. A zero before and
after each frame keeps what a lost one would join apart. docs/own-sensor-binary.md is the tutorial.

Source of COBS: Cheshire, Baker: Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7 (1999).
"""

from __future__ import annotations

import re
import struct
from binascii import crc_hqx
from typing import Any

from firmware_interfaces import decoder, own_sensor, sensor_json
from firmware_interfaces.decoder import Counts, Framed, FramedStream, Rejected, diagnose
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.own_sensor import CLASSES, LEVELS, Detections, Facts, Found, Presence, Said, Status
from fusion.types import Fact, Reading, Sensor

VERSION = 1
DETECTIONS, PRESENCE, STATUS = 1, 2, 3
HEADER = struct.Struct("<BBHI")
DETECTION = struct.Struct("<hhIhhBB")
PRESENCE_BODY = struct.Struct("<BhIB")
STATUS_BODY = struct.Struct("<BB")
UNKNOWN_16, UNKNOWN_RANGE = 0x7FFF, 0xFFFFFFFF
FULL_CONFIDENCE = 200
PRESENCES = {1: "motion", 2: "door", 3: "fence", 4: "seismic", 5: "acoustic", 6: "spectrum", 7: "tamper", 255: "other"}
MAX_MESSAGE_BYTES = HEADER.size + 1 + own_sensor.MAX_DETECTIONS * DETECTION.size + 2
MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + MAX_MESSAGE_BYTES // 254 + 1
SYNC = re.compile(rb"[^\0]")
Numbered = tuple[Said, int | None]


class Frames:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._last: int | None = None
        self.stream: FramedStream[Numbered | None] = FramedStream(SYNC, 1, self._frame_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Numbered]]:
        """The messages that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Numbered]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Numbered | None]]) -> list[Framed[Numbered]]:
        messages = [Framed(f.message, f.offset, f.consumed) for f in found if f.message is not None]
        for framed in messages:
            said, number = framed.message
            self.counts.decoded[type(said).__name__.lower()] += 1
            if self._last is not None and number is not None and (gap := (number - self._last) & 0xFFFF) > 1:
                self.counts.remarks[decoder.MISSED] += min(gap - 1, 1000)
            self._last = number
        return messages

    def _frame_at(self, buffer: bytearray, start: int) -> decoder.Found[Numbered | None] | None:
        """To the next zero; what is there is one frame or none."""
        end = buffer.find(0, start, start + MAX_FRAME_BYTES + 1)
        if end < 0:
            if len(buffer) - start > MAX_FRAME_BYTES:
                raise Rejected("length", f"no zero within {MAX_FRAME_BYTES} bytes")
            return None
        try:
            return decoder.Found(parse(uncobs(bytes(buffer[start:end]))), end - start, 2)
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            return decoder.Found(None, end - start, 2)


def cobs(message: bytes) -> bytes:
    """Bytes without zero that stand for a message."""
    out = bytearray()
    *others, last = message.split(b"\0")
    for block in others:
        out += _stuffed(block, False)
    return bytes(out + _stuffed(last, True))


def _stuffed(block: bytes, is_last: bool) -> bytes:
    """Groups of at most 254 bytes, each behind its length; a full one at the very end needs no empty one behind it."""
    groups = [block[place : place + 254] for place in range(0, len(block), 254)] or [b""]
    if len(groups[-1]) == 254 and not is_last:
        groups.append(b"")
    return b"".join(bytes((len(group) + 1,)) + group for group in groups)


def uncobs(frame: bytes) -> bytes:
    """The message that a frame stands for. Raises Rejected."""
    out, place = bytearray(), 0
    while place < len(frame):
        size = frame[place]
        if size == 0 or place + size > len(frame):
            raise Rejected("length", "a COBS block that ends behind its frame")
        out += frame[place + 1 : place + size]
        place += size
        if size < 0xFF and place < len(frame):
            out.append(0)
    return bytes(out)


def parse(message: bytes) -> Numbered:
    """A message with its CRC. Raises Rejected."""
    if len(message) < HEADER.size + 2:
        raise Rejected("length", f"a message of {len(message)} bytes")
    body, crc = message[:-2], int.from_bytes(message[-2:], "little")
    if (expected := crc_hqx(body, 0xFFFF)) != crc:
        raise Rejected("checksum", f"crc is {crc:#06x}, expected {expected:#06x}")
    version, kind, number, _ = HEADER.unpack_from(body)
    if version != VERSION:
        raise Rejected("unknown", f"version {version}, expected {VERSION}")
    read = READERS.get(kind)
    if read is None:
        raise Rejected("unknown", f"kind {kind}")
    return read(body[HEADER.size :]), number


def _detections(body: bytes) -> Said:
    if not body or len(body) != 1 + body[0] * DETECTION.size:
        raise Rejected("length", f"a body of {len(body)} bytes for its detections")
    found = tuple(_found(*DETECTION.unpack_from(body, 1 + place * DETECTION.size)) for place in range(body[0]))
    for one in found:
        if (told := own_sensor.wrong(one)) is not None:
            raise Rejected("range", told)
    return Detections(found)


def _found(azimuth: int, elevation: int, slant: int, rate: int, power: int, confidence: int, kind: int) -> Found:
    if kind >= len(CLASSES):
        raise Rejected("range", f"class {kind}, highest allowed is {len(CLASSES) - 1}")
    return Found(
        azimuth_deg=azimuth / 100.0,
        elevation_deg=_known(elevation, 100.0),
        slant_range_m=None if slant == UNKNOWN_RANGE else slant / 1000.0,
        range_rate_m_s=_known(rate, 100.0),
        power_db=_known(power, 10.0),
        confidence=confidence / FULL_CONFIDENCE,
        kind=CLASSES[kind],
    )


def _known(raw: int, steps: float) -> float | None:
    return None if raw == UNKNOWN_16 else raw / steps


def _presence(body: bytes) -> Said:
    if len(body) < PRESENCE_BODY.size:
        raise Rejected("length", f"a presence of {len(body)} bytes")
    kind, power, frequency_khz, length = PRESENCE_BODY.unpack_from(body)
    name = PRESENCES.get(kind)
    if name is None:
        raise Rejected("range", f"presence {kind}")
    text = _text(body[PRESENCE_BODY.size :], length)
    return Presence(name, text, _known(power, 10.0), frequency_khz * 1000.0 if frequency_khz else None)


def _status(body: bytes) -> Said:
    if len(body) < STATUS_BODY.size or body[0] >= len(LEVELS):
        raise Rejected("range", "a status without level")
    return Status(LEVELS[body[0]], _text(body[STATUS_BODY.size :], body[1]))


def _text(raw: bytes, length: int) -> str:
    if len(raw) != length or length > own_sensor.MAX_TEXT:
        raise Rejected("length", f"a text of {len(raw)} bytes that says it has {length}")
    return clean_text(raw) or ""


READERS = {DETECTIONS: _detections, PRESENCE: _presence, STATUS: _status}


class Decoder:
    """Readings in, facts out."""

    def __init__(self, sensor: Sensor) -> None:
        self._facts, self._frames = Facts(sensor), Frames()
        self.counts: Counts = self._frames.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._frames.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        found = self._frames.feed(reading.data, reading.monotonic_ns)
        return self._facts.of([framed.message for framed in found], reading)

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "COBS frame")) is not None:
            return told
        lost = self.counts.remarks[decoder.MISSED]
        if lost > 0.05 * sum(self.counts.decoded.values()):
            return f"{lost} frames are missing by their numbers: the line is too slow, or bytes are lost"
        return self._facts.diagnosis()


# Messages to bytes: the twin of sarhad_sensor.h


def encode(said: Said, number: int = 0, device_ms: int = 0) -> bytes:
    """A frame with its zeros; numbers are rounded to the wire's steps."""
    if isinstance(said, Detections):
        kind, body = DETECTIONS, bytes((len(said.found),)) + b"".join(_raw(found) for found in said.found)
    elif isinstance(said, Presence):
        text = said.text.encode("ascii", "replace")[: own_sensor.MAX_TEXT]
        number_of_kind = next((n for n, name in PRESENCES.items() if name == said.kind), 255)
        power, frequency_khz = _steps(said.power_dbm, 10.0), round((said.frequency_hz or 0.0) / 1000.0)
        kind, body = PRESENCE, PRESENCE_BODY.pack(number_of_kind, power, frequency_khz, len(text)) + text
    else:
        text = said.text.encode("ascii", "replace")[: own_sensor.MAX_TEXT]
        kind, body = STATUS, STATUS_BODY.pack(LEVELS.index(said.level), len(text)) + text
    message = HEADER.pack(VERSION, kind, number & 0xFFFF, device_ms & 0xFFFFFFFF) + body
    return b"\0" + cobs(message + crc_hqx(message, 0xFFFF).to_bytes(2, "little")) + b"\0"


def _raw(found: Found) -> bytes:
    azimuth_deg = found.azimuth_deg - 360.0 if found.azimuth_deg > 180.0 else found.azimuth_deg
    return DETECTION.pack(
        _steps(azimuth_deg, 100.0),
        _steps(found.elevation_deg, 100.0),
        UNKNOWN_RANGE if found.slant_range_m is None else round(found.slant_range_m * 1000.0),
        _steps(found.range_rate_m_s, 100.0),
        _steps(found.power_db, 10.0),
        round(found.confidence * FULL_CONFIDENCE),
        CLASSES.index(found.kind),
    )


def _steps(value: float | None, steps: float) -> int:
    """Steps of the wire, as far as they go."""
    return UNKNOWN_16 if value is None else max(-0x8000, min(0x7FFE, round(value * steps)))


def record(line: Numbered) -> dict[str, Any]:
    """A message as plain data, in the JSON lines' names."""
    return sensor_json.record(line)
