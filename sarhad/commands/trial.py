"""`sarhad trial import` makes truth of a test flight's log; `sarhad trial report` tells what flights say of the post.

flight.gpx ── import, with IN.mcap ──▶ FLIGHT.truth.jsonl ── report, with IN.mcap or tracks ──▶ a page and a JSON file
"""

from __future__ import annotations

import json
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from fusion.types import Geodetic
    from sarhad.conditions import Conditions
    from sarhad.flight_log import Alignment, Flight, Sightings
    from sarhad.recorded_facts import RecordedFacts


@click.group(name="trial")
def command() -> None:
    """Turn test flights into truth that recordings are scored against, and into a report on the post."""


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
@click.option("--light", type=click.Choice(["day", "dusk", "night"]), help="Left out: by the sun at the log's middle.")
@click.option("--weather", type=click.Choice(["dry", "rain", "fog"]), help="Left out: unknown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def import_log(
    log: Path,
    recording: Path,
    out: Path,
    object_id: str,
    height_offset_m: float,
    clock_offset_s: float | None,
    search_s: float,
    light: str | None,
    weather: str | None,
    as_json: bool,
) -> None:
    """Write LOG, a GPX, CSV or PX4 (.ulg) file of a test drone, as truth for RECORDING, in the format `sarhad score` reads.

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
            alignment = align(flight, sightings_of(found), search_s)
            if alignment is None:
                refuse(
                    f"{log}: no clock offset within {search_s:g} s puts far more detections on the flight than others; "
                    "expected a log of this time, a shorter --search-s where it flew the same way again, or --clock-offset-s",
                    1,
                )
            clock_offset_s = alignment.offset_s
        conditions = conditions_of(flight, found.site.origin, clock_offset_s, light, weather)
        out.write_text("".join(truth_lines(flight, found.site.origin, clock_offset_s, object_id, conditions)))
    except (WrongFlightLog, SiteFileError) as error:
        refuse(str(error), 2)
    except (WrongFile, RecordingDamaged) as error:
        refuse(f"{recording}: {error}", 2)
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{getattr(error, 'filename', None) or log}: {error}; expected a readable log and recording", 2)
    told(out, len(flight.times_s), clock_offset_s, alignment, as_json)


def conditions_of(
    flight: Flight, place: Geodetic, offset_s: float, light: str | None, weather: str | None
) -> Conditions:
    """As given; light left out is told by the sun at the middle of the flight."""
    from sarhad.conditions import UNKNOWN, Conditions, light_at

    middle_s = float(flight.times_s[0] + flight.times_s[-1]) / 2.0 + offset_s
    return Conditions(light or light_at(middle_s, place.latitude_deg, place.longitude_deg), weather or UNKNOWN)


def sightings_of(found: RecordedFacts) -> Sightings:
    """All detections that tell a position or a full direction."""
    import numpy as np

    from fusion.types import Scan
    from sarhad.flight_log import Sightings
    from sarhad.recorded_facts import points_of, rays_of

    sensors = {entry.sensor.sensor_id: entry.sensor for entry in found.site.sensors}
    times_s, points, along = [np.zeros(0)], [np.zeros((0, 3))], [np.zeros((0, 3))]
    for _, fact in found.facts:
        if isinstance(fact, Scan) and fact.sensor_id in sensors:
            sensor = sensors[fact.sensor_id]
            placed, rays = points_of(fact, sensor), rays_of(fact)
            points += [placed, np.tile(sensor.position_enu_m, (len(rays), 1))]
            along += [np.zeros_like(placed), rays]
            times_s.append(np.full(len(placed) + len(rays), fact.time_ns / 1e9))
    return Sightings(np.concatenate(times_s), np.concatenate(points), np.concatenate(along))


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


@command.command(name="report")
@click.argument("truths", metavar="TRUTH...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--recording", "recordings", multiple=True, type=click.Path(path_type=Path), help="Of each TRUTH, in order."
)
@click.option("--tracks", multiple=True, type=click.Path(path_type=Path), help="Of each TRUTH; left out: replayed.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .html file; JSON beside it."
)
@click.option(
    "--line", "line_m", default=200.0, show_default=True, type=click.FloatRange(0, min_open=True),
    help="Radius about the post to warn before, m.",
)  # fmt: skip
@click.option(
    "--c", "cutoff_m", default=50.0, show_default=True, type=click.FloatRange(0, min_open=True),
    help="A track within this is an object's, m.",
)  # fmt: skip
@click.option(
    "--bin", "bin_m", default=100.0, show_default=True, type=click.FloatRange(1.0), help="Width of a bin of range, m."
)
def report(
    truths: tuple[Path, ...],
    recordings: tuple[Path, ...],
    tracks: tuple[Path, ...],
    out: Path,
    line_m: float,
    cutoff_m: float,
    bin_m: float,
) -> None:
    """Tell on one page, and as JSON, what flights say of the post.

    TRUTH is what `sarhad trial import` or the simulator wrote. The page tells the range up to which 90 % are detected, the
    detection probability by range of each sensor, class and condition, warning, false alerts and position error, and what no
    flight covers: that is not measured.
    """
    from sarhad.running import one_thread

    one_thread()
    from edge.site_file import SiteFileError
    from evidence.recording import RecordingDamaged, WrongFile
    from sarhad.scores import ScoreError
    from sarhad.trial_page import page
    from sarhad.trial_report import Settings, read_trial, report_of

    for given, name in ((recordings, "recordings"), (tracks, "tracks")):
        if len(given) not in (0, len(truths)):
            refuse(f"{len(given)} {name} for {len(truths)} truths; expected one for each, in order", 2)
    if not recordings and not tracks:
        refuse("neither --recording nor --tracks; expected what the post recorded while the drone flew", 2)
    if out.suffix != ".html":
        refuse(f"{out}: ends with {out.suffix!r}; expected .html", 2)
    settings, trials = Settings(cutoff_m, line_m, bin_m), []
    for truth, recording, made in zip_longest(truths, recordings, tracks):
        try:
            trials.append(read_trial(truth, recording, made, settings))
        except (ScoreError, SiteFileError) as error:
            refuse(str(error), 2)
        except (WrongFile, RecordingDamaged) as error:
            refuse(f"{recording}: {error}", 2)
        except (OSError, KeyError, TypeError, ValueError) as error:
            named = getattr(error, "filename", None) or truth
            refuse(f"{named}: {error}; expected a readable truth, recording and tracks", 2)
    found = report_of(trials, settings)
    try:
        out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        out.write_text(page(found), encoding="utf-8")
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; expected a folder that can be written", 2)
    click.echo(
        f"{out}: {len(trials)} flights, {len(found['not_measured'])} things not measured; figures in .json beside it"
    )


def refuse(line: str, code: int) -> NoReturn:
    click.echo(f"sarhad trial: {line}", err=True)
    sys.exit(code)
