"""A network camera's pan-tilt service: a real HTTP server on loopback that checks who asks, and turns."""

from __future__ import annotations

import base64
import hashlib
import http.server
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_heads import Listener
from made_sites import NARROW_CAMERA

from edge.heads import driver_of_head, frames_towards
from edge.sensors import decoders_of
from edge.site_file import SiteFileError, parse_site
from edge.site_types import Site
from firmware_interfaces import onvif
from fusion.types import Pointing, Reading, Status
from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.onvif_camera import OnvifCamera

SITE = (
    NARROW_CAMERA
    + """[[sensor]]
id = "head"
protocol = "onvif"
protocol_options = { tilt_deg_per_unit = 45.0, tilt_at_zero_deg = 35.0 }
orientation = { heading_deg = 30.0 }
head = { carries = "narrow", lag_s = 0.5 }
[sensor.device]
driver = "onvif_camera"
host = "127.0.0.1"
port = PORT
profile = "Profile_1"
user = "post & co"
password_file = "PASSWORD"
"""
)
FAULT = (
    f'<s:Envelope xmlns:s="{onvif.SOAP}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason>'
    '<s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>'
).encode()


class Camera(http.server.ThreadingHTTPServer):
    """Turns at once; a message that is not signed with its password, or signed twice by one nonce, is a fault."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Service)
        self.password = "grüße"
        self.place = (0.0, 0.0)
        self.heard: list[str] = []
        self.nonces: set[bytes] = set()
        self.changed = threading.Condition()
        self.refuses: tuple[int, bytes, str] | None = None  # status, body, its type

    def answer(self, document: bytes) -> tuple[int, bytes]:
        root = ElementTree.fromstring(document)
        if not self.is_signed(root):
            return 400, FAULT
        body = root.find(f"{{{onvif.SOAP}}}Body")
        assert body is not None
        assert body[0].findtext(f"{{{onvif.PTZ}}}ProfileToken") == "Profile_1"
        name = body[0].tag.removeprefix(f"{{{onvif.PTZ}}}")
        to = body[0].find(f"{{{onvif.PTZ}}}Position/{{{onvif.SCHEMA}}}PanTilt")
        if name == "AbsoluteMove":
            assert to is not None
            self.place = (float(to.attrib["x"]), float(to.attrib["y"]))
        with self.changed:
            self.heard.append(name)
            self.changed.notify_all()
        if name == "GetStatus":
            return 200, onvif.status_answer(*self.place)
        response = f'<{name}Response xmlns="{onvif.PTZ}"/>'
        return 200, f'<s:Envelope xmlns:s="{onvif.SOAP}"><s:Body>{response}</s:Body></s:Envelope>'.encode()

    def is_signed(self, root: ElementTree.Element) -> bool:
        """As the UsernameToken profile says, made here anew."""
        said = {
            name: root.findtext(f".//{{{onvif.SECURITY}}}{name}") or "" for name in ("Username", "Password", "Nonce")
        }
        nonce, created = base64.b64decode(said["Nonce"]), root.findtext(f".//{{{onvif.UTILITY}}}Created") or ""
        expected = hashlib.sha1(nonce + created.encode() + self.password.encode()).digest()
        is_fresh = nonce not in self.nonces
        self.nonces.add(nonce)
        is_known = said["Username"] == "post & co" and base64.b64decode(said["Password"]) == expected
        return is_fresh and is_known and len(created) == 20


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        camera = self.server
        assert isinstance(camera, Camera)
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        kind = "application/soap+xml; charset=utf-8"
        status, answer = camera.answer(asked) if self.path == "/onvif/ptz_service" else (404, b"")
        if camera.refuses is not None:
            status, answer, kind = camera.refuses
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def camera() -> Iterator[Camera]:
    with Camera() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join(5.0)


@pytest.fixture
def post(camera: Camera, tmp_path: Path) -> Site:
    (tmp_path / "password").write_text("grüße\n")
    text = SITE.replace("PORT", str(camera.server_address[1])).replace("PASSWORD", str(tmp_path / "password"))
    return parse_site(text, "ridge.toml")


def test_a_camera_turns_tells_where_it_points_and_is_stopped_at_the_end(camera: Camera, post: Site):
    entry, decoder = post.sensors[1], decoders_of(post)["head"]
    listener = Listener(decoder)
    port = driver_of_head(entry)
    runner = DeviceRunner("head", port, Clock(), listener.deliver, lambda event: None)
    runner.start()
    listener.wait_for_facts()
    port.command(frames_towards(entry, math.radians(75.0), math.radians(12.5)))
    listener.wait_until_it_points_to(75.0, within_deg=0.01)
    assert camera.place == pytest.approx((0.25, -0.5), abs=1e-5)
    pointing = listener.facts[-1]
    assert isinstance(pointing, Pointing)
    assert math.degrees(pointing.orientation.pitch_rad) == pytest.approx(12.5, abs=0.01)
    assert runner.stop()
    assert camera.heard[0] == camera.heard[-1] == "Stop"
    assert not decoder.counts.rejected
    assert not [fact for fact in listener.facts if isinstance(fact, Status)]


def test_a_wrong_password_is_told_once_in_the_cameras_words(camera: Camera, post: Site):
    camera.password = "another"
    decoder, facts, readings = decoders_of(post)["head"], [], []
    changed = threading.Condition()

    def deliver(reading: Reading) -> bool:
        with changed:
            readings.append(reading)
            facts.extend(decoder.feed(reading))
            changed.notify_all()
        return True

    runner = DeviceRunner("head", driver_of_head(post.sensors[1]), Clock(), deliver, lambda event: None)
    runner.start()
    with changed:
        assert changed.wait_for(lambda: len(readings) > 3, 10.0)
        assert [fact.text for fact in facts] == ["the camera says: Sender not Authorized"]
    assert camera.heard == []
    camera.password = "grüße"
    with changed:
        assert changed.wait_for(lambda: isinstance(facts[-1], Pointing), 10.0)
    assert runner.stop()


def test_a_camera_that_is_not_there_or_has_no_such_service_is_a_loss(camera: Camera):
    port = camera.server_address[1]
    device = OnvifCamera("127.0.0.1", "Profile_1", port, "/elsewhere")
    device.open()
    with pytest.raises(DeviceLost, match=rf"http://127.0.0.1:{port}/elsewhere: 404"):
        device.write(b"<x/>")
    device.close()
    with pytest.raises(DeviceLost, match="no-such-file: cannot be read"):
        OnvifCamera("127.0.0.1", "Profile_1", port, password_file="no-such-file").password()
    camera.shutdown()
    camera.server_close()
    with pytest.raises(DeviceLost, match=f"http://127.0.0.1:{port}: Connection refused"):
        OnvifCamera("127.0.0.1", "Profile_1", port).open()


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html><body><h1>Access Error: Unauthorized</h1></body></html>"])
def test_a_refusal_in_html_is_a_refused_password_and_no_answer(camera: Camera, status: int, body: bytes):
    camera.refuses = (status, body, "text/html")
    device = OnvifCamera("127.0.0.1", "Profile_1", camera.server_address[1])
    device.open()
    with pytest.raises(DeviceLost, match=rf"user or password is refused \({status}\)"):
        device.write(b"<x/>")
    assert device.read(0.0) is None
    camera.refuses = (status, FAULT, "application/soap+xml")
    device.open()
    device.write(b"<x/>")
    delivery = device.read(0.0)
    assert delivery is not None
    assert delivery.data == FAULT
    device.close()


@pytest.mark.parametrize("path", ["/onvif/caméra", "/onvif/a b", "/onvif/\u202e"])
def test_a_path_that_cannot_be_asked_for_is_a_loss(camera: Camera, path: str):
    device = OnvifCamera("127.0.0.1", "Profile_1", camera.server_address[1], path)
    device.open()
    with pytest.raises(DeviceLost, match="http://"):
        device.write(b"<x/>")
    device.close()
    text = SITE.replace("PORT", '80\npath = "PATH"').replace("PATH", path)
    with pytest.raises(SiteFileError, match=r'sensor "head": device\.path is'):
        parse_site(text, "ridge.toml")
