"""A video file as a camera: its packets, untranscoded, at the file's own pace.

device_ns is the picture's time in the file, in ns; with `loop` it goes on growing from round to round. Packets come in the
order they were stored, so with B-frames their times do not grow steadily.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hardware.device import Delivery, DeviceFinished, DeviceLost
from hardware.video_packets import VideoPackets

if TYPE_CHECKING:
    from av.container import InputContainer

DEFAULT_FPS = 25.0  # of raw streams, which hold no times


class VideoFile:
    """Driver `video_file`. H.264, H.265 or motion JPEG in anything FFmpeg opens; speed 0 gives it as fast as it is read."""

    def __init__(
        self,
        path: str,
        speed: float = 1.0,
        loop: bool = False,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed < 0.0:
            raise ValueError(f"speed is {speed}; expected 0 (as fast as it is read) or more")
        self.path, self.speed, self.loop = path, speed, loop
        self._monotonic_s, self._wait = monotonic_s, wait
        self._container: InputContainer | None = None
        self._frames: Iterator[tuple[float, Delivery]] = iter(())
        self._next: tuple[float, Delivery] | None = None
        self._started_s = 0.0

    def open(self) -> None:
        """Open the file at its beginning. Raises DeviceLost."""
        self.close()
        self._frames = self._rounds()
        self._next = next(self._frames, None)
        if self._next is None:
            raise DeviceFinished(f"{self.path} holds no pictures")
        self._started_s = self._monotonic_s()

    def read(self, timeout_s: float) -> Delivery | None:
        """The next picture when it is due. Raises DeviceFinished at the end of a file that does not loop."""
        if self._next is None:
            raise DeviceFinished(f"end of file {self.path}")
        due_s, delivery = self._next
        if self.speed > 0.0:
            wait_s = self._started_s + due_s / self.speed - self._monotonic_s()
            if wait_s > timeout_s:
                self._wait(timeout_s)
                return None
            if wait_s > 0.0:
                self._wait(wait_s)
        self._next = next(self._frames, None)
        return delivery

    def close(self) -> None:
        """Close the file."""
        container, self._container = self._container, None
        if container is not None:
            container.close()
        self._frames, self._next = iter(()), None

    def _rounds(self) -> Iterator[tuple[float, Delivery]]:
        """(seconds since the start when it is due, picture), once through, or again and again."""
        offset_s = 0.0
        while True:
            end_s = offset_s
            for due_s, frame_s, delivery in self._once():
                device_ns = (delivery.device_ns or 0) + round(offset_s * 1e9)
                yield offset_s + due_s, Delivery(delivery.data, device_ns)
                end_s = max(end_s, offset_s + due_s + frame_s)
            if not self.loop or end_s == offset_s:
                return
            offset_s = end_s

    def _once(self) -> Iterator[tuple[float, float, Delivery]]:
        """(seconds since the first picture, one picture's length in s, picture) of one passage through the file."""
        import av

        if self._container is not None:
            self._container.close()
        try:
            self._container = av.open(self.path)
            if not self._container.streams.video:
                raise DeviceLost(f"{self.path} holds no video")
            stream = self._container.streams.video[0]
            packets = VideoPackets(stream, self.path)
            frame_s = 1.0 / float(stream.average_rate or DEFAULT_FPS)
            first_s: float | None = None
            number = 0
            for packet in self._container.demux(stream):
                for delivery in packets.deliveries(packet):
                    stored_s = number * frame_s if packet.dts is None else float(packet.dts * packet.time_base)
                    first_s = stored_s if first_s is None else first_s
                    if delivery.device_ns is None:
                        delivery = Delivery(delivery.data, round(number * frame_s * 1e9))
                    yield stored_s - first_s, frame_s, delivery
                    number += 1
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceLost(f"{self.path}: {error}") from error
