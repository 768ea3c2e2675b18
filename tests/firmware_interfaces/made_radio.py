"""Radio frames made here byte by byte as their documents say, for the tests."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from firmware_interfaces import antsdr, dji_droneid, pcap, radio_frames
from firmware_interfaces.open_drone_id_messages import (
    BasicId,
    Location,
    OperatorId,
    SelfId,
    System,
    encode,
    encode_pack,
)

TIME_NS = 1_780_000_000_000_000_000
MAC = bytes.fromhex("903ae65bc8a8")
WHO = BasicId(1, 2, b"1581F4QWB22CC00302LV")
SYSTEM = System(1, 0, 45.001, 7.001, 612.0, 1, 0, None, None, 1, 2, 200_000_000)
DJI = dji_droneid.Telemetry(
    *("263712", 2, 1613, b"\x33\x1f", "K6RE0WENAH9P8QAL", 45.1, 7.2, 55, 100, 2100, 3900, 900, -12100, 1537227839),
    *(45.0, 7.1, 45.0, 7.1, 88, 6, "pilot1"),
)
BURST = antsdr.Heard(
    *("O3", 2459.5, -71.0, "DJI Mavic 3", "77", "1581F4QWB22CC00302LV"),
    *((45.1, 7.2), (45.0, 7.1), (45.0, 7.1), 520.0, 31.0, (1.2, -0.35, 0.05)),
)
PACKET = antsdr.Heard(
    *(None, 5776.5, -62.0, "DJI Mini 2", "63", "1SCCH8W0010ABC"),
    *((45.1, 7.2), (45.0, 7.1), (45.0, 7.1), 520.5, 31.0, (1.2, -0.35, 0.05)),
)


def where(number: int = 0) -> Location:
    """A drone that flies east at 10 m/s."""
    return Location(
        2, 90.0, 10.0, 0.5, 45.0, 7.0 + number * 1e-4, 600.0, 650.5, 40.0, 0, 10, 4, 3, 3, 123.4 + number, 1
    )


def radiotap(power_dbm: int, flags: int = 0) -> bytes:
    """Flags, channel and power before a frame."""
    fields = struct.pack("<BxHHb", flags, 2437, 0x00A0, power_dbm)
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), 1 << 1 | 1 << 3 | 1 << 5) + fields


def management(kind: int, body: bytes, transmitter: bytes = MAC) -> bytes:
    """A management frame with its addresses."""
    return bytes((kind, 0, 0, 0)) + b"\xff" * 6 + transmitter + transmitter + b"\0\0" + body


def element(content: bytes, kind: int = 221) -> bytes:
    """One element of a beacon."""
    return bytes((kind, len(content))) + content


def beacon(*contents: bytes, transmitter: bytes = MAC) -> bytes:
    """A beacon that carries vendor elements."""
    body = bytes(12) + element(b"network", 0) + b"".join(element(content) for content in contents)
    return management(0x80, body, transmitter)


def nan(payload: bytes, counter: int = 0) -> bytes:
    """A NAN service discovery frame that publishes Remote ID."""
    info = bytes((counter,)) + payload
    descriptor = bytes.fromhex("8869199d9209") + bytes((1, 0, 0x10, len(info))) + info
    attribute = b"\x03" + len(descriptor).to_bytes(2, "little") + descriptor
    return management(0xD0, bytes.fromhex("0409506f9a13") + attribute)


def with_fcs(frame: bytes) -> bytes:
    """A frame and its checksum."""
    return frame + zlib.crc32(frame).to_bytes(4, "little")


def legacy_advertisement(message: bytes, counter: int = 0) -> bytes:
    """Bluetooth 4: one message; link layer from its access address on, CRC not made."""
    data = bytes((len(message) + 5, 0x16)) + bytes.fromhex("faff0d") + bytes((counter,)) + message
    return b"\xd6\xbe\x89\x8e" + bytes((2, 6 + len(data))) + MAC[::-1] + data + bytes(3)


def extended_advertisement(payload: bytes, counter: int = 0, has_right_crc: bool = True) -> bytes:
    """Bluetooth 5 long range, behind the header of a Nordic sniffer."""
    data = bytes((len(payload) + 5, 0x16)) + bytes.fromhex("faff0d") + bytes((counter,)) + payload
    header = bytes((9, 9)) + MAC[::-1] + b"\x75\x0e"
    frame = b"\xd6\xbe\x89\x8e\0" + bytes((7, len(header) + len(data))) + header + data + bytes(3)
    sniffer = bytes((0x20 | has_right_crc, 37, 53)) + bytes(6)
    length = 1 + len(sniffer) + len(frame)
    return b"\x03" + length.to_bytes(2, "little") + b"\x03\x13\xbe\x02\x0a" + sniffer + frame


def capture_of(link_type: int, packets: Sequence[bytes], time_ns: int = TIME_NS) -> bytes:
    """A pcap file."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    for number, packet in enumerate(packets):
        seconds, rest_ns = divmod(time_ns + number * 100_000_000, 1_000_000_000)
        out += struct.pack("<4I", seconds, rest_ns // 1000, len(packet), len(packet)) + packet
    return out


def capture() -> bytes:
    """A drone that sends beacons and NAN frames, one of DJI's beside it, and a network that is none of them."""
    packets = []
    for number in range(8):
        pack = encode_pack(
            [WHO, where(number), SYSTEM, OperatorId(0, b"XYZ-OP"), SelfId(0, b"survey")][: 1 + number % 5]
        )
        remote_id = bytes.fromhex("fa0bbc0d") + bytes((number,)) + pack
        packets += [
            radiotap(-60) + beacon(bytes.fromhex("0050f201"), remote_id),
            radiotap(-62, 0x10) + with_fcs(nan(pack, number)),
            radiotap(-70) + beacon(dji_droneid.encode(DJI), transmitter=bytes.fromhex("60601fc60ecc")),
            radiotap(-80) + beacon(),
        ]
    return capture_of(pcap.IEEE802_11_RADIOTAP, packets)


def bluetooth_capture() -> bytes:
    """The same drone by Bluetooth 4, one message each."""
    messages = [encode(message) for message in (WHO, where(), SYSTEM)]
    return capture_of(pcap.BLUETOOTH_LE, [legacy_advertisement(message) for message in messages])


def nordic_packets() -> list[bytes]:
    """The same drone by Bluetooth 5, a pack each."""
    return [extended_advertisement(encode_pack([WHO, where(number)]), number) for number in range(6)]


def block(kind: int, body: bytes) -> bytes:
    """A block of pcapng, its length at both ends."""
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def block_capture(link_type: int, packets: Sequence[bytes]) -> bytes:
    """A pcapng file of one interface."""
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(
        pcap.INTERFACE, struct.pack("<HHI", link_type, 0, 0)
    )
    for number, packet in enumerate(packets):
        high, low = divmod(TIME_NS // 1000 + number * 100_000, 1 << 32)
        head = struct.pack("<5I", 0, high, low, len(packet), len(packet))
        out += block(pcap.ENHANCED_PACKET, head + packet + bytes(-len(packet) % 4))
    return out


def antsdr_stream() -> bytes:
    """Bursts of either firmware; one encrypted."""
    hidden = antsdr.Heard("O4", 5796.5, -80.0, "dji", "15529374", None, None, None, None, 0.0, 0.0, (0.0, 0.0, 0.0))
    lines = [antsdr.encode_line(BURST), antsdr.encode_line(hidden)] * 3
    return b"".join(lines) + antsdr.encode_packet(PACKET) * 4 + antsdr.encode_line(BURST)


DECODERS = (  # for the shared tests of damage
    ("radio_frames", radio_frames.Decoder, capture()),
    ("radio_frames of Bluetooth 4", radio_frames.Decoder, bluetooth_capture()),
    ("radio_frames joined in its middle", radio_frames.Decoder, capture_of(pcap.NORDIC_BLE, nordic_packets())[24:]),
    ("radio_frames in pcapng", radio_frames.Decoder, block_capture(pcap.NORDIC_BLE, nordic_packets())),
    ("antsdr", antsdr.Decoder, antsdr_stream()),
)
