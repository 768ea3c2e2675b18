"""ADS-B: positions that a person can check, accuracy codes, what is not believed, and another decoder's opinion."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import made_adsb as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces import ads_b, adsb_accuracy, cpr, mode_s
from firmware_interfaces import ads_b_encoding as encoding
from firmware_interfaces.ads_b_streams import Messages, sbs_of
from firmware_interfaces.decoder import Rejected
from fusion.types import Claim, Reading, Sensor

MakeReading = Callable[..., Reading]
# even and odd message of ICAO Doc 9871, C.2.6 as worked in Sun, "The 1090 Megahertz Riddle" (2021), section 5.3
EVEN, ODD = bytes.fromhex("8D40621D58C382D690C8AC2863A7"), bytes.fromhex("8D40621D58C386435CC412692AD6")


def claims_of(decoder: ads_b.Decoder, messages: list[bytes], step_s: float = 0.5) -> list[Claim]:
    return [
        claim
        for number, message in enumerate(messages)
        for claim in decoder.feed(
            Reading(
                "adsb",
                1_780_000_000_000_000_000,
                round((1.0 + number * step_s) * 1e9),
                None,
                None,
                encoding.beast(message),
            )
        )
    ]


def test_a_published_pair_of_messages_is_at_its_published_place() -> None:
    even, odd = mode_s.decode(EVEN), mode_s.decode(ODD)
    assert (even["icao"], even["altitude"], even["cpr_format"], odd["cpr_format"]) == ("40621D", 38000, 0, 1)
    pair = [(fields["cpr_lat"], fields["cpr_lon"]) for fields in (even, odd)]
    assert cpr.global_position(*pair, is_odd_newer=False) == pytest.approx((52.2572021484375, 3.91937255859375))
    assert cpr.local_position(pair[0], False, (52.258, 3.918)) == pytest.approx((52.2572021484375, 3.91937255859375))


def test_published_messages_say_what_they_are_published_to_say() -> None:
    callsign = mode_s.decode(bytes.fromhex("8D4840D6202CC371C32CE0576098"))
    assert (callsign["icao"], callsign["callsign"]) == ("4840D6", "KLM1023")
    ground = mode_s.decode(bytes.fromhex("8D485020994409940838175B284F"))
    assert (ground["groundspeed"], ground["vertical_rate"]) == (159, -832)
    assert ground["track"] == pytest.approx(182.88, abs=0.005)
    air = mode_s.decode(bytes.fromhex("8DA05F219B06B6AF189400CBC33F"))
    assert (air["airspeed"], air["airspeed_type"], air["vertical_rate"]) == (375, "TAS", -2304)
    assert air["heading"] == pytest.approx(243.98, abs=0.01)


PLACES = st.tuples(st.floats(-89.9, 89.9), st.floats(-180.0, 179.99))


@given(place=PLACES, is_odd_newer=st.booleans())
def test_a_place_there_and_back_is_within_the_step_of_its_17_bits(
    place: tuple[float, float], is_odd_newer: bool
) -> None:
    even, odd = encoding.compact(*place, False), encoding.compact(*place, True)
    found = cpr.global_position(even, odd, is_odd_newer)
    beside = cpr.local_position(odd if is_odd_newer else even, is_odd_newer, place)
    for there in (found, beside):
        if there is None:  # within 6 m of where the number of zones changes
            assert min(abs(abs(place[0]) - limit) for limit in cpr.LIMITS) < 1e-4
            continue
        assert ads_b.distance_m(there, place) < 6.0 / max(math.cos(math.radians(place[0])), 0.001)
        assert abs(there[0] - place[0]) < 5e-5


@given(place=st.tuples(st.floats(-80.0, 80.0), st.floats(-179.0, 179.0)), away_deg=st.floats(-0.4, 0.4))
def test_on_the_ground_the_place_nearest_to_the_receiver_is_meant(place: tuple[float, float], away_deg: float) -> None:
    even, odd = encoding.compact(*place, False, 90.0), encoding.compact(*place, True, 90.0)
    receiver = (place[0] + away_deg, place[1] + away_deg)
    found = cpr.surface_position(even, odd, True, receiver)
    if found is not None:
        assert ads_b.distance_m(found, place) < 10.0
    else:
        assert min(abs(abs(place[0]) - limit) for limit in cpr.LIMITS) < 1e-4


def test_zones_are_59_at_the_equator_and_1_at_the_poles() -> None:
    # limits of DO-260B, table A-21
    assert [cpr.longitude_zones(latitude) for latitude in (0.0, 10.4704, 10.4705, 52.0, -52.0, 86.9, 87.1)] == [
        *(59, 59, 58, 36, 36, 2, 1),
    ]


# The decoder


def test_a_flight_becomes_claims_with_place_speed_and_errors(sensor: Sensor) -> None:
    claims = claims_of(ads_b.Decoder(sensor), made.flight())
    last = claims[-1]
    assert last.position is not None
    assert (last.position.latitude_deg, last.position.longitude_deg) == pytest.approx((45.011, 7.0), abs=1e-4)
    assert last.position.height_m == pytest.approx((6000 + 100) * 0.3048)
    assert last.velocity_enu_m_s == pytest.approx((0.0, 420 * 1852 / 3600, 640 * 0.3048 / 60))
    assert last.horizontal_sigma_m == pytest.approx(10.0 / 2.4477, rel=1e-4)  # NACp 10: 95 % within 10 m
    assert last.vertical_sigma_m == pytest.approx(45.0 / 1.96)  # GVA 2
    assert last.speed_sigma_m_s == pytest.approx(3.0 / 1.96)  # NACv 2
    assert (last.identity, last.identity_type, last.text) == ("4B1234", "icao", "SWR123")
    assert (last.category, last.status, last.authenticated) == ("airplane", "airborne", False)


def test_an_identity_that_changes_with_each_message_is_told_once_a_second_and_the_last_is_not_lost(
    sensor: Sensor,
) -> None:
    names = [f"FAKE{number:03d}" for number in range(41)]
    decoder = ads_b.Decoder(sensor)
    claims = claims_of(decoder, [encoding.squitter(encoding.identification(name)) for name in names], step_s=0.05)
    assert [claim.text for claim in claims] == ["FAKE000", "FAKE020", "FAKE040"]
    messages = [encoding.squitter(encoding.identification(name)) for name in ("SWR123", "SWR124", "SWR124")]
    assert [c.text for c in claims_of(ads_b.Decoder(sensor), messages, step_s=0.6)] == ["SWR123", "SWR124"]
    lines = [line for line in made.sbs_stream().splitlines(keepends=True) if line.startswith(b"MSG,1,")][:1] * 3
    changing = [lines[0].replace(b"SWR123", name) for name in (b"SWR123", b"SWR124", b"SWR125")]
    assert changing[0] != changing[1]
    assert len(ads_b_feed(ads_b.Decoder(sensor), changing, 0.25)) == 1


def test_an_aircraft_is_told_of_once_a_second(sensor: Sensor) -> None:
    positions = [encoding.squitter(encoding.position(45.0 + n * 1e-4, 7.0, bool(n % 2))) for n in range(40)]
    claims = claims_of(ads_b.Decoder(sensor), positions, step_s=0.25)
    assert 9 <= len(claims) <= 10
    lines = made.sbs_stream().splitlines(keepends=True)[1::2]  # all of positions
    told = [c for line in lines for c in ads_b_feed(ads_b.Decoder(sensor), [line] * 4, 0.25)]
    assert len(told) == len(lines)


def ads_b_feed(decoder: ads_b.Decoder, pieces: list[bytes], step_s: float) -> list[Claim]:
    times_ns = [round((1.0 + number * step_s) * 1e9) for number in range(len(pieces))]
    readings = [Reading("adsb", 0, at_ns, None, None, piece) for at_ns, piece in zip(times_ns, pieces, strict=True)]
    return [claim for reading in readings for claim in decoder.feed(reading)]


def test_accuracy_code_unknown_is_none_and_never_a_number(sensor: Sensor) -> None:
    place = [encoding.squitter(encoding.position(45.0, 7.0, odd, code=18)) for odd in (False, True)]
    unknown = claims_of(ads_b.Decoder(sensor), [encoding.squitter(encoding.velocity(0, 400, nac_v=0)), *place])[-1]
    assert (unknown.horizontal_sigma_m, unknown.vertical_sigma_m, unknown.speed_sigma_m_s) == (None, None, None)
    of_version_2 = claims_of(ads_b.Decoder(sensor), [encoding.squitter(encoding.operation(2, 0, 0)), *place])[-1]
    assert (of_version_2.horizontal_sigma_m, of_version_2.vertical_sigma_m) == (None, None)


def test_sigmas_shrink_with_the_accuracy_code() -> None:
    sigmas = [adsb_accuracy.horizontal_sigma_m(code) for code in range(1, 12)]
    assert sigmas == sorted(sigmas, reverse=True)  # type: ignore[type-var]
    assert adsb_accuracy.horizontal_sigma_m(0) is adsb_accuracy.horizontal_sigma_m(12) is None
    assert adsb_accuracy.horizontal_sigma_m(None) is None


def test_a_pressure_altitude_alone_is_no_height(sensor: Sensor) -> None:
    messages = [encoding.squitter(encoding.position(45.0, 7.0, odd)) for odd in (False, True)]
    position = claims_of(ads_b.Decoder(sensor), messages)[-1].position
    assert position is not None
    assert position.height_m is None
    gnss = [encoding.squitter(encoding.position(45.0, 7.0, odd, altitude_ft=1000, code=20)) for odd in (False, True)]
    position = claims_of(ads_b.Decoder(sensor), gnss)[-1].position
    assert position is not None
    assert position.height_m == pytest.approx(1000.0, abs=0.4)


def test_one_message_is_no_position_and_neither_are_two_that_lie_far_apart_in_time(sensor: Sensor) -> None:
    even, odd = (encoding.squitter(encoding.position(45.0, 7.0, is_odd)) for is_odd in (False, True))
    assert claims_of(ads_b.Decoder(sensor), [even, even]) == []
    assert claims_of(ads_b.Decoder(sensor), [even, odd], step_s=11.0) == []
    assert len(claims_of(ads_b.Decoder(sensor), [even, odd], step_s=9.0)) == 1


def test_a_position_that_no_aircraft_can_reach_needs_a_pair_of_its_own(sensor: Sensor) -> None:
    flying = [encoding.squitter(encoding.position(45.0 + n * 1e-3, 7.0, bool(n % 2))) for n in range(6)]
    jump = encoding.squitter(encoding.position(46.5, 7.0, False))
    assert [c.position for c in claims_of(ads_b.Decoder(sensor), [*flying, jump])][:5]
    assert len(claims_of(ads_b.Decoder(sensor), [*flying, jump])) <= 6
    told = claims_of(ads_b.Decoder(sensor), [*flying, jump])
    assert all(abs(c.position.latitude_deg - 45.0) < 0.01 for c in told if c.position is not None)


def test_aircraft_on_the_ground_need_the_receivers_place(sensor: Sensor) -> None:
    taxiing = [encoding.squitter(encoding.surface(45.2, 7.6, odd)) for odd in (False, True)]
    assert claims_of(ads_b.Decoder(sensor), taxiing) == []
    (claim,) = claims_of(ads_b.Decoder(sensor, 45.1, 7.5), taxiing)
    assert claim.position is not None
    assert (claim.position.latitude_deg, claim.position.longitude_deg) == pytest.approx((45.2, 7.6), abs=1e-4)
    assert claim.status == "ground"
    speed_m_s = 15 * 1852 / 3600
    assert claim.velocity_enu_m_s == pytest.approx((speed_m_s, 0.0, 0.0), abs=1e-6)  # track 90: east


def test_positions_beyond_the_radio_horizon_are_not_told(sensor: Sensor) -> None:
    pair = [encoding.squitter(encoding.position(45.0, 7.0, odd)) for odd in (False, True)]
    assert claims_of(ads_b.Decoder(sensor, 45.5, 7.0), pair)
    assert claims_of(ads_b.Decoder(sensor, 60.0, 7.0), pair) == []


def test_a_reply_is_believed_only_of_an_address_that_squitters_have_told(sensor: Sensor) -> None:
    hijack = encoding.reply(5, 0x0AA2)  # 7500
    assert mode_s.decode(hijack)["squawk"] == "7500"
    pair = [encoding.squitter(encoding.position(45.0, 7.0, odd)) for odd in (False, True)]
    assert claims_of(ads_b.Decoder(sensor), [hijack, *pair])[-1].status == "airborne"
    assert claims_of(ads_b.Decoder(sensor), [pair[0], hijack, pair[1]])[-1].status == "emergency"


def test_an_extended_length_message_tells_its_address_alone_and_makes_no_claim(sensor: Sensor) -> None:
    for format_bits in (24, 27, 31):
        body = bytes((format_bits << 3,)) + bytes(range(10))
        parity = mode_s.parity_left(body + bytes(3)) ^ 0x4CA2D6
        fields = mode_s.decode(body + parity.to_bytes(3, "big"))
        assert fields == {"df": format_bits, "icao": "4CA2D6"}
        assert claims_of(ads_b.Decoder(sensor), [body + parity.to_bytes(3, "big")]) == []


def test_addresses_that_nobody_has_assigned_are_no_icao_ones(sensor: Sensor) -> None:
    pair = [encoding.squitter(encoding.position(45.0, 7.0, odd), df=18) for odd in (False, True)]
    claim = claims_of(ads_b.Decoder(sensor), pair)[-1]  # the builder sets CF 5: TIS-B without an ICAO address
    assert (claim.identity, claim.identity_type) == ("4B1234", None)


def test_an_address_that_sbs_marks_as_made_up_is_no_icao_one(sensor: Sensor, make_reading: MakeReading) -> None:
    lines = (
        b"MSG,3,1,1,~2A0001,1,,,,,,1000,,,45.0,7.0,,,0,0,0,0\r\nMSG,3,1,1,2A0001,1,,,,,,1000,,,45.0,7.0,,,0,0,0,0\r\n"
    )
    made_up, assigned = ads_b.Decoder(sensor).feed(make_reading(lines))
    assert (made_up.transmitter, made_up.identity_type) == ("~2A0001", None)
    assert (assigned.transmitter, assigned.identity_type) == ("2A0001", "icao")


def test_an_attacker_cannot_fill_the_memory_with_addresses(sensor: Sensor) -> None:
    decoder = ads_b.Decoder(sensor)
    for number in range(ads_b.MAX_AIRCRAFT + 500):
        message = encoding.squitter(encoding.identification("FAKE"), number)
        decoder.feed(Reading("adsb", 0, number, None, None, encoding.beast(message)))
    assert decoder.aircraft_count == ads_b.MAX_AIRCRAFT


def test_a_receiver_has_both_coordinates_or_none(sensor: Sensor) -> None:
    with pytest.raises(ValueError, match="needed both, or none"):
        ads_b.Decoder(sensor, 45.0)


# Streams


def read(data: bytes) -> tuple[list[Any], Messages]:
    messages = Messages()
    return [*messages.feed(data, 0), *messages.finish()], messages


def test_a_pair_of_1a_is_data_even_where_a_kind_follows_it() -> None:
    message = encoding.squitter(encoding.identification("A1"))
    frame = encoding.beast(message, timestamp=0x1A1A321A33)
    found, messages = read(b"\x1a\x1a2" + frame + frame)
    assert [framed.message.data for framed in found] == [message, message]
    assert found[0].message.timestamp == 0x1A1A321A33
    assert not messages.counts.rejected


def test_a_frame_behind_half_a_pair_is_found() -> None:
    message = encoding.squitter(encoding.identification("A1"))
    cut = encoding.beast(message, timestamp=0x1A00)[:8]
    assert cut.endswith(b"\x1a\x1a")
    found, _ = read(cut[:-1] + encoding.beast(message))
    assert [framed.message.data for framed in found] == [message]


def test_a_frame_without_checksum_that_stands_alone_is_not_taken() -> None:
    alone = encoding.beast(encoding.reply(4, 0x0A10))
    found, messages = read(b"junk" + alone + b"junk")
    assert found == []
    assert messages.counts.rejected["unsure"] == 1
    followed, _ = read(b"junk" + alone + encoding.beast(EVEN))
    assert len(followed) == 2


def test_messages_of_readsb_between_frames_are_passed_over() -> None:
    own = b"\x1a\xe3" + bytes(range(8))
    found, messages = read(encoding.beast(EVEN) + own + encoding.beast(ODD))
    assert [framed.message.data for framed in found] == [EVEN, ODD]
    assert not messages.counts.rejected


@pytest.mark.parametrize("bit", range(5, 112, 5))  # the first five make it another format
def test_a_wrong_bit_makes_a_squitter_no_message(bit: int) -> None:
    damaged = bytearray(EVEN)
    damaged[bit // 8] ^= 0x80 >> bit % 8
    with pytest.raises(Rejected, match="parity leaves"):
        mode_s.decode(bytes(damaged))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"MSG,3,1,1,4B1234", "length"),
        (b"MSG,9" + b"," * 20, "length"),
        (b"MSG,3,1,1,XYZ" + b"," * 17, "range"),
        (b"MSG,3,1,1,4B1234" + b"," * 7 + b"ten" + b"," * 10, "range"),
        (b"MSG,3,1,1,4B1234" + b"," * 7 + b"1e300" + b"," * 10, "range"),
        (b"MSG,3,1,1,4B1234" + b"," * 7 + b"nan" + b"," * 10, "range"),
        (b"MSG,3,1,1,\xff" + b"," * 17, "text"),
    ],
)
def test_a_line_of_sbs_that_is_none_is_refused(line: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        sbs_of(line)
    assert refused.value.reason == reason


# Another decoder's opinion


def test_another_decoder_reads_the_same_fields_in_any_message() -> None:
    """pyModeS, which is no part of the product; it names some codes in words and guesses registers, which we do not."""
    oracle = pytest.importorskip("pyModeS", reason="pyModeS is not installed: no second opinion on drawn messages")
    chance, compared = random.Random(20260301), 0
    for _ in range(1500):
        df = chance.choice([0, 4, 5, 11, 17, 17, 17, 18, 20, 21])
        raw = bytearray(chance.randbytes(14 if df >= 16 else 7))
        raw[0] = df << 3 | raw[0] & 7
        if df in mode_s.PROVABLE:
            raw[-3:] = bytes(3)
            raw[-3:] = mode_s.parity_left(bytes(raw)).to_bytes(3, "big")
        ours, theirs = mode_s.decode(bytes(raw)), oracle.decode(raw.hex())
        if (ours.get("typecode"), ours.get("subtype")) in ((28, 2), (29, 0), (29, 2), (29, 3)):
            continue
        names = set(ours) & set(theirs) - ({"bds", "groundspeed"} if df in (20, 21) else set())
        for name in names:
            if ours.get("typecode") in (20, 21, 22) and name == "altitude" and not theirs[name]:
                continue  # height 0 m, or unknown: the standard says unknown
            assert (
                ours[name] == pytest.approx(theirs[name], abs=1e-6)
                if isinstance(theirs[name], float)
                else (ours[name] == theirs[name])
            ), f"{raw.hex()}: {name}"
        compared += len(names)
    assert compared > 10_000
