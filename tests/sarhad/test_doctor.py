"""`sarhad doctor` on real pseudo-terminals, a film and a real broker."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge.broker_trial import connect_answer, try_broker
from edge.site_types import BrokerSettings
from sarhad.broker import Broker
from sarhad.cli import main

SENTENCE = (
    b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"  # the example of NMEA primers everywhere
)
NO_FIX = b"$GPGGA,123519,,,,,0,00,,,M,,M,,*6B\r\n"
HEAD = '[site]\nid = "ridge"\norigin = { latitude_deg = 48.1173, longitude_deg = 11.5166, height_m = 592.0 }\n'
SEEN = "position = { east_m = 0, north_m = 0, up_m = 4 }\norientation = { heading_deg = 0 }\n"
COVERAGE = "coverage = { azimuth_deg = [-60, 60], elevation_deg = [-20, 30], slant_range_m = [2, 35] }\n"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker.start() as running:
        yield running


def serial(name: str, protocol: str, port: Path, more: str = "") -> str:
    device = f'device = {{ driver = "serial_port", path = "{port}", baud = 9600 }}'
    return f'[[sensor]]\nid = "{name}"\n{device}\nprotocol = "{protocol}"\n{more}'


def camera(film: Path, size: str = "[320, 240]") -> str:
    lens = f"lens = {{ size_px = {size}, focal_px = [300, 300], center_px = [160, 120] }}\n"
    device = f'device = {{ driver = "video_file", path = "{film}", loop = true }}'
    return f'[[sensor]]\nid = "eye"\n{device}\nprotocol = "yolo"\n{SEEN}{lens}'


def doctor(tmp_path: Path, broker: Broker, sensors: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "post.toml"
    path.write_text(f'{HEAD}[broker]\nhost = "{broker.host}"\nport = {broker.port}\n{sensors}')
    result = CliRunner().invoke(main, ["doctor", str(path), "--seconds", "1", "--json"])
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, {finding["about"]: finding for finding in json.loads(result.stdout)["findings"]}


def test_a_post_where_all_works_passes(tmp_path: Path, broker: Broker, film: Path, speaking_port: Callable[..., Path]):
    sensors = serial("place", "gnss", speaking_port("gnss", SENTENCE)) + camera(film)
    code, findings = doctor(tmp_path, broker, sensors + serial("rid", "open_drone_id", speaking_port("rid", b"")))
    assert code == 0, findings
    assert findings['sensor "place"']["state"] == "pass"
    assert "m from the origin" in findings['sensor "place"']["seen"]
    assert findings['sensor "eye"']["state"] == "pass"
    assert "pictures of 320 x 240" in findings['sensor "eye"']["seen"]
    assert findings["broker"]["state"] == findings["model"]["state"] == "pass"
    assert findings['sensor "rid"']["state"] == "note", "where no drone broadcasts, silence is normal"


def test_what_fails_is_named_with_what_to_do(
    tmp_path: Path, broker: Broker, film: Path, speaking_port: Callable[..., Path]
):
    noise = bytes(range(256)) * 4
    sensors = serial("radar", "ti_mmwave", speaking_port("radar", noise), SEEN + COVERAGE)
    sensors += serial("mute", "gnss", speaking_port("mute", b""))
    sensors += serial("gone", "gnss", tmp_path / "no-such-port")
    code, findings = doctor(tmp_path, broker, sensors + camera(film, "[320, 320]"))
    assert code == 1
    for name, words in (
        ("radar", "0 ti_mmwave frames"),
        ("mute", "no bytes within 1 s"),
        ("gone", "no such port"),
        ("eye", "the lens in the site file is 320 x 320"),
    ):
        finding = findings[f'sensor "{name}"']
        assert (finding["state"], words in finding["seen"]) == ("fail", True), finding
        assert finding["todo"]


def test_a_receiver_without_fix_is_noted(tmp_path: Path, broker: Broker, speaking_port: Callable[..., Path]):
    code, findings = doctor(tmp_path, broker, serial("place", "gnss", speaking_port("gnss", NO_FIX)))
    assert code == 0
    assert "no fix yet" in findings['sensor "place"']["seen"]


def test_a_receiver_far_from_the_origin_is_noted(tmp_path: Path, broker: Broker, speaking_port: Callable[..., Path]):
    elsewhere = SENTENCE.replace(b"4807.038", b"4808.038").replace(b"*47", b"*48")
    _, findings = doctor(tmp_path, broker, serial("place", "gnss", speaking_port("gnss", elsewhere)))
    assert "m from the site file's origin" in findings['sensor "place"']["seen"]


def test_a_local_broker_that_does_not_run_yet_stops_nothing():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        finding = try_broker(settings(free.getsockname()[1]), "ridge")
    assert finding.state == "note"
    assert "`sarhad post` brings a broker" in (finding.todo or "")


def test_a_wrong_site_file_ends_with_two(tmp_path: Path):
    (tmp_path / "post.toml").write_text("[site]\n")
    result = CliRunner().invoke(main, ["doctor", str(tmp_path / "post.toml")])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def settings(port: int, **files: str | None) -> BrokerSettings:
    paths = {"certificate": None, "key": None, "authority": None} | files
    return BrokerSettings("127.0.0.1", port, outbox_path="outbox.db", keep_hours=1.0, **paths)


def test_the_brokers_own_answer_is_told(broker: Broker):
    assert connect_answer(settings(broker.port), "doctor") == b"\x20\x02\x00\x00"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"\x20\x02\x00\x05", "refuses: not authorised"),
        (b"", "closes without an answer"),
        (b"HTTP/1.1 400", "closes without"),
    ],
)
def test_a_broker_that_refuses_is_told(reply: bytes, words: str):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        finding = try_broker(settings(listener.getsockname()[1]), "ridge")
        thread.join()
    assert finding.state == "fail"
    assert words in finding.seen


def test_certificates_that_are_not_there_are_told(broker: Broker):
    finding = try_broker(settings(broker.port, certificate="no.crt", key="no.key"), "ridge")
    assert finding.state == "fail"
    assert "is not there" in finding.seen


def test_an_outbox_that_cannot_be_written_is_told(tmp_path: Path, broker: Broker, speaking_port: Callable[..., Path]):
    (tmp_path / "file").write_text("no folder")
    outbox = f'[broker.outbox]\npath = "{tmp_path}/file/outbox.db"\n'
    code, findings = doctor(tmp_path, broker, outbox + serial("place", "gnss", speaking_port("gnss", SENTENCE)))
    assert code == 1
    assert "cannot be written" in findings["outbox"]["seen"]
