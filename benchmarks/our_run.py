"""Our tracker on one tracking scenario, measured.

    python benchmarks/our_run.py SCENARIO_DIR OUT.jsonl [--known-association] [--compiled]

Tells, as one JSON object: processor seconds a message, the same of the big scans alone (radar, position sensor), NIS by
sensor from what published tracks explain, and with `--memory` the bytes that the fusion holds a track at the end. Run in
a process of its own with one thread, so that figures are the tracker's.
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.tracking_scenarios import Message, read_scenario
from fusion.honesty import consistency
from fusion.types import Claim, Scan, Update
from sarhad.commands.track import run

COMPONENTS = {"radar": 4, "camera": 2, "rf_df": 1, "pos3d": 3, "pos2d": 2}
BIG = ("radar", "pos3d", "pos2d")


class Watch:
    """What the run shows while it goes on."""

    def __init__(self, types: dict[str, str], look_at: frozenset[int]) -> None:
        self._types = types
        self.cpu_s: list[float] = []
        self.big_ms: list[float] = []
        self.detections: list[int] = []
        self.nis: defaultdict[str, list[float]] = defaultdict(list)
        self.alive: set[int] = set()
        self.look_at = look_at
        self.bytes_a_track: float | None = None

    def __call__(self, message: Message, updates: list[Update], seconds: float) -> None:
        if tracemalloc.is_tracing() and message.sequence in self.look_at:
            self.bytes_a_track = fusion_bytes() / max(len(self.alive), 1)
        self.cpu_s.append(seconds)
        self.detections.append(sum(len(f.detections) if isinstance(f, Scan) else 1 for f in message.facts))
        for fact, update in zip(message.facts, updates, strict=True):
            for track in update.tracks:
                (self.alive.discard if track.status == "dropped" else self.alive.add)(track.track_number)
                self._note_nis(fact, track.explanation)
        if any(isinstance(f, Scan) and self._types[f.sensor_id] in BIG for f in message.facts):
            self.big_ms.append(1e3 * seconds)

    def _note_nis(self, fact: Any, explanation: Any) -> None:
        if explanation is None or explanation.chosen is None or isinstance(fact, Claim):
            return
        if (explanation.sensor_id, explanation.time_ns) == (fact.sensor_id, fact.time_ns):
            found = dict(explanation.considered).get(explanation.chosen)
            if found is not None:
                self.nis[fact.sensor_id].append(found)


def measured(
    directory: Path, out: Path, known_association: bool, measure_memory: bool, is_compiled: bool = False
) -> dict[str, Any]:
    scenario = read_scenario(directory)
    scenario = replace(scenario, settings=replace(scenario.settings, compiled=is_compiled))
    types = {name: entry["type"] for name, entry in scenario.types.items()}
    last = max(message.sequence for message in scenario.messages()) if measure_memory else -1
    watch = Watch(types, frozenset({last}))
    if measure_memory:
        tracemalloc.start()
    figures = run(scenario, out, known_association, watch)
    nis = {name: consistency(values, COMPONENTS[types[name]]) for name, values in watch.nis.items()}
    return figures | {
        "cumulative_cpu_s": [round(float(value), 6) for value in np.cumsum(watch.cpu_s)],
        "big_ms": {str(q): float(np.percentile(watch.big_ms, q)) for q in (50, 99)} if watch.big_ms else None,
        "nis": {name: [c.count, c.per_dim, c.above_95] for name, c in sorted(nis.items()) if c is not None},
        "tracks_at_end": len(watch.alive),
        "bytes_a_track": watch.bytes_a_track,
    }


def fusion_bytes() -> int:
    """Bytes that the fusion holds at this moment: tracks, and what it keeps for late messages."""
    taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/fusion/*")])
    return sum(entry.size for entry in taken.statistics("filename"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--known-association", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--compiled", action="store_true", help="with numba's loops")
    asked = parser.parse_args()
    figures = measured(asked.scenario, asked.out, asked.known_association, asked.memory, asked.compiled)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
