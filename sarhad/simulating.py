"""Writing a scenario's readings as a recording, and the truth beside it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import click

from edge.node import models_of
from edge.simulator.posts import post_of
from edge.simulator.run import readings, sensors_of
from edge.simulator.scenario import Scenario, ScenarioError, read_scenario
from edge.simulator.truth import truth_lines
from edge.software import platform_versions, software
from evidence.recording import RecordingHeader, RecordingWriter
from sarhad.running import wrong_input


def simulate(
    path: Path, out: Path, seconds: float, seed: int | None, video: bool, as_json: bool, posts: int = 1
) -> int:
    """The command's exit code: 0, or 2 with one line on stderr."""
    try:
        scenario = read_scenario(path)
        sensors_of(scenario, seed, video=False)  # what is wrong with a sensor shows before anything is written
        written = [(post_of(scenario, number), post_path(out, number)) for number in range(posts)]
    except ScenarioError as error:
        return wrong_input(str(error))
    if not out.parent.is_dir():
        return wrong_input(f"{out}: folder {out.parent} does not exist; expected an existing folder to write into")
    for _, post_out in written:
        for path in (post_out, truth_path(post_out)):
            if path.exists():
                return wrong_input(f"{path}: exists already; expected a new file, since nothing is written over")
    for post, post_out in written:
        try:
            done = write_post(post, post_out, seconds, seed, video)
        except OSError as error:
            named = error.filename or post_out
            return wrong_input(f"{named}: {error.strerror or error}; expected a folder that can be written")
        click.echo(json.dumps(done) if as_json else told(done))
    return 0


def write_post(scenario: Scenario, out: Path, seconds: float, seed: int | None, video: bool) -> dict[str, Any]:
    """One post's recording and truth, and what was written."""
    began_s, truth = time.monotonic(), truth_path(out)
    count = write_recording(scenario, out, seconds, seed, video)
    with truth.open("x") as file:
        file.writelines(
            truth_lines(scenario.world, scenario.site.origin, scenario.clock.start_ns, seconds, scenario.scene)
        )
    return {
        "recording": str(out),
        "truth": str(truth),
        "readings": count,
        "seconds": seconds,
        "took_s": round(time.monotonic() - began_s, 2),
    }


def told(done: dict[str, Any]) -> str:
    return (
        f"{done['recording']}: {done['readings']} readings of {done['seconds']:g} s, made in {done['took_s']:.1f} s; "
        f"truth in {done['truth']}"
    )


def post_path(out: Path, number: int) -> Path:
    """The first post writes OUT.mcap, the second OUT-2.mcap."""
    return out if number == 0 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")


def truth_path(out: Path) -> Path:
    """OUT.mcap has its truth in OUT.truth.jsonl."""
    return out.with_name((out.name[: -len(".mcap")] if out.suffix == ".mcap" else out.name) + ".truth.jsonl")


def write_recording(scenario: Scenario, out: Path, seconds: float, seed: int | None, video: bool) -> int:
    """How many readings were written."""
    site = scenario.site
    channels = {
        entry.sensor.sensor_id: {"protocol": entry.protocol, "driver": entry.device.driver} for entry in site.sensors
    }
    with out.open("xb") as stream:
        writer = RecordingWriter(stream, header(scenario, seed, video), channels)
        for reading in readings(scenario, seed, seconds, video):
            writer.write(reading)
        writer.close({})
    return writer.readings


def header(scenario: Scenario, seed: int | None, video: bool) -> RecordingHeader:
    """run_id names scenario and seed, so that the same simulation is the same recording."""
    site, seed = scenario.site, scenario.seed if seed is None else seed
    return RecordingHeader(
        site_id=site.site_id,
        run_id=f"simulated-{scenario.name}-{seed}",
        started_ns=scenario.clock.start_ns,
        site_text=site.text,
        site_sha256=hashlib.sha256(site.text.encode()).hexdigest(),
        models=models_of(site) if video else {},
        software=software(),
        platform=platform_versions(),
        clock_trusted=True,
    )
