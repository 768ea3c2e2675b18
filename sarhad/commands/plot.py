"""`sarhad plot SOURCE TRACKS --out OUT.png`: truth, tracks, ellipses, detections and GOSPA over time as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from sarhad.pictures import Picture

WIRE_CUTOFF_M = 20.0
ENDINGS = (".png", ".html")


@click.command(name="plot")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("tracks", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .png or .html file.")
@click.option(
    "--truth", "truth_path", type=click.Path(path_type=Path), help="A recording's truth; else IN.truth.jsonl."
)
@click.option("--c", "cutoff_m", type=click.FloatRange(min=0, min_open=True), help="GOSPA's cut-off, m.")
def command(source: Path, tracks: Path, out: Path, truth_path: Path | None, cutoff_m: float | None) -> None:
    """Draw TRACKS over SOURCE.

    SOURCE is a tracking scenario's directory (TRACKS as `sarhad track` writes them), or a recording (TRACKS as
    `sarhad replay --out` writes them; its truth is looked for beside it, and is not needed).
    """
    from zipfile import BadZipFile

    from edge.site_file import SiteFileError
    from edge.tracking_scenarios import ScenarioError
    from evidence.recording import RecordingDamaged, WrongFile
    from sarhad.scores import ScoreError

    if out.suffix not in ENDINGS:
        refuse(f"{out}: ends with {out.suffix!r}; expected {' or '.join(ENDINGS)}")
    try:
        from sarhad.pictures import draw
    except ModuleNotFoundError as error:
        refuse(f"found no {error.name}; expected matplotlib: pip install matplotlib")
    try:
        picture = (
            of_scenario(source, tracks, cutoff_m)
            if source.is_dir()
            else of_recording(source, tracks, truth_path, cutoff_m)
        )
        draw(picture, out, figures_of(picture))
    except (ScoreError, ScenarioError, SiteFileError, WrongFile, RecordingDamaged) as error:
        refuse(f"{source}: {error}" if isinstance(error, WrongFile | RecordingDamaged) else str(error))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        refuse(f"{' '.join(str(error).split())}; expected a readable scenario or recording, and tracks of it")
    click.echo(f"{out}: {len(picture.frames)} moments, {len(picture.detections)} detections with a position")


def refuse(line: str) -> NoReturn:
    click.echo(f"sarhad plot: {line}", err=True)
    sys.exit(2)


def of_scenario(directory: Path, tracks: Path, cutoff_m: float | None) -> Picture:
    import json

    import numpy as np

    from edge.tracking_scenarios import read_scenario
    from fusion.types import Scan
    from sarhad.pictures import Picture
    from sarhad.recorded_facts import points_of
    from sarhad.scores import scenario_frames

    scenario = read_scenario(directory)
    sensors = {sensor.sensor_id: sensor for sensor in scenario.sensors}
    meta = json.loads((directory / "scenario.json").read_text())
    scans = [fact for message in scenario.messages() for fact in message.facts if isinstance(fact, Scan)]
    points = [points_of(scan, sensors[scan.sensor_id]) for scan in scans]
    return Picture(
        title=f"{scenario.name}: {meta.get('simulated', 'simulated')}",
        frames=list(scenario_frames(directory, tracks)),
        detections=np.concatenate([np.zeros((0, 3)), *points]),
        sensors=[(sensor.sensor_id, sensor.position_enu_m) for sensor in scenario.sensors],
        cutoff_m=cutoff_m or float(meta["gospa"]["c"]),
        dims=scenario.dims,
        has_truth=True,
    )


def of_recording(recording: Path, tracks: Path, truth_path: Path | None, cutoff_m: float | None) -> Picture:
    import numpy as np

    from fusion.types import Scan
    from sarhad.pictures import Picture
    from sarhad.recorded_facts import points_of, recorded_facts
    from sarhad.scores import untrue_frames, wire_frames
    from sarhad.simulating import truth_path as beside

    found = recorded_facts(recording)
    sensors = {entry.sensor.sensor_id: entry.sensor for entry in found.site.sensors}
    points = [
        points_of(fact, sensors[fact.sensor_id])
        for _, fact in found.facts
        if isinstance(fact, Scan) and fact.sensor_id in sensors
    ]
    truth = truth_path or beside(recording)
    frames = list(wire_frames(truth, tracks) if truth.is_file() else untrue_frames(tracks, found.frame))
    return Picture(
        title=f"{recording.name}: site {found.site.site_id}" + (" (simulated)" if truth.is_file() else ""),
        frames=from_zero(frames),
        detections=np.concatenate([np.zeros((0, 3)), *points]),
        sensors=[(sensor_id, sensor.position_enu_m) for sensor_id, sensor in sensors.items()],
        cutoff_m=cutoff_m or WIRE_CUTOFF_M,
        dims=3,
        has_truth=truth.is_file(),
    )


def from_zero(frames: list[Any]) -> list[Any]:
    """The same frames with times counted from the first."""
    from dataclasses import replace

    return [replace(frame, time_s=frame.time_s - frames[0].time_s) for frame in frames]


def figures_of(picture: Picture) -> list[tuple[str, str]]:
    """The score as rows of a table, where there is truth."""
    if not picture.has_truth:
        return [("GOSPA", "not measured: no truth")]
    from fusion.scoring import Scorer
    from sarhad.commands.score import rows_of

    scorer = Scorer(picture.cutoff_m, 2.0, picture.dims)
    for frame in picture.frames:
        scorer.add(frame)
    return rows_of(scorer.score(), None)
