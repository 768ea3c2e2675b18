"""NMEA 0183 sentences: text lines from GNSS receivers and compasses.

    $GPGGA,171926.00,4404.14063,N,12118.85478,W,1,12,0.91,1147.2,M,-21.3,M,,*54 CR LF
     ^^ talker       ^ ddmm.mmmm                                              ^^ XOR of all between $ and *

The table tells each field's name and kind; a sentence that is not in it is checked and left uninterpreted. Fields that
are empty, or are not what their kind says, are "".

Source: NMEA 0183 v4.11 as published in receivers' manuals (u-blox M8 receiver description, section "NMEA protocol").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from firmware_interfaces.checksums import xor8
from firmware_interfaces.decoder import Rejected

MAX_SENTENCE_BYTES = 512  # the standard says 82; high precision and proprietary sentences are longer
MAX_DIGITS = 18  # of an integer
HEX_DIGITS = b"0123456789ABCDEFabcdef"
Value: TypeAlias = str | int | float

# sentence -> its fields as name:kind. Kinds: t time, d date, a angle, f number, i integer, s text.
# After "+" stands the group that repeats; "?" marks a field that only newer receivers send.
TABLE: dict[str, str] = {
    "GGA": "time:t lat:a NS:s lon:a EW:s quality:i numSV:i HDOP:f alt:f altUnit:s sep:f sepUnit:s diffAge:f "
    "diffStation:i",
    "RMC": "time:t status:s lat:a NS:s lon:a EW:s spd:f cog:f date:d mv:f mvEW:s posMode:s? navStatus:s?",
    "GLL": "lat:a NS:s lon:a EW:s time:t status:s posMode:s?",
    "GSA": "opMode:s navMode:i "
    + " ".join(f"svid_{n:02}:i" for n in range(1, 13))
    + " PDOP:f HDOP:f VDOP:f systemId:s?",
    "GST": "time:t rangeRms:f stdMajor:f stdMinor:f orient:f stdLat:f stdLong:f stdAlt:f",
    "ZDA": "time:t day:i month:i year:i ltzh:s ltzn:s",
    "VTG": "cogt:f cogtUnit:s cogm:f cogmUnit:s sogn:f sognUnit:s sogk:f sogkUnit:s posMode:s?",
    "GSV": "numMsg:i msgNum:i numSV:i + svid:i elv:i az:i cno:i signalID:s?",
    "HDT": "headingT:f headingTu:s",
    "HDM": "headingM:f headingMag:s",
    "HDG": "headingM:f deviation:f deviationEW:s variation:f variationEW:s",
    "VHW": "hdgT:f hgdTu:s hdgM:f hgdMu:s spdN:f spdNu:s spdK:f spdKu:s",
    "GNS": "time:t lat:a NS:s lon:a EW:s posMode:s numSV:i HDOP:f alt:f sep:f diffAge:f diffStation:i navStatus:s?",
    "THS": "headt:f mi:s",
    "ROT": "rot:f valid:s",
    "XDR": "+ tdrtype:s data:f dataunit:s tdrid:s",
    "TXT": "numMsg:i msgNum:i msgType:i text:s",
    "PTNTHTM": " ".join(f"field_{n:02}:s" for n in range(1, 9)),  # heading, pitch, roll of a True North compass
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One checked sentence."""

    identity: str  # talker and type: "GPGGA"; proprietary ones begin with P
    values: tuple[str, ...]  # all fields, as sent
    has_checksum: bool = True

    @property
    def kind(self) -> str:
        """The sentence's type without its talker; proprietary ones have none."""
        return self.identity if self.identity.startswith("P") else self.identity[2:]

    @property
    def is_listed(self) -> bool:
        """Whether the table names it."""
        return self.kind in ROWS

    @property
    def fields(self) -> dict[str, Value]:
        """The fields by name; empty for sentences that are not in the table."""
        row = ROWS.get(self.kind)
        return {} if row is None else row.read(self.values)


def sentence_at(buffer: bytearray, start: int, needs_checksum: bool = True) -> tuple[Sentence, int] | None:
    """The sentence at `start` and its length up to the checksum; None: more bytes are needed. Raises Rejected."""
    end = start + 1
    limit = min(len(buffer), start + MAX_SENTENCE_BYTES)
    while end < limit and 0x20 <= (byte := buffer[end]) < 0x7F and byte not in b"$*":
        end += 1
    if end >= limit:
        if limit == start + MAX_SENTENCE_BYTES:
            raise Rejected("length", f"a sentence is longer than {MAX_SENTENCE_BYTES} bytes")
        return None
    body = bytes(buffer[start + 1 : end])
    if buffer[end] != ord("*"):
        if buffer[end] not in b"\r\n":
            raise Rejected("cut", "a sentence is broken off by something else")
        if needs_checksum:
            raise Rejected("checksum", "a sentence without checksum")
        return _split(body, False), end - start
    digits = bytes(buffer[end + 1 : end + 3])
    if any(digit not in HEX_DIGITS for digit in digits):
        raise Rejected("checksum", "the checksum is no hexadecimal number")
    if len(digits) < 2:
        return None
    if int(digits, 16) != (expected := xor8(body)):
        raise Rejected("checksum", f"checksum is {digits.decode()}, expected {expected:02X}")
    return _split(body, True), end + 3 - start


def _split(body: bytes, has_checksum: bool) -> Sentence:
    identity, *values = body.decode("ascii").split(",")
    is_proprietary = has_checksum and identity.startswith("P")  # SiRF's $PSRFTXT has its text right behind it
    if len(identity) < 3 or not (identity.isalnum() or is_proprietary):
        raise Rejected("unknown", f'a line that begins with "{identity[:12]}" is no sentence')
    return Sentence(identity, tuple(values), has_checksum)


# Fields


class Row:
    """One line of the table: the fields before the repeated group, the group, the fields behind it."""

    def __init__(self, text: str) -> None:
        head, plus, rest = text.partition("+")
        self.head = [_column(entry) for entry in head.split()]
        group = [_column(entry) for entry in rest.split()] if plus else []
        self.group = [column for column in group if not column[2]]
        self.tail = [column for column in group if column[2]]

    def read(self, values: tuple[str, ...]) -> dict[str, Value]:
        """The values by name; missing optional ones are left out, other missing ones are ""."""
        out: dict[str, Value] = {}
        for index, (name, kind, is_optional) in enumerate(self.head):
            if index < len(values):
                out[name] = READ[kind](values[index])
            elif not is_optional:
                out[name] = ""
        if not self.group:
            return _signed(out)
        rest = values[len(self.head) :]
        repeats = len(rest) // len(self.group)
        for number in range(repeats):
            for place, (name, kind, _) in enumerate(self.group):
                out[f"{name}_{number + 1:02}"] = READ[kind](rest[number * len(self.group) + place])
        for (name, kind, _), value in zip(self.tail, rest[repeats * len(self.group) :], strict=False):
            out[name] = READ[kind](value)
        return out


def _column(entry: str) -> tuple[str, str, bool]:
    name, kind = entry.rstrip("?").split(":")
    return name, kind, entry.endswith("?")


def _signed(out: dict[str, Value]) -> dict[str, Value]:
    """South and west are negative."""
    for name, letter_name, negative in (("lat", "NS", "S"), ("lon", "EW", "W")):
        value = out.get(name)
        if isinstance(value, float) and out.get(letter_name) == negative:
            out[name] = -value
    return out


def _time(text: str) -> str:
    """HH:MM:SS, with six digits of fraction where there is one."""
    whole, _, fraction = text.partition(".")
    if len(whole) != 6 or not whole.isdecimal() or not (fraction or "0").isdecimal():
        return ""
    if not (whole[:2] <= "23" and whole[2:4] <= "59" and whole[4:] <= "60"):
        return ""
    micros = fraction[:6].ljust(6, "0")
    return f"{whole[:2]}:{whole[2:4]}:{whole[4:]}" + (f".{micros}" if int(micros) else "")


def _date(text: str) -> str:
    """YYYY-MM-DD; two-digit years from 69 on are of the last century."""
    if len(text) != 6 or not text.isdecimal() or not ("01" <= text[:2] <= "31" and "01" <= text[2:4] <= "12"):
        return ""
    return f"{'19' if text[4:] >= '69' else '20'}{text[4:]}-{text[2:4]}-{text[:2]}"


def _angle(text: str) -> Value:
    """Degrees of dddmm.mmmm; minutes are the two digits before the point, since some receivers leave zeros out.

    Receivers without a fix send 8960.0000, or 36000.0000: an angle as sent, and none of a place on Earth."""
    whole = text.partition(".")[0]
    degrees, minutes = whole[:-2] or "0", _number(text[max(0, len(whole) - 2) :])
    if not (whole.isdecimal() and whole.isascii() and len(degrees) <= 3 and isinstance(minutes, float)):
        return ""
    return round(int(degrees) + minutes / 60.0, 10) if minutes <= 60.0 else ""  # 59.99999 may be rounded to 60.0000


def _number(text: str) -> Value:
    try:
        value = float(text)
    except ValueError:
        return ""
    return value if math.isfinite(value) else ""


def _integer(text: str) -> Value:
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and digits.isascii() and len(digits) <= MAX_DIGITS else ""


READ: dict[str, Callable[[str], Value]] = {
    "t": _time,
    "d": _date,
    "a": _angle,
    "f": _number,
    "i": _integer,
    "s": str,
}
ROWS = {kind: Row(text) for kind, text in TABLE.items()}


# The way back


def encode(identity: str, *values: object) -> bytes:
    """A sentence with its checksum and line end."""
    body = ",".join([identity, *(str(value) for value in values)]).encode("ascii")
    return b"$%s*%02X\r\n" % (body, xor8(body))


def encode_gga(
    time_of_day_s: float,
    latitude_deg: float,
    longitude_deg: float,
    altitude_msl_m: float,
    geoid_height_m: float,
    quality: int = 1,
    satellites_used: int = 12,
    horizontal_dilution: float = 0.9,
) -> bytes:
    """Position and height. `geoid_height_m` is the ellipsoid-to-sea-level separation that the receiver uses."""
    return encode(
        "GNGGA", clock_text(time_of_day_s), *position_text(latitude_deg, longitude_deg), quality,
        f"{satellites_used:02}", f"{horizontal_dilution:.2f}", f"{altitude_msl_m:.1f}", "M",
        f"{geoid_height_m:.1f}", "M", "", "",
    )  # fmt: skip


def encode_rmc(
    time_of_day_s: float,
    date: str,
    latitude_deg: float,
    longitude_deg: float,
    speed_m_s: float = 0.0,
    course_deg: float | None = None,
    is_valid: bool = True,
) -> bytes:
    """Position, speed and date; `date` is ddmmyy."""
    return encode(
        "GNRMC", clock_text(time_of_day_s), "A" if is_valid else "V", *position_text(latitude_deg, longitude_deg),
        f"{speed_m_s / KNOT_M_S:.3f}", "" if course_deg is None else f"{course_deg:.2f}", date, "", "",
        "A" if is_valid else "N",
    )  # fmt: skip


def encode_gst(time_of_day_s: float, north_sigma_m: float, east_sigma_m: float, up_sigma_m: float) -> bytes:
    """The receiver's own 1-sigma errors."""
    sigmas = (f"{sigma:.2f}" for sigma in (north_sigma_m, east_sigma_m, up_sigma_m))
    return encode("GNGST", clock_text(time_of_day_s), "", "", "", "", *sigmas)


KNOT_M_S = 1852.0 / 3600.0


def clock_text(time_of_day_s: float) -> str:
    """hhmmss.ss of the seconds since midnight."""
    hundredths = round(time_of_day_s * 100.0) % 8_640_000
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60:02}{minutes % 60:02}{rest // 100:02}.{rest % 100:02}"


def position_text(latitude_deg: float, longitude_deg: float) -> tuple[str, str, str, str]:
    """ddmm.mmmmmm, N or S, dddmm.mmmmmm, E or W."""
    return (
        _minutes_text(abs(latitude_deg), 2), "S" if latitude_deg < 0.0 else "N",
        _minutes_text(abs(longitude_deg), 3), "W" if longitude_deg < 0.0 else "E",
    )  # fmt: skip


def _minutes_text(angle_deg: float, degree_digits: int) -> str:
    degrees, micro_minutes = divmod(round(angle_deg * 60e6), 60_000_000)
    return f"{degrees:0{degree_digits}}{micro_minutes / 1e6:09.6f}"
