"""ASTERIX: what is made of blocks that are read right, and that a wrong edition is noticed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_interfaces import asterix
from firmware_interfaces.asterix_records import known_editions, raw_blocks, read_datagram, read_editions
from firmware_interfaces.asterix_turns import MAX_PLOTS
from firmware_interfaces.decoder import MAX_KEPT_BYTES, Rejected
from fusion.types import Accuracy, Claim, Coverage, Orientation, Presence, Reading, RemoteTrack, Scan, Sensor, Status

RECEIVED_NS = 1_780_000_000_000_000_000
RADAR = Sensor(
    "radar",
    (0.0, 0.0, 10.0),
    Orientation(0.0, 0.0, 0.0),
    Accuracy(math.radians(0.1), None, 60.0),
    latency_ns=500_000_000,
    coverage=Coverage((-math.pi, math.pi), (-0.02, 0.6), (500.0, 400_000.0)),
)
CENTER = replace(RADAR, accuracy=Accuracy(), coverage=None)
PLACE = (8_339_099).to_bytes(4, "big") + (2_431_117).to_bytes(4, "big")  # 44.734413 N 13.041528 E, of a real feed
TRACK = {  # CAT062: source, time of day, position, velocity, track number, status
    "010": b"\x19\x64",
    "070": bytes.fromhex("3c6005"),
    "105": PLACE,
    "185": bytes.fromhex("ff3302a8"),
    "040": bytes.fromhex("1374"),
    "080": b"\x00",
}
BROADCAST = {  # CAT021: source, descriptor, position, address, geometric height, quality, version
    "010": b"\x19\x64",
    "040": b"\x00",
    "130": bytes.fromhex("2bb73e fa66e5"),
    "080": bytes.fromhex("4b1234"),
    "140": (3200).to_bytes(2, "big"),
    "090": b"\x00",
    "210": b"\x02",
}


def readings(datagrams: list[bytes], step_s: float = 0.125) -> list[Reading]:
    return [
        Reading("radar", RECEIVED_NS + round((n + 1) * step_s * 1e9), n + 1, None, None, data)
        for n, data in enumerate(datagrams)
    ]


def facts_of(decoder: asterix.Decoder, datagrams: list[bytes], step_s: float = 0.125) -> list[Any]:
    return [fact for reading in readings(datagrams, step_s) for fact in decoder.feed(reading)]


def repeated(
    make: SimpleNamespace, category: int, edition: str, items: dict[str, bytes], times: int = 12
) -> list[bytes]:
    """A record several times, each from another source: the same bytes again would count as come twice."""
    return [
        make.block(category, make.record(category, edition, {**items, "010": bytes((25, n))})) for n in range(times)
    ]


def test_north_is_north_and_azimuth_grows_to_the_east(make_asterix: SimpleNamespace) -> None:
    scans = [scan for scan in facts_of(asterix.Decoder(RADAR), make_asterix.turn(4)) if scan.detections]
    assert len(scans) > 64
    for scan in scans:
        (detection,) = scan.detections
        azimuth_deg = math.degrees(detection.measurement.azimuth_rad) % 360.0
        assert azimuth_deg % 11.25 == pytest.approx(5.65, abs=0.01)
        assert detection.measurement.elevation_rad is None
        assert 20.0 * 1852 < detection.measurement.slant_range_m < 40.0 * 1852


def test_a_sector_of_the_turn_is_one_scan_that_looked_there_and_at_its_time(make_asterix: SimpleNamespace) -> None:
    scans = [s for s in facts_of(asterix.Decoder(RADAR), make_asterix.turn(4)) if s.looked is not None]
    assert len(scans) > 64
    for before, scan in itertools.pairwise(scans):
        (look,) = scan.looked
        azimuth_rad = scan.detections[0].measurement.azimuth_rad
        low, high = look.azimuth_rad
        assert any(low <= azimuth_rad + turn <= high for turn in (-2 * math.pi, 0.0, 2 * math.pi))
        assert math.degrees(high - low) == pytest.approx(11.25)
        assert (scan.time_ns - before.time_ns) / 1e9 == pytest.approx(0.125, abs=0.02)


def test_an_empty_sector_was_looked_at_all_the_same(make_asterix: SimpleNamespace) -> None:
    datagrams = make_asterix.turn(3)
    plots, crossings = datagrams[:40], [data[-11:] for data in datagrams[40:]]
    scans = facts_of(asterix.Decoder(RADAR), plots + crossings)
    assert len([scan for scan in scans if scan.looked and not scan.detections]) > 30


def test_plots_without_sector_messages_are_told_and_their_absence_says_nothing(make_asterix: SimpleNamespace) -> None:
    plots = [make_asterix.block(48, make_asterix.plot(n * 0.1, n * 10.0, 30.0)) for n in range(30)]
    scans = facts_of(asterix.Decoder(RADAR), plots)
    assert len(scans) == 30 - asterix.MIN_BLOCKS + 1
    assert all(scan.looked is None and len(scan.detections) == 1 for scan in scans)


def test_test_targets_and_reports_without_a_detection_are_no_detections(make_asterix: SimpleNamespace) -> None:
    nothing = [make_asterix.block(48, make_asterix.plot(n * 0.1, n * 10.0, 30.0, kind=0)) for n in range(30)]
    simulated = [data[:9] + bytes((data[9] | 0x30,)) + data[10:] for data in nothing]
    assert facts_of(asterix.Decoder(RADAR), nothing + simulated) == []


def test_the_plots_of_another_radar_are_left_out_and_said_so(make_asterix: SimpleNamespace) -> None:
    both = [
        make_asterix.block(
            48, make_asterix.plot(n * 0.1, n * 10.0, 30.0, sic=13), make_asterix.plot(n * 0.1, 5, 9, sic=7)
        )
        for n in range(30)
    ]
    first, chosen = asterix.Decoder(RADAR), asterix.Decoder(RADAR, sic=7)
    assert all(s.detections[0].measurement.slant_range_m > 30 * 1851 for s in facts_of(first, both))
    assert "plots of other radars (25/7) are left out" in str(first.diagnosis())
    near = facts_of(chosen, both)
    assert near
    assert all(s.detections[0].measurement.slant_range_m < 10 * 1852 for s in near)
    assert chosen.diagnosis() is None


def test_a_datagram_that_two_networks_carry_counts_once(make_asterix: SimpleNamespace) -> None:
    once, twice = asterix.Decoder(RADAR), asterix.Decoder(RADAR)
    datagrams = make_asterix.turn(2)
    doubled = [twice.feed(r) for r in readings(datagrams) for _ in (0, 1)]
    assert [f for facts in doubled for f in facts] == facts_of(once, datagrams)
    assert twice.counts.remarks["datagram came twice"] == len(datagrams)


@pytest.mark.parametrize(("of_day_s", "expected_s"), [(86_399.5, -1.0), (0.25, -0.25)])
def test_times_of_day_wrap_at_midnight(make_asterix: SimpleNamespace, of_day_s: float, expected_s: float) -> None:
    midnight_ns = RECEIVED_NS - RECEIVED_NS % 86_400_000_000_000 + 86_400_000_000_000
    received_ns = midnight_ns + 500_000_000
    decoder = asterix.Decoder(RADAR)
    facts: list[Any] = []
    for number in range(12):
        block = make_asterix.block(48, make_asterix.plot(of_day_s, number * 20.0, 30.0))
        facts += decoder.feed(Reading("radar", received_ns, number, None, None, block))
    assert {(fact.time_ns - received_ns) / 1e9 for fact in facts} == {expected_s}


def test_a_clock_that_is_far_off_is_not_used(make_asterix: SimpleNamespace) -> None:
    decoder = asterix.Decoder(RADAR)
    of_day_s = RECEIVED_NS / 1e9 % 86_400.0 + 3600.0
    plots = [make_asterix.block(48, make_asterix.plot(of_day_s, n * 10.0, 30.0)) for n in range(12)]
    scans = facts_of(decoder, plots)
    assert scans[-1].time_ns == readings(plots)[-1].received_ns - RADAR.latency_ns
    assert decoder.counts.remarks["time of day is far from ours"] > 0


# Tracks and claims


def test_a_system_track_is_a_remote_track_with_its_number_and_place(make_asterix: SimpleNamespace) -> None:
    facts = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 62, "1.21", TRACK))
    track = facts[-1]
    assert isinstance(track, RemoteTrack)
    assert track.remote_track_number == 4980
    assert (track.position.latitude_deg, track.position.longitude_deg) == pytest.approx((44.734413028, 13.041527867))
    assert track.position.height_m is None
    assert track.horizontal_sigma_m is None
    assert track.velocity_enu_m_s == (-51.25, 170.0, None)


def test_a_multilateration_track_is_a_remote_track_with_its_error(make_asterix: SimpleNamespace) -> None:
    items = {
        "010": b"", "020": b"\x40", "140": bytes.fromhex("3c6005"), "041": PLACE, "161": b"\x0d\xc8",
        "202": bytes.fromhex("ffc9ffdb"), "500": b"\x40" + bytes.fromhex("00140028") + bytes(2),
    }  # fmt: skip
    track = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 20, "1.11", items))[-1]
    assert isinstance(track, RemoteTrack)
    assert (track.remote_track_number, track.horizontal_sigma_m) == (3528, 10.0)  # 40 steps of 0.25 m, the larger
    assert track.velocity_enu_m_s == (-13.75, -9.25, None)


def test_a_surveillance_track_has_its_height_above_the_ellipsoid(make_asterix: SimpleNamespace) -> None:
    place = round(45.5 / 180 * 2**31).to_bytes(4, "big") + round(-7.25 / 180 * 2**31).to_bytes(4, "big", signed=True)
    items = {
        "010": b"", "000": b"\x04", "015": b"\x01", "020": b"\x00", "145": bytes.fromhex("3c6005"), "161": b"\x00\x2a",
        "600": b"\xa0" + place + bytes.fromhex("0008000c00"), "601": b"\x80" + (123_456).to_bytes(3, "big"),
        "602": b"\x80" + bytes.fromhex("003e8ffe0c"),
    }  # fmt: skip
    track = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 15, "1.2", items))[-1]
    assert isinstance(track, RemoteTrack)
    assert (track.position.latitude_deg, track.position.longitude_deg) == pytest.approx((45.5, -7.25), abs=1e-6)
    assert track.position.height_m == pytest.approx(1234.56)
    assert (track.remote_track_number, track.horizontal_sigma_m) == (42, 3.0)
    assert track.velocity_enu_m_s == (10.0, -5.0, None)


@pytest.mark.parametrize(
    ("version", "quality", "horizontal_m", "vertical_m", "speed_m_s"),
    [
        (2, bytes.fromhex("4f 15 05 00"), 10.0 / 2.4477, 45.0 / 1.96, 3.0 / 1.96),  # NACv 2, NACp 10, GVA 2
        (2, bytes.fromhex("01 01 01 00"), None, None, None),
        (0, bytes.fromhex("2e"), 0.05 * 1852 / 2.4477, None, 10.0 / 1.96),  # NUCr 1, NUCp 7
        (0, bytes.fromhex("00"), None, None, None),
    ],
)
def test_accuracy_codes_of_a_broadcast_become_sigmas_and_unknown_becomes_none(
    make_asterix: SimpleNamespace,
    version: int,
    quality: bytes,
    horizontal_m: float | None,
    vertical_m: float | None,
    speed_m_s: float | None,
) -> None:
    items = {**BROADCAST, "090": quality, "210": bytes((version << 3 | 2,))}
    facts = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 21, "2.1", items))
    claim = facts[-1]
    assert isinstance(claim, Claim)
    assert (claim.identity, claim.identity_type, claim.authenticated) == ("4B1234", "icao", False)
    assert claim.position is not None
    assert claim.position.height_m == pytest.approx(3200 * 6.25 * 0.3048)
    assert claim.horizontal_sigma_m == (None if horizontal_m is None else pytest.approx(horizontal_m, rel=1e-4))
    assert claim.vertical_sigma_m == (None if vertical_m is None else pytest.approx(vertical_m))
    assert claim.speed_sigma_m_s == (None if speed_m_s is None else pytest.approx(speed_m_s))


def test_a_bearing_of_a_direction_finder_is_a_presence(make_asterix: SimpleNamespace) -> None:
    items = {"000": b"\x05", "030": bytes(3), "040": b"\x07", "090": b"121.500", "070": (12_345).to_bytes(2, "big")}
    facts = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 205, "1.0", {"010": b"", **items}))
    assert isinstance(facts[-1], Presence)
    assert facts[-1].text == "radio 121.500 at bearing 123.45 deg"


def test_a_tracking_service_says_how_it_is(make_asterix: SimpleNamespace) -> None:
    items = {"010": b"", "000": b"\x01", "015": b"\x04", "030": bytes.fromhex("3c6005"), "040": b"\x60"}
    facts = facts_of(asterix.Decoder(CENTER), repeated(make_asterix, 65, "1.6", items))
    assert isinstance(facts[-1], Status)
    assert (facts[-1].level, facts[-1].text) == ("warning", "tracking service: degraded, overload")


# Editions


def test_a_feed_of_another_edition_gives_no_facts_and_is_named(make_asterix: SimpleNamespace) -> None:
    datagrams = repeated(make_asterix, 21, "2.1", BROADCAST, 40)
    decoder = asterix.Decoder(CENTER, editions="21:0.26")
    assert facts_of(decoder, datagrams) == []
    told = str(decoder.diagnosis())
    assert "CAT021" in told
    assert "do not fit edition 0.26: wrong edition; they fit 2.1" in told
    assert facts_of(asterix.Decoder(CENTER), datagrams)


def test_few_misfits_are_counted_and_do_not_stop_the_feed(make_asterix: SimpleNamespace) -> None:
    datagrams = repeated(make_asterix, 62, "1.21", TRACK, 60)
    datagrams[30] = make_asterix.block(62, make_asterix.record(62, "1.21", TRACK)[:-3])
    decoder = asterix.Decoder(CENTER)
    facts = facts_of(decoder, datagrams)
    assert decoder.counts.rejected == {"layout": 1}
    assert len(facts) == 60 - 1 - asterix.MIN_BLOCKS + 1
    assert decoder.diagnosis() is None


def test_one_misfit_in_five_stops_the_facts_of_that_category_alone(make_asterix: SimpleNamespace) -> None:
    tracks = repeated(make_asterix, 62, "1.21", TRACK, 60)
    tracks[::5] = [data[:1] + (len(data) - 1).to_bytes(2, "big") + data[3:-1] for data in tracks[::5]]
    plots = [make_asterix.block(48, make_asterix.plot(n * 0.1, n * 5.0, 30.0)) for n in range(60)]
    decoder = asterix.Decoder(RADAR)
    facts = [fact for pair in zip(tracks, plots, strict=True) for fact in facts_of(decoder, list(pair))]
    assert any(isinstance(fact, Scan) for fact in facts)
    assert not any(isinstance(fact, RemoteTrack) for fact in facts)
    assert "CAT062" in str(decoder.diagnosis())


def test_bytes_that_a_gateway_puts_before_blocks_are_skipped_where_the_site_says_so(
    make_asterix: SimpleNamespace,
) -> None:
    block = make_asterix.block(62, make_asterix.record(62, "1.21", TRACK))
    for datagram in (b"header" + block + block, b"header" + block + b"header" + block):
        assert [category for category, _ in raw_blocks(datagram, 6)] == [62, 62]
        with pytest.raises(Rejected):
            raw_blocks(datagram)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("newest", 'editions is "newest", expected CATEGORY:EDITION'),
        ("0.99", "editions: 0.99 is an edition of no category"),
        ("62:9.9", "category 62 edition 9.9 is not known; known are 1.16"),
        ("199:1.0", "category 199 edition 1.0 is not known; known are none"),
    ],
)
def test_an_edition_that_cannot_be_read_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_editions(text)


def test_editions_are_chosen_by_category() -> None:
    assert read_editions("CAT062:1.16, 48:1.27") == {62: (1, 16), 48: (1, 27)}
    assert read_editions("1.16") == {62: (1, 16)}
    assert read_editions("") == {}
    assert known_editions(62)[0] == (1, 16)


def test_a_block_must_end_where_its_last_record_ends(make_asterix: SimpleNamespace) -> None:
    record = make_asterix.record(62, "1.21", TRACK)
    (block,) = read_datagram(make_asterix.block(62, record), {})
    assert block.records[0]["040"] == {"raw": 4980}
    for cut in range(1, len(record)):
        with pytest.raises(Rejected):
            read_datagram(make_asterix.block(62, record[:-cut]), {})


@pytest.mark.parametrize("skip_bytes", [-1, 65])
def test_more_than_a_header_is_not_skipped(skip_bytes: int) -> None:
    with pytest.raises(ValueError, match="skip_bytes is"):
        asterix.Datagrams(skip_bytes=skip_bytes)


def test_a_radar_that_never_ends_a_sector_fills_no_memory_and_loses_no_plot(make_asterix: SimpleNamespace) -> None:
    decoder = asterix.Decoder(RADAR)
    of_day_s = RECEIVED_NS / 1e9 % 86_400.0
    crossings = [make_asterix.sector(of_day_s, 0.0), make_asterix.sector(of_day_s, 11.25)]
    told, believed = 0, 0
    for number in range(60):
        plots = [make_asterix.plot(of_day_s, 11.3 + plot * 0.1 + number * 1e-3, 30.0) for plot in range(20)]
        datagram = make_asterix.block(48, *plots)
        if number > 5:
            datagram += make_asterix.block(34, *crossings)
        facts = decoder.feed(Reading("radar", RECEIVED_NS, number, None, None, datagram))
        believed += 20 * (number >= asterix.MIN_BLOCKS - 1)
        told += sum(len(scan.detections) for scan in facts)
        assert decoder.kept_bytes <= MAX_KEPT_BYTES
    assert told >= believed - MAX_PLOTS
    assert len(decoder._recent) <= asterix.REMEMBERED
