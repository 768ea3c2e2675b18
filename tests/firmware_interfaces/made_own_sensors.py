"""Streams and vectors of sensors of one's own, made here, for the tests."""

from __future__ import annotations

import random
from functools import partial

from firmware_interfaces import mapping, modbus_rtu, sensor_binary, sensor_json
from firmware_interfaces.checksums import xor8
from firmware_interfaces.own_sensor import CLASSES, LEVELS, Detections, Found, Presence, Said, Status

ASCII = {
    "form": "ascii",
    "gives": "detection",
    "starts_with": "$RPT",
    "separator": ",",
    "columns": 4,
    "checksum": "nmea",
    "fields": {
        "azimuth_deg": {"from": 1, "scale": 0.1, "offset": -90.0},
        "slant_range_m": {"from": 2, "unknown": [0]},
        "range_rate_m_s": {"from": 3, "scale": -1.0},
    },
}
MODBUS = {
    "form": "modbus",
    "gives": "presence",
    "unit": 5,
    "function": 3,
    "first": 40,
    "count": 4,
    "fields": {"value": {"from": 2, "type": "i16"}},
    "presence": {"kind": "seismic", "text": "east wall", "at_least": 120},
}


def nmea(body: str) -> bytes:
    """A line with its checksum."""
    return f"${body}*{xor8(body.encode()):02X}\r\n".encode()


def modbus(value: int) -> bytes:
    """A question and its answer."""
    asked = modbus_rtu.Request(5, 3, 40, 4)
    return modbus_rtu.encode(asked) + modbus_rtu.encode(modbus_rtu.Answer(5, 3, (1, 2, value & 0xFFFF, 4)))


def found(chance: random.Random) -> Found:
    """Anything that a detection can hold, at the wire's steps."""
    return Found(
        chance.randint(-18000, 18000) / 100.0,
        chance.choice([None, chance.randint(-9000, 9000) / 100.0]),
        chance.choice([None, chance.randint(1, 100_000_000) / 1000.0]),
        chance.choice([None, chance.randint(-32767, 32766) / 100.0]),
        chance.choice([None, chance.randint(-4000, 4000) / 10.0]),
        chance.randint(0, 200) / 200.0,
        chance.choice(CLASSES),
    )


def vectors(chance: random.Random, count: int) -> list[tuple[Said, int, int]]:
    """Messages with number and device time; all lengths of text and of looks come up."""
    out: list[tuple[Said, int, int]] = []
    for turn in range(count):
        words = "".join(
            chance.choice("abc xyz019") for _ in range(chance.choice([0, 1, 63, 64, chance.randint(0, 64)]))
        )
        kind = chance.choice(sorted(sensor_binary.PRESENCES.values()))
        power, khz = chance.choice([None, chance.randint(-4000, 4000) / 10.0]), chance.choice([None, 2_437_000_000.0])
        look = Detections(tuple(found(chance) for _ in range(chance.choice([0, 1, 17, 18, 19, 36, 64]))))
        said: Said = (look, Presence(kind, words, power, khz), Status(chance.choice(LEVELS), words))[turn % 3]
        out.append((said, chance.randint(0, 65_535), chance.choice([0, 255, 65_536, 2**32 - 1])))
    return out


def looks() -> list[Said]:
    """Something comes nearer; then the sensor tells of itself."""
    seen: list[Said] = [Detections((Found(-20.0 + number, 5.0, 90.0 - number, -10.0),)) for number in range(8)]
    return [*seen, Detections(()), Presence("fence", "zone 3"), Status("warning", "battery 20 %")]


def json_stream() -> bytes:
    """Boot text and lines."""
    return b"boot v1.2\r\n" + b"".join(
        sensor_json.encode((said, number if isinstance(said, Detections) else None))
        for number, said in enumerate(looks())
    )


def binary_stream() -> bytes:
    """The same as frames."""
    return b"".join(sensor_binary.encode(said, number, 50 * number) for number, said in enumerate(looks()))


DECODERS = (  # for the shared tests of damage
    ("sensor_json", sensor_json.Decoder, json_stream()),
    ("sensor_binary", sensor_binary.Decoder, binary_stream()),
    (
        "mapping of lines",
        partial(mapping.Decoder, mapping=ASCII),
        b"".join(nmea(f"RPT,{900 + 20 * number},{84.2 + number},-3.1") for number in range(8)),
    ),
    (
        "mapping of registers",
        partial(mapping.Decoder, mapping=MODBUS),
        b"".join(modbus(100 + 10 * number) for number in range(8)),
    ),
)
