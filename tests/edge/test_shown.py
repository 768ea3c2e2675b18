"""What sensors report, as the page shows it."""

from __future__ import annotations

import math

import pytest

from edge.shown import detection_message, looked_message
from fusion.frames import LocalFrame
from fusion.types import Detection, Geodetic, Look, Orientation, Polar

FRAME = LocalFrame(Geodetic(12.0, -35.0, 40.0))


def test_a_looks_corners_are_told_from_north_and_the_level() -> None:
    wide = (math.radians(-10.0), math.radians(10.0)), (math.radians(-5.0), math.radians(5.0))
    straight = looked_message(Look(Orientation(math.radians(5.0), 0.0, 0.0), *wide, (0.0, 100.0)))
    assert straight.azimuth_deg == (355.0, 15.0, 15.0, 355.0)
    assert straight.elevation_deg == (5.0, 5.0, -5.0, -5.0)
    upward = looked_message(Look(Orientation(0.0, math.radians(60.0), 0.0), *wide, (0.0, 100.0)))
    forward, up = math.cos(math.radians(5.0)) * math.cos(math.radians(10.0)), math.sin(math.radians(5.0))
    raised = (math.degrees(math.asin(0.5 * sign * up + math.sqrt(0.75) * forward)) for sign in (1, 1, -1, -1))
    assert upward.elevation_deg == pytest.approx(tuple(raised), abs=0.01)
    assert upward.azimuth_deg[1] > 20.0  # 10 degrees aside are more of the horizon, the higher it looks
    rolled = looked_message(Look(Orientation(0.0, 0.0, math.radians(90.0)), *wide, (0.0, 100.0)))
    assert rolled.elevation_deg[:2] == pytest.approx((10.0, -10.0), abs=0.1)  # its right side is down


def test_a_cameras_detection_tells_its_direction_size_and_classes() -> None:
    measured = Polar(math.radians(-2.0), 0.001, math.radians(3.0), 0.001)
    found = Detection(measured, 0.6, (("bird", 0.5), ("unknown", 0.5)), (1.0, 2.0, 3.0, 4.0), math.radians(0.123456))
    told = detection_message(found, FRAME)
    assert (told.azimuth_deg, told.elevation_deg, told.angular_size_deg) == (358.0, 3.0, 0.123)
    assert (told.classes, told.box_px) == ({"bird": 0.5, "unknown": 0.5}, (1.0, 2.0, 3.0, 4.0))
