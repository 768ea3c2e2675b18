"""Packets out of a capture that is still being written: pcap and pcapng of radio sniffers, as they come over a socket.

    pcap     magic | version | ... | link type   then   seconds | fraction | kept | on the air | the packet ...
    pcapng   blocks: type | length | body | length again

pcap has no sync word and no checksum. A packet's header is believed where its numbers are possible and what follows begins
as the link type says. After damage the next such place is looked for; a packet inside which another one begins, at nearly
the same time, was cut, and is given up so that the one inside comes out. A new file header may come at any time: that is
a sniffer that was started again. Whole files of other kinds of packets are read by `pcap.py`.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; link types as registered at tcpdump.org.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected
from firmware_interfaces.pcap import (
    BLUETOOTH_LE,
    BLUETOOTH_LE_PHDR,
    BYTE_ORDER_NG,
    ENHANCED_PACKET,
    IEEE802_11,
    IEEE802_11_RADIOTAP,
    INTERFACE,
    MAGIC,
    MAGIC_NG,
    NORDIC_BLE,
    PPI,
    units_a_second,
)

MAX_PACKET_BYTES = 8192  # a Wi-Fi management frame has at most 2.3 kB, a Bluetooth one 0.3
MAX_BLOCK_BYTES = MAX_PACKET_BYTES + 512  # of pcapng: a packet with its options
MAX_INTERFACES = 16
NEAR_NS = 60_000_000_000  # what begins inside a packet is another one only if it was heard about then
# a fraction below 1e9, and lengths below 2^16, in either byte order
LITTLE_HEADER = rb"[\s\S]{7}[\x00-\x3b][\s\S]{2}\x00\x00[\s\S]{2}\x00\x00"
BIG_HEADER = rb"[\s\S]{4}[\x00-\x3b][\s\S]{3}\x00\x00[\s\S]{2}\x00\x00[\s\S]{2}"
HEADER_BYTES, GLOBAL_BYTES = 16, 24
BEGINNING_BYTES = 32  # of a packet, by which its link type is judged
KINDS = range(1, 7)  # of the pcapng blocks that sniffers write
BLOCKS = (MAGIC_NG, *(kind.to_bytes(4, order) for kind in KINDS for order in ("little", "big")))
BEGINS = re.compile(b"|".join(re.escape(begin) for begin in (*MAGIC, *BLOCKS)))
# each alternative is as long as the others: a shorter one would be found before an earlier one is whole
SYNC = re.compile(b"|".join([b"(?:" + BEGINS.pattern + rb")[\s\S]{12}", LITTLE_HEADER, BIG_HEADER]))
INSIDE = {"<": re.compile(b"(?=" + LITTLE_HEADER + b")"), ">": re.compile(b"(?=" + BIG_HEADER + b")")}
ADVERTISING = b"\xd6\xbe\x89\x8e"  # access address of every Bluetooth LE advertisement


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it was kept."""

    number: int  # from 1
    time_ns: int  # the sniffer's clock
    link_type: int
    data: bytes
    is_cut: bool  # less was kept than was on the air


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before each packet."""

    time_ns: int
    kept: int
    on_air: int


class Packets:
    """Bytes in, packets out. A stream that is joined in its middle counts as written on a small computer (little endian)."""

    def __init__(self, counts: Counts | None = None, max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        self.counts = Counts() if counts is None else counts
        self._order, self._fraction_ns, self._link_type = "<", 1000, 0  # 0: not told yet
        self._is_blocks = False  # pcapng
        self._interfaces: list[tuple[int, int]] = []  # of pcapng: link type, units of time in a second
        self._number, self._last_ns = 0, 0
        self.stream: FramedStream[Packet | None] = FramedStream(
            SYNC, HEADER_BYTES, self._frame_at, self.counts, max_frame_time_ns
        )

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Packet]]:
        """The packets that these bytes complete."""
        return _packets(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Packet]]:
        """What can be made of the rest when nothing more will come."""
        return _packets(self.stream.finish())

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Packet | None] | None:
        magic = bytes(buffer[start : start + 4])
        if magic in MAGIC:
            return self._global_header(buffer, start, magic)
        if magic == MAGIC_NG or self._is_blocks:
            return self._block(buffer, start)
        if len(buffer) < start + HEADER_BYTES:
            return None
        header = self._header(buffer, start)
        begin = start + HEADER_BYTES
        end = begin + header.kept
        judged = min(end, begin + BEGINNING_BYTES)
        if len(buffer) < judged:
            return None
        link_type = begins_as(self._link_type, bytes(buffer[begin:judged]), header.kept)
        if link_type is None:
            raise Rejected("header", "what follows is no packet of this link type")
        if self._is_cut(buffer, begin, end, header.time_ns):
            raise Rejected("cut", "the next packet begins inside this one")
        if len(buffer) < end:
            return None
        self._number += 1
        self._last_ns = header.time_ns
        data = bytes(buffer[begin:end])
        return Found(Packet(self._number, header.time_ns, link_type, data, header.kept < header.on_air), end - start)

    def _global_header(self, buffer: bytearray, start: int, magic: bytes) -> Found[Packet | None] | None:
        if len(buffer) < start + GLOBAL_BYTES:
            return None
        order, fraction_ns = MAGIC[magic]
        major, _, _, _, longest, link_type = struct.unpack_from(f"{order}HHiIII", buffer, start + 4)
        if major != 2 or longest == 0:
            raise Rejected("header", f"pcap version {major}, expected 2")
        self._order, self._fraction_ns, self._link_type = order, fraction_ns, link_type & 0xFFFF
        self._is_blocks = False
        return Found(None, GLOBAL_BYTES)

    def _block(self, buffer: bytearray, start: int) -> Found[Packet | None] | None:
        """One block of pcapng; its length stands at both of its ends."""
        if len(buffer) < start + 12:
            return None
        is_section = bytes(buffer[start : start + 4]) == MAGIC_NG
        order = self._order
        if is_section:
            found = BYTE_ORDER_NG.get(bytes(buffer[start + 8 : start + 12]))
            if found is None:
                raise Rejected("header", "a section header without byte order")
            order = found
        kind, length = struct.unpack_from(f"{order}II", buffer, start)
        if not 12 <= length <= MAX_BLOCK_BYTES or length % 4:
            raise Rejected("length", f"a block of {length} bytes, at most {MAX_BLOCK_BYTES} and a multiple of 4")
        end = start + length
        if len(buffer) < end:
            return None
        if struct.unpack_from(f"{order}I", buffer, end - 4)[0] != length:
            raise Rejected("length", "a block whose two lengths differ")
        body = bytes(buffer[start + 8 : end - 4])
        if is_section:
            self._order, self._is_blocks, self._interfaces = order, True, []
        elif kind == INTERFACE and len(body) >= 8 and len(self._interfaces) < MAX_INTERFACES:
            link_type = int(struct.unpack_from(f"{order}H", body)[0])
            self._interfaces.append((link_type, units_a_second(body[8:], order)))
        elif kind == ENHANCED_PACKET and len(body) >= 20:
            return Found(self._enhanced(body), length)
        return Found(None, length)

    def _enhanced(self, body: bytes) -> Packet | None:
        interface, high, low, kept, on_air = struct.unpack_from(f"{self._order}5I", body)
        self._number += 1
        if interface >= len(self._interfaces) or 20 + kept > len(body):
            self.counts.rejected["header"] += 1
            return None
        link_type, units = self._interfaces[interface]
        time_ns = (high << 32 | low) * 1_000_000_000 // units
        return Packet(self._number, time_ns, link_type, body[20 : 20 + kept], kept < on_air)

    def _header(self, buffer: bytearray, start: int) -> Header:
        """A packet's header, where its numbers are possible. Raises Rejected."""
        seconds, fraction, kept, on_air = struct.unpack_from(f"{self._order}4I", buffer, start)
        if fraction * self._fraction_ns >= 1_000_000_000 or not 0 < kept <= min(on_air, MAX_PACKET_BYTES):
            raise Rejected("header", f"a packet of {kept} of {on_air} bytes at {seconds} s")
        return Header(seconds * 1_000_000_000 + fraction * self._fraction_ns, kept, on_air)

    def _is_cut(self, buffer: bytearray, begin: int, end: int, time_ns: int) -> bool:
        """Whether another packet begins between two places."""
        for match in INSIDE[self._order].finditer(buffer, begin, min(end, len(buffer))):
            try:
                header = self._header(buffer, match.start())
            except Rejected:
                continue
            is_near = min(abs(header.time_ns - time_ns), abs(header.time_ns - self._last_ns)) <= NEAR_NS
            follows_at = match.start() + HEADER_BYTES
            follows = bytes(buffer[follows_at : min(follows_at + BEGINNING_BYTES, end)])
            if is_near and begins_as(self._link_type, follows, header.kept) is not None:
                return True
        return False


def _packets(found: list[Framed[Packet | None]]) -> list[Framed[Packet]]:
    return [Framed(f.message, f.offset, f.consumed) for f in found if f.message is not None]


def begins_as(link_type: int, beginning: bytes, kept: int) -> int | None:
    """The link type by which a packet can begin so: the one that was told, or if none was, the one it looks like."""
    if link_type and link_type not in BEGINNINGS:
        return link_type  # nothing is known of its beginning
    candidates = (link_type,) if link_type else GUESSED
    return next((candidate for candidate in candidates if BEGINNINGS[candidate](beginning, kept)), None)


def _wifi(beginning: bytes, kept: int) -> bool:
    return kept >= 10


def _radiotap(beginning: bytes, kept: int) -> bool:
    """Version 0; the byte after it is not always the zero it should be."""
    return len(beginning) >= 8 and beginning[0] == 0 and 8 <= int.from_bytes(beginning[2:4], "little") <= min(kept, 256)


def _ppi(beginning: bytes, kept: int) -> bool:
    return (
        len(beginning) >= 8
        and beginning[0] == 0
        and 8 <= int.from_bytes(beginning[2:4], "little") <= kept
        and beginning[4:8] == b"\x69\0\0\0"
    )


def _ble(beginning: bytes, kept: int) -> bool:
    return kept >= 9 and beginning[:4] == ADVERTISING


def _ble_with_header(beginning: bytes, kept: int) -> bool:
    return kept >= 19 and beginning[10:14] == ADVERTISING


def _nordic(beginning: bytes, kept: int) -> bool:
    """The sniffer's own header: board, length of what follows, version, counter, packet id, ten bytes of what it heard."""
    return len(beginning) >= 8 and beginning[3] in (2, 3) and int.from_bytes(beginning[1:3], "little") + 7 == kept


BEGINNINGS = {
    IEEE802_11: _wifi,
    IEEE802_11_RADIOTAP: _radiotap,
    PPI: _ppi,
    BLUETOOTH_LE: _ble,
    BLUETOOTH_LE_PHDR: _ble_with_header,
    NORDIC_BLE: _nordic,
}
GUESSED = (BLUETOOTH_LE, BLUETOOTH_LE_PHDR, NORDIC_BLE, PPI, IEEE802_11_RADIOTAP)
