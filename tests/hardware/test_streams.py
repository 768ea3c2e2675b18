"""Cutting Annex B and MPEG transport streams; the streams are an encoder's."""

from __future__ import annotations

import io
import random
from fractions import Fraction

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.annex_b import AccessUnits, unit_types, with_parameter_sets
from hardware.transport_stream import CLOCK_WRAP, PACKET_BYTES, TransportStream

DELIMITERS = {"h264": b"\0\0\0\1\x09\xf0", "hevc": b"\0\0\0\1\x46\x01\x50"}


def pieces(data: bytes, sizes) -> list[bytes]:
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return [*parts, data[at:]]


def to_transport_stream(units: list[bytes], codec: str, has_length: bool) -> bytes:
    """As FFmpeg's own muxer writes it, ten pictures a second."""
    file = io.BytesIO()
    options = {"omit_video_pes_length": "0" if has_length else "1"}
    with av.open(file, "w", format="mpegts", options=options) as container:
        stream = container.add_stream({"h264": "libx264", "hevc": "libx265"}[codec], rate=10)
        stream.width, stream.height = 160, 120
        for number, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base = Fraction(1, 10)
            container.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_access_units_do_not_depend_on_how_the_bytes_were_cut(access_units, codec, size):
    units = access_units(codec)
    stream = b"".join(units)
    cutter = AccessUnits(codec)
    found = [unit for at in range(0, len(stream), size) for unit in cutter.feed(stream[at : at + size])]
    assert [*found, cutter.flush()] == units


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_delimiter_at_the_end_makes_a_unit_whole_at_once(access_units, codec):
    units = access_units(codec)
    cutter = AccessUnits(codec)
    for number, unit in enumerate(units):
        begin = DELIMITERS[codec] if number else b""
        assert list(cutter.feed(unit + DELIMITERS[codec])) == [begin + unit]
        assert cutter.flush() is None  # the line is quiet; the next picture's delimiter stays


def test_a_sender_known_to_end_its_units_is_not_cut_short_when_it_pauses(access_units):
    units = access_units("h264")
    cutter = AccessUnits("h264")
    list(cutter.feed(units[0] + DELIMITERS["h264"]))
    assert cutter.flush() is None
    half = len(units[1]) // 2
    assert list(cutter.feed(units[1][:half])) == []
    assert cutter.flush() is None
    whole = DELIMITERS["h264"] + units[1]
    assert list(cutter.feed(units[1][half:] + DELIMITERS["h264"])) == [whole]


def test_what_came_before_the_first_start_code_is_left_out(access_units):
    units = access_units("h264")
    cutter = AccessUnits("h264")
    found = list(cutter.feed(units[9][40:] + b"".join(units[10:13])))
    assert found == units[10:12]


def test_parameter_sets_go_before_key_frames_that_lack_them(access_units):
    key, other = access_units("h264")[:2]
    bare = key[key.index(b"\0\0\1\x65") :]
    sets = b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce"
    assert with_parameter_sets("h264", bare, sets) == sets + bare
    assert with_parameter_sets("h264", key, sets) == key
    assert with_parameter_sets("h264", other, sets) == other
    assert with_parameter_sets("h264", bare, b"") == bare
    assert 5 in unit_types("h264", bare)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_transport_stream_gives_the_very_units_with_their_times(access_units, codec, has_length):
    units = access_units(codec)
    data = to_transport_stream(units, codec, has_length)
    stream = TransportStream()
    found = [*stream.feed(data), stream.flush()]
    found = [unit for unit in found if unit is not None]
    assert [without_delimiter(unit.data, codec) for unit in found] == [without_delimiter(u, codec) for u in units]
    assert {unit.codec for unit in found} == {codec}
    times = [unit.device_ns - found[0].device_ns for unit in found]
    assert times == [number * 100_000_000 for number in range(20)]
    assert (stream.gaps, stream.resync_bytes) == (0, 0)


def time_field(ticks: int) -> bytes:
    """A PES header's presentation time stamp, with its marker bits."""
    return bytes(
        [
            0x21 | ticks >> 30 << 1,
            ticks >> 22 & 0xFF,
            ticks >> 15 << 1 & 0xFE | 1,
            ticks >> 7 & 0xFF,
            ticks << 1 & 0xFE | 1,
        ]
    )


def test_times_go_on_over_their_wrap_also_where_pictures_are_stored_in_another_order_than_shown():
    stream = TransportStream()
    shown = [-18_000, 9_000, -9_000, 0, 36_000, 18_000, 27_000]  # ticks from the wrap; each third is a P, before its Bs
    times_ns = [stream._time_ns(time_field(ticks % CLOCK_WRAP)) for ticks in shown]
    since_s = [(time_ns - times_ns[0]) / 1e9 for time_ns in times_ns]
    assert since_s == pytest.approx([(ticks - shown[0]) / 90_000 for ticks in shown], abs=1e-8)


def without_delimiter(unit: bytes, codec: str) -> bytes:
    """FFmpeg's muxer puts a delimiter before units that have none."""
    return unit.removeprefix(DELIMITERS[codec])


@pytest.mark.parametrize(("has_length", "may_wait"), [(True, 0), (False, 1)])
def test_a_unit_is_given_out_with_its_own_last_byte(access_units, has_length, may_wait):
    """Without a length only a unit that fills its last packet exactly waits for the next: one in 184."""
    data = to_transport_stream(access_units("h264"), "h264", has_length)
    stream = TransportStream()
    begun = given = waited = 0
    for at in range(0, len(data), PACKET_BYTES):
        packet = data[at : at + PACKET_BYTES]
        if is_video(packet) and packet[1] & 0x40:
            waited += given < begun
            begun += 1
        given += len(list(stream.feed(packet)))
    assert begun == 20
    assert waited <= may_wait


def is_video(packet: bytes) -> bool:
    return packet[1] & 0x1F == 1 and packet[2] == 0  # FFmpeg's first stream has PID 0x100


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 700), max_size=40))
def test_a_transport_stream_may_be_cut_anywhere(transport_bytes, sizes):
    whole = TransportStream()
    expected = list(whole.feed(transport_bytes))
    cut = TransportStream()
    assert [unit for part in pieces(transport_bytes, sizes) for unit in cut.feed(part)] == expected


@pytest.fixture(scope="module")
def transport_bytes() -> bytes:
    rng = random.Random(3)
    units = [b"\0\0\0\1\x09\xf0\0\0\0\1\x65" + b"\x88" + rng.randbytes(600) for _ in range(6)]
    return to_transport_stream(units, "h264", has_length=True)


def test_a_lost_packet_costs_its_own_unit_and_is_counted(transport_bytes):
    whole = list(TransportStream().feed(transport_bytes))
    video = [
        at for at in range(0, len(transport_bytes), PACKET_BYTES) if is_video(transport_bytes[at : at + PACKET_BYTES])
    ]
    lost = video[5]  # of the second unit
    stream = TransportStream()
    found = list(stream.feed(transport_bytes[:lost] + transport_bytes[lost + PACKET_BYTES :]))
    assert stream.gaps == 1
    assert [unit for unit in found if unit in whole] == [whole[0], *whole[2:]]


def test_noise_before_the_stream_is_skipped_and_counted(transport_bytes):
    expected = list(TransportStream().feed(transport_bytes))
    stream = TransportStream()
    assert list(stream.feed(b"\x00" * 100 + transport_bytes)) == expected
    assert stream.resync_bytes == 100


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(data):
    list(TransportStream().feed(b"\x47" + data))
    list(TransportStream().feed(data))
    for codec in ("h264", "hevc"):
        cutter = AccessUnits(codec)
        list(cutter.feed(data + b"\0\0\1" + data))
        cutter.flush()
