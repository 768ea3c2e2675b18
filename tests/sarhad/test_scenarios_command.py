"""`sarhad scenarios`: which scenarios, what is told, which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.simulator.outcome import Outcome, Seconds
from edge.simulator.verdict import Verdict
from sarhad import scenario_library
from sarhad.cli import main

LIBRARY = Path(__file__).parents[2] / "edge" / "scenarios"


def call(*arguments):
    return CliRunner().invoke(main, ["scenarios", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    """One scenario of eight seconds whose drone stays hidden."""
    text = (LIBRARY / "behind-the-ridge.toml").read_text().replace("duration_s = 60.0", "duration_s = 8.0")
    (tmp_path / "behind-the-ridge.toml").write_text(text)
    return tmp_path


def test_a_scenario_that_ends_as_expected_is_exit_code_0(folder):
    done = call("--folder", folder, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["name"], told["ok"], told["failures"], told["seconds"]) == ("behind-the-ridge", True, [], 8.0)
    assert (told["false_drones"], told["false_tracks"]) == (0, 0)
    assert told["scans"] == pytest.approx(80, abs=3)  # radar and camera, five a second each


def test_a_scenario_that_does_not_is_exit_code_1_and_says_what_was_found(folder):
    path = folder / "behind-the-ridge.toml"
    path.write_text(path.read_text().replace("tracked = false", "by_s = 3.0"))
    done = call("--folder", folder, "behind*")
    assert done.exit_code == 1
    assert "FAIL behind-the-ridge" in done.stdout
    assert "quad: never tracked; expected within 3 s" in done.stdout
    assert "0 of 1 scenarios as expected; all of it simulated" in done.stdout


def test_an_hour_of_nothing_is_told_with_what_it_made_up_and_a_post_that_stops_has_failed(folder, monkeypatch):
    path = folder / "behind-the-ridge.toml"
    path.write_text(path.read_text().replace("duration_s = 8.0", "duration_s = 1800.0"))
    monkeypatch.setattr(scenario_library, "judge", lambda scenario, seed: Verdict(scenario.name, (), made_up()))
    done = call("--folder", folder)
    assert done.exit_code == 0, done.output
    assert "2 false drones, 2 false tracks an hour" in done.stdout

    def stops(scenario, seed):
        raise ZeroDivisionError("no such thing")

    monkeypatch.setattr(scenario_library, "judge", stops)
    done = call("--folder", folder)
    assert done.exit_code == 1
    assert "the post stopped: ZeroDivisionError: no such thing" in done.stdout


def made_up() -> Outcome:
    return Outcome(tracks={7: Seconds(all=9, of_nothing=9, as_drone=9, as_drone_without=9)})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no-such",), "no-such: is no scenario of scenarios; see sarhad scenarios --list"),
        (("--folder", "."), "holds no"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, arguments, says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(*arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert says in done.stderr
