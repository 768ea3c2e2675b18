"""Small sensors: OPS243, KrakenSDR, ODAS, rtl_433, spectrum sweeps, Modbus RTU, Pelco-D and VISCA."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from typing import Any

import made_sensors as made
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_interfaces import krakensdr, modbus_rtu, odas, ops243, pelco_d, rtl_433, spectrum_sweep, visca
from firmware_interfaces.captures import FORMATS, read
from firmware_interfaces.decoder import MAX_KEPT_BYTES
from firmware_interfaces.modbus_rtu import Answer, Refusal, Request
from fusion.types import Orientation, Pointing, Presence, Reading, Sensor, Status

MakeReading = Callable[..., Reading]
RELAXED = settings(deadline=None)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MODBUS = st.builds(Request, st.integers(1, 247), st.integers(1, 4), st.integers(0, 65_000), st.integers(1, 125))


def level(sensor: Sensor, heading_deg: float = 0.0) -> Sensor:
    """Without tilt, so that directions can be checked in the head."""
    return dataclasses.replace(sensor, orientation=Orientation(math.radians(heading_deg), 0.0, 0.0))


# OPS243


@pytest.mark.parametrize(
    ("line", "range_rate_m_s"),
    [
        (b"3.6\r\n", -3.6),  # positive is inbound, and inbound is closing
        (b"-2.47\r\n", 2.47),
        (b'"kmph",36.0\r\n', -10.0),
        (b'{"speed":0.58, "direction":"outbound", "time":105, "tick":135}\r\n', 0.58),
        (b'{"DetectedObjectVelocity":"-31.4"}\r\n', 31.4),
    ],
)
def test_a_speed_is_a_range_rate_in_the_beams_direction(
    sensor: Sensor, make_reading: MakeReading, line: bytes, range_rate_m_s: float
) -> None:
    (scan,) = ops243.Decoder(level(sensor, 90.0)).feed(make_reading(line))
    (detection,) = scan.detections
    assert detection.measurement.range_rate_m_s == pytest.approx(range_rate_m_s)
    assert detection.measurement.azimuth_rad == pytest.approx(math.pi / 2.0)
    assert detection.measurement.slant_range_m is None


def test_a_range_is_metres_whatever_its_unit_and_zero_is_nothing(sensor: Sensor, make_reading: MakeReading) -> None:
    scans = ops243.Decoder(sensor).feed(make_reading(b'"ft",100\r\n"m",0\r\n0\r\n'))
    assert [len(scan.detections) for scan in scans] == [1, 0, 0]
    assert scans[0].detections[0].measurement.slant_range_m == pytest.approx(30.48)


def test_an_answer_to_a_command_is_no_report(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = ops243.Decoder(sensor)
    assert decoder.feed(make_reading(b'{"Product":"OPS243"}\r\n{"Units":"m-per-sec"}\r\n')) == []
    assert decoder.counts.decoded == {"answer": 2}


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.floats(), max_size=12)
)


@MANY
@given(st.dictionaries(st.sampled_from(["speed", "range", "magnitude", "time", "tick", "unit", "direction"]), values))
def test_any_values_of_an_ops243_line(sensor: Sensor, make_reading: MakeReading, said: dict[str, Any]) -> None:
    for scan in ops243.Decoder(sensor).feed(make_reading(json.dumps(said).encode() + b"\n")):
        for detection in scan.detections:
            assert math.isfinite(detection.measurement.range_rate_m_s or 0.0)
    list(read(FORMATS["ops243"], json.dumps(said).encode() + b"\n", {})[0])


# KrakenSDR


@pytest.mark.parametrize(
    ("direction_deg", "sign", "azimuth_deg"), [(0.0, 1, 40.0), (50.0, 1, 90.0), (360.0, 1, 40.0), (50.0, -1, -10.0)]
)
def test_a_direction_counts_clockwise_from_the_arrays_own_north(
    sensor: Sensor, make_reading: MakeReading, direction_deg: float, sign: int, azimuth_deg: float
) -> None:
    decoder = krakensdr.Decoder(level(sensor, 40.0), direction_sign=sign)
    (scan,) = decoder.feed(make_reading(krakensdr.encode(made.bearing(direction_deg))))
    polar = scan.detections[0].measurement
    assert math.degrees(polar.azimuth_rad) == pytest.approx(azimuth_deg)
    assert polar.slant_range_m is None
    assert scan.looked is None
    assert scan.detections[0].power_db == -41.9


def test_a_bearing_is_as_old_as_the_receiver_says(sensor: Sensor, make_reading: MakeReading) -> None:
    reading = make_reading(krakensdr.encode(made.bearing()))
    (scan,) = krakensdr.Decoder(sensor).feed(reading)
    assert reading.received_ns - scan.time_ns == 436_000_000 + sensor.latency_ns


def test_a_linear_array_is_not_used_and_health_says_so(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = krakensdr.Decoder(sensor)
    assert decoder.feed(make_reading(krakensdr.encode(made.bearing(array="ULA")))) == []
    assert "front from back" in (decoder.diagnosis() or "")


def test_a_range_that_no_module_reaches_is_no_detection(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = ops243.Decoder(sensor)
    far, near = decoder.feed(make_reading(b'"m",99999999.0\r\n"m",21.5\r\n'))
    assert far.detections == ()
    assert near.detections[0].measurement.slant_range_m == pytest.approx(21.5)
    assert decoder.counts.remarks["impossible range"] == 1


def test_a_line_of_impossible_numbers_is_refused(sensor: Sensor, make_reading: MakeReading) -> None:
    line = krakensdr.encode(made.bearing())
    decoder = krakensdr.Decoder(sensor)
    wrong = [
        line.replace(b", 90,", b", 400,"),
        line.replace(b"6.60", b"nan"),
        line.replace(b"UCA", b"XYZ"),
        line[:90] + b"\n",
    ]
    assert decoder.feed(make_reading(b"".join(wrong))) == []
    assert sum(decoder.counts.rejected.values()) == 4


# ODAS


@pytest.mark.parametrize(
    ("axes", "azimuth_deg", "elevation_deg"),
    [((0.0, 1.0, 0.0), 90.0, 0.0), ((1.0, 0.0, 0.0), 180.0, 0.0), ((0.0, 1.0, 1.0), 90.0, 45.0)],
)
def test_a_sounds_direction_is_forward_along_the_boresight_right_and_up(
    sensor: Sensor,
    make_reading: MakeReading,
    axes: tuple[float, float, float],
    azimuth_deg: float,
    elevation_deg: float,
) -> None:
    (scan,) = odas.Decoder(level(sensor, 90.0)).feed(make_reading(odas.encode(made.sound(0, *axes))))
    polar = scan.detections[0].measurement
    assert math.degrees(polar.azimuth_rad) == pytest.approx(azimuth_deg, abs=0.1)
    assert math.degrees(polar.elevation_rad) == pytest.approx(elevation_deg, abs=0.1)
    assert (polar.slant_range_m, scan.detections[0].confidence) == (None, 0.8)


def test_quiet_and_potential_sources_are_no_detections(sensor: Sensor, make_reading: MakeReading) -> None:
    quiet = odas.encode(made.sound(0, 0.0, 1.0, 0.0, 0.1))
    potential = b'{"timeStamp": 7, "src": [{"x": 0.0, "y": 1.0, "z": 0.0, "E": 0.9}]}'
    scans = odas.Decoder(sensor).feed(make_reading(quiet + potential))
    assert [scan.detections for scan in scans] == [(), ()]


def test_a_tag_that_holds_braces_and_quotes_ends_no_object(sensor: Sensor, make_reading: MakeReading) -> None:
    one = odas.encode(made.sound(0, 0.0, 1.0, 0.0)).replace(b"dynamic", rb"}{\"}")
    assert len(odas.Decoder(sensor).feed(make_reading(one * 3))) == 3


def test_an_object_that_lost_its_end_costs_no_other(sensor: Sensor, make_reading: MakeReading) -> None:
    one = odas.encode(made.sound(0, 0.0, 1.0, 0.0))
    for kept in (5, 60, 150, len(one) - 3):
        assert len(odas.Decoder(sensor).feed(make_reading(one[:kept] + one * 2))) >= 2, kept


# rtl_433


def line(**said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def test_repetitions_of_one_transmission_are_one_event(sensor: Sensor, make_reading: MakeReading) -> None:
    facts = rtl_433.Decoder(sensor).feed(make_reading(made.rtl_433_stream()))
    told = [(fact.kind, fact.text) for fact in facts if isinstance(fact, Presence)]
    assert told == [
        ("motion", "Interlogix-Security 468d19: motion"),
        ("tamper", "Honeywell-Security 815221: tampered with"),
        ("door", "Honeywell-Security 815221: open"),
        ("motion", "Interlogix-Security 468d19: motion"),
    ]


def test_a_low_battery_is_told_once_and_stays_on_health(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = rtl_433.Decoder(sensor)
    low = {"model": "Generic-Motion", "id": 7, "battery_ok": 0}
    facts = decoder.feed(make_reading(line(**low, time="@1.0s") + line(**low, time="@60.0s")))
    assert [fact.text for fact in facts if isinstance(fact, Status)] == ["Generic-Motion 7: battery low"]
    assert decoder.diagnosis() == "battery low: Generic-Motion 7"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"model": "Generic-Motion", "code": "800a2"}, "motion"),
        ({"model": "Interlogix", "id": "a7106d", "device_type": "contact", "battery": "OK"}, "contact"),
        ({"model": "DSC-Security", "id": 5, "tamper": 1}, "tamper"),
        ({"model": "Honeywell-Security", "id": 5, "state": "open", "heartbeat": "no"}, "door"),
        ({"model": "DSC-Security", "id": 6, "closed": 0, "event": 1, "tamper": 0}, "door"),
        ({"model": "Kerui-Security", "id": "0x1f2", "cmd": "0xa", "motion": 1, "state": "motion"}, "motion"),
        ({"model": "Kerui-Security", "id": "0x1f2", "cmd": "0xb", "tamper": 1, "state": "tamper"}, "tamper"),
        ({"model": "Visonic-Powercode", "id": "a1", "tamper": 0, "alarm": 1, "restore": 0, "supervised": 1}, "alarm"),
        ({"model": "X10-Security", "id": "8a", "code": "0c", "event": "MOTION TRIPPED"}, "motion"),
        ({"model": "X10-Security", "id": "8b", "code": "04", "event": "DOOR/WINDOW OPEN"}, "door"),
        ({"model": "Chuango-Security", "id": 8, "cmd": "Normal Zone", "cmd_id": 7}, "alarm"),
        ({"model": "Chuango-Security", "id": 8, "cmd": "Tamper", "cmd_id": 3}, "tamper"),
    ],
)
def test_old_and_new_field_names_mean_the_same(
    sensor: Sensor, make_reading: MakeReading, said: dict[str, Any], kind: str
) -> None:
    facts = rtl_433.Decoder(sensor).feed(make_reading(line(**said)))
    assert [fact.kind for fact in facts if isinstance(fact, Presence)] == [kind]


def test_signs_of_life_closing_doors_and_thermometers_are_no_presence(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    said = [
        line(model="Honeywell-Security", id=5, state="open", heartbeat=1),
        line(model="Honeywell-Security", id=6, state="closed", heartbeat=0),
        line(model="Nexus-TH", id=7, temperature_C=21.5, humidity=40),
        line(model="DSC-Security", id=8, closed=1, event=1, tamper=0),
        line(model="DSC-Security", id=9, closed=0, event=0, tamper=0),
        line(model="Visonic-Powercode", id="a1", tamper=0, alarm=0, restore=1, supervised=1),
        line(model="X10-Security", id="8a", code="8c", event="MOTION READY"),
        line(model="X10-Security", id="8b", code="84", event="DOOR/WINDOW CLOSED"),
        line(model="Kerui-Security", id="0x1f2", cmd="0x7", opened=0, state="close"),
        line(model="X10-Security", id="8c", code="06", event="KEY-FOB ARM"),
    ]
    assert rtl_433.Decoder(sensor).feed(make_reading(b"".join(said))) == []


def test_a_neighbours_sensor_is_left_out_where_ours_are_named(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = rtl_433.Decoder(sensor, transmitters=("468d19",))
    facts = decoder.feed(make_reading(line(model="Generic-Motion", id="ffff") + line(**made.MOTION)))
    assert [fact.text for fact in facts if isinstance(fact, Presence)] == ["Interlogix-Security 468d19: motion"]


def test_a_line_with_a_key_twice_is_refused(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = rtl_433.Decoder(sensor)
    assert decoder.feed(make_reading(b'{"model":"Generic-Motion","id":1,"id":2}\n')) == []
    assert decoder.counts.rejected == {"field": 1}


# Spectrum


def test_a_band_that_becomes_occupied_is_a_presence_with_its_power(sensor: Sensor, make_reading: MakeReading) -> None:
    told = spectrum_sweep.Decoder(sensor).feed(make_reading(made.spectrum_stream()))
    assert [fact.kind for fact in told] == ["spectrum"] * 3
    assert [fact.power_dbm for fact in told] == [-40.0, -10.0, -50.0]
    assert told[0].frequency_hz == pytest.approx(2412.5e6, abs=0.5e6)
    assert "2400–2483.5 MHz" in told[0].text
    assert "not calibrated" in told[0].text
    assert told[2].frequency_hz == pytest.approx(433.5e6, abs=0.1e6)


def test_a_wide_emitter_is_one_band_and_does_not_lift_the_floor() -> None:
    frequencies = 2400e6 + 1e6 * np.arange(80)
    powers = np.where(abs(frequencies - 2437e6) <= 25e6, -50.0, -72.0)
    (band,) = spectrum_sweep.occupied(spectrum_sweep.Sweep("csv", 0, "", 16, frequencies, powers), 15.0)
    assert (band.low_hz, band.high_hz) == (2411.5e6, 2462.5e6)
    assert spectrum_sweep.occupied(spectrum_sweep.Sweep("csv", 0, "", 1, frequencies, np.full(80, -72.0)), 15.0) == []


def test_what_no_drone_uses_is_no_presence(sensor: Sensor, make_reading: MakeReading) -> None:
    stream = re.sub(rb" 24(\d\d)000000,", rb" 18\g<1>000000,", made.spectrum_stream())
    told = spectrum_sweep.Decoder(sensor).feed(make_reading(stream))
    assert [fact.power_dbm for fact in told] == [-10.0, -50.0]


def test_an_endless_sweep_is_told_in_parts(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = spectrum_sweep.Decoder(sensor)
    stamp = "2026-03-14, 09:26:53.000000"
    for number in range(900):
        decoder.feed(make_reading(spectrum_sweep.encode_sweep(stamp, number * 1_000_000, 50_000, [-70.0] * 20)))
        assert decoder.kept_bytes <= MAX_KEPT_BYTES
    assert decoder.counts.decoded["csv"] >= 2


def test_rtl_power_may_say_nan_and_its_last_bin_twice() -> None:
    text = b"2026-03-14, 09:26:53, 433000000, 434000000, 250000.00, 8, -70.1, nan, -50.2, -71.0, -71.0"
    assert len(spectrum_sweep.segment(text).powers_db) == 5


@MANY
@given(st.lists(st.text("0123456789-:.e+ ,nanchscrw>{}x", max_size=60), max_size=8))
def test_any_lines_of_sweeps_raise_nothing(sensor: Sensor, make_reading: MakeReading, lines: list[str]) -> None:
    head = ["scan 433000000 434000000 3 2", "2026-03-14, 09:26:53, 1, 2, 1, 1, " + "".join(lines[:1])]
    text = "\r\n".join([*head, *(f"2026-03-14, 09:26:53, {rest}" for rest in lines), *lines, "{x" + "x".join(lines)])
    for fact in spectrum_sweep.Decoder(sensor).feed(make_reading(text.encode() + b"\n")):
        assert math.isfinite(fact.power_dbm or 0.0)


# Modbus


def test_an_alarm_is_told_when_its_bit_comes_on_or_its_register_reaches_the_limit(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    decoder = modbus_rtu.Decoder(sensor, made.ALARMS, "fence")
    facts = decoder.feed(make_reading(made.modbus_stream()))
    assert [fact.text for fact in facts if isinstance(fact, Presence)] == ["zone 1", "seismic, east: 150", "zone 1"]
    assert [fact.text for fact in facts if isinstance(fact, Status)] == ["unit 7 refuses: illegal data address"]


def test_an_answer_without_its_request_is_no_alarm(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = modbus_rtu.Decoder(sensor, made.ALARMS)
    answer = modbus_rtu.encode(Answer(2, 2, (1,) * 8))
    assert decoder.feed(make_reading(answer * 20)) == []
    assert "without their requests" in (decoder.diagnosis() or "")


def test_a_wrong_entry_of_alarms_is_named() -> None:
    with pytest.raises(ValueError, match='"zone 1", expected "unit:address text"'):
        modbus_rtu.alarm("zone 1")


@RELAXED
@given(MODBUS | st.builds(Refusal, st.integers(1, 247), st.integers(1, 4), st.integers(1, 11)))
def test_a_modbus_frame_is_the_same_after_the_wire(frame: modbus_rtu.Frame) -> None:
    (framed,) = modbus_rtu.Frames().feed(modbus_rtu.encode(frame), 0)
    assert framed.message == frame


def test_no_function_that_writes_is_known(sensor: Sensor, make_reading: MakeReading) -> None:
    write = bytes.fromhex("010600010003")  # write register 1
    decoder = modbus_rtu.Decoder(sensor)
    crc = modbus_rtu.crc16_modbus(write).to_bytes(2, "little")
    assert decoder.feed(make_reading(write + crc)) == []
    assert not decoder.counts.decoded


# Pan-tilt


def test_a_pelco_head_points_where_pan_and_tilt_say(sensor: Sensor, make_reading: MakeReading) -> None:
    told = pelco_d.Decoder(level(sensor, 10.0)).feed(make_reading(made.pelco_stream()))
    first = told[0]
    assert isinstance(first, Pointing)
    assert math.degrees(first.orientation.heading_rad) == pytest.approx(100.0)
    assert math.degrees(first.orientation.pitch_rad) == pytest.approx(10.0)  # 350 deg of tilt is 10 deg up


def test_a_visca_camera_points_where_its_steps_say(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = visca.Decoder(level(sensor, 350.0), 14.4, 14.4)
    told = [fact for fact in decoder.feed(make_reading(made.visca_stream())) if isinstance(fact, Pointing)]
    headings = [math.degrees(fact.orientation.heading_rad) for fact in told]
    assert headings == pytest.approx([350.0, 0.0, 10.0, 20.0], abs=1e-9)
    assert math.degrees(told[0].orientation.pitch_rad) == pytest.approx(-5.0)


@pytest.mark.parametrize(
    ("made_bytes", "expected"),
    [  # command tables of the makers
        (pelco_d.stop(1), "ff010000000001"),
        (pelco_d.go_to_pan(1, 123.45), "ff01004b3039b5"),
        (pelco_d.ask_pan(1), "ff010051000052"),
        (pelco_d.go_to_tilt(1, 10.0), "ff01004d88b88e"),
        (visca.stop(1), "8101060101010303ff"),
        (visca.go_to(1, 0x100, -0x80, 0x18, 0x18), "810106021818000100000f0f0800ff"),
        (visca.ask_position(1), "81090612ff"),
        (visca.over_ip(visca.ask_position(1), 7), "011000050000000781090612ff"),
    ],
)
def test_commands_have_the_bytes_of_the_makers_tables(made_bytes: bytes, expected: str) -> None:
    assert made_bytes.hex() == expected


def test_shares_of_the_highest_speed_turn_the_right_way() -> None:
    assert pelco_d.meaning(pelco_d.Commands().feed(pelco_d.move(1, -1.0, 0.5), 0)[0].message) == (
        "pan left speed 0x3f, tilt up speed 0x20"
    )
    assert visca.meaning(visca.Messages().feed(visca.move(1, 1.0, -1.0), 0)[0].message) == (
        "pan/tilt right speed 0x18, down speed 0x14"
    )


@RELAXED
@given(st.floats(-360.0, 360.0))
def test_an_angle_survives_the_way_to_the_head(angle_deg: float) -> None:
    (framed,) = pelco_d.Commands().feed(pelco_d.go_to_pan(3, angle_deg), 0)
    turned = (framed.message.angle_deg - angle_deg + 180.0) % 360.0 - 180.0
    assert abs(turned) <= 0.0051


@RELAXED
@given(st.integers(-0x8000, 0x7FFF), st.integers(-0x8000, 0x7FFF))
def test_steps_survive_the_way_to_the_camera(pan: int, tilt: int) -> None:
    messages = visca.Messages().feed(visca.go_to(1, pan, tilt) + visca.position_reply(1, pan, tilt), 0)
    assert [framed.message.position for framed in messages] == [(pan, tilt)] * 2
