"""Streams of small sensors, made here as their documents say, for the tests."""

from __future__ import annotations

import json
import math
from functools import partial

from firmware_interfaces import krakensdr, modbus_rtu, odas, ops243, pelco_d, rtl_433, spectrum_sweep, visca
from firmware_interfaces.modbus_rtu import Answer, Refusal, Request

MOTION = {"time": "@0.1s", "model": "Interlogix-Security", "subtype": "motion", "id": "468d19", "battery_ok": 1}
DOOR = {"time": "@9.0s", "model": "Honeywell-Security", "id": 815221, "state": "open", "tamper": 1, "battery_ok": 1}
ALARMS = ("2:0 zone 1", "2:2 zone 3", "5:40>120 seismic, east")


def bearing(direction_deg: float = 90.0, array: str = "UCA") -> krakensdr.Bearing:
    """A signal at 2437 MHz."""
    return krakensdr.Bearing(
        *(1_780_000_000_000, direction_deg, 6.6, -41.9, 2.437e9, array, 436.0, "post-1", 45.0, 7.0, 40.0, 270)
    )


def kraken_stream() -> bytes:
    """An emitter that moves around."""
    return b"".join(krakensdr.encode(bearing(10.0 * number)) for number in range(8))


def sound(number: int, x: float, y: float, z: float, activity: float = 0.8) -> odas.Look:
    """One tracked source."""
    length = math.sqrt(x * x + y * y + z * z)
    return odas.Look(41_000 + number, (odas.Source(12, "dynamic", x / length, y / length, z / length, activity),))


def odas_stream() -> bytes:
    """Something flies over, then nothing is heard."""
    looks = [sound(number, number - 4.0, 10.0, 5.0) for number in range(8)]
    return b"".join(odas.encode(look) for look in [*looks, odas.Look(41_008, ())])


def ops243_stream() -> bytes:
    """Somebody comes nearer; the module says what it is."""
    lines = [b'{"Product":"OPS243"}\r\n', b"3.6\r\n", b'"m",12.4\r\n', b"\r\n", b"0\r\n"]
    lines += [b'{"unit":"mps","magnitude":["212","87"],"speed":["4.12","-0.43"]}\r\n']
    return b"".join([*lines, *(ops243.encode(2.5 + number, magnitude=100) for number in range(6))])


def rtl_433_stream() -> bytes:
    """Each transmission comes three times."""
    lines = [
        json.dumps({**said, "time": f"@{at + again * 0.4}s"})
        for at, said in ((0.1, MOTION), (9.0, DOOR), (30.0, MOTION), (50.0, {**DOOR, "state": "closed", "tamper": 0}))
        for again in range(3)
    ]
    return ("Tuned to 433.920MHz.\n" + "\n".join(lines) + "\n").encode()


def sweep(number: int, peak_mhz: int | None) -> bytes:
    """2400 to 2440 MHz by 1 MHz in segments out of order; the floor is -72 dB."""
    out = b""
    for low_mhz in (2400, 2410, 2405, 2415, 2420, 2430, 2425, 2435):
        powers = [-40.0 if mhz == peak_mhz else -72.0 + mhz % 3 for mhz in range(low_mhz, low_mhz + 5)]
        stamp = f"2026-03-14, 09:26:{number:02d}.000000"
        out += spectrum_sweep.encode_sweep(stamp, low_mhz * 1_000_000, 1_000_000, powers)
    return out


def spectrum_stream() -> bytes:
    """An emitter comes on in the third sweep; a tinySA's answers follow."""
    sweeps = b"".join(sweep(number, 2412 if number >= 2 else None) for number in range(5))
    scan = b"scan 5725000000 5875000000 6 2\r\n" + b"-9.0e+01 0.0\r\n" * 5 + b"-:.0 0.0\r\nch> "
    raw = b"scanraw 433000000 434000000 9\r\n" + spectrum_sweep.encode_raw([-100.0] * 4 + [-50.0] + [-100.0] * 4)
    return sweeps + scan + raw + b"ch> "


def modbus_stream() -> bytes:
    """Two units are asked and answer; one refuses."""
    fence = [Request(2, 2, 0, 8), Answer(2, 2, (1, 0, 0, 0, 0, 0, 0, 0))]
    quiet = [Request(2, 2, 0, 8), Answer(2, 2, (0,) * 8)]
    seismic = [Request(5, 3, 38, 4), Answer(5, 3, (1, 2, 150, 4))]
    refused = [Request(7, 4, 0, 1), Refusal(7, 4, 2)]
    return b"".join(modbus_rtu.encode(frame) for frame in [*fence, *seismic, *refused, *quiet, *fence, *seismic])


def pelco_stream() -> bytes:
    """A head is driven, then asked where it points."""
    out = [pelco_d.move(1, 0.5, 0.0), pelco_d.stop(1), pelco_d.ask_pan(1)]
    for number in range(4):
        for command, hundredths in ((pelco_d.PAN_IS, 9000 + 100 * number), (pelco_d.TILT_IS, 35_000)):
            out.append(pelco_d.encode(pelco_d.Command(1, 0, command, hundredths >> 8, hundredths & 0xFF)))
    return b"".join(out)


def visca_stream() -> bytes:
    """A camera is driven, then asked where it points."""
    answers = [visca.position_reply(1, 144 * number, -72) for number in range(4)]
    return b"".join([visca.move(1, 0.5, 0.0), b"\x90\x41\xff", b"\x90\x51\xff", visca.ask_position(1), *answers])


def visca_datagrams() -> bytes:
    """The same over IP, one behind the other: the sequence numbers hold bytes that begin messages elsewhere."""
    numbered, out = visca.Numbered(), []
    for number in range(140):
        out.append(numbered(visca.ask_position(1)))
        reply = visca.position_reply(1, 144 * number, -72)
        out.append(visca.IP_HEADER.pack(0x0111, len(reply), number + 1) + reply)
    return b"".join([*numbered.count_anew(), *out])


DECODERS = (  # for the shared tests of damage
    ("ops243", ops243.Decoder, ops243_stream()),
    ("krakensdr", krakensdr.Decoder, kraken_stream()),
    ("odas", odas.Decoder, odas_stream()),
    ("rtl_433", rtl_433.Decoder, rtl_433_stream()),
    ("spectrum_sweep", spectrum_sweep.Decoder, spectrum_stream()),
    ("modbus_rtu", partial(modbus_rtu.Decoder, alarms=ALARMS), modbus_stream()),
    ("pelco_d", pelco_d.Decoder, pelco_stream()),
    ("visca", partial(visca.Decoder, pan_steps_per_deg=14.4, tilt_steps_per_deg=14.4), visca_stream()),
    ("visca over IP", partial(visca.Decoder, pan_steps_per_deg=14.4, tilt_steps_per_deg=14.4), visca_datagrams()),
)
