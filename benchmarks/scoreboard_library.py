"""The scenario library's rows of the scoreboard: played here, or as `sarhad scenarios --json` told."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.finished_runs import key_of
from benchmarks.scoreboard_page import OURS
from benchmarks.scoreboard_plan import ROOT, VERSIONS, Plan, measured_now
from edge.simulator.scenario import LIBRARY
from sarhad.scenario_library import choose, play_one

LIBRARY_CODE = (
    *(ROOT / "fusion", ROOT / "edge", ROOT / "firmware_interfaces", ROOT / "sarhad" / "scenario_library.py"),
    Path(__file__),
)


def library_rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """The scenario library against what it expects: a row a scenario."""
    for path, scenario in choose(LIBRARY, (), plan.is_quick):
        key = key_of("library", *VERSIONS, path, *LIBRARY_CODE)
        row = plan.finished.get(key)
        if row is None and time.monotonic() > plan.until_s:
            plan.coverage.left_out.append(f"library: {scenario.name}")
            continue
        print(f"library: {scenario.name}", "" if row is None else "(finished before)", file=sys.stderr, flush=True)
        if row is None:
            row = library_row(json.loads(play_one(path, None).as_json())) | measured_now(plan)
            plan.finished.put(key, row)
        yield {"content": content_of(path)} | row


def contents() -> dict[str, str]:
    """Of each scenario's name, which one it is."""
    return {path.stem: content_of(path) for path in LIBRARY.glob("*.toml")}


def content_of(scenario: Path) -> str:
    """Which scenario a row is of, whatever its name: some digits of its file's hash."""
    return key_of(scenario)[:12]


def told_library(path: Path, plan: Plan) -> list[dict[str, Any]]:
    """The same rows, from the lines of `sarhad scenarios --json`; scenarios without a line are left out."""
    try:
        rows = [library_row(json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{path}: {error}; expected the lines of sarhad scenarios --json")
    told = {row["scenario"] for row in rows}
    names = [scenario.name for _, scenario in choose(LIBRARY, (), plan.is_quick)]
    plan.coverage.left_out += [f"library: {name}" for name in names if name not in told]
    files = {file.stem: file for file in LIBRARY.glob("*.toml")}
    if strange := sorted(told - files.keys()):
        sys.exit(f"{path}: tells of {strange[0]}, which is no scenario of {LIBRARY.name}")
    return [{"content": content_of(files[row["scenario"]]), "commit": plan.coverage.commit} | row for row in rows]


def library_row(told: dict[str, Any]) -> dict[str, Any]:
    row = {"scenario": told["name"], "kind": "library", "tracker": OURS, "ok": told["ok"]}
    return row | {"failures": told["failures"], "seconds": told["seconds"]}


def newly_failing(rows: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]]) -> list[str]:
    """Scenarios of the library that were as expected, and are not."""
    was_good = {row["scenario"] for row in before if row["kind"] == "library" and row["ok"]}
    return [
        row["scenario"] for row in rows if row["kind"] == "library" and not row["ok"] and row["scenario"] in was_good
    ]
