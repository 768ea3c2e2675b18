"""The recorder: a disk that refuses stops the recording and nothing else."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.recorder import Recorder
from edge.site_file import parse_site
from evidence.recording import RecordingHeader, read_recording
from fusion.types import Reading

SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[broker]
host = "127.0.0.1"
port = 1883
[[sensor]]
id = "remote-id"
device = { driver = "serial_port", path = "/dev/ttyACM0", baud = 115200 }
protocol = "open_drone_id"
"""


def recorder(path: Path) -> Recorder:
    site = parse_site(SITE, "ridge.toml")
    header = RecordingHeader(site.site_id, "run", 1, site.text, site.sha256, {}, "sarhad", {})
    return Recorder(path, header, site, answer=True)


def reading(number: int) -> Reading:
    return Reading("remote-id", number * 10**8, number * 10**8, None, None, bytes([number % 251]) * 700)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of this process may grow to 40 kB only: what a full disk looks like from inside."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_once_and_what_was_written_stays_readable(tmp_path: Path, small_disk: None) -> None:
    path = tmp_path / "recording.mcap"
    writing = recorder(path)
    for number in range(2000):
        writing.write(reading(number))
    assert writing.trouble is not None
    assert "too large" in writing.trouble
    assert writing.close({}) is None
    with path.open("rb") as stream:
        kept = list(read_recording(stream)[1])
    assert kept
    assert kept == [reading(number) for number in range(len(kept))]


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "recording.mcap"
    recorder(path).close({})
    with pytest.raises(FileExistsError):
        recorder(path)
