"""A page that is asked for again and again, on a real HTTP server; and a KrakenSDR's directions over it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from edge.sensors import decoders_of, driver_of
from edge.site_file import parse_site
from firmware_interfaces import krakensdr
from fusion.types import Reading, Scan
from hardware.device import DeviceLost
from hardware.http_page import LONGEST_PAGE, HttpPage


class Device(http.server.ThreadingHTTPServer):
    """Answers every question with what stands in `page`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Service)
        self.page, self.status = b"one\n", 200


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        device = self.server
        assert isinstance(device, Device)
        self.send_response(device.status if self.path == "/DOA_value.html" else 404)
        self.send_header("Content-Length", str(len(device.page)))
        self.end_headers()
        self.wfile.write(device.page)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def device() -> Iterator[Device]:
    with Device() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join(5.0)


@pytest.fixture
def page(device: Device) -> Iterator[HttpPage]:
    made = HttpPage("127.0.0.1", device.server_address[1], "/DOA_value.html", every_s=0.05)
    made.open()
    yield made
    made.close()


def test_a_page_is_delivered_once_and_the_next_one_when_it_changes(device: Device, page: HttpPage) -> None:
    assert page.read(1.0).data == b"one\n"
    assert page.read(0.001) is None  # not due yet
    assert page.read(1.0) is None  # the same
    device.page = b"two, without an end"
    assert page.read(1.0).data == b"two, without an end\n"
    page.open()
    assert page.read(1.0).data == b"two, without an end\n"  # of a device that was away, the page may be news


def test_what_is_no_page_is_a_loss_in_words(device: Device, page: HttpPage) -> None:
    device.status = 503
    with pytest.raises(DeviceLost, match=r"/DOA_value\.html: 503 Service Unavailable; expected a page"):
        page.read(1.0)
    device.status, device.page = 200, bytes(LONGEST_PAGE + 1)
    page.open()
    with pytest.raises(DeviceLost, match="longer than"):
        page.read(1.0)
    with pytest.raises(DeviceLost, match=r"http://127\.0\.0\.1:9/: "):
        HttpPage("127.0.0.1", 9).open()
    with pytest.raises(DeviceLost, match=r"http://a host:80/: "):
        HttpPage("a host").open()
    with pytest.raises(DeviceLost, match="is not open"):
        HttpPage("127.0.0.1").read(0.0)
    lost = HttpPage("127.0.0.1", device.server_address[1], "/a page")
    lost.open()
    with pytest.raises(DeviceLost):
        lost.read(0.0)


def test_a_krakens_page_becomes_bearings(device: Device) -> None:
    bearing = krakensdr.Bearing(
        1_780_000_000_000, 90.0, 5.0, -40.0, 2.437e9, "UCA", 400.0, "k", 45.0, 7.0, 0.0, 270
    )  # as the receiver has it: 90 degrees clockwise
    device.page = krakensdr.encode(bearing)
    text = f"""
[site]
id = "ridge"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }}
[[sensor]]
id = "kraken"
device = {{ driver = "http_page", host = "127.0.0.1", port = {device.server_address[1]}, path = "/DOA_value.html" }}
protocol = "krakensdr"
position = {{ east_m = 0.0, north_m = 0.0, up_m = 5.0 }}
orientation = {{ heading_deg = 10.0 }}
"""

    site = parse_site(text, "ridge.toml")
    driver = driver_of(site.sensors[0])
    driver.open()
    delivery = driver.read(1.0)
    driver.close()
    (scan,) = decoders_of(site)["kraken"].feed(Reading("kraken", 10**18, 1, None, None, delivery.data))
    assert isinstance(scan, Scan)
    assert scan.detections[0].measurement.azimuth_rad == pytest.approx(1.7453, abs=1e-3)  # 100 degrees
