"""The shipped demo scenario, read once, and a shorter text to damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.simulator.scenario import Scenario, read_scenario

DEMO = Path(__file__).parents[3] / "edge" / "scenarios" / "demo.toml"


@pytest.fixture(scope="session")
def demo_path() -> Path:
    return DEMO


@pytest.fixture(scope="session")
def demo() -> Scenario:
    return read_scenario(DEMO)


@pytest.fixture
def entry_of(demo):
    """A sensor's entry in the demo's site, by protocol."""
    return lambda protocol: next(entry for entry in demo.site.sensors if entry.protocol == protocol)


@pytest.fixture
def sensor_of(demo):
    """A simulated sensor of the demo, by protocol; `simulate` changes what really happens there."""
    from dataclasses import replace

    from edge.simulator import run

    def make(protocol: str, **simulate):
        entry = next(entry for entry in demo.site.sensors if entry.protocol == protocol)
        sensor_id = entry.sensor.sensor_id
        changed = {**demo.simulate, sensor_id: {**demo.simulate.get(sensor_id, {}), **simulate}}
        return run.sensor_of(replace(demo, simulate=changed), entry, demo.seed)

    return make
