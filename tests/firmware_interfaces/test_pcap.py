"""Capture files of sniffers, made here byte by byte as their documents say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces import pcap

TIME_NS = 1_600_000_000_250_000_000
IPV4_HEADER = bytes.fromhex("4500000000004000 4011 0000 c0000201 c0000202")
IPV6_HEADER = bytes.fromhex("60000000 0000 11 40") + bytes(32)
TO_PORT = struct.pack(">HHHH", 40000, 8600, 8 + 3, 0) + b"abc"


def ethernet(kind: int, body: bytes) -> bytes:
    return bytes(12) + kind.to_bytes(2, "big") + body


def classic(frames: list[bytes], order: str = "<", link_type: int = pcap.ETHERNET, nanoseconds: bool = False) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for frame in frames:
        seconds, rest = divmod(TIME_NS, 1_000_000_000)
        out += (
            struct.pack(order + "IIII", seconds, rest // (1 if nanoseconds else 1000), len(frame), len(frame)) + frame
        )
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def modern(frames: list[bytes], order: str = "<", resolution: int = 9) -> bytes:
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    out += block(order, 1, struct.pack(order + "HHI", pcap.ETHERNET, 0, 0) + options)
    units = TIME_NS * (2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution) // 1_000_000_000
    for frame in frames:
        place = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame))
        out += block(order, 6, place + frame)
    return out


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_packets_of_a_classic_capture_have_their_time_and_content(order: str, nanoseconds: bool) -> None:
    data = classic([b"first", b"second"], order, pcap.IEEE802_11_RADIOTAP, nanoseconds)
    assert list(pcap.packets(data)) == [
        pcap.Packet(0, TIME_NS, pcap.IEEE802_11_RADIOTAP, b"first"),
        pcap.Packet(1, TIME_NS, pcap.IEEE802_11_RADIOTAP, b"second"),
    ]


@pytest.mark.parametrize(("order", "resolution"), [("<", 9), (">", 6), ("<", 0x80 | 30)])
def test_packets_of_a_modern_capture_have_their_time_and_content(order: str, resolution: int) -> None:
    (packet,) = pcap.packets(modern([b"abcde"], order, resolution))
    assert (packet.index, packet.link_type, packet.data) == (0, pcap.ETHERNET, b"abcde")
    assert abs(packet.time_ns - TIME_NS) < 1000


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (pcap.ETHERNET, ethernet(0x0800, IPV4_HEADER + TO_PORT)),
        (pcap.ETHERNET, ethernet(0x8100, b"\x00\x05\x08\x00" + IPV4_HEADER + TO_PORT)),
        (pcap.ETHERNET, ethernet(0x86DD, IPV6_HEADER + TO_PORT)),
        (pcap.RAW_IP, IPV4_HEADER + TO_PORT + bytes(20)),
        (pcap.RAW_IP, IPV4_HEADER + TO_PORT),
        (pcap.RAW_IPV6, IPV6_HEADER + TO_PORT),
        (pcap.LOOPBACK_NULL, b"\x02\0\0\0" + IPV4_HEADER + TO_PORT),
        (pcap.LOOPBACK, b"\0\0\0\x1e" + IPV6_HEADER + TO_PORT),
        (pcap.LINUX_COOKED_2, b"\x08\x00" + bytes(18) + IPV4_HEADER + TO_PORT),
        (pcap.LINUX_COOKED, bytes(14) + b"\x08\x00" + IPV4_HEADER + TO_PORT),
    ],
)
def test_what_a_udp_packet_carries_is_told_without_padding(link_type: int, frame: bytes) -> None:
    (found,) = pcap.datagrams(classic([frame], link_type=link_type))
    assert (found.source.rpartition(":")[2], found.port, found.data) == ("40000", 8600, b"abc")


def test_a_datagram_names_who_sent_it_in_both_versions() -> None:
    four = IPV4_HEADER[:12] + bytes([192, 0, 2, 7]) + IPV4_HEADER[16:] + TO_PORT
    six = IPV6_HEADER[:8] + bytes.fromhex("20010db8" + "00" * 11 + "07") + IPV6_HEADER[24:] + TO_PORT
    frames = [ethernet(0x0800, four), ethernet(0x86DD, six)]
    assert [found.source for found in pcap.datagrams(classic(frames))] == ["192.0.2.7:40000", "2001:db8::7:40000"]


def test_later_fragments_and_other_protocols_are_passed_over() -> None:
    fragment = IPV4_HEADER[:6] + b"\x00\x10" + IPV4_HEADER[8:] + TO_PORT
    tcp = IPV4_HEADER[:9] + b"\x06" + IPV4_HEADER[10:] + TO_PORT
    arp = ethernet(0x0806, bytes(40))
    sound = ethernet(0x0800, IPV4_HEADER + TO_PORT)
    frames = [ethernet(0x0800, fragment), ethernet(0x0800, tcp), arp, sound]
    assert [found.index for found in pcap.datagrams(classic(frames))] == [3]


def test_a_cut_capture_gives_what_stands_before_the_cut() -> None:
    for whole in (classic([b"first", b"second"]), modern([b"first", b"second"])):
        assert [packet.data for packet in pcap.packets(whole[:-2])] == [b"first"]


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with 02010403, expected a pcap"):
        pcap.packets(b"\x02\x01\x04\x03\x06\x05\x08\x07")


@given(start=st.sampled_from([classic([]), classic([], ">"), modern([b"abc"]), modern([], ">")]), junk=st.binary())
def test_no_bytes_behind_a_right_beginning_raise(start: bytes, junk: bytes) -> None:
    list(pcap.datagrams(start + junk))
