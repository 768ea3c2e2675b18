"""Capture files of network and radio sniffers: pcap and pcapng, cut into packets; and the datagrams in Ethernet packets.

    pcap     magic | version | ... | link type   then   seconds | fraction | kept | sent | packet ...
    pcapng   blocks: type | length | body | length      section header, interface, enhanced packet

A file that ends in the middle of a packet gives what stands before. What is not understood is passed over.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; RFC 791 (IPv4), 8200 (IPv6), 768 (UDP), IEEE 802.1Q.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

LOOPBACK_NULL, LOOPBACK, LINUX_COOKED_2, RAW_IPV4, RAW_IPV6 = 0, 108, 276, 228, 229
ETHERNET, RAW_IP, IEEE802_11, LINUX_COOKED, IEEE802_11_RADIOTAP, PPI, BLUETOOTH_LE, BLUETOOTH_LE_PHDR, NORDIC_BLE = (
    1, 101, 105, 113, 127, 192, 251, 256, 272,
)  # fmt: skip
MAGIC = {  # first four bytes -> (byte order, nanoseconds in a unit of the fraction)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
MAGIC_NG = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_NG = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
INTERFACE, ENHANCED_PACKET = 1, 6  # kinds of pcapng blocks
TIME_RESOLUTION = 9  # an interface's option
MAX_PACKET_BYTES = 262_144  # the largest that sniffers keep
IPV4, IPV6, VLAN, UDP = 0x0800, 0x86DD, (0x8100, 0x88A8), 17
# link type -> (where the kind of packet stands, where it begins); None: its own first half byte tells
IP_AT: dict[int, tuple[int | None, int]] = {
    ETHERNET: (12, 14), LINUX_COOKED: (14, 16), LINUX_COOKED_2: (0, 20), LOOPBACK_NULL: (None, 4), LOOPBACK: (None, 4),
    RAW_IP: (None, 0), RAW_IPV4: (None, 0), RAW_IPV6: (None, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as a sniffer kept it."""

    index: int  # counted from 0
    time_ns: int
    link_type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """What one UDP packet carried."""

    index: int  # the packet's
    time_ns: int
    source: str  # address and port it was sent from
    port: int
    data: bytes


def is_capture(data: bytes) -> bool:
    """Whether a file begins as a capture does."""
    return data[:4] in MAGIC or (data[:4] == MAGIC_NG and data[8:12] in BYTE_ORDER_NG)


def packets(data: bytes) -> Iterator[Packet]:
    """The packets of a capture file, in order. Raises ValueError where it is none."""
    if not is_capture(data):
        raise ValueError(f"begins with {data[:4].hex() or 'nothing'}, expected a pcap or pcapng file")
    return _ng_packets(data) if data[:4] == MAGIC_NG else _packets(data)


def _packets(data: bytes) -> Iterator[Packet]:
    order, unit_ns = MAGIC[data[:4]]
    if len(data) < 24:
        return
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    header = struct.Struct(order + "IIII")
    place, index = 24, 0
    while place + header.size <= len(data):
        seconds, fraction, kept, _ = header.unpack_from(data, place)
        place += header.size
        if kept > MAX_PACKET_BYTES or place + kept > len(data):
            return
        yield Packet(index, seconds * 1_000_000_000 + fraction * unit_ns, link_type, data[place : place + kept])
        place += kept
        index += 1


def _ng_packets(data: bytes) -> Iterator[Packet]:
    order, place, index = "<", 0, 0
    interfaces: list[tuple[int, int]] = []  # link type, units of time in a second
    while place + 12 <= len(data):
        if data[place : place + 4] == MAGIC_NG:
            order, interfaces = BYTE_ORDER_NG.get(data[place + 8 : place + 12], order), []
        kind, length = struct.unpack_from(order + "II", data, place)
        if length < 12 or length % 4 or place + length > len(data):
            return
        body = data[place + 8 : place + length - 4]
        place += length
        if kind == INTERFACE and len(body) >= 8:
            interfaces.append((struct.unpack_from(order + "H", body)[0], units_a_second(body[8:], order)))
        elif kind == ENHANCED_PACKET and len(body) >= 20:
            interface, high, low, kept, _ = struct.unpack_from(order + "IIIII", body)
            if interface < len(interfaces) and 20 + kept <= len(body):
                link_type, units = interfaces[interface]
                time_ns = (high << 32 | low) * 1_000_000_000 // units
                yield Packet(index, time_ns, link_type, body[20 : 20 + kept])
            index += 1


def units_a_second(options: bytes, order: str) -> int:
    place = 0
    while place + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, place)
        if code == TIME_RESOLUTION and length == 1 and place + 5 <= len(options):
            exponent = options[place + 4]
            return int(2 ** (exponent & 0x7F)) if exponent & 0x80 else int(10**exponent)
        if code == 0:
            break
        place += 4 + (length + 3) // 4 * 4
    return 1_000_000


def datagrams(data: bytes) -> Iterator[Datagram]:
    """The UDP datagrams of a capture; other packets and later fragments of one are passed over."""
    for packet in packets(data):
        found = udp_of(packet)
        if found is not None:
            yield Datagram(packet.index, packet.time_ns, *found)


def udp_of(packet: Packet) -> tuple[str, int, bytes] | None:
    """Source, port and content of a packet that carries UDP; None for any other."""
    frame = packet.data
    if packet.link_type not in IP_AT:
        return None
    kind_at, place = IP_AT[packet.link_type]
    if len(frame) < place + 20:
        return None
    by_itself = IPV6 if frame[place] >> 4 == 6 else IPV4
    kind = by_itself if kind_at is None else int.from_bytes(frame[kind_at : kind_at + 2], "big")
    while kind in VLAN:
        kind, place = int.from_bytes(frame[place + 2 : place + 4], "big"), place + 4
    return _udp_at(frame, place, kind)


def _udp_at(frame: bytes, place: int, kind: int) -> tuple[str, int, bytes] | None:
    address: IPv4Address | IPv6Address
    if kind == IPV4 and len(frame) >= place + 20:
        is_later_fragment = int.from_bytes(frame[place + 6 : place + 8], "big") & 0x1FFF
        if frame[place] >> 4 != 4 or frame[place + 9] != UDP or is_later_fragment:
            return None
        address = ip_address(frame[place + 12 : place + 16])
        place += (frame[place] & 0x0F) * 4
    elif kind == IPV6 and len(frame) >= place + 40 and frame[place + 6] == UDP:
        address = ip_address(frame[place + 8 : place + 24])
        place += 40
    else:
        return None
    if len(frame) < place + 8:
        return None
    source_port, port, length = struct.unpack_from(">HHH", frame, place)
    return (f"{address}:{source_port}", port, frame[place + 8 : place + length]) if length >= 8 else None
