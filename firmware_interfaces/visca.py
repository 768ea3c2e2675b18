"""VISCA: commands to pan-tilt-zoom cameras over RS-232 or RS-422, and what they answer.

    8x | ... | FF     to camera x (88: to all)
                      01 06 01 VV WW 0p 0t      drive at speeds VV, WW; p: 1 left, 2 right, 3 stop; t: 1 up, 2 down, 3 stop
                      01 06 02 VV WW 0p .. 0t   go to a position: four nibbles pan, four tilt
                      09 06 12                  where do you point?
    z0 | ... | FF     from it, z = 8 + address
                      4y ack, 5y completion, 6y error, 50 and eight nibbles: pan and tilt

Positions are signed 16-bit numbers, a nibble a byte, in steps whose size is the camera's: from its manual. VISCA over IP puts
eight bytes before each of them on UDP 52381, one message a datagram:

    01 00 | length u16 | sequence u32 | message    a command; 01 10 a question, 01 11 an answer, with the question's sequence
    02 00 | ...                       | 01         start counting anew; 02 01: its answer, 0F: a number that was not expected

Source: Sony EVI-D70 technical manual, VISCA command list; Sony SRG series for the IP header.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose_unchecked
from firmware_interfaces.pelco_d import pointing
from fusion.types import Pointing, Reading, Sensor, Status

# the first four bytes of an IP header hold none of the bytes that begin a message
SYNC = re.compile(
    rb"\x01[\x00\x10\x11]\x00[\x01-\x10]|\x02[\x00\x01]\x00[\x01\x02]|[\x81-\x88\x90\xa0\xb0\xc0\xd0\xe0\xf0]"
)
LONGEST_SYNC = 4
LONGEST = 16
BROADCAST = 0x88
HORIZONTAL = {1: "left", 2: "right", 3: ""}
VERTICAL = {1: "up", 2: "down", 3: ""}
ERRORS = {
    0x01: "message length wrong", 0x02: "syntax error", 0x03: "buffer full", 0x04: "cancelled", 0x05: "no such socket",
    0x41: "not executable",
}  # fmt: skip
ACKS, COMPLETIONS = (0x41, 0x42), (0x50, 0x51, 0x52)  # by socket
MAX_PAN_SPEED, MAX_TILT_SPEED = 0x18, 0x14
IP_HEADER = struct.Struct(">HHI")
IP_COMMAND, IP_INQUIRY, IP_CONTROL = 0x0100, 0x0110, 0x0200
IP_PORT = 52381
COUNT_ANEW, NOT_EXPECTED = b"\x01", 0x0F
NUMBERS_REFUSED = "sequence number refused"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, its FF left out."""

    head: int
    body: bytes

    @property
    def is_reply(self) -> bool:
        """From a camera."""
        return self.head >= 0x90

    @property
    def position(self) -> tuple[int, int] | None:
        """Pan and tilt in steps that it tells or sets."""
        if self.is_reply and len(self.body) == 9 and self.body[0] == 0x50:
            return _signed(self.body[1:5]), _signed(self.body[5:9])
        if not self.is_reply and len(self.body) == 13 and self.body[:3] in (b"\x01\x06\x02", b"\x01\x06\x03"):
            return _signed(self.body[5:9]), _signed(self.body[9:13])
        return None

    @property
    def error(self) -> str | None:
        """What a camera complains of."""
        if not self.is_reply or len(self.body) != 2 or self.body[0] >> 4 != 6:
            return None
        return ERRORS.get(self.body[1], f"error {self.body[1]:02x}")


def _signed(nibbles: bytes) -> int:
    value = 0
    for nibble in nibbles:
        value = value << 4 | nibble & 0xF
    return value - 0x10000 if value & 0x8000 else value


class Messages:
    """Bytes in, messages out."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = Counts() if counts is None else counts
        self.stream: FramedStream[Message | None] = FramedStream(SYNC, LONGEST_SYNC, self._frame_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Message]]:
        """The messages that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Message]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Message | None]]) -> list[Framed[Message]]:
        messages = [Framed(f.message, f.offset, f.consumed) for f in found if f.message is not None]
        self.counts.decoded["visca"] += len(messages)
        return messages

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Message | None] | None:
        if buffer[start] & 0x80:
            found = _message_at(buffer, start)
            return None if found is None else Found(found.message, found.consumed)
        return self._datagram_at(buffer, start)

    def _datagram_at(self, buffer: bytearray, start: int) -> Found[Message | None] | None:
        """What an IP header stands before."""
        begin = start + IP_HEADER.size
        if len(buffer) < begin:
            return None
        kind, length, _ = IP_HEADER.unpack_from(buffer, start)
        if len(buffer) < begin + length:
            return None
        if kind & IP_CONTROL:
            if buffer[begin] == NOT_EXPECTED:
                self.counts.remarks[NUMBERS_REFUSED] += 1
            return Found(None, IP_HEADER.size + length)
        found = _message_at(buffer[begin : begin + length], 0) if buffer[begin] & 0x80 else None
        if found is None or found.consumed != length:
            raise Rejected("header", f"an IP header of {length} bytes, which are no message")
        return Found(found.message, IP_HEADER.size + length)


def _message_at(buffer: bytearray, start: int) -> Found[Message] | None:
    """To the next FF. A message that another one interrupts is given up: only heads have bit 7 set, but for FF."""
    for place in range(start + 1, min(len(buffer), start + LONGEST)):
        if buffer[place] == 0xFF:
            body = bytes(buffer[start + 1 : place])
            if not _is_possible(buffer[start], body):
                raise Rejected("unknown", f"{buffer[start]:02x} {body.hex(' ')} ff")
            return Found(Message(buffer[start], body), place + 1 - start)
        if buffer[place] & 0x80:
            raise Rejected("cut", "the next message begins inside this one")
    if len(buffer) - start >= LONGEST:
        raise Rejected("length", f"no FF within {LONGEST} bytes")
    return None


def _is_possible(head: int, body: bytes) -> bool:
    """There is no checksum: what is no command, question, answer or address message is noise."""
    if not body:
        return False
    if head >= 0x90:
        if len(body) == 1:
            return body[0] in ACKS or body[0] in COMPLETIONS
        is_error = body[0] >> 4 == 6 and len(body) == 2 and body[1] in ERRORS
        return is_error or body[0] == 0x50 or (len(body) == 2 and body[0] in (0x30, 0x38))
    if body[0] == 0x30:
        return head == BROADCAST and len(body) == 2
    return body[0] in (0x01, 0x09) and len(body) >= 3


class Decoder:
    """Readings in; where the camera points, and what it complains of."""

    def __init__(self, sensor: Sensor, pan_steps_per_deg: float, tilt_steps_per_deg: float) -> None:
        """Steps grow to the right and upwards; negative where the camera counts the other way."""
        self._sensor = sensor
        self._pan_steps_per_deg, self._tilt_steps_per_deg = pan_steps_per_deg, tilt_steps_per_deg
        self._messages = Messages()
        self.counts: Counts = self._messages.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished message."""
        return self._messages.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Pointing | Status]:
        """The facts that this reading completes; the base counts as level."""
        told: list[Pointing | Status] = []
        time_ns = reading.received_ns - self._sensor.latency_ns
        for framed in self._messages.feed(reading.data, reading.monotonic_ns):
            message = framed.message
            if message.is_reply and message.position is not None:
                pan, tilt = message.position
                pan_deg, up_deg = pan / self._pan_steps_per_deg, tilt / self._tilt_steps_per_deg
                orientation = pointing(self._sensor.orientation, pan_deg, up_deg)
                told.append(Pointing(self._sensor.sensor_id, time_ns, orientation))
            elif message.error is not None:
                told.append(Status(self._sensor.sensor_id, time_ns, "warning", f"the camera says: {message.error}"))
        return told

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if self.counts.remarks[NUMBERS_REFUSED] > 10:
            return "the camera refuses our sequence numbers: another program steers it, too"
        return diagnose_unchecked(self.counts, "VISCA message", "wrong baud? these cameras speak 9600 or 38400")


# Messages to bytes


def encode(message: Message) -> bytes:
    """A message with its FF."""
    return bytes((message.head,)) + message.body + b"\xff"


def stop(address: int) -> bytes:
    """Stop turning."""
    return _drive(address, 1, 1, 3, 3)


def move(address: int, pan: float, tilt: float) -> bytes:
    """Turn with shares of the highest speed, -1..1: right and up are positive."""
    pan_speed = max(1, round(min(abs(pan), 1.0) * MAX_PAN_SPEED))
    tilt_speed = max(1, round(min(abs(tilt), 1.0) * MAX_TILT_SPEED))
    horizontal = 2 if pan > 0 else 1 if pan < 0 else 3
    vertical = 1 if tilt > 0 else 2 if tilt < 0 else 3
    return _drive(address, pan_speed, tilt_speed, horizontal, vertical)


def _drive(address: int, pan_speed: int, tilt_speed: int, horizontal: int, vertical: int) -> bytes:
    body = bytes((0x01, 0x06, 0x01, pan_speed, tilt_speed, horizontal, vertical))
    return encode(Message(0x80 | address, body))


def go_to(address: int, pan_steps: int, tilt_steps: int, pan_speed: int = 0x18, tilt_speed: int = 0x14) -> bytes:
    """Turn to a position in steps."""
    body = bytes((0x01, 0x06, 0x02, pan_speed, tilt_speed)) + _nibbles(pan_steps) + _nibbles(tilt_steps)
    return encode(Message(0x80 | address, body))


def _nibbles(value: int) -> bytes:
    raw = max(-0x8000, min(0x7FFF, value)) & 0xFFFF
    return bytes(raw >> shift & 0xF for shift in (12, 8, 4, 0))


def ask_position(address: int) -> bytes:
    """Ask where it points."""
    return encode(Message(0x80 | address, b"\x09\x06\x12"))


def position_reply(address: int, pan_steps: int, tilt_steps: int) -> bytes:
    """What a camera answers to it."""
    return encode(Message(0x80 + (address << 4), b"\x50" + _nibbles(pan_steps) + _nibbles(tilt_steps)))


def over_ip(message: bytes, sequence: int) -> bytes:
    """A message as VISCA over IP carries it."""
    kind = IP_INQUIRY if message[1:2] == b"\x09" else IP_COMMAND
    return IP_HEADER.pack(kind, len(message), sequence & 0xFFFFFFFF) + message


class Numbered:
    """Messages in, datagrams of VISCA over IP out, numbered one by one from 1."""

    def __init__(self) -> None:
        self._sequence = 0

    def __call__(self, message: bytes) -> bytes:
        """The next datagram."""
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return over_ip(message, self._sequence)

    def count_anew(self) -> tuple[bytes, ...]:
        """Here and in the camera: without it, one that was spoken to before finds the numbers abnormal."""
        self._sequence = 0
        return (IP_HEADER.pack(IP_CONTROL, len(COUNT_ANEW), 0) + COUNT_ANEW,)


def meaning(message: Message) -> str:
    """A message in words."""
    body = message.body
    if message.is_reply:
        return _reply_meaning(message)
    if body[0] == 0x30:
        return "address set broadcast"
    if body[:3] == b"\x01\x06\x01" and len(body) == 7:
        ways = [
            f"{way} speed {speed:#04x}"
            for way, speed in ((HORIZONTAL.get(body[5], "?"), body[3]), (VERTICAL.get(body[6], "?"), body[4]))
            if way
        ]
        return f"pan/tilt {', '.join(ways) or 'stop'}"
    if message.position is not None:
        pan, tilt = message.position
        how = "absolute" if body[2] == 2 else "relative"
        return f"{how} position pan {pan & 0xFFFF:#06x} tilt {tilt & 0xFFFF:#06x}"
    return "pan-tilt position inquiry" if body == b"\x09\x06\x12" else f"message {body.hex(' ')}"


def _reply_meaning(message: Message) -> str:
    body = message.body
    if message.position is not None:
        pan, tilt = message.position
        return f"reply position pan {pan & 0xFFFF:#06x} tilt {tilt & 0xFFFF:#06x}"
    if message.error is not None:
        return f"reply error: {message.error}"
    words = {3: "address", 4: "ack socket", 5: "completion socket"}
    return f"reply {words.get(body[0] >> 4, 'unknown')} {body[0] & 0xF}" if len(body) == 1 else f"reply {body.hex(' ')}"


def record(message: Message) -> dict[str, Any]:
    """A message as plain data."""
    place = {} if message.position is None else {"pan": message.position[0], "tilt": message.position[1]}
    return {
        "protocol": "visca",
        "hex": encode(message).hex(),
        "head": message.head,
        "meaning": meaning(message),
        **place,
    }
