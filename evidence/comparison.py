"""Two runs' tracks side by side: which appeared, vanished, moved, changed class.

    A ──────────────●  track 1          A's track and B's are the same object when they were at the same place at the
    B ─────────────────●  track 4       same times; numbers may differ, and so may the ends

Tracks are paired by the mean distance of their published points, nearest pairs first, up to `PAIR_M` (or `PAIR_DEG` for
tracks of which only the direction is known). Points are compared at the same time: the nearest of the other run within
`NEAR_S`, carried there with its velocity.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from fusion.frames import LocalFrame
from fusion.types import FloatArray, Geodetic
from fusion.wire import TrackMessage, TracksMessage, parse_rfc3339

NEAR_S = 0.5  # tracks are published at least every second
PAIR_M, PAIR_DEG = 50.0, 5.0  # further apart on average, two tracks are not the same object
PAIR_POINTS = 50  # of a track are looked at to pair it


class WrongLine(Exception):
    """A line that is no message of tracks; the text says where, what was found and what was expected."""


class Point(msgspec.Struct, frozen=True):
    """One published form of a track, in the comparison's ENU frame."""

    time_s: float
    enu_m: FloatArray
    velocity_m_s: FloatArray
    azimuth_deg: float | None  # given while only the direction is known


class RunTrack(msgspec.Struct, frozen=True):
    """All that a run published of one track."""

    run_id: str
    track_number: int
    points: tuple[Point, ...]  # by time
    likeliest_class: str
    was_confirmed: bool

    @property
    def seconds(self) -> tuple[float, float]:
        return self.points[0].time_s, self.points[-1].time_s


class Difference(msgspec.Struct, frozen=True):
    """One finding, with the track numbers in both runs; None where there is no such track."""

    kind: str  # "appeared", "vanished", "moved", "turned", "class", "span", "confirmed"
    track_a: int | None
    track_b: int | None
    text: str


class Comparison(msgspec.Struct, frozen=True):
    tracks_a: int
    tracks_b: int
    paired: int
    largest_distance_m: float | None  # over all pairs and times
    largest_turn_deg: float | None  # of tracks known as directions
    differences: tuple[Difference, ...]


class Tolerances(msgspec.Struct, frozen=True):
    """What still counts as equal."""

    position_m: float = 0.01  # the wire's own rounding
    azimuth_deg: float = 0.001
    span_s: float = 0.001  # of a track's first and last time


def read_messages(lines: Iterable[bytes]) -> list[TracksMessage]:
    """The messages of a `tracks.jsonl`. Raises WrongLine."""
    decoder = msgspec.json.Decoder(TracksMessage)
    messages = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                messages.append(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise WrongLine(
                    f"line {number}: {error}; expected a message of tracks as a replay writes it"
                ) from error
    return messages


def compare(
    messages_a: Sequence[TracksMessage], messages_b: Sequence[TracksMessage], tolerances: Tolerances
) -> Comparison:
    """What differs between two runs beyond the tolerances."""
    first = next((track for message in (*messages_a, *messages_b) for track in message.tracks), None)
    if first is None:
        return Comparison(0, 0, 0, None, None, ())
    frame = LocalFrame(Geodetic(first.latitude_deg, first.longitude_deg, first.height_m))
    tracks_a, tracks_b = tracks_of(messages_a, frame), tracks_of(messages_b, frame)
    pairs = paired(tracks_a, tracks_b)
    differences, distances_m, turns_deg = [], [0.0], [0.0]
    for index_a, index_b in pairs:
        found, distance_m, turn_deg = differences_of(tracks_a[index_a], tracks_b[index_b], tolerances)
        differences += found
        distances_m.append(distance_m)
        turns_deg.append(turn_deg)
    differences += unpaired(tracks_a, {index for index, _ in pairs}, "vanished")
    differences += unpaired(tracks_b, {index for _, index in pairs}, "appeared")
    return Comparison(
        len(tracks_a),
        len(tracks_b),
        len(pairs),
        max(distances_m) if pairs else None,
        max(turns_deg) if pairs else None,
        tuple(differences),
    )


def tracks_of(messages: Sequence[TracksMessage], frame: LocalFrame) -> list[RunTrack]:
    published: dict[tuple[str, int], list[TrackMessage]] = defaultdict(list)
    for message in messages:
        for track in message.tracks:
            published[message.run_id, track.track_number].append(track)
    return [run_track(run_id, number, forms, frame) for (run_id, number), forms in published.items()]


def run_track(run_id: str, number: int, forms: list[TrackMessage], frame: LocalFrame) -> RunTrack:
    at_time = {parse_rfc3339(form.time): form for form in forms}  # a later revision of the same time replaces it
    points = tuple(point_of(time_ns, at_time[time_ns], frame) for time_ns in sorted(at_time))
    classes = forms[-1].classes
    likeliest = max(classes, key=lambda name: classes[name]) if classes else "unknown"
    return RunTrack(run_id, number, points, likeliest, any(form.status == "confirmed" for form in forms))


def point_of(time_ns: int, form: TrackMessage, frame: LocalFrame) -> Point:
    enu_m = frame.geodetic_to_enu(Geodetic(form.latitude_deg, form.longitude_deg, form.height_m))
    azimuth_deg = form.direction.azimuth_deg if form.direction else None
    return Point(time_ns / 1e9, enu_m, np.array(form.velocity_enu_m_s), azimuth_deg)


def paired(tracks_a: list[RunTrack], tracks_b: list[RunTrack]) -> list[tuple[int, int]]:
    """Indexes of tracks that are the same object, nearest pairs first; of equally near ones, equal numbers first."""
    candidates = []
    for index_a, a in enumerate(tracks_a):
        for index_b, b in enumerate(tracks_b):
            if (mean := mean_distance(a, b)) is not None and mean <= 1.0:
                candidates.append((mean, a.track_number != b.track_number, index_a, index_b))
    taken_a: set[int] = set()
    pairs: dict[int, int] = {}
    for _, _, index_a, index_b in sorted(candidates):
        if index_a not in taken_a and index_b not in pairs:
            taken_a.add(index_a)
            pairs[index_b] = index_a
    return sorted((index_a, index_b) for index_b, index_a in pairs.items())


def mean_distance(a: RunTrack, b: RunTrack) -> float | None:
    """Mean distance at common times in units of what still counts as the same object; None without common times."""
    if a.points[0].time_s > b.points[-1].time_s + NEAR_S or b.points[0].time_s > a.points[-1].time_s + NEAR_S:
        return None
    sampled = a.points[:: max(1, len(a.points) // PAIR_POINTS)]
    distances = [distance / PAIR_M if is_m else distance / PAIR_DEG for distance, is_m in apart(sampled, b, NEAR_S)]
    return sum(distances) / len(distances) if distances else None


def apart(points: Sequence[Point], b: RunTrack, slack_s: float) -> list[tuple[float, bool]]:
    """For each point with one of b at its time: how far apart in metres, or in degrees and False.

    `slack_s`: how far beyond its ends b is still carried on; a forecast is no published point, so 0 where it is judged.
    """
    times_s = [point.time_s for point in b.points]
    found = []
    for point in points:
        index = bisect.bisect_left(times_s, point.time_s)
        near = min(b.points[max(0, index - 1) : index + 1], key=lambda other: abs(other.time_s - point.time_s))
        wait_s = point.time_s - near.time_s
        beyond_s = max(times_s[0] - point.time_s, point.time_s - times_s[-1])
        if abs(wait_s) > NEAR_S or beyond_s > slack_s:
            continue
        if point.azimuth_deg is not None and near.azimuth_deg is not None:
            found.append((abs(math.remainder(point.azimuth_deg - near.azimuth_deg, 360.0)), False))
        else:
            found.append((float(np.linalg.norm(near.enu_m + wait_s * near.velocity_m_s - point.enu_m)), True))
    return found


def differences_of(a: RunTrack, b: RunTrack, tolerances: Tolerances) -> tuple[list[Difference], float, float]:
    """The findings on one pair, the largest distance in metres and the largest turn in degrees."""
    distances = apart(a.points, b, 0.0)
    distance_m = max((value for value, is_m in distances if is_m), default=0.0)
    turn_deg = max((value for value, is_m in distances if not is_m), default=0.0)
    texts = []
    if distance_m > tolerances.position_m:
        texts.append(("moved", f"up to {distance_m:.3f} m apart, {tolerances.position_m:g} m allowed"))
    if turn_deg > tolerances.azimuth_deg:
        texts.append(("turned", f"up to {turn_deg:.4f}° apart, {tolerances.azimuth_deg:g}° allowed"))
    if a.likeliest_class != b.likeliest_class:
        texts.append(("class", f"likeliest class is {b.likeliest_class}, was {a.likeliest_class}"))
    if a.was_confirmed != b.was_confirmed:
        texts.append(("confirmed", "confirmed only in B" if b.was_confirmed else "confirmed only in A"))
    for end, time_a_s, time_b_s in zip(("begins", "ends"), a.seconds, b.seconds, strict=True):
        if abs(time_b_s - time_a_s) > tolerances.span_s:
            word = "later" if time_b_s > time_a_s else "earlier"
            texts.append(("span", f"{end} {abs(time_b_s - time_a_s):.3f} s {word} in B"))
    return [Difference(kind, a.track_number, b.track_number, text) for kind, text in texts], distance_m, turn_deg


def unpaired(tracks: list[RunTrack], taken: set[int], kind: str) -> list[Difference]:
    found = []
    for index, track in enumerate(tracks):
        if index not in taken:
            start_s, end_s = track.seconds
            state = "confirmed" if track.was_confirmed else "never confirmed"
            text = f"{state}, {track.likeliest_class}, lasted {end_s - start_s:.1f} s"
            number_a = track.track_number if kind == "vanished" else None
            number_b = track.track_number if kind == "appeared" else None
            found.append(Difference(kind, number_a, number_b, text))
    return found
