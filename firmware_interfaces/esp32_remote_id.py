"""ESP32 sniffers: Remote ID heard by a cheap board, printed as JSON lines over USB serial.

    {"mac":"..","rssi":-51,"drone_lat":..,"drone_long":..,"drone_altitude":..,
     "pilot_lat":..,"pilot_long":..,"basic_id":".."}                              flat, one line
    {"heartbeat":".."}
    {"AUX_ADV_IND":{"rssi":-68},"aext":{"AdvA":".. random"},"Basic ID":{..},
     "Location/Vector Message":{..},"System Message":{..}}                        nested, one line

The last kind may also come as a list of objects with one key each. Between the lines stand boot texts and stack traces.

What was heard over the air is copied into the line unescaped, so whoever transmits can write keys of his own: a line in
which a key comes twice, or that has keys of both shapes, or a heartbeat's beside others, is marked forged, keeps the first
value of each key, and its identity is not believed. Boards
cut lines at 256 bytes; what is no whole JSON is refused. Zero means unknown, and so does an altitude of -1000 m.

Source: the formats that the public sniffers print; no standard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Counts, Rejected, diagnose
from firmware_interfaces.json_lines import number, read_json
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.positions import geodetic
from firmware_interfaces.text_lines import TextLines
from fusion.types import Claim, Fact, Geodetic, Reading, Sensor, Status

MAX_LINE_BYTES = 4096
NESTED = ("AUX_ADV_IND", "aext", "Basic ID", "Location/Vector Message", "System Message", "Self-ID Message",
          "Operator ID Message", "Frequency Message")  # fmt: skip
MAX_ID_LENGTH = 20
UNKNOWN_ALTITUDE_M = -1000.0
CATEGORY_NUMBERS = {1: "airplane", 2: "multirotor", 3: "gyroplane", 4: "hybrid_lift"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one line says; None where it says nothing."""

    mac: str
    rssi_dbm: float | None
    basic_id: str | None
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float | None
    height_above_ground_m: float | None
    speed_m_s: float | None
    climb_m_s: float | None
    pilot_latitude_deg: float | None
    pilot_longitude_deg: float | None
    id_type: str | None = None
    category: str | None = None
    is_forged: bool = False
    is_dji: bool = False  # DJI's DroneID, not Remote ID


@dataclass(frozen=True, slots=True)
class Heartbeat:
    text: str


Line = Heard | Heartbeat


class Lines(TextLines[Line]):
    """Bytes in, understood lines out; other lines are text."""

    def __init__(self) -> None:
        super().__init__(parse, lambda line: "heard" if isinstance(line, Heard) else "heartbeat", MAX_LINE_BYTES)


def parse(line: bytes) -> Line | None:
    """What a line says; None: it is text for people. Raises Rejected."""
    text = line.strip()
    if not text.startswith((b"{", b"[{")):
        return None
    found, is_forged = read_json(text)
    if isinstance(found, list):
        pairs = [pair for entry in found if isinstance(entry, dict) for pair in entry.items()]
        found = dict(reversed(pairs))
        is_forged = is_forged or len(found) < len(pairs)
    if not isinstance(found, dict):
        raise Rejected("json", "no object")
    is_nested = any(name in found for name in NESTED)
    if is_nested or "mac" in found:
        # a board sends one shape or the other, and a heartbeat alone: the rest was written by an id
        is_forged = is_forged or "heartbeat" in found or (is_nested and "mac" in found)
        return _nested(found, is_forged) if is_nested else _flat(found, is_forged)
    if "heartbeat" in found:
        if not isinstance(found["heartbeat"], str):  # other devices count theirs
            raise Rejected("field", "a heartbeat is no text")
        words = clean_text(found["heartbeat"].encode("ascii", "replace")[:80])
        if not words:
            raise Rejected("field", "a heartbeat without words")
        return Heartbeat(words)
    return _nested(found, is_forged)


def _flat(found: dict[str, Any], is_forged: bool) -> Heard:
    return Heard(
        mac=_address(found["mac"]),
        rssi_dbm=number(found.get("rssi")),
        basic_id=_identity(found.get("basic_id")),
        latitude_deg=number(found.get("drone_lat")),
        longitude_deg=number(found.get("drone_long")),
        altitude_m=number(found.get("drone_altitude")),
        height_above_ground_m=number(found.get("height_agl", found.get("height"))),
        speed_m_s=None,
        climb_m_s=None,
        pilot_latitude_deg=number(found.get("pilot_lat")),
        pilot_longitude_deg=number(found.get("pilot_long")),
        is_forged=is_forged,
        is_dji=found.get("id_type") == "DJI",
    )


def _nested(found: dict[str, Any], is_forged: bool) -> Heard:
    where, who, system = (_part(found, name) for name in ("Location/Vector Message", "Basic ID", "System Message"))
    category = who.get("ua_type")
    return Heard(
        mac=_address(_part(found, "aext").get("AdvA") or _part(found, "AUX_ADV_IND").get("addr") or who.get("MAC")),
        rssi_dbm=number(_part(found, "AUX_ADV_IND").get("rssi", who.get("RSSI", who.get("rssi")))),
        basic_id=_identity(who.get("id")),
        latitude_deg=number(where.get("latitude")),
        longitude_deg=number(where.get("longitude")),
        altitude_m=number(where.get("geodetic_altitude")),
        height_above_ground_m=number(where.get("height_agl")),
        speed_m_s=number(where.get("speed")),
        climb_m_s=number(where.get("vert_speed")),
        pilot_latitude_deg=number(system.get("operator_lat", system.get("latitude"))),
        pilot_longitude_deg=number(system.get("operator_lon", system.get("longitude"))),
        id_type="serial" if _is_serial(who.get("id_type")) else None,
        category=CATEGORY_NUMBERS.get(category) if isinstance(category, int) else None,
        is_forged=is_forged,
    )


def _is_serial(id_type: Any) -> bool:
    return isinstance(id_type, str) and id_type.startswith("Serial")


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _address(value: Any) -> str:
    address = value.split(" ")[0] if isinstance(value, str) else ""
    if not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", address):
        raise Rejected("field", "a line without radio address")
    return address


def _identity(value: Any) -> str | None:
    """Printable ASCII of at most 20 characters; anything else is no id."""
    if not isinstance(value, str) or len(value) > MAX_ID_LENGTH or not value.isascii() or not value.isprintable():
        return None
    return value.strip() or None


class Decoder:
    """Readings in, claims and heartbeats out."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._lines = Lines()
        self.counts: Counts = self._lines.counts
        self._heartbeat: str | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """A claim for each line that this reading completes; a status for the first heartbeat and each other one."""
        facts: list[Fact] = []
        time_ns = reading.received_ns - self._sensor.latency_ns
        for framed in self._lines.feed(reading.data, reading.monotonic_ns):
            line = framed.message
            if isinstance(line, Heard):
                self.counts.remarks["forged keys"] += line.is_forged
                facts.append(self._claim(line, time_ns))
            elif line.text != self._heartbeat:
                self._heartbeat = line.text
                facts.append(Status(self._sensor.sensor_id, time_ns, "ok", f"receiver says: {line.text}"))
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "JSON line", "wrong baud? these boards speak 115200")) is not None:
            return told
        if (forged := self.counts.remarks["forged keys"]) > 0:
            return f"{forged} lines carry a key twice: somebody transmits ids that are made to forge fields"
        if (cut := self.counts.rejected["json"]) > 0.05 * (sum(self.counts.decoded.values()) + cut):
            return f"{cut} lines are cut or no JSON: the sender's line buffer is too short, or bytes are lost"
        return None

    def _claim(self, heard: Heard, time_ns: int) -> Claim:
        return Claim(
            sensor_id=self._sensor.sensor_id,
            time_ns=time_ns,
            protocol="dji_droneid" if heard.is_dji else "open_drone_id",
            transmitter=heard.mac.lower(),
            identity=None if heard.is_forged else heard.basic_id,
            identity_type=None if heard.is_forged else heard.id_type,
            category=heard.category,
            position=place(heard.latitude_deg, heard.longitude_deg, heard.altitude_m),
            horizontal_sigma_m=None,
            vertical_sigma_m=None,
            velocity_enu_m_s=None,  # a speed without direction is no velocity
            speed_sigma_m_s=None,
            operator_position=place(heard.pilot_latitude_deg, heard.pilot_longitude_deg, None),
            operator_id=None,
            status=None,
            text=None,
            authenticated=False,
            power_dbm=heard.rssi_dbm,
        )


def place(latitude_deg: float | None, longitude_deg: float | None, altitude_m: float | None) -> Geodetic | None:
    """A position; None where it is not given, or 0,0."""
    if latitude_deg is None or longitude_deg is None or (latitude_deg == 0.0 and longitude_deg == 0.0):
        return None
    is_known = altitude_m is not None and altitude_m > UNKNOWN_ALTITUDE_M and altitude_m != 0.0
    return geodetic(latitude_deg, longitude_deg, altitude_m if is_known else None)


def record(line: Line) -> dict[str, Any]:
    """A line as plain data, in the names of the flat form; what it does not say is left out."""
    if isinstance(line, Heartbeat):
        return {"heartbeat": True, "text": line.text}
    values = {
        "mac": line.mac,
        "rssi": line.rssi_dbm,
        "drone_lat": line.latitude_deg,
        "drone_long": line.longitude_deg,
        "drone_altitude": line.altitude_m,
        "height_agl": line.height_above_ground_m,
        "speed_mps": line.speed_m_s,
        "vert_speed_mps": line.climb_m_s,
        "pilot_lat": line.pilot_latitude_deg,
        "pilot_long": line.pilot_longitude_deg,
        "basic_id": line.basic_id or "",
    }
    said = {name: value for name, value in values.items() if value is not None}
    return {**said, "injection": True} if line.is_forged else said
