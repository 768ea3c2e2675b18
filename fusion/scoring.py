"""How good a run's tracks are against the truth: the figures of all its moments together.

    GOSPA and OSPA         gospa.py          distance of the sets, with localisation, missed and false apart
    switches, fragments    here              as in CLEAR MOT, on a pairing that keeps, at equal cost, who followed whom before
    HOTA, IDF1             hota.py, here     `idf1` on that same pairing, `idf1_global` as TrackEval counts it
    NEES = eᵀ P⁻¹ e        honesty.py, here  by identity without a gate; and, paired by GOSPA, of tracks sure enough for it
    times and rates        timeliness.py     first track, right class, warning before a line; false tracks and alerts

Sources: Bernardin, Stiefelhagen (2008) for CLEAR MOT; Ristani et al. (2016) for IDF1; Votruba et al. (2001) for completeness,
ambiguity, spuriousness; Bar-Shalom, Li, Kirubarajan (2001), section 5.4 for NEES and NIS.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.special import gammaincinv

from fusion.gospa import Gospa, gospa, ospa, pairing
from fusion.honesty import Consistency, consistency, normalised_squares
from fusion.hota import Moment, hota, idf1, numbered, similarity
from fusion.timeliness import DAY_S, HOUR_S, Delays, Rate, Sighting, delays, rate_of, warnings
from fusion.types import FloatArray

SURE_SHARE = (
    0.3  # NEES counts only tracks surer than this share of c: pairing within c would cut off honest larger errors
)
SEGMENT_GAP_S = 1.5  # a longer gap between score times ends a segment


@dataclass(frozen=True, slots=True)
class Frame:
    """Truth and tracks at one moment; arrays by row: states (n, 6) or positions (n, dims) first."""

    time_s: float
    object_ids: Sequence[Hashable]
    truth: FloatArray  # (n, 6)
    track_ids: Sequence[Hashable]
    tracks: FloatArray  # (m, 3)
    velocities: Sequence[FloatArray | None]  # of the tracks
    covariances: Sequence[FloatArray | None]  # of the tracks, position first
    object_classes: Sequence[str] = ()  # "drone", "bird", ...; empty where nobody knows
    track_classes: Sequence[str | None] = ()  # as called; empty where nothing is called


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of a whole run; metres, counts a moment, shares."""

    steps: int
    rms_gospa: float
    mean_gospa: float
    rms_loc: float
    rms_missed: float
    rms_false: float
    n_missed: float
    n_false: float
    mean_truth: float
    mean_ospa: float
    id_switches: int
    fragments: int
    idsw_per_truth_min: float
    idf1: float
    siap_completeness: float
    siap_ambiguity: float
    siap_spurious: float
    siap_longest_segment: float
    pos_rmse: float | None
    vel_rmse: float | None
    nees_per_dim: float | None
    hota: float | None
    hota_detection: float | None
    hota_association: float | None
    idf1_global: float | None  # as TrackEval counts it: all moments nearer than c, one track an object
    nees_by_identity: Consistency | None
    false_tracks_per_h: Rate  # tracks that at no moment had an object
    false_alerts_per_day: (
        Rate | None
    )  # of one post: tracks once called a drone that never had one; None without classes
    time_to_track: Delays
    time_to_class: Delays | None
    warning: Delays | None  # before the line, where one is given


def normalised_squared(error: FloatArray, covariance: FloatArray) -> float:
    """NEES of an error or NIS of an innovation, shape (d,), under its covariance (d, d); d on average when honest."""
    return float(error @ np.linalg.solve(covariance, error))


def chi_square_bounds(count: int, dims: int, probability: float = 0.95) -> tuple[float, float]:
    """Where the mean of `count` independent NEES or NIS of that many dims lies with this probability."""
    tail = (1.0 - probability) / 2.0
    low, high = (2.0 * float(gammaincinv(count * dims / 2.0, q)) for q in (tail, 1.0 - tail))
    return low / count, high / count


class Scorer:
    """Adds up frames; `score` gives the figures so far."""

    def __init__(self, c: float, p: float = 2.0, dims: int = 3, line_radius_m: float | None = None) -> None:
        """`line_radius_m`: a circle about the origin, for the seconds of warning before it is crossed."""
        self._c, self._p, self._dims, self._line_radius_m = c, p, dims, line_radius_m
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._steps = 0
        self._switches = self._fragments = 0
        self._follows: dict[Hashable, Hashable] = {}  # object → the track it had last
        self._was_tracked: dict[Hashable, bool] = {}
        self._together: Counter[tuple[Hashable, Hashable]] = Counter()
        self._existed: Counter[Hashable] = Counter()
        self._covered = 0
        self._segments: defaultdict[Hashable, list[tuple[float, Hashable]]] = defaultdict(list)
        self._squared_m2: list[float] = []
        self._squared_m2_s2: list[float] = []
        self._nees: list[float] = []
        self._frames: list[Frame] = []
        self._moments: list[Moment] = []
        self._objects: dict[Hashable, int] = {}
        self._tracks: dict[Hashable, int] = {}
        self._timelines: defaultdict[Hashable, list[Sighting]] = defaultdict(list)
        self._drones_met: set[Hashable] = set()  # tracks that once had a drone
        self._called_drone: set[Hashable] = set()

    def add(self, frame: Frame) -> Gospa:
        """One moment; returns its GOSPA."""
        truth, tracks = frame.truth[:, : self._dims], frame.tracks[:, : self._dims]
        result = gospa(truth, tracks, self._c, self._p)
        sums, root = self._sums, 1.0 / self._p
        for name in ("total", "localisation", "missed", "false"):
            sums[name] += getattr(result, name)
        sums["gospa"] += result.total**root
        sums["ospa"] += ospa(truth, tracks, self._c, self._p)
        sums["truths"] += len(truth)
        sums["tracks"] += len(tracks)
        sums["pairs"] += len(result.truth)
        self._steps += 1
        self._frames.append(frame)
        objects, names = numbered(frame.object_ids, self._objects), numbered(frame.track_ids, self._tracks)
        self._moments.append(Moment(objects, names, similarity(truth, tracks, self._c)))
        self._count_near(truth, tracks)
        self._count_identity(frame, truth, tracks)
        self._count_errors(frame, result)
        return result

    def _count_near(self, truth: FloatArray, tracks: FloatArray) -> None:
        near = 0
        if len(truth) and len(tracks):
            near = int((cKDTree(truth).query(tracks)[0] < self._c).sum())
        self._sums["near"] += near
        self._sums["astray"] += len(tracks) - near

    def _count_identity(self, frame: Frame, truth: FloatArray, tracks: FloatArray) -> None:
        place = {track: k for k, track in enumerate(frame.track_ids)}
        kept = frozenset(
            (k, place[self._follows[name]])
            for k, name in enumerate(frame.object_ids)
            if name in self._follows and self._follows[name] in place
        )
        i, j, _ = pairing(truth, tracks, self._c, self._p, kept)
        track_of = dict(zip(i.tolist(), j.tolist(), strict=True))
        called = dict(zip(frame.track_ids, frame.track_classes, strict=True)) if frame.track_classes else {}
        self._called_drone |= {track for track, word in called.items() if word == "drone"}
        for k, name in enumerate(frame.object_ids):
            self._existed[name] += 1
            held_by = frame.track_ids[track_of[k]] if k in track_of else None
            is_a = frame.object_classes[k] if frame.object_classes else None
            is_right = None if called.get(held_by) is None else called[held_by] == is_a
            self._timelines[name].append(Sighting(frame.time_s, frame.truth[k, :3], held_by, is_right))
            if held_by is not None and is_a == "drone":
                self._drones_met.add(held_by)
            if k not in track_of:
                if name in self._was_tracked:
                    self._was_tracked[name] = False
                continue
            track = frame.track_ids[track_of[k]]
            self._covered += 1
            self._together[name, track] += 1
            self._switches += name in self._follows and self._follows[name] != track
            self._fragments += self._was_tracked.get(name) is False
            self._segments[name].append((frame.time_s, track))
            self._follows[name], self._was_tracked[name] = track, True

    def _count_errors(self, frame: Frame, result: Gospa) -> None:
        for i, j, distance in zip(result.truth, result.track, result.distance, strict=True):
            self._squared_m2.append(float(distance) ** 2)
            velocity, covariance = frame.velocities[j], frame.covariances[j]
            if velocity is not None:
                self._squared_m2_s2.append(float(((velocity - frame.truth[i, 3:]) ** 2).sum()))
            if covariance is None:
                continue
            P = covariance[: self._dims, : self._dims]
            if np.linalg.eigvalsh(P)[-1] < (SURE_SHARE * self._c) ** 2:
                error = (frame.tracks[j] - frame.truth[i, :3])[: self._dims]
                self._nees.append(normalised_squared(error, P) / self._dims)

    def score(self) -> Score:
        """The figures of all frames added."""
        sums, steps, root = self._sums, max(self._steps, 1), 1.0 / self._p
        kept = hota(self._moments, len(self._objects), len(self._tracks))

        def rms(name: str) -> float:
            return float((sums[name] / steps) ** root)

        return Score(
            steps=self._steps,
            rms_gospa=rms("total"),
            mean_gospa=sums["gospa"] / steps,
            rms_loc=rms("localisation"),
            rms_missed=rms("missed"),
            rms_false=rms("false"),
            n_missed=(sums["truths"] - sums["pairs"]) / steps,
            n_false=(sums["tracks"] - sums["pairs"]) / steps,
            mean_truth=sums["truths"] / steps,
            mean_ospa=sums["ospa"] / steps,
            id_switches=self._switches,
            fragments=self._fragments,
            idsw_per_truth_min=self._switches / max(sums["truths"] / 60.0, 1e-9),
            idf1=2.0 * _best_together(self._together) / max(sums["truths"] + sums["tracks"], 1),
            siap_completeness=self._covered / max(sum(self._existed.values()), 1),
            siap_ambiguity=sums["near"] / max(sums["pairs"], 1),
            siap_spurious=sums["astray"] / max(sums["tracks"], 1),
            siap_longest_segment=_mean(_longest(self._segments[name]) / n for name, n in self._existed.items()) or 0.0,
            pos_rmse=_root_mean(self._squared_m2),
            vel_rmse=_root_mean(self._squared_m2_s2),
            nees_per_dim=_mean(self._nees),
            hota=kept.hota if kept else None,
            hota_detection=kept.detection if kept else None,
            hota_association=kept.association if kept else None,
            idf1_global=idf1(self._moments, len(self._objects), len(self._tracks)),
            nees_by_identity=self._honesty(),
            **self._rates_and_times(),
        )

    def _rates_and_times(self) -> dict[str, Any]:
        times_s = [frame.time_s for frame in self._frames]
        step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
        seconds = times_s[-1] - times_s[0] + step_s if times_s else 0.0
        with_object = {track for _, track in self._together}
        has_classes = any(frame.track_classes for frame in self._frames)
        false_alerts = len(self._called_drone - self._drones_met)
        line_m = self._line_radius_m
        return {
            "false_tracks_per_h": rate_of(len(self._tracks) - len(with_object), seconds, HOUR_S),
            "false_alerts_per_day": rate_of(false_alerts, seconds, DAY_S) if has_classes else None,
            "time_to_track": delays(self._timelines),
            "time_to_class": delays(self._timelines, to_class=True) if has_classes else None,
            "warning": None if line_m is None else warnings(self._timelines, line_m),
        }

    def _honesty(self) -> Consistency | None:
        """NEES of every track against the object it had most, at every moment both are there, however far apart."""
        errors, covariances = [], []
        for frame, i, j in self.by_identity():
            P = frame.covariances[j]
            if P is not None:
                errors.append((frame.tracks[j] - frame.truth[i, :3])[: self._dims])
                covariances.append(P[: self._dims, : self._dims])
        if not errors:
            return None
        return consistency(normalised_squares(np.array(errors), np.array(covariances)).tolist(), self._dims)

    def by_identity(self) -> Iterator[tuple[Frame, int, int]]:
        """Each track with the object it had most, as rows of the frame, at every moment both are there."""
        most: dict[Hashable, tuple[int, Hashable]] = {}
        for (name, track), moments in self._together.items():
            most[track] = max(most.get(track, (0, None)), (moments, name), key=lambda each: each[0])
        for frame in self._frames:
            row = {name: k for k, name in enumerate(frame.object_ids)}
            for j, track in enumerate(frame.track_ids):
                i = row.get(most[track][1]) if track in most else None
                if i is not None:
                    yield frame, i, j

    @property
    def timelines(self) -> Mapping[Hashable, Sequence[Sighting]]:
        """Each object's moments."""
        return self._timelines


def _best_together(together: Mapping[tuple[Hashable, Hashable], int]) -> float:
    """Moments that objects and tracks spent together under the best pairing of whole with whole."""
    objects = {name: k for k, name in enumerate(dict.fromkeys(name for name, _ in together))}
    tracks = {track: k for k, track in enumerate(dict.fromkeys(track for _, track in together))}
    count = np.zeros((len(objects), len(tracks)))
    for (name, track), moments in together.items():
        count[objects[name], tracks[track]] = moments
    i, j = linear_sum_assignment(count, maximize=True)
    return float(count[i, j].sum())


def _longest(segment: Sequence[tuple[float, Hashable]]) -> int:
    """Score times in a row with one track."""
    best = current = 0
    before: tuple[float, Hashable] | None = None
    for time_s, track in segment:
        goes_on = before is not None and track == before[1] and time_s - before[0] < SEGMENT_GAP_S
        current = current + 1 if goes_on else 1
        best, before = max(best, current), (time_s, track)
    return best


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return float(np.mean(listed)) if listed else None


def _root_mean(values: Sequence[float]) -> float | None:
    return float(np.sqrt(np.mean(values))) if values else None
