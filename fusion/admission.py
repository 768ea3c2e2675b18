"""What a post may send to the tracker of all posts' detections: numbers as they can be, and times that can be true.

    message ──▶ a reason of a few fixed words, by which it is counted as refused
           └──▶ None: it is worked in

Every number that reaches a tracker is finite, and so large at most that its squares and determinants are; so no
message makes the arithmetic of all fail. What is measured has its bounds in `measurement.py`; the others stand here.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fusion.frames import LocalFrame
from fusion.scan_messages import ScanMessage, SensorsMessage
from fusion.types import Geodetic
from fusion.wire import ClaimMessage, parse_rfc3339

AHEAD_NS = 500_000_000  # a scan from later than this after its arrival has a wrong clock
LATE_NS = 2_500_000_000  # older ones would have all be worked in again: such a post's own tracks count
MOST_LOOKS = 32  # of a scan
MOST_SENSORS = 64  # of a post
FARTHEST_SENSOR_M = 60_000.0  # from the origin of its post: as far as a sensor reaches
HIGHEST_M = 1e5  # above the ellipsoid or below it
CLAIM_SIGMA_M = (1e-3, 1e5)  # what a claim may say of its own errors; 0 says nothing
MOST_SPEED_M_S = 1e4  # claimed, along each axis
LONGEST_TEXT = 200  # of a claim, a string, and a sensor's name: Remote ID's longest have 23 characters


def wrong_scan(scan: ScanMessage) -> str | None:
    """Why the numbers of a scan cannot be used; None where they can."""
    limits = [pair for look in scan.looked or () for pair in (look.azimuth_deg, look.elevation_deg, look.slant_range_m)]
    turns = [turn for look in scan.looked or () for turn in (look.heading_deg, look.pitch_deg, look.roll_deg)]
    if len(limits) > 3 * MOST_LOOKS or not all(are_limits(pair) for pair in limits):
        return "of places that are none"
    return None if all(abs(turn) <= 360.0 for turn in turns) else "of places that are none"


def wrong_claim(claim: ClaimMessage) -> str | None:
    """Why a claim cannot be used; None where it can. Its `text` may be of any length: it is cut."""
    one, texts = claim, (claim.protocol, claim.transmitter, claim.identity, claim.identity_type, claim.category)
    if any(len(text or "") > LONGEST_TEXT for text in (*texts, one.operator_id, one.status)):
        return "with too long a name"
    places = (one.latitude_deg, one.longitude_deg), (one.operator_latitude_deg, one.operator_longitude_deg)
    if not all(on_earth(latitude or 0.0, longitude or 0.0) for latitude, longitude in places):
        return "not on the Earth"
    if abs(one.height_m or 0.0) > HIGHEST_M or any(abs(v or 0.0) > MOST_SPEED_M_S for v in one.velocity_enu_m_s or ()):
        return "not of an aircraft"
    low, high = CLAIM_SIGMA_M
    sigmas = (one.horizontal_sigma_m, one.vertical_sigma_m)
    return (
        None if all(sigma in (None, 0.0) or low <= sigma <= high for sigma in sigmas) else "of an accuracy that is none"
    )


def out_of_time(time: str, received_ns: int) -> str | None:
    """Why a time cannot be used; None where it can."""
    try:
        time_ns = parse_rfc3339(time)
    except ValueError:
        return "without a time"
    if time_ns - received_ns > AHEAD_NS:
        return "from the future"
    return "too late" if received_ns - time_ns > LATE_NS else None


def are_limits(pair: tuple[float, float]) -> bool:
    """Of angles or ranges: the lower first."""
    return -1e6 <= pair[0] < pair[1] <= 1e6


def on_earth(latitude_deg: float, longitude_deg: float) -> bool:
    return -90.0 <= latitude_deg <= 90.0 and -180.0 <= longitude_deg <= 180.0


def check_sensors(message: SensorsMessage) -> None:
    """Whether all numbers lie where they can be. Raises ValueError."""
    if len(message.sensors) > MOST_SENSORS:
        raise ValueError(f"{len(message.sensors)} sensors; at most {MOST_SENSORS} are taken")
    places = [(one.latitude_deg, one.longitude_deg, one.height_m) for one in message.sensors]
    for place in [(message.latitude_deg, message.longitude_deg, message.height_m), *places]:
        if not on_earth(*place[:2]) or not abs(place[2]) <= HIGHEST_M:
            raise ValueError(f"latitude_deg, longitude_deg, height_m are {place}: not near the Earth")
    frame = LocalFrame(Geodetic(message.latitude_deg, message.longitude_deg, message.height_m))
    for one in message.sensors:
        if len(one.sensor_id) > LONGEST_TEXT:
            raise ValueError(
                f"{one.sensor_id[:20]}…: a name of {len(one.sensor_id)} characters; at most {LONGEST_TEXT}"
            )
        away_m = np.linalg.norm(frame.geodetic_to_enu(Geodetic(one.latitude_deg, one.longitude_deg, message.height_m)))
        if away_m > FARTHEST_SENSOR_M:
            far = f"{away_m / 1e3:.0f} km from its post's origin"
            raise ValueError(f"{one.sensor_id}: stands {far}; expected at most {FARTHEST_SENSOR_M / 1e3:.0f} km")
        turns = (one.heading_deg, one.pitch_deg, one.roll_deg)
        limits = [pair for pair in (one.azimuth_deg, one.elevation_deg, one.slant_range_m) if pair is not None]
        errors = (
            *(one.azimuth_sigma_deg, one.elevation_sigma_deg, one.slant_range_sigma_m, one.range_rate_sigma_m_s),
            one.pixels_per_deg,
        )
        others = (one.position_sigma_m, one.mounting_sigma_deg, one.false_alarms_per_scan)
        by_pixels = one.detection_probability_by_pixels or ()
        chances = (one.detection_probability, *(chance for _, chance in by_pixels))
        if not all(abs(turn) <= 360.0 for turn in turns):
            raise ValueError(f"{one.sensor_id}: angles are {turns}; expected at most 360 deg either way")
        if not all(are_limits(pair) for pair in limits):
            raise ValueError(f"{one.sensor_id}: its coverage is {limits}; expected the lower limit first, within 1e6")
        if not all(error is None or 1e-9 <= error <= 1e6 for error in errors):
            raise ValueError(f"{one.sensor_id}: errors are {errors}; expected more than 0, at most 1e6")
        if not all(other is None or 0.0 <= other <= 1e6 for other in others):
            raise ValueError(f"{one.sensor_id}: errors and false alarms are {others}; expected 0 to 1e6")
        if any(not 0.0 <= low[0] < high[0] <= 1e6 for low, high in pairwise(by_pixels)) or len(by_pixels) == 1:
            raise ValueError(
                f"{one.sensor_id}: detection probabilities are by {by_pixels}; expected two or more, growing"
            )
        if not all(chance is None or 0.0 <= chance <= 1.0 for chance in chances):
            raise ValueError(f"{one.sensor_id}: detection probabilities are {chances}; expected 0 to 1")
