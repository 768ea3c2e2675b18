"""The simulator as a process: ports and camera that the node's own drivers read, a good site file, the truth in step."""

from __future__ import annotations

import importlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from edge.sensors import PROTOCOLS, driver_of
from edge.site_file import read_site
from fusion.types import Reading


@pytest.fixture
def simulator(demo_path, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.simulator", str(demo_path), "--run-dir", str(tmp_path), "--broker-port", "18831"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process, json.loads(process.stdout.readline())
    process.kill()
    process.wait()


def test_every_device_of_its_site_file_delivers_and_decodes(simulator):
    _, ready = simulator
    assert ready["ready"] is True
    site = read_site(ready["site"])
    assert site.broker.port == 18831
    serial = [entry for entry in site.sensors if entry.device.driver == "serial_port"]
    decoders = {
        entry.sensor.sensor_id: importlib.import_module(PROTOCOLS[entry.protocol].module).Decoder(entry.sensor)
        for entry in serial
    }
    drivers = {entry.sensor.sensor_id: driver_of(entry) for entry in site.sensors}
    for driver in drivers.values():
        driver.open()
    decoded, frames = Counter(), 0
    end_s = time.monotonic() + 20.0
    while time.monotonic() < end_s and (len(decoded) < 3 or frames < 5):
        for sensor_id, driver in drivers.items():
            if (delivery := driver.read(0.02)) is None:
                continue
            frames += sensor_id == "camera-north"
            if sensor_id in decoders:
                now_ns = time.time_ns()
                decoders[sensor_id].feed(Reading(sensor_id, now_ns, now_ns, None, None, delivery.data))
                if sum(decoders[sensor_id].counts.decoded.values()):
                    decoded[sensor_id] += 1
    for driver in drivers.values():
        driver.close()
    assert set(decoded) == {"radar-north", "remote-id", "gnss"}
    assert frames >= 5
    assert not any(decoder.counts.rejected for decoder in decoders.values())


def test_the_truth_keeps_step_with_the_clock(demo_path, tmp_path):
    before_ns = time.time_ns()
    command = [sys.executable, "-m", "edge.simulator", str(demo_path), "--run-dir", str(tmp_path), "--broker-port", "1"]
    subprocess.run([*command, "--seconds", "1.5"], check=True, capture_output=True, timeout=60)
    origin, *moments = map(json.loads, (tmp_path / "truth.jsonl").read_text().splitlines())
    assert set(origin) == {"origin", "made_by", "conditions"}
    stamps = [moment["time_ns"] for moment in moments]
    assert len(stamps) >= 14  # more where the machine was late to end it; the last line sets the limit
    assert {later - earlier for earlier, later in itertools.pairwise(stamps)} == {100_000_000}
    assert before_ns < stamps[0] < stamps[-1] < time.time_ns()


def test_it_ends_at_once_and_well_when_told_to(simulator, tmp_path):
    process, _ = simulator
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30.0) == 0
    assert not list((tmp_path / "ports").iterdir())


def test_a_bad_scenario_is_one_line_and_exit_code_2(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("[scenario]\nname = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "edge.simulator", str(bad), "--run-dir", str(tmp_path), "--broker-port", "1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{bad}: [scenario]: name is 1" in done.stderr
