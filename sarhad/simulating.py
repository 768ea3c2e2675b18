"""Writing a scenario's readings as a recording, and the truth beside it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import click

from edge.node import models_of
from edge.simulator.run import readings, sensors_of
from edge.simulator.scenario import Scenario, ScenarioError, read_scenario
from edge.simulator.truth import truth_lines
from edge.software import platform_versions, software
from evidence.recording import RecordingHeader, RecordingWriter
from sarhad.running import wrong_input


def simulate(path: Path, out: Path, seconds: float, seed: int | None, video: bool, as_json: bool) -> int:
    """The command's exit code: 0, or 2 with one line on stderr."""
    try:
        scenario = read_scenario(path)
        sensors_of(scenario, seed, video=False)  # what is wrong with a sensor shows before anything is written
    except ScenarioError as error:
        return wrong_input(str(error))
    if not out.parent.is_dir():
        return wrong_input(f"{out}: folder {out.parent} does not exist; expected an existing folder to write into")
    truth = truth_path(out)
    for path in (out, truth):
        if path.exists():
            return wrong_input(f"{path}: exists already; expected a new file, since nothing is written over")
    began_s = time.monotonic()
    try:
        count = write_recording(scenario, out, seconds, seed, video)
        with truth.open("x") as file:
            file.writelines(truth_lines(scenario.world, scenario.site.origin, scenario.clock.start_ns, seconds))
    except OSError as error:
        return wrong_input(f"{error.filename or out}: {error.strerror or error}; expected a folder that can be written")
    took_s = time.monotonic() - began_s
    if as_json:
        done = {
            "recording": str(out),
            "truth": str(truth),
            "readings": count,
            "seconds": seconds,
            "took_s": round(took_s, 2),
        }
        click.echo(json.dumps(done))
    else:
        click.echo(f"{out}: {count} readings of {seconds:g} s, made in {took_s:.1f} s; truth in {truth}")
    return 0


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
