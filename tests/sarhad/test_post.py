"""`sarhad post`: broker, center and edge on one box; what dies comes back, and nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from sarhad.cli import main

SENTENCE = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n"
HEAD = '[site]\nid = "ridge"\norigin = { latitude_deg = 48.1173, longitude_deg = 11.5167, height_m = 592.0 }\n'
WAIT_S = 90.0  # a loaded machine starts three Pythons slowly


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class RunningPost:
    """`sarhad post` as its user starts it; `wait_for` reads what it says."""

    def __init__(self, folder: Path, gnss: Path) -> None:
        self.map_port, broker_port = free_port(), free_port()
        device = f'device = {{ driver = "serial_port", path = "{gnss}", baud = 9600 }}'
        sensor = f'[[sensor]]\nid = "place"\n{device}\nprotocol = "gnss"\n'
        (folder / "post.toml").write_text(f"{HEAD}[broker]\nport = {broker_port}\n{sensor}")
        command = [sys.executable, "-m", "sarhad", "post", str(folder / "post.toml"), "--port", str(self.map_port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.family: set[int] = set()
        self._timer = threading.Timer(WAIT_S, self.process.kill)
        self._timer.start()

    def next_phase(self) -> None:
        """From now on it has so long again, before it is killed and what is waited for never comes."""
        self._timer.cancel()
        self._timer = threading.Timer(WAIT_S, self.process.kill)
        self._timer.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        self.next_phase()
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(pattern, line):
                self.family |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
                return found
        raise AssertionError(f"{pattern} was never said, but:\n{''.join(said)}")

    def end(self) -> int:
        self.next_phase()
        self.family |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        self.process.stderr.read()
        code = self.process.wait()
        self._timer.cancel()
        return code

    def kill(self) -> None:
        self._timer.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def post(tmp_path: Path, speaking_port: Callable[..., Path]) -> Iterator[RunningPost]:
    running = RunningPost(tmp_path, speaking_port("gnss", SENTENCE))
    yield running
    running.kill()


def test_one_box_does_it_all_brings_back_what_dies_and_leaves_nothing(post: RunningPost, tmp_path: Path):
    edge = int(post.wait_for(r"edge runs, process (\d+)")[1])
    post.wait_for(r"map: http://127\.0\.0\.1")
    assert (tmp_path / "center-ridge.db").exists()

    os.kill(edge, signal.SIGKILL)
    post.wait_for(r"edge ended with signal SIGKILL; starting it again in 1 s")
    assert int(post.wait_for(r"edge runs, process (\d+)")[1]) != edge
    post.next_phase()
    watching = urllib.request.urlopen(f"http://127.0.0.1:{post.map_port}/api/live", timeout=WAIT_S)
    with watching as feed:
        assert any(b"ridge" in line for line in feed), "the post's messages reach the center"

    with urllib.request.urlopen(f"http://127.0.0.1:{post.map_port}/api/sites", timeout=WAIT_S) as answer:
        assert "ridge" in json.dumps(json.load(answer))
    assert post.end() == 0
    assert {pid for pid in post.family if psutil.pid_exists(pid)} == set()


def test_a_post_whose_files_cannot_be_used_ends_with_two(tmp_path: Path):
    sensor = '[[sensor]]\nid = "place"\ndevice = { driver = "serial_port", path = "/dev/x", baud = 9600 }\nprotocol = "gnss"\n'
    broker = f'[broker]\nport = {free_port()}\noutbox = {{ path = "/proc/outbox.db" }}\n'
    (tmp_path / "post.toml").write_text(f"{HEAD}{broker}{sensor}")
    command = [sys.executable, "-m", "sarhad", "post", str(tmp_path / "post.toml"), "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        ('host = "192.0.2.1"', "`sarhad edge` reports to another"),
        ('certificate = "x.pem"', "expected none for a broker"),
    ],
)
def test_a_post_whose_broker_is_elsewhere_is_refused(tmp_path: Path, broker: str, words: str):
    sensor = '[[sensor]]\nid = "place"\ndevice = { driver = "serial_port", path = "/dev/x", baud = 9600 }\nprotocol = "gnss"\n'
    (tmp_path / "post.toml").write_text(f"{HEAD}[broker]\n{broker}\n{sensor}")
    result = CliRunner().invoke(main, ["post", str(tmp_path / "post.toml")])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
