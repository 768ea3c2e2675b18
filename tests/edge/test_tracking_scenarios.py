"""Scenarios that are not as they should be: one line that names the file, what was found and what was expected."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scenario_generator import generate
from edge.tracking_scenarios import ScenarioError, read_scenario
from fusion.initiation import ObjectModel


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return generate("fuse_n5", 301, tmp_path)


def rewrite(directory: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = directory / "scenario.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told["sensors"][0].pop("pd"), "found no pd"),
        (lambda told: told["frame"].pop("origin"), "found no origin"),
        (
            lambda told: told["sensors"][0].update(type="sonar"),
            "found type 'sonar' of radar0, expected one of radar, camera",
        ),
    ],
)
def test_a_scenario_that_lacks_something_is_refused_by_name(scenario, change, said):
    rewrite(scenario, change)
    with pytest.raises(ScenarioError, match=said) as caught:
        read_scenario(scenario)
    assert str(caught.value).startswith(f"{scenario / 'scenario.json'}: ")


@pytest.mark.parametrize(
    ("sensor", "values", "said"),
    [
        ("radar9", [], "found sensor 'radar9', expected one of radar0, cam0"),
        (
            "radar0",
            [100.0, None, 0.1, 0.0, 9.0],
            r"found \[100.0, null, 0.1, 0.0, 9.0\] of a radar, expected \[r, az, el, rr",
        ),
        ("radar0", [100.0], r"found \[100.0\] of a radar"),
        ("cam0", [0.1, 0.1, "drone", 0.5], "of a camera, expected"),
    ],
)
def test_a_message_that_cannot_be_read_is_named_by_its_line(scenario, sensor, values, said):
    with gzip.open(scenario / "measurements.jsonl.gz", "at") as file:
        file.write(json.dumps({"seq": 9, "t": 130.0, "ta": 130.0, "s": sensor, "d": [values]}) + "\n")
    count = 0
    with pytest.raises(ScenarioError, match=said) as caught:
        for count, _ in enumerate(read_scenario(scenario).messages(), 1):  # noqa: B007
            pass
    assert f"line {count + 1}: " in str(caught.value)


def test_a_strength_that_is_not_known_is_left_out(scenario):
    with gzip.open(scenario / "measurements.jsonl.gz", "wt") as file:
        line = {"seq": 0, "t": 1.0, "ta": 1.0, "s": "radar0", "d": [[100.0, 0.1, 0.1, 0.0, None]]}
        file.write(json.dumps(line) + "\n")
    (message,) = read_scenario(scenario).messages()
    assert message.facts[0].detections[0].power_db is None


def test_a_model_without_survival_keeps_the_usual_stay(tmp_path):
    directory = generate("close_2d", 301, tmp_path)
    assert read_scenario(directory).objects.stays_s != ObjectModel().stays_s
    rewrite(directory, lambda told: told["model"].pop("survival_probability"))
    assert read_scenario(directory).objects.stays_s == ObjectModel().stays_s
    rewrite(directory, lambda told: told["model"].update(survival_probability=0.0))
    with pytest.raises(ScenarioError, match="found survival_probability 0, expected above 0"):
        read_scenario(directory)
