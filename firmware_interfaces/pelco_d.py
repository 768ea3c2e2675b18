"""Pelco-D: commands to pan-tilt heads over RS-485, and where they say they point.

    FF | address | command 1 | command 2 | data 1 | data 2 | sum of the five before, modulo 256        2400 or 9600 baud

Moves are bits of command 2 (right 02, left 04, up 08, down 10, zoom tele 20, wide 40) with the pan and tilt speed as
data; all zero is stop. Extended commands have bit 0 set: 03, 05, 07 set, clear, call a preset; 4B, 4D go to a pan, tilt
angle; 51, 53 ask for them; 59, 5B answer. Angles are hundredths of a degree, high byte first. In most heads tilt is 0
level and grows downwards, and what lies above the horizon is 360 minus it; `tilt_sign` is for the others.

A head that is told to move goes on until it is told to stop: whoever drives it stops it when the control loop ends.

Source: Pelco D protocol manual, version 5.2.9.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose
from fusion.types import Orientation, Pointing, Reading, Sensor

SYNC = re.compile(rb"\xff")
FRAME_BYTES = 7
RIGHT, LEFT, UP, DOWN, TELE, WIDE = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
MOVES = {RIGHT: "pan right", LEFT: "pan left", UP: "tilt up", DOWN: "tilt down", TELE: "zoom tele", WIDE: "zoom wide"}
PRESETS = {0x03: "set preset", 0x05: "clear preset", 0x07: "goto preset"}
SET_PAN, SET_TILT, ASK_PAN, ASK_TILT, PAN_IS, TILT_IS = 0x4B, 0x4D, 0x51, 0x53, 0x59, 0x5B
ANGLES = {SET_PAN: "set pan", SET_TILT: "set tilt", PAN_IS: "pan is", TILT_IS: "tilt is"}
QUESTIONS = {ASK_PAN: "query pan position", ASK_TILT: "query tilt position"}
MAX_SPEED = 0x3F


@dataclass(frozen=True, slots=True)
class Command:
    """One frame, to a head or from it."""

    address: int
    command_1: int
    command_2: int
    data_1: int
    data_2: int

    @property
    def angle_deg(self) -> float | None:
        """The angle that it sets or tells; None: it has none."""
        is_angle = self.command_1 == 0 and self.command_2 in ANGLES
        return (self.data_1 << 8 | self.data_2) / 100.0 if is_angle else None


class Commands:
    """Bytes in, frames out."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = Counts() if counts is None else counts
        self.stream: FramedStream[Command] = FramedStream(SYNC, 1, _frame_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Command]]:
        """The frames that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Command]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Command]]) -> list[Framed[Command]]:
        self.counts.decoded["pelco_d"] += len(found)
        return found


def _frame_at(buffer: bytearray, start: int) -> Found[Command] | None:
    if len(buffer) < start + FRAME_BYTES:
        return None
    _, *body, check = buffer[start : start + FRAME_BYTES]
    if sum(body) & 0xFF != check:
        raise Rejected("checksum", f"sum is {check:#04x}, expected {sum(body) & 0xFF:#04x}")
    if body[1] & 0x70 or body[0] == 0xFF:
        raise Rejected("range", f"command {body[1]:#04x} of head {body[0]}")
    return Found(Command(*body), FRAME_BYTES)


class Decoder:
    """Readings in; where the head points, whenever it has told both angles."""

    def __init__(self, sensor: Sensor, tilt_sign: int = 1) -> None:
        """`tilt_sign` is -1 where the head counts upwards as positive."""
        self._sensor, self._tilt_sign = sensor, tilt_sign
        self._commands = Commands()
        self.counts: Counts = self._commands.counts
        self._pan_deg: float | None = None
        self._tilt_deg: float | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._commands.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Pointing]:
        """Pointings that this reading completes; the base counts as level."""
        told = []
        for framed in self._commands.feed(reading.data, reading.monotonic_ns):
            command = framed.message
            if command.command_1 == 0 and command.command_2 == PAN_IS:
                self._pan_deg = command.angle_deg
            elif command.command_1 == 0 and command.command_2 == TILT_IS:
                self._tilt_deg = command.angle_deg
            else:
                continue
            if self._pan_deg is not None and self._tilt_deg is not None:
                orientation = pointing(self._sensor.orientation, self._pan_deg, self._up_deg(self._tilt_deg))
                time_ns = reading.received_ns - self._sensor.latency_ns
                told.append(Pointing(self._sensor.sensor_id, time_ns, orientation))
        return told

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose(self.counts, "Pelco-D frame", "wrong baud? these heads speak 2400 or 9600")

    def _up_deg(self, tilt_deg: float) -> float:
        """Degrees above the base's level."""
        downwards_deg = tilt_deg - 360.0 if tilt_deg > 180.0 else tilt_deg
        return -self._tilt_sign * downwards_deg


def pointing(base: Orientation, pan_deg: float, up_deg: float) -> Orientation:
    """A head's direction from its angles, on a base that stands nearly level."""
    heading_rad = (base.heading_rad + math.radians(pan_deg)) % (2.0 * math.pi)
    return Orientation(heading_rad, base.pitch_rad + math.radians(up_deg), base.roll_rad)


# Commands to bytes


def encode(command: Command) -> bytes:
    """The seven bytes of a frame."""
    body = bytes((command.address, command.command_1, command.command_2, command.data_1, command.data_2))
    return b"\xff" + body + bytes((sum(body) & 0xFF,))


def stop(address: int) -> bytes:
    """Stop every motion."""
    return encode(Command(address, 0, 0, 0, 0))


def move(address: int, pan: float, tilt: float) -> bytes:
    """Turn with shares of the highest speed, -1..1: right and up are positive."""
    direction = (RIGHT if pan > 0 else LEFT if pan < 0 else 0) | (UP if tilt > 0 else DOWN if tilt < 0 else 0)
    speeds = [round(min(abs(share), 1.0) * MAX_SPEED) for share in (pan, tilt)]
    return encode(Command(address, 0, direction, *speeds))


def go_to_pan(address: int, pan_deg: float) -> bytes:
    """Turn to a pan angle."""
    return _angle(address, SET_PAN, pan_deg)


def go_to_tilt(address: int, up_deg: float, tilt_sign: int = 1) -> bytes:
    """Turn to an angle above (positive) or below level."""
    return _angle(address, SET_TILT, -tilt_sign * up_deg)


def _angle(address: int, command: int, angle_deg: float) -> bytes:
    hundredths = round(angle_deg * 100.0) % 36_000
    return encode(Command(address, 0, command, hundredths >> 8, hundredths & 0xFF))


def ask_pan(address: int) -> bytes:
    """Ask for the pan angle."""
    return encode(Command(address, 0, ASK_PAN, 0, 0))


def ask_tilt(address: int) -> bytes:
    """Ask for the tilt angle."""
    return encode(Command(address, 0, ASK_TILT, 0, 0))


def meaning(command: Command) -> str:
    """A frame in words."""
    kind = command.command_2
    if command.command_1 == 0 and kind in PRESETS:
        return f"{PRESETS[kind]} {command.data_2}"
    if command.command_1 == 0 and kind in QUESTIONS:
        return QUESTIONS[kind]
    if command.angle_deg is not None:
        how = "absolute " if kind in (SET_PAN, SET_TILT) else ""
        return f"{ANGLES[kind]} {how}{command.angle_deg:.2f} deg (hundredths)"
    if command.command_1 == 0 and kind & 1 == 0 and command.data_1 <= 0xFF:
        words = [
            f"{name} speed {command.data_1 if bit in (RIGHT, LEFT) else command.data_2:#04x}" if bit < TELE else name
            for bit, name in MOVES.items()
            if kind & bit
        ]
        return ", ".join(words) or "stop"
    return f"command {command.command_1:02x} {kind:02x}"


def record(command: Command) -> dict[str, Any]:
    """A frame as plain data."""
    angle = {} if command.angle_deg is None else {"angle_deg": command.angle_deg}
    return {
        "protocol": "pelco_d",
        "hex": encode(command).hex(),
        "address": command.address,
        "meaning": meaning(command),
        **angle,
    }
