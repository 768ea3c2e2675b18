"""ADS-B made here: a flight, and the forms in which receivers hand it over."""

from __future__ import annotations

from typing import Any

from firmware_interfaces import ads_b
from firmware_interfaces.ads_b_encoding import beast, identification, operation, position, reply, squitter, velocity


def flight() -> list[bytes]:
    """A flight north at 45 N 7 E; nothing in it needs anything else."""
    messages = [squitter(identification("SWR123")), squitter(operation(2, 10, 2))]
    for number in range(12):
        place = position(45.0 + number * 1e-3, 7.0, bool(number % 2))
        messages += [squitter(velocity(0, 420, 640)), squitter(place), reply(4, 0x0A10), reply(5, 0x1234)]
    return messages


def beast_stream() -> bytes:
    """The flight with heartbeats; timestamps and signals hold 1A bytes."""
    frames = [beast(bytes(2), 0, 0)]
    frames += [beast(message, 0x1A1A00001A + number * 6_000_000) for number, message in enumerate(flight())]
    return b"".join(frames)


def avr_stream() -> bytes:
    """The flight in the three forms of AVR, after each other."""
    lines = []
    for number, message in enumerate(flight()):
        start = ("*", f"@{number:012X}", f"<{number:012X}1A")[number % 3]
        lines.append(f"{start}{message.hex().upper()};\r\n")
    return "".join(lines).encode()


def sbs_stream() -> bytes:
    """The flight as a base station tells it."""
    lines = ["MSG,1,1,1,4B1234,1,2026/03/01,10:00:00.000,2026/03/01,10:00:00.000,SWR123,,,,,,,,,,,"]
    for number in range(12):
        lines.append(
            f"MSG,3,1,1,4B1234,1,2026/03/01,10:00:0{number % 10}.000,2026/03/01,10:00:00.000,"
            f",6000,,,{45.0 + number * 1e-3:.5f},7.00000,,,0,0,0,0"
        )
        lines.append("MSG,4,1,1,4B1234,1,2026/03/01,10:00:00.000,2026/03/01,10:00:00.000,,,420,0,,,640,,,,,0")
    return "".join(f"{line}\r\n" for line in lines).encode()


DECODERS: list[tuple[str, Any, bytes]] = [
    ("ads_b, Beast", ads_b.Decoder, beast_stream()),
    ("ads_b, AVR", ads_b.Decoder, avr_stream()),
    ("ads_b, SBS-1", ads_b.Decoder, sbs_stream()),
]
