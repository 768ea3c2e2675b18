"""GNSS receivers: NMEA 0183, UBX and RTCM 3 mixed on one line, and what they say of the post's own place and time.

    $GNRMC,...*hh CR LF | B5 62 ... | D3 ... | $GNGGA,... |          sentences: nmea_sentences.py, the rest: ubx.py
              │                                     │
              └────────────── merged ───────────────┴──▶ OwnPosition, at each RMC, GGA and NAV-PVT

Jamming and spoofing flags (MON-HW, MON-RF, SEC-SIG, NAV-STATUS) hold until the receiver says otherwise. The receiver's
time is data: nothing here trusts it.
"""

from __future__ import annotations

import calendar
import math
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from firmware_interfaces.decoder import (
    MAX_FRAME_TIME_NS,
    OTHER,
    Counts,
    Found,
    Framed,
    FramedStream,
    count_by_name,
    diagnose,
)
from firmware_interfaces.nmea_sentences import (
    Sentence,
    Value,
    encode,
    encode_gga,
    encode_gst,
    encode_rmc,
    sentence_at,
)
from firmware_interfaces.positions import geodetic, plausible_height_m
from firmware_interfaces.ubx import SYNC_RTCM, SYNC_UBX, RtcmMessage, UbxMessage, rtcm_at, ubx_at
from fusion.types import OwnPosition, Reading, Sensor

__all__ = ["Decoder", "Messages", "encode", "encode_gga", "encode_gst", "encode_rmc", "record"]

SYNC = re.compile(rb"[$!]|\xb5\x62|\xd3")
LINE_END_BYTES = 2
FIX_OF_QUALITY = {  # 8: the receiver simulates
    0: "none", 1: "3d", 2: "differential", 3: "3d", 4: "rtk_fixed", 5: "rtk_float", 6: "dead_reckoning", 8: "none",
}  # fmt: skip
NO_FIX_MODES = ("N", "S")  # none, simulated: though the status says that all is well
FIX_OF_UBX = {0: "none", 1: "dead_reckoning", 2: "2d", 3: "3d", 4: "3d", 5: "none"}
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
MAX_SATELLITES = 255
LARGEST_SIGMA_M = 1e6  # an error beyond is no error of a position on Earth, but a damaged number
MESSAGES_TO_JUDGE = 100  # some ten seconds of any receiver
SIGMA_AGE_NS = 10_000_000_000  # error figures of GST and GSA hold this long; receivers send them at 1 Hz or 0.2 Hz

Message: TypeAlias = Sentence | UbxMessage | RtcmMessage


class Messages:
    """Bytes in, checked messages of all three kinds out; those that no table lists are counted as "other"."""

    def __init__(self, needs_checksum: bool = True, max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        self.counts = Counts()
        self._needs_checksum = needs_checksum
        self.stream: FramedStream[Message] = FramedStream(SYNC, 2, self._frame_at, self.counts, max_frame_time_ns)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Message]]:
        """The messages that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Message]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Message]]) -> list[Framed[Message]]:
        for framed in found:
            count_by_name(self.counts.decoded, framed.message.identity if framed.message.is_listed else OTHER)
        return found

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Message] | None:
        found: tuple[Message, int] | None
        if buffer[start] == SYNC_UBX[0]:
            found = ubx_at(buffer, start)
        elif buffer[start] == SYNC_RTCM:
            found = rtcm_at(buffer, start)
        else:
            found = sentence_at(buffer, start, self._needs_checksum)
        if found is None:
            return None
        message, length = found
        return Found(message, length, LINE_END_BYTES if isinstance(message, Sentence) else 0)


@dataclass(slots=True)
class Known:
    """What the receiver has said so far that later messages are read with."""

    date: str | None = None  # YYYY-MM-DD
    height: tuple[str, float | None, float | None] | None = None  # time of day, above ellipsoid, above sea level, m
    sigma_m: float | None = None
    sigma_ns: int = 0  # when it was said
    fix: str = "unknown"
    satellites_used: int | None = None
    nav_mode: int | None = None  # GSA: 1 none, 2 2d, 3 3d
    is_jammed: bool | None = None
    is_spoofed: bool | None = None


class Decoder:
    """Readings in, the post's own position out."""

    def __init__(self, sensor: Sensor, range_error_m: float | None = 5.0, needs_checksum: bool = True) -> None:
        """`range_error_m` is the 1-sigma error of one range measurement (about 5 m for a single-frequency receiver in
        the open): times the dilution of precision it is the position's error where the receiver sends no GST. None:
        the error is unknown then."""
        self._sensor, self._range_error_m = sensor, range_error_m
        self._messages = Messages(needs_checksum)
        self.counts: Counts = self._messages.counts
        self._known = Known()
        self._has_told = False  # of a place, or that it knows none

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished message."""
        return self._messages.stream.kept_bytes

    def feed(self, reading: Reading) -> list[OwnPosition]:
        """A position for each RMC, GGA and NAV-PVT that this reading completes."""
        positions = []
        for framed in self._messages.feed(reading.data, reading.monotonic_ns):
            message = framed.message
            position = None
            if isinstance(message, Sentence):
                position = self._from_sentence(message, reading.received_ns)
            elif isinstance(message, UbxMessage):
                position = self._from_ubx(message, reading.received_ns)
            if position is not None:
                positions.append(position)
                self._has_told = True
        return positions

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "GNSS message", "wrong baud? try 4800, 9600, 38400, 115200")) is not None:
            return told
        if not self._has_told and sum(self.counts.decoded.values()) >= MESSAGES_TO_JUDGE:
            return "many messages, and none tells a place: switch NAV-PVT on, or the sentences RMC and GGA"
        if self._known.is_spoofed:
            return "the receiver reports that its satellites are spoofed: its position and time are not to be trusted"
        if self._known.is_jammed:
            return "the receiver reports jamming"
        return None

    def _from_sentence(self, sentence: Sentence, received_ns: int) -> OwnPosition | None:
        fields, known = sentence.fields, self._known
        match sentence.kind:
            case "GST":
                north_m, east_m = fields["stdLat"], fields["stdLong"]
                if isinstance(north_m, float) and isinstance(east_m, float):
                    known.sigma_m = plausible_sigma_m(math.hypot(north_m, east_m) / math.sqrt(2.0))
                    known.sigma_ns = received_ns
            case "GSA":
                known.nav_mode = _integer(fields["navMode"])
            case "ZDA":
                known.date = date_text(fields["year"], fields["month"], fields["day"]) or known.date
            case "GGA":
                return self._from_gga(fields, received_ns)
            case "RMC":
                return self._from_rmc(fields, received_ns)
        return None

    def _from_gga(self, fields: dict[str, Value], received_ns: int) -> OwnPosition:
        known = self._known
        known.fix = FIX_OF_QUALITY.get(_integer(fields["quality"]) or 0, "unknown")
        if known.fix == "3d" and known.nav_mode == 2:
            known.fix = "2d"
        satellites_used = _integer(fields["numSV"])
        known.satellites_used = satellites_used if 0 <= (satellites_used or 0) <= MAX_SATELLITES else None
        altitude_m, separation_m = fields["alt"], fields["sep"]
        known.height = None
        if isinstance(altitude_m, float):
            height_m = altitude_m + separation_m if isinstance(separation_m, float) else None
            known.height = (str(fields["time"]), height_m, plausible_height_m(altitude_m))
        return self._position(fields, received_ns, self._sigma_m(fields["HDOP"], received_ns))

    def _from_rmc(self, fields: dict[str, Value], received_ns: int) -> OwnPosition:
        known = self._known
        date = str(fields["date"])
        known.date = date if utc_ns(date, "00:00:00") is not None else known.date
        if fields["status"] != "A" or fields.get("posMode") in NO_FIX_MODES:
            known.fix = "none"
        elif known.fix == "none":
            known.fix = "unknown"
        return self._position(fields, received_ns, self._sigma_m("", received_ns))

    def _sigma_m(self, dilution: Value, received_ns: int) -> float | None:
        """1-sigma of each horizontal axis: GST where it is fresh, else dilution times the range error."""
        known = self._known
        if known.sigma_m is not None and abs(received_ns - known.sigma_ns) <= SIGMA_AGE_NS:
            return known.sigma_m
        if self._range_error_m is None or not isinstance(dilution, float):
            return None
        return plausible_sigma_m(dilution * self._range_error_m / math.sqrt(2.0))

    def _position(self, fields: dict[str, Value], received_ns: int, sigma_m: float | None) -> OwnPosition:
        known = self._known
        latitude_deg, longitude_deg, clock = fields["lat"], fields["lon"], str(fields["time"])
        height_m = altitude_m = None
        if known.height is not None and known.height[0] == clock:
            height_m, altitude_m = known.height[1:]
        position = None
        if known.fix != "none" and isinstance(latitude_deg, float) and isinstance(longitude_deg, float):
            position = geodetic(latitude_deg, longitude_deg, height_m)
        return OwnPosition(
            sensor_id=self._sensor.sensor_id,
            time_ns=received_ns - self._sensor.latency_ns,
            position=position,
            altitude_msl_m=altitude_m if position is not None else None,
            horizontal_sigma_m=sigma_m if position is not None else None,
            fix=known.fix,
            satellites_used=known.satellites_used,
            utc_ns=utc_ns(known.date, clock),
            jammed=known.is_jammed,
            spoofed=known.is_spoofed,
        )

    def _from_ubx(self, message: UbxMessage, received_ns: int) -> OwnPosition | None:
        fields: dict[str, Any] = message.fields
        if not fields:
            return None
        match message.identity:
            case "NAV-PVT":
                return self._from_pvt(fields, received_ns)
            case "NAV-STATUS":
                self._known.is_spoofed = _flag(fields["spoofDetState"])
            case "MON-HW":
                self._known.is_jammed = _flag(fields["jammingState"])
            case "MON-RF":
                blocks = [_flag(fields[f"jammingState_{n + 1:02}"]) for n in range(fields["nBlocks"])]
                self._known.is_jammed = None if all(block is None for block in blocks) else any(blocks)
            case "SEC-SIG":
                self._known.is_jammed = _flag(fields["jammingState"]) if fields["jamDetEnabled"] else None
                self._known.is_spoofed = _flag(fields["spoofingState"]) if fields["spfDetEnabled"] else None
        return None

    def _from_pvt(self, fields: dict[str, Any], received_ns: int) -> OwnPosition:
        known = self._known
        fix = FIX_OF_UBX.get(fields["fixType"], "unknown") if fields["gnssFixOk"] else "none"
        if fields["carrSoln"] and fix == "3d":
            fix = "rtk_fixed" if fields["carrSoln"] == 2 else "rtk_float"
        elif fields["diffSoln"] and fix == "3d":
            fix = "differential"
        known.fix, known.satellites_used = fix, fields["numSV"]
        clock = f"{fields['hour']:02}:{fields['min']:02}:{fields['second']:02}"
        date = date_text(fields["year"], fields["month"], fields["day"])
        time_is_valid = fields["validDate"] and fields["validTime"] and abs(fields["nano"]) <= 1_000_000_000
        second_ns = utc_ns(date, clock) if time_is_valid else None
        has_position = fix != "none" and not fields["invalidLlh"]
        return OwnPosition(
            sensor_id=self._sensor.sensor_id,
            time_ns=received_ns - self._sensor.latency_ns,
            position=geodetic(fields["lat"], fields["lon"], fields["height"] / 1000.0) if has_position else None,
            altitude_msl_m=plausible_height_m(fields["hMSL"] / 1000.0) if has_position else None,
            horizontal_sigma_m=plausible_sigma_m(fields["hAcc"] / 1000.0) if has_position else None,
            fix=fix,
            satellites_used=known.satellites_used,
            utc_ns=None if second_ns is None else second_ns + fields["nano"],
            jammed=known.is_jammed,
            spoofed=known.is_spoofed,
        )


def plausible_sigma_m(sigma_m: float) -> float | None:
    """The error; None where it is none."""
    return sigma_m if 0.0 < sigma_m < LARGEST_SIGMA_M else None


def _integer(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def _flag(state: int) -> bool | None:
    """u-blox's scale: 0 unknown or switched off, 1 all is well, 2 and more something is found."""
    return None if state == 0 else state >= 2


def date_text(year: Value, month: Value, day: Value) -> str | None:
    """YYYY-MM-DD; None where these are no real date that a receiver of today can tell."""
    if not (isinstance(year, int) and isinstance(month, int) and isinstance(day, int)):
        return None
    if not (EARLIEST_YEAR <= year <= LATEST_YEAR and 1 <= month <= 12):
        return None
    return f"{year:04}-{month:02}-{day:02}" if 1 <= day <= calendar.monthrange(year, month)[1] else None


def utc_ns(date: str | None, clock: str) -> int | None:
    """Nanoseconds since 1970 of YYYY-MM-DD and HH:MM:SS[.ffffff]; None where either is missing or none that is real."""
    day, time_of_day = DATE.fullmatch(date or ""), CLOCK.fullmatch(clock)
    if day is None or time_of_day is None or date_text(*(int(part) for part in day.groups())) is None:
        return None
    hours, minutes, seconds, fraction = time_of_day.groups(default="")
    if not (hours <= "23" and minutes <= "59" and seconds <= "60"):
        return None
    whole_s = calendar.timegm(tuple(int(part) for part in (*day.groups(), hours, minutes, seconds)))
    return whole_s * 1_000_000_000 + int(fraction.ljust(9, "0"))


def record(message: Message) -> dict[str, Any]:
    """A message as plain data, fields named as in the receivers' documents."""
    if isinstance(message, RtcmMessage):
        return {"protocol": "RTCM", "identity": message.identity, "fields": {}}
    protocol = "NMEA" if isinstance(message, Sentence) else "UBX"
    return {"protocol": protocol, "identity": message.identity, "fields": message.fields}
