"""How good a set of tracks is against the truth: GOSPA with its parts, OSPA, identity, consistency.

For a set of true points X and of tracks Y, with the best pairing γ among pairs nearer than the cut-off c:

    GOSPA^p = Σ_γ d^p + c^p/2 (missed + false)             (alpha = 2)
    OSPA^p  = (Σ_γ d^p + c^p (max(|X|,|Y|) - |γ|)) / max(|X|,|Y|)
    NEES    = eᵀ P⁻¹ e / dims of the position,   NIS = yᵀ S⁻¹ y of an innovation

Identity is counted on a pairing that keeps, at equal cost, who followed whom before: switches and fragments as in CLEAR MOT,
IDF1 on the best pairing of whole tracks with whole objects.

Sources: Rahmathullah, García-Fernández, Svensson, Generalized optimal sub-pattern assignment metric (2017); Schuhmacher, Vo,
Vo (2008) for OSPA; Bernardin, Stiefelhagen (2008) for CLEAR MOT; Ristani et al. (2016) for IDF1; Votruba et al. (2001) for
completeness, ambiguity, spuriousness; Bar-Shalom, Li, Kirubarajan (2001), section 5.4 for NEES and NIS.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.special import gammaincinv

from fusion.association import assign
from fusion.measurement import IntArray
from fusion.types import FloatArray

SURE_SHARE = (
    0.3  # NEES counts only tracks surer than this share of c: pairing within c would cut off honest larger errors
)
SEGMENT_GAP_S = 1.5  # a longer gap between score times ends a segment


@dataclass(frozen=True, slots=True)
class Gospa:
    """p-th powers of the parts, and the pairing: truth's and track's places, growing by group, with their distances."""

    localisation: float
    missed: float
    false: float
    truth: IntArray
    track: IntArray
    distance: FloatArray

    @property
    def total(self) -> float:
        """p-th power of the distance."""
        return self.localisation + self.missed + self.false


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


def pairing(
    truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0, kept: frozenset[tuple[int, int]] = frozenset()
) -> tuple[IntArray, IntArray, FloatArray]:
    """The GOSPA pairing of points (n, d) and (m, d): places and distances. `kept` pairs gain c^p more: continuity."""
    nothing = np.zeros(0, dtype=np.int64)
    if len(truth) == 0 or len(tracks) == 0:
        return nothing, nothing, np.zeros(0)
    near = cKDTree(truth).sparse_distance_matrix(cKDTree(tracks), c, output_type="ndarray")
    near = np.sort(near, order=["i", "j"])
    i, j, distance = near["i"].astype(np.int64), near["j"].astype(np.int64), near["v"]
    gain = c**p - distance**p
    if kept:
        gain = gain + np.array([c**p if pair in kept else 0.0 for pair in zip(i.tolist(), j.tolist(), strict=True)])
    chosen = assign(i, j, gain)
    return i[chosen], j[chosen], distance[chosen]


def gospa(truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0) -> Gospa:
    """GOSPA with alpha 2 of true points (n, d) and tracks (m, d)."""
    i, j, distance = pairing(truth, tracks, c, p)
    half = c**p / 2.0
    localisation = float((distance**p).sum())
    return Gospa(localisation, (len(truth) - len(i)) * half, (len(tracks) - len(i)) * half, i, j, distance)


def ospa(truth: FloatArray, tracks: FloatArray, c: float, p: float = 2.0) -> float:
    """OSPA distance of true points (n, d) and tracks (m, d); 0 where both are empty."""
    largest = max(len(truth), len(tracks))
    if largest == 0:
        return 0.0
    _, _, distance = pairing(truth, tracks, c, p)
    power = (float((distance**p).sum()) + (largest - len(distance)) * c**p) / largest
    return float(power ** (1.0 / p))


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

    def __init__(self, c: float, p: float = 2.0, dims: int = 3) -> None:
        self._c, self._p, self._dims = c, p, dims
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
        for k, name in enumerate(frame.object_ids):
            self._existed[name] += 1
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
        )


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
