"""Sniffing as its user sees it: on files, on a pseudo-terminal, on a UDP port; and the lines for the site file."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.expected_range import RADAR_REACH_M
from edge.protocol_options import PROTOCOLS
from edge.sensors import decoders_of
from edge.site_file import parse_site
from edge.sniffer import BAUDS, MOST_S, Sniffed, site_lines, site_protocol, sniff, sniff_port
from firmware_interfaces import nmea
from firmware_interfaces.captures import FORMATS
from firmware_interfaces.pcap import datagrams, is_capture
from firmware_interfaces.sniffing import Guess
from firmware_interfaces.ti_mmwave import encode_frame
from fusion.types import Reading
from hardware.device import DeviceLost
from hardware.serial_port import SerialPort
from sarhad.commands.sniff import command

NOW_NS = 1_780_000_000_000_000_000
SITE = '[site]\nid = "ridge-04"\norigin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 612.4 }\n\n'


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def sentences() -> bytes:
    return b"".join(
        nmea.encode_rmc(43_200.0 + n, "170826", 45.0, -7.0) + nmea.encode_gga(43_200.0 + n, 45.0, -7.0, 563.2, 48.6)
        for n in range(20)
    )


@contextlib.contextmanager
def talking_port(data: bytes, pause_s: float) -> Iterator[str]:
    """A pseudo-terminal on which somebody says the same again and again."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                os.write(ours, data)
            stop.wait(pause_s)

    os.set_blocking(ours, False)
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        stop.set()
        thread.join()
        os.close(theirs)
        os.close(ours)


def test_a_file_is_named_with_its_messages_and_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "receiver.log"
    path.write_bytes(sentences())
    result = run(str(path))
    assert result.exit_code == 0
    assert "gnss: GNSS receivers" in result.output
    assert "20 x GNRMC, 20 x GNGGA" in result.output
    assert 'protocol = "gnss"' in result.output


def test_a_port_is_named_with_the_baud_and_the_path_to_write() -> None:
    frames = b"".join(encode_frame(n, [(1.0, 20.0, 0.5, -2.0, 12.0, 50.0)]) for n in range(5))
    with talking_port(frames, 0.05) as port:
        result = run(port, "--json")
    told = json.loads(result.output)
    assert (result.exit_code, told["protocol"]) == (0, "ti_mmwave")
    assert told["baud"] in dict(BAUDS)
    assert f'path = "{port}"' in told["site_lines"][2]


def test_a_noisy_port_and_a_silent_one_are_unknown() -> None:
    with talking_port(bytes(range(256)) * 30, 0.01) as port:
        noisy = sniff(port)
    assert (noisy.guess, noisy.heard_bytes > 10_000) == (None, True)
    with talking_port(b"", 1.0) as port:
        silent = sniff_port(port, [(9600, 0.1), (115200, 0.1)])
    assert (silent.guess, silent.heard_bytes) == (None, 0)


def test_all_bauds_together_are_listened_to_for_less_than_ten_seconds() -> None:
    assert sum(listen_s for _, listen_s in BAUDS) <= 9.0 <= MOST_S < 10.0
    assert len({baud for baud, _ in BAUDS}) == len(BAUDS)


def test_a_port_that_is_silent_at_most_bauds_is_named_all_the_same() -> None:
    with talking_port(sentences()[:150], 0.4) as port:
        found = sniff_port(port, [(9600, 0.2)] * 8)
    assert found.protocol == "gnss"


def test_a_baud_that_a_port_does_not_know_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(SerialPort):
        def open(self) -> None:
            if self.baud == 3_000_000:
                raise DeviceLost(f"{self.path}: baud 3000000 is not possible on this port")
            super().open()

    monkeypatch.setattr("edge.sniffer.SerialPort", Picky)
    with talking_port(sentences(), 0.05) as port:
        assert sniff_port(port, [(115_200, 0.02), (3_000_000, 0.1), (9600, 0.4)]).protocol == "gnss"
        with pytest.raises(DeviceLost):
            sniff_port(port, [(3_000_000, 0.1)])


def test_datagrams_to_a_port_are_named_among_others_that_nobody_knows() -> None:
    record = bytes.fromhex("9b0c19643c6005007f3e9b0025188dff3302a8137400")
    block = b"\x3e" + (len(record) + 3).to_bytes(2, "big") + record
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not stop.wait(0.002):
                with contextlib.suppress(OSError):
                    sender.sendto(block, ("127.0.0.1", port))
                    sender.sendto(b"\x01who is there?", ("127.0.0.1", port))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        found = sniff(str(port))
    finally:
        stop.set()
        thread.join()
    assert found.protocol == "asterix_tracks"
    assert found.guess.messages["CAT062"] > 50  # each datagram is counted
    assert found.guess.share == pytest.approx(0.5, abs=0.01)
    assert f'device = {{ driver = "udp_listener", port = {port} }}' in site_lines(found)


def test_what_cannot_be_opened_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = run(str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "No such file or directory; expected a file, a serial port or the number of a UDP port" in result.stderr


def test_noise_in_a_file_is_unknown_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(os.urandom(5000))
    result = run(str(path))
    assert (result.exit_code, "unknown; 5000 bytes" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("name", "messages", "protocol"),
    [
        ("ptz", {"visca": 8, "pelco_d": 1}, "visca"),
        ("ptz", {"pelco_d": 6}, "pelco_d"),
        ("dji_droneid", {"dji_droneid": 10}, "radio_frames"),  # Wi-Fi beacons in a capture: no AntSDR wrote them
        ("dji_droneid", {"O2": 3, "O4": 1}, "antsdr"),
        ("asterix", {"CAT062": 3}, "asterix_tracks"),
        ("asterix", {"CAT048": 1, "CAT062": 3}, "asterix"),
    ],
)
def test_a_format_of_several_decoders_is_given_to_the_one_that_reads_it(
    name: str, messages: dict[str, int], protocol: str
) -> None:
    guess = Guess(name, "", 1.0, messages)
    assert site_protocol(guess) == protocol
    lines = site_lines(Sniffed(guess, 100, None, "capture.bin"))
    assert parse_site(SITE + "\n".join(lines), "ridge.toml").sensors[0].protocol == protocol


@pytest.mark.parametrize(("where", "baud"), [("/dev/ttyUSB0", 115200), ("5000", None), ("capture.bin", None)])
@pytest.mark.parametrize(("name", "messages"), [("dji_droneid", {"O3": 3}), ("dronescout_mqtt", {"heard": 3})])
def test_what_cannot_come_over_the_port_it_was_heard_on_is_given_a_device_that_it_can(
    where: str, baud: int | None, name: str, messages: dict[str, int]
) -> None:
    lines = site_lines(Sniffed(Guess(name, "", 1.0, messages), 100, baud, where))
    assert parse_site(SITE + "\n".join(lines).replace("...", "a/b"), "ridge.toml").sensors


@pytest.mark.parametrize("name", ["krakensdr_doa", "odas", "rtl_433_json", "spectrum_sweep"])
def test_a_program_on_the_network_is_not_given_a_serial_port(name: str) -> None:
    lines = site_lines(Sniffed(Guess(name, "", 1.0, {"line": 3}), 100, None, "capture.txt"))
    (sensor,) = parse_site(SITE + "\n".join(lines), "ridge.toml").sensors
    assert sensor.device.driver != "serial_port"


CAPTURES = Path(os.environ.get("SARHAD_SENSOR_DATA", Path(__file__).parents[3] / "shared" / "data" / "sensors"))
FILES = sorted(
    path
    for expected in CAPTURES.glob("*/*.expected.json")
    if (path := expected.with_name(expected.name.removesuffix(".expected.json"))).is_file()
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_protocol_that_is_named_for_a_capture_reads_it(path: Path) -> None:
    found = sniff(str(path))
    if found.guess is None:
        assert not any(json.loads(path.with_name(path.name + ".expected.json").read_text()).get("messages", [1]))
        return
    assert found.protocol is not None or found.guess.name == "remote_id"
    site = parse_site(SITE + "\n".join(site_lines(found)), "ridge.toml")
    (decoder,) = decoders_of(site).values()
    data = path.read_bytes()
    is_datagrams = found.guess.name == "asterix" and is_capture(data)
    pieces = [one.data for one in datagrams(data)] if is_datagrams else [data]
    if found.protocol == "dronescout":
        pieces = data.splitlines()  # each is a message
    for number, piece in enumerate(pieces):
        decoder.feed(Reading("one", NOW_NS, number, None, None, piece))
    assert sum(decoder.counts.decoded.values()) > 0


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_lines_are_ones_that_a_site_file_understands(name: str) -> None:
    settings = {"skip_bytes": 6} if name == "asterix" else {}
    guess = Guess(name, "", 1.0, {"CAT048": 3} if name == "asterix" else {"frame": 3}, settings)
    protocol = site_protocol(guess)
    if protocol is None:
        assert not [alias for alias in (name, *FORMATS[name].aliases) if alias in PROTOCOLS]
        return
    lines = site_lines(Sniffed(guess, 100, None, "capture.bin"))
    site = parse_site(SITE + "\n".join(lines), "ridge.toml")
    assert site.sensors[0].protocol == protocol
    if protocol in RADAR_REACH_M:  # no module is said to see as far as a board of another kind
        reach_m = {"ti_mmwave": 100.0, "ops243": 30.0, "ld2450": 6.0}[protocol]
        assert site.sensors[0].sensor.coverage.slant_range_m[1] == reach_m
