"""The scoreboard finds what got worse and nothing else, says what was not measured, and its peer's algebra is right."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.earlier_rows import carried, kept
from benchmarks.filterpy_peer import expected, jacobian
from benchmarks.finished_runs import FinishedRuns, key_of
from benchmarks.regression import blocks_of, change
from benchmarks.scenario_generator import generate
from benchmarks.scoreboard import KNOWN, OURS, scored
from benchmarks.scoreboard_library import newly_failing, told_library
from benchmarks.scoreboard_page import Coverage, page, slower_by
from benchmarks.scoreboard_plan import Plan
from benchmarks.tracking_sensors import camera, direction_finder, radar


def runs(seed: int, factor: float, scenarios: int = 12) -> dict[str, list[float]]:
    """Squared GOSPA by block: scenarios differ much, blocks somewhat, the second run by a factor and a little noise."""
    hard = np.random.default_rng(5)
    own = np.random.default_rng(seed)
    return {
        f"s{k}": (level * hard.uniform(0.5, 1.5, 12) * factor**2 * own.normal(1.0, 0.04, 12)).tolist()
        for k, level in enumerate(hard.uniform(1000, 20000, scenarios))
    }


def test_a_tracker_that_got_three_percent_worse_is_found_though_scenarios_differ_twentyfold() -> None:
    found = change(runs(1, 1.03), runs(2, 1.0))
    assert found is not None
    assert found.is_worse
    assert found.ratio == pytest.approx(1.03, abs=0.01)


@pytest.mark.parametrize("seed", [3, 8])
def test_noise_alone_is_no_regression_and_better_never_is(seed: int) -> None:
    same, better = change(runs(seed, 1.0), runs(seed + 50, 1.0)), change(runs(seed, 0.95), runs(seed + 50, 1.0))
    assert same is not None
    assert better is not None
    assert not same.is_worse
    assert not better.is_worse
    assert better.high < 1.0


def test_the_same_figures_are_no_change_and_no_common_scenario_is_no_comparison() -> None:
    found = change(runs(1, 1.0), runs(1, 1.0))
    assert found is not None
    assert (found.ratio, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
    assert change(runs(1, 1.0), {"another": [1.0]}) is None


def test_blocks_keep_the_mean_square() -> None:
    assert blocks_of([1.0, 3.0, 5.0], 2) == [2.0, 5.0]


def row(scenario: str, tracker: str, gospa_m: float | None, cpu_s: float, messages: int, **more: Any) -> dict[str, Any]:
    figures = {"messages": messages, "cpu_s": cpu_s, "big_ms": {"50": 1.0, "99": 5.0}, "nis": {}}
    if tracker.startswith("ours"):
        figures["cumulative_cpu_s"] = np.linspace(cpu_s / messages, cpu_s, messages).tolist()
    scores = {
        "missed": 1.0,
        "false": 1.0,
        "switches": 0,
        "switches_a_minute": 0.0,
        "idf1": 0.9,
        "hota": 0.5,
        "nees": 1.0,
    }
    told = {} if gospa_m is None else {"gospa": gospa_m, **scores}
    return {
        "scenario": scenario,
        "kind": scenario.rsplit("_s", 1)[0],
        "tracker": tracker,
        "figures": figures,
        **told,
        **more,
    }


def test_the_page_judges_what_was_measured_and_names_the_rest() -> None:
    rows = [
        row("fuse_n20_s1", "ours", 100.0, 2.0, 100),
        row("fuse_n20_s1", "known association", 98.0, 2.0, 100),
        row("fuse_n20_s1", "Stone Soup GNN", None, 30.0, 50),
        row("crossings_n20_s1", "ours", 100.0, 2.0, 100),
        row("crossings_n20_s1", "known association", 80.0, 2.0, 100),
    ]
    text = page(rows, None, Coverage())
    assert text.startswith("# Scoreboard (simulated)")
    assert "| GOSPA on every fuse_*, over known association | ≤ 1.04 | 1.020 | yes |" in text
    assert "| crossings, over known association | ≤ 1.15 | 1.250 | NO |" in text
    assert "| swarms, over known association | ≤ 1.15 | not measured | - |" in text
    assert "| fuse_n20_s1 | Stone Soup GNN | stopped after 50 messages |" in text


def test_speed_is_compared_over_the_messages_both_got_through() -> None:
    trackers = {r["tracker"]: r for r in (row("x_s1", "ours", 1.0, 2.0, 100), row("x_s1", "filterpy", None, 10.0, 50))}
    assert slower_by(trackers, "filterpy") == pytest.approx(10.0)  # 10 s against the 1 s of our first 50


def test_compiled_runs_are_judged_beside_those_in_numpy() -> None:
    rows = [
        row("fuse_n20_s1", "ours", 100.0, 2.0, 100),
        row("fuse_n20_s1", "ours, compiled", 100.0, 1.0, 100),
        row("fuse_n20_s1", "filterpy", None, 4.0, 50),
        row("scale_n100_s1", "ours, compiled", 100.0, 1.0, 100),
    ]
    for measured in (rows, [rows[3], *carried([rows[3]], list(kept(rows)), {})]):
        text = page(measured, None, Coverage())
        assert "| fuse_n20: faster than filterpy by | ≥ 5 | 4.0 | NO |" in text
        assert "| fuse_n20, compiled: faster than filterpy by | ≥ 5 | 8.0 | yes |" in text
        assert "| scale_n100, compiled: p99 a scan, ms | ≤ 2 | 5.0 | NO |" in text


def test_what_a_short_run_does_not_measure_is_carried_over_with_its_commit() -> None:
    played = {"kind": "library", "tracker": "ours", "ok": True, "failures": [], "commit": "old0"}
    library = {"orbit": "c", "kite": "as it is now", "fog": "e"}
    full = [
        row("fuse_n20_s1", "ours", 100.0, 2.0, 100, commit="old1", content="a"),
        row("fuse_n20_s1", "filterpy", None, 10.0, 50, commit="old1", content="a"),
        row("swarm_n40_s1", "ours", 90.0, 2.0, 100, commit="old1", content="b"),
        row("swarm_n40_s1", "filterpy", 95.0, 8.0, 100, commit="old1", content="b"),
        row("pd_n20_s1", "filterpy", 95.0, 8.0, 100, commit="old1", content="before it was changed"),
        row("retired_n9_s1", "ours", 90.0, 2.0, 100, commit="old1"),
        played | {"scenario": "orbit", "content": "c"},
        played | {"scenario": "kite", "content": "before it was changed"},
        played | {"scenario": "fog"},
        played | {"scenario": "gone", "content": "d"},
    ]
    before = json.loads(json.dumps(list(kept(full))))
    assert not any("cumulative_cpu_s" in each.get("figures", {}) for each in before)
    short = [
        row("fuse_n20_s1", "ours", 99.0, 4.0, 100, commit="new2", content="a"),
        row("pd_n20_s1", "ours", 99.0, 4.0, 100, commit="new2", content="as it is now"),
    ]
    older = carried(short, before, library)
    assert [(each["scenario"], each["tracker"], each["commit"]) for each in older] == [
        ("fuse_n20_s1", "filterpy", "old1"),
        ("swarm_n40_s1", "ours", "old1"),
        ("swarm_n40_s1", "filterpy", "old1"),
        ("orbit", "ours", "old0"),
    ]
    text = page(short + older, None, Coverage(is_quick=True, commit="new2"))
    assert "| fuse_n20_s1 | ours | 99.0 |" in text
    assert "| swarm_n40_s1 (of old1) | ours | 90.0 |" in text
    assert "| fuse_n20_s1 (of old1) | ours | filterpy | 2.00 s | 5.0 × | 50 |" in text  # half of our four seconds now
    assert "| swarm_n40_s1 (of old1) | ours | filterpy | 2.00 s | 4.0 × | 100 |" in text  # as it was then
    assert "carried over from an earlier scoreboard" in text
    assert "1 of 1 scenarios played are as expected (`sarhad scenarios`). 1 of them are carried over" in text
    assert carried([], json.loads(json.dumps(list(kept(short + older)))), library) == [
        each | {"is_carried": True} for each in kept(short + older)
    ]


def a_plan(folder: Path) -> Plan:
    return Plan(
        kinds=(),
        seeds=(1,),
        plane_runs=0,
        consistency_seeds=0,
        limit_s=1.0,
        peers_python=None,
        with_peers=(),
        is_quick=True,
        until_s=time.monotonic() + 1000.0,
        finished=FinishedRuns(folder / "finished"),
    )


def test_an_interrupted_scoreboard_goes_on_and_names_what_time_did_not_allow(tmp_path: Path) -> None:
    directory = generate("close_2d", 1000, tmp_path)
    plan = a_plan(tmp_path)
    (first,) = scored(directory, "close_2d", OURS, plan)
    assert 0.5 < first["gospa"] < 10.0
    late = replace(plan, until_s=time.monotonic() - 1.0)
    assert list(scored(directory, "close_2d", OURS, late)) == [first]
    assert list(scored(directory, "close_2d", KNOWN, late)) == []
    assert late.coverage.left_out == ["close_2d_s1000: known association"]
    (directory / "scenario.json").write_text((directory / "scenario.json").read_text() + " ")
    assert list(scored(directory, "close_2d", OURS, late)) == []  # it is another scenario now


def test_a_key_is_of_contents_and_a_damaged_file_is_no_finished_run(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text("x = 1\n")
    before = key_of("ours", code)
    assert key_of("ours", code) == before
    (code / "tracks.jsonl").write_text("{}")
    assert key_of("ours", code) == before
    (code / "a.py").write_text("x = 2\n")
    assert key_of("ours", code) != before
    finished = FinishedRuns(tmp_path / "finished")
    finished.put(before, {"gospa": 1.0})
    assert finished.get(before) == {"gospa": 1.0}
    (tmp_path / "finished" / f"{before}.json").write_text('{"gospa": 1')
    assert finished.get(before) is None


def test_the_page_says_how_it_was_run_and_what_the_library_made_of_it(tmp_path: Path) -> None:
    told = tmp_path / "library.jsonl"
    lines = [
        {"name": "orbit", "ok": True, "failures": [], "seconds": 60.0},
        {"name": "kite", "ok": False, "failures": ["called drone | for 3 s"], "seconds": 60.0},
    ]
    told.write_text("\n".join(map(json.dumps, lines)))
    plan = a_plan(tmp_path)
    library = told_library(told, plan)
    assert "library: tree-line" in plan.coverage.left_out
    assert len({each["content"] for each in library}) == 2
    assert not {"library: orbit", "library: kite"} & set(plan.coverage.left_out)
    rows = [row("fuse_n5_s1", "ours", 100.0, 2.0, 100, measured_at="2026-01-01 10:00 UTC"), *library]
    text = page(
        rows, None, Coverage(is_quick=True, peer_limit_s=20.0, commit="abc1234", left_out=["fuse_n20_s1: filterpy"])
    )
    assert "Quick mode" in text
    assert "stopped after 20 s" in text
    assert "commit abc1234" in text
    assert "| ours | fuse_n5_s1 |" in text
    assert "Left out for want of time: fuse_n20_s1: filterpy." in text
    assert "1 of 2 scenarios played are as expected" in text
    assert "| kite | called drone / for 3 s |" in text
    assert newly_failing(library, [entry | {"ok": True} for entry in library]) == ["kite"]
    assert newly_failing(library, library) == []
    told.write_text("{")
    with pytest.raises(SystemExit, match="expected the lines of sarhad scenarios"):
        told_library(told, plan)


@pytest.mark.parametrize("sensor", [radar(), camera("c", [-800, -600, 15], 0.4), direction_finder(3000.0)])
def test_the_filterpy_peers_jacobian_is_the_measurements_slope(sensor: dict[str, Any]) -> None:
    x = np.array([310.0, 820.0, 90.0, 12.0, -7.0, 1.5])
    H, step = jacobian(x, sensor), 1e-4
    for column in range(6):
        move = np.zeros(6)
        move[column] = step
        slope = (expected(x + move, sensor) - expected(x - move, sensor)) / (2.0 * step)
        assert H[:, column] == pytest.approx(slope, abs=1e-7)
    d = x[:3] - np.asarray(sensor["pos"])
    assert expected(x, sensor)[0 if sensor["type"] != "radar" else 1] == pytest.approx(math.atan2(d[0], d[1]))
