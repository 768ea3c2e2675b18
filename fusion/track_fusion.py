"""Tracks of many posts as one picture: which of them are one object, where it is, and under which number it goes on.

Posts send tracks, not detections, and tracks of one object share what cannot be known from outside: how it was predicted,
claims, sensors on one mast. So they are joined by inverse covariance intersection, which is consistent for every such
correlation and tighter than covariance intersection. Everything is computed in ECEF axes: no tiles, no seams between posts.

Whether two tracks of different posts are one object is a sequential test, look after look: their difference under both
covariances against independent objects. An object has at most one track of each post. A track that joins an object takes its
number, and so does one that begins where an object has just been lost: numbers outlive the hand-over from post to post.

Sources: Noack, Sijs, Reinhardt, Hanebeck, Decentralized data fusion with inverse covariance intersection, Automatica 79
(2017); Bar-Shalom, Campo (1986) on correlated tracks; Wald, Sequential Tests of Statistical Hypotheses (1945).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from math import log, pi
from typing import TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from fusion import motion
from fusion.classification import PRIOR
from fusion.types import FloatArray

NEAR_M = 300.0  # tracks farther apart are not compared
NEIGHBOURS = 8  # of another post, compared with each track: more stand in nobody's way but a hostile post's
ACCELERATION_M_S2 = 3.0  # of the prediction to the common time
DENSITY_PER_M3 = 1.0 / (300.0 * 300.0 * 100.0)  # of independent objects where two tracks meet
SPEED_M_S = 10.0  # 1-sigma along each axis of an independent object's velocity
INDEPENDENT_S = 2.0  # the errors of tracks are others after so long
LINK_AT = log(20.0)
UNLINK_AT = 0.0
SUREST = 3.0 * LINK_AT  # so that tracks that part are told apart within seconds
LOST_S = 15.0  # an object that nobody tracks any more may be taken up again for so long
TAKEN_UP_D2 = 16.8  # 99 % of chi-square with 6 degrees of freedom
TAKEN_UP_M = 150.0
WEIGHTS = np.linspace(0.0, 1.0, 17)  # tried

ReportKey: TypeAlias = tuple[str, str, int]  # site_id, run_id, track_number
PairKey: TypeAlias = tuple[ReportKey, ReportKey]


@dataclass(frozen=True, slots=True)
class Report:
    """A post's track. state (6,) and covariance (6, 6) in ECEF axes, m and m/s.

    One that was made of the detections of other posts holds them: in an object that it is part of, these posts' own tracks are
    told of and add nothing. Where it sees no object of theirs, they count.
    """

    key: ReportKey
    time_ns: int
    state: FloatArray
    covariance: FloatArray
    existence_probability: float
    classes: tuple[float, ...]  # in the order of `CLASSES`
    holds: Set[str] = frozenset()  # posts


@dataclass(frozen=True, slots=True)
class FusedObject:
    """One object as all posts together see it, at one time."""

    number: int  # given once, never reused
    time_ns: int
    members: tuple[ReportKey, ...]
    state: FloatArray  # (6,) ECEF
    covariance: FloatArray  # (6, 6)
    existence_probability: float  # the surest post's
    classes: tuple[float, ...]


@dataclass(slots=True)
class TrackFusion:
    """Keeps which tracks are one object, from look to look. At most one look for each time."""

    _scores: dict[PairKey, float] = field(default_factory=dict)
    _objects: dict[int, FusedObject] = field(default_factory=dict)
    _next_number: int = 1
    _looked_ns: int | None = None

    @property
    def objects(self) -> tuple[FusedObject, ...]:
        """Those of the last look, and those lost a moment before."""
        return tuple(self._objects.values())

    @property
    def next_number(self) -> int:
        return self._next_number

    def go_on(self, objects: Iterable[FusedObject], next_number: int) -> None:
        """Take up what another one knew."""
        self._objects = {one.number: one for one in objects}
        self._next_number = next_number

    def look(self, reports: Iterable[Report], now_ns: int) -> tuple[FusedObject, ...]:
        """All objects now, by number. Reports are predicted to `now_ns`."""
        self._follow_clock(now_ns)
        at_once = sorted((predicted(report, now_ns) for report in reports), key=lambda report: report.key)
        since_s = 1.0 if self._looked_ns is None else min(max((now_ns - self._looked_ns) / 1e9, 0.0), INDEPENDENT_S)
        self._looked_ns = now_ns
        self._judge(at_once, since_s / INDEPENDENT_S)
        by_key = {report.key: report for report in at_once}
        parts = self._parts(by_key)
        numbers = self._numbers(parts, by_key, now_ns)
        alive = set(numbers)
        lost = {
            number: known
            for number, known in self._objects.items()
            if number not in alive and abs(now_ns - known.time_ns) <= LOST_S * 1e9
        }
        found = [
            joined(number, now_ns, [by_key[key] for key in part]) for number, part in zip(numbers, parts, strict=True)
        ]
        self._objects = lost | {one.number: one for one in found}
        return tuple(sorted(found, key=lambda one: one.number))

    def _follow_clock(self, now_ns: int) -> None:
        """Where the clock was set back since the last look, what was known then is no older and no younger for it."""
        back_ns = 0 if self._looked_ns is None else self._looked_ns - now_ns
        if back_ns > 0:
            self._objects = {
                number: replace(known, time_ns=known.time_ns - back_ns) for number, known in self._objects.items()
            }

    def _judge(self, reports: Sequence[Report], weight: float) -> None:
        """Take the difference of each near pair of different posts as evidence."""
        scores: dict[PairKey, float] = {}
        pairs = self._near_pairs(reports)
        if pairs:
            difference = np.array([one.state - two.state for one, two in pairs])
            ratios = same_object(difference, np.array([one.covariance + two.covariance for one, two in pairs]))
            for (one, two), ratio in zip(pairs, ratios.tolist(), strict=True):
                score = self._scores.get((one.key, two.key), 0.0) + weight * ratio
                scores[one.key, two.key] = min(max(score, -LINK_AT), SUREST)
        self._scores = scores

    def _near_pairs(self, reports: Sequence[Report]) -> list[tuple[Report, Report]]:
        """Each report with its next few of every other post nearby, and those that were alike before; by their keys."""
        of_site: dict[str, list[Report]] = {}
        for report in reports:
            of_site.setdefault(report.key[0], []).append(report)
        by_key = {report.key: report for report in reports}
        found = {pair for pair, score in self._scores.items() if score > 0.0 and by_key.keys() >= set(pair)}
        places = {site: np.array([report.state[:3] for report in some]) for site, some in of_site.items()}
        trees = {site: cKDTree(some) for site, some in places.items()}
        for one, two in neighbours_of(places):
            distance, index = trees[two].query(places[one], k=range(1, NEIGHBOURS + 1), distance_upper_bound=NEAR_M)
            for row, column in zip(*np.nonzero(np.isfinite(distance)), strict=True):
                found.add((of_site[one][row].key, of_site[two][index[row, column]].key))
        return [(by_key[one], by_key[two]) for one, two in sorted(found)]

    def _parts(self, by_key: dict[ReportKey, Report]) -> list[tuple[ReportKey, ...]]:
        """Joins the surest pairs first; no object has two tracks of one post."""
        of: dict[ReportKey, set[ReportKey]] = {key: {key} for key in by_key}
        joined_before = {key: known.number for known in self._objects.values() for key in known.members}
        linked: list[tuple[float, PairKey]] = []
        for (one, two), score in self._scores.items():
            was_one = one in joined_before and joined_before[one] == joined_before.get(two)
            is_of_the_same = one[0] in by_key[two].holds or two[0] in by_key[one].holds
            # what is one stays one until the evidence is against it, and what is made of the same detections is one by that
            if score >= (UNLINK_AT if was_one or is_of_the_same else LINK_AT):
                linked.append((-score, (one, two)))
        for _, (one, two) in sorted(linked):
            if of[one] is of[two] or {key[0] for key in of[one]} & {key[0] for key in of[two]}:
                continue
            both = of[one] | of[two]
            of.update(dict.fromkeys(both, both))
        return sorted({tuple(sorted(part)) for part in of.values()})

    def _numbers(
        self, parts: Sequence[tuple[ReportKey, ...]], by_key: dict[ReportKey, Report], now_ns: int
    ) -> list[int]:
        """The number of each part: that of the object most of it was, of one lost nearby, or a new one."""
        before = {key: known.number for known in self._objects.values() for key in known.members}
        claims = sorted(
            (-sum(before.get(key) == number for key in part), number, place)
            for place, part in enumerate(parts)
            for number in {before[key] for key in part if key in before}
        )
        named: dict[int, int] = {}
        taken: set[int] = set()
        for _, number, place in claims:
            if place not in named and number not in taken:
                named[place] = number
                taken.add(number)
        self._take_up(parts, by_key, named, now_ns)
        for place in range(len(parts)):
            if place not in named:
                named[place], self._next_number = self._next_number, self._next_number + 1
        return [named[place] for place in range(len(parts))]

    def _take_up(
        self,
        parts: Sequence[tuple[ReportKey, ...]],
        by_key: dict[ReportKey, Report],
        named: dict[int, int],
        now_ns: int,
    ) -> None:
        """Objects that nobody tracks any more go on where a new track fits their course, the nearest first."""
        alive, taken = set(by_key), set(named.values())
        lost = [
            known
            for number, known in self._objects.items()
            if number not in taken and not alive & set(known.members) and abs(now_ns - known.time_ns) <= LOST_S * 1e9
        ]
        if not lost:
            return
        moved_on = [moved(known.state, known.covariance, (now_ns - known.time_ns) / 1e9) for known in lost]
        tree = cKDTree(np.array([x[:3] for x, _ in moved_on]))
        fitting: list[tuple[float, int, int]] = []
        for place in (k for k in range(len(parts)) if k not in named):
            report = by_key[parts[place][0]]
            distance, index = tree.query(report.state[:3], k=range(1, NEIGHBOURS + 1), distance_upper_bound=TAKEN_UP_M)
            for which in index[np.isfinite(distance)].tolist():
                x, P = moved_on[which]
                difference = report.state - x
                d2 = float(difference @ np.linalg.solve(P + report.covariance, difference))
                if d2 <= TAKEN_UP_D2:
                    fitting.append((d2, lost[which].number, place))
        for _, number, place in sorted(fitting):
            if place not in named and number not in taken:
                named[place] = number
                taken.add(number)


def predicted(report: Report, now_ns: int) -> Report:
    """The report at another time, later or earlier; its covariance grows both ways."""
    x, P = moved(report.state, report.covariance, (now_ns - report.time_ns) / 1e9)
    return replace(report, time_ns=now_ns, state=x, covariance=P)


def moved(state: FloatArray, covariance: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
    """State (6,) and covariance (6, 6) dt_s later; earlier where it is negative."""
    F = np.eye(6)
    F[:3, 3:] = dt_s * np.eye(3)
    q = motion.spectral_density(ACCELERATION_M_S2).max()
    t = abs(dt_s)
    Q = q * np.kron(np.array([[t**3 / 3.0, t * dt_s / 2.0], [t * dt_s / 2.0, t]]), np.eye(3))
    return np.asarray(F @ state), np.asarray(F @ covariance @ F.T + Q)


def same_object(difference: FloatArray, S: FloatArray) -> FloatArray:
    """Log likelihood ratios of one object against two independent ones, (n,), between minus and plus `SUREST`.

    difference: (n, 6), of the two states; S: (n, 6, 6), the sum of their covariances.
    """
    d2 = (difference * np.linalg.solve(S, difference[:, :, None])[:, :, 0]).sum(axis=1)
    same = -0.5 * (d2 + np.linalg.slogdet(2.0 * pi * S)[1])
    spread = 2.0 * SPEED_M_S**2
    velocity = (difference[:, 3:] ** 2).sum(axis=1)
    apart = log(DENSITY_PER_M3) - 0.5 * velocity / spread - 1.5 * log(2.0 * pi * spread)
    return np.asarray(np.clip(same - apart, -SUREST, SUREST))


def joined(number: int, now_ns: int, reports: Sequence[Report]) -> FusedObject:
    """Reports of one object, all at the same time, as one estimate."""
    held = frozenset().union(*(report.holds for report in reports))
    counted = [report for report in reports if report.key[0] not in held]
    x, P = counted[0].state, counted[0].covariance
    for report in counted[1:]:
        x, P = intersection(x, P, report.state, report.covariance)
    surest = max(report.existence_probability for report in counted)
    classes = classes_of([report.classes for report in counted])
    return FusedObject(number, now_ns, tuple(report.key for report in reports), x, P, surest, classes)


def intersection(a: FloatArray, A: FloatArray, b: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse covariance intersection of two estimates whose correlation is not known.

    P⁻¹ = A⁻¹ + B⁻¹ − Γ⁻¹ with Γ = w A + (1 − w) B, consistent for every w; of some the one with the least trace of position.
    """
    inverse_A, inverse_B = np.linalg.inv(A), np.linalg.inv(B)
    common = np.linalg.inv(WEIGHTS[:, None, None] * A + (1.0 - WEIGHTS)[:, None, None] * B)
    P = np.linalg.inv(inverse_A + inverse_B - common)
    best = int(np.argmin(np.trace(P[:, :3, :3], axis1=1, axis2=2)))
    w, P, common = float(WEIGHTS[best]), P[best], common[best]
    x = P @ ((inverse_A - w * common) @ a + (inverse_B - (1.0 - w) * common) @ b)
    return np.asarray(x), np.asarray((P + P.T) / 2.0)


def classes_of(told: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Class probabilities of several tellers as one: the logarithmic opinion pool, each by how much it knows.

    What misleads one post's detector misleads the next one's, so two that say the same are no surer than one. Who still says
    `PRIOR` weighs nothing; the weights are the divergences from it.
    """
    log_told = np.log(np.maximum(np.array(told), 1e-6))
    knows = np.maximum((np.exp(log_told) * (log_told - np.log(PRIOR))).sum(axis=1), 1e-9)
    pooled = (knows / knows.sum()) @ log_told
    chance = np.exp(pooled - pooled.max())
    return tuple((chance / chance.sum()).tolist())


def neighbours_of(places: dict[str, FloatArray]) -> list[tuple[str, str]]:
    """Pairs of posts, by name, of whose tracks any might be near: their boxes, widened, touch."""
    names = sorted(places)
    if len(names) < 2:
        return []
    low = np.array([places[name].min(axis=0) for name in names]) - NEAR_M / 2.0
    high = np.array([places[name].max(axis=0) for name in names]) + NEAR_M / 2.0
    touch = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(axis=2)
    return [(names[i], names[j]) for i, j in zip(*np.nonzero(np.triu(touch, 1)), strict=True)]
