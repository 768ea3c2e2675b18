"""Compact position reporting: where an aircraft is, out of 17 bits of latitude and 17 of longitude.

The Earth is cut into zones, and a message tells only the place within one. Even messages use 60 zones of latitude, odd ones
59; an even and an odd message of about the same time therefore fit together in one zone only (global decoding). Beside a place
that is known to be within half a zone, one message is enough (local decoding).

    latitude    |--- 6° ---|--- 6° ---|     even           NL(latitude) zones of longitude, 59 at the equator, 1 at the poles;
                |--- 6.1° ---|--- 6.1°      odd            one fewer in odd messages

On the ground zones are a quarter as wide, and four places fit a pair: the one nearest to a reference is meant.

Source: RTCA DO-260B, A.1.7; ICAO Doc 9871, C.2.6.
"""

from __future__ import annotations

import math
from bisect import bisect_left

NZ = 15
SCALE = 1.0 / 131_072.0  # 17 bits


def _limits() -> list[float]:
    """Latitudes at which NL falls by one, growing: below the first it is 59."""
    numerator = 1.0 - math.cos(math.pi / (2 * NZ))
    return [
        math.degrees(math.acos(math.sqrt(numerator / (1.0 - math.cos(2.0 * math.pi / zones)))))
        for zones in range(59, 1, -1)
    ]


LIMITS = _limits()


def longitude_zones(latitude_deg: float) -> int:
    """NL: how many zones of longitude there are at a latitude."""
    return 59 - bisect_left(LIMITS, abs(latitude_deg))


def global_position(even: tuple[int, int], odd: tuple[int, int], is_odd_newer: bool) -> tuple[float, float] | None:
    """Latitude and longitude, degrees, of the newer of an even and an odd airborne message (cpr_lat, cpr_lon each).

    None where the two lie in different zones of latitude: the aircraft crossed into the next between them, or they are not
    of one flight.
    """
    return _pair(even, odd, is_odd_newer, 360.0)


def surface_position(
    even: tuple[int, int], odd: tuple[int, int], is_odd_newer: bool, reference: tuple[float, float]
) -> tuple[float, float] | None:
    """As `global_position`, of two messages on the ground; of the places that fit, the one nearest to the reference."""
    found = _pair(even, odd, is_odd_newer, 90.0)
    if found is None:
        return None
    latitudes = [latitude for latitude in (found[0], found[0] - 90.0) if abs(latitude) <= 90.0]
    latitude = min(latitudes, key=lambda value: abs(value - reference[0]))
    if latitude != found[0]:  # zones of longitude depend on the hemisphere's latitude
        again = _longitude(even, odd, is_odd_newer, latitude, 90.0)
        found = (latitude, again)
    return latitude, found[1] + 90.0 * round((reference[1] - found[1]) / 90.0)


def _pair(
    even: tuple[int, int], odd: tuple[int, int], is_odd_newer: bool, span_deg: float
) -> tuple[float, float] | None:
    even_part, odd_part = even[0] * SCALE, odd[0] * SCALE
    zone = math.floor(59 * even_part - 60 * odd_part + 0.5)
    even_deg = span_deg / 60 * (zone % 60 + even_part)
    odd_deg = span_deg / 59 * (zone % 59 + odd_part)
    if span_deg == 360.0:
        even_deg -= 360.0 if even_deg >= 270.0 else 0.0
        odd_deg -= 360.0 if odd_deg >= 270.0 else 0.0
    if not (-90.0 <= even_deg <= 90.0 and -90.0 <= odd_deg <= 90.0):
        return None
    if longitude_zones(even_deg) != longitude_zones(odd_deg):
        return None
    latitude = odd_deg if is_odd_newer else even_deg
    return latitude, _longitude(even, odd, is_odd_newer, latitude, span_deg)


def _longitude(
    even: tuple[int, int], odd: tuple[int, int], is_odd_newer: bool, latitude_deg: float, span_deg: float
) -> float:
    zones = longitude_zones(latitude_deg)
    even_part, odd_part = even[1] * SCALE, odd[1] * SCALE
    zone = math.floor(even_part * (zones - 1) - odd_part * zones + 0.5)
    count = max(zones - is_odd_newer, 1)
    longitude = span_deg / count * (zone % count + (odd_part if is_odd_newer else even_part))
    return longitude - 360.0 if longitude > 180.0 else longitude


def local_position(
    place: tuple[int, int], is_odd: bool, reference: tuple[float, float], is_on_ground: bool = False
) -> tuple[float, float]:
    """Latitude and longitude of one message (cpr_lat, cpr_lon) beside a place within half a zone of it."""
    span_deg = 90.0 if is_on_ground else 360.0
    step_deg = span_deg / (60 - is_odd)
    part = place[0] * SCALE
    latitude = step_deg * (math.floor(0.5 + reference[0] / step_deg - part) + part)
    step_deg = span_deg / max(longitude_zones(latitude) - is_odd, 1)
    part = place[1] * SCALE
    longitude = step_deg * (math.floor(0.5 + reference[1] / step_deg - part) + part)
    return latitude, (longitude + 180.0) % 360.0 - 180.0
