"""What ASTERIX records of other systems say: tracks of trackers and multilateration, and what aircraft broadcast.

    CAT062, 015     system tracks                        RemoteTrack: never fused as if they were detections of ours
    CAT020, 010     multilateration and surface tracks   RemoteTrack, where they have a number and a position on WGS-84
    CAT021          ADS-B, heard by a ground station     Claim: nothing in it is authenticated
    CAT205          a direction finder's bearing         Presence
    CAT065          state of the tracking service        Status

Heights are taken where they are above the ellipsoid (geometric); flight levels are not. Cartesian positions need the other
system's origin, so records with nothing else give no fact.

Source: EUROCONTROL-SPEC-0149 Parts 7 (CAT010), 9 (CAT062), 12 (CAT021), 14 (CAT020), 15 (CAT065), 29 (CAT205), 36 (CAT015).
"""

from __future__ import annotations

import math
from typing import Any

from firmware_interfaces import adsb_accuracy
from firmware_interfaces.asterix_records import Record
from firmware_interfaces.positions import geodetic
from fusion.types import Claim, Geodetic, Presence, RemoteTrack, Status

FOOT_M = 0.3048
NM_M = 1852.0
METRES_A_DEGREE = 111_132.0  # of latitude, at 45 degrees; errors need no better
CATEGORIES = {1: "airplane", 3: "airplane", 5: "airplane", 10: "helicopter", 11: "glider", 12: "balloon", 13: "drone"}
ADDRESS_TYPES = {0: "icao"}  # others are assigned by nobody
SERVICE_STATES = {0: "ok", 1: "warning", 2: "fault"}


def value_at(record: Record, *path: str) -> float | None:
    """A number in its item's unit; raw where it has none; None where the record has no such item."""
    content: Any = record
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    if not isinstance(content, dict):
        return None
    found = content.get("value", content.get("raw"))
    return float(found) if isinstance(found, int | float) else None


def raw_at(record: Record, *path: str) -> int | None:
    """A number as it was sent."""
    content: Any = record
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    found = content.get("raw") if isinstance(content, dict) else None
    return found if isinstance(found, int) else None


def scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def position_at(record: Record, height_m: float | None, *paths: tuple[str, ...]) -> Geodetic | None:
    """The first of several places of a record that holds latitude and longitude."""
    for *item, latitude, longitude in paths:
        latitude_deg, longitude_deg = value_at(record, *item, latitude), value_at(record, *item, longitude)
        if latitude_deg is not None and longitude_deg is not None:
            return geodetic(latitude_deg, longitude_deg, height_m)
    return None


def larger(first: float | None, second: float | None) -> float | None:
    """Of the errors along two axes the larger; None where either is unknown, or nothing."""
    return max(first, second) or None if first is not None and second is not None else None


def system_track(record: Record, sensor_id: str, time_ns: int) -> RemoteTrack | None:
    """CAT062."""
    number = raw_at(record, "040")
    position = position_at(record, scaled(value_at(record, "130"), FOOT_M), ("105", "LAT", "LON"))
    if number is None or position is None:
        return None
    sigma_m = larger(value_at(record, "500", "APC", "X"), value_at(record, "500", "APC", "Y"))
    if sigma_m is None:
        cosine = math.cos(math.radians(position.latitude_deg))
        sigma_m = larger(
            scaled(value_at(record, "500", "APW", "LAT"), METRES_A_DEGREE),
            scaled(value_at(record, "500", "APW", "LON"), METRES_A_DEGREE * cosine),
        )
    climb_m_s = scaled(value_at(record, "220"), FOOT_M / 60.0)
    velocity = velocity_of(value_at(record, "185", "VX"), value_at(record, "185", "VY"), climb_m_s)
    return RemoteTrack(sensor_id, time_ns, number, position, sigma_m, velocity)


def multilateration_track(record: Record, sensor_id: str, time_ns: int) -> RemoteTrack | None:
    """CAT020 and CAT010."""
    number = raw_at(record, "161", "TRN")
    number = raw_at(record, "161", "TRK") if number is None else number
    height_m = scaled(value_at(record, "105"), FOOT_M)
    position = position_at(record, height_m, ("041", "LAT", "LON"))
    if number is None or position is None:
        return None
    sigma_m = larger(value_at(record, "500", "SDP", "X"), value_at(record, "500", "SDP", "Y"))
    sigma_m = sigma_m or larger(value_at(record, "500", "DEVX"), value_at(record, "500", "DEVY"))
    velocity = velocity_of(value_at(record, "202", "VX"), value_at(record, "202", "VY"), None)
    return RemoteTrack(sensor_id, time_ns, number, position, sigma_m, velocity)


def surveillance_track(record: Record, sensor_id: str, time_ns: int) -> RemoteTrack | None:
    """CAT015, tracks that have a position on WGS-84."""
    number = raw_at(record, "161")
    position = position_at(record, value_at(record, "601", "GH"), ("600", "P84", "LATITUDE", "LONGITUDE"))
    if raw_at(record, "000", "MT") != 2 or number is None or position is None:
        return None
    sigma_m = larger(value_at(record, "600", "HPP", "SDHPX"), value_at(record, "600", "HPP", "SDHPY"))
    velocity = velocity_of(value_at(record, "602", "HV", "X"), value_at(record, "602", "HV", "Y"), None)
    return RemoteTrack(sensor_id, time_ns, number, position, sigma_m, velocity)


def velocity_of(
    east_m_s: float | None, north_m_s: float | None, up_m_s: float | None
) -> tuple[float, float, float | None] | None:
    """East, north and up; None where the horizontal ones are not told."""
    return None if east_m_s is None or north_m_s is None else (east_m_s, north_m_s, up_m_s)


def broadcast_claim(record: Record, sensor_id: str, time_ns: int) -> Claim | None:
    """CAT021: the claim of an aircraft; simulated and test targets and fixed monitors give none."""
    address = raw_at(record, "080")
    if address is None or any(raw_at(record, "040", name) for name in ("SIM", "TST", "RAB")):
        return None
    version, callsign = raw_at(record, "210", "VN") or 0, record.get("170", {}).get("text", "").strip()
    position = position_at(
        record, scaled(value_at(record, "140"), FOOT_M), ("131", "LAT", "LON"), ("130", "LAT", "LON")
    )
    horizontal_m, vertical_m = accuracy_of(record, version)
    return Claim(
        sensor_id=sensor_id,
        time_ns=time_ns,
        protocol="ads_b",
        transmitter=f"{address:06X}",
        identity=f"{address:06X}",
        identity_type=ADDRESS_TYPES.get(raw_at(record, "040", "ATP") or 0),
        category=CATEGORIES.get(raw_at(record, "020") or 0),
        position=position,
        horizontal_sigma_m=None if position is None else horizontal_m,
        vertical_sigma_m=None if position is None or position.height_m is None else vertical_m,
        velocity_enu_m_s=broadcast_velocity(record),
        speed_sigma_m_s=adsb_accuracy.speed_sigma_m_s(raw_at(record, "090", "NUCRNACV")),
        operator_position=None,
        operator_id=None,
        status="ground" if raw_at(record, "040", "GBS") else "airborne",
        text=callsign or None,
        authenticated=False,
        power_dbm=value_at(record, "132"),
    )


def accuracy_of(record: Record, version: int) -> tuple[float | None, float | None]:
    """1-sigma, horizontal axis and height, m: NACp and GVA; of version 0 transponders NUCp."""
    if version == 0:
        nuc_p = raw_at(record, "090", "NUCPNIC")
        return adsb_accuracy.horizontal_sigma_of_nuc_m(nuc_p), adsb_accuracy.vertical_sigma_of_nuc_m(nuc_p)
    return (
        adsb_accuracy.horizontal_sigma_m(raw_at(record, "090", "NACP")),
        adsb_accuracy.vertical_sigma_m(raw_at(record, "090", "GVA")) if version >= 2 else None,
    )


def broadcast_velocity(record: Record) -> tuple[float, float, float | None] | None:
    """East, north and up m/s of the ground vector; None where it is not sent or beyond its range."""
    speed_m_s = scaled(value_at(record, "160", "GS"), NM_M)
    track_deg = value_at(record, "160", "TA")
    if speed_m_s is None or track_deg is None or raw_at(record, "160", "RE"):
        return None
    climb = None
    for item, name in (("157", "GVR"), ("155", "BVR")):
        if climb is None and not raw_at(record, item, "RE"):
            climb = scaled(value_at(record, item, name), FOOT_M / 60.0)
    track_rad = math.radians(track_deg)
    return speed_m_s * math.sin(track_rad), speed_m_s * math.cos(track_rad), climb


def bearing_presence(record: Record, sensor_id: str, time_ns: int) -> Presence | None:
    """CAT205: somebody speaks on a channel, in a direction."""
    bearing_deg = value_at(record, "080")
    bearing_deg = value_at(record, "070") if bearing_deg is None else bearing_deg
    if bearing_deg is None or not 0.0 <= bearing_deg <= 360.0:
        return None
    channel = record.get("090", {}).get("text", "").strip()
    return Presence(
        sensor_id,
        time_ns,
        "spectrum",
        None,
        None,
        f"radio {channel} at bearing {bearing_deg:.2f} deg".replace("  ", " "),
    )


def service_status(record: Record, sensor_id: str, time_ns: int) -> Status | None:
    """CAT065: how the tracking service says it is."""
    state = raw_at(record, "040", "NOGO")
    if state is None:
        return None
    words = [record["040"]["NOGO"].get("meaning", "unknown state").lower()]
    words += ["overload"] * bool(raw_at(record, "040", "OVL"))
    words += ["invalid time source"] * bool(raw_at(record, "040", "TSV"))
    level = SERVICE_STATES.get(state, "warning")
    return Status(
        sensor_id,
        time_ns,
        "warning" if level == "ok" and len(words) > 1 else level,
        f"tracking service: {', '.join(words)}",
    )
