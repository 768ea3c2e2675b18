"""LD2450: the maker's worked example, odd signs, empty slots, longer reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces.ld2450 import Decoder, Reports, Target, encode_report
from fusion.types import Reading, Sensor

MakeReading = Callable[..., Reading]
# Hi-Link LD2450 serial communication protocol V1.03, worked example: x -782 mm, y 1713 mm, -16 cm/s, 320 mm
EXAMPLE = bytes.fromhex("aaff0300 0e03 b186 1000 4001".replace(" ", "")) + bytes(16) + b"\x55\xcc"
EMPTY = Target(0, 0, 0, 0)
number = st.integers(-32767, 32767)
targets = st.lists(st.builds(Target, number, number, number, st.integers(0, 65535)), min_size=3, max_size=3)


def test_the_maker_s_example_is_read_as_the_maker_reads_it() -> None:
    (framed,) = Reports().feed(EXAMPLE, 0)
    assert framed.message == (Target(-782, 1713, -16, 320), EMPTY, EMPTY)


@given(targets)
def test_a_report_comes_back_as_it_was_sent(sent: list[Target]) -> None:
    (framed,) = Reports().feed(encode_report(sent), 0)
    assert framed.message == tuple(sent)


def test_empty_slots_are_no_detections(sensor: Sensor, make_reading: MakeReading) -> None:
    level = replace(sensor, orientation=replace(sensor.orientation, heading_rad=0.0, pitch_rad=0.0))
    decoder = Decoder(level)
    full, empty = decoder.feed(make_reading(encode_report([Target(3000, 4000, 50, 360)]) + encode_report([])))
    (detection,) = full.detections
    assert detection.measurement.azimuth_rad == pytest.approx(math.atan2(3.0, 4.0))
    assert detection.measurement.slant_range_m == pytest.approx(5.0)
    assert detection.measurement.range_rate_m_s == pytest.approx(0.5)
    assert empty.detections == ()


def test_damaged_numbers_are_no_detections(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    far, fast, good = Target(32_767, 0, 0, 0), Target(100, 2000, -32_767, 360), Target(100, 2000, 30, 360)
    (scan,) = decoder.feed(make_reading(encode_report([far, fast, good])))
    (detection,) = scan.detections
    assert detection.measurement.range_rate_m_s == pytest.approx(0.3)
    assert decoder.counts.remarks["impossible target"] == 2


def test_the_sign_of_speed_is_a_setting(sensor: Sensor, make_reading: MakeReading) -> None:
    (scan,) = Decoder(sensor, speed_sign=-1).feed(make_reading(encode_report([Target(0, 4000, 50, 360)])))
    assert scan.detections[0].measurement.range_rate_m_s == pytest.approx(-0.5)


def test_answers_to_commands_and_longer_reports_disturb_nothing() -> None:
    answer = bytes.fromhex("fdfcfbfa0800ff01000001004000 04030201")
    longer = encode_report([Target(1, 2, 3, 4)])[:-2] + bytes(8) + b"\x55\xcc"
    reports = Reports()
    found = reports.feed(EXAMPLE + answer + longer + EXAMPLE, 0)
    assert [framed.message[0].x_mm for framed in found] == [-782, 1, -782]
    assert not reports.counts.rejected
    assert reports.counts.resync_bytes == 0


def test_a_report_that_lost_a_byte_does_not_swallow_the_next() -> None:
    reports = Reports()
    found = reports.feed(EXAMPLE[:12] + EXAMPLE[13:] + EXAMPLE, 0)
    assert [framed.offset for framed in found] == [29]
    assert reports.counts.rejected == {"cut": 1}


def test_a_limit_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 30"):
        Reports(max_report_bytes=10)
