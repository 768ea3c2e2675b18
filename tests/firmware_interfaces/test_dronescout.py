"""DroneScout: the structure at its offsets, arrays, status, other builds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from firmware_interfaces.dronescout import Decoder
from fusion.types import Claim, Reading, Sensor, Status

MakeReading = Callable[..., Reading]
MakeMessage = Callable[..., bytes]


def test_a_message_is_a_claim_with_all_that_the_structure_holds(
    sensor: Sensor, make_reading: MakeReading, make_dronescout_message: MakeMessage
) -> None:
    (claim,) = Decoder(sensor).feed(make_reading(make_dronescout_message()))
    assert isinstance(claim, Claim)
    assert (claim.transmitter, claim.identity, claim.identity_type, claim.category) == (
        "df:72:11:d2:6b:95", "1581F4QWB22CC00302LV", "serial", "multirotor"
    )  # fmt: skip
    assert claim.position is not None
    assert (claim.position.latitude_deg, claim.position.longitude_deg, claim.position.height_m) == (45.1, 7.2, 650.5)
    assert claim.velocity_enu_m_s == pytest.approx((10.0, 0.0, 0.5))
    assert claim.operator_position is not None
    assert (claim.operator_position.latitude_deg, claim.operator_position.height_m) == (45.0, 612.0)
    assert claim.horizontal_sigma_m == pytest.approx(4.085, abs=1e-3)
    assert (claim.status, claim.power_dbm, claim.authenticated) == ("airborne", -72.0, False)


def test_parts_that_do_not_hold_are_not_read(
    sensor: Sensor, make_reading: MakeReading, make_dronescout_message: MakeMessage
) -> None:
    import base64

    message = json.loads(make_dronescout_message())
    raw = bytearray(base64.b64decode(message["data"]["UASdata"]))
    raw[892] = raw[912] = 0  # Basic ID and System
    message["data"]["UASdata"] = base64.b64encode(raw).decode()
    (claim,) = Decoder(sensor).feed(make_reading(json.dumps(message).encode()))
    assert (claim.identity, claim.operator_position) == (None, None)
    assert claim.position is not None


def test_an_array_of_messages_is_as_many_claims(
    sensor: Sensor, make_reading: MakeReading, make_dronescout_message: MakeMessage
) -> None:
    array = b"[" + make_dronescout_message() + b"," + make_dronescout_message() + b"]"
    assert len(Decoder(sensor).feed(make_reading(array))) == 2


def test_the_receiver_s_state_is_told_when_it_changes(sensor: Sensor, make_reading: MakeReading) -> None:
    data = {"sensor ID": "r1", "timestamp": 1, "firmware version": "2022", "model": "ds230", "status": "normal"}
    decoder = Decoder(sensor)
    (status,) = decoder.feed(make_reading(json.dumps({"data": data}).encode()))
    assert isinstance(status, Status)
    assert (status.level, status.text) == ("ok", "r1 (ds230, firmware 2022): normal")
    assert decoder.feed(make_reading(json.dumps({"data": data}).encode())) == []
    (status,) = decoder.feed(make_reading(json.dumps({"data": {**data, "status": "antenna"}}).encode()))
    assert status.level == "warning"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"length": 900}, "length"),
        ({"UASdata": "%%%"}, "length"),  # base64 that holds nothing
        ({"UASdata": 7}, "field"),
        ({"MAC address": ""}, "field"),
    ],
)
def test_another_build_or_another_shape_is_refused_by_reason(
    changes: dict, reason: str, sensor: Sensor, make_reading: MakeReading, make_dronescout_message: MakeMessage
) -> None:
    decoder = Decoder(sensor)
    assert decoder.feed(make_reading(make_dronescout_message(**changes))) == []
    assert decoder.counts.rejected == {reason: 1}


def test_another_layout_is_told(
    sensor: Sensor, make_reading: MakeReading, make_dronescout_message: MakeMessage
) -> None:
    decoder = Decoder(sensor)
    decoder.feed(make_reading(make_dronescout_message(length=940)))
    assert "another layout" in (decoder.diagnosis() or "")


def test_a_message_in_which_a_key_comes_twice_is_refused(
    sensor: Sensor, make_reading: Callable[..., Reading], make_dronescout_message: Callable[..., bytes]
) -> None:
    decoder = Decoder(sensor)
    message = make_dronescout_message().replace(b'"RSSI":', b'"RSSI": -10, "RSSI":')
    assert decoder.feed(make_reading(message)) == []
    assert decoder.counts.rejected == {"repeated key": 1}
