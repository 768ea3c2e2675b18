"""Scans and sensors over the wire: what comes out is what went in, to the millimetre, in any frame."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from fusion.frames import LocalFrame, polar_to_enu
from fusion.measurement import rotation_of
from fusion.scan_messages import (
    MOST_DETECTIONS,
    MeasuredMessage,
    ScanMessage,
    ScansMessage,
    SensorDescription,
    claim_of,
    heard_message,
    scan_message,
    scan_of,
    sensor_description,
    sensor_of,
    whole_coverage,
)
from fusion.types import (
    Accuracy,
    Claim,
    Coverage,
    Detection,
    DetectionProbability,
    Geodetic,
    Look,
    Orientation,
    Polar,
    Position,
    RangeRate,
    Scan,
    Sensor,
)
from fusion.wire import encode

POST = LocalFrame(Geodetic(45.0, 7.0, 600.0))
FAR_OFF = LocalFrame(Geodetic(45.3, 7.4, 0.0))
PLACE_M = (120.0, -80.0, 12.0)
RADAR = Sensor(
    "radar",
    PLACE_M,
    Orientation(math.radians(12.0), math.radians(4.0), 0.0),
    Accuracy(math.radians(1.0), math.radians(1.5), 0.8, 0.3),
    position_sigma_m=0.5,
    mounting_sigma_rad=math.radians(0.2),
    coverage=Coverage((-1.0, 1.0), (-0.2, 0.7), (2.0, 12_000.0)),
    detection_probability=DetectionProbability(
        by_pixels=((4.0, 0.1), (20.0, 0.9)), pixels_per_rad=3000.0, night="none"
    ),
    false_alarms_per_scan=0.4,
    level_to_enu=tuple(POST.level_to_enu(POST.enu_to_geodetic(PLACE_M)).ravel().tolist()),
)
POLAR = Polar(math.radians(-33.3), 0.017, math.radians(7.77), 0.03, 9_876.5432, 0.8, -12.345, 0.3)
OTHERS = (RangeRate(4.25, 0.2), Polar(2.0, 0.05), Position(12.5, -30.25, None, (4.0, 0.5, 3.0)))


def over_the_wire(scan: Scan, sensor: Sensor = RADAR) -> Scan:
    return scan_of(msgspec.json.decode(encode(scan_message(scan, sensor)), type=ScanMessage), sensor)


def test_every_kind_of_measurement_comes_through() -> None:
    found = (
        Detection(POLAR, 0.9, (("drone", 0.75), ("bird", 0.25)), angular_size_rad=0.002, tracklet=2**40),
        *(Detection(o, 0.5) for o in OTHERS),
    )
    back = over_the_wire(Scan("radar", 1_800_000_000_123_456_000, None, found))
    assert (back.sensor_id, back.time_ns, back.looked) == ("radar", 1_800_000_000_123_456_000, None)
    first = back.detections[0]
    assert isinstance(first.measurement, Polar)
    assert polar_to_enu(
        first.measurement.azimuth_rad, first.measurement.elevation_rad, first.measurement.slant_range_m
    ) == (pytest.approx(polar_to_enu(POLAR.azimuth_rad, POLAR.elevation_rad, POLAR.slant_range_m), abs=2e-3))
    assert first.measurement.range_rate_m_s == pytest.approx(-12.345)
    assert first.classes == (("drone", 0.75), ("bird", 0.25))
    assert first.angular_size_rad == pytest.approx(0.002, rel=1e-4)
    assert [detection.tracklet for detection in back.detections] == [2**40, 0, 0, 0]
    kinds = [type(detection.measurement) for detection in back.detections]
    assert kinds == [Polar, RangeRate, Polar, Position]
    assert back.detections[2].measurement.elevation_rad is None
    assert back.detections[3].measurement == OTHERS[2]


@pytest.mark.parametrize("tracklet", [-1, 2**80])
def test_a_tracklet_that_no_column_holds_is_none(tracklet: int) -> None:
    told = scan_message(Scan("radar", 0, None, (Detection(POLAR, 0.9, (("drone", 1.0),), tracklet=tracklet),)), RADAR)
    assert scan_of(told, RADAR).detections[0].tracklet == 0


def test_where_it_looked_comes_through_and_the_whole_coverage_in_one_word() -> None:
    everywhere = scan_message(Scan("radar", 0, whole_coverage(RADAR), ()), RADAR)
    assert everywhere.looked_everywhere
    assert everywhere.looked is None
    assert over_the_wire(Scan("radar", 0, whole_coverage(RADAR), ())).looked == whole_coverage(RADAR)
    part = Look(Orientation(1.0, -0.1, 0.02), (-0.3, 0.1), (-0.05, 0.2), (0.0, 400.0))
    [back] = over_the_wire(Scan("radar", 0, (part,), ())).looked
    for name in ("azimuth_rad", "elevation_rad", "slant_range_m"):
        assert getattr(back, name) == pytest.approx(getattr(part, name), abs=1e-7)
    assert back.orientation.heading_rad == pytest.approx(1.0, abs=1e-7)


def test_a_sensor_stands_and_measures_in_another_frame_where_it_does_in_its_own() -> None:
    told = msgspec.json.decode(encode(sensor_description(RADAR, POST)), type=SensorDescription)
    there = sensor_of(told, FAR_OFF, "ridge/radar")
    for azimuth, elevation, range_m in ((0.3, 0.1, 10_000.0), (-2.5, 0.9, 4_000.0)):
        seen = polar_to_enu(azimuth, elevation, range_m)
        own = POST.enu_to_geodetic(np.array(RADAR.position_enu_m) + rotation_of(RADAR) @ seen)
        other = FAR_OFF.enu_to_geodetic(np.array(there.position_enu_m) + rotation_of(there) @ seen)
        assert np.linalg.norm(POST.geodetic_to_enu(own) - POST.geodetic_to_enu(other)) < 2e-3
    assert there.sensor_id == "ridge/radar"
    assert there.accuracy.azimuth_rad == pytest.approx(RADAR.accuracy.azimuth_rad)
    assert there.coverage.slant_range_m == RADAR.coverage.slant_range_m
    assert there.detection_probability.by_pixels == RADAR.detection_probability.by_pixels
    assert there.detection_probability.pixels_per_rad == pytest.approx(3000.0, rel=1e-5)
    assert (there.position_sigma_m, there.false_alarms_per_scan, there.is_aligned) == (0.5, 0.4, True)


def test_of_too_many_detections_the_surest_are_sent() -> None:
    found = tuple(Detection(OTHERS[0], k / 5000.0) for k in range(3000))
    sent = scan_message(Scan("radar", 0, None, found), RADAR).detections
    assert len(sent) == MOST_DETECTIONS
    assert min(one.confidence for one in sent) == pytest.approx(0.4)


def test_a_claim_comes_through_as_it_was_heard() -> None:
    claim = Claim(
        *("remote-id", 1_800_000_000_000_000_000, "open_drone_id", "aa:01", "SN-1", "serial", None),
        *(Geodetic(45.1234567, 7.0, 700.0), 3.0, None, (1.0, 2.0, None), None),
        *(Geodetic(45.1, 7.1, None), "OP", "airborne", None, False, -71.0),
    )
    assert claim_of(heard_message(claim), "remote-id") == claim


def test_what_measures_nothing_is_left_out() -> None:
    message = ScanMessage(
        "radar", "2026-03-02T10:15:30.000000Z", (MeasuredMessage(elevation_deg=3.0), MeasuredMessage())
    )
    assert scan_of(message, RADAR).detections == ()


def test_a_message_of_nothing_is_short() -> None:
    empty = ScansMessage(1, "ridge-04", "20260302T101530Z-aabbcc", "2026-03-02T10:15:30.000000Z", ())
    assert len(encode(empty)) < 160
