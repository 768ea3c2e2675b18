"""Remote ID: messages there and back, what unknown means, claims merged per transmitter, time, forged input."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces import mavlink
from firmware_interfaces.decoder import Rejected
from firmware_interfaces.open_drone_id import Decoder, encode_message_pack
from firmware_interfaces.open_drone_id_messages import (
    MESSAGE_BYTES,
    BasicId,
    Location,
    Message,
    OperatorId,
    SelfId,
    System,
    clean_text,
    decode,
    decode_pack,
    encode,
    encode_pack,
    horizontal_sigma_m,
    identity_of,
    speed_sigma_m_s,
    vertical_sigma_m,
)
from firmware_interfaces.remote_id_claims import MAX_TRANSMITTERS, claim_time_ns
from fusion.types import Accuracy, Claim, Orientation, Reading, Sensor, Status

MakeReading = Callable[..., Reading]
MakeLocation = Callable[..., Location]
ADDRESS = bytes.fromhex("84cca8604324")
HOUR_NS = 3_600_000_000_000
message_bytes = st.tuples(st.integers(0, 5), st.binary(min_size=24, max_size=24)).map(
    lambda parts: bytes((parts[0] << 4 | 2,)) + parts[1]
)


def claims(decoder: Decoder, reading: Reading) -> list[Claim]:
    return [fact for fact in decoder.feed(reading) if isinstance(fact, Claim)]


@given(message_bytes)
def test_a_message_survives_the_way_there_and_back(raw: bytes) -> None:
    message = decode(raw)
    assert decode(encode(message)) == message
    assert len(encode(message)) == MESSAGE_BYTES


@given(st.lists(message_bytes, max_size=9, unique_by=lambda raw: raw[0] >> 4))
def test_a_pack_survives_the_way_there_and_back(raws: list[bytes]) -> None:
    messages = tuple(decode(raw) for raw in raws)
    assert decode_pack(encode_pack(messages)) == messages


@given(st.binary(max_size=260))
def test_any_bytes_are_messages_or_refused(raw: bytes) -> None:
    with contextlib.suppress(Rejected):
        assert len(decode_pack(raw)) <= 9


def test_one_impossible_message_spoils_its_pack(make_location: MakeLocation) -> None:
    pack = bytearray(encode_pack([make_location(), make_location()]))
    pack[3 + MESSAGE_BYTES] = 0x92
    with pytest.raises(Rejected):
        decode_pack(bytes(pack))


def test_the_wire_s_marks_for_unknown_become_none() -> None:
    unknown = Location(0, None, None, None, None, None, None, None, None, 0, 0, 0, 0, 0, None, 0)
    raw = encode(unknown)
    assert (raw[1], raw[2], raw[3], raw[4]) == (0x03, 181, 255, 126)  # 361 deg, 255 m/s, 63 m/s
    assert decode(raw) == unknown


def test_a_direction_in_the_west_and_a_high_speed_use_their_flags(make_location: MakeLocation) -> None:
    sent = replace(make_location(), direction_deg=270.0, speed_m_s=102.0, vertical_speed_m_s=-3.5)
    assert decode(encode(sent)) == sent


def test_accuracy_codes_become_sigmas_and_unknown_codes_none() -> None:
    # code 10 is "better than 10 m" at 95 %: a round normal error of 4.085 m an axis
    assert horizontal_sigma_m(10) == pytest.approx(10.0 / 2.4477, rel=1e-4)
    assert vertical_sigma_m(5) == pytest.approx(3.0 / 1.96)
    assert speed_sigma_m_s(4) == pytest.approx(0.3 / 2.4477, rel=1e-4)
    for sigma in (horizontal_sigma_m, vertical_sigma_m, speed_sigma_m_s):
        assert sigma(0) is None
        assert sigma(15) is None


def test_forged_texts_show_no_control_characters() -> None:
    assert clean_text(b"A\x1b[2J\nB\0rest") == "A\ufffd[2J\ufffdB"
    assert clean_text(b"\0\0") is None


def test_binary_ids_are_written_in_hexadecimal() -> None:
    uuid = bytes(range(16))
    assert identity_of(BasicId(3, 2, uuid)) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert identity_of(BasicId(4, 2, b"\x01\x02")) == "0102"
    assert identity_of(BasicId(0, 2, b"X")) is None


def test_what_a_transmitter_says_in_several_messages_becomes_one_claim(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    decoder = Decoder(sensor)
    said: Sequence[Message] = (
        System(1, 0, 45.001, 7.001, 612.0, 1, 0, None, None, 1, 2, 0),
        OperatorId(0, b"XYZ-OP"),
        SelfId(0, b"survey"),
        BasicId(1, 2, b"1581F1"),
        make_location(),
    )
    found = []
    for number, message in enumerate(said):
        found += claims(decoder, make_reading(encode_message_pack([message], ADDRESS, number)))
    by_identity, by_position = found  # the identity made the first claim, the location the second
    assert by_identity.position is None
    claim = by_position
    assert (claim.transmitter, claim.identity, claim.identity_type) == ("84:cc:a8:60:43:24", "1581F1", "serial")
    assert (claim.category, claim.status, claim.operator_id, claim.text) == (
        "multirotor", "airborne", "XYZ-OP", "survey"
    )  # fmt: skip
    assert claim.position is not None
    assert (claim.position.latitude_deg, claim.position.height_m) == (45.0, 650.5)
    assert claim.velocity_enu_m_s == pytest.approx((10.0, 0.0, 0.5))
    assert claim.operator_position is not None
    assert claim.operator_position.latitude_deg == 45.001
    assert claim.authenticated is False


def test_two_transmitters_are_never_mixed(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    decoder = Decoder(sensor)
    decoder.feed(make_reading(encode_message_pack([BasicId(1, 2, b"FIRST")], ADDRESS, 0)))
    (claim,) = claims(decoder, make_reading(encode_message_pack([make_location()], b"\x01\x02\x03\x04\x05\x06", 1)))
    assert claim.identity is None


def test_an_identity_that_comes_again_makes_no_new_claim(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    pack = encode_message_pack([BasicId(1, 2, b"FIRST")], ADDRESS, 0)
    assert len(claims(decoder, make_reading(pack))) == 1
    assert claims(decoder, make_reading(pack)) == []


def test_invented_addresses_do_not_fill_the_memory(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    decoder = Decoder(sensor)
    for number in range(MAX_TRANSMITTERS + 50):
        address = (number + 1).to_bytes(6, "big")
        decoder.feed(make_reading(encode_message_pack([make_location()], address, number)))
    assert len(decoder._transmitters) == MAX_TRANSMITTERS


def test_a_claim_of_position_0_0_has_no_position_and_is_told(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    decoder = Decoder(sensor)
    nowhere = replace(make_location(), latitude_deg=None, longitude_deg=None)
    for number in range(5):
        (claim,) = claims(decoder, make_reading(encode_message_pack([nowhere], ADDRESS, number)))
        assert claim.position is None
    assert "claims position 0,0: 84:cc:a8:60:43:24" in (decoder.diagnosis() or "")
    decoder.feed(make_reading(encode_message_pack([make_location()], ADDRESS, 6)))
    assert decoder.diagnosis() is None


def test_the_time_of_a_claim_is_put_into_the_hour_it_was_heard_in() -> None:
    hour_ns = 490_000 * HOUR_NS
    second_ns = 1_000_000_000
    assert claim_time_ns(1799.5, hour_ns + 1800 * second_ns) == hour_ns + 1799_500_000_000
    # said at the end of an hour, heard at the beginning of the next
    assert claim_time_ns(3599.0, hour_ns + second_ns) == hour_ns - second_ns
    # ten minutes old, or in the future: the sender's clock is wrong
    assert claim_time_ns(0.0, hour_ns + 600 * second_ns) == hour_ns + 600 * second_ns
    assert claim_time_ns(1830.0, hour_ns + 1800 * second_ns) == hour_ns + 1800 * second_ns
    assert claim_time_ns(None, hour_ns) == hour_ns


def test_the_single_messages_of_mavlink_say_the_same_in_other_units(sensor: Sensor, make_reading: MakeReading) -> None:
    fields = {
        "id_or_mac": ADDRESS, "latitude": 455_460_210, "longitude": -1_229_677_679, "altitude_barometric": -1000.0,
        "altitude_geodetic": 237.0, "height": 100.0, "timestamp": 0.0, "direction": 33_900, "speed_horizontal": 2050,
        "speed_vertical": 6300, "status": 2, "horizontal_accuracy": 9, "vertical_accuracy": 3, "speed_accuracy": 1,
    }  # fmt: skip
    frame = mavlink.encode(mavlink.LOCATION, mavlink.LAYOUTS[mavlink.LOCATION].pack(fields), 0)
    (claim,) = claims(Decoder(sensor), make_reading(frame))
    assert claim.position is not None
    assert claim.position.latitude_deg == pytest.approx(45.546021)
    assert claim.position.height_m == 237.0
    assert claim.velocity_enu_m_s is not None
    assert math.hypot(*claim.velocity_enu_m_s[:2]) == pytest.approx(20.5)
    assert claim.velocity_enu_m_s[2] is None


def test_an_aircraft_claims_by_ads_b_what_its_flags_allow(sensor: Sensor, make_reading: MakeReading) -> None:
    fields = {
        "ICAO_address": 0x4B1234, "lat": 470_000_000, "lon": 80_000_000, "altitude": 3_000_000, "heading": 9000,
        "hor_velocity": 12_000, "flags": 1 | 2 | 4 | 8 | 16, "altitude_type": 0, "callsign": "TEST1",
    }  # fmt: skip
    frame = mavlink.encode(mavlink.ADSB_VEHICLE, mavlink.LAYOUTS[mavlink.ADSB_VEHICLE].pack(fields), 0)
    (claim,) = claims(Decoder(sensor), make_reading(frame))
    assert (claim.protocol, claim.identity, claim.identity_type) == ("ads_b", "4b1234", "icao")
    assert claim.text == "TEST1"
    assert claim.position is not None
    assert claim.position.height_m is None  # a pressure altitude is no height above the ellipsoid
    assert claim.velocity_enu_m_s == pytest.approx((120.0, 0.0, None), abs=1e-9)


def test_the_receiver_s_status_is_told_when_it_changes(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    told = [decoder.feed(make_reading(mavlink.encode_heartbeat(n))) for n in range(3)]
    assert [len(facts) for facts in told] == [1, 0, 0]
    assert isinstance(told[0][0], Status)
    assert told[0][0].level == "ok"


def test_expanded_line_feeds_are_undone_and_told(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    frame = encode_message_pack([make_location(), SelfId(0, b"a\nb\n\n")], b"\x0a\x0a\x0d\x0a\x0d\x01", 10)
    expanded = frame.replace(b"\n", b"\r\n") * 3
    auto, off = Decoder(sensor), Decoder(sensor, undo_crlf="off")
    assert len(claims(auto, make_reading(expanded))) == 3
    assert "LF into CR LF" in (auto.diagnosis() or "")
    assert claims(off, make_reading(expanded)) == []


@given(
    message_id=st.sampled_from(sorted(mavlink.LAYOUTS)),
    payload=st.binary(min_size=1, max_size=255),
    sequence=st.integers(0, 255),
    undo_crlf=st.sampled_from(["auto", "off"]),
)
def test_any_mavlink_frame_comes_back_as_it_was_sent(
    message_id: int, payload: bytes, sequence: int, undo_crlf: str
) -> None:
    frames = mavlink.Frames(undo_crlf)
    (framed,) = frames.feed(mavlink.encode(message_id, payload, sequence, 3, 4), 0)
    frame = framed.message
    assert (frame.message_id, frame.sequence, frame.system_id, frame.component_id) == (message_id, sequence, 3, 4)
    assert frame.payload.ljust(255, b"\0") == payload.ljust(255, b"\0")
    assert not frame.crlf_undone


def test_a_signed_frame_and_one_of_version_1_are_read() -> None:
    plain = bytearray(mavlink.encode(mavlink.ARM_STATUS, b"\x01why", 7))
    body = bytes(plain[1:-2])
    signed = body[:1] + b"\x01" + body[2:]
    crc = mavlink.crc16_mcrf4xx(signed + bytes((139,)))
    stream = b"\xfd" + signed + crc.to_bytes(2, "little") + bytes(13)
    heartbeat = bytes((9, 5, 1, 236, 0)) + bytes(4) + bytes((34, 8, 0, 4, 3))
    crc_1 = mavlink.crc16_mcrf4xx(heartbeat + bytes((50,)))
    stream += b"\xfe" + heartbeat + crc_1.to_bytes(2, "little")
    first, second = (framed.message for framed in mavlink.Frames().feed(stream, 0))
    assert (first.is_signed, first.name) == (True, "OPEN_DRONE_ID_ARM_STATUS")
    assert (second.version, second.fields["system_status"]) == (1, 4)


@given(message_id=st.sampled_from(sorted(mavlink.LAYOUTS)), payload=st.binary(min_size=1, max_size=249))
def test_a_sound_frame_with_any_content_raises_nothing_and_claims_nothing_impossible(
    message_id: int, payload: bytes
) -> None:
    decoder = Decoder(Sensor("remote-id", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy()))
    reading = Reading("remote-id", HOUR_NS * 490_000, 1, None, None, mavlink.encode(message_id, payload, 0))
    for claim in claims(decoder, reading):
        for place in (claim.position, claim.operator_position):
            assert place is None or (abs(place.latitude_deg) <= 90.0 and abs(place.longitude_deg) <= 180.0)
        velocity = claim.velocity_enu_m_s or (0.0, 0.0, None)
        assert all(v is None or math.isfinite(v) for v in velocity)
        assert claim.transmitter
    decoder.diagnosis()


def test_an_old_position_is_not_told_again_as_new(
    sensor: Sensor, make_reading: MakeReading, make_location: MakeLocation
) -> None:
    def later(messages: Sequence[Message], seconds: float) -> Reading:
        reading = make_reading(encode_message_pack(messages, ADDRESS, 1))
        return replace(reading, received_ns=reading.received_ns + round(seconds * 1e9))

    decoder, location = Decoder(sensor), replace(make_location(), timestamp_s=None)
    (first,) = claims(decoder, later([location], 0.0))
    (soon,) = claims(decoder, later([BasicId(1, 2, b"1581F0000000000000A1")], 10.0))
    assert (soon.position, soon.time_ns) == (first.position, first.time_ns)
    (late,) = claims(decoder, later([BasicId(2, 2, b"N12345")], 600.0))
    assert (late.position, late.velocity_enu_m_s, late.horizontal_sigma_m, late.status) == (None,) * 4
    assert late.time_ns == first.time_ns + 600_000_000_000
    assert late.identity == "1581F0000000000000A1"
    (again,) = claims(decoder, later([location], 601.0))
    assert again.position == first.position
