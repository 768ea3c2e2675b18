"""How fast bytes become facts, beside the ways others do it: `python benchmarks/decoders.py [--json]`.

    Mode S     messages → fields                             beside pyModeS.decode
    Beast      bytes, 4096 at a time → claims with places    beside pyModeS's PipeDecoder, given the messages framed
    TI TLV     bytes → frames of 100 points as plain numbers beside the makers' example: a struct call a point
    TI TLV     bytes → scans: points grouped, level, with errors    no peer

The two sides take turns in one process on one core, so that what else the machine does meets both; processor time is counted,
medians of the rounds are told. The traffic is made here: ten flights; radar points at random. Exit code 1 where a target is
missed. pyModeS is GPL and no part of the product; without it its column says "not measured".
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import struct
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

from firmware_interfaces import ads_b, mode_s, ti_mmwave
from firmware_interfaces import ads_b_encoding as encoding
from fusion.types import Accuracy, Coverage, Orientation, Reading, Sensor

ROUNDS = 5
MESSAGES, FLIGHTS = 20_000, 10
FRAMES, POINTS = 150, 100
READ_BYTES = 4096
BEAST_TARGET, TI_TARGET = 50_000.0, 200.0  # messages and frames a second on one core
SENSOR = Sensor(
    "bench",
    (0.0, 0.0, 0.0),
    Orientation(0.0, 0.0, 0.0),
    Accuracy(math.radians(1.0), math.radians(1.0), 0.2, 0.1),
    coverage=Coverage((-1.0, 1.0), (-0.5, 0.5), (0.5, 200.0)),
)


def messages() -> list[bytes]:
    """Ten flights: as in a real sky, half velocities, half positions, a callsign now and then."""
    made = []
    for number in range(MESSAGES):
        flight, turn = number % FLIGHTS, number // FLIGHTS
        address, latitude = 0x4B0000 + flight, 45.0 + flight * 0.2 + turn * 1e-4
        if turn % 20 == 0:
            me = encoding.identification(f"SAR{flight:03}")
        elif turn % 2:
            me = encoding.velocity(30 * flight - 150, 400, 64 * flight)
        else:
            me = encoding.position(latitude, 7.0 + flight * 0.3, bool(turn // 2 % 2), 20_000 + 100 * flight)
        made.append(encoding.squitter(me, address))
    return made


def radar_frames() -> list[bytes]:
    """A hundred points each, spread over the field of view."""
    chance, frames = random.Random(20260301), []
    for number in range(FRAMES):
        points = [
            (chance.uniform(-40, 40), chance.uniform(5, 90), chance.uniform(-5, 20), chance.uniform(-8, 8), 15.0, 40.0)
            for _ in range(POINTS)
        ]
        frames.append(ti_mmwave.encode_frame(number + 1, points))
    return frames


def feed(decoder: ads_b.Decoder | ti_mmwave.Decoder, data: bytes) -> int:
    """All of a stream, in reads of a serial port; how many facts came."""
    facts = 0
    for place in range(0, len(data), READ_BYTES):
        at_ns = 1_000_000_000 + place * 3_300  # 3 Mbaud
        piece = data[place : place + READ_BYTES]
        facts += len(decoder.feed(Reading("bench", 1_780_000_000_000_000_000 + at_ns, at_ns, None, None, piece)))
    return facts


def read_all(frames: ti_mmwave.Frames, data: bytes) -> int:
    """The frames of a stream, without scans."""
    return sum(len(frames.feed(data[place : place + READ_BYTES], place)) for place in range(0, len(data), READ_BYTES))


def pymodes(heard: list[bytes]) -> tuple[Callable[[], object] | None, Callable[[], object] | None]:
    """The other decoder's way to the fields and to the places; None where it is not installed."""
    if find_spec("pyModeS") is None:
        return None, None
    import pyModeS

    texts = [message.hex() for message in heard]

    def places() -> None:
        pipe = pyModeS.PipeDecoder()
        for number, text in enumerate(texts):
            pipe.decode(text, timestamp=number * 1e-3)

    return lambda: [pyModeS.decode(text) for text in texts], places


def point_by_point(data: bytes) -> int:
    """The way of the makers' examples: find the magic word, unpack header, TLVs and each point by a call of its own."""
    magic, points, place = b"\x02\x01\x04\x03\x06\x05\x08\x07", 0, 0
    while (place := data.find(magic, place)) >= 0:
        _, total, _, _, _, _, tlvs, _ = struct.unpack_from("<8I", data, place + 8)
        at = place + 40
        for _ in range(tlvs):
            kind, length = struct.unpack_from("<2I", data, at)
            at += 8
            if kind == 1:
                found = []
                for number in range(length // 16):
                    x, y, z, speed = struct.unpack_from("<4f", data, at + number * 16)
                    reach = math.sqrt(x * x + y * y + z * z)
                    azimuth = math.degrees(math.atan2(x, y))
                    elevation = math.degrees(math.atan2(z, math.hypot(x, y)))
                    found.append((reach, azimuth, elevation, speed))
                points += len(found)
            elif kind == 7:
                for number in range(length // 4):
                    struct.unpack_from("<2h", data, at + number * 4)
            at += length
        place += total
    return points


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(
    name: str, count: int, target: float, ours: Callable[[], object], theirs: Callable[[], object] | None
) -> dict:
    """Rates of both sides in turn, and the median of the rounds' ratios."""
    ours(), theirs and theirs()  # warm up
    rounds = [(seconds(ours), seconds(theirs) if theirs else math.nan) for _ in range(ROUNDS)]
    return {
        "name": name,
        "ours_per_s": round(count / statistics.median(a for a, _ in rounds)),
        "theirs_per_s": round(count / statistics.median(b for _, b in rounds)) if theirs else None,
        "ratio": round(statistics.median(b / a for a, b in rounds), 2) if theirs else None,
        "target_per_s": target,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object")
    as_json = parser.parse_args().as_json
    heard, frames = messages(), radar_frames()
    beast, radar = b"".join(encoding.beast(m, n * 1000) for n, m in enumerate(heard)), b"".join(frames)
    fields, places = pymodes(heard)
    figures = [
        compare("Mode S messages → fields", MESSAGES, BEAST_TARGET, lambda: [mode_s.decode(m) for m in heard], fields),
        compare("Beast bytes → claims", MESSAGES, BEAST_TARGET, lambda: feed(ads_b.Decoder(SENSOR), beast), places),
        compare(
            f"TI bytes → {POINTS} points a frame",
            FRAMES,
            TI_TARGET,
            lambda: [read_all(ti_mmwave.Frames(), radar)],
            lambda: point_by_point(radar),
        ),
        compare(
            f"TI bytes → scans of {POINTS} points",
            FRAMES,
            TI_TARGET,
            lambda: feed(ti_mmwave.Decoder(SENSOR), radar),
            None,
        ),
    ]
    if as_json:
        print(json.dumps({"load": os.getloadavg()[0], "figures": figures}))
    else:
        print("| | ours, a second | theirs, a second | ours / theirs | target |\n|---|---|---|---|---|")
        for f in figures:
            theirs = "not measured" if f["theirs_per_s"] is None else f["theirs_per_s"]
            print(f"| {f['name']} | {f['ours_per_s']} | {theirs} | {f['ratio'] or '-'} | {f['target_per_s']:.0f} |")
        print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if all(f["ours_per_s"] >= f["target_per_s"] for f in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
