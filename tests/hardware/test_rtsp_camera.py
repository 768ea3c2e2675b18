"""Network cameras: servers of streams in threads, on loopback.

The RTSP server is a small one of our own (RFC 2326, RFC 6184, RTP interleaved in the RTSP connection); FFmpeg is the client.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from fractions import Fraction

import av
import pytest

from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.rtsp_camera import RtspCamera, without_password

START_CODE = re.compile(rb"\x00?\x00\x00\x01")
PERIOD_S = 0.05


class Server:
    """Accepts on a port of its own and serves each connection in a thread until it is told to stop."""

    def __init__(self, serve: Callable[[socket.socket, threading.Event], None]) -> None:
        self.stopping = threading.Event()
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client went, or was let go
            self._serve(connection, self.stopping)

    def let_go(self) -> None:
        """Cut every connection, and go on listening."""
        for connection in self._connections:
            with_end(connection)
        self._connections.clear()

    def close(self) -> None:
        self.stopping.set()
        with_end(self._listener)
        self.let_go()


def with_end(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    opened.close()


@pytest.fixture
def serve():
    servers = []

    def start(how: Callable[[socket.socket, threading.Event], None]) -> Server:
        servers.append(Server(how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def transport_packets(units: list[bytes]) -> list[bytes]:
    """Each unit's own transport packets, from FFmpeg's muxer."""
    file, parts = io.BytesIO(), []
    with av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height = 160, 120
        for number, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 20)
            before = len(file.getvalue())
            container.mux(packet)
            parts.append(file.getvalue()[before:])
    return parts


def sending(parts: list[bytes], sent_s: list[float], count: int = 10**9) -> Callable:
    """Send the parts again and again, one a period; after `count` of them stall with the connection open."""

    def serve(connection: socket.socket, stopping: threading.Event) -> None:
        for number in range(count):
            sent_s.append(time.monotonic())
            connection.sendall(parts[number % len(parts)])
            if stopping.wait(PERIOD_S):
                return
        stopping.wait()

    return serve


@pytest.fixture
def run(door):
    runners = []

    def start(camera: RtspCamera) -> DeviceRunner:
        runners.append(DeviceRunner("camera", camera, Clock(), door.deliver, door.report))
        runners[-1].start()
        return runners[-1]

    yield start
    for runner in runners:
        assert runner.stop()


@pytest.mark.parametrize("format", ["mpegts", "h264"])
def test_each_unit_comes_before_the_next_one_is_sent(serve, run, door, access_units, format):
    units = access_units("h264")
    parts = transport_packets(units) if format == "mpegts" else [unit + b"\0\0\0\1\x09\xf0" for unit in units]

    def serve_in_turn(connection: socket.socket, stopping: threading.Event) -> None:
        for number in range(20):
            connection.sendall(parts[number % len(parts)])
            while len(door.readings) <= number:
                if stopping.wait(0.01):
                    return
        stopping.wait()

    server = serve(serve_in_turn)
    run(RtspCamera(f"tcp://127.0.0.1:{server.port}", format=format))
    door.await_that(lambda: len(door.readings) == 20)
    stripped = [reading.data.removeprefix(b"\0\0\0\1\x09\xf0") for reading in door.readings]
    assert stripped == units
    if format == "mpegts":
        times = [reading.device_ns - door.readings[0].device_ns for reading in door.readings]
        assert times == [number * 50_000_000 for number in range(20)]


def test_a_stream_without_any_marks_is_cut_when_the_line_is_quiet(serve, run, door, access_units):
    units = access_units("h264")
    sent_s: list[float] = []
    server = serve(sending(units, sent_s, count=3))  # after the third nothing more begins
    run(RtspCamera(f"tcp://127.0.0.1:{server.port}", format="h264"))
    door.await_that(lambda: len(door.readings) == 3)
    assert [reading.data for reading in door.readings] == units[:3]


def test_a_stalled_stream_is_lost_and_found_again(serve, run, door, access_units):
    server = serve(sending(transport_packets(access_units("h264")), [], count=5))
    run(RtspCamera(f"tcp://127.0.0.1:{server.port}", stall_s=0.5))
    assert "nothing came for" in door.await_event("lost").text
    door.await_event("back")
    door.await_that(lambda: len(door.readings) >= 10)


def test_a_cut_connection_is_lost_and_made_again(serve, run, door, access_units):
    server = serve(sending(transport_packets(access_units("h264")), []))
    run(RtspCamera(f"tcp://127.0.0.1:{server.port}"))
    door.await_that(lambda: len(door.readings) >= 2)
    server.let_go()
    door.await_event("lost")
    before = len(door.readings)
    door.await_event("back")
    door.await_that(lambda: len(door.readings) > before)


def test_nobody_there_is_a_loss_with_the_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DeviceLost, match=rf"tcp://127.0.0.1:{port}: Connection refused"):
        RtspCamera(f"tcp://127.0.0.1:{port}").open()
    with pytest.raises(DeviceLost, match=rf"rtsp://127.0.0.1:{port}/live: Connection refused"):
        RtspCamera(f"rtsp://guard:secret@127.0.0.1:{port}/live").open()


def test_a_password_never_shows():
    assert without_password("rtsp://guard:secret@192.0.2.1:554/live?x=1") == "rtsp://192.0.2.1:554/live?x=1"
    assert without_password("tcp://192.0.2.1:9") == "tcp://192.0.2.1:9"


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ValueError, match='format is "avi"'):
        RtspCamera("tcp://127.0.0.1:9", format="avi")


def test_a_camera_that_sends_jpegs_over_http_is_heard(serve, run, door, make_film):
    jpegs = make_film("a.avi", "mjpeg").access_units

    def answer(connection: socket.socket, stopping: threading.Event) -> None:
        connection.recv(4096)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cut\r\nConnection: close\r\n\r\n"
        )
        head = b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        parts = [head % len(jpeg) + jpeg + b"\r\n" for jpeg in jpegs]
        sending(parts, [])(connection, stopping)

    server = serve(answer)
    run(RtspCamera(f"http://127.0.0.1:{server.port}/video"))
    door.await_that(lambda: len(door.readings) >= 10)
    heard = [reading.data for reading in door.readings[:10]]
    start = jpegs.index(heard[0])
    assert heard == (jpegs * 2)[start : start + 10]


# RTSP


def rtp_packets(unit: bytes, number: int, sequence: int) -> list[bytes]:
    """One access unit as RTP packets: single NAL units, or fragments (FU-A) where they are long; RFC 6184."""
    payloads = []
    for nal in [part for part in START_CODE.split(unit) if part]:
        if len(nal) <= 1200:
            payloads.append(nal)
            continue
        indicator, kind = nal[0] & 0xE0 | 28, nal[0] & 0x1F
        chunks = [nal[at : at + 1200] for at in range(1, len(nal), 1200)]
        for index, chunk in enumerate(chunks):
            mark = (0x80 if index == 0 else 0) | (0x40 if index == len(chunks) - 1 else 0)
            payloads.append(bytes([indicator, mark | kind]) + chunk)
    timestamp = 9000 + number * 4500
    return [
        struct.pack(">BBHII", 0x80, 96 | (0x80 if index == len(payloads) - 1 else 0), sequence + index & 0xFFFF, timestamp, 7)
        + payload
        for index, payload in enumerate(payloads)
    ]  # fmt: skip


def rtsp(units: list[bytes], count: int = 10**9) -> Callable:
    """A camera that speaks RTSP; after `count` pictures it stalls."""
    sets = [nal for nal in START_CODE.split(units[0]) if nal and nal[0] & 0x1F in (7, 8)]
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
    description = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}\r\na=control:track1\r\n"
    )

    def answer(request: str) -> str:
        method, number = request.split()[0], re.search(r"CSeq: *(\d+)", request).group(1)
        head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n"
        if method == "OPTIONS":
            return head + "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"
        if method == "DESCRIBE":
            return head + f"Content-Type: application/sdp\r\nContent-Length: {len(description)}\r\n\r\n" + description
        if method == "SETUP":
            return head + "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
        return head + "\r\n"

    def serve(connection: socket.socket, stopping: threading.Event) -> None:
        heard = b""
        while b"PLAY " not in heard[: heard.find(b"\r\n\r\n") + 1]:
            while b"\r\n\r\n" not in heard:
                if not (more := connection.recv(4096)):
                    return
                heard += more
            request, heard = heard.split(b"\r\n\r\n", 1)
            connection.sendall(answer(request.decode()).encode())
            if request.startswith(b"PLAY"):
                break
        sequence = 0
        for number in range(count):
            for packet in rtp_packets(units[number % len(units)], number, sequence):
                connection.sendall(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
                sequence += 1
            if stopping.wait(PERIOD_S):
                return
        stopping.wait()

    return serve


def test_an_rtsp_camera_is_heard_lost_when_it_stalls_and_heard_again(serve, run, door, access_units, decode):
    units = access_units("h264")
    server = serve(rtsp(units, count=30))
    run(RtspCamera(f"rtsp://127.0.0.1:{server.port}/live", stall_s=1.0))
    door.await_that(lambda: len(door.readings) >= 20)
    data = [reading.data for reading in door.readings[:20]]
    assert decode("h264", data) == 20
    assert [START_CODE.split(unit)[1:] for unit in data] == [START_CODE.split(unit)[1:] for unit in units]
    # FFmpeg has no time for the very first picture
    assert [r.device_ns for r in door.readings[1:20]] == [number * 50_000_000 for number in range(1, 20)]
    # one picture late, as the docstring of the driver says, and not more: the first does not wait to be analysed
    assert door.readings[5].monotonic_ns - door.readings[0].monotonic_ns > 4 * PERIOD_S * 1e9
    lost_ns = door.readings[-1].monotonic_ns
    assert "nothing came in time" in door.await_event("lost").text
    assert time.monotonic_ns() - lost_ns < 6_000_000_000
    door.await_event("back")
