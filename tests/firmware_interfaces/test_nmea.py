"""GNSS: sentences there and back, merged positions, jamming and spoofing, odd input."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces import ubx
from firmware_interfaces.nmea import Decoder, Messages, encode, encode_gga, encode_gst, encode_rmc, utc_ns
from firmware_interfaces.nmea_sentences import TABLE
from fusion.types import Accuracy, Orientation, Reading, Sensor

MakeReading = Callable[..., Reading]
latitudes = st.floats(-90.0, 90.0)
longitudes = st.floats(-180.0, 180.0)
POST = Sensor("gnss", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), Accuracy())
NOON_2026_08_17_NS = 1_786_968_000_000_000_000


@given(latitudes, longitudes, st.integers(0, 8_639_999), st.floats(-500.0, 9000.0), st.floats(-110.0, 90.0))
def test_a_position_comes_back_as_it_was_sent(
    latitude: float, longitude: float, hundredths: int, altitude: float, separation: float
) -> None:
    (framed,) = Messages().feed(encode_gga(hundredths / 100.0, latitude, longitude, altitude, separation), 0)
    fields = framed.message.fields
    # the sentence carries a millionth of a minute, 2 mm, and a tenth of a metre
    assert fields["lat"] == pytest.approx(latitude, abs=1e-8)
    assert fields["lon"] == pytest.approx(longitude, abs=1e-8)
    assert fields["alt"] == pytest.approx(altitude, abs=0.051)
    assert fields["sep"] == pytest.approx(separation, abs=0.051)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_ubx_comes_back_as_it_was_sent_whatever_stands_before_it(payload: bytes, noise: bytes) -> None:
    messages = Messages()
    clean = noise.replace(b"$", b"").replace(b"!", b"").replace(b"\xb5", b"").replace(b"\xd3", b"")
    (framed,) = messages.feed(clean + ubx.encode((0x01, 0x07), payload), 0)
    assert framed.message.payload == payload
    assert framed.offset == len(clean)


def test_a_position_is_merged_from_the_sentences_of_an_epoch(sensor: Sensor, make_reading: MakeReading) -> None:
    stream = (
        encode_gst(43_200.0, 0.8, 0.6, 1.5)
        + encode_gga(43_200.0, 45.0, -7.0, 563.2, 48.6)
        + encode_rmc(43_200.0, "170826", 45.0, -7.0)
    )
    reading = make_reading(stream)
    by_gga, by_rmc = Decoder(sensor).feed(reading)
    assert by_gga.utc_ns is None  # no date yet
    assert by_rmc.utc_ns == NOON_2026_08_17_NS
    for own in (by_gga, by_rmc):
        assert own.position is not None
        assert own.position.latitude_deg == pytest.approx(45.0)
        assert own.position.longitude_deg == pytest.approx(-7.0)
        assert own.position.height_m == pytest.approx(611.8)
        assert own.altitude_msl_m == pytest.approx(563.2)
        assert own.horizontal_sigma_m == pytest.approx((0.5 * (0.8**2 + 0.6**2)) ** 0.5)
        assert own.time_ns == reading.received_ns - sensor.latency_ns
        assert (own.fix, own.satellites_used, own.jammed, own.spoofed) == ("3d", 12, None, None)


def test_without_gst_the_error_is_dilution_times_range_error_and_without_that_unknown(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    gga = encode_gga(0.0, 45.0, 7.0, 500.0, 48.0, horizontal_dilution=2.0)
    (known,) = Decoder(sensor, range_error_m=5.0).feed(make_reading(gga))
    (unknown,) = Decoder(sensor, range_error_m=None).feed(make_reading(gga))
    assert known.horizontal_sigma_m == pytest.approx(2.0 * 5.0 / 2.0**0.5)
    assert unknown.horizontal_sigma_m is None


def test_no_fix_is_no_position(sensor: Sensor, make_reading: MakeReading) -> None:
    stream = encode("GPGGA", *[""] * 5, 0, *[""] * 8) + encode("GPRMC", "", "V", *[""] * 10, "N")
    for own in Decoder(sensor).feed(make_reading(stream)):
        assert own.position is None
        assert own.horizontal_sigma_m is None
        assert own.fix == "none"


@pytest.mark.parametrize("mode", ["N", "S"])
def test_a_simulated_position_is_none(mode: str, sensor: Sensor, make_reading: MakeReading) -> None:
    rmc = encode("GPRMC", "120000", "A", "4500.0", "N", "00700.0", "E", "0.0", "0.0", "170826", "", "", mode)
    for own in Decoder(sensor).feed(make_reading(rmc + encode_gga(43_200.0, 45.0, 7.0, 500.0, 48.0, quality=8))):
        assert (own.position, own.fix) == (None, "none")


def nav_pvt(**changes: int) -> bytes:
    """NAV-PVT of 2026-08-17 12:00:00 at 45 N 7 W."""
    values = {"valid": 7, "fix": 3, "flags": 1, "h_acc": 1200} | changes
    payload = struct.pack("<IHBBBBBBIiBBBBiiiiII", 1000, 2026, 8, 17, 12, 0, 0, values["valid"], 20, 500,
                          values["fix"], values["flags"], 0, 15, -70_000_000, 450_000_000, 611_800, 563_200,
                          values["h_acc"], 2000)  # fmt: skip
    return ubx.encode((0x01, 0x07), payload.ljust(92, b"\0"))


def test_nav_pvt_gives_position_height_error_and_time(sensor: Sensor, make_reading: MakeReading) -> None:
    (own,) = Decoder(sensor).feed(make_reading(nav_pvt()))
    assert own.position is not None
    assert own.position.height_m == pytest.approx(611.8)
    assert own.horizontal_sigma_m == pytest.approx(1.2)
    assert own.utc_ns == NOON_2026_08_17_NS + 500
    assert (own.fix, own.satellites_used) == ("3d", 15)


@pytest.mark.parametrize(
    ("changes", "fix"),
    [({"flags": 3}, "differential"), ({"flags": 0x81}, "rtk_fixed"), ({"flags": 0x41}, "rtk_float"),
     ({"fix": 2}, "2d"), ({"flags": 0}, "none"), ({"fix": 1}, "dead_reckoning")],
)  # fmt: skip
def test_the_kinds_of_fix(changes: dict[str, int], fix: str, sensor: Sensor, make_reading: MakeReading) -> None:
    (own,) = Decoder(sensor).feed(make_reading(nav_pvt(**changes)))
    assert own.fix == fix
    assert (own.position is None) == (fix == "none")


def test_time_that_the_receiver_does_not_vouch_for_is_none(sensor: Sensor, make_reading: MakeReading) -> None:
    (own,) = Decoder(sensor).feed(make_reading(nav_pvt(valid=1)))
    assert own.utc_ns is None


def test_spoofing_and_jamming_hold_until_the_receiver_says_otherwise(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    spoofed = ubx.encode((0x01, 0x03), bytes(7) + b"\x10" + bytes(8))
    jammed = ubx.encode((0x0A, 0x09), bytes(22) + b"\x0c" + bytes(37))
    (own,) = decoder.feed(make_reading(spoofed + jammed + nav_pvt()))
    assert (own.spoofed, own.jammed) == (True, True)
    assert "spoofed" in (decoder.diagnosis() or "")
    well = ubx.encode((0x01, 0x03), bytes(7) + b"\x08" + bytes(8)) + ubx.encode(
        (0x0A, 0x09), bytes(22) + b"\x04" + bytes(37)
    )
    (own,) = decoder.feed(make_reading(well + nav_pvt()))
    assert (own.spoofed, own.jammed) == (False, False)
    assert decoder.diagnosis() is None


@pytest.mark.parametrize(
    ("latitude", "longitude", "read"),
    [
        ("8960.0000", "00000.0000", (90.0, 0.0)),  # MTK receivers before their first fix; 59.99999 rounded up
        ("36000.0000", "72000.0000", (360.0, 720.0)),  # Holux receivers before their first fix
        ("4507.5", "952.5", (45.125, 9.875)),  # a receiver that leaves leading zeros out
        ("4571.0000", "-0700.000", ("", "")),
    ],
)
def test_angles_are_read_as_sent_and_only_those_on_earth_make_a_position(
    latitude: str, longitude: str, read: tuple[object, object], sensor: Sensor, make_reading: MakeReading
) -> None:
    line = encode("GPRMC", "120000", "A", latitude, "N", longitude, "E", "0.0", "0.0", "170826", "", "", "A")
    (framed,) = Messages().feed(line, 0)
    assert (framed.message.fields["lat"], framed.message.fields["lon"]) == read
    (own,) = Decoder(sensor).feed(make_reading(line))
    on_earth = all(isinstance(angle, float) and angle <= 90.0 for angle in read)
    assert (own.position is not None) == on_earth


def test_a_proprietary_sentence_may_have_its_text_right_behind_its_name() -> None:
    (framed,) = Messages().feed(encode("PSRFTXTVersion GSW3.2.2_3.1.00"), 0)
    assert framed.message.identity == "PSRFTXTVersion GSW3.2.2_3.1.00"
    messages = Messages()
    assert messages.feed(encode("a comment, not a sentence"), 0) == []
    assert messages.counts.rejected["unknown"] == 1


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x01\0\0\0\x05\0\0\0\x05\0\0\0", (True, True)),
        (b"\x01\0\0\0\x03\0\0\0\x03\0\0\0", (False, False)),
        (b"\x02\x2d\0\x01\x40\xa6\x17\x01", (True, True)),
        (b"\x02\x1b\0\x02\x40\xa6\x17\0\x40\xa6\x17\0", (False, False)),  # as long as version 1
        (b"\x02\x2d\0\x02\x40\xa6\x17\x01", (None, None)),  # shorter than it says
        (b"\x03\x2d\0\0", (None, None)),  # a version of tomorrow
    ],
)
def test_both_versions_of_sec_sig_tell_of_jamming_and_spoofing(
    payload: bytes, expected: tuple[bool | None, bool | None], sensor: Sensor, make_reading: MakeReading
) -> None:
    (own,) = Decoder(sensor).feed(make_reading(ubx.encode(ubx.SEC_SIG, payload) + nav_pvt()))
    assert (own.jammed, own.spoofed) == expected


def test_a_sentence_without_checksum_is_used_only_where_the_site_says_so(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    bare = encode_gga(0.0, 45.0, 7.0, 500.0, 48.0).split(b"*")[0] + b"\r\n"
    assert Decoder(sensor).feed(make_reading(bare)) == []
    assert len(Decoder(sensor, needs_checksum=False).feed(make_reading(bare))) == 1


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b""])
def test_any_line_end_will_do_and_none_is_waited_for(line_end: bytes) -> None:
    sentence = encode_gga(0.0, 45.0, 7.0, 500.0, 48.0).strip()
    messages = Messages()
    assert len(messages.feed((sentence + line_end) * 2, 0)) == 2
    messages.finish()
    assert messages.counts.resync_bytes == 0


def test_dates_that_do_not_exist_are_no_time() -> None:
    assert utc_ns("2026-02-30", "12:00:00") is None
    assert utc_ns("2026-08-17", "") is None
    assert utc_ns("2026-08-17", "12:00:00.250000") == NOON_2026_08_17_NS + 250_000_000


def test_a_receiver_that_never_tells_a_place_is_told_of(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    decoder.feed(make_reading(ubx.encode((0x01, 0x06), bytes(52)) * 100))  # NAV-SOL, as older receivers have it
    assert "switch NAV-PVT on, or the sentences RMC and GGA" in (decoder.diagnosis() or "")
    decoder.feed(make_reading(encode("GPRMC", "", "V", *[""] * 10, "N")))
    assert decoder.diagnosis() is None


def test_a_wrong_baud_is_told(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    decoder.feed(make_reading(bytes(range(128, 256)) * 40))
    assert "baud" in (decoder.diagnosis() or "")


@given(
    kind=st.sampled_from(sorted(TABLE)),
    values=st.lists(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7D, exclude_characters="$*,")), max_size=25
    ),
)
def test_a_sound_sentence_with_any_content_raises_nothing(kind: str, values: list[str]) -> None:
    decoder = Decoder(POST)
    for own in decoder.feed(Reading("gnss", 10**18, 1, None, None, encode(f"GP{kind}", *values))):
        assert own.position is None or abs(own.position.latitude_deg) <= 90.0
    decoder.diagnosis()


@given(key=st.sampled_from(sorted(ubx.LAYOUTS)), data=st.data())
def test_a_sound_ubx_message_with_any_content_raises_nothing(key: tuple[int, int], data: st.DataObject) -> None:
    sizes = [*ubx.LAYOUTS[key].sizes, 28, 5]
    size = data.draw(st.sampled_from(sizes))
    decoder = Decoder(POST)
    payload = data.draw(st.binary(min_size=size, max_size=size))
    for own in decoder.feed(Reading("gnss", 10**18, 1, None, None, ubx.encode(key, payload))):
        assert own.position is None or abs(own.position.latitude_deg) <= 90.0
    decoder.diagnosis()
