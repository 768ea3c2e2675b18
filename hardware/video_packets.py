"""Video packets of FFmpeg as everything behind the door expects them: Annex B access units or JPEGs, never re-encoded.

MP4 and Matroska keep the parameter sets apart and give lengths where Annex B has start codes; FFmpeg's bitstream filters
undo that. Where a stream's parameter sets came aside (RTSP's sprop-parameter-sets), they are put before its key frames, so
that whoever joins at a key frame can decode from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hardware.annex_b import with_parameter_sets
from hardware.device import Delivery, DeviceLost

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
PASSED_ON = ("h264", "hevc", "mjpeg")


class VideoPackets:
    """Turns the packets of one stream into deliveries."""

    def __init__(self, stream: VideoStream, name: str) -> None:
        """name is how the source is called in texts. Raises DeviceLost on a codec that is not passed on."""
        from av.bitstream import BitStreamFilterContext

        self.codec = stream.codec_context.name
        if self.codec not in PASSED_ON:
            raise DeviceLost(f"{name} is {self.codec}; only {', '.join(PASSED_ON)} are passed on: convert it first")
        self._tick_ns = float(stream.time_base) * 1e9 if stream.time_base else 0.0
        extra = bytes(stream.codec_context.extradata or b"")
        has_lengths = self.codec in TO_ANNEX_B and extra[:1] == b"\x01"  # avcC and hvcC boxes begin with version 1
        self._filter = BitStreamFilterContext(TO_ANNEX_B[self.codec], stream) if has_lengths else None
        self._parameter_sets = b"" if has_lengths else extra

    def deliveries(self, packet: Packet[Any]) -> Iterator[Delivery]:
        """What the packet holds; nothing for FFmpeg's empty last packet. device_ns is its presentation time."""
        if not packet.size:
            return
        for part in self._filter.filter(packet) if self._filter is not None else [packet]:
            data = bytes(part)
            if self.codec != "mjpeg":
                data = with_parameter_sets(self.codec, data, self._parameter_sets)
            yield Delivery(data, self._time_ns(part.pts))

    def _time_ns(self, ticks: int | None) -> int | None:
        return None if ticks is None else round(ticks * self._tick_ns)
