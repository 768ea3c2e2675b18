"""`sarhad track SCENARIO_DIR --out tracks.jsonl`: the fusion alone, on a tracking scenario."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge.tracking_scenarios import Message, TrackingScenario
    from fusion.tracker import Tracker
    from fusion.types import Update

    Watch = Callable[[Message, list[Update], float], None]

BELIEVED = 0.5  # existence above which naming a track costs less than leaving it out
SEEN_WITHIN_NS = (
    5_000_000_000  # of what nobody has seen for longer, a sensor being silent, the number is kept and no place told
)


@click.command(name="track")
@click.argument("scenario_dir", type=click.Path(path_type=Path))
@click.option("--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSON lines.")
@click.option("--known-association", is_flag=True, help="Take who is who from truth.npz: the bound of any association.")
@click.option("--compiled", is_flag=True, help="By numba: quicker, the same tracks but for their last digits.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the run as JSON.")
def command(scenario_dir: Path, out_path: Path, known_association: bool, compiled: bool, as_json: bool) -> None:
    """Run the tracker on SCENARIO_DIR and write its tracks at every score time.

    Cooperative reports act as measurements here, since they are the only sensor of some objects. Each line holds what the
    messages that had arrived by then tell, predicted to that time.
    """
    from edge.tracking_scenarios import ScenarioError, read_scenario
    from fusion.kernels import can_compile

    if compiled and not can_compile():
        click.echo("sarhad track: --compiled needs numba, which is not installed: pip install 'sarhad[fast]'", err=True)
        sys.exit(2)
    try:
        scenario = read_scenario(scenario_dir)
        scenario = replace(scenario, settings=replace(scenario.settings, compiled=compiled))
        figures = run(scenario, out_path, known_association)
    except ScenarioError as error:
        click.echo(f"sarhad track: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"sarhad track: {out_path}: {error.strerror}; expected a file that can be written", err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps(figures))
    else:
        click.echo(
            f"{figures['messages']} messages, {figures['detections']} detections in {figures['cpu_s']:.2f} s of processor time"
            f" ({figures['detections_per_s']:.0f} a second), {figures['too_old']} too old → {out_path}"
        )


def run(
    scenario: TrackingScenario, out_path: Path, known_association: bool, watch: Watch | None = None
) -> dict[str, Any]:
    """Track a whole scenario into a file; returns the figures of the run. Raises ScenarioError, OSError.

    `watch` is told every message, what it changed, and the processor time that took.
    """
    from edge.tracking_scenarios import to_ns
    from fusion.tracker import Tracker

    origins = scenario.origins() if known_association else None
    tracker = Tracker(
        scenario.sensors,
        scenario.settings,
        scenario.frame,
        objects=scenario.objects,
        claims_as_measurements=True,
        origins=None if origins is None else lambda sensor_id, time_ns: origins[sensor_id, time_ns],
    )
    arrived = list(scenario.messages())
    gc.freeze()  # they stay: the collector need not go through them again and again
    detections = too_old = rewound = 0
    started_s = time.process_time()
    with out_path.open("w") as out:
        times_s = list(scenario.score_times_s)
        for message in arrived:
            while times_s and message.arrived_s > times_s[0]:
                out.write(line_at(tracker, times_s.pop(0)))
            began_s = time.process_time() if watch is not None else 0.0
            updates = [tracker.apply(fact, to_ns(message.arrived_s)) for fact in message.facts]
            if watch is not None:
                watch(message, updates, time.process_time() - began_s)
            too_old += sum(update.too_old for update in updates)
            rewound += sum(update.rewound for update in updates)
            detections += sum(len(getattr(fact, "detections", (fact,))) for fact in message.facts)
        for time_s in times_s:
            out.write(line_at(tracker, time_s))
    cpu_s = time.process_time() - started_s
    return {
        "scenario": scenario.name,
        "messages": len(arrived),
        "detections": detections,
        "too_old": too_old,
        "rewound": rewound,
        "cpu_s": round(cpu_s, 3),
        "detections_per_s": round(detections / max(cpu_s, 1e-9), 1),
    }


def line_at(tracker: Tracker, time_s: float) -> str:
    """What is believed at a time, as one line; tracks of which only the direction is known have no position to write."""
    import msgspec
    import numpy as np

    time_ns = round(time_s * 1e9)
    told = [
        track
        for track in tracker.tracks_at(time_ns)
        if track.direction is None
        and track.existence_probability >= BELIEVED
        and time_ns - track.last_detection_ns <= SEEN_WITHIN_NS
    ]
    states = np.round(np.array([track.state for track in told]), 3).tolist()
    covariances = np.round(np.array([track.covariance for track in told]), 4).tolist()
    tracks = [
        {
            "id": track.track_number,
            "x": state[:3],
            "v": state[3:],
            "cls": "bird" if max(track.classes, key=lambda entry: entry[1])[0] == "bird" else "drone",
            "P": covariance,
        }
        for track, state, covariance in zip(told, states, covariances, strict=True)
    ]
    return msgspec.json.encode({"t": time_s, "tracks": tracks}).decode() + "\n"
