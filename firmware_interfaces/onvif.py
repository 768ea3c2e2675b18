"""ONVIF pan-tilt: SOAP messages to a network camera's PTZ service, and where it says that it points.

    envelope   header: UsernameToken, digest = base64(SHA-1(nonce | created | password))
               body:   AbsoluteMove, ContinuousMove, Stop, GetStatus; each of one profile
    answer     GetStatusResponse ... PanTilt x="0.25" y="-0.5"      a fault: its reason in words

Positions are in the generic space: x and y from -1 to 1, right and up positive. How many degrees a unit is stands in the
camera's manual. A document of more than 64 KiB is refused, and one that is no plain XML (`plain_xml.py`).

Sources: ONVIF PTZ Service Specification 21.12, 5.3 and 5.4; OASIS Web Services Security UsernameToken Profile 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import math
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from firmware_interfaces.decoder import MAX_KEPT_BYTES, Counts, Rejected
from firmware_interfaces.pelco_d import pointing
from firmware_interfaces.plain_xml import parse_plain
from fusion.types import Pointing, Reading, Sensor, Status

SOAP = "http://www.w3.org/2003/05/soap-envelope"
PTZ = "http://www.onvif.org/ver20/ptz/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
LONGEST_REASON = 120  # letters of a fault that are shown
MIN_FAULTS = 10
AGAIN_NS = 60_000_000_000  # a fault is told again after it, and is over when none has come for so long
MOST_FAULTS = 8  # kinds of faults told within that time: a camera may put a number or the time into each


class Decoder:
    """Readings in, each one answer; where the camera points, and what it refuses."""

    def __init__(
        self,
        sensor: Sensor,
        tilt_deg_per_unit: float,
        pan_deg_per_unit: float = 180.0,
        tilt_at_zero_deg: float = 0.0,
    ) -> None:
        self._sensor = sensor
        self._pan_deg_per_unit, self._tilt_deg_per_unit = pan_deg_per_unit, tilt_deg_per_unit
        self._tilt_at_zero_deg = tilt_at_zero_deg
        self._fault_ns: int | None = None  # the last one; None: the camera is well
        self._told_ns: dict[str, int] = {}  # faults by their words
        self.kept_bytes = 0  # an answer comes whole
        self.counts = Counts()

    def feed(self, reading: Reading) -> list[Pointing | Status]:
        """The facts of one answer; the base counts as level."""
        self.counts.bytes += len(reading.data)
        try:
            told = parse(reading.data)
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            return []
        self.counts.decoded["fault" if isinstance(told, str) else "answer"] += 1
        time_ns = reading.received_ns - self._sensor.latency_ns
        if isinstance(told, str):
            return self._fault(told, time_ns)
        if told is None:
            return []
        facts: list[Pointing | Status] = []
        if self._fault_ns is not None and time_ns - self._fault_ns >= AGAIN_NS:
            facts.append(Status(self._sensor.sensor_id, time_ns, "ok", "the camera refuses nothing any more"))
            self._fault_ns = None
        pan_deg, up_deg = told[0] * self._pan_deg_per_unit, told[1] * self._tilt_deg_per_unit + self._tilt_at_zero_deg
        return [*facts, Pointing(self._sensor.sensor_id, time_ns, pointing(self._sensor.orientation, pan_deg, up_deg))]

    def _fault(self, reason: str, time_ns: int) -> list[Pointing | Status]:
        """Told once in a while: a camera may refuse each move and answer each question between them."""
        self._fault_ns = time_ns
        self._told_ns = {told: at_ns for told, at_ns in self._told_ns.items() if time_ns - at_ns < AGAIN_NS}
        if reason in self._told_ns or len(self._told_ns) == MOST_FAULTS:
            return []
        self._told_ns[reason] = time_ns
        return [Status(self._sensor.sensor_id, time_ns, "warning", f"the camera says: {reason}")]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        faults, answers = self.counts.decoded["fault"], self.counts.decoded["answer"]
        if faults > max(MIN_FAULTS, answers):
            return f"{faults} faults beside {answers} answers: check user, password, profile and the camera's clock"
        if sum(self.counts.rejected.values()) > max(MIN_FAULTS, answers):
            return "answers that are no SOAP: check the path of the camera's PTZ service"
        return None


def parse(document: bytes) -> tuple[float, float] | str | None:
    """Where it points, x and y in units; the reason of a fault; None: another answer. Raises Rejected."""
    if len(document) > MAX_KEPT_BYTES:
        raise Rejected("length", f"an answer of {len(document)} bytes, at most {MAX_KEPT_BYTES}")
    try:
        root = parse_plain(document)
    except ValueError as error:
        raise Rejected("syntax", str(error)) from None
    if root.tag != f"{{{SOAP}}}Envelope":
        raise Rejected("unknown", f"{root.tag[:80]} is no SOAP envelope")
    if (fault := root.find(f".//{{{SOAP}}}Fault")) is not None:
        return _reason(fault)
    place = root.find(f".//{{{PTZ}}}GetStatusResponse//{{{SCHEMA}}}Position/{{{SCHEMA}}}PanTilt")
    return None if place is None else (_unit(place, "x"), _unit(place, "y"))


def _reason(fault: ElementTree.Element) -> str:
    reason = fault.find(f"{{{SOAP}}}Reason")
    words = " ".join("".join(fault.itertext() if reason is None else reason.itertext()).split())
    return "".join(letter for letter in words if letter.isprintable())[:LONGEST_REASON] or "a fault without reason"


def _unit(place: ElementTree.Element, name: str) -> float:
    try:
        value = float(place.get(name, ""))
    except ValueError:
        value = math.nan
    if not abs(value) <= 1.0:
        raise Rejected("range", f"{name} is {place.get(name)!r}, expected -1 to 1")
    return value


# Messages


def envelope(body: bytes, user: str, password: str, nonce: bytes, created: str) -> bytes:
    """A message, signed. created: UTC, as 2026-03-14T09:26:53Z; nonce: never the same twice."""
    token = (
        f'<wsse:Security s:mustUnderstand="true" xmlns:wsse="{SECURITY}" xmlns:wsu="{UTILITY}"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(user)}</wsse:Username>"
        f'<wsse:Password Type="{DIGEST}">{digest(nonce, created, password)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )
    head = f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{token}</s:Header><s:Body>'
    return b'<?xml version="1.0" encoding="UTF-8"?>' + head.encode() + body + b"</s:Body></s:Envelope>"


def digest(nonce: bytes, created: str, password: str) -> str:
    """What proves that we know the password. SHA-1 is what the standard asks for."""
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()


def get_status(profile: str) -> bytes:
    """Ask where it points."""
    return _body("GetStatus", profile)


def stop(profile: str) -> bytes:
    """Stop turning."""
    return _body("Stop", profile, "<PanTilt>true</PanTilt><Zoom>false</Zoom>")


def go_to(profile: str, x: float, y: float) -> bytes:
    """Turn to a position, -1 to 1; what lies outside is cut to it."""
    return _body("AbsoluteMove", profile, f"<Position>{_pan_tilt(x, y)}</Position>")


def move(profile: str, pan: float, tilt: float, timeout_s: float) -> bytes:
    """Turn with shares of the highest speed, -1 to 1, right and up positive, for so long."""
    return _body(
        "ContinuousMove", profile, f"<Velocity>{_pan_tilt(pan, tilt)}</Velocity><Timeout>PT{timeout_s:.1f}S</Timeout>"
    )


def _body(name: str, profile: str, inside: str = "") -> bytes:
    return f'<{name} xmlns="{PTZ}"><ProfileToken>{escape(profile)}</ProfileToken>{inside}</{name}>'.encode()


def _pan_tilt(x: float, y: float) -> str:
    x_text, y_text = (quoteattr(f"{max(-1.0, min(1.0, value)):.5f}") for value in (x, y))
    return f'<PanTilt xmlns="{SCHEMA}" x={x_text} y={y_text}/>'


def status_answer(x: float, y: float) -> bytes:
    """What a camera answers to `get_status`."""
    place = f"<p:PTZStatus><t:Position>{_pan_tilt(x, y)}</t:Position></p:PTZStatus>"
    body = f"<p:GetStatusResponse>{place}</p:GetStatusResponse>"
    spaces = f'xmlns:s="{SOAP}" xmlns:p="{PTZ}" xmlns:t="{SCHEMA}"'
    return f"<s:Envelope {spaces}><s:Body>{body}</s:Body></s:Envelope>".encode()
