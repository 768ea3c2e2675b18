"""Remote ID and DJI DroneID in radio frames that were captured, and DroneID as AntSDR receivers tell it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import made_radio as made
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_interfaces import antsdr, dji_droneid, pcap, radio_frames
from firmware_interfaces.captures import FORMATS, read
from firmware_interfaces.open_drone_id_messages import encode, encode_pack
from fusion.types import Claim, Presence, Reading, Sensor

MakeReading = Callable[..., Reading]
MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
REMOTE_ID = bytes.fromhex("fa0bbc0d00")


def claims_of(sensor: Sensor, make_reading: MakeReading, stream: bytes) -> tuple[list[Any], radio_frames.Decoder]:
    decoder = radio_frames.Decoder(sensor)
    return list(decoder.feed(make_reading(stream))), decoder


def wifi(*frames: bytes) -> bytes:
    return made.capture_of(pcap.IEEE802_11_RADIOTAP, [made.radiotap(-60) + frame for frame in frames])


@pytest.mark.parametrize(
    "frame",
    [
        made.beacon(REMOTE_ID + encode_pack([made.WHO, made.where(), made.SYSTEM])),
        made.nan(encode_pack([made.WHO, made.where(), made.SYSTEM])),
    ],
    ids=["beacon", "NAN"],
)
def test_a_pack_over_wifi_says_who_where_and_where_the_pilot_is(
    sensor: Sensor, make_reading: MakeReading, frame: bytes
) -> None:
    (claim,), _ = claims_of(sensor, make_reading, wifi(frame))
    assert (claim.transmitter, claim.identity, claim.identity_type) == (
        "90:3a:e6:5b:c8:a8",
        "1581F4QWB22CC00302LV",
        "serial",
    )
    assert (claim.position.latitude_deg, claim.position.height_m) == (45.0, 650.5)
    assert claim.operator_position.latitude_deg == pytest.approx(45.001)
    assert claim.horizontal_sigma_m == pytest.approx(10.0 / 2.448, rel=1e-3)  # code 10: 10 m hold 95 %
    assert (claim.power_dbm, claim.authenticated) == (-60.0, False)


def test_messages_of_bluetooth_4_come_singly_and_are_merged(sensor: Sensor, make_reading: MakeReading) -> None:
    claims, _ = claims_of(sensor, make_reading, made.bluetooth_capture())
    assert [claim.identity for claim in claims] == ["1581F4QWB22CC00302LV"] * 2
    assert claims[0].position is None
    assert claims[1].position is not None
    assert claims[1].transmitter == "90:3a:e6:5b:c8:a8"


def test_a_pack_of_bluetooth_5_is_read_and_one_with_bit_errors_makes_no_claim(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    pack = encode_pack([made.WHO, made.where()])
    packets = [made.extended_advertisement(pack), made.extended_advertisement(pack, 1, has_right_crc=False)]
    stream = made.capture_of(pcap.NORDIC_BLE, packets)
    (claim,), decoder = claims_of(sensor, make_reading, stream)
    assert (claim.transmitter, claim.power_dbm) == ("90:3a:e6:5b:c8:a8", -53.0)
    assert decoder.counts.rejected == {"checksum": 1}
    records, _ = read(FORMATS["remote_id"], stream, {})
    assert [record["crc_ok"] for record in records] == [True, False]


def test_a_wifi_frame_with_a_wrong_checksum_makes_no_claim(sensor: Sensor, make_reading: MakeReading) -> None:
    frame = bytearray(made.with_fcs(made.beacon(REMOTE_ID + encode_pack([made.WHO, made.where()]))))
    frame[70] ^= 0x10
    stream = made.capture_of(pcap.IEEE802_11_RADIOTAP, [made.radiotap(-60, 0x10) + bytes(frame)])
    claims, decoder = claims_of(sensor, make_reading, stream)
    assert (claims, decoder.counts.rejected) == ([], {"checksum": 1})


@pytest.mark.parametrize(
    "pack",
    [
        encode_pack([]),
        encode_pack([made.where(), made.where()]),
        encode_pack([made.WHO, made.where()]).replace(encode(made.where()), b"\x92" + encode(made.where())[1:]),
        encode_pack([made.WHO, made.where()])[:40],
    ],
    ids=["empty", "two positions", "an impossible message", "cut"],
)
def test_a_pack_that_cannot_be_right_is_refused_whole(sensor: Sensor, make_reading: MakeReading, pack: bytes) -> None:
    claims, decoder = claims_of(sensor, make_reading, wifi(made.beacon(REMOTE_ID + pack)))
    assert claims == []
    assert sum(decoder.counts.rejected.values()) == 1
    records, _ = read(FORMATS["remote_id"], wifi(made.beacon(REMOTE_ID + pack)), {})
    assert [record["msg_type"] for record in records] == [255]


def test_a_dji_beacon_says_where_drone_and_pilot_are(sensor: Sensor, make_reading: MakeReading) -> None:
    (claim,), _ = claims_of(sensor, make_reading, wifi(made.beacon(dji_droneid.encode(made.DJI))))
    assert (claim.protocol, claim.identity) == ("dji_droneid", "K6RE0WENAH9P8QAL")
    # one raw count is 6e-6 deg
    assert claim.position.latitude_deg == pytest.approx(45.1, abs=3e-6)
    assert claim.position.longitude_deg == pytest.approx(7.2, abs=3e-6)
    assert claim.operator_position.longitude_deg == pytest.approx(7.1, abs=3e-6)
    assert claim.position.height_m is None  # the datum of its altitude is not known
    assert (claim.velocity_enu_m_s, claim.horizontal_sigma_m, claim.authenticated) == (None, None, False)


def test_dji_telemetry_is_the_same_after_the_wire() -> None:
    again = dji_droneid.parse(dji_droneid.encode(made.DJI))
    assert isinstance(again, dji_droneid.Telemetry)
    for entry in dataclasses.fields(again):
        before, after = getattr(made.DJI, entry.name), getattr(again, entry.name)
        assert after == (pytest.approx(before, abs=3e-6) if isinstance(before, float) else before), entry.name


def test_what_a_pilot_wrote_stands_in_the_claims_that_follow(sensor: Sensor, make_reading: MakeReading) -> None:
    text = bytes.fromhex("26371258621311") + b"K6RE0WENAH9P8QAL" + b"\x06mavic\0\0\0\0\0" + b"\x06survey"
    claims, _ = claims_of(sensor, make_reading, wifi(made.beacon(text), made.beacon(dji_droneid.encode(made.DJI))))
    assert [claim.text for claim in claims] == ["survey"]


def test_bytes_lost_inside_a_packet_cost_it_and_at_most_the_next_one(sensor: Sensor, make_reading: MakeReading) -> None:
    frames = [made.beacon(REMOTE_ID + encode_pack([made.WHO, made.where(n)])) for n in range(6)]
    stream = wifi(*frames)
    size = (len(stream) - 24) // 6
    for lost in (3, 17, 40, 90):
        claims, _ = claims_of(sensor, make_reading, stream[: 24 + size + 30] + stream[24 + size + 30 + lost :])
        assert len(claims) >= 4, lost


def test_a_stream_without_its_beginning_is_read(sensor: Sensor, make_reading: MakeReading) -> None:
    claims, _ = claims_of(sensor, make_reading, made.capture()[24:])
    assert len(claims) == len(claims_of(sensor, make_reading, made.capture())[0])


def test_pcapng_gives_the_same_claims_as_pcap(sensor: Sensor, make_reading: MakeReading) -> None:
    packets = [made.radiotap(-60) + made.beacon(REMOTE_ID + encode_pack([made.WHO, made.where(n)])) for n in range(3)]

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = (len(body) + 12).to_bytes(4, "little")
        return kind.to_bytes(4, "little") + length + body + length

    stream = block(0x0A0D0D0A, bytes.fromhex("4d3c2b1a01000000ffffffffffffffff"))
    stream += block(1, (127).to_bytes(4, "little") + bytes(4))
    for n, packet in enumerate(packets):
        micros = made.TIME_NS // 1000 + n * 100_000
        places = (0, micros >> 32, micros & 0xFFFFFFFF, len(packet), len(packet))
        stream += block(6, b"".join(place.to_bytes(4, "little") for place in places) + packet)
    expected, _ = claims_of(sensor, make_reading, made.capture_of(pcap.IEEE802_11_RADIOTAP, packets))
    assert claims_of(sensor, make_reading, stream)[0] == expected
    records = [list(read(FORMATS["remote_id"], s, {})[0]) for s in (stream, made.capture_of(127, packets))]
    assert records[0] == records[1]


def test_hundreds_of_invented_transmitters_fill_no_memory(sensor: Sensor, make_reading: MakeReading) -> None:
    content = REMOTE_ID + encode_pack([made.WHO, made.where()])
    frames = [made.beacon(content, transmitter=n.to_bytes(6, "big")) for n in range(600)]
    _, decoder = claims_of(sensor, make_reading, wifi(*frames))
    assert len(decoder._transmitters) <= 256


@MANY
@given(st.lists(st.binary(max_size=120), max_size=5), st.sampled_from([105, 127, 192, 251, 256, 272, 1]))
def test_any_packets_raise_nothing(
    sensor: Sensor, make_reading: MakeReading, packets: list[bytes], link_type: int
) -> None:
    heads = {127: made.radiotap(-1), 251: b"\xd6\xbe\x89\x8e", 256: bytes(10) + b"\xd6\xbe\x89\x8e"}
    dressed = [heads.get(link_type, b"") + packet for packet in packets]
    _, decoder = claims_of(sensor, make_reading, made.capture_of(link_type, dressed))
    decoder.diagnosis()


@MANY
@given(st.binary(max_size=250), st.sampled_from([REMOTE_ID, bytes.fromhex("26371258621310"), b"\x50\x6f\x9a"]))
def test_any_content_of_an_element_gives_finite_claims(
    sensor: Sensor, make_reading: MakeReading, content: bytes, begin: bytes
) -> None:
    claims, _ = claims_of(sensor, make_reading, wifi(made.beacon((begin + content)[:255])))
    for claim in claims:
        assert claim.position is None or math.isfinite(claim.position.latitude_deg)
    list(read(FORMATS["remote_id"], wifi(made.beacon((begin + content)[:255])), {})[0])
    list(read(FORMATS["dji_droneid"], wifi(made.beacon((begin + content)[:255])), {})[0])


# AntSDR


@pytest.mark.parametrize("burst", [made.BURST, made.PACKET], ids=["text", "binary"])
def test_a_burst_is_the_same_after_the_wire(burst: antsdr.Heard) -> None:
    bursts = antsdr.Bursts()
    sent = antsdr.encode_packet(burst) if burst.generation is None else antsdr.encode_line(burst)
    assert [framed.message for framed in bursts.feed(sent, 0)] == [burst]


def test_a_burst_is_a_claim_and_an_encrypted_one_a_presence_with_its_power(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    facts = antsdr.Decoder(sensor).feed(make_reading(made.antsdr_stream()))
    claim, hidden = facts[:2]
    assert isinstance(claim, Claim)
    assert (claim.identity, claim.position.latitude_deg, claim.position.longitude_deg) == (
        "1581F4QWB22CC00302LV",
        45.1,
        7.2,
    )
    assert (claim.velocity_enu_m_s, claim.authenticated) == ((1.2, -0.35, 0.05), False)
    assert isinstance(hidden, Presence)
    assert (hidden.kind, hidden.power_dbm, hidden.frequency_hz) == ("drone_id", -80.0, 5796.5e6)


def test_zero_is_no_position_and_nonsense_is_refused(sensor: Sensor, make_reading: MakeReading) -> None:
    line = antsdr.encode_line(dataclasses.replace(made.BURST, drone=None))
    (claim,) = antsdr.Decoder(sensor).feed(make_reading(line))
    assert isinstance(claim, Claim)
    assert claim.position is None
    decoder = antsdr.Decoder(sensor)
    wrong = [line.replace(b"2459.5", b"nan"), line.replace(b"45.000000", b"95.0"), line.replace(b"|31.0", b"")]
    assert decoder.feed(make_reading(b"".join(wrong))) == []
    assert decoder.counts.rejected == {"range": 2, "length": 1}


@MANY
@given(st.lists(st.text("0123456789.,|-ndaif();", max_size=80), max_size=5))
def test_any_antsdr_lines_raise_nothing(sensor: Sensor, make_reading: MakeReading, lines: list[str]) -> None:
    decoder = antsdr.Decoder(sensor)
    for fact in decoder.feed(make_reading("".join(f"dji_O,{line};\r\n" for line in lines).encode())):
        assert math.isfinite(fact.power_dbm or 0.0)
