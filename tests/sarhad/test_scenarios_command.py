"""`sarhad scenarios`: which scenarios, what is told, which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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
    assert told["scans"] == pytest.approx(80, abs=3)  # radar and camera, five a second each


def test_a_scenario_that_does_not_is_exit_code_1_and_says_what_was_found(folder):
    path = folder / "behind-the-ridge.toml"
    path.write_text(path.read_text().replace("tracked = false", "by_s = 3.0"))
    done = call("--folder", folder, "behind*")
    assert done.exit_code == 1
    assert "FAIL behind-the-ridge" in done.stdout
    assert "quad: never tracked; expected within 3 s" in done.stdout
    assert "0 of 1 scenarios as expected; all of it simulated" in done.stdout


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
