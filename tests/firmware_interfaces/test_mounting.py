"""Mounting: directions that can be checked in the head."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from firmware_interfaces.mounting import Mounting
from fusion.types import Accuracy, Orientation, Sensor

RIGHT_ANGLE = math.pi / 2


def mounted(heading_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0, **changes: object) -> Mounting:
    orientation = Orientation(*(math.radians(v) for v in (heading_deg, pitch_deg, roll_deg)))
    sensor = Sensor("radar", (0.0, 0.0, 0.0), orientation, Accuracy(0.01, 0.02, 0.5, 0.3))
    return Mounting(replace(sensor, **changes))  # type: ignore[arg-type]


def test_what_lies_ahead_of_a_sensor_that_looks_east_lies_in_the_east() -> None:
    assert mounted(heading_deg=90.0).level(0.0, 0.0).azimuth_rad == pytest.approx(RIGHT_ANGLE)


def test_azimuth_grows_to_the_right() -> None:
    assert mounted(heading_deg=90.0).level(math.radians(10.0), 0.0).azimuth_rad == pytest.approx(math.radians(100.0))


def test_pitch_lifts_what_lies_ahead() -> None:
    assert mounted(pitch_deg=20.0).level(0.0, math.radians(5.0)).elevation_rad == pytest.approx(math.radians(25.0))


def test_a_sensor_rolled_right_side_down_sees_its_right_below() -> None:
    polar = mounted(roll_deg=90.0).level(RIGHT_ANGLE, 0.0)
    assert polar.elevation_rad == pytest.approx(-RIGHT_ANGLE)


def test_bias_is_measured_minus_true() -> None:
    polar = mounted(azimuth_bias_rad=0.05, slant_range_bias_m=2.0).level(0.15, 0.0, 100.0, 1.0)
    assert polar.azimuth_rad == pytest.approx(0.10)
    assert polar.slant_range_m == pytest.approx(98.0)
    assert polar.range_rate_m_s == 1.0


def test_the_mounting_s_uncertainty_enters_both_angles_in_quadrature() -> None:
    polar = mounted(mounting_sigma_rad=0.03).level(0.0, 0.0)
    assert polar.azimuth_sigma_rad == pytest.approx(math.hypot(0.01, 0.03))
    assert polar.elevation_sigma_rad == pytest.approx(math.hypot(0.02, 0.03))


def test_what_a_sensor_does_not_measure_is_none_and_so_is_its_error() -> None:
    polar = mounted(accuracy=Accuracy(0.01)).level(0.1, 0.2, 50.0, 3.0)
    assert (polar.elevation_rad, polar.elevation_sigma_rad) == (None, None)
    assert (polar.slant_range_m, polar.slant_range_sigma_m) == (None, None)
    assert (polar.range_rate_m_s, polar.range_rate_sigma_m_s) == (None, None)


def test_a_sensor_without_azimuth_accuracy_gives_no_directions() -> None:
    with pytest.raises(ValueError, match="azimuth_deg is missing"):
        mounted(accuracy=Accuracy())


def test_no_coverage_no_look() -> None:
    assert mounted().looked() is None
