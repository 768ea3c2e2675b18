"""Finding out what speaks on a port: bytes by each baud that devices use, until something is understood.

    file            its beginning
    serial port     each of BAUDS in turn, LISTEN_S or until something is sure; on USB any baud will do, so the first does
    number          UDP datagrams sent to that port of this machine

The answer is a guess of `firmware_interfaces/sniffing.py` with the lines to write into a site file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.line_endings import with_end
from edge.protocol_options import PROTOCOLS, ProtocolKind
from edge.site_keys import REQUIRED
from firmware_interfaces.captures import FORMATS
from firmware_interfaces.sniffing import Guess, identify
from hardware.device import DeviceLost, Driver
from hardware.serial_port import SerialPort
from hardware.udp_listener import UdpListener

# (baud, seconds to listen): receivers that speak once a second get more; together below MOST_S
BAUDS = (
    (115200, 1.2), (9600, 1.2), (921600, 0.5), (256000, 0.5), (38400, 1.1), (3000000, 0.4), (57600, 0.6), (4800, 1.1),
    (19200, 0.5), (230400, 0.4), (460800, 0.4), (1250000, 0.4), (2400, 0.5),
)  # fmt: skip
MOST_S = 9.0
LISTEN_UDP_S = 6.0
ENOUGH_BYTES = 6_000  # four frames of a radar; more is not needed to tell what it is
READ_S = 0.1
SURE_MESSAGES, SURE_SHARE = 3, 0.9
TYPICAL_BAUD = {
    "ti_mmwave": 921600, "ld2450": 256000, "gnss": 9600, "ads_b": 3000000, "ops243": 19200, "visca": 9600, "pelco_d": 2400,
    "modbus_rtu": 9600,
}  # fmt: skip
TYPICAL_PORT = {"ads_b": 30005, "asterix": 8600, "asterix_tracks": 8600, "antsdr": 41030}
TYPICAL_REACH_M = {"ld2450": 6, "ops243": 30}  # of their makers, for a person
TYPICAL_DEVICE = {  # of what is a program on a network, not a box on a serial port
    "krakensdr": 'driver = "http_page", host = "kraken.local", port = 8081, path = "/DOA_value.html"',
    "odas": 'driver = "tcp_stream", host = "0.0.0.0", port = 9000, listen = true',
    "rtl_433": 'driver = "mqtt_feed", topic = "rtl_433/+/events"',
    "spectrum_sweep": 'driver = "tcp_stream", host = "0.0.0.0", port = 5000, listen = true',
}
READ_BY = {"dji_droneid": "radio_frames", "visca": "visca"}  # a kind of message whose format has several decoders
RADAR_CATEGORIES = ("CAT001", "CAT002", "CAT034", "CAT048")


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What was found where."""

    guess: Guess | None
    heard_bytes: int
    baud: int | None = None  # of a serial port
    where: str = ""

    @property
    def protocol(self) -> str | None:
        """Its name in a site file; None where the post has no decoder for it."""
        return None if self.guess is None else site_protocol(self.guess)


def site_protocol(guess: Guess) -> str | None:
    """The protocol of site files that reads a format."""
    if guess.name == "asterix":
        has_plots = any(name in RADAR_CATEGORIES for name in guess.messages)
        return "asterix" if has_plots else "asterix_tracks"
    most = max(guess.messages, key=lambda kind: guess.messages[kind])
    if most in READ_BY:
        return READ_BY[most]
    return next((name for name in (guess.name, *FORMATS[guess.name].aliases) if name in PROTOCOLS), None)


def sniff(where: str) -> Sniffed:
    """Look at a file, a serial port or a UDP port. Raises DeviceLost or OSError."""
    if where.isdigit() and 0 < int(where) < 65536:
        return sniff_datagrams(int(where))
    if Path(where).is_char_device():
        return sniff_port(where)
    with Path(where).open("rb") as file:
        data = file.read(1 << 20)
    return Sniffed(identify(data), len(data), where=where)


def sniff_port(path: str, bauds: Sequence[tuple[int, float]] = BAUDS) -> Sniffed:
    """Each baud in turn; at the end all that was heard together, for lines that know no baud and rarely speak."""
    end_s, heard, best = time.monotonic() + MOST_S, b"", Sniffed(None, 0, where=path)
    has_opened = False
    for baud, listen_s in bauds:
        if time.monotonic() >= end_s:
            break
        try:
            data = listen(SerialPort(path, baud), min(listen_s, end_s - time.monotonic()), ENOUGH_BYTES)
        except DeviceLost:
            if not has_opened and baud == bauds[0][0]:
                raise  # the first is one that every port knows
            continue  # not every port knows every baud
        has_opened = True
        heard += data
        guess = identify(data)
        if guess is not None and (best.guess is None or guess.share > best.guess.share):
            best = Sniffed(guess, len(heard), baud, path)
            if sum(guess.messages.values()) >= SURE_MESSAGES or guess.share > SURE_SHARE:
                return best
    if best.guess is None and (guess := identify(heard)) is not None:
        best = Sniffed(guess, len(heard), bauds[0][0], path)
    return Sniffed(best.guess, len(heard), best.baud, path)


def sniff_datagrams(port: int) -> Sniffed:
    """What is sent to a UDP port: as one stream, since lines stand whole in datagrams, and for ASTERIX one by one."""
    came: list[bytes] = []

    def whole(datagram: bytes) -> bytes:
        came.append(datagram)
        return with_end(datagram, False)

    data = listen(UdpListener(port), LISTEN_UDP_S, ENOUGH_BYTES, whole)
    return Sniffed(identify(data, came), len(data), where=str(port))


def listen(
    driver: Driver, listen_s: float, enough_bytes: int, whole: Callable[[bytes], bytes] = lambda data: data
) -> bytes:
    """What comes within a time, at most about so many bytes, each delivery made whole. Raises DeviceLost."""
    driver.open()
    try:
        data, end_s = b"", time.monotonic() + listen_s
        while len(data) < enough_bytes and (left_s := end_s - time.monotonic()) > 0.0:
            delivery = driver.read(min(READ_S, left_s))
            data += b"" if delivery is None else whole(delivery.data)
        return data
    finally:
        driver.close()


# What to write into a site file


def site_lines(found: Sniffed) -> list[str]:
    """A [[sensor]] table for what was found; lines that somebody must measure say so."""
    assert found.guess is not None
    name = found.protocol
    if name is None:
        return [f"# no decoder of a post reads {found.guess.name}; `sarhad decode {found.guess.name}` does"]
    kind = PROTOCOLS[name]
    lines = ["[[sensor]]", f'id = "{name.replace("_", "-")}-1"', device_line(name, kind, found), f'protocol = "{name}"']
    needed = {key.name: 1.0 for key in kind.options if key.default is REQUIRED}
    if settings := found.guess.settings | needed:
        table = ", ".join(f"{key} = {toml(value)}" for key, value in settings.items())
        lines.append(f"protocol_options = {{ {table} }}" + ("  # from its manual" if needed else ""))
    return lines + mounting_lines(name, kind)


def device_line(name: str, kind: ProtocolKind, found: Sniffed) -> str:
    """The device it was heard on; of a file, and where it cannot come over that, the one that it most likely came from."""
    if found.where.isdigit() and "udp_listener" in kind.drivers:
        return f'device = {{ driver = "udp_listener", port = {found.where} }}'
    if found.baud is not None and "serial_port" in kind.drivers:
        return f'device = {{ driver = "serial_port", path = "{stable_name(found.where)}", baud = {found.baud} }}'
    if name in TYPICAL_DEVICE:
        return f"device = {{ {TYPICAL_DEVICE[name]} }}  # its address"
    driver = kind.drivers[0]
    if driver == "serial_port":
        baud = TYPICAL_BAUD.get(name, 115200)
        return f'device = {{ driver = "serial_port", path = "/dev/serial/by-id/...", baud = {baud} }}  # its port'
    if driver == "mqtt_feed":
        return 'device = { driver = "mqtt_feed", topic = "..." }  # its topic'
    return f'device = {{ driver = "{driver}", port = {TYPICAL_PORT.get(name, 5000)} }}  # its port'


def stable_name(path: str) -> str:
    """The link of /dev/serial/by-id that leads to a port; the port itself where there is none."""
    device = Path(path).resolve()
    folder = Path("/dev/serial/by-id")
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((str(link) for link in links if link.resolve() == device), path)


def mounting_lines(name: str, kind: ProtocolKind) -> list[str]:
    """What a radar or camera needs and no sniffer can see."""
    if kind.family not in ("radar", "camera", "bearing"):
        return []
    lines = [
        "position = { east_m = 0.0, north_m = 0.0, up_m = 0.0 }  # measure",
        "orientation = { heading_deg = 0.0, pitch_deg = 0.0, roll_deg = 0.0 }  # measure, or `sarhad align`",
    ]
    if kind.family == "radar":
        reach_m = 200_000 if "udp_listener" in kind.drivers[:1] else TYPICAL_REACH_M.get(name, 100)
        around = "[-180, 180]" if reach_m > 100 else "[-60, 60]"
        lines.append(
            f"coverage = {{ azimuth_deg = {around}, elevation_deg = [-10, 40], slant_range_m = [1, {reach_m}] }}  # its own"
        )
    return lines


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value) if math.isfinite(value) else "0"
