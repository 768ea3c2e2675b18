"""A VISCA camera on the network: numbered datagrams, turned and asked, on real sockets with a simulated camera."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator

import pytest
from made_heads import Listener
from made_sites import NARROW_CAMERA

from edge.heads import driver_of_head, frames_towards
from edge.sensors import decoders_of
from edge.site_file import SiteFileError, parse_site
from edge.site_types import Site
from firmware_interfaces import visca
from hardware.clock import Clock
from hardware.device import DeviceRunner

SITE = (
    NARROW_CAMERA
    + """[[sensor]]
id = "head"
device = { driver = "udp_device", host = "127.0.0.1", port = PORT }
protocol = "visca"
protocol_options = { pan_steps_per_deg = 14.4, tilt_steps_per_deg = 14.4 }
orientation = { heading_deg = 30.0 }
head = { carries = "narrow", lag_s = 0.5 }
"""
)


def site(port: int) -> Site:
    return parse_site(SITE.replace("PORT", str(port)), "ridge.toml")


class Camera(threading.Thread):
    """Turns at once, and refuses every number but the next one, as Sony's do."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self.position, self.expected, self.refused = (0, 0), 500, 0
        self.heard: list[bytes] = []
        self.changed = threading.Condition()  # of `heard`
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                data, address = self.socket.recvfrom(64)
            except TimeoutError:
                continue
            for answer in self.answers(data):
                self.socket.sendto(answer, address)

    def answers(self, data: bytes) -> list[bytes]:
        kind, length, sequence = visca.IP_HEADER.unpack_from(data)
        message = data[visca.IP_HEADER.size :]
        assert len(message) == length
        if kind == 0x0200:
            assert message == b"\x01"
            self.expected = 1
            return [visca.IP_HEADER.pack(0x0201, 1, sequence) + b"\x01"]
        if sequence != self.expected:
            self.refused += 1
            return [visca.IP_HEADER.pack(0x0201, 2, sequence) + b"\x0f\x01"]
        self.expected += 1
        with self.changed:
            self.heard.append(message)
            self.changed.notify_all()
        if kind == 0x0110:
            assert message == visca.ask_position(1)
            return [self.framed(visca.position_reply(1, *self.position), sequence)]
        assert kind == 0x0100
        (framed,) = visca.Messages().feed(message, 0)
        self.position = framed.message.position or self.position
        return [self.framed(b"\x90\x41\xff", sequence), self.framed(b"\x90\x51\xff", sequence)]

    @staticmethod
    def framed(reply: bytes, sequence: int) -> bytes:
        return visca.IP_HEADER.pack(0x0111, len(reply), sequence) + reply


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    made.start()
    yield made
    made.ended.set()
    made.join(5.0)
    made.socket.close()


def test_a_camera_on_the_network_turns_tells_where_it_points_and_is_stopped_at_the_end(camera: Camera) -> None:
    post = site(camera.port)
    entry = post.sensors[1]
    decoder = decoders_of(post)["head"]
    port = driver_of_head(entry)
    for _ in range(2):  # the second time the camera remembers the numbers of the first
        listener = Listener(decoder)
        runner = DeviceRunner("head", port, Clock(), listener.deliver, lambda event: None)
        runner.start()
        listener.wait_for_facts()
        port.command(frames_towards(entry, math.radians(40.0), math.radians(5.0)))
        listener.wait_until_it_points_to(40.0, within_deg=0.04)
        assert runner.stop()
    assert camera.position == (144, 72)
    with camera.changed:
        assert camera.changed.wait_for(lambda: camera.heard[-1] == visca.stop(1), 5.0)
    assert camera.heard[0] == camera.heard[-1] == visca.stop(1)
    assert camera.refused == 0
    assert not decoder.counts.rejected
    assert decoder.counts.resync_bytes == 0


def test_only_a_camera_that_speaks_visca_is_reached_by_datagrams() -> None:
    pelco = SITE.replace('"visca"', '"pelco_d"').replace("protocol_options", "# protocol_options").replace("PORT", "1")
    with pytest.raises(SiteFileError, match="one that pelco_d can come over"):
        parse_site(pelco, "ridge.toml")
