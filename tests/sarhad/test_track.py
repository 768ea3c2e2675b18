"""`sarhad track` on a generated scenario: what it writes, plain and compiled."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.scenario_generator import generate
from sarhad.cli import main


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("close_2d", 301, tmp_path_factory.mktemp("scenarios"))


def tracked(scenario: Path, out: Path, *more: str) -> list[dict]:
    result = CliRunner().invoke(main, ["track", str(scenario), "--out", str(out), *more])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_line_for_every_score_time_tells_numbers_places_and_covariances(scenario, tmp_path):
    lines = tracked(scenario, tmp_path / "tracks.jsonl")
    assert [line["t"] for line in lines] == json.loads((scenario / "scenario.json").read_text())["score_times"]
    tracks = [track for line in lines for track in line["tracks"]]
    assert len(tracks) > 200  # four objects, 81 moments
    for track in tracks:
        P = np.array(track["P"])
        assert (len(track["x"]), len(track["v"]), P.shape) == (3, 3, (6, 6))
        assert np.linalg.eigvalsh(P).min() > -1e-3  # it is rounded to 0.0001


def test_compiled_it_writes_the_same_tracks(scenario, tmp_path):
    pytest.importorskip("numba", reason="needs numba: pip install 'sarhad[fast]'")
    plain, compiled = tracked(scenario, tmp_path / "a"), tracked(scenario, tmp_path / "b", "--compiled")
    for one, other in zip(plain, compiled, strict=True):
        assert [track["id"] for track in one["tracks"]] == [track["id"] for track in other["tracks"]]
        for a, b in zip(one["tracks"], other["tracks"], strict=True):
            assert a["x"] == pytest.approx(b["x"], abs=0.002)  # both are rounded to 0.001


def test_compiled_without_numba_is_refused_in_one_line(scenario, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("fusion.kernels.find_spec", lambda name: None if name == "numba" else found(name))
    result = CliRunner().invoke(main, ["track", str(scenario), "--out", str(tmp_path / "a"), "--compiled"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "pip install 'sarhad[fast]'" in result.stderr
    assert not (tmp_path / "a").exists()


def test_whole_numbers_in_a_scenario_may_be_written_without_a_point(scenario, tmp_path):
    def whole(told):
        if isinstance(told, dict):
            return {name: whole(value) for name, value in told.items()}
        if isinstance(told, list):
            return [whole(value) for value in told]
        return int(told) if isinstance(told, float) and told.is_integer() else told

    plainer = tmp_path / "plainer"
    shutil.copytree(scenario, plainer)
    told = json.loads((scenario / "scenario.json").read_text())
    assert json.dumps(whole(told)) != json.dumps(told)
    (plainer / "scenario.json").write_text(json.dumps(whole(told)))
    assert tracked(plainer, tmp_path / "a") == tracked(scenario, tmp_path / "b")
