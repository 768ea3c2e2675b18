"""The tracker beside its peers, on the same scenarios in the same run: `python benchmarks/scoreboard.py`.

    generated scenarios, and the tracking data where it is at hand
      ├─ ours (numpy, and compiled), ours with known association, filterpy, Stone Soup GNN, Stone Soup JPDA-LBP
      │  each a process with one thread
      ├─ sarhad.scores                                                                      GOSPA, switches, IDF1, NEES
    scenario library (sarhad scenarios)                                                     as expected, or not
      └─ docs/scoreboard.md and docs/scoreboard.json                                        headed "simulated"

`--quick` takes fewer kinds, one seed, peers on three kinds only and for 20 s of processor time, and says so on the page;
`--minutes` starts nothing more after so long, and the page lists what was left out. Rows of docs/scoreboard.json that a run
does not measure are carried over, marked with the commit they are of (`earlier_rows.py`). Finished runs stay in .scoreboard
(`finished_runs.py`), so the same command goes on where it was.

Exit code 1 where the mean GOSPA got significantly worse than in docs/scoreboard.json (`regression.py`), or a scenario of the
library fails that did not: then both files stay as they are unless `--accept`. Peers live in an environment of their own:

    python -m venv .peers && .peers/bin/pip install -r benchmarks/peers.txt
    python benchmarks/scoreboard.py --peers .peers/bin/python
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.earlier_rows import carried, kept
from benchmarks.finished_runs import FinishedRuns, key_of
from benchmarks.regression import Change, blocks_of, change
from benchmarks.scenario_generator import KINDS, generate
from benchmarks.scoreboard_library import contents, library_rows, newly_failing, told_library
from benchmarks.scoreboard_page import Coverage, page
from benchmarks.scoreboard_plan import ROOT, VERSIONS, Plan, measured_now
from fusion.gospa import gospa
from fusion.kernels import can_compile
from fusion.scoring import Scorer
from sarhad.scores import scenario_frames

PAGE, FIGURES = ROOT / "docs" / "scoreboard.md", ROOT / "docs" / "scoreboard.json"
DATA = Path(os.environ.get("SARHAD_TRACKING_DATA", ROOT.parent / "shared" / "data" / "tracking"))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
OURS, COMPILED, KNOWN = "ours", "ours, compiled", "known association"
PEERS = {
    "filterpy": ("filterpy_peer.py", ()),
    "Stone Soup GNN": ("stonesoup_peer.py", ("gnn",)),
    "Stone Soup JPDA-LBP": ("stonesoup_peer.py", ("lbp",)),
}
ACCURACY = (
    *("fuse_n5", "fuse_n20", "fuse_n20_clutter_half", "fuse_n20_clutter_twice", "fuse_n100", "pd_n20", "clutter_n20"),
    *("crossings_n20", "swarm_n40", "swarms_n40", "delays_n20", "delays_n20_twin", "bias_n20", "bias_n20_twin"),
    *("dropouts_n20", "spoof_n20", "no_radar_n5", "no_radar_n20", "everything_n20"),
)
SPEED = ("fuse_n20", "fuse_n100", "scale_n100", "scale_n500", "scale_n1000", "scale_n2000", "scale_n5000", "crowd_n550")
NOT_FOR_KNOWN = ("scale", "crowd")
QUICK = (
    *("fuse_n5", "fuse_n20", "crossings_n20", "swarm_n40", "pd_n20", "clutter_n20", "delays_n20"),
    *("bias_n20", "bias_n20_twin", "spoof_n20", "no_radar_n5"),
)
QUICK_WITH_PEERS = ("fuse_n5", "fuse_n20", "crossings_n20")
QUICK_LIMIT_S, QUICK_PLANE_RUNS = 20.0, 4
SCORERS = (
    *(ROOT / "fusion" / f"{name}.py" for name in ("assignment", "gospa", "hota", "honesty", "scoring", "timeliness")),
    *(ROOT / "sarhad" / "scores.py", ROOT / "benchmarks" / "scoreboard.py", ROOT / "benchmarks" / "regression.py"),
)
OUR_CODE = (
    *(ROOT / "fusion", ROOT / "edge" / "tracking_scenarios.py", ROOT / "sarhad" / "commands" / "track.py"),
    ROOT / "benchmarks" / "our_run.py",
)


def main() -> int:
    arguments = parse_arguments()
    plan = plan_of(arguments)
    with tempfile.TemporaryDirectory(prefix="sarhad-scoreboard-") as folder:
        rows = list(run_all(plan, Path(folder)))
    before = json.loads(FIGURES.read_text()) if FIGURES.is_file() else {"rows": []}
    found = change(blocks(rows), blocks(before["rows"]))
    fallen = newly_failing(rows, before["rows"])
    print(verdict(found), *(f"WORSE: {name} was as expected, and is not" for name in fallen), sep="\n")
    is_worse = bool(fallen) or (found is not None and found.is_worse)
    rows += carried(rows, before["rows"], contents())
    text = page(rows, found, plan.coverage)
    if arguments.no_write:
        print(text)
    elif not is_worse or arguments.accept:
        PAGE.write_text(text)
        FIGURES.write_text(json.dumps({"rows": list(kept(rows))}, separators=(",", ":")) + "\n")
    return 1 if is_worse and not arguments.accept else 0


def plan_of(arguments: argparse.Namespace) -> Plan:
    quick = arguments.quick
    kinds = tuple(arguments.kind or (QUICK if quick else dict.fromkeys((*ACCURACY, *SPEED))))
    return Plan(
        kinds=kinds,
        seeds=tuple(range(1, (1 if quick else arguments.seeds) + 1)),
        plane_runs=QUICK_PLANE_RUNS if quick else arguments.plane_runs,
        consistency_seeds=0 if quick else arguments.consistency_seeds,
        limit_s=QUICK_LIMIT_S if quick else arguments.limit,
        peers_python=arguments.peers,
        with_peers=QUICK_WITH_PEERS if quick else kinds,
        is_quick=quick,
        until_s=time.monotonic() + 60.0 * arguments.minutes,
        finished=FinishedRuns(arguments.finished),
        library=arguments.library,
        coverage=Coverage(quick, QUICK_LIMIT_S if quick else arguments.limit, commit()),
    )


def commit() -> str | None:
    """The last one that touched our tracker, with a mark where it was changed since; None without git."""
    places = [str(path) for path in OUR_CODE]
    try:
        last = subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%h", "--", *places],
            capture_output=True,
            text=True,
            check=False,
        )
        same = subprocess.run(["git", "-C", str(ROOT), "diff", "--quiet", "HEAD", "--", *places], check=False)
    except OSError:
        return None
    name = last.stdout.strip()
    return f"{name}, changed since" if name and same.returncode else name or None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=own_python(), help="python of the peers' environment; else this one's")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only these kinds")
    parser.add_argument("--seeds", type=int, default=2, help="of each kind")
    parser.add_argument("--plane-runs", type=int, default=40, help="of the close encounter in the plane")
    parser.add_argument("--consistency-seeds", type=int, default=20, help="of fuse_n5, for NEES and NIS")
    parser.add_argument("--limit", type=float, default=60.0, help="processor seconds of a peer on one scenario")
    parser.add_argument(
        "--quick", action="store_true", help="fewer kinds, one seed, peers on three kinds, short scenarios"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start nothing more after so long")
    parser.add_argument("--library", type=Path, help="what sarhad scenarios --json told; left out: it is played here")
    parser.add_argument("--finished", type=Path, default=ROOT / ".scoreboard", help="folder of finished runs")
    parser.add_argument("--accept", action="store_true", help="write the new figures even where they are worse")
    parser.add_argument("--no-write", action="store_true", help="print the page, leave the files")
    return parser.parse_args()


def own_python() -> str | None:
    """This interpreter, where Stone Soup is installed beside us."""
    from importlib.util import find_spec

    return sys.executable if find_spec("stonesoup") else None


def run_all(plan: Plan, folder: Path) -> Iterator[dict[str, Any]]:
    """One row a scenario and tracker, ours first: where time is short, it is the peers that are left out."""
    for kind, directory in generated(plan, folder):
        trackers = [OURS, COMPILED] if kind in SPEED and can_compile() else [OURS]
        yield from rows_of(directory, kind, trackers if kind.startswith(NOT_FOR_KNOWN) else [*trackers, KNOWN], plan)
    for run in range(plan.plane_runs):
        yield from rows_of(generate("close_2d", 1000 + run, folder), "close_2d", [OURS, KNOWN], plan)
    for seed in range(plan.consistency_seeds):
        yield from rows_of(generate("fuse_n5", 2000 + seed, folder), "consistency", [OURS], plan)
    if DATA.is_dir() and not plan.is_quick:
        for directory in sorted(
            path for path in DATA.iterdir() if path.name.startswith(("fuse", "oosm", "bias", "meet"))
        ):
            yield from rows_of(directory, "data", [OURS, KNOWN] if tells_origins(directory) else [OURS], plan)
    if "scale_n1000" in plan.kinds:
        yield from memory_rows(folder, plan)
    yield from told_library(plan.library, plan) if plan.library else library_rows(plan)
    if plan.peers_python is not None:
        for kind, directory in generated(plan, folder):
            if kind in plan.with_peers and directory.name.endswith(f"_s{plan.seeds[0]}"):
                yield from rows_of(directory, kind, peers_for(kind), plan)


def generated(plan: Plan, folder: Path) -> Iterator[tuple[str, Path]]:
    """Kinds with their scenarios; what has been written once is not written again."""
    for kind in plan.kinds:
        for seed in plan.seeds if not kind.startswith(NOT_FOR_KNOWN) else plan.seeds[:1]:
            made = folder / f"{kind}_s{seed}"
            yield kind, made if made.is_dir() else generate(kind, seed, folder)


def peers_for(kind: str) -> list[str]:
    if kind.startswith("crowd"):
        return []
    return ["filterpy", "Stone Soup GNN"] if kind.startswith("scale") else list(PEERS)


def tells_origins(directory: Path) -> bool:
    """Whether a scenario's truth tells which detection is whose."""
    with np.load(directory / "truth.npz") as truth:
        return "origin" in truth.files


def rows_of(directory: Path, kind: str, trackers: Sequence[str], plan: Plan) -> Iterator[dict[str, Any]]:
    for tracker in trackers:
        yield from scored(directory, kind, tracker, plan)


def scored(directory: Path, kind: str, tracker: str, plan: Plan) -> Iterator[dict[str, Any]]:
    """The row of one tracker on one scenario: as it was measured before, or run and scored; none where time is up."""
    content = key_of(*(directory / name for name in ("scenario.json", "measurements.jsonl.gz", "truth.npz")))
    key = key_of(content, version_of(tracker, plan.peers_python, plan.limit_s))
    name = f"{directory.name}: {tracker}"
    row = plan.finished.get(key)
    if row is None and time.monotonic() > plan.until_s:
        plan.coverage.left_out.append(name)
        return
    print(name, "" if row is None else "(finished before)", file=sys.stderr, flush=True)
    if row is None:
        row = measured(directory, tracker, plan)
        if "failed" not in row:
            plan.finished.put(key, row)
    scenario = (
        f"shared {directory.name}" if kind == "data" else directory.name
    )  # a generated one may have the same name
    yield {"scenario": scenario, "kind": kind, "tracker": tracker, "content": content[:12]} | row


def measured(directory: Path, tracker: str, plan: Plan) -> dict[str, Any]:
    """Run one tracker on one scenario and score it. Where it did not get through, the row says so and has no score."""
    out = directory / f"{tracker.replace(' ', '-')}.jsonl"
    try:
        figures = run_one(directory, tracker, out, plan)
    except RuntimeError as error:
        return {"failed": str(error)} | measured_now(plan)
    row: dict[str, Any] = {"figures": figures} | measured_now(plan)
    if figures.get("is_whole", True):
        row |= score_of(directory, out, with_blocks=tracker == OURS)
    return row


@cache
def version_of(tracker: str, peers_python: str | None, limit_s: float) -> str:
    """What a tracker's figures depend on, beside the scenario."""
    if tracker == COMPILED:
        return key_of(tracker, importlib.metadata.version("numba"), *VERSIONS, *OUR_CODE, *SCORERS)
    if tracker not in PEERS:
        return key_of(tracker, *VERSIONS, *OUR_CODE, *SCORERS)
    names = ("stonesoup", "filterpy", "numpy", "scipy")
    ask = f"import importlib.metadata as m, sys; print(sys.version, *map(m.version, {names}))"
    asked = subprocess.run([str(peers_python), "-c", ask], capture_output=True, text=True, check=False)
    script = ROOT / "benchmarks" / PEERS[tracker][0]
    return key_of(tracker, *VERSIONS, asked.stdout, str(limit_s), script, ROOT / "benchmarks" / "peer_run.py", *SCORERS)


def run_one(directory: Path, tracker: str, out: Path, plan: Plan) -> dict[str, Any]:
    """Raises RuntimeError with the last line of what the tracker said."""
    script, extra = PEERS.get(tracker, ("our_run.py", ()))
    python = plan.peers_python if tracker in PEERS else sys.executable
    command = [str(python), str(ROOT / "benchmarks" / script), str(directory), str(out), *extra]
    if tracker in PEERS:
        command.append(str(plan.limit_s))
    elif tracker != OURS:
        command.append("--known-association" if tracker == KNOWN else "--compiled")
    return told_by(command)


def told_by(command: Sequence[str]) -> dict[str, Any]:
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def memory_rows(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """Bytes a track at N 1000, in a run of its own: watching memory costs time."""
    if time.monotonic() > plan.until_s:
        plan.coverage.left_out.append("scale_n1000: memory a track")
        return
    directory = generate("scale_n1000", 1, folder)
    script = str(ROOT / "benchmarks" / "our_run.py")
    figures = told_by([sys.executable, script, str(directory), str(directory / "memory.jsonl"), "--memory"])
    del figures["cumulative_cpu_s"]
    yield {"scenario": directory.name, "kind": "memory", "tracker": OURS, "figures": figures} | measured_now(plan)


def score_of(directory: Path, out: Path, with_blocks: bool) -> dict[str, Any]:
    meta = json.loads((directory / "scenario.json").read_text())
    c, dims = float(meta["gospa"]["c"]), 2 if any(s["type"] == "pos2d" for s in meta["sensors"]) else 3
    scorer, squared = Scorer(c, 2.0, dims), []
    for frame in scenario_frames(directory, out):
        scorer.add(frame)
        squared.append(gospa(frame.truth[:, :dims], frame.tracks[:, :dims], c).total)
    score = scorer.score()
    honest = score.nees_by_identity
    row = {
        "gospa": score.rms_gospa,
        "missed": score.n_missed,
        "false": score.n_false,
        "switches": score.id_switches,
        "switches_a_minute": score.idsw_per_truth_min,
        "idf1": score.idf1,
        "hota": score.hota,
        "nees": None if honest is None else honest.per_dim,
        "false_tracks_an_hour": score.false_tracks_per_h.rate,
    }
    return row | ({"blocks": np.round(blocks_of(squared), 3).tolist()} if with_blocks else {})


def blocks(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    return {row["scenario"]: row["blocks"] for row in rows if row["tracker"] == OURS and "blocks" in row}


def verdict(found: Change | None) -> str:
    if found is None:
        return "nothing to compare with"
    word = "WORSE" if found.is_worse else "not significantly worse"
    return (
        f"{word} than the last scoreboard: GOSPA {found.ratio:.4f} times "
        f"({found.low:.4f} to {found.high:.4f}) over {found.scenarios} scenarios"
    )


if __name__ == "__main__":
    sys.exit(main())
