"""A device that is spoken to in datagrams, on real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from hardware.device import DeviceLost
from hardware.udp_device import UdpDevice


@pytest.fixture
def camera() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(5.0)
        yield bound


def test_datagrams_go_to_the_device_and_only_its_own_come_back(camera: socket.socket):
    device = UdpDevice("127.0.0.1", camera.getsockname()[1])
    device.open()
    assert device.read(0.01) is None
    device.write(b"where")
    question, address = camera.recvfrom(64)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"forged", address)
    camera.sendto(b"here", address)
    delivery = device.read(5.0)
    assert (question, delivery and delivery.data) == (b"where", b"here")
    device.close()
    with pytest.raises(DeviceLost, match="is not open"):
        device.read(0.01)


def test_a_host_without_the_device_is_a_loss_that_says_so(camera: socket.socket):
    port = camera.getsockname()[1]
    camera.close()
    device = UdpDevice("127.0.0.1", port)
    device.open()
    device.write(b"where")
    with pytest.raises(DeviceLost, match=f"udp 127.0.0.1:{port}: nobody listens there"):
        device.read(5.0)


def test_a_host_that_has_no_address_is_a_loss():
    with pytest.raises(DeviceLost, match=r"udp camera\.invalid:52381: "):
        UdpDevice("camera.invalid", 52381).open()
