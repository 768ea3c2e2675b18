"""`sarhad score (SCENARIO_DIR | TRUTH) TRACKS`: how good tracks are against the truth."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import click

if TYPE_CHECKING:
    from fusion.scoring import Score

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
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    truth: Path, tracks: Path, cutoff_m: float | None, order: float, which: str, dims: int | None, as_json: bool
) -> None:
    """Score TRACKS against TRUTH.

    TRUTH is a tracking scenario's directory (TRACKS then as `sarhad track` writes them) or a truth file of the simulator
    (TRACKS then wire messages as `sarhad replay --out` writes them, scored once a second).
    """
    from sarhad.scores import ScoreError, score_scenario, score_wire

    try:
        if truth.is_dir():
            score = score_scenario(truth, tracks, cutoff_m, order, which, dims)
        else:
            score = score_wire(truth, tracks, cutoff_m or WIRE_CUTOFF_M, order, which, dims or 3)
    except ScoreError as error:
        click.echo(f"sarhad score: {error}", err=True)
        sys.exit(2)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        click.echo(
            f"sarhad score: {' '.join(str(error).split())}; expected a readable scenario or truth file, and tracks",
            err=True,
        )
        sys.exit(2)
    click.echo(json.dumps(dataclasses.asdict(score)) if as_json else table(score))


def table(score: Score) -> str:
    """The figures for a person."""
    rows = [
        ("GOSPA, RMS", f"{score.rms_gospa:.2f} m"),
        ("  localisation", f"{score.rms_loc:.2f} m"),
        ("  missed", f"{score.rms_missed:.2f} m ({score.n_missed:.2f} of {score.mean_truth:.2f} objects)"),
        ("  false", f"{score.rms_false:.2f} m ({score.n_false:.2f} tracks)"),
        ("OSPA, mean", f"{score.mean_ospa:.2f} m"),
        ("identity switches", f"{score.id_switches} ({score.idsw_per_truth_min:.3f} an object and minute)"),
        ("IDF1", f"{score.idf1:.3f}"),
        ("completeness", f"{score.siap_completeness:.3f}"),
        ("position error, RMS", _metres(score.pos_rmse, "m")),
        ("velocity error, RMS", _metres(score.vel_rmse, "m/s")),
        ("NEES per dimension", "none" if score.nees_per_dim is None else f"{score.nees_per_dim:.2f}"),
        ("moments", str(score.steps)),
    ]
    return "\n".join(f"{name:<22}{value}" for name, value in rows)


def _metres(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:.2f} {unit}"
