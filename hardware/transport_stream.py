"""MPEG-2 transport stream: the video in it, an access unit at a time, each given out the moment its last byte is there.

    47 | flags, PID | adaptation, counter | adaptation field, payload      188 bytes, always

A payload that begins a PES packet carries the picture's time stamp (90 kHz). The packet is whole when as many bytes came as
its header says; where the header says none, when a transport packet is stuffed (senders fill up the last one), else when the
next begins. FFmpeg's demuxer knows only the last rule and its parser adds a picture, so it is two pictures late.

Source: ISO/IEC 13818-1, sections 2.4.3.2 (transport packet), 2.4.3.7 (PES packet), 2.4.4 (program tables).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hardware.annex_b import LONGEST_UNIT_BYTES, has_picture

PACKET_BYTES = 188
SYNC = 0x47
TABLE_PID = 0
VIDEO_TYPES = {0x1B: "h264", 0x24: "hevc"}
CLOCK_HZ = 90_000
CLOCK_WRAP = 1 << 33


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture as sent; device_ns by the sender's clock, which starts where it likes."""

    codec: str  # "h264" or "hevc"
    data: bytes
    device_ns: int | None


class TransportStream:
    """Bytes in, access units of the first video stream out. Never raises on bytes; counts what was lost."""

    def __init__(self) -> None:
        self.resync_bytes = 0  # skipped while looking for a packet's beginning
        self.gaps = 0  # packets missing by their counter
        self._kept = b""
        self._table_pid: int | None = None  # where the program's own table is
        self._video_pid: int | None = None
        self._codec = "h264"
        self._counter: int | None = None
        self._unit = bytearray()
        self._is_collecting = False
        self._expected: int | None = None  # payload bytes of the packet being collected, where told
        self._device_ns: int | None = None
        self._last_ticks: int | None = None
        self._wraps = 0

    def feed(self, data: bytes) -> Iterator[AccessUnit]:
        """The access units that these bytes complete."""
        self._kept += data
        start = 0
        while start + PACKET_BYTES <= len(self._kept):
            if self._kept[start] != SYNC:
                start += 1
                self.resync_bytes += 1
                continue
            yield from self._packet(self._kept[start : start + PACKET_BYTES])
            start += PACKET_BYTES
        self._kept = self._kept[start:]

    def flush(self) -> AccessUnit | None:
        """What is collected: for a line that has gone quiet."""
        return None if self._kept or self._expected is not None else self._finish()

    def _packet(self, packet: bytes) -> Iterator[AccessUnit]:
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        begins = bool(packet[1] & 0x40)
        payload, is_stuffed = _payload(packet)
        if not payload:
            return
        if pid == TABLE_PID and begins:
            self._table_pid = _program_table_pid(payload)
        elif pid == self._table_pid and begins:
            self._video_pid, self._codec = _video_stream(payload) or (self._video_pid, self._codec)
        elif pid == self._video_pid:
            yield from self._video(packet[3] & 0x0F, begins, payload, is_stuffed)

    def _video(self, counter: int, begins: bool, payload: bytes, is_stuffed: bool) -> Iterator[AccessUnit]:
        if self._counter is not None and counter == self._counter:
            return  # a packet may be sent twice
        if self._counter is not None and counter != (self._counter + 1) & 0x0F:
            self.gaps += 1
        self._counter = counter
        if begins:
            if (unit := self._finish()) is not None:
                yield unit
            payload = self._begin(payload)
        if not self._is_collecting:
            return
        self._unit += payload
        if self._is_whole(is_stuffed):
            if (unit := self._finish()) is not None:
                yield unit
        elif len(self._unit) > LONGEST_UNIT_BYTES:
            self._unit.clear()
            self._is_collecting = False

    def _is_whole(self, is_stuffed: bool) -> bool:
        if self._expected is not None:
            return len(self._unit) >= self._expected
        return is_stuffed and has_picture(self._codec, bytes(self._unit))

    def _begin(self, payload: bytes) -> bytes:
        """Read a PES packet's header; gives the payload behind it."""
        if len(payload) < 9 or payload[:3] != b"\x00\x00\x01":
            return b""
        length, header_bytes = int.from_bytes(payload[4:6], "big"), payload[8]
        self._is_collecting = True
        self._expected = length - 3 - header_bytes if length else None
        self._device_ns = self._time_ns(payload[9:14]) if payload[7] & 0x80 and len(payload) >= 14 else None
        return payload[9 + header_bytes :]

    def _finish(self) -> AccessUnit | None:
        if not self._unit:
            return None
        unit = AccessUnit(self._codec, bytes(self._unit), self._device_ns)
        self._unit.clear()
        self._is_collecting = False
        return unit

    def _time_ns(self, field: bytes) -> int:
        """The presentation time stamp, carried on over its wrap after 26.5 hours; pictures may come in another order."""
        ticks = (
            (field[0] >> 1 & 0x07) << 30
            | field[1] << 22
            | (field[2] >> 1) << 15
            | field[3] << 7
            | field[4] >> 1
        )  # fmt: skip
        if self._last_ticks is not None:
            since = ticks - self._last_ticks
            self._wraps += (since < -CLOCK_WRAP // 2) - (since > CLOCK_WRAP // 2)
        self._last_ticks = ticks
        return (ticks + self._wraps * CLOCK_WRAP) * 1_000_000_000 // CLOCK_HZ


def _payload(packet: bytes) -> tuple[bytes, bool]:
    """(the packet's payload, whether it was stuffed to fill the packet)."""
    control = packet[3] >> 4 & 0x03
    if control == 1:
        return packet[4:], False
    if control != 3:
        return b"", False
    length = packet[4]
    flags = packet[5] if length else 0
    needed = 1 if length else 0
    needed += 6 if flags & 0x10 else 0  # program clock reference
    needed += 6 if flags & 0x08 else 0  # original program clock reference
    needed += 1 if flags & 0x04 else 0  # splice countdown
    has_more = bool(flags & 0x03)  # private data or an extension: how much is needed is not worth knowing
    return packet[5 + length :], (not has_more and length > needed) or length == 0


def _section(payload: bytes) -> bytes:
    """A table section without its pointer field and checksum; empty where it is cut off."""
    start = 1 + payload[0]
    if len(payload) < start + 3:
        return b""
    length = (payload[start + 1] & 0x0F) << 8 | payload[start + 2]
    section = payload[start : start + 3 + length]
    return section[:-4] if len(section) == 3 + length and length >= 9 else b""


def _program_table_pid(payload: bytes) -> int | None:
    """Where the first program's table is, from the program association table."""
    section = _section(payload)
    for at in range(8, len(section) - 3, 4):
        if section[at : at + 2] != b"\x00\x00":  # program 0 is the network's own table
            return (section[at + 2] & 0x1F) << 8 | section[at + 3]
    return None


def _video_stream(payload: bytes) -> tuple[int, str] | None:
    """(PID, codec) of the first H.264 or H.265 stream of a program table."""
    section = _section(payload)
    if len(section) < 12:
        return None
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    while at + 5 <= len(section):
        if (codec := VIDEO_TYPES.get(section[at])) is not None:
            return (section[at + 1] & 0x1F) << 8 | section[at + 2], codec
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    return None
