"""HOTA and IDF1: how well tracks keep to their objects over a whole run, detection and association weighed alike.

    similarity  s = max(0, 1 - d / c) of a track and an object at one moment
    at α:       TP are moments paired with s ≥ α under the pairing that favours who belongs together over the whole run
    DetA_α    = TP / (TP + missed + false)
    AssA_α    = mean over TP of |moments of this pair| / |moments of either|
    HOTA      = mean over α = 0.05 ... 0.95 of √(DetA_α · AssA_α)
    IDF1      = 2 IDTP / (object moments + track moments), one track for one object over the whole run

Sources: Luiten et al., HOTA: a higher order metric for evaluating multi-object tracking, IJCV (2021); Ristani et al. (2016)
for IDF1. Both as the TrackEval package counts them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fusion.measurement import IntArray
from fusion.types import FloatArray

ALPHAS = np.arange(0.05, 0.99, 0.05)
HAIR = float(np.finfo(float).eps)
LARGEST_TABLE = 4_000_000  # objects × tracks; a longer run is not scored by these


@dataclass(frozen=True, slots=True)
class Moment:
    """Who was there: objects and tracks by number, and how alike each two of them are, shape (objects, tracks)."""

    objects: IntArray
    tracks: IntArray
    similarity: FloatArray


@dataclass(frozen=True, slots=True)
class Hota:
    """Means over α; 0..1."""

    hota: float
    detection: float
    association: float
    localisation: float


def similarity(truth: FloatArray, tracks: FloatArray, c: float) -> FloatArray:
    """Of points (n, d) and (m, d): 1 where they coincide, 0 from c on."""
    if len(truth) == 0 or len(tracks) == 0:
        return np.zeros((len(truth), len(tracks)))
    apart = np.linalg.norm(truth[:, None] - tracks[None], axis=2)
    return np.asarray(np.maximum(0.0, 1.0 - apart / c))


def numbered(names: Sequence[Hashable], known: dict[Hashable, int]) -> IntArray:
    """Numbers from 0 on for names, those not known yet included."""
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def hota(moments: Sequence[Moment], object_count: int, track_count: int) -> Hota | None:
    """HOTA and its parts; None where nothing was there, or where the run is too large to tabulate."""
    if object_count * track_count > LARGEST_TABLE or object_count + track_count == 0:
        return None
    alike, objects, tracks = _alike(moments, object_count, track_count)
    alignment = alike / np.maximum(HAIR, objects[:, None] + tracks[None] - alike)
    pair, near = [], []
    for moment in moments:
        if len(moment.objects) and len(moment.tracks):
            gain = alignment[np.ix_(moment.objects, moment.tracks)] * moment.similarity
            i, j = linear_sum_assignment(gain, maximize=True)
            pair.append(moment.objects[i] * track_count + moment.tracks[j])
            near.append(moment.similarity[i, j])
    pairs = np.concatenate(pair) if pair else np.zeros(0, np.int64)
    close = np.concatenate(near) if near else np.zeros(0)
    parts = [_at(float(alpha), pairs, close, objects, tracks) for alpha in ALPHAS]
    detection, association, localisation = (np.array(values) for values in zip(*parts, strict=True))
    both = np.sqrt(detection * association)
    return Hota(*(float(values.mean()) for values in (both, detection, association, localisation)))


def _alike(moments: Sequence[Moment], object_count: int, track_count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How much each object and track were together, each moment shared among rivals; and moments of each."""
    alike = np.zeros((object_count, track_count))
    objects, tracks = np.zeros(object_count), np.zeros(track_count)
    for moment in moments:
        s = moment.similarity
        union = s.sum(0)[None] + s.sum(1)[:, None] - s
        share = np.divide(s, union, out=np.zeros_like(s), where=union > HAIR)
        alike[np.ix_(moment.objects, moment.tracks)] += share
        objects[moment.objects] += 1
        tracks[moment.tracks] += 1
    return alike, objects, tracks


def _at(alpha: float, pairs: IntArray, close: FloatArray, objects: FloatArray, tracks: FloatArray) -> tuple[float, ...]:
    """Detection, association and localisation at one α."""
    kept = close >= alpha - HAIR
    matched = int(kept.sum())
    if matched == 0:
        return 0.0, 0.0, 1.0
    pair, count = np.unique(pairs[kept], return_counts=True)
    either = objects[pair // len(tracks)] + tracks[pair % len(tracks)] - count
    missed, false = objects.sum() - matched, tracks.sum() - matched
    association = float((count * count / np.maximum(1.0, either)).sum()) / matched
    return matched / (matched + missed + false), association, float(close[kept].mean())


def idf1(moments: Sequence[Moment], object_count: int, track_count: int, threshold: float = 1e-9) -> float | None:
    """IDF1 of pairs at least so alike; None where nothing was there, or where the run is too large to tabulate."""
    if object_count * track_count > LARGEST_TABLE or object_count + track_count == 0:
        return None
    together = np.zeros((object_count, track_count))
    total = 0
    for moment in moments:
        together[np.ix_(moment.objects, moment.tracks)] += moment.similarity >= threshold
        total += len(moment.objects) + len(moment.tracks)
    i, j = linear_sum_assignment(together, maximize=True)
    return float(2.0 * together[i, j].sum() / max(total, 1))
