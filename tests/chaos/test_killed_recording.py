"""`sarhad record` is killed while it records: all but the last second is there, and replays."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.recording import read_recording
from fusion.types import Reading

SARHAD = [sys.executable, "-m", "sarhad"]
ROOT = Path(__file__).resolve().parents[2]
SITE = """
[site]
id = "gate-01"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 610.0 }}
geoid_height_m = 48.6

[[sensor]]
id = "gnss"
device = {{ driver = "serial_port", path = "{path}", baud = 9600 }}
protocol = "gnss"
"""


@pytest.fixture
def terminal() -> Iterator[str]:
    """A pseudo-terminal on which numbered lines come, fifty a second."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.wait(0.02):
            number += 1
            with contextlib.suppress(OSError):
                os.write(ours, b"$GPTXT,01,01,02,%06d*00\r\n" % number)

    os.set_blocking(ours, False)
    thread = threading.Thread(target=write)
    thread.start()
    yield os.ttyname(theirs)
    ended.set()
    thread.join()
    os.close(ours)
    os.close(theirs)


def readings_of(path: Path) -> tuple[list[Reading], bool]:
    with path.open("rb") as stream:
        _, readings = read_recording(stream)
        return list(readings), readings.is_cut


def test_a_killed_recording_lacks_less_than_its_last_second_and_replays(terminal: str, tmp_path: Path) -> None:
    site, recording = tmp_path / "site.toml", tmp_path / "flight.mcap"
    site.write_text(SITE.format(path=terminal))
    process = subprocess.Popen([*SARHAD, "record", str(site), str(recording)], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + 60
    while not recording.exists() or len(readings_of(recording)[0]) < 150:
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    killed_ns = time.time_ns()
    process.kill()
    process.wait()

    readings, is_cut = readings_of(recording)
    assert is_cut
    assert killed_ns - readings[-1].received_ns < 1_000_000_000
    text = b"".join(reading.data for reading in readings if reading.sensor_id == "gnss").decode()
    numbers = [int(number) for number in re.findall(r"02,(\d{6})\*00\r\n", text)]
    assert len(numbers) > 50
    assert numbers == list(range(numbers[0], numbers[-1] + 1))  # nothing is missing before the cut

    result = subprocess.run(
        [*SARHAD, "replay", str(recording), "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout)["readings"] == len(readings)
    assert "cut" in result.stderr
