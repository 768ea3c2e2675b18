"""What test flights say of a post, as figures: detection by range, warning, false alerts, position error.

    FLIGHT.truth.jsonl ─┬─ IN.mcap ── scans ───────▶ detection probability by range, of each sensor
                        └─ tracks, as made or replayed ─▶ the same of the post's tracks; warning, false alerts, error

Every figure is told for one condition (light and weather), and stands beside how much material it is of. What no flight covers
is listed as not measured, never as nought. A truth of one test drone knows nothing of birds or other drones: tracks of those
count as false then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from fusion.detection_range import Chance
from fusion.error_range import PositionError, errors_by_range
from fusion.gospa import pairing
from fusion.scoring import Frame, Scorer
from fusion.timeliness import DAY_S, Sighting, rate_of, warnings
from fusion.types import Claim, Fact, Scan
from sarhad.conditions import EVERY, Conditions, conditions_in
from sarhad.detection_chances import TRACKS, chances, told_by_range, truth_of_moments
from sarhad.recorded_facts import RecordedFacts, recorded_facts
from sarhad.scores import SCORE_EVERY_NS, ScoreError, read_truth, truth_header, wire_frames

CLASSES = ("drone", "bird")  # looked for in every report
SAME_PLACE_M = 1.0
TRACKS_HANG_S = 10.0  # a track lives on from second to second; in 10 s a drone at 15 m/s flies through a bin
SIMULATED_RUN = "simulated-"  # how `sarhad simulate` names its runs


@dataclass(frozen=True, slots=True)
class Settings:
    """What a report is counted with."""

    cutoff_m: float  # a track is an object's within this
    line_m: float  # radius about the origin
    bin_m: float
    probability: float = 0.9


@dataclass(slots=True)
class Trial:
    """One flight and what was counted of it."""

    source: dict[str, Any]  # what stands behind it
    conditions: Conditions
    sensors: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)  # sensors that do not say where they looked
    chances: list[Chance] = field(default_factory=list)
    errors: list[PositionError] = field(default_factory=list)
    timelines: dict[Hashable, Sequence[Sighting]] = field(default_factory=dict)  # of drones
    false_alerts: int = 0
    seconds: float = 0.0


def read_trial(truth: Path, recording: Path | None, tracks: Path | None, settings: Settings) -> Trial:
    """Raises ScoreError, SiteFileError, WrongFile, RecordingDamaged, OSError."""
    frame, moments = read_truth(truth)
    header = truth_header(truth)
    try:
        conditions = conditions_in(header)
    except ValueError as error:
        raise ScoreError(f"{truth}: line 1: {error}") from error
    objects = {thing["object_id"]: thing["class"] for _, present in moments for thing in present}
    source = {
        "truth": truth.name,
        "truth_made_by": header.get("made_by", "unknown"),
        "conditions": conditions.words,
        "objects": sorted(objects.values()),
        "began": _utc(moments[0][0]) if moments else None,
    }
    trial = Trial(source, conditions)
    if recording is not None:
        found = recorded_facts(recording)
        away_m = float(np.linalg.norm(frame.geodetic_to_enu(found.site.origin)))
        if away_m > SAME_PLACE_M:
            raise ScoreError(
                f"{truth}: its origin lies {away_m:.0f} m from that of {recording}; expected truth of that recording"
            )
        source |= {"recording": recording.name, "site": found.site.site_id, "run": found.run_id}
        count_looks(trial, found, moments)
    if tracks is None and recording is not None:
        with tempfile.TemporaryDirectory(prefix="sarhad-trial-") as folder:
            count_tracks(trial, truth, replayed(recording, Path(folder)), settings)
        source["tracks"] = "replayed from the recording"
    elif tracks is not None:
        count_tracks(trial, truth, tracks, settings)
        source["tracks"] = tracks.name
    source["is_simulated"] = header.get("made_by") == "simulator" or source.get("run", "").startswith(SIMULATED_RUN)
    source["seconds"] = trial.seconds
    return trial


def _utc(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def replayed(recording: Path, folder: Path) -> Path:
    """The tracks that a recording gives today."""
    import asyncio

    from edge.replay import replay

    asyncio.run(replay(recording, None, None, False, None, folder))
    return folder / "tracks.jsonl"


def count_looks(trial: Trial, found: RecordedFacts, moments: Sequence[Any]) -> None:
    sensors = {entry.sensor.sensor_id: entry.sensor for entry in found.site.sensors}
    looked: dict[str, bool] = {}

    def scans(facts: Iterator[tuple[Any, Fact]]) -> Iterator[Scan]:
        for _, fact in facts:
            if isinstance(fact, Scan):
                looked[fact.sensor_id] = looked.get(fact.sensor_id, False) or bool(fact.looked)
                yield fact
            elif isinstance(fact, Claim):
                looked.setdefault(fact.sensor_id, False)

    condition = trial.conditions.words
    trial.chances += chances(scans(found.facts), sensors, truth_of_moments(moments), condition)
    trial.sensors = sorted(name for name, told in looked.items() if told)
    trial.silent = sorted(name for name, told in looked.items() if not told)


def count_tracks(trial: Trial, truth: Path, tracks: Path, settings: Settings) -> None:
    """Which objects have a track; and over the flight warnings, false alerts and errors.

    An object counts as looked for once in `TRACKS_HANG_S`: a track lives on from second to second, so counting each of them
    would make a band of a few passes as narrow as one of hundreds.
    """
    scorer, classes, frames = Scorer(settings.cutoff_m), {}, 0
    counted: set[tuple[Hashable, int]] = set()
    for frame in wire_frames(truth, tracks):
        frames += 1
        scorer.add(frame)
        classes |= dict(zip(frame.object_ids, frame.object_classes, strict=True))
        for name, chance in tracked(frame, settings.cutoff_m, trial.conditions.words):
            look = name, int(frame.time_s // TRACKS_HANG_S)
            if look not in counted:
                counted.add(look)
                trial.chances.append(chance)
    for frame, i, j in scorer.by_identity():
        if frame.object_classes[i] == "drone":
            P = frame.covariances[j]
            trial.errors.append(
                PositionError(
                    float(np.linalg.norm(frame.truth[i, :3])),
                    float(np.linalg.norm(frame.tracks[j] - frame.truth[i, :3])),
                    None if P is None else float(np.trace(P[:3, :3])),
                )
            )
    trial.timelines = {name: line for name, line in scorer.timelines.items() if classes[name] == "drone"}
    alerts = scorer.score().false_alerts_per_day
    trial.false_alerts, trial.seconds = alerts.count if alerts else 0, frames * SCORE_EVERY_NS / 1e9


def tracked(frame: Frame, cutoff_m: float, condition: str) -> Iterator[tuple[Hashable, Chance]]:
    """Every object at a moment: has it a track within the cut-off?"""
    held = set(pairing(frame.truth[:, :3], frame.tracks, cutoff_m, 2.0)[0].tolist())
    for k, (name, class_name) in enumerate(zip(frame.object_ids, frame.object_classes, strict=True)):
        range_m = float(np.linalg.norm(frame.truth[k, :3]))
        yield name, Chance(TRACKS, class_name, condition, range_m, k in held)


def report_of(trials: Sequence[Trial], settings: Settings) -> dict[str, Any]:
    """The whole report, ready for JSON."""
    return {
        "settings": asdict(settings),
        "behind": [trial.source for trial in trials],
        "detection": told_by_range((c for t in trials for c in t.chances), settings.bin_m, settings.probability),
        "warning": by_condition(trials, lambda each: warning_of(each, settings)),
        "false_alerts_per_day": by_condition(trials, alerts_of),
        "position_error": by_condition(trials, lambda each: errors_of(each, settings)),
        "not_measured": not_measured(trials),
    }


def by_condition(trials: Sequence[Trial], figure: Any) -> dict[str, Any]:
    """A figure over all flights with tracks, and over those of each condition."""
    with_tracks = [trial for trial in trials if trial.seconds > 0.0]
    if not with_tracks:
        return {}
    conditions = sorted({trial.conditions.words for trial in with_tracks})
    told = {name: figure([t for t in with_tracks if t.conditions.words == name]) for name in conditions}
    return told | ({"all": figure(with_tracks)} if len(conditions) > 1 else {})


def warning_of(trials: Sequence[Trial], settings: Settings) -> dict[str, Any]:
    timelines = {(k, name): line for k, trial in enumerate(trials) for name, line in trial.timelines.items()}
    return asdict(warnings(timelines, settings.line_m))


def alerts_of(trials: Sequence[Trial]) -> dict[str, Any]:
    seconds = sum(trial.seconds for trial in trials)
    return asdict(rate_of(sum(trial.false_alerts for trial in trials), seconds, DAY_S)) | {"seconds": seconds}


def errors_of(trials: Sequence[Trial], settings: Settings) -> list[dict[str, Any]]:
    return [asdict(each) for each in errors_by_range((e for t in trials for e in t.errors), settings.bin_m)]


def not_measured(trials: Sequence[Trial]) -> list[str]:
    """What no flight covers, a line each."""
    looks = {(c.sensor_id, c.class_name, c.condition) for trial in trials for c in trial.chances}
    conditions = {trial.conditions.words for trial in trials}
    lines = [f"every sensor, {each.words}" for each in EVERY if each.words not in conditions]
    sensors = dict.fromkeys([name for trial in trials for name in trial.sensors] + [TRACKS])
    for sensor in sensors:
        for condition in sorted(conditions):
            for class_name in CLASSES:
                if (sensor, class_name, condition) not in looks:
                    lines.append(f"{sensor}: {class_name}, {condition}")
    for name in dict.fromkeys(name for trial in trials for name in trial.silent):
        lines.append(f"{name}: detection probability, since it does not say where it looked")
    if not any(trial.sensors or trial.silent for trial in trials):
        lines.append("sensors one by one: no recording given")
    if not any(trial.seconds for trial in trials):
        lines.append("warning, false alerts, position error: no moment with tracks")
    return lines
