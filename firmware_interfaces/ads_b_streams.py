"""How 1090 MHz receivers hand over what they hear: Mode S Beast (binary), AVR and SBS-1 (text), told apart by themselves.

    Beast   1A | kind | timestamp 6 | signal 1 | message        every 1A behind the first is doubled
            kind '1': Mode A/C, 2 bytes; '2': short, 7; '3': long, 14; '4': the receiver's status, 14
    AVR     *hex;    @timestamp hex;    <timestamp, signal, hex;
    SBS-1   MSG,1..8,session,aircraft,address,flight,4 x date or time,callsign,altitude,speed,track,latitude,longitude,
            vertical rate,squawk,alert,emergency,spi,on ground
    CSV     seconds,address,hex                                 what open tools keep messages in

A pair 1A 1A is data wherever it stands, so it is passed over in pairs: its second byte begins no frame. The timestamp is a
12 MHz counter, or a GPS time, as the receiver is set up. A message whose parity fails is no message.

Source: Mode-S Beast documentation, "Data Output Formats" (J. Maerz); SBS-1 socket data, Kinetic Avionics; readsb's types from
0xE0 on carry what is not about aircraft.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from firmware_interfaces import mode_s
from firmware_interfaces.decoder import (
    MAX_FRAME_TIME_NS,
    Counts,
    Found,
    Framed,
    FramedStream,
    Rejected,
)

ESCAPE = 0x1A
SYNC = re.compile(rb"\x1a|[*@<]|(?:MSG|SEL|ID|AIR|STA|CLK),|[0-9]{1,12}(?:\.[0-9]{1,9})?,[0-9A-Fa-f]{6},")
LONGEST_SYNC = 30
MESSAGE_BYTES = {0x31: 2, 0x32: 7, 0x33: 14, 0x34: 14}
RECEIVERS_OWN = 0xE0  # readsb's types: receiver ids, pings
MODE_AC, STATUS = 0x31, 0x34
HEAD_BYTES = 7  # timestamp and signal
FORMATS = tuple(f"DF{number}" for number in range(32))
KINDS = {kind: chr(kind) for kind in MESSAGE_BYTES}
ESCAPED = {  # a frame's bytes behind its kind
    kind: re.compile(rb"(?:[^\x1a]|\x1a\x1a){%d}" % (HEAD_BYTES + size), re.DOTALL)
    for kind, size in MESSAGE_BYTES.items()
}
LONE = re.compile(rb"\x1a(.?)", re.DOTALL)
MAX_LINE_BYTES = 256
MAX_DIGITS = 2 * (HEAD_BYTES + mode_s.LONG)  # of AVR
AVR = {  # first character -> bytes of the timestamp, of the signal
    0x2A: (0, 0),
    0x40: (6, 0),
    0x3C: (6, 1),
}
HEX = re.compile(rb"[0-9A-Fa-f]*")
CSV = re.compile(rb"([0-9.]+),([0-9A-Fa-f]{6}),([0-9A-Fa-f]{14}|[0-9A-Fa-f]{28})")
SBS_FIELDS = 22
CALLSIGN, SQUAWK = re.compile(r"[ -~]{1,8}"), re.compile(r"[0-7]{4}")


@dataclass(slots=True)
class Heard:
    """One message as a receiver handed it over."""

    form: str  # "beast", "avr", "sbs" or "csv"
    kind: str  # of Beast its kind, of SBS its number
    fields: dict[str, Any] | None  # what it says; None: Mode A/C and the receiver's status
    data: bytes = b""  # the message as it was on the air, where that is told
    timestamp: int | None = None
    signal: int | None = None
    time_text: str = ""  # of CSV, and its column of addresses
    address: str = ""


class Messages:
    """Bytes in, messages out."""

    def __init__(self, max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        self.counts = Counts()
        self._sound_end = 0  # where the last sound frame ended, in the whole stream
        self.stream: FramedStream[Heard | None] = FramedStream(
            SYNC, LONGEST_SYNC, self._frame_at, self.counts, max_frame_time_ns
        )

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Heard]]:
        """The messages that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Heard]]:
        """A last line may lack its end."""
        if not self.stream.kept_bytes:
            return []
        self.counts.bytes -= 1  # the line end is ours
        return self._counted([*self.stream.feed(b"\n", 0), *self.stream.finish()])

    def _counted(self, found: list[Framed[Heard | None]]) -> list[Framed[Heard]]:
        messages: list[Framed[Heard]] = []
        decoded = self.counts.decoded
        for framed in found:
            heard = framed.message
            if heard is None:
                self.counts.remarks["escaped data or a receiver's own message between frames"] += 1
                continue
            messages.append(framed)  # type: ignore[arg-type]
            if heard.fields is None:
                decoded["Mode A/C" if heard.kind == "1" else "status"] += 1
            elif heard.form == "sbs":
                decoded[f"MSG,{heard.kind}"] += 1
            else:
                decoded[FORMATS[heard.fields["df"]]] += 1
        return messages

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Heard | None] | None:
        first = buffer[start]
        if first == ESCAPE:
            found = beast_at(buffer, start)
            return found if found is None or found.message is None else self._sound(found, buffer, start)
        if first in AVR:
            return _avr_at(buffer, start)
        return _line_at(buffer, start)

    def _sound(self, found: Found[Heard | None], buffer: bytearray, start: int) -> Found[Heard | None] | None:
        """The frame, if it proves itself by its parity, begins where a sound one ended, or the next begins behind it."""
        assert found.message is not None
        here, end = self.stream.offset_of(start), start + found.consumed
        if not is_proven(found.message) and here != self._sound_end:
            if len(buffer) < end + 2:
                return None
            if buffer[end] != ESCAPE or not (buffer[end + 1] in MESSAGE_BYTES or buffer[end + 1] >= RECEIVERS_OWN):
                raise Rejected("unsure", "a frame without checksum stands alone")
        self._sound_end = here + found.consumed
        return found


def is_proven(heard: Heard) -> bool:
    """Whether a message's parity says by itself that it is one."""
    return heard.fields is not None and heard.data[0] >> 3 in mode_s.PROVABLE


def beast_at(buffer: bytearray, start: int) -> Found[Heard | None] | None:
    """The Beast frame that starts here, or an escaped pair."""
    if len(buffer) < start + 2:
        return None
    kind = buffer[start + 1]
    if kind == ESCAPE:
        return _pair_at(buffer, start)
    if kind >= RECEIVERS_OWN:
        return Found(None, 2)
    if kind not in ESCAPED:
        raise Rejected("unknown", f"1A {kind:02X} begins no frame")
    match = ESCAPED[kind].match(buffer, start + 2)
    if match is None:
        refuse_cut(buffer, start + 2)
        return None
    body = match[0]
    if ESCAPE in body:
        body = body.replace(b"\x1a\x1a", b"\x1a")
    data = body[HEAD_BYTES:]
    fields = None if kind in (MODE_AC, STATUS) else mode_s.decode(data)
    heard = Heard("beast", KINDS[kind], fields, data, int.from_bytes(body[:6], "big"), body[6])
    return Found(heard, match.end() - start)


def _pair_at(buffer: bytearray, start: int) -> Found[Heard | None] | None:
    """An escaped pair between frames, what is left of a damaged one: data, unless its second byte begins a sound frame.

    That is so where a frame was cut behind the first byte of a pair.
    """
    if len(buffer) < start + 3:
        return None
    if buffer[start + 2] in (0x32, 0x33):
        try:
            frame = beast_at(buffer, start + 1)
        except Rejected:
            return Found(None, 2)
        if frame is None:
            return None
        if frame.message is not None and is_proven(frame.message):
            raise Rejected("cut", "a frame ends in the middle of a pair")
    return Found(None, 2)


def refuse_cut(buffer: bytearray, place: int) -> None:
    """Raise Rejected where the next frame begins inside an unfinished one."""
    for pair in LONE.finditer(buffer, place):
        if pair[1] and pair[1] != b"\x1a":
            raise Rejected("cut", "the next frame begins inside this one")


def _avr_at(buffer: bytearray, start: int) -> Found[Heard | None] | None:
    match = HEX.match(buffer, start + 1, start + 2 + MAX_DIGITS)
    end = match.end() if match is not None else start + 1
    digits = buffer[start + 1 : end]
    if len(digits) > MAX_DIGITS:
        raise Rejected("length", f"more than {MAX_DIGITS} hexadecimal digits")
    if end == len(buffer):
        return None
    if buffer[end] != 0x3B or len(digits) % 2:
        raise Rejected("cut", "a line of hexadecimal digits does not end with ;")
    stamp_bytes, signal_bytes = AVR[buffer[start]]
    raw = bytes.fromhex(digits.decode("ascii"))
    head, data = raw[: stamp_bytes + signal_bytes], raw[stamp_bytes + signal_bytes :]
    timestamp = int.from_bytes(head[:stamp_bytes], "big") if stamp_bytes else None
    signal = head[stamp_bytes] if signal_bytes and len(head) > stamp_bytes else None
    if len(data) == MESSAGE_BYTES[MODE_AC]:
        return Found(Heard("avr", "1", None, data, timestamp, signal), end + 1 - start, 2)
    if len(data) not in (mode_s.SHORT, mode_s.LONG):
        raise Rejected("length", f"a message of {len(data)} bytes, expected 2, 7 or 14")
    return Found(Heard("avr", "", mode_s.decode(data), data, timestamp, signal), end + 1 - start, 2)


def _line_at(buffer: bytearray, start: int) -> Found[Heard | None] | None:
    end = buffer.find(b"\n", start, start + MAX_LINE_BYTES)
    if end < 0:
        if len(buffer) - start < MAX_LINE_BYTES:
            return None
        raise Rejected("length", f"a line is longer than {MAX_LINE_BYTES} bytes")
    line = bytes(buffer[start:end]).rstrip(b"\r")
    if line[:1].isdigit():
        match = CSV.fullmatch(line)
        if match is None:
            raise Rejected("text", "a line is not seconds,address,message")
        data = bytes.fromhex(match[3].decode("ascii"))
        return Found(
            Heard("csv", "", mode_s.decode(data), data, None, None, *(match[n].decode("ascii") for n in (1, 2))),
            end + 1 - start,
        )
    if not line.startswith(b"MSG,"):
        return Found(None, end + 1 - start)
    return Found(sbs_of(line), end + 1 - start)


def sbs_of(line: bytes) -> Heard:
    """The fields of one line of SBS-1, named as those of Mode S. Raises Rejected."""
    try:
        texts = [text.strip() for text in line.decode("ascii").split(",")]
    except UnicodeDecodeError as error:
        raise Rejected("text", "a line is not ASCII") from error
    if len(texts) != SBS_FIELDS or texts[1] not in tuple("12345678"):
        raise Rejected("length", f"MSG of {len(texts)} fields, expected {SBS_FIELDS}")
    address = texts[4].upper()
    if re.fullmatch(r"~?[0-9A-F]{6}", address) is None:  # ~: no state has assigned it, as readsb writes
        raise Rejected("range", f'address is "{address[:20]}", expected six hexadecimal digits')
    try:
        numbers = [float(text) if text else None for text in texts[11:17]]
    except ValueError as error:
        raise Rejected("range", "a number of MSG is none") from error
    if not all(number is None or abs(number) < 1e6 for number in numbers):
        raise Rejected("range", "a number of MSG is beyond all that flies")
    altitude, speed, track, latitude, longitude, climb = numbers
    fields: dict[str, Any] = {"icao": address, "transmission": int(texts[1])}
    if CALLSIGN.fullmatch(texts[10]):
        fields["callsign"] = texts[10]
    if SQUAWK.fullmatch(texts[17]):
        fields["squawk"] = texts[17]
    named = {
        "altitude": altitude, "groundspeed": speed, "track": track, "latitude": latitude, "longitude": longitude,
        "vertical_rate": climb,
    }  # fmt: skip
    fields.update({name: value for name, value in named.items() if value is not None})
    flags = {"alert": texts[18], "emergency": texts[19], "spi": texts[20], "on_ground": texts[21]}
    fields.update({name: text in ("1", "-1") for name, text in flags.items() if text})
    return Heard("sbs", texts[1], fields)
