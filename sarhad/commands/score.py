"""`sarhad score (SCENARIO_DIR | TRUTH) TRACKS`: how good tracks are against the truth."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import click

if TYPE_CHECKING:
    from fusion.honesty import Consistency
    from fusion.scoring import Score
    from fusion.timeliness import Delays, Rate

WIRE_CUTOFF_M = 20.0


@click.command(name="score")
@click.argument("truth", type=click.Path(path_type=Path))
@click.argument("tracks", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--c", "cutoff_m", type=click.FloatRange(min=0, min_open=True), help="Cut-off, m; else the scenario's, or 20."
)
@click.option("--p", "order", type=click.FloatRange(min=1), default=2.0, show_default=True, help="Order of GOSPA.")
@click.option(
    "--truth", "which", type=click.Choice(["all", "drone"]), default="all", show_default=True, help="Objects."
)
@click.option("--dims", type=click.IntRange(2, 3), help="Dimensions of the distance; else what the scenario measures.")
@click.option(
    "--line", "line_m", type=click.FloatRange(min=0, min_open=True), help="Radius about the origin to warn before, m."
)
@click.option("--by-range", is_flag=True, help="Also how often each sensor detects, by range.")
@click.option("--recording", type=click.Path(path_type=Path), help="For --by-range of a truth file: its recording.")
@click.option("--bin", "bin_m", default=100.0, show_default=True, type=click.FloatRange(1.0), help="Width of a bin, m.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    truth: Path,
    tracks: Path,
    cutoff_m: float | None,
    order: float,
    which: str,
    dims: int | None,
    line_m: float | None,
    by_range: bool,
    recording: Path | None,
    bin_m: float,
    as_json: bool,
) -> None:
    """Score TRACKS against TRUTH.

    TRUTH is a tracking scenario's directory (TRACKS then as `sarhad track` writes them) or a truth file of the simulator
    (TRACKS then wire messages as `sarhad replay --out` writes them, scored once a second).
    """
    from fusion.detection_range import percentiles
    from sarhad.scores import ScoreError, latencies_ms, score_scenario, score_wire

    latency_ms, detection = None, None
    try:
        if by_range:
            detection = detection_of(truth, recording, bin_m)
        if truth.is_dir():
            score = score_scenario(truth, tracks, cutoff_m, order, which, dims, line_m)
        else:
            score = score_wire(truth, tracks, cutoff_m or WIRE_CUTOFF_M, order, which, dims or 3, line_m)
            latency_ms = percentiles(latencies_ms(tracks))
    except ScoreError as error:
        click.echo(f"sarhad score: {error}", err=True)
        sys.exit(2)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        click.echo(
            f"sarhad score: {' '.join(str(error).split())}; expected a readable scenario or truth file, and tracks",
            err=True,
        )
        sys.exit(2)
    if as_json:
        named = None if latency_ms is None else dict(zip(("p50", "p95", "p99"), latency_ms, strict=True))
        click.echo(json.dumps(dataclasses.asdict(score) | {"latency_ms": named, "detection": detection}))
    else:
        click.echo("\n".join([table(score, latency_ms), *map(detection_words, detection or ())]))


def detection_of(truth: Path, recording: Path | None, bin_m: float) -> list[dict[str, Any]]:
    """How often each sensor detects, by range. Raises ScoreError and what reading does."""
    from edge.site_file import SiteFileError
    from edge.tracking_scenarios import ScenarioError
    from evidence.recording import RecordingDamaged, WrongFile
    from sarhad.detection_chances import chances_of_recording, chances_of_scenario, told_by_range
    from sarhad.scores import ScoreError

    if not truth.is_dir() and recording is None:
        raise ScoreError(f"{truth}: --by-range without --recording; expected the recording of this truth")
    try:
        found = chances_of_recording(truth, recording) if recording is not None else chances_of_scenario(truth)
    except (ScenarioError, SiteFileError) as error:
        raise ScoreError(str(error)) from error
    except (WrongFile, RecordingDamaged) as error:
        raise ScoreError(f"{recording}: {error}") from error
    return told_by_range(found, bin_m)


def detection_words(line: dict[str, Any]) -> str:
    """One sensor, class and condition: its bins, each with the 95 % band of its share."""
    head = f"\n{line['sensor']}, {line['class']}, {line['condition']}: detected {line['detected']} of {line['looks']} looks"
    bins = [
        f"  {each['from_m']:>6.0f} to {each['to_m']:>6.0f} m  {each['probability']:.2f}"
        f"  ({each['low']:.2f} to {each['high']:.2f})  {each['detected']} of {each['looks']}"
        for each in line["bins"]
    ]
    return "\n".join([head, *bins])


def table(score: Score, latency_ms: tuple[float, ...] | None) -> str:
    """The figures for a person."""
    return "\n".join(f"{name:<22}{value}" for name, value in rows_of(score, latency_ms))


def rows_of(score: Score, latency_ms: tuple[float, ...] | None) -> list[tuple[str, str]]:
    """Each figure's name and value, in words."""
    return [
        ("GOSPA, RMS", f"{score.rms_gospa:.2f} m"),
        ("  localisation", f"{score.rms_loc:.2f} m"),
        ("  missed", f"{score.rms_missed:.2f} m ({score.n_missed:.2f} of {score.mean_truth:.2f} objects)"),
        ("  false", f"{score.rms_false:.2f} m ({score.n_false:.2f} tracks)"),
        ("OSPA, mean", f"{score.mean_ospa:.2f} m"),
        ("identity switches", f"{score.id_switches} ({score.idsw_per_truth_min:.3f} an object and minute)"),
        ("IDF1", f"{score.idf1:.3f}"),
        ("HOTA", "none" if score.hota is None else f"{score.hota:.3f}"),
        ("completeness", f"{score.siap_completeness:.3f}"),
        ("position error, RMS", _metres(score.pos_rmse, "m")),
        ("velocity error, RMS", _metres(score.vel_rmse, "m/s")),
        ("NEES per dimension", "none" if score.nees_per_dim is None else f"{score.nees_per_dim:.2f}"),
        ("  by identity", _consistency(score.nees_by_identity)),
        ("false tracks", _rate(score.false_tracks_per_h, "an hour")),
        ("false alerts", _rate(score.false_alerts_per_day, "a post and day")),
        ("time to track", _delays(score.time_to_track)),
        ("time to class", _delays(score.time_to_class)),
        ("warning", _delays(score.warning, "shortest")),
        (
            "latency",
            "not measured" if latency_ms is None else "p50 {:.0f}, p95 {:.0f}, p99 {:.0f} ms".format(*latency_ms),
        ),
        ("moments", str(score.steps)),
    ]


def _consistency(found: Consistency | None) -> str:
    if found is None:
        return "none"
    return f"{found.per_dim:.2f} of {found.count}, {100 * found.above_95:.1f} % above their 95 % quantile"


def _rate(found: Rate | None, unit: str) -> str:
    if found is None:
        return "not measured"
    return f"{found.count}: {found.rate:.1f} {unit} (95 % band {found.low:.1f} to {found.high:.1f})"


def _delays(found: Delays | None, extreme: str = "worst") -> str:
    if found is None:
        return "not measured"
    if found.median_s is None or found.worst_s is None:
        return f"none; never for {found.never}" if found.never else "nobody came by"
    return f"median {found.median_s:.1f} s, {extreme} {found.worst_s:.1f} s; never for {found.never}"


def _metres(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.2f} {unit}"
