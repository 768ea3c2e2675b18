"""Names that can never have an address: the device is lost, and its thread lives on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hardware.device import DeviceLost, Driver
from hardware.mqtt_feed import MqttFeed
from hardware.onvif_camera import OnvifCamera
from hardware.rtsp_camera import RtspCamera
from hardware.tcp_stream import TcpStream
from hardware.udp_device import UdpDevice
from hardware.udp_listener import UdpListener

DRIVERS: list[Callable[[str], Driver]] = [
    lambda host: MqttFeed("topic", host),
    lambda host: OnvifCamera(host, "Profile_1"),
    lambda host: RtspCamera(f"tcp://{host}:9"),
    lambda host: TcpStream(9, host),
    lambda host: TcpStream(0, host, listen=True),
    lambda host: UdpDevice(host, 9),
    lambda host: UdpListener(9, host),
]
NAMES = ("mqtt", "onvif", "rtsp", "tcp", "tcp-server", "udp-device", "udp-listener")


@pytest.mark.parametrize("driver", DRIVERS, ids=NAMES)
@pytest.mark.parametrize("host", ["cam..local", "c" * 64, "ü" * 63 + ".local", "a camera"])
def test_a_host_that_can_have_no_address_is_a_loss(driver: Callable[[str], Driver], host: str):
    device = driver(host)
    with pytest.raises(DeviceLost, match=host[:8]):
        device.open()
    device.close()
