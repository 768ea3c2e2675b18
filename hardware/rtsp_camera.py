"""A network camera: its pictures as it sends them, untranscoded.

    rtsp://…            RTSP over TCP, through FFmpeg
    tcp://host:port     MPEG transport stream, or with format "h264" or "hevc" a raw Annex B stream; cut here
    anything else       through FFmpeg: udp://, http://, …

FFmpeg knows a picture is whole only when the next has begun: one frame period late over RTSP, two in a transport stream. The
streams cut here are given out with their last byte: `transport_stream.py` and `annex_b.py` say how. Where the bytes do not
tell, a line quiet for QUIET_S has ended its picture.

No RTSP camera has been at the other end yet; the tests use FFmpeg as the server.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hardware.annex_b import AccessUnits
from hardware.device import Delivery, DeviceLost
from hardware.transport_stream import TransportStream
from hardware.video_packets import VideoPackets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

STALL_S = 5.0  # no bytes for so long: a camera that hangs keeps its connection open
QUIET_S = 0.04  # a picture's bytes come in one burst; a busy sender may pause in it for some 20 ms
RECEIVE_BYTES = 65_536
# What FFmpeg reads to learn the stream it hands out late, with stamps that are wrong by as much. RTSP tells the codec in
# words, so nothing needs to be read. (Its flag `nobuffer` would throw that away instead: the first key frame with it.)
RTSP_OPTIONS = {"rtsp_transport": "tcp", "flags": "low_delay", "probesize": "32", "analyzeduration": "1"}
OTHER_OPTIONS = {"flags": "low_delay", "probesize": "200000", "analyzeduration": "500000"}


class RtspCamera:
    """Driver `rtsp_camera`. format: of a tcp:// stream, "mpegts" (also when None), "h264" or "hevc"."""

    def __init__(self, url: str, format: str | None = None, stall_s: float = STALL_S) -> None:
        if format not in (None, "mpegts", "h264", "hevc"):
            raise ValueError(f'format is "{format}"; expected "mpegts", "h264" or "hevc"')
        self.url = url
        self._source: FfmpegSource | SocketSource
        if urlsplit(url).scheme == "tcp":
            self._source = SocketSource(url, format or "mpegts", stall_s)
        else:
            self._source = FfmpegSource(url, format, stall_s)

    def open(self) -> None:
        """Connect. Raises DeviceLost."""
        self._source.open()

    def read(self, timeout_s: float) -> Delivery | None:
        """The next access unit or JPEG; through FFmpeg it may wait up to stall_s. Raises DeviceLost."""
        return self._source.read(timeout_s)

    def close(self) -> None:
        self._source.close()


class SocketSource:
    """A TCP stream, cut into access units here."""

    def __init__(
        self, url: str, format: str, stall_s: float, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = without_password(url)
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f'url is "{self.name}"; expected tcp://host:port')
        self._address = (parts.hostname, parts.port)
        self._format, self._stall_s, self._monotonic_s = format, stall_s, monotonic_s
        self._socket: socket.socket | None = None
        self._cut: Callable[[bytes], Iterator[Delivery]]
        self._rest: Callable[[], Delivery | None]
        self._waiting: deque[Delivery] = deque()
        self._heard_s = 0.0
        self._is_flushed = True

    def open(self) -> None:
        self.close()
        self._cut, self._rest = cutter(self._format)
        try:
            self._socket = socket.create_connection(self._address, timeout=self._stall_s)
        except (OSError, UnicodeError) as error:
            raise DeviceLost(f"{self.name}: {getattr(error, 'strerror', None) or error}") from error
        self._heard_s = self._monotonic_s()

    def read(self, timeout_s: float) -> Delivery | None:
        deadline_s = self._monotonic_s() + timeout_s
        while not self._waiting:
            left_s = deadline_s - self._monotonic_s()
            if left_s <= 0.0:
                break
            data = self._receive(left_s if self._is_flushed else min(QUIET_S, left_s))
            if data:
                self._waiting.extend(self._cut(data))
                self._is_flushed = False
            elif not self._is_flushed and self._monotonic_s() - self._heard_s >= QUIET_S:
                self._is_flushed = True
                if (rest := self._rest()) is not None:
                    self._waiting.append(rest)
        return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        opened, self._socket = self._socket, None
        self._waiting.clear()
        self._is_flushed = True
        if opened is not None:
            opened.close()

    def _receive(self, timeout_s: float) -> bytes:
        """What came; empty when nothing did."""
        if self._socket is None:
            raise DeviceLost(f"{self.name} is not open")
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except TimeoutError as error:
            if self._monotonic_s() - self._heard_s > self._stall_s:
                raise DeviceLost(f"{self.name}: connected, but nothing came for {self._stall_s:.0f} s") from error
            return b""
        except OSError as error:
            raise DeviceLost(f"{self.name}: {error.strerror or error}") from error
        if not data:
            raise DeviceLost(f"{self.name}: the other end closed the connection")
        self._heard_s = self._monotonic_s()
        return data


def cutter(format: str) -> tuple[Callable[[bytes], Iterator[Delivery]], Callable[[], Delivery | None]]:
    """(bytes in, deliveries out; what is left when the line is quiet) for one of a tcp:// stream's formats."""
    if format == "mpegts":
        stream = TransportStream()

        def quiet() -> Delivery | None:
            unit = stream.flush()
            return None if unit is None else Delivery(unit.data, unit.device_ns)

        return lambda data: (Delivery(unit.data, unit.device_ns) for unit in stream.feed(data)), quiet
    units = AccessUnits(format)

    def rest() -> Delivery | None:
        unit = units.flush()
        return None if unit is None else Delivery(unit)

    return lambda data: (Delivery(unit) for unit in units.feed(data)), rest


class FfmpegSource:
    """Whatever FFmpeg opens; RTSP over TCP."""

    def __init__(self, url: str, format: str | None, stall_s: float) -> None:
        self.name = without_password(url)
        self._url, self._format, self._stall_s = url, format, stall_s
        self._container: InputContainer | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        self._converter: VideoPackets | None = None
        self._waiting: deque[Delivery] = deque()

    def open(self) -> None:
        import av

        self.close()
        options = RTSP_OPTIONS if self._url.startswith("rtsp") else OTHER_OPTIONS
        try:
            self._container = av.open(
                self._url, format=self._format, options=options, timeout=(self._stall_s, self._stall_s)
            )
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceLost(f"{self.name}: {reason(error)}") from error
        if not self._container.streams.video:
            raise DeviceLost(f"{self.name} sends no video")
        stream = self._container.streams.video[0]
        self._converter = VideoPackets(stream, self.name)
        self._packets = self._container.demux(stream)

    def read(self, timeout_s: float) -> Delivery | None:
        import av

        if self._converter is None:
            raise DeviceLost(f"{self.name} is not open")
        try:
            while not self._waiting:
                packet = next(self._packets, None)
                if packet is None or not packet.size:
                    raise DeviceLost(f"{self.name}: the stream ended")
                self._waiting.extend(self._converter.deliveries(packet))
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceLost(f"{self.name}: {reason(error)}") from error
        return self._waiting.popleft()

    def close(self) -> None:
        container, self._container = self._container, None
        self._converter, self._packets = None, iter(())
        self._waiting.clear()
        if container is not None:
            container.close()


def reason(error: Exception) -> str:
    """FFmpeg's own words for what went wrong, without the address (which may hold a password)."""
    text = getattr(error, "strerror", None) or type(error).__name__
    if type(error).__name__ == "ExitError":
        return "nothing came in time; is the camera on, and its stream not stalled?"
    return str(text)


def without_password(url: str) -> str:
    """The address as it may stand in a log."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
