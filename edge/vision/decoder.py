"""Camera packets to pictures: H.264 and H.265 access units (Annex B), or JPEG, one picture out for one packet in.

A stream begins at a key frame, whatever came before it. A damaged packet is counted and costs what depends on it,
no more. The decoder holds nothing back where the stream has no B-frames; where it has, pictures come in the order
they are shown and each still names the packet it came in.

Which of the two a stream is, its own bytes say: the first byte of a parameter set (ITU-T H.264 table 7-1, type in
the low 5 bits; ITU-T H.265 table 7-1, type in bits 1 to 6).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from edge.vision.detector import Picture

LARGEST_PACKET = 8 << 20  # bytes; a key frame of 4K is about 1 MB
LARGEST_PICTURE_PX = 8192 * 8192
REMEMBERED = 64  # packets in flight inside a decoder: H.265 allows 16 pictures
JPEG_START = b"\xff\xd8\xff"
START_CODE = b"\x00\x00\x01"

H264_KEY = {5, 7}  # IDR slice, sequence parameters
H265_KEY = {16, 17, 18, 19, 20, 21, 32, 33}  # slices of random access pictures, video and sequence parameters


@dataclass(frozen=True, slots=True)
class Decoded:
    """One picture, still as the decoder left it; `bgr()` converts it when it is wanted."""

    monotonic_ns: int  # of the access unit it came in
    size_px: tuple[int, int]
    frame: Any

    def bgr(self) -> Picture:
        return np.asarray(self.frame.to_ndarray(format="bgr24"), np.uint8)


class PacketDecoder:
    """One camera's stream. `damaged_count` and `skipped_count` say what was lost: undecodable, before a key frame."""

    def __init__(self) -> None:
        self.damaged_count = 0
        self.skipped_count = 0
        self._codec_name: str | None = None
        self._codec: Any = None
        self._waits_for_key = True
        self._number = 0
        self._sent: OrderedDict[int, int] = OrderedDict()

    def decode(self, data: bytes, monotonic_ns: int) -> list[Decoded]:
        """Pictures this packet brings: one, or none yet; more where B-frames were waiting for it. Never raises."""
        name = codec_of(data)
        if len(data) > LARGEST_PACKET or (name is None and START_CODE not in data[:8]):
            self.damaged_count += 1
            return []
        if name is not None and name != self._codec_name:
            self._open(name)
        if self._codec is None or (self._waits_for_key and not is_key(data, self._codec_name)):
            self.skipped_count += 1
            return []
        self._waits_for_key = False
        return self._run(data, monotonic_ns)

    def restart(self) -> None:
        """Packets were lost on the way: begin again at the next key frame."""
        if self._codec is not None:
            self._codec.flush_buffers()  # keeps the parameter sets: a camera may send them only once
            self._waits_for_key = True

    def _open(self, name: str) -> None:
        self._codec = av.CodecContext.create(name, "r")
        self._codec.thread_count = 1
        self._codec.flags |= av.codec.context.Flags.low_delay
        self._codec_name, self._waits_for_key = name, True
        self._sent.clear()

    def _run(self, data: bytes, monotonic_ns: int) -> list[Decoded]:
        packet = av.Packet(data)
        packet.pts = packet.dts = self._number
        self._sent[self._number] = monotonic_ns
        self._number += 1
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        try:
            frames = self._codec.decode(packet)
        except (av.FFmpegError, ValueError):
            self.damaged_count += 1
            return []
        decoded = [self._named(frame) for frame in frames]
        return [picture for picture in decoded if picture is not None]

    def _named(self, frame: Any) -> Decoded | None:
        """The picture with its packet's time; None where it is damaged, too large or of no known packet."""
        if frame.is_corrupt or frame.width * frame.height > LARGEST_PICTURE_PX:
            self.damaged_count += 1
            return None
        monotonic_ns = self._sent.pop(frame.pts, None) if frame.pts is not None else None
        return None if monotonic_ns is None else Decoded(monotonic_ns, (frame.width, frame.height), frame)


def codec_of(data: bytes) -> str | None:
    """h264, hevc or mjpeg, where the packet shows it; a packet without parameter sets does not."""
    if data.startswith(JPEG_START):
        return "mjpeg"
    for first, second in unit_headers(data):
        if first & 0x80:
            continue
        if first & 0x1F == 7 and first & 0x60:
            return "h264"
        if (first >> 1) & 0x3F in {32, 33, 34} and first & 1 == 0 and second & 0xF8 == 0 and second & 7:
            return "hevc"
    return None


def is_key(data: bytes, codec_name: str | None = None) -> bool:
    """Whether a stream can begin with this packet."""
    name = codec_of(data) or codec_name
    if name == "mjpeg":
        return data.startswith(JPEG_START)
    if name == "h264":
        return any(first & 0x1F in H264_KEY for first, _ in unit_headers(data))
    return name == "hevc" and any((first >> 1) & 0x3F in H265_KEY for first, _ in unit_headers(data))


def unit_headers(data: bytes) -> Iterator[tuple[int, int]]:
    """The first two bytes of each unit of an Annex B packet."""
    at = data.find(START_CODE)
    while at >= 0 and at + 4 < len(data):
        yield data[at + 3], data[at + 4]
        at = data.find(START_CODE, at + 3)
