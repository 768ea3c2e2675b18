"""ESP32 sniffers' lines: both shapes, forged keys, zeros, cut lines."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from firmware_interfaces.esp32_remote_id import MAX_LINE_BYTES, Decoder
from fusion.types import Claim, Reading, Sensor

MakeReading = Callable[..., Reading]
FLAT = {
    "mac": "90:3A:E6:5B:C8:A8", "rssi": -58, "drone_lat": 47.19871, "drone_long": 8.730237, "drone_altitude": 460,
    "pilot_lat": 47.198656, "pilot_long": 8.73022, "basic_id": "1588E040445AC004418",
}  # fmt: skip


@pytest.fixture
def claims_of(sensor: Sensor, make_reading: MakeReading) -> Callable[[bytes], list[Claim]]:
    return lambda data: [fact for fact in Decoder(sensor).feed(make_reading(data)) if isinstance(fact, Claim)]


def line(**changes: object) -> bytes:
    return json.dumps({**FLAT, **changes}).encode() + b"\r\n"


def test_a_flat_line_is_a_claim(claims_of: Callable[[bytes], list[Claim]]) -> None:
    (claim,) = claims_of(line())
    assert (claim.transmitter, claim.identity, claim.power_dbm) == ("90:3a:e6:5b:c8:a8", "1588E040445AC004418", -58.0)
    assert claim.identity_type is None  # the flat form does not tell which kind of id it is
    assert claim.position is not None
    assert (claim.position.latitude_deg, claim.position.height_m) == (47.19871, 460.0)
    assert claim.operator_position is not None
    assert claim.authenticated is False


@pytest.mark.parametrize("as_list", [False, True])
def test_a_nested_line_is_a_claim_as_object_and_as_list(
    as_list: bool, claims_of: Callable[[bytes], list[Claim]]
) -> None:
    found = {
        "AUX_ADV_IND": {"rssi": -68},
        "aext": {"AdvA": "AA:BB:CC:DD:EE:FF random"},
        "Basic ID": {"id_type": "Serial Number (ANSI/CTA-2063-A)", "id": "1581F4QWB22CC00302LV", "ua_type": 2},
        "Location/Vector Message": {"latitude": 39.76, "longitude": -105.01, "geodetic_altitude": 1720.0},
        "System Message": {"latitude": 39.75, "longitude": -105.0},
    }
    shape = [{name: value} for name, value in found.items()] if as_list else found
    (claim,) = claims_of(json.dumps(shape).encode() + b"\n")
    assert (claim.identity, claim.identity_type, claim.category) == ("1581F4QWB22CC00302LV", "serial", "multirotor")
    assert claim.operator_position is not None
    assert claim.operator_position.latitude_deg == 39.75


def test_a_dji_droneid_that_a_newer_board_heard_is_one(claims_of: Callable[[bytes], list[Claim]]) -> None:
    (claim,) = claims_of(line(id_type="DJI", height_agl=40, heading=90, home_lat=47.1, product_type=58))
    assert (claim.protocol, claim.identity_type) == ("dji_droneid", None)
    (claim,) = claims_of(line(drone_heading=90, node_id="n1", source="BLE"))
    assert claim.protocol == "open_drone_id"


def test_a_nested_line_may_have_address_and_power_in_its_basic_id(claims_of: Callable[[bytes], list[Claim]]) -> None:
    who = {"id_type": "Serial Number (ANSI/CTA-2063-A)", "id": "1581F", "MAC": "AA:BB:CC:DD:EE:FF", "RSSI": -65}
    where = {"latitude": 39.7, "longitude": -105.0, "geodetic_altitude": 1655.5}
    (claim,) = claims_of(json.dumps([{"Basic ID": who}, {"Location/Vector Message": where}]).encode() + b"\n")
    assert (claim.transmitter, claim.power_dbm) == ("aa:bb:cc:dd:ee:ff", -65.0)


def test_zeros_are_unknown(claims_of: Callable[[bytes], list[Claim]]) -> None:
    (claim,) = claims_of(line(drone_lat=0.0, drone_long=0.0, pilot_lat=0, pilot_long=0, basic_id=""))
    assert (claim.position, claim.operator_position, claim.identity) == (None, None, None)
    (claim,) = claims_of(line(drone_altitude=-1000))
    assert claim.position is not None
    assert claim.position.height_m is None


def test_an_id_that_writes_keys_of_its_own_is_noticed_and_not_believed(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    forged = b'{"mac":"aa:bb:cc:dd:ee:ff","rssi":-51,"drone_lat":56.9,"drone_long":24.1,"basic_id":"X","rssi":-1}\n'
    decoder = Decoder(sensor)
    (claim,) = decoder.feed(make_reading(forged))
    assert isinstance(claim, Claim)
    assert (claim.identity, claim.power_dbm) == (None, -51.0)
    assert "forge" in (decoder.diagnosis() or "")


@pytest.mark.parametrize(
    "forged",
    [
        b'{"mac":"aa:bb:cc:dd:ee:ff","rssi":-51,"drone_lat":56.9,"drone_long":24.1,"basic_id":"X","heartbeat":"alive"}\n',
        b'{"AUX_ADV_IND":{"rssi":-51},"aext":{"AdvA":"aa:bb:cc:dd:ee:ff random"},"Basic ID":{"id":"X"},'
        b'"mac":"11:22:33:44:55:66","Location/Vector Message":{"latitude":56.9,"longitude":24.1}}\n',
    ],
    ids=["a heartbeat hides no drone", "a flat line's address hides no nested one"],
)
def test_keys_of_another_kind_of_line_do_not_hide_who_was_heard(
    sensor: Sensor, make_reading: MakeReading, forged: bytes
) -> None:
    decoder = Decoder(sensor)
    (claim,) = decoder.feed(make_reading(forged))
    assert isinstance(claim, Claim)
    assert (claim.transmitter, claim.identity) == ("aa:bb:cc:dd:ee:ff", None)
    assert claim.position is not None
    assert decoder.counts.remarks["forged keys"] == 1


@pytest.mark.parametrize("basic_id", ["x" * 21, "\u0430bc", "a\x1bb", 7])
def test_an_id_that_no_standard_allows_is_none(basic_id: object, claims_of: Callable[[bytes], list[Claim]]) -> None:
    (claim,) = claims_of(line(basic_id=basic_id))
    assert claim.identity is None


def test_boot_text_is_no_fault_and_a_cut_line_is_one(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    assert len(decoder.feed(make_reading(b"ESP-ROM:esp32s3\r\n" + line()[:60] + b"\r\n" + line()))) == 1
    assert decoder.counts.rejected == {"json": 1}


def test_a_line_without_end_is_given_up(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = Decoder(sensor)
    facts = decoder.feed(make_reading(b"{" + b"x" * (3 * MAX_LINE_BYTES) + b"\n" + line()))
    assert len(facts) == 1
    assert decoder.counts.rejected["length"] > 0


def test_numbers_that_are_none_become_none(claims_of: Callable[[bytes], list[Claim]]) -> None:
    (claim,) = claims_of(line(drone_lat=float("nan"), rssi=1e300))
    assert (claim.position, claim.power_dbm) == (None, None)
