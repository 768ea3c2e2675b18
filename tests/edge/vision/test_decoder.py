import numpy as np
import pytest
from camera_stream import encode, flight
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.vision.decoder import LARGEST_PACKET, PacketDecoder, codec_of, is_key

PICTURES = flight((320, 256), 24)
CODECS = ("libx264", "libx265", "mjpeg")
PACKETS = {codec: encode(PICTURES, codec, key_every=8) for codec in CODECS}
NAMES = {"libx264": "h264", "libx265": "hevc", "mjpeg": "mjpeg"}


def decode_all(packets: list[bytes]) -> tuple[PacketDecoder, list[tuple[int, np.ndarray]]]:
    decoder = PacketDecoder()
    pictures = [p for n, data in enumerate(packets) for p in decoder.decode(data, 1000 + n)]
    return decoder, [(p.monotonic_ns, p.bgr()) for p in pictures]


@pytest.mark.parametrize("codec", CODECS)
def test_the_bytes_say_which_codec_they_are(codec: str) -> None:
    assert codec_of(PACKETS[codec][0]) == NAMES[codec]


@pytest.mark.parametrize("codec", CODECS)
def test_each_packet_gives_its_picture_at_once(codec: str) -> None:
    decoder = PacketDecoder()
    for number, data in enumerate(PACKETS[codec]):
        (decoded,) = decoder.decode(data, number)
        assert decoded.monotonic_ns == number
        assert np.abs(decoded.bgr().astype(int) - PICTURES[number]).mean() < 8
    assert (decoder.damaged_count, decoder.skipped_count) == (0, 0)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_with_b_frames_every_picture_names_the_packet_it_came_in(codec: str) -> None:
    packets = encode(PICTURES, codec, b_frames=2)
    decoder, decoded = decode_all(packets)
    assert len(decoded) >= len(packets) - 3  # the last few wait for packets that never come
    assert decoder.damaged_count == 0
    assert len({ns for ns, _ in decoded}) == len(decoded)
    shown = [int(np.argmin([np.abs(p.astype(int) - picture).mean() for p in PICTURES])) for _, picture in decoded]
    assert shown == sorted(shown)  # in the order they are shown
    assert [ns for ns, _ in decoded] != sorted(ns for ns, _ in decoded)  # which is not the order they came in


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_stream_begins_at_a_key_frame(codec: str) -> None:
    decoder, decoded = decode_all(PACKETS[codec][3:])
    assert decoder.skipped_count == 5
    assert decoded[0][0] == 1000 + 5
    assert [is_key(data, NAMES[codec]) for data in PACKETS[codec][:10]] == [True, *[False] * 7, True, False]


def test_after_a_loss_it_waits_for_the_next_key_frame() -> None:
    decoder = PacketDecoder()
    packets = PACKETS["libx264"]
    decoder.decode(packets[0], 0)
    decoder.restart()
    assert decoder.decode(packets[2], 2) == []
    assert [p.monotonic_ns for p in decoder.decode(packets[8], 8)] == [8]


def test_a_damaged_packet_is_counted_and_the_next_key_frame_is_clean() -> None:
    packets = list(PACKETS["libx264"])
    packets[3] = packets[3][:5] + bytes(len(packets[3]) - 5)
    _, decoded = decode_all(packets)
    pictures = dict(decoded)
    assert np.abs(pictures[1000 + 8].astype(int) - PICTURES[8]).mean() < 8
    assert len(decoded) >= len(packets) - 5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 23), st.binary(min_size=0, max_size=300), st.integers(0, 400))
def test_any_bytes_at_all_raise_nothing_and_later_pictures_come(number: int, rubbish: bytes, at: int) -> None:
    packets = list(PACKETS["libx264"])
    packets[number] = packets[number][:at] + rubbish + packets[number][at + len(rubbish) :]
    _, decoded = decode_all([rubbish, *packets, *PACKETS["libx264"]])
    assert decoded[-1][0] == 1000 + 48
    assert np.abs(decoded[-1][1].astype(int) - PICTURES[-1]).mean() < 8


def test_a_change_of_resolution_is_followed() -> None:
    larger = encode(flight((640, 384), 3))
    _, decoded = decode_all([*PACKETS["libx264"][:4], *larger])
    assert [picture.shape[:2] for _, picture in decoded] == [(256, 320)] * 4 + [(384, 640)] * 3


def test_a_change_of_codec_is_followed() -> None:
    _, decoded = decode_all([*PACKETS["libx264"][:3], *PACKETS["mjpeg"][:2], *PACKETS["libx265"][:3]])
    assert len(decoded) == 8


def test_what_is_no_video_or_too_large_is_counted() -> None:
    decoder = PacketDecoder()
    for data in (b"", b"hello", b"\0" * 100, b"\xff\xd8\xff" + bytes(LARGEST_PACKET)):
        assert decoder.decode(data, 0) == []
    assert decoder.damaged_count == 4
