"""One recording, one answer: at any speed, twice, cut or mended, and with a corrected site file."""

import asyncio
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.replay import ReplayResult, replay
from edge.site_file import Site, parse_site
from evidence.recording import read_recording, recover

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "edge" / "scenarios" / "demo.toml"
SECONDS = 8.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's radar, Remote ID and satellite receiver at the level of bytes."""
    path = tmp_path_factory.mktemp("simulated") / "demo.mcap"
    command = [sys.executable, "-m", "sarhad", "simulate", str(SCENARIO), "--out", str(path)]
    subprocess.run([*command, "--seconds", str(SECONDS), "--no-video"], check=True, capture_output=True, cwd=ROOT)
    return path


def replayed(recording: Path, out: Path, speed: float | None = None, site: Site | None = None) -> ReplayResult:
    return asyncio.run(replay(recording, site, speed, False, None, out))


def site_of(recording: Path) -> str:
    with recording.open("rb") as stream:
        return read_recording(stream)[0].site_text


def test_twice_at_once_and_at_forty_times_the_speed_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    results = [replayed(recording, tmp_path / "a"), replayed(recording, tmp_path / "b")]
    results.append(replayed(recording, tmp_path / "c", speed=40.0))
    assert len({result.digest for result in results}) == 1
    for name in ("tracks.jsonl", "digest.txt"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "c" / name).read_bytes() == first


def test_processes_with_other_hash_seeds_give_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "sarhad", "replay", str(recording), "--out", str(tmp_path / seed)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    assert (tmp_path / "1" / "digest.txt").read_bytes() == (tmp_path / "2" / "digest.txt").read_bytes()


def test_a_cut_recording_gives_the_beginning_of_the_answer_and_so_does_the_mended_one(
    recording: Path, tmp_path: Path
) -> None:
    whole = replayed(recording, tmp_path / "whole")
    content = recording.read_bytes()
    cut, mended = tmp_path / "cut.mcap", tmp_path / "mended.mcap"
    cut.write_bytes(content[: len(content) * 6 // 10])
    result = replayed(cut, tmp_path / "cut")
    assert result.trouble is not None
    assert "cut" in result.trouble
    assert 0 < result.readings < whole.readings
    beginning = (tmp_path / "cut" / "tracks.jsonl").read_bytes()
    assert beginning
    assert (tmp_path / "whole" / "tracks.jsonl").read_bytes().startswith(beginning)
    with cut.open("rb") as stream_in, mended.open("wb") as stream_out:
        recover(stream_in, stream_out)
    assert replayed(mended, tmp_path / "mended").digest == result.digest


def test_a_corrected_heading_turns_the_tracks_of_an_old_recording(recording: Path, tmp_path: Path) -> None:
    text = site_of(recording)
    site = parse_site(text, "recorded")
    entries = [
        dataclasses.replace(
            entry,
            sensor=dataclasses.replace(
                entry.sensor,
                orientation=dataclasses.replace(
                    entry.sensor.orientation, heading_rad=entry.sensor.orientation.heading_rad + 0.2
                ),
            ),
        )
        for entry in site.sensors
    ]
    unchanged = replayed(recording, tmp_path / "a")
    same = replayed(recording, tmp_path / "b", site=site)
    turned = replayed(recording, tmp_path / "c", site=dataclasses.replace(site, sensors=tuple(entries)))
    assert same.digest == unchanged.digest
    assert turned.digest != unchanged.digest
