"""ADS-B messages: the 56 bits (ME) that aircraft broadcast in DF17 and DF18.

    type code 5 bits | 51 bits by type

    1..4      identification and category        19       velocity over ground or through the air
    5..8      position on the ground             28.1     emergency and squawk
    9..18     position, pressure altitude        29.1     target state: accuracy, selected altitude
    20..22    position, GNSS height              31       operational status: version and accuracy

Positions are compact (CPR): `cpr.py` puts them together. Speeds are knots, altitudes feet, vertical rates ft/min, as the
standard has them; unknown is None.

Source: RTCA DO-260B, 2.2.3; ICAO Doc 9871, tables A-2 and B-2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]

LETTERS = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"
FOOT_A_METRE = 3.28084
NUC_P = {
    9: 9, 10: 8, 11: 7, 12: 6, 13: 5, 14: 4, 15: 3, 16: 2, 17: 1, 18: 0, 20: 9, 21: 8, 22: 0,
}  # fmt: skip


def decode_extended(fields: Fields, me: int) -> Fields:
    """Add the fields of one ME."""
    code = me >> 51
    fields["typecode"] = code
    reader = READERS[code]
    if reader is not None:
        reader(fields, me)
    return fields


def _identification(fields: Fields, me: int) -> None:
    fields["bds"] = "0,8"
    fields["category"] = me >> 48 & 7
    letters = "".join([LETTERS[me >> shift & 0x3F] for shift in (42, 36, 30, 24, 18, 12, 6, 0)])
    fields["callsign"] = letters.strip()


def _airborne(fields: Fields, me: int) -> None:
    code, altitude = fields["typecode"], me >> 36 & 0xFFF
    fields["bds"] = "0,5"
    if code >= 20:
        fields["altitude"] = int(altitude * FOOT_A_METRE) if altitude else None
    elif altitude & 0x10:
        fields["altitude"] = ((altitude & 0xFE0) >> 1 | altitude & 0xF) * 25 - 1000
    else:  # the 13 bits without M
        fields["altitude"] = altitude_of_gillham_ft((altitude & 0xFC0) << 1 | altitude & 0x3F) if altitude else None
    fields["surveillance_status"] = me >> 49 & 3
    fields["nic_b"] = me >> 48 & 1
    fields["cpr_format"] = me >> 34 & 1
    fields["cpr_lat"] = me >> 17 & 0x1FFFF
    fields["cpr_lon"] = me & 0x1FFFF
    fields["nuc_p"] = NUC_P[code]


def _surface(fields: Fields, me: int) -> None:
    movement, has_track = me >> 44 & 0x7F, me >> 43 & 1
    fields["bds"] = "0,6"
    fields["movement"] = movement
    fields["groundspeed"] = surface_speed_kt(movement)
    fields["track"] = (me >> 36 & 0x7F) * 360.0 / 128.0 if has_track else None
    fields["track_status"] = has_track
    fields["cpr_format"] = me >> 34 & 1
    fields["cpr_lat"] = me >> 17 & 0x1FFFF
    fields["cpr_lon"] = me & 0x1FFFF


def surface_speed_kt(movement: int) -> float | None:
    """The steps of the movement field, each the lower end of its interval."""
    for first, speed_kt, step_kt in STEPS:
        if movement >= first:
            return None if speed_kt is None else speed_kt + (movement - first) * step_kt
    return None


STEPS: tuple[tuple[int, float | None, float], ...] = (
    (125, None, 0.0), (124, 175.0, 0.0), (109, 100.0, 5.0), (94, 70.0, 2.0), (39, 15.0, 1.0), (13, 2.0, 0.5),
    (9, 1.0, 0.25), (2, 0.125, 0.125), (1, 0.0, 0.0), (0, None, 0.0),
)  # fmt: skip


def _velocity(fields: Fields, me: int) -> None:
    subtype = me >> 48 & 7
    fields["bds"] = "0,9"
    fields["subtype"] = subtype
    fields["nac_v"] = me >> 43 & 7
    step = 4 if subtype in (2, 4) else 1
    east, north = me >> 32 & 0x3FF, me >> 21 & 0x3FF
    if subtype in (1, 2):
        if east and north:
            east_kt = (east - 1) * (-step if me >> 42 & 1 else step)
            north_kt = (north - 1) * (-step if me >> 31 & 1 else step)
            fields["east_kt"], fields["north_kt"] = east_kt, north_kt
            fields["groundspeed"] = int(math.hypot(east_kt, north_kt))
            fields["track"] = math.degrees(math.atan2(east_kt, north_kt)) % 360.0
        else:
            fields["groundspeed"] = fields["track"] = None
    elif subtype in (3, 4):
        fields["airspeed"] = (north - 1) * step if north else None
        fields["heading"] = east * 360.0 / 1024.0 if me >> 42 & 1 else None
        fields["airspeed_type"] = "TAS" if me >> 31 & 1 else "IAS"
    fields["vr_source"] = "BARO" if me >> 20 & 1 else "GNSS"
    rate, difference = me >> 10 & 0x1FF, me & 0x7F
    fields["vertical_rate"] = (rate - 1) * (-64 if me >> 19 & 1 else 64) if rate else None
    fields["geo_minus_baro"] = (difference - 1) * (-25 if me >> 7 & 1 else 25) if 0 < difference < 127 else None


def _status(fields: Fields, me: int) -> None:
    fields["bds"] = "6,1"
    fields["subtype"] = me >> 48 & 7
    if fields["subtype"] == 1:
        fields["emergency_state"] = me >> 45 & 7
        fields["squawk"] = squawk_text(me >> 32 & 0x1FFF)


def _target_state(fields: Fields, me: int) -> None:
    subtype = me >> 49 & 3
    fields["bds"] = "6,2"
    fields["subtype"] = subtype
    if subtype != 1:  # 0 is version 1's, of another layout
        return
    altitude, pressure, has_modes = me >> 36 & 0x7FF, me >> 27 & 0x1FF, me >> 9 & 1
    fields["selected_altitude"] = (altitude - 1) * 32 if altitude else None
    fields["selected_altitude_source"] = "FMS" if me >> 47 & 1 else "MCP/FCU"
    fields["baro_pressure_setting"] = round(800.0 + (pressure - 1) * 0.8, 1) if pressure else None
    fields["selected_heading"] = (me >> 17 & 0x1FF) * 180.0 / 256.0 if me >> 26 & 1 else None
    fields["nac_p"] = me >> 13 & 0xF
    fields["nic_baro"] = me >> 12 & 1
    fields["sil"] = me >> 10 & 3
    for name, bit in (
        ("autopilot", 8), ("vnav_mode", 7), ("altitude_hold_mode", 6), ("approach_mode", 4), ("lnav_mode", 2),
    ):  # fmt: skip
        fields[name] = bool(me >> bit & 1) if has_modes else None
    fields["tcas_operational"] = bool(me >> 3 & 1)


def _operation(fields: Fields, me: int) -> None:
    subtype, version = me >> 48 & 7, me >> 13 & 7
    fields["bds"] = "6,5"
    fields["subtype"] = subtype
    fields["version"] = version
    fields["nic_supplement_a"] = me >> 12 & 1
    fields["nac_p"] = me >> 8 & 0xF
    fields["sil"] = me >> 4 & 3
    fields["hrd"] = me >> 2 & 1
    fields["capability_class"] = me >> 32 & 0xFFFF
    fields["operational_mode"] = me >> 16 & 0xFFFF
    if version >= 2:
        fields["sil_supplement"] = me >> 1 & 1
    if subtype == 0:
        fields["nic_baro"] = me >> 3 & 1
        if version >= 2:
            fields["gva"] = me >> 6 & 3


Reader: TypeAlias = Callable[[Fields, int], None]
READERS: tuple[Reader | None, ...] = (
    None,
    *[_identification] * 4, *[_surface] * 4, *[_airborne] * 10, _velocity, *[_airborne] * 3,
    *[None] * 5, _status, _target_state, None, _operation,
)  # fmt: skip


def altitude_of_gillham_ft(code: int) -> int | None:
    """C1 A1 C2 A2 C4 A4 M B1 Q B2 D2 B4 D4 in steps of 100 ft, Gray coded; None where the code is none."""
    c1, a1, c2, a2, c4, a4, _, b1, _, b2, d2, b4, d4 = (code >> shift & 1 for shift in range(12, -1, -1))
    hundreds = _binary_of_gray((c1, c2, c4))
    if hundreds in (0, 5, 6):
        return None
    hundreds = 5 if hundreds == 7 else hundreds
    five_hundreds = _binary_of_gray((d2, d4, a1, a2, a4, b1, b2, b4))
    hundreds = 6 - hundreds if five_hundreds % 2 else hundreds
    return five_hundreds * 500 + hundreds * 100 - 1300


def _binary_of_gray(bits: tuple[int, ...]) -> int:
    value = bit = 0
    for gray in bits:
        bit ^= gray
        value = value << 1 | bit
    return value


def squawk_text(code: int) -> str:
    """C1 A1 C2 A2 C4 A4 X B1 D1 B2 D2 B4 D4 as the four octal digits A B C D."""
    c1, a1, c2, a2, c4, a4, _, b1, d1, b2, d2, b4, d4 = (code >> shift & 1 for shift in range(12, -1, -1))
    digits = (a4, a2, a1), (b4, b2, b1), (c4, c2, c1), (d4, d2, d1)
    return "".join(str(four << 2 | two << 1 | one) for four, two, one in digits)
