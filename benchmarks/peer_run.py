"""A peer's tracker on one tracking scenario, fed, timed and read out like ours.

    measurements.jsonl.gz ── in order of arrival ──▶ peer.apply ──▶ peer.tracks_at(score time) ──▶ OUT.jsonl

Needs nothing of this project, so that a peer can live in an environment of its own. A message older than the newest one is
left out: neither peer has a way to go back. Processor time counts `apply` alone.
"""

from __future__ import annotations

import gc
import gzip
import json
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

BIG = ("radar", "pos3d", "pos2d")


class Peer(Protocol):
    """A tracker of one of the peers."""

    def apply(self, time_s: float, sensor: dict[str, Any], detections: list[list[Any]]) -> None: ...

    def tracks_at(self, time_s: float) -> list[dict[str, Any]]: ...


def scenario_of(directory: Path) -> dict[str, Any]:
    scenario: dict[str, Any] = json.loads((directory / "scenario.json").read_text())
    return scenario


def run_peer(peer: Peer, directory: Path, out: Path, limit_s: float) -> dict[str, Any]:
    """Write the peer's tracks; returns its figures. Stops after `limit_s` of processor time, and says so."""
    scenario = scenario_of(directory)
    sensors = {sensor["id"]: sensor for sensor in scenario["sensors"]}
    waiting = list(scenario["score_times"])
    with gzip.open(directory / "measurements.jsonl.gz", "rt") as lines:
        messages = [json.loads(line) for line in lines]
    gc.freeze()  # they stay: the collector need not go through them again and again
    newest_s, used_s, done, big_ms = -np.inf, 0.0, 0, []
    with out.open("w") as file:
        for message in messages:
            while waiting and message["ta"] > waiting[0]:
                file.write(line_at(peer, waiting.pop(0)))
            if used_s > limit_s:
                break
            done += 1
            if message["t"] < newest_s:
                continue
            newest_s, sensor = message["t"], sensors[message["s"]]
            began_s = time.process_time()
            peer.apply(newest_s, sensor, message["d"])
            took_s = time.process_time() - began_s
            used_s += took_s
            if sensor["type"] in BIG:
                big_ms.append(1e3 * took_s)
        for time_s in waiting if done == len(messages) else ():
            file.write(line_at(peer, time_s))
    return {
        "messages": done,
        "is_whole": done == len(messages),
        "cpu_s": used_s,
        "big_ms": {str(q): float(np.percentile(big_ms, q)) for q in (50, 99)} if big_ms else None,
    }


def line_at(peer: Peer, time_s: float) -> str:
    return json.dumps({"t": time_s, "tracks": peer.tracks_at(time_s)}) + "\n"


def entry_of(number: Any, x: np.ndarray, P: np.ndarray) -> dict[str, Any]:
    """A track as `sarhad score` reads it, from a state e, n, u, ve, vn, vu."""
    return {"id": number, "x": x[:3].round(3).tolist(), "v": x[3:].round(3).tolist(), "P": P.round(4).tolist()}
