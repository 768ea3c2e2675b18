"""ONVIF's messages and answers."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_interfaces import onvif
from firmware_interfaces.decoder import Rejected
from fusion.types import Pointing, Reading, Sensor, Status

MakeReading = Callable[..., Reading]
S = 1_000_000_000
FAULT = (
    f'<s:Envelope xmlns:s="{onvif.SOAP}"><s:Body><s:Fault><s:Reason><s:Text>REASON</s:Text></s:Reason></s:Fault></s:Body>'
    "</s:Envelope>"
)


def test_the_digest_is_the_one_of_the_onvif_application_programmers_guide() -> None:
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    assert onvif.digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def test_a_continuous_move_is_well_formed_and_within_bounds() -> None:
    body = onvif.move('a"<b>', 2.0, -0.25, 1.5)
    root = ElementTree.fromstring(onvif.envelope(body, "<me>", "secret", b"n" * 16, "2026-03-14T09:26:53Z"))
    found = root.find(f".//{{{onvif.PTZ}}}ContinuousMove")
    assert found is not None
    assert found.findtext(f"{{{onvif.PTZ}}}ProfileToken") == 'a"<b>'
    assert found.findtext(f"{{{onvif.PTZ}}}Timeout") == "PT1.5S"
    speed = found.find(f"{{{onvif.PTZ}}}Velocity/{{{onvif.SCHEMA}}}PanTilt")
    assert speed is not None
    assert (float(speed.attrib["x"]), float(speed.attrib["y"])) == (1.0, -0.25)
    assert root.findtext(f".//{{{onvif.SECURITY}}}Username") == "<me>"
    assert b"secret" not in onvif.envelope(body, "<me>", "secret", b"n" * 16, "2026-03-14T09:26:53Z")


def test_a_position_is_where_the_cameras_units_say(sensor: Sensor, make_reading: MakeReading) -> None:
    (fact,) = onvif.Decoder(sensor, 45.0, 170.0, 10.0).feed(make_reading(onvif.status_answer(0.5, -0.2)))
    assert isinstance(fact, Pointing)
    assert fact.orientation.heading_rad == pytest.approx(sensor.orientation.heading_rad + math.radians(85.0))
    assert fact.orientation.pitch_rad == pytest.approx(sensor.orientation.pitch_rad + math.radians(1.0))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>", "syntax"),
        ("\ufeff<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>".encode("utf-16-be"), "syntax"),
        (b"<x/>", "unknown"),
        (b"<s:Envelope", "syntax"),
        (b"<?xml version='1.0' encoding='no-such'?><x/>", "syntax"),
        (b"<?xml version='1.0' encoding='utf-7'?><x/>", "syntax"),
        (b"<x>" + b"a" * 70_000 + b"</x>", "length"),
        (onvif.status_answer(0.5, 0.5).replace(b'"0.50000"', b'"nan"'), "range"),
        (onvif.status_answer(0.5, 0.5).replace(b'"0.50000"', b'"1.5"'), "range"),
    ],
)
def test_what_is_no_answer_is_rejected_by_its_reason(document: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        onvif.parse(document)
    assert rejected.value.reason == reason


def told_of(decoder: onvif.Decoder, at_s: float, *reasons: str | None) -> list[str]:
    """What is said of faults with these reasons; None: an answer."""
    answers = [
        onvif.status_answer(0.0, 0.0) if why is None else FAULT.replace("REASON", why).encode() for why in reasons
    ]
    at_ns = round(at_s * S)
    facts = [fact for answer in answers for fact in decoder.feed(Reading("head", at_ns, at_ns, None, None, answer))]
    return [fact.text for fact in facts if isinstance(fact, Status)]


def test_a_fault_is_told_once_a_minute_however_often_it_comes_and_what_comes_between(sensor: Sensor) -> None:
    decoder = onvif.Decoder(sensor, 45.0)
    said = [told_of(decoder, at_s, "no move", None, "no preset", None) for at_s in range(100, 220)]
    assert [at for at, texts in enumerate(said) if texts] == [0, 60]
    assert said[0] == said[60] == ["the camera says: no move", "the camera says: no preset"]
    later = [told_of(decoder, at_s, None) for at_s in range(220, 340)]
    assert [(at, texts) for at, texts in enumerate(later) if texts] == [(59, ["the camera refuses nothing any more"])]
    assert told_of(decoder, 340, "no move") == ["the camera says: no move"]


def test_faults_that_each_say_something_else_are_told_a_few_times_a_minute(sensor: Sensor) -> None:
    decoder = onvif.Decoder(sensor, 45.0)
    said = [told_of(decoder, 100 + number / 10, f"error {number}") for number in range(600)]
    assert sum(map(len, said)) == onvif.MOST_FAULTS


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), junk=st.binary(max_size=30))
def test_no_damage_raises(sensor: Sensor, make_reading: MakeReading, place: int, byte: int, junk: bytes) -> None:
    document = bytearray(onvif.status_answer(0.25, -0.5))
    document[place % len(document)] = byte
    decoder = onvif.Decoder(sensor, 45.0)
    for data in (bytes(document), bytes(document[: place % len(document)]) + junk, junk):
        decoder.feed(make_reading(data))
    assert sum(decoder.counts.decoded.values()) + sum(decoder.counts.rejected.values()) == 3
