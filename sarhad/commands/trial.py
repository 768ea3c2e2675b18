"""`sarhad trial import flight.gpx --recording IN.mcap --out FLIGHT.truth.jsonl`: a test flight's log as truth."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from fusion.types import FloatArray
    from sarhad.flight_log import Alignment
    from sarhad.recorded_facts import RecordedFacts


@click.group(name="trial")
def command() -> None:
    """Turn test flights into truth that recordings are scored against."""


@command.command(name="import")
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--recording", required=True, type=click.Path(path_type=Path), help="What the post recorded meanwhile.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The truth file.")
@click.option("--object", "object_id", default="test-drone", show_default=True, help="What the drone is called.")
@click.option(
    "--height-offset-m", default=0.0, show_default=True, help="Added to heights; the geoid's above sea level."
)
@click.option("--clock-offset-s", type=float, help="Added to the log's times; left out: found from the detections.")
@click.option("--search-s", default=30.0, show_default=True, type=click.FloatRange(0.5, 600.0), help="How far to look.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def import_log(
    log: Path,
    recording: Path,
    out: Path,
    object_id: str,
    height_offset_m: float,
    clock_offset_s: float | None,
    search_s: float,
    as_json: bool,
) -> None:
    """Write LOG, a GPX or CSV file of a test drone, as truth for RECORDING, in the format `sarhad score` reads.

    The log's clock is set by the recording's detections; exit code 1 where no offset stands out.
    """
    from edge.site_file import SiteFileError
    from evidence.recording import RecordingDamaged, WrongFile
    from sarhad.flight_log import WrongFlightLog, align, read_flight, truth_lines
    from sarhad.recorded_facts import recorded_facts

    if out.exists():
        refuse(f"{out}: exists already; expected a new file", 2)
    try:
        found = recorded_facts(recording)
        flight = read_flight(log, found.frame, height_offset_m)
        alignment = None
        if clock_offset_s is None:
            alignment = align(flight, *detections_of(found), search_s)
            if alignment is None:
                refuse(f"{log}: no clock offset within {search_s:g} s puts the detections on the flight; "
                       "expected a log of this recording's time, or --clock-offset-s", 1)  # fmt: skip
            clock_offset_s = alignment.offset_s
        out.write_text("".join(truth_lines(flight, found.site.origin, clock_offset_s, object_id)))
    except (WrongFlightLog, SiteFileError) as error:
        refuse(str(error), 2)
    except (WrongFile, RecordingDamaged) as error:
        refuse(f"{recording}: {error}", 2)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{getattr(error, 'filename', None) or log}: {error}; expected a readable log and recording", 2)
    told(out, len(flight.times_s), clock_offset_s, alignment, as_json)


def detections_of(found: RecordedFacts) -> tuple[FloatArray, FloatArray]:
    """Times (n,), UTC s, and places (n, 3) of all detections that tell a position."""
    import numpy as np

    from fusion.types import Scan
    from sarhad.recorded_facts import points_of

    sensors = {entry.sensor.sensor_id: entry.sensor for entry in found.site.sensors}
    times_s, points = [np.zeros(0)], [np.zeros((0, 3))]
    for _, fact in found.facts:
        if isinstance(fact, Scan) and fact.sensor_id in sensors:
            points.append(points_of(fact, sensors[fact.sensor_id]))
            times_s.append(np.full(len(points[-1]), fact.time_ns / 1e9))
    return np.concatenate(times_s), np.concatenate(points)


def told(out: Path, fixes: int, offset_s: float, alignment: Alignment | None, as_json: bool) -> None:
    if as_json:
        known = None if alignment is None else {"near": alignment.near, "next_best": alignment.next_best}
        click.echo(json.dumps({"out": str(out), "fixes": fixes, "clock_offset_s": offset_s, "alignment": known}))
        return
    why = "as given"
    if alignment is not None:
        why = (
            f"{alignment.near} detections lie within reach then, median {alignment.median_m:.1f} m, "
            f"at most {alignment.next_best} at any other offset"
        )
    click.echo(f"{out}: {fixes} fixes; clock offset {offset_s:+.2f} s ({why})")


def refuse(line: str, code: int) -> NoReturn:
    click.echo(f"sarhad trial: {line}", err=True)
    sys.exit(code)
