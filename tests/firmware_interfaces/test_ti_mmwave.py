"""TI mmWave: frames there and back, three headers, points to detections."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces.ti_mmwave import Decoder, Frames, encode_frame, record
from firmware_interfaces.ti_mmwave_frames import MAGIC, TLV_HEADER, WORDS_40, WORDS_48, WORDS_52, header_sum
from fusion.types import Accuracy, Orientation, Reading, Scan, Sensor

MakeReading = Callable[..., Reading]
coordinate = st.floats(-100.0, 100.0, width=32)
decibel = st.integers(-900, 900).map(lambda tenths: tenths / 10.0)
points = st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate, decibel, decibel), max_size=30)


def only(scans: list[Scan]) -> Scan:
    (scan,) = scans
    return scan


@given(number=st.integers(0, 2**32 - 1), sent=points)
def test_a_frame_comes_back_as_it_was_sent(number: int, sent: list) -> None:
    data = encode_frame(number, sent)
    assert len(data) % 32 == 0
    frames = Frames()
    (framed,) = frames.feed(data, 0)
    frame = framed.message
    assert frame.header.frame_number == number
    assert frame.header.object_count == len(sent)
    assert np.array_equal(frame.points, np.array([p[:4] for p in sent], np.float32).reshape(-1, 4))
    assert frame.side_info.tolist() == [[round(p[4] * 10), round(p[5] * 10)] for p in sent]
    assert not frames.counts.rejected
    assert frames.finish() == []
    assert frames.counts.resync_bytes == 0


def tlv(tlv_type: int, payload: bytes) -> bytes:
    return TLV_HEADER.pack(tlv_type, len(payload) + 8) + payload


def with_checksum(header: bytes) -> bytes:
    return header[:-2] + struct.pack("<H", header_sum(header[:-2] + b"\0\0"))


def people3d(number: int) -> bytes:
    points = struct.pack("<5f", 0.01, 0.01, 0.001, 0.00025, 0.04) + struct.pack("<bbhHH", 10, -20, 1500, 24_000, 500)
    body = tlv(6, points)
    words = (0x03050004, 48 + len(body), 0xA6843, number, 0, 0, 0, 0, 0, 1, 0)
    return with_checksum(MAGIC + WORDS_48.pack(*words)) + body


def long_range(number: int) -> bytes:
    body = tlv(6, struct.pack("<4f", 80.0, 0.1, 0.05, -2.0))
    words = (0x03050004, 0xA6843, 0, 52 + len(body), number, 0, 0, 0, 0, 0, 1, 0)
    return with_checksum(MAGIC + WORDS_52.pack(*words)) + body


def low_power(points: list[tuple[int, int, int, int, int, int]], units: tuple[float, ...]) -> bytes:
    """A frame as xWRL6432 boards send it: type 301, then their statistics (306)."""
    body = struct.pack("<4f2H", *units, len(points), 0) + b"".join(struct.pack("<4h2B", *point) for point in points)
    body = TLV_HEADER.pack(301, len(body)) + body + TLV_HEADER.pack(306, 8) + bytes(8)
    total = -(-(40 + len(body)) // 32) * 32
    return (MAGIC + WORDS_40.pack(0x05050004, total, 0xA6432, 7, 1000, len(points), 2, 0) + body).ljust(total, b"\0")


def test_points_of_the_low_power_boards_are_read_in_their_units(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = low_power([(-300, 4000, 50, -120, 80, 60), (0, 9000, 0, 0, 40, 60)], (0.0025, 0.01, 0.25, 1.0))
    decoder = Decoder(sensor)
    scan = only(decoder.feed(make_reading(frame)))
    near, far = scan.detections
    assert far.power_db == pytest.approx(10.0)
    assert near.power_db == pytest.approx(20.0)
    assert near.measurement.slant_range_m == pytest.approx(math.sqrt(0.75**2 + 10.0**2 + 0.125**2), abs=1e-3)
    assert near.measurement.range_rate_m_s == pytest.approx(-1.2)
    assert decoder.diagnosis() is None
    (framed,) = Frames().feed(frame, 0)
    assert record(framed.message)["points"][0] == {
        "x": -0.75, "y": 10.0, "z": 0.125, "v": -1.2, "snr_db": 20.0, "noise_db": 60.0
    }  # fmt: skip


def test_damaged_units_of_the_low_power_boards_make_no_detection(sensor: Sensor, make_reading: MakeReading) -> None:
    for unit in (math.inf, math.nan, 1e30):
        frame = low_power([(100, 100, 100, 100, 10, 10)], (unit, 0.01, 0.25, 1.0))
        assert only(Decoder(sensor).feed(make_reading(frame))).detections == ()


def test_the_header_is_told_by_its_length_and_checksum_whatever_came_before() -> None:
    frames = Frames()
    stream = encode_frame(1, [(0, 10, 0, 0, 10, 50)]) + people3d(2) + long_range(3) + encode_frame(4, [])
    found = [framed.message for framed in frames.feed(stream, 0)]
    assert [f.header.profile for f in found] == ["sdk3_oob_40", "people3d_48", "lrpd_52", "sdk3_oob_40"]
    assert [f.header.frame_number for f in found] == [1, 2, 3, 4]
    assert found[1].spherical[0] == pytest.approx([0.1, -0.2, 1.5, 6.0, 20.0])
    assert found[2].spherical[0, :4] == pytest.approx([0.05, 0.1, -2.0, 80.0])
    assert not frames.counts.rejected


def test_a_profile_that_is_set_refuses_the_others() -> None:
    frames = Frames(profile="people3d_48")
    assert [f.message.header.frame_number for f in frames.feed(long_range(1) + people3d(2), 0)] == [2]
    with pytest.raises(ValueError, match="expected auto"):
        Frames(profile="sdk4")


def test_a_frame_whose_padding_was_cut_short_is_read_and_so_is_the_next() -> None:
    stream = b"".join(encode_frame(n, [(1.0, 5.0, 0.0, 0.0, 12.0, 50.0)])[:-1] for n in range(5))
    frames = Frames()
    assert len(frames.feed(stream, 0)) == 5
    assert not frames.counts.rejected


def test_padding_that_looks_like_a_tlv_is_not_read() -> None:
    frame = bytearray(encode_frame(1, []))
    frame[40:48] = TLV_HEADER.pack(1, 16)
    ((framed),) = Frames().feed(bytes(frame), 0)
    assert record(framed.message)["points"] == []


def test_a_count_that_differs_from_the_points_is_remarked_and_the_points_are_used() -> None:
    frame = bytearray(encode_frame(1, [(1.0, 5.0, 0.0, 0.0, 12.0, 50.0)] * 13))
    frame[28] = 10  # CR became LF on the way
    frames = Frames()
    (framed,) = frames.feed(bytes(frame), 0)
    assert len(framed.message.points) == 13
    assert frames.counts.remarks["object count"] == 1


def test_right_ahead_and_up_become_azimuth_range_and_elevation(sensor: Sensor, make_reading: MakeReading) -> None:
    level = replace(sensor, orientation=replace(sensor.orientation, heading_rad=0.0, pitch_rad=0.0))
    frame = encode_frame(1, [(3.0, 4.0, 0.0, -2.5, 20.0, 50.0), (0.0, 30.0, 30.0, 1.0, 10.0, 50.0)])
    near, high = only(Decoder(level).feed(make_reading(frame))).detections
    assert near.measurement.azimuth_rad == pytest.approx(math.atan2(3.0, 4.0))
    assert near.measurement.slant_range_m == pytest.approx(5.0)
    assert near.measurement.range_rate_m_s == pytest.approx(-2.5)
    assert near.power_db == pytest.approx(20.0)
    assert high.measurement.elevation_rad == pytest.approx(math.radians(45.0))
    assert 0.5 < high.confidence < near.confidence < 1.0


def test_neighbouring_points_of_one_speed_are_one_detection_and_others_are_not(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    drone = [(5.0 + 0.3 * n, 30.0, 4.0, -6.0, 15.0 + n, 50.0) for n in range(4)]
    beside = [(5.5, 30.0, 4.0, 0.0, 15.0, 50.0)]  # a mast at the same place stands still
    scan = only(Decoder(sensor).feed(make_reading(encode_frame(1, drone + beside))))
    assert len(scan.detections) == 2
    assert {round(d.measurement.range_rate_m_s) for d in scan.detections} == {-6, 0}


def test_the_centre_of_a_detection_leans_to_its_strong_points(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = encode_frame(1, [(0.0, 30.0, 0.0, 0.0, 20.0, 50.0), (0.0, 30.8, 0.0, 0.0, 0.0, 50.0)])
    (detection,) = only(Decoder(sensor).feed(make_reading(frame))).detections
    assert detection.measurement.slant_range_m == pytest.approx(30.0 + 0.8 / 101.0, abs=1e-3)


def test_an_empty_frame_is_a_look_that_found_nothing(sensor: Sensor, make_reading: MakeReading) -> None:
    reading = make_reading(encode_frame(1, []))
    scan = only(Decoder(sensor).feed(reading))
    assert scan.detections == ()
    assert scan.time_ns == reading.received_ns - sensor.latency_ns
    assert scan.looked is not None
    assert scan.looked[0].slant_range_m == sensor.coverage.slant_range_m


def test_damaged_floats_become_no_detection(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = encode_frame(1, [(math.nan, 1.0, 0.0, 0.0, 1, 1), (1e30, 1.0, 0.0, 0.0, 1, 1), (0.0, 9.0, 0.0, 1e9, 1, 1)])
    decoder = Decoder(sensor)
    assert only(decoder.feed(make_reading(frame))).detections == ()
    assert decoder.counts.remarks["implausible point"] == 3


def test_a_port_that_is_not_raw_is_noticed(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = encode_frame(1, [(1.0, 5.0, 0.0, 0.0, 12.0, 50.0)] * 20)
    decoder = Decoder(sensor)
    for _ in range(200):
        decoder.feed(make_reading(frame.replace(b"\r", b"\n")))
    assert "not raw" in (decoder.diagnosis() or "")


def test_slow_points_can_be_left_out(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = encode_frame(1, [(0.0, 20.0, 0.0, 0.0, 12.0, 50.0), (5.0, 20.0, 0.0, 4.0, 12.0, 50.0)])
    scan = only(Decoder(sensor, min_speed_m_s=0.5).feed(make_reading(frame)))
    assert [d.measurement.range_rate_m_s for d in scan.detections] == [4.0]


def test_the_reason_of_a_rejection_does_not_depend_on_the_cut() -> None:
    """A first payload that claims to reach into the next frame: "cut", whether that frame is there yet or not."""
    frames = [bytearray(encode_frame(n, [(1.0, 5.0, 0.0, 0.0, 12.0, 50.0)] * 3)) for n in range(3)]
    frames[0][12:16] = (160).to_bytes(4, "little")
    frames[0][44:48] = (104).to_bytes(4, "little")
    stream = b"".join(bytes(frame) for frame in frames)
    whole = Frames()
    assert len(whole.feed(stream, 0)) == 2
    for cut in range(len(stream)):
        parts = Frames()
        parts.feed(stream[:cut], 0)
        parts.feed(stream[cut:], 0)
        assert parts.counts == whole.counts


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=16, max_size=16), st.binary(min_size=36, max_size=36))
def test_any_floats_raise_nothing_and_make_no_impossible_detection(points: bytes, side: bytes, packed: bytes) -> None:
    sensor = Sensor("radar", (0, 0, 0), Orientation(0, 0, 0), Accuracy(0.01, 0.01, 0.5, 0.3))
    body = TLV_HEADER.pack(1, 64) + points + TLV_HEADER.pack(7, 16) + side + TLV_HEADER.pack(1020, 36) + packed
    words = (0x03060000, 40 + len(body), 0xA6843, 1, 0, 4, 3, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (scan,) = Decoder(sensor).feed(Reading("radar", 0, 0, None, None, MAGIC + WORDS_40.pack(*words) + body))
    for detection in scan.detections:
        assert 0.0 < detection.measurement.slant_range_m < 2000.0
        assert 0.0 <= detection.confidence <= 1.0


def test_missing_frame_numbers_are_counted_and_told_and_a_restart_is_none(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    decoder = Decoder(sensor)
    for run in (0, 1):
        for number in range(1, 100, 2):
            decoder.feed(make_reading(encode_frame(number, [], cpu_cycles=1000 * number + run)))
    assert decoder.counts.remarks["frame missed"] == 98
    assert "98 frames missed" in (decoder.diagnosis() or "")


def test_old_frames_that_are_played_in_change_neither_the_times_nor_the_count_of_the_true_ones(sensor: Sensor) -> None:
    """Two true frames a reading, so the learned period sets the first one's time."""
    times, missed = [], []
    for is_played_into in (False, True):
        decoder, scans, sent = Decoder(sensor), [], []
        for k in range(1, 61, 2):
            sent += [encode_frame(number, [(0.1 * number, 20.0, 1.0, 2.0, 20.0, 40.0)]) for number in (k, k + 1)]
            at_ns = k * 100_000_000
            scans += decoder.feed(Reading("radar", at_ns, at_ns, None, None, sent[-2] + sent[-1]))
            old = sent[0] if is_played_into else b""
            scans += decoder.feed(Reading("radar", at_ns + 10**7, at_ns + 10**7, None, None, old))
        times.append([scan.time_ns for scan in scans])
        missed.append(decoder.counts.remarks["frame missed"])
    assert times[0] == times[1]
    assert missed == [0, 0]
