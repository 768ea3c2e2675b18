"""What a post measures, on the wire: its scans and the sensors that made them, for a tracker of all posts' detections.

    sarhad/v1/<site_id>/sensors   retained: where each sensor stands, how it is turned, how well it sees
    sarhad/v1/<site_id>/scans     ten times a second, where there is something: what was looked at and found, and claims

Both stand outside the sequence: the newest sensors replace those before, and scans are of use while they are young, so nobody
keeps them. A detection is a level, true-north measurement at its sensor's place, or a point of the post's own ENU frame, each
with its errors; latency and known biases are taken off.

Rounded to what leaves 1 mm at 10 km: angles to 1e-5 deg, distances to 1 mm, places to 1e-9 deg. Times are to the microsecond.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from fusion.frames import LocalFrame
from fusion.messages import claim_message
from fusion.types import (
    MOST_TRACKLETS,
    Accuracy,
    Claim,
    ClaimAgreement,
    Coverage,
    Detection,
    DetectionProbability,
    Geodetic,
    Limits,
    Look,
    Measurement,
    Orientation,
    Polar,
    Position,
    RangeRate,
    Scan,
    Sensor,
)
from fusion.wire import ClaimMessage, parse_rfc3339, rfc3339, significant

SMALLEST_DEG, LARGEST_DEG = 1e-6, 180.0  # how large something may look
MOST_DETECTIONS = 1000  # of one scan; the surest are sent


class LookMessage(msgspec.Struct, frozen=True):
    """A part of space that was looked at: limits in the body frame of this orientation."""

    heading_deg: float
    pitch_deg: float
    roll_deg: float
    azimuth_deg: tuple[float, float]
    elevation_deg: tuple[float, float]
    slant_range_m: tuple[float, float]


class MeasuredMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A detection as it was measured, each number with its 1-sigma error. What is absent was not measured."""

    azimuth_deg: float | None = None
    azimuth_sigma_deg: float | None = None
    elevation_deg: float | None = None
    elevation_sigma_deg: float | None = None
    slant_range_m: float | None = None
    slant_range_sigma_m: float | None = None
    range_rate_m_s: float | None = None
    range_rate_sigma_m_s: float | None = None
    position_enu_m: tuple[float, ...] | None = None  # east, north and perhaps up of the post's origin
    covariance_m2: tuple[float, ...] | None = None  # of that, the upper triangle by rows
    confidence: float = 1.0
    classes: dict[str, float] = {}
    angular_size_deg: float | None = None
    tracklet: int = 0  # whose looks in the sensor's picture all tell `classes`; 0: none


class ScanMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One look of one sensor. Neither `looked` nor `looked_everywhere`: its silence means nothing."""

    sensor_id: str
    time: str
    detections: tuple[MeasuredMessage, ...]
    looked: tuple[LookMessage, ...] | None = None
    looked_everywhere: bool = False  # at the whole of the sensor's coverage


class ScansMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a post's sensors saw and heard since the message before. as_of: the newest reading that went into it."""

    version: int
    site_id: str
    run_id: str
    as_of: str
    scans: tuple[ScanMessage, ...]
    claims: tuple[ClaimMessage, ...] = ()  # as heard; `agreement` is the center's to find
    clock_error_s: float = 0.0  # the post's clock is at most so wrong


class SensorDescription(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sensor as a tracker needs it; angles clockwise from true north, limits in its body frame."""

    sensor_id: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    heading_deg: float
    pitch_deg: float
    roll_deg: float
    position_sigma_m: float = 0.0
    mounting_sigma_deg: float = 0.0
    is_aligned: bool = True
    azimuth_sigma_deg: float | None = None
    elevation_sigma_deg: float | None = None
    slant_range_sigma_m: float | None = None
    range_rate_sigma_m_s: float | None = None
    azimuth_deg: tuple[float, float] | None = None
    elevation_deg: tuple[float, float] | None = None
    slant_range_m: tuple[float, float] | None = None
    detection_probability: float | None = None  # None here and by pixels: its silence means nothing
    detection_probability_by_pixels: tuple[tuple[float, float], ...] | None = None
    pixels_per_deg: float | None = None
    at_night: str | None = None  # "same", "none"; None: not measured
    false_alarms_per_scan: float | None = None


class SensorsMessage(msgspec.Struct, frozen=True):
    """All sensors of a post whose detections are sent, and the origin of its ENU frame. Retained."""

    version: int
    site_id: str
    run_id: str
    time: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    sensors: tuple[SensorDescription, ...]


# From the post


def scan_message(scan: Scan, sensor: Sensor) -> ScanMessage:
    """A scan as sent. Of more than `MOST_DETECTIONS` the surest are, in the order in which they came."""
    everywhere = scan.looked is not None and scan.looked == whole_coverage(sensor)
    found = scan.detections
    if len(found) > MOST_DETECTIONS:
        surest = sorted(range(len(found)), key=lambda k: -found[k].confidence)[:MOST_DETECTIONS]
        found = tuple(found[k] for k in sorted(surest))
    return ScanMessage(
        sensor_id=scan.sensor_id,
        time=rfc3339(scan.time_ns),
        detections=tuple(measured_message(detection) for detection in found),
        looked=None if scan.looked is None or everywhere else tuple(look_message(look) for look in scan.looked),
        looked_everywhere=everywhere,
    )


def measured_message(detection: Detection) -> MeasuredMessage:
    """A detection as sent."""
    return MeasuredMessage(
        **_numbers(detection.measurement),
        confidence=round(detection.confidence, 3),
        classes={name: round(probability, 3) for name, probability in detection.classes},
        angular_size_deg=_sigma_deg(detection.angular_size_rad),
        tracklet=detection.tracklet,
    )


def heard_message(claim: Claim) -> ClaimMessage:
    """A claim as heard."""
    return claim_message(ClaimAgreement(claim, "not_testable", None))


def look_message(look: Look) -> LookMessage:
    """A look as sent."""
    return LookMessage(
        *_orientation_deg(look.orientation),
        _pair_deg(look.azimuth_rad),
        _pair_deg(look.elevation_rad),
        look.slant_range_m,
    )


def sensor_description(sensor: Sensor, frame: LocalFrame) -> SensorDescription:
    """A sensor as sent, by the frame its place is given in."""
    place, accuracy, chance = (
        frame.enu_to_geodetic(sensor.position_enu_m),
        sensor.accuracy,
        sensor.detection_probability,
    )
    heading_deg, pitch_deg, roll_deg = _orientation_deg(sensor.orientation)
    coverage, per_rad = sensor.coverage, chance.pixels_per_rad if chance else None
    return SensorDescription(
        sensor_id=sensor.sensor_id,
        latitude_deg=round(place.latitude_deg, 9),
        longitude_deg=round(place.longitude_deg, 9),
        height_m=round(place.height_m or 0.0, 3),
        heading_deg=heading_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        position_sigma_m=sensor.position_sigma_m,
        mounting_sigma_deg=_sigma_deg(sensor.mounting_sigma_rad) or 0.0,
        is_aligned=sensor.is_aligned,
        azimuth_sigma_deg=_sigma_deg(accuracy.azimuth_rad),
        elevation_sigma_deg=_sigma_deg(accuracy.elevation_rad),
        slant_range_sigma_m=accuracy.slant_range_m,
        range_rate_sigma_m_s=accuracy.range_rate_m_s,
        azimuth_deg=_pair_deg(coverage.azimuth_rad) if coverage else None,
        elevation_deg=_pair_deg(coverage.elevation_rad) if coverage else None,
        slant_range_m=coverage.slant_range_m if coverage else None,
        detection_probability=chance.constant if chance else None,
        detection_probability_by_pixels=chance.by_pixels if chance else None,
        pixels_per_deg=None if per_rad is None else significant(math.radians(per_rad)),
        at_night=chance.night if chance else None,
        false_alarms_per_scan=sensor.false_alarms_per_scan,
    )


# At the center


def scan_of(message: ScanMessage, sensor: Sensor) -> Scan:
    """The scan of a message; points stay in the post's ENU frame. Raises ValueError where its time is none."""
    if message.looked_everywhere:
        looked = whole_coverage(sensor)
    else:
        looked = None if message.looked is None else tuple(_look_of(look) for look in message.looked)
    detections = tuple(found for one in message.detections if (found := _detection_of(one)) is not None)
    return Scan(sensor.sensor_id, parse_rfc3339(message.time), looked, detections)


def sensor_of(description: SensorDescription, frame: LocalFrame, sensor_id: str) -> Sensor:
    """The sensor in another frame, under the name that it has there: its own position and its own level."""
    one = description
    place = Geodetic(one.latitude_deg, one.longitude_deg, one.height_m)
    east_m, north_m, up_m = frame.geodetic_to_enu(place).tolist()
    coverage = None
    if one.azimuth_deg and one.elevation_deg and one.slant_range_m:
        coverage = Coverage(_pair_rad(one.azimuth_deg), _pair_rad(one.elevation_deg), one.slant_range_m)
    chance, by_pixels = one.detection_probability, one.detection_probability_by_pixels
    per_rad = None if one.pixels_per_deg is None else math.degrees(one.pixels_per_deg)
    known = chance is not None or by_pixels is not None
    return Sensor(
        sensor_id=sensor_id,
        position_enu_m=(east_m, north_m, up_m),
        orientation=Orientation(*map(math.radians, (one.heading_deg, one.pitch_deg, one.roll_deg))),
        accuracy=Accuracy(
            _rad(one.azimuth_sigma_deg),
            _rad(one.elevation_sigma_deg),
            one.slant_range_sigma_m,
            one.range_rate_sigma_m_s,
        ),
        position_sigma_m=one.position_sigma_m,
        mounting_sigma_rad=math.radians(one.mounting_sigma_deg),
        is_aligned=one.is_aligned,
        coverage=coverage,
        detection_probability=DetectionProbability(chance, by_pixels, per_rad, one.at_night) if known else None,
        false_alarms_per_scan=one.false_alarms_per_scan,
        level_to_enu=tuple(frame.level_to_enu(place).ravel().tolist()),
    )


def claim_of(message: ClaimMessage, sensor_id: str) -> Claim:
    """The claim of a message, heard by the sensor of this name. Raises ValueError where its time is none."""
    one = message
    return Claim(
        sensor_id=sensor_id,
        time_ns=parse_rfc3339(one.time),
        protocol=one.protocol,
        transmitter=one.transmitter,
        identity=one.identity,
        identity_type=one.identity_type,
        category=one.category,
        position=_place(one.latitude_deg, one.longitude_deg, one.height_m),
        horizontal_sigma_m=one.horizontal_sigma_m,
        vertical_sigma_m=one.vertical_sigma_m,
        velocity_enu_m_s=one.velocity_enu_m_s,
        speed_sigma_m_s=None,
        operator_position=_place(one.operator_latitude_deg, one.operator_longitude_deg, None),
        operator_id=one.operator_id,
        status=one.status,
        text=one.text,
        authenticated=one.authenticated,
        power_dbm=one.power_dbm,
    )


def whole_coverage(sensor: Sensor) -> tuple[Look, ...] | None:
    """All that a sensor covers, as one look; None where nobody knows."""
    cover = sensor.coverage
    if cover is None:
        return None
    return (Look(sensor.orientation, cover.azimuth_rad, cover.elevation_rad, cover.slant_range_m),)


def _numbers(measurement: Measurement) -> dict[str, Any]:
    if isinstance(measurement, Position):
        point = (measurement.east_m, measurement.north_m, measurement.up_m)
        return {
            "position_enu_m": tuple(round(value, 3) for value in point if value is not None),
            "covariance_m2": tuple(significant(value) for value in measurement.covariance_m2),
        }
    numbers: dict[str, Any] = {}
    if isinstance(measurement, Polar):
        numbers = {
            "azimuth_deg": round(math.degrees(measurement.azimuth_rad) % 360.0, 5),
            "azimuth_sigma_deg": _sigma_deg(measurement.azimuth_sigma_rad),
            "elevation_deg": _deg(measurement.elevation_rad),
            "elevation_sigma_deg": _sigma_deg(measurement.elevation_sigma_rad),
        }
    return numbers | {
        "slant_range_m": _rounded(measurement.slant_range_m, 3),
        "slant_range_sigma_m": _sigma(measurement.slant_range_sigma_m),
        "range_rate_m_s": _rounded(measurement.range_rate_m_s, 3),
        "range_rate_sigma_m_s": _sigma(measurement.range_rate_sigma_m_s),
    }


def _detection_of(message: MeasuredMessage) -> Detection | None:
    """None where it measured nothing that a tracker knows. What else it says is taken as far as it can be."""
    measurement = _measurement_of(message)
    if measurement is None:
        return None
    classes = tuple((name, min(max(chance, 0.0), 1.0)) for name, chance in message.classes.items())
    size_deg = message.angular_size_deg
    is_size = size_deg is not None and SMALLEST_DEG <= size_deg <= LARGEST_DEG
    confidence = min(max(message.confidence, 0.0), 1.0)
    tracklet = message.tracklet if 0 <= message.tracklet <= MOST_TRACKLETS else 0
    angle_rad = _rad(size_deg) if is_size else None
    return Detection(measurement, confidence, classes, angular_size_rad=angle_rad, tracklet=tracklet)


def _measurement_of(one: MeasuredMessage) -> Measurement | None:
    if one.position_enu_m is not None and one.covariance_m2 is not None:
        point = one.position_enu_m
        if len(point) not in (2, 3):
            return None
        return Position(point[0], point[1], point[2] if len(point) == 3 else None, one.covariance_m2)
    if one.azimuth_deg is not None and one.azimuth_sigma_deg is not None:
        return Polar(
            math.radians(one.azimuth_deg),
            math.radians(one.azimuth_sigma_deg),
            _rad(one.elevation_deg),
            _rad(one.elevation_sigma_deg),
            one.slant_range_m,
            one.slant_range_sigma_m,
            one.range_rate_m_s,
            one.range_rate_sigma_m_s,
        )
    if one.range_rate_m_s is not None and one.range_rate_sigma_m_s is not None:
        return RangeRate(one.range_rate_m_s, one.range_rate_sigma_m_s, one.slant_range_m, one.slant_range_sigma_m)
    return None


def _look_of(look: LookMessage) -> Look:
    orientation = Orientation(*map(math.radians, (look.heading_deg, look.pitch_deg, look.roll_deg)))
    return Look(orientation, _pair_rad(look.azimuth_deg), _pair_rad(look.elevation_deg), look.slant_range_m)


def _place(latitude_deg: float | None, longitude_deg: float | None, height_m: float | None) -> Geodetic | None:
    return None if latitude_deg is None or longitude_deg is None else Geodetic(latitude_deg, longitude_deg, height_m)


def _orientation_deg(turned: Orientation) -> tuple[float, float, float]:
    heading_deg, pitch_deg, roll_deg = map(math.degrees, (turned.heading_rad, turned.pitch_rad, turned.roll_rad))
    return round(heading_deg, 5), round(pitch_deg, 5), round(roll_deg, 5)


def _pair_deg(limits_rad: Limits) -> tuple[float, float]:
    return round(math.degrees(limits_rad[0]), 5), round(math.degrees(limits_rad[1]), 5)


def _pair_rad(limits_deg: tuple[float, float]) -> Limits:
    return math.radians(limits_deg[0]), math.radians(limits_deg[1])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _deg(value_rad: float | None) -> float | None:
    return None if value_rad is None else round(math.degrees(value_rad), 5)


def _sigma(value: float | None) -> float | None:
    return None if value is None else significant(value, 5)


def _sigma_deg(value_rad: float | None) -> float | None:
    return None if value_rad is None else significant(math.degrees(value_rad), 5)


def _rad(value_deg: float | None) -> float | None:
    return None if value_deg is None else math.radians(value_deg)
