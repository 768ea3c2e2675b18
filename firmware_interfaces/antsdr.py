"""AntSDR receivers of DJI's radio link: DroneID as text lines (newer firmware) or binary packets (older).

    dji_O,<2|3|4>,<MHz>,<dBm>,<model(code)>,<serial>,<drone lon>,<drone lat>,<pilot lon>,<pilot lat>,<home lon>,<home lat>,
          <altitude / 10|height>,<east|north|up cm/s>,;                     a line over TCP or UDP; longitude comes first

    2 bytes | 01 | E8 00 (bytes in all) | serial (64) | model (64) | code u8                    little-endian, TCP 41030
            | app lat lon, drone lat lon, height, altitude, home lat lon, MHz, east north up m/s, 12 x f64 | dBm i16

Generation 4 (O4) is encrypted: it has no serial and no positions, and tells only that a drone is on the air: a presence
with its power. Zero is no position. The datum of the altitude is not documented, so claims carry no height. There is no
checksum and no authentication.

Source: the formats that the public receivers read (alphafox02/antsdr_dji_droneid, DragonSync); no document of the maker.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose
from firmware_interfaces.dji_droneid import place
from firmware_interfaces.open_drone_id_messages import clean_text
from fusion.types import Claim, Fact, Presence, Reading, Sensor

TEXT_START = b"dji_O,"
PACKET = struct.Struct("<2xBH64s64sB12dh")
PACKET_MARK = struct.pack("<BH", 1, PACKET.size)  # type 1 and the length; two bytes of no known meaning stand before
SYNC = re.compile(re.escape(TEXT_START) + rb"|[\s\S]{2}" + re.escape(PACKET_MARK))
MAX_LINE_BYTES = 512
TEXT_END = re.compile(rb";|[\r\n]")
FIELDS = 15  # the last one is the end mark
MODEL = re.compile(r"(.*)\((\w*)\)\s*$")
FASTEST_M_S = 200.0
MHZ = 1e6


@dataclass(frozen=True, slots=True)
class Heard:
    """One burst as the receiver tells it; None where it tells nothing."""

    generation: str | None  # "O2", "O3", "O4"; older firmware does not say
    frequency_mhz: float
    power_dbm: float
    model: str
    code: str
    serial: str | None
    drone: tuple[float, float] | None  # latitude, longitude, deg
    pilot: tuple[float, float] | None
    home: tuple[float, float] | None
    altitude_m: float
    height_m: float  # above take-off
    velocity_enu_m_s: tuple[float, float, float]


class Bursts:
    """Bytes in, bursts out, of either firmware."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = Counts() if counts is None else counts
        self.stream: FramedStream[Heard] = FramedStream(SYNC, len(TEXT_START), _frame_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Heard]]:
        """The bursts that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Heard]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Heard]]) -> list[Framed[Heard]]:
        for framed in found:
            self.counts.decoded[framed.message.generation or "packet"] += 1
        return found


def _frame_at(buffer: bytearray, start: int) -> Found[Heard] | None:
    if buffer[start : start + len(TEXT_START)] == TEXT_START:
        return _line_at(buffer, start)
    end = start + PACKET.size
    begin = buffer.find(PACKET_MARK, start + 5, end)
    while begin >= 0:
        if len(buffer) < min(begin + 3 + 64, end):  # the name that may follow decides, once it is whole
            return None
        if _is_text(bytes(buffer[begin + 3 : end])):
            raise Rejected("cut", "the next packet begins inside this one")
        begin = buffer.find(PACKET_MARK, begin + 1, end)
    return None if len(buffer) < end else Found(parse_packet(bytes(buffer[start:end])), PACKET.size)


def _is_text(beginning: bytes) -> bool:
    """Whether bytes may be the beginning of a serial number: printable, then NUL. A few are too little to tell."""
    name = beginning[:64].rstrip(b"\0")
    return len(beginning) >= 8 and len(name) >= 4 and all(0x20 <= byte < 0x7F for byte in name)


def _line_at(buffer: bytearray, start: int) -> Found[Heard] | None:
    found = TEXT_END.search(buffer, start, start + MAX_LINE_BYTES)
    again = buffer.find(TEXT_START, start + 1, found.start() if found else start + MAX_LINE_BYTES)
    if again >= 0:
        raise Rejected("cut", "the next line begins inside this one")
    if found is None:
        if len(buffer) - start >= MAX_LINE_BYTES:
            raise Rejected("length", f"a line is longer than {MAX_LINE_BYTES} bytes")
        return None
    end = found.start()
    return Found(parse_line(bytes(buffer[start:end])), end - start, 3)  # ";" and the line's end


def parse_line(line: bytes) -> Heard:
    """One line without its end mark. Raises Rejected."""
    fields = line.decode("ascii", "replace").split(",")
    if len(fields) != FIELDS:
        raise Rejected("length", f"a line of {len(fields)} fields, expected {FIELDS}")
    _, generation, frequency, power, model, serial, *numbers, heights, speeds, _ = fields
    if generation not in ("2", "3", "4"):
        raise Rejected("unknown", f"generation {generation[:8]}")
    named = MODEL.fullmatch(model)
    altitude_tens_m, height_m = _split(heights, 2)
    velocity_cm_s = _split(speeds, 3)
    longitudes_latitudes = [_number(text) for text in numbers]
    drone, pilot, home = (_place(*longitudes_latitudes[at : at + 2][::-1]) for at in (0, 2, 4))
    return Heard(
        generation=f"O{generation}",
        frequency_mhz=_number(frequency),
        power_dbm=_number(power),
        model=_clean(named[1] if named else model),
        code=_clean(named[2]) if named else "",
        serial=_clean(serial) or None,
        drone=drone,
        pilot=pilot,
        home=home,
        altitude_m=altitude_tens_m * 10.0,
        height_m=height_m,
        velocity_enu_m_s=(velocity_cm_s[0] / 100.0, velocity_cm_s[1] / 100.0, velocity_cm_s[2] / 100.0),
    )


def parse_packet(packet: bytes) -> Heard:
    """One binary packet. Raises Rejected."""
    _, _, serial, model, code, *numbers, power_dbm = PACKET.unpack(packet)
    for text in (serial, model):
        if not all(byte == 0 or 0x20 <= byte < 0x7F for byte in text):
            raise Rejected("range", "a name that is no text")
    if not all(math.isfinite(value) and abs(value) < 1e6 for value in numbers):
        raise Rejected("range", "a number that is none")
    app_lat, app_lon, lat, lon, height_m, altitude_m, home_lat, home_lon, frequency_mhz, east, north, up = numbers
    return Heard(
        generation=None,
        frequency_mhz=frequency_mhz,
        power_dbm=float(power_dbm),
        model=clean_text(model) or "",
        code=str(code),
        serial=clean_text(serial),
        drone=_place(lat, lon),
        pilot=_place(app_lat, app_lon),
        home=_place(home_lat, home_lon),
        altitude_m=altitude_m,
        height_m=height_m,
        velocity_enu_m_s=(east, north, up),
    )


def _clean(text: str) -> str:
    return clean_text(text.encode("ascii", "replace")[:64]) or ""


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not abs(value) < 1e6:
        raise Rejected("range", "a field is no number")
    return value


def _split(text: str, count: int) -> list[float]:
    parts = text.split("|")
    if len(parts) != count:
        raise Rejected("length", f"{len(parts)} numbers between bars, expected {count}")
    return [_number(part) for part in parts]


def _place(latitude_deg: float, longitude_deg: float) -> tuple[float, float] | None:
    """Zero, zero is no position. Raises Rejected where there is none such on Earth."""
    if abs(latitude_deg) > 90.0 or abs(longitude_deg) > 180.0:
        raise Rejected("range", f"latitude {latitude_deg:.1f}, longitude {longitude_deg:.1f}")
    return None if latitude_deg == 0.0 and longitude_deg == 0.0 else (latitude_deg, longitude_deg)


class Decoder:
    """Readings in; a claim for each burst that can be read, a presence for each that is encrypted."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._bursts = Bursts()
        self.counts: Counts = self._bursts.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished burst."""
        return self._bursts.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        time_ns = reading.received_ns - self._sensor.latency_ns
        return [self._fact(framed.message, time_ns) for framed in self._bursts.feed(reading.data, reading.monotonic_ns)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose(self.counts, "DroneID burst", "check address and port, and the receiver's firmware")

    def _fact(self, heard: Heard, time_ns: int) -> Fact:
        if heard.serial is None:
            text = f"encrypted {heard.generation or 'DJI'} transmission, {heard.model} {heard.code}".strip()
            return Presence(
                self._sensor.sensor_id, time_ns, "drone_id", heard.power_dbm, heard.frequency_mhz * MHZ, text
            )
        east, north, up = heard.velocity_enu_m_s
        is_flying_speed = math.hypot(east, north, up) < FASTEST_M_S
        return Claim(
            sensor_id=self._sensor.sensor_id,
            time_ns=time_ns,
            protocol="dji_droneid",
            transmitter=heard.serial,
            identity=heard.serial,
            identity_type="serial",
            category="multirotor",
            position=None if heard.drone is None else place(*heard.drone),
            horizontal_sigma_m=None,
            vertical_sigma_m=None,
            velocity_enu_m_s=heard.velocity_enu_m_s if heard.drone is not None and is_flying_speed else None,
            speed_sigma_m_s=None,
            operator_position=None if heard.pilot is None else place(*heard.pilot),
            operator_id=None,
            status=None,
            text=heard.model or None,
            authenticated=False,
            power_dbm=heard.power_dbm,
        )


def record(heard: Heard) -> dict[str, Any]:
    """A burst as plain data, in the names of either firmware."""
    east, north, up = heard.velocity_enu_m_s
    drone, pilot, home = (where or (None, None) for where in (heard.drone, heard.pilot, heard.home))
    if heard.generation is None:
        drone, pilot, home = (where or (0.0, 0.0) for where in (heard.drone, heard.pilot, heard.home))
        return {
            **{"sn": heard.serial or "", "dev": heard.model, "code": int(heard.code)},
            **{"app_lat": pilot[0], "app_lon": pilot[1], "lat": drone[0], "lon": drone[1]},
            **{"agl": heard.height_m, "alt": heard.altitude_m, "home_lat": home[0], "home_lon": home[1]},
            **{"freq": heard.frequency_mhz, "ve": east, "vn": north, "vu": up, "rssi": round(heard.power_dbm)},
        }
    return {
        **{"protocol": heard.generation, "freq_mhz": heard.frequency_mhz, "rssi": heard.power_dbm},
        **{"model": heard.model, "code": heard.code, "serial": heard.serial},
        **{"drone_lon": drone[1], "drone_lat": drone[0], "pilot_lon": pilot[1], "pilot_lat": pilot[0]},
        **{"home_lon": home[1], "home_lat": home[0], "geodetic_alt_m": round(heard.altitude_m, 3)},
        **{"height_agl_m": heard.height_m, "v_east_mps": east, "v_north_mps": north, "v_up_mps": up},
    }


def encode_line(heard: Heard) -> bytes:
    """A line as newer firmware sends it."""
    places = [where or (0.0, 0.0) for where in (heard.drone, heard.pilot, heard.home)]
    positions = ",".join(f"{longitude:.6f},{latitude:.6f}" for latitude, longitude in places)
    speeds = "|".join(f"{round(speed * 100.0)}" for speed in heard.velocity_enu_m_s)
    return (
        f"dji_O,{(heard.generation or 'O2')[1:]},{heard.frequency_mhz},{heard.power_dbm:g},{heard.model}({heard.code}),"
        f"{heard.serial or ''},{positions},{heard.altitude_m / 10.0:.2f}|{heard.height_m:.1f},{speeds},;\r\n"
    ).encode()


def encode_packet(heard: Heard) -> bytes:
    """A packet as older firmware sends it."""
    pilot, drone, home = (where or (0.0, 0.0) for where in (heard.pilot, heard.drone, heard.home))
    numbers = (*pilot, *drone, heard.height_m, heard.altitude_m, *home, heard.frequency_mhz, *heard.velocity_enu_m_s)
    names = (heard.serial or "").encode(), heard.model.encode()
    return PACKET.pack(1, PACKET.size, *names, int(heard.code or 0), *numbers, round(heard.power_dbm))
