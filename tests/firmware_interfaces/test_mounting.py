"""Mounting: directions that can be checked in the head."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from firmware_interfaces.mounting import Mounting
from fusion.types import Accuracy, Coverage, Orientation, Sensor

RIGHT_ANGLE, DEGREE = math.pi / 2, math.pi / 180


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


def test_the_mounting_s_uncertainty_is_left_to_fusion() -> None:
    polar = mounted(mounting_sigma_rad=0.03).level(0.0, 0.0)
    assert polar.azimuth_sigma_rad == pytest.approx(0.01)
    assert polar.elevation_sigma_rad == pytest.approx(0.02)


def test_a_sensor_on_its_side_swaps_its_errors() -> None:
    polar = mounted(roll_deg=90.0).level(0.0, 0.0)
    assert polar.azimuth_sigma_rad == pytest.approx(0.02)
    assert polar.elevation_sigma_rad == pytest.approx(0.01)


def test_a_sensor_that_looks_up_steeply_is_less_sure_of_azimuth() -> None:
    polar = mounted(pitch_deg=60.0).level(0.0, 0.0)
    assert polar.azimuth_sigma_rad == pytest.approx(0.01 / math.cos(math.radians(60.0)))
    assert polar.elevation_sigma_rad == pytest.approx(0.02)
    straight_up = mounted(pitch_deg=90.0).level(0.0, 0.0)
    assert straight_up.azimuth_sigma_rad == pytest.approx(0.01 / 0.17)


ORIENTATIONS = [(0, 0, 0), (0, 65, 0), (30, 0, 45), (-100, 45, 30), (10, -30, 90), (200, 20, -60), (0, 0, 180)]


@pytest.mark.parametrize("heading_pitch_roll_deg", ORIENTATIONS)
@pytest.mark.parametrize("azimuth_elevation_deg", [(0, 0), (40, 0), (-50, 20), (20, -30)])
def test_stated_errors_are_those_of_many_noisy_measurements(
    heading_pitch_roll_deg: tuple[float, float, float], azimuth_elevation_deg: tuple[float, float]
) -> None:
    accuracy = Accuracy(0.2 * DEGREE, 0.8 * DEGREE)
    mounting = mounted(*heading_pitch_roll_deg, accuracy=accuracy)
    azimuth, elevation = (math.radians(v) for v in azimuth_elevation_deg)
    true = mounting.level(azimuth, elevation)
    noise = np.random.default_rng(20260817).normal(0.0, 1.0, (2, 4000))
    measured = mounting.level_all(azimuth + 0.2 * DEGREE * noise[0], elevation + 0.8 * DEGREE * noise[1])
    azimuth_off = [math.remainder(p.azimuth_rad - true.azimuth_rad, math.tau) for p in measured]
    elevation_off = [p.elevation_rad - true.elevation_rad for p in measured]
    assert np.std(azimuth_off) == pytest.approx(true.azimuth_sigma_rad, rel=0.06)
    assert np.std(elevation_off) == pytest.approx(true.elevation_sigma_rad, rel=0.06)


def test_a_fan_of_unknown_elevation_is_unsure_of_azimuth_where_it_is_tilted() -> None:
    """Rolled by 90 deg, the unmeasured angle IS the azimuth: anywhere in the fan's height."""
    fan = {"accuracy": Accuracy(0.01), "coverage": Coverage((-1.0, 1.0), (-0.3, 0.3), (0.0, 50.0))}
    assert mounted(**fan).level(0.5, 0.0).azimuth_sigma_rad == pytest.approx(0.01)
    assert mounted(roll_deg=90.0, **fan).level(0.0, 0.0).azimuth_sigma_rad == pytest.approx(0.6 / math.sqrt(12.0))


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
