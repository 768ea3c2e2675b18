"""Wi-Fi management frames: what a beacon or a NAN action frame carries for everybody to read.

    radiotap or PPI header | frame control, duration | three addresses | sequence | body | FCS, where the header says so
    beacon, probe answer   8 bytes time, 2 interval, 2 capabilities, then elements: id, length, content
                           element 221: three bytes OUI, then what its owner likes
    NAN service discovery  04 09 | 50 6F 9A 13 | attributes: id, length u16, content
                           attribute 3: service id (6), instance, requestor, control, ..., length, service info

The radio hands on frames with bit errors where it is told to; a frame whose own checksum (FCS) is there and wrong, or that the
radio calls bad, is marked damaged.

Sources: IEEE 802.11-2020, 9.3.3.2 and 9.4.2.25; Wi-Fi Aware 3.2, 9.5.4; radiotap.org.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_interfaces.packet_stream import Packet
from firmware_interfaces.pcap import IEEE802_11, IEEE802_11_RADIOTAP, PPI

HEADER_BYTES = 24
BEACON, PROBE_ANSWER, ACTION = 0x80, 0x50, 0xD0
FIXED_BYTES = 12  # time, interval and capabilities before the elements
VENDOR_ELEMENT = 221
NAN_ACTION = bytes.fromhex("0409506f9a13")
SERVICE_DESCRIPTOR = 3
HAS_BINDING, HAS_INFO, HAS_RESPONSE_FILTER, HAS_MATCHING_FILTER = 0x40, 0x10, 0x08, 0x04
# radiotap fields up to the signal's power: (bytes, alignment) by bit of the presence word
RADIOTAP_FIELDS = ((8, 8), (1, 1), (1, 1), (4, 2), (2, 2), (1, 1))
FLAGS_FIELD, POWER_FIELD = 1, 5
FCS_AT_END, BAD_FCS = 0x10, 0x40


@dataclass(frozen=True, slots=True)
class Frame:
    """One management frame."""

    kind: int  # frame control, first byte
    transmitter: str  # radio address
    body: bytes
    power_dbm: float | None
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class Vendor:
    """What stands in one element 221, OUI included."""

    content: bytes
    is_cut: bool  # the frame ends before the element does


@dataclass(frozen=True, slots=True)
class Radio:
    """What the sniffer says of a frame."""

    length: int
    power_dbm: float | None
    flags: int


def frame_of(packet: Packet) -> Frame | None:
    """The management frame of a packet; None: another kind of frame."""
    radio = _radio(packet)
    if radio is None:
        return None
    data = packet.data[radio.length :]
    is_damaged = bool(radio.flags & BAD_FCS)
    if radio.flags & FCS_AT_END and len(data) > 4 and not packet.is_cut:
        data, fcs = data[:-4], data[-4:]
        is_damaged = is_damaged or zlib.crc32(data).to_bytes(4, "little") != fcs
    if len(data) < HEADER_BYTES or data[0] not in (BEACON, PROBE_ANSWER, ACTION):
        return None
    return Frame(data[0], address(data[10:16]), data[HEADER_BYTES:], radio.power_dbm, is_damaged)


def address(raw: bytes) -> str:
    """Six bytes as people write them."""
    return ":".join(f"{byte:02x}" for byte in raw)


def _radio(packet: Packet) -> Radio | None:
    if packet.link_type == IEEE802_11:
        return Radio(0, None, 0)
    if packet.link_type == PPI:
        return Radio(int.from_bytes(packet.data[2:4], "little"), None, 0)
    if packet.link_type == IEEE802_11_RADIOTAP:
        return _radiotap(packet.data)
    return None


def _radiotap(data: bytes) -> Radio:
    """Flags and power; fields stand in the order of the presence word's bits, each at its own alignment."""
    length = int.from_bytes(data[2:4], "little")
    present, place = int.from_bytes(data[4:8], "little"), 8
    word = present
    while word & 0x8000_0000 and place + 4 <= length:  # further presence words
        word = int.from_bytes(data[place : place + 4], "little")
        place += 4
    flags, power_dbm = 0, None
    for bit, (size, alignment) in enumerate(RADIOTAP_FIELDS):
        if not present >> bit & 1:
            continue
        place += -place % alignment
        if place + size > length:
            break
        if bit == FLAGS_FIELD:
            flags = data[place]
        if bit == POWER_FIELD:
            power_dbm = float(int.from_bytes(data[place : place + 1], "little", signed=True))
        place += size
    return Radio(length, power_dbm, flags)


def vendor_elements(frame: Frame) -> Iterator[Vendor]:
    """The elements 221 of a beacon or probe answer."""
    if frame.kind == ACTION:
        return
    body, place = frame.body, FIXED_BYTES
    while place + 2 <= len(body):
        kind, length = body[place], body[place + 1]
        place += 2
        if kind == VENDOR_ELEMENT:
            yield Vendor(body[place : place + length], place + length > len(body))
        place += length


def service_infos(frame: Frame, service_id: bytes) -> Iterator[Vendor]:
    """What NAN publishes for one service."""
    body = frame.body
    if frame.kind != ACTION or not body.startswith(NAN_ACTION):
        return
    place = len(NAN_ACTION)
    while place + 3 <= len(body):
        kind, length = body[place], int.from_bytes(body[place + 1 : place + 3], "little")
        place += 3
        content = body[place : place + length]
        if kind == SERVICE_DESCRIPTOR and content.startswith(service_id):
            yield from _service_info(content)
        place += length


def _service_info(content: bytes) -> Iterator[Vendor]:
    """Behind service id, instance, requestor and control; the control byte tells what comes before the info."""
    if len(content) < 10:
        return
    control, place = content[8], 9
    if control & HAS_BINDING:
        place += 2
    for has_filter in (HAS_MATCHING_FILTER, HAS_RESPONSE_FILTER):
        if control & has_filter:
            place += 1 + (content[place] if place < len(content) else 0)
    if control & HAS_INFO and place < len(content):
        info = content[place + 1 : place + 1 + content[place]]
        yield Vendor(info, len(info) < content[place])
