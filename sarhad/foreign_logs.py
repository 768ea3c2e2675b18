"""Logs that others wrote, cut into what a device delivered and when; `converting.py` makes a recording of them.

    capture of UDP       capture.pcap    each datagram to the sensor that listens on its port
    capture of radio     air.pcapng      the file's own bytes, cut behind each packet, at the packet's time
    stamped bytes        port.log        lines of a time and bytes in hexadecimal: 2026-05-01T12:00:00.250Z a55a0113
    bytes alone          radar.bin       as fast as its line carries them, or spread evenly over the time they took

Bytes alone have lost their pauses: their times are no better than the pace that was stated, and the recording says so.
What follows later in one byte stream is never earlier: a packet whose clock steps back keeps the time before it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from firmware_interfaces import packet_stream, pcap
from sarhad.utc import SECOND_NS, utc_ns

PIECE_NS = 20_000_000  # about what a serial port gathers before it is read
BITS_A_BYTE = 10  # start, eight, stop
STAMPED = re.compile(r"(\S+)\s+((?:[0-9a-fA-F]{2}\s*)+)")
LONGEST_HEAD_BYTES = 65_536  # is looked at to tell stamped bytes from bytes alone
EARLIEST_NS = 10**9 * SECOND_NS  # of September 2001: two small numbers beside each other are what a sensor prints


class WrongLog(Exception):
    """What cannot be converted, where, and what was expected; the file's name is the caller's."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came from one sensor at one time."""

    time_ns: int
    sensor_id: str
    data: bytes
    source: str | None = None  # the address it came from, where there is one


def datagrams_of(data: bytes, sensors: Mapping[int, str]) -> list[Delivered]:
    """The UDP datagrams to the given ports, in the order of their times. Raises WrongLog where there are none."""
    found, others = [], Counter[int]()
    for datagram in pcap.datagrams(data):
        if (sensor_id := sensors.get(datagram.port)) is None:
            others[datagram.port] += 1
        elif datagram.data:
            found.append(Delivered(datagram.time_ns, sensor_id, datagram.data, datagram.source))
    if not found:
        there = ", ".join(f"{count} to port {port}" for port, count in others.most_common(8)) or "none at all"
        ports = ", ".join(f"{port} ({sensor_id})" for port, sensor_id in sensors.items()) or "a listening sensor's"
        raise WrongLog(f"UDP datagrams: {there}; expected some to port {ports}")
    return sorted(found, key=lambda each: each.time_ns)


def radio_packets_of(data: bytes, sensor_id: str) -> list[Delivered]:
    """A sniffer's file, cut behind each packet, so that a decoder sees the very bytes. Raises WrongLog."""
    packets = packet_stream.Packets()
    found: list[Delivered] = []
    place, latest_ns = 0, 0
    for framed in [*packets.feed(data, 0), *packets.finish()]:
        end, latest_ns = framed.offset + framed.consumed, max(latest_ns, framed.message.time_ns)
        found.append(Delivered(latest_ns, sensor_id, data[place:end]))
        place = end
    if not found:
        raise WrongLog("no packet in it; expected radio frames of Wi-Fi or Bluetooth")
    return found


def is_stamped(data: bytes) -> bool:
    """Whether the first line that says anything is a time with bytes in hexadecimal."""
    first = next(
        (line for line in data[:LONGEST_HEAD_BYTES].split(b"\n") if line.strip() and not line.startswith(b"#")), b""
    )
    try:
        return stamped_line(first)[0] >= EARLIEST_NS
    except ValueError:
        return False


def stamped_line(line: bytes) -> tuple[int, bytes]:
    """UTC ns and bytes. Raises ValueError."""
    text = line.decode("ascii").strip()
    matched = STAMPED.fullmatch(text)
    if matched is None:
        raise ValueError(f"found {text[:60]!r}")
    return utc_ns(matched[1]), bytes.fromhex(matched[2])


def stamped_of(data: bytes, sensor_id: str) -> list[Delivered]:
    """Lines of a time and bytes; empty lines and those that begin with # are passed over. Raises WrongLog."""
    found: list[Delivered] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            time_ns, content = stamped_line(line)
        except ValueError as error:  # of which a wrong encoding is one
            raise WrongLog(f"line {number}: {error}; expected UTC and bytes in hexadecimal") from error
        if found and time_ns < found[-1].time_ns:
            back_s = (found[-1].time_ns - time_ns) / 1e9
            raise WrongLog(f"line {number}: its time is {back_s:g} s before the line above; expected times in order")
        found.append(Delivered(time_ns, sensor_id, content))
    return found


def paced_of(data: bytes, sensor_id: str, start_ns: int, bytes_a_second: float) -> Iterator[Delivered]:
    """Bytes alone, in pieces of PIECE_NS and at least one byte each."""
    step = max(1, math.floor(bytes_a_second * PIECE_NS / 1e9))
    for place in range(0, len(data), step):
        piece = data[place : place + step]
        yield Delivered(start_ns + round((place + len(piece)) / bytes_a_second * 1e9), sensor_id, piece)
