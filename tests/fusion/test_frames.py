"""Frames: what a person can check in the head, and against an independent library."""

from __future__ import annotations

import math

import numpy as np
import pymap3d
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.frames import (
    LocalFrame,
    body_to_level,
    ecef_to_geodetic,
    enu_to_polar,
    geodetic_to_ecef,
    orientation_of,
    polar_to_enu,
    turn_about,
    wrap_angle,
)
from fusion.types import Geodetic, Orientation

latitudes = st.floats(-89.9, 89.9)
longitudes = st.floats(-180.0, 179.999)


@pytest.mark.parametrize(
    ("azimuth_deg", "east_m", "north_m"), [(0, 0, 1), (90, 1, 0), (180, 0, -1), (270, -1, 0)], ids=["N", "E", "S", "W"]
)
def test_azimuth_is_zero_in_the_north_and_grows_to_the_east(azimuth_deg: float, east_m: float, north_m: float) -> None:
    assert polar_to_enu(math.radians(azimuth_deg), 0.0, 1.0) == pytest.approx([east_m, north_m, 0.0], abs=1e-12)


@given(st.floats(-100, 100))
def test_a_wrapped_angle_is_the_same_direction(angle_rad: float) -> None:
    wrapped = float(wrap_angle(angle_rad))
    assert -math.pi <= wrapped < math.pi + 1e-12
    assert math.cos(wrapped - angle_rad) == pytest.approx(1.0, abs=1e-9)


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(1.0, 1e5))
def test_polar_there_and_back(azimuth_rad: float, elevation_rad: float, slant_range_m: float) -> None:
    back = enu_to_polar(polar_to_enu(azimuth_rad, elevation_rad, slant_range_m))
    assert back == pytest.approx((azimuth_rad, elevation_rad, slant_range_m), rel=1e-9, abs=1e-9)


@given(latitudes, longitudes, st.floats(-500.0, 20_000.0))
def test_earth_centred_there_and_back(latitude_deg: float, longitude_deg: float, height_m: float) -> None:
    back = ecef_to_geodetic(geodetic_to_ecef(latitude_deg, longitude_deg, height_m))
    assert back.latitude_deg == pytest.approx(latitude_deg, abs=1e-10)
    assert math.cos(math.radians(back.longitude_deg - longitude_deg)) == pytest.approx(1.0, abs=1e-15)
    assert back.height_m == pytest.approx(height_m, abs=1e-6)


@given(latitudes, longitudes, st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(0.0, 5000.0))
def test_local_frame_agrees_with_pymap3d_to_a_centimetre_at_fifty_kilometres(
    latitude_deg: float, longitude_deg: float, d_latitude: float, d_longitude: float, height_m: float
) -> None:
    origin = Geodetic(latitude_deg, longitude_deg, 300.0)
    point = Geodetic(max(-89.9, min(89.9, latitude_deg + d_latitude)), longitude_deg + d_longitude, height_m)
    ours = LocalFrame(origin).geodetic_to_enu(point)
    theirs = pymap3d.geodetic2enu(point.latitude_deg, point.longitude_deg, height_m, latitude_deg, longitude_deg, 300.0)
    assert ours == pytest.approx(np.array(theirs, float), abs=1e-4)
    back = LocalFrame(origin).enu_to_geodetic(ours)
    assert back.latitude_deg == pytest.approx(point.latitude_deg, abs=1e-9)


def test_level_differs_by_half_a_degree_at_fifty_kilometres() -> None:
    origin, there = Geodetic(45.0, 7.0, 0.0), Geodetic(45.45, 7.0, 0.0)
    up = LocalFrame(origin).level_to_enu(there) @ [0.0, 0.0, 1.0]
    assert math.degrees(math.acos(up[2])) == pytest.approx(0.45, abs=1e-3)


def test_heading_turns_the_boresight_pitch_lifts_it_and_roll_lowers_the_right_side() -> None:
    def boresight(*degrees: float) -> np.ndarray:
        return body_to_level(Orientation(*(math.radians(d) for d in degrees))) @ [0.0, 1.0, 0.0]

    assert boresight(90, 0, 0) == pytest.approx([1.0, 0.0, 0.0], abs=1e-12)
    assert boresight(0, 90, 0) == pytest.approx([0.0, 0.0, 1.0], abs=1e-12)
    assert boresight(0, 0, 45) == pytest.approx([0.0, 1.0, 0.0], abs=1e-12)
    right_side = body_to_level(Orientation(0.0, 0.0, math.radians(10))) @ [1.0, 0.0, 0.0]
    assert right_side[2] == pytest.approx(-math.sin(math.radians(10)))


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_an_orientation_is_what_its_rotation_says(heading_rad: float, pitch_rad: float, roll_rad: float) -> None:
    back = orientation_of(body_to_level(Orientation(heading_rad, pitch_rad, roll_rad)))
    told = (back.heading_rad, back.pitch_rad, back.roll_rad)
    assert told == pytest.approx((heading_rad, pitch_rad, roll_rad), abs=1e-9)


def test_a_quarter_turn_about_up_takes_east_to_north() -> None:
    assert turn_about([0.0, 0.0, math.pi / 2]) @ [1.0, 0.0, 0.0] == pytest.approx([0.0, 1.0, 0.0], abs=1e-12)
    assert turn_about([0.0, 0.0, 0.0]) == pytest.approx(np.eye(3))


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_turning_back_undoes_a_turn(x: float, y: float, z: float) -> None:
    assert turn_about([x, y, z]) @ turn_about([-x, -y, -z]) == pytest.approx(np.eye(3), abs=1e-12)
