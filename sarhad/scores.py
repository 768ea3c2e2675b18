"""Scores of whole runs, read from files: the benchmark's track format, and the wire messages of a post or a replay.

A wire track counts at a score time (once a second) as its newest message that went out by then, predicted on with constant
velocity; a dropped one, one older than `STALE_S`, and one that is known as a direction only do not count as positions.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fusion.frames import LocalFrame
from fusion.messages import covariance_of
from fusion.scoring import Frame, Score, Scorer
from fusion.types import FloatArray, Geodetic
from fusion.wire import TrackMessage, TracksMessage, parse_rfc3339

STALE_S = 5.0
SCORE_EVERY_NS = 1_000_000_000
DRONES = 2  # truth.npz counts 0 multirotor and 1 fixed wing as drones, 2 as a bird


class ScoreError(Exception):
    """One line: file, field, found, expected."""


def gospa_of_run(truth_path: Path, tracks_path: Path, cutoff_m: float = 20.0, which: str = "all") -> Score:
    """Figures of wire tracks against a simulator's truth file, at 1 Hz, p 2, alpha 2. Raises ScoreError, OSError."""
    return score_wire(truth_path, tracks_path, cutoff_m, 2.0, which, 3)


def score_scenario(
    directory: Path,
    tracks_path: Path,
    c: float | None,
    p: float,
    which: str,
    dims: int | None,
    line_m: float | None = None,
) -> Score:
    """Figures of benchmark tracks against a tracking scenario. Raises ScoreError, OSError."""
    meta = _json(directory / "scenario.json")
    dims = dims or (2 if any(sensor.get("type") == "pos2d" for sensor in meta["sensors"]) else 3)
    scorer = Scorer(c or float(meta["gospa"]["c"]), p, dims, line_m)
    for frame in scenario_frames(directory, tracks_path, which):
        scorer.add(frame)
    return scorer.score()


def scenario_frames(directory: Path, tracks_path: Path, which: str = "all") -> Iterator[Frame]:
    """Truth and benchmark tracks at each score time. Raises ScoreError, OSError."""
    meta = _json(directory / "scenario.json")
    with np.load(directory / "truth.npz", allow_pickle=False) as truth:
        times, states, classes = truth["t"], truth["x"].astype(float), truth["cls"]
    tracks = {round(float(line["t"]), 3): line["tracks"] for line in _lines(tracks_path, ("t", "tracks"))}
    for time_s in meta["score_times"]:
        at = between(times, states, time_s)
        exists = np.isfinite(at[:, 0])
        entries = tracks.get(round(time_s, 3), [])
        if which == "drone":
            exists &= classes < DRONES
            entries = [entry for entry in entries if entry.get("cls") != "bird"]
        words = ["drone" if number < DRONES else "bird" for number in classes[exists]]
        yield _benchmark_frame(time_s, np.flatnonzero(exists), at[exists], words, entries)


def _benchmark_frame(
    time_s: float, objects: Any, truth: FloatArray, words: list[str], entries: list[dict[str, Any]]
) -> Frame:
    return Frame(
        time_s=time_s,
        object_ids=objects.tolist(),
        truth=truth,
        track_ids=[entry["id"] for entry in entries],
        tracks=np.array([entry["x"] for entry in entries], float).reshape(-1, 3),
        velocities=[None if entry.get("v") is None else np.array(entry["v"], float) for entry in entries],
        covariances=[None if entry.get("P") is None else np.array(entry["P"], float) for entry in entries],
        object_classes=words,
        track_classes=[entry.get("cls") for entry in entries] if any("cls" in entry for entry in entries) else (),
    )


def between(times: FloatArray, states: FloatArray, time_s: float) -> FloatArray:
    """States (n, 6) at a time, by cubic Hermite curves through positions and velocities (k, n, 6)."""
    k = int(np.clip(np.searchsorted(times, time_s + 1e-9) - 1, 0, len(times) - 1))
    j = min(k + 1, len(times) - 1)
    a, b = states[k], states[j]
    if j == k or abs(time_s - times[k]) < 1e-6:
        return np.asarray(a)
    h = times[j] - times[k]
    s = (time_s - times[k]) / h
    position = (
        (2 * s**3 - 3 * s**2 + 1) * a[:, :3]
        + (s**3 - 2 * s**2 + s) * h * a[:, 3:]
        + (-2 * s**3 + 3 * s**2) * b[:, :3]
        + (s**3 - s**2) * h * b[:, 3:]
    )
    return np.concatenate([position, a[:, 3:] * (1 - s) + b[:, 3:] * s], axis=1)


def score_wire(
    truth_path: Path, tracks_path: Path, c: float, p: float, which: str, dims: int, line_m: float | None = None
) -> Score:
    """Figures of wire tracks against a truth file of the simulator. Raises ScoreError, OSError."""
    scorer = Scorer(c, p, dims, line_m)
    for frame in wire_frames(truth_path, tracks_path, which):
        scorer.add(frame)
    return scorer.score()


def latencies_ms(tracks_path: Path) -> list[float]:
    """From when a detection was true to the arrival of the reading that told it, of every track it changed, ms."""
    return [
        (parse_rfc3339(message.as_of) - parse_rfc3339(track.time)) / 1e6
        for message in read_wire(tracks_path)
        for track in message.tracks
        if track.status != "dropped" and track.last_detection == track.time
    ]


def wire_frames(truth_path: Path, tracks_path: Path, which: str = "all") -> Iterator[Frame]:
    """Truth and wire tracks once a second. Raises ScoreError, OSError."""
    frame, moments = read_truth(truth_path)
    messages = read_wire(tracks_path)
    newest: dict[int, TrackMessage] = {}
    said = next(messages, None)
    next_ns = None
    for time_ns, objects in moments:
        next_ns = time_ns + SCORE_EVERY_NS if next_ns is None else next_ns  # the first second has no tracks yet
        while said is not None and parse_rfc3339(said.as_of) <= time_ns:
            newest.update({track.track_number: track for track in said.tracks})
            said = next(messages, None)
        if time_ns >= next_ns:
            next_ns += SCORE_EVERY_NS
            yield _wire_frame(time_ns, objects, newest, frame, which)


def untrue_frames(tracks_path: Path, frame: LocalFrame) -> Iterator[Frame]:
    """Wire tracks once a second where nobody knows the truth. Raises ScoreError, OSError."""
    newest: dict[int, TrackMessage] = {}
    next_ns = None
    for said in read_wire(tracks_path):
        as_of_ns = parse_rfc3339(said.as_of)
        next_ns = as_of_ns + SCORE_EVERY_NS if next_ns is None else next_ns
        while as_of_ns >= next_ns:
            yield _wire_frame(next_ns, [], newest, frame, "all")
            next_ns += SCORE_EVERY_NS
        newest.update({track.track_number: track for track in said.tracks})


def _wire_frame(
    time_ns: int, objects: list[dict[str, Any]], newest: dict[int, TrackMessage], frame: LocalFrame, which: str
) -> Frame:
    if which == "drone":
        objects = [entry for entry in objects if entry["class"] == "drone"]
    numbers, positions, velocities, covariances, words = [], [], [], [], []
    for number, track in sorted(newest.items()):
        age_s = (time_ns - parse_rfc3339(track.time)) / 1e9
        if track.status == "dropped" or track.direction is not None or age_s > STALE_S:
            continue
        word = max(track.classes, key=lambda name: track.classes[name]) if track.classes else None
        if which == "drone" and word == "bird":
            continue
        words.append(word)
        velocity = np.array(track.velocity_enu_m_s, float)
        point = frame.geodetic_to_enu(Geodetic(track.latitude_deg, track.longitude_deg, track.height_m))
        numbers.append(number)
        positions.append(point + velocity * age_s)
        velocities.append(velocity)
        covariances.append(covariance_of(track))
    truth = [[*entry["position_enu_m"], *entry["velocity_enu_m_s"]] for entry in objects]
    return Frame(
        time_s=time_ns / 1e9,
        object_ids=[entry["object_id"] for entry in objects],
        truth=np.array(truth, float).reshape(-1, 6),
        track_ids=numbers,
        tracks=np.array(positions, float).reshape(-1, 3),
        velocities=velocities,
        covariances=covariances,
        object_classes=[entry["class"] for entry in objects],
        track_classes=words,
    )


def read_truth(path: Path) -> tuple[LocalFrame, list[tuple[int, list[dict[str, Any]]]]]:
    """A truth file's frame and moments. Raises ScoreError, OSError."""
    lines = _lines(path, ())
    first = next(lines, None)
    try:
        if first is None:
            raise KeyError("origin")
        origin = first["origin"]
        frame = LocalFrame(Geodetic(origin["latitude_deg"], origin["longitude_deg"], origin["height_m"]))
        return frame, [(int(line["time_ns"]), line["objects"]) for line in lines]
    except (KeyError, TypeError) as error:
        raise ScoreError(f"{path}: found no {error}; expected an origin line, then time_ns and objects") from error


def truth_header(path: Path) -> dict[str, Any]:
    """A truth file's first line. Raises ScoreError, OSError."""
    return next(_lines(path, ("origin",)), {})


def read_wire(path: Path) -> Iterator[TracksMessage]:
    """The tracks messages of a file of JSON lines. Raises ScoreError, OSError."""
    decoder = msgspec.json.Decoder(TracksMessage)
    for number, line in _numbered(path):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise ScoreError(f"{path}: line {number}: {error}; expected a tracks message") from error


def _lines(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for number, line in _numbered(path):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ScoreError(f"{path}: line {number}: {error}; expected a JSON object") from error
        missing = [name for name in needed if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise ScoreError(f"{path}: line {number}: found no {missing[0]}; expected {', '.join(needed)}")
        yield entry


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers. Raises ScoreError where the file is no text, OSError."""
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise ScoreError(f"{path}: after line {number}: not a text; expected JSON lines") from error
    except (EOFError, zlib.error) as error:
        raise ScoreError(f"{path}: after line {number}: {error}; expected a whole gzip file") from error


def _open(path: Path) -> Any:
    return gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ScoreError(f"{path}: {error}; expected JSON") from error
    missing = [name for name in ("score_times", "sensors", "gospa") if name not in data]
    if missing:
        raise ScoreError(f"{path}: found no {missing[0]}; expected a tracking scenario")
    return data
