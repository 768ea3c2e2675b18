"""Modbus RTU, read only: fence and seismic sensors on an RS-485 line.

    request     unit | 01..04 | first u16 | count u16 | CRC            02 coils, inputs are bits; 03, 04 registers
    answer      unit | 01..04 | bytes u8 | values | CRC
    exception   unit | 81..84 | code | CRC                              numbers high byte first, the CRC low byte first

A frame ends with 3.5 characters of silence, which USB does not pass on: frames are found by function, length and CRC. Whoever
asks (a polled port does, or another master on the line) is heard as well, so that answers are known by their first address,
and a unit that is asked in vain is told of. Functions that write are not known here.

    ask = ["2:2:0:16", "5:3:40:4"]      unit : function : first address : how many, for a port that is to ask

What a value means is the site's: `alarms` names bits and registers, each "unit:address" with a limit for registers,

    alarms = ["2:0 fence zone 1", "2:1 fence zone 2", "5:40>120 seismic, east"]

An alarm is a presence when its bit comes on or its register reaches the limit; it is told again after a minute.

Sources: MODBUS application protocol 1.1b3; MODBUS over serial line 1.02.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.checksums import crc16_modbus
from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose
from fusion.types import Fact, Presence, Reading, Sensor, Status

SYNC = re.compile(rb"[\x01-\xf7][\x01-\x04\x81-\x84]")
COILS, INPUTS, HOLDING, REGISTERS = 1, 2, 3, 4
NAMES = {COILS: "Coils", INPUTS: "DiscreteInputs", HOLDING: "HoldingRegisters", REGISTERS: "InputRegisters"}
MOST_BITS, MOST_REGISTERS = 2000, 125
EXCEPTIONS = {1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
              5: "acknowledge", 6: "device busy", 8: "memory parity error", 10: "gateway path unavailable",
              11: "gateway target failed to respond"}  # fmt: skip
REQUEST_BYTES, EXCEPTION_BYTES = 8, 5
AGAIN_NS = 60_000_000_000
IN_VAIN = 3  # questions to a unit without an answer before it is told of: noise takes one or two
QUESTION = re.compile(r"(\d{1,3}):([1-4]):(\d{1,5}):(\d{1,4})")
ALARM = re.compile(r"(\d{1,3}):(\d{1,5})(?:([<>])(\d{1,5}))?\s+(\S.{0,60})")


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks a unit."""

    unit: int
    function: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A unit answers; bits as 0 and 1, the last byte's spare ones among them."""

    unit: int
    function: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A unit refuses."""

    unit: int
    function: int
    code: int


Frame = Request | Answer | Refusal


class Frames:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._asked: Request | None = None  # an answer of three bytes has the length of a request
        self.stream: FramedStream[Frame] = FramedStream(SYNC, 2, self._frame_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Frame]]:
        """The frames that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Frame]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Frame]]) -> list[Framed[Frame]]:
        for framed in found:
            self.counts.decoded[type(framed.message).__name__.lower()] += 1
        return found

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Frame] | None:
        unit, function = buffer[start], buffer[start + 1]
        if function > 0x80:
            return self._refusal(buffer, start, unit, function & 0x7F)
        readers = [self._request, self._answer]
        if self._asked is not None and (self._asked.unit, self._asked.function) == (unit, function):
            readers.reverse()
        found = [reader(buffer, start, unit, function) for reader in readers]
        for frame, _ in found:
            if frame is not None:
                self._asked = frame.message if isinstance(frame.message, Request) else None
                return frame
        if any(may_follow for _, may_follow in found):
            return None
        raise Rejected("checksum", f"function {function} of unit {unit}: neither a request nor an answer by its CRC")

    def _refusal(self, buffer: bytearray, start: int, unit: int, function: int) -> Found[Frame] | None:
        if len(buffer) < start + EXCEPTION_BYTES:
            return None
        if not is_sound(buffer, start, EXCEPTION_BYTES):
            raise Rejected("checksum", f"an exception of unit {unit} with a wrong CRC")
        self._asked = None
        return Found(Refusal(unit, function, buffer[start + 2]), EXCEPTION_BYTES)

    @staticmethod
    def _request(buffer: bytearray, start: int, unit: int, function: int) -> tuple[Found[Frame] | None, bool]:
        """The frame, or whether more bytes may yet make it one."""
        if len(buffer) < start + REQUEST_BYTES:
            return None, True
        first, count = (int.from_bytes(buffer[start + at : start + at + 2], "big") for at in (2, 4))
        most = MOST_BITS if function in (COILS, INPUTS) else MOST_REGISTERS
        if not 1 <= count <= most or first + count > 65_536 or not is_sound(buffer, start, REQUEST_BYTES):
            return None, False
        return Found(Request(unit, function, first, count), REQUEST_BYTES), False

    @staticmethod
    def _answer(buffer: bytearray, start: int, unit: int, function: int) -> tuple[Found[Frame] | None, bool]:
        if len(buffer) < start + 3:
            return None, True
        size = buffer[start + 2]
        is_bits = function in (COILS, INPUTS)
        if not 1 <= size <= 250 or (not is_bits and size % 2):
            return None, False
        if len(buffer) < start + size + 5:
            return None, True
        if not is_sound(buffer, start, size + 5):
            return None, False
        raw = bytes(buffer[start + 3 : start + 3 + size])
        values = bits(raw) if is_bits else tuple(raw[at] << 8 | raw[at + 1] for at in range(0, size, 2))
        return Found(Answer(unit, function, values), size + 5), False


def is_sound(buffer: bytearray, start: int, size: int) -> bool:
    """Whether the CRC at a frame's end is its own."""
    body = bytes(buffer[start : start + size - 2])
    return crc16_modbus(body).to_bytes(2, "little") == buffer[start + size - 2 : start + size]


def bits(raw: bytes) -> tuple[int, ...]:
    """Bits, lowest first in each byte."""
    return tuple(byte >> place & 1 for byte in raw for place in range(8))


def question(text: str) -> Request:
    """One entry of `ask`. Raises ValueError."""
    if (found := QUESTION.fullmatch(text)) is not None:
        unit, function, first, count = (int(number) for number in found.groups())
        most = MOST_BITS if function in (COILS, INPUTS) else MOST_REGISTERS
        if 1 <= unit <= 247 and 1 <= count <= most and first + count <= 65_536:
            return Request(unit, function, first, count)
    raise ValueError(
        f'ask: "{text}", expected "unit:function:first:count", such as "5:3:40:4": unit 1 to 247, function 1 to 4, '
        f"at most {MOST_BITS} bits (1, 2) or {MOST_REGISTERS} registers (3, 4)"
    )


def questions(texts: Sequence[str]) -> tuple[bytes, ...]:
    """All entries of `ask`, as they go out. Raises ValueError."""
    return tuple(encode(question(text)) for text in texts)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A bit or register whose value means that something is there."""

    unit: int
    address: int
    is_above: bool
    limit: int | None  # None: a bit
    text: str

    def is_on(self, value: int) -> bool:
        """Whether a value is an alarm."""
        if self.limit is None:
            return value != 0
        return value >= self.limit if self.is_above else value <= self.limit


def alarm(text: str) -> Alarm:
    """One entry of `alarms`. Raises ValueError."""
    found = ALARM.fullmatch(text)
    if found is None or int(found[1]) > 247 or int(found[2]) > 65_535:
        raise ValueError(f'alarms: "{text}", expected "unit:address text" or "unit:address>limit text"')
    return Alarm(int(found[1]), int(found[2]), found[3] != "<", None if found[4] is None else int(found[4]), found[5])


def read_alarms(texts: Sequence[str]) -> list[Alarm]:
    """All entries of `alarms`. Raises ValueError."""
    return [alarm(text) for text in texts]


class Decoder:
    """Readings in; a presence for each alarm, a status where a unit refuses."""

    def __init__(self, sensor: Sensor, alarms: Sequence[str] = (), kind: str = "fence") -> None:
        """Raises ValueError for an entry of `alarms` that is none."""
        self._sensor, self._kind = sensor, kind
        self._alarms = read_alarms(alarms)
        self._frames = Frames()
        self.counts: Counts = self._frames.counts
        self._asked: dict[int, Request] = {}  # by unit, of which there are 247
        self._in_vain: dict[int, int] = {}  # questions since a unit's last answer
        self._told_ns: dict[Alarm, int] = {}
        self._refused: dict[int, int] = {}

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._frames.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        facts: list[Fact] = []
        time_ns = reading.received_ns - self._sensor.latency_ns
        for framed in self._frames.feed(reading.data, reading.monotonic_ns):
            frame = framed.message
            if isinstance(frame, Request):
                facts += self._ask(frame, time_ns)
                continue
            facts += self._heard(frame.unit, time_ns)
            if isinstance(frame, Answer):
                facts += self._answer(frame, time_ns)
            elif self._refused.get(frame.unit) != frame.code:
                self._refused[frame.unit] = frame.code
                text = f"unit {frame.unit} refuses: {EXCEPTIONS.get(frame.code, f'exception {frame.code}')}"
                facts.append(Status(self._sensor.sensor_id, time_ns, "warning", text))
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "Modbus frame")) is not None:
            return told
        if self.counts.decoded["request"] > 10 and not self.counts.decoded["answer"]:
            return "units are asked and none answers: check their address, baud, parity and the two wires' order"
        if self.counts.remarks["answer without its request"] > 10:
            return "answers come without their requests, so their addresses are unknown: let the port hear both"
        return None

    def _ask(self, request: Request, time_ns: int) -> list[Fact]:
        in_vain = self._in_vain[request.unit] = self._in_vain.get(request.unit, 0) + 1
        self._asked[request.unit] = request
        return self._mute(time_ns) if in_vain == IN_VAIN + 1 else []  # the last one may yet be answered

    def _heard(self, unit: int, time_ns: int) -> list[Fact]:
        return self._mute(time_ns) if self._in_vain.pop(unit, 0) > IN_VAIN else []

    def _mute(self, time_ns: int) -> list[Fact]:
        """Which units are asked in vain now."""
        units = sorted(unit for unit, in_vain in self._in_vain.items() if in_vain > IN_VAIN)
        if not units:
            return [Status(self._sensor.sensor_id, time_ns, "ok", "every unit answers again")]
        text = f"no answer of unit {', '.join(map(str, units))}: look after its supply, its address and the two wires"
        return [Status(self._sensor.sensor_id, time_ns, "warning", text)]

    def _answer(self, answer: Answer, time_ns: int) -> list[Fact]:
        self._refused.pop(answer.unit, None)
        asked = self._asked.pop(answer.unit, None)
        if asked is None or asked.function != answer.function or asked.count > len(answer.values):
            self.counts.remarks["answer without its request"] += 1
            return []
        values = {asked.first + place: answer.values[place] for place in range(asked.count)}
        is_bits = answer.function in (COILS, INPUTS)
        facts: list[Fact] = []
        for watched in self._alarms:
            is_meant = watched.unit == answer.unit and (watched.limit is None) == is_bits
            if is_meant and watched.address in values:
                facts += self._watch(watched, values[watched.address], time_ns)
        return facts

    def _watch(self, watched: Alarm, value: int, time_ns: int) -> list[Fact]:
        """Told when it comes on, and again while it stays on for long."""
        if not watched.is_on(value):
            self._told_ns.pop(watched, None)
            return []
        told_ns = self._told_ns.get(watched)
        if told_ns is not None and 0 <= time_ns - told_ns < AGAIN_NS:
            return []
        self._told_ns[watched] = time_ns
        text = watched.text if watched.limit is None else f"{watched.text}: {value}"
        return [Presence(self._sensor.sensor_id, time_ns, self._kind, None, None, text)]


# Frames to bytes, and as plain data


def encode(frame: Frame) -> bytes:
    """A frame with its CRC."""
    if isinstance(frame, Request):
        body = bytes((frame.unit, frame.function)) + frame.first.to_bytes(2, "big") + frame.count.to_bytes(2, "big")
    elif isinstance(frame, Refusal):
        body = bytes((frame.unit, frame.function | 0x80, frame.code))
    else:
        raw = _raw(frame)
        body = bytes((frame.unit, frame.function, len(raw))) + raw
    return body + crc16_modbus(body).to_bytes(2, "little")


def _raw(answer: Answer) -> bytes:
    if answer.function not in (COILS, INPUTS):
        return b"".join(value.to_bytes(2, "big") for value in answer.values)
    eights = [answer.values[at : at + 8] for at in range(0, len(answer.values), 8)]
    return bytes(sum(bit << place for place, bit in enumerate(eight)) for eight in eights)


def record(frame: Frame) -> dict[str, Any]:
    """A frame as plain data."""
    told = {"hex": encode(frame).hex(), "unit": frame.unit, "function": frame.function}
    name = NAMES[frame.function]
    if isinstance(frame, Request):
        return {**told, "kind": "request", "pymodbus": f"Read{name}Request", "first": frame.first, "count": frame.count}
    if isinstance(frame, Refusal):
        words = EXCEPTIONS.get(frame.code, f"exception {frame.code}")
        return {**told, "kind": "response", "pymodbus": "ExceptionResponse", "exception": frame.code, "words": words}
    return {**told, "kind": "response", "pymodbus": f"Read{name}Response", "values": list(frame.values)}
