"""ADS-B, the way back: messages with their parity, compact positions and Beast frames, for simulators, tests and benchmarks.

The layouts stand in `ads_b_messages.py`, `mode_s.py`, `cpr.py` and `ads_b_streams.py`.
"""

from __future__ import annotations

import math

from firmware_interfaces import cpr
from firmware_interfaces.ads_b_messages import LETTERS
from firmware_interfaces.mode_s import parity_left

ADDRESS = 0x4B1234


def squitter(me: int, address: int = ADDRESS, df: int = 17) -> bytes:
    """DF17 (or 18) with its parity."""
    body = bytes((df << 3 | 5,)) + address.to_bytes(3, "big") + me.to_bytes(7, "big")
    return body + parity_left(body + bytes(3)).to_bytes(3, "big")


def reply(df: int, code: int, address: int = ADDRESS) -> bytes:
    """DF4 or 5: 13 bits of altitude or identity, the address mixed into the parity."""
    body = bytes((df << 3, 0)) + code.to_bytes(2, "big")
    return body + (parity_left(body + bytes(3)) ^ address).to_bytes(3, "big")


def compact(latitude_deg: float, longitude_deg: float, is_odd: bool, span_deg: float = 360.0) -> tuple[int, int]:
    """cpr_lat and cpr_lon of a place; span 90 on the ground."""
    step_deg = span_deg / (60 - is_odd)
    y = math.floor(131_072 * (latitude_deg % step_deg) / step_deg + 0.5)
    seen_deg = step_deg * (y / 131_072 + math.floor(latitude_deg / step_deg))
    step_deg = span_deg / max(cpr.longitude_zones(seen_deg) - is_odd, 1)
    x = math.floor(131_072 * (longitude_deg % step_deg) / step_deg + 0.5)
    return y % 131_072, x % 131_072


def position(latitude_deg: float, longitude_deg: float, is_odd: bool, altitude_ft: int = 6000, code: int = 11) -> int:
    """ME of an airborne position."""
    steps = (altitude_ft + 1000) // 25
    altitude = altitude_ft if code >= 20 else (steps & 0x7F0) << 1 | 0x10 | steps & 0xF
    y, x = compact(latitude_deg, longitude_deg, is_odd)
    return code << 51 | altitude << 36 | is_odd << 34 | y << 17 | x


def surface(latitude_deg: float, longitude_deg: float, is_odd: bool, movement: int = 39, track: int = 32) -> int:
    """ME of a position on the ground."""
    y, x = compact(latitude_deg, longitude_deg, is_odd, 90.0)
    return 7 << 51 | movement << 44 | 1 << 43 | track << 36 | is_odd << 34 | y << 17 | x


def velocity(east_kt: int, north_kt: int, climb_ft_min: int = 0, difference_ft: int = 100, nac_v: int = 2) -> int:
    """ME of a velocity over ground."""
    me = 19 << 51 | 1 << 48 | nac_v << 43
    me |= (east_kt < 0) << 42 | abs(east_kt) + 1 << 32 | (north_kt < 0) << 31 | abs(north_kt) + 1 << 21
    me |= (climb_ft_min < 0) << 19 | abs(climb_ft_min) // 64 + 1 << 10
    return me | (difference_ft < 0) << 7 | abs(difference_ft) // 25 + 1


def identification(callsign: str, code: int = 4, category: int = 3) -> int:
    """ME of a callsign."""
    me = code << 3 | category
    for letter in callsign.ljust(8):
        me = me << 6 | LETTERS.index(letter)
    return me


def operation(version: int, nac_p: int, gva: int) -> int:
    """ME of the operational status of an airborne aircraft."""
    return 31 << 51 | version << 13 | nac_p << 8 | gva << 6 | 3 << 4


def beast(message: bytes, timestamp: int = 0, signal: int = 0x1A) -> bytes:
    """A Beast frame, escaped."""
    kind = {2: b"1", 7: b"2", 14: b"3"}[len(message)]
    body = timestamp.to_bytes(6, "big") + bytes((signal,)) + message
    return b"\x1a" + kind + body.replace(b"\x1a", b"\x1a\x1a")
