"""Groups: published tracks that move together, under a number of their own, with an interval of how many they are.

Each pair of neighbours is judged by a sequential test. Under "together" their velocities differ by a tolerance, under "each
for itself" as two velocities of that size would, and in both by the error of the estimates. Two standing objects tell
nothing, nor do velocities that are hardly known. Looks one second apart are not independent, so each counts for a share of its
log likelihood ratio. Linked pairs make groups by connection (single linkage).

A group keeps its number while most of it stays together: of two that merge the larger one's lives on, of one that splits the
larger part's. Tracks known as directions only belong to none: how far apart they fly is not known.

Source: Blackman, Popoli, Design and Analysis of Modern Tracking Systems (1999), on group tracking; the test is of Wald,
Sequential Tests of Statistical Hypotheses (1945).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.types import FloatArray, Group, Track

LOOK_NS = 1_000_000_000  # between two judgements
INDEPENDENT_S = 4.0  # velocities of objects that fly for themselves are others after so long
NEAR_M = 80.0  # neighbours may become linked within this
FAR_M = 160.0  # and do not stay linked beyond this
NEIGHBOURS = 4  # judged for each track: those next to it hold a group together
TOLERANCE_M_S = 1.0  # 1-sigma along each axis, how far velocities of a group differ, at least
TOLERANCE_SHARE = 0.15  # of their speed
LINK_AT = log(100.0)  # log likelihood ratio at which a pair is taken to fly together
UNLINK_AT = 0.0
SUREST = 2.0 * LINK_AT  # so that a pair that has long flown together can part within seconds
FORGOTTEN_S = 10.0  # a member that is not detected any more may still be there for about so long
SAME_PLACE_M = 20.0  # a member that begins so near to where a lost one would be is that one
STALE_NS = 15_000_000_000  # tracks that are not told of for so long are not part of the picture
INTERVAL = (0.05, 0.95)  # quantiles of the count


@dataclass(slots=True)
class Lost:
    """A dropped member: it may be there still."""

    group_number: int
    track: Track  # as it was last told


class GroupBook:
    """Which published tracks move together. Fed with what the tracker publishes; depends on nothing else."""

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}  # by number, those in space that live
        self._lost: dict[int, Lost] = {}
        self._begun_ns: dict[int, int] = {}  # of those and these
        self._pairs: IntArray = np.empty((0, 2), dtype=np.int64)  # track numbers, the smaller first, sorted
        self._scores: FloatArray = np.empty(0)  # log likelihood ratio of each pair
        self._linked: BoolArray = np.empty(0, dtype=bool)
        self._groups: dict[int, Group] = {}
        self._of_track: dict[int, int] = {}
        self._next_number = 1
        self._looked_ns: int | None = None

    def group_of(self, track_number: int) -> int | None:
        """The number of the group that a track flies in."""
        return self._of_track.get(track_number)

    def changes(self, tracks: Iterable[Track], now_ns: int) -> tuple[Group, ...]:
        """Groups that are new, changed or ended, after what was published of tracks at a time; by number."""
        for track in tracks:
            self._note(track)
        if self._looked_ns is not None and 0 <= now_ns - self._looked_ns < LOOK_NS:
            return ()
        since_s = 0.0 if self._looked_ns is None else max((now_ns - self._looked_ns) / 1e9, 0.0)
        self._looked_ns = now_ns
        if len(self._tracks) < 2 and not self._groups:
            return ()
        self._forget(now_ns)
        self._judge(now_ns, min(since_s, INDEPENDENT_S))
        return self._regroup(now_ns)

    def _note(self, track: Track) -> None:
        if track.status != "dropped" and track.direction is None:
            if track.track_number not in self._tracks and track.track_number not in self._lost:
                self._begun_ns[track.track_number] = track.time_ns
            self._tracks[track.track_number] = track
            self._lost.pop(track.track_number, None)
            return
        known = self._tracks.pop(track.track_number, None)
        group_number = self._of_track.get(track.track_number)
        if known is not None and group_number is not None and track.reason not in ("merged", "retracted"):
            self._lost[track.track_number] = Lost(group_number, known)

    def _forget(self, now_ns: int) -> None:
        for number in [n for n, track in self._tracks.items() if now_ns - track.time_ns > STALE_NS]:
            del self._tracks[number]
        for number in [
            n for n, lost in self._lost.items() if now_ns - lost.track.last_detection_ns > 3e9 * FORGOTTEN_S
        ]:
            del self._lost[number]
        for number in [n for n in self._begun_ns if n not in self._tracks and n not in self._lost]:
            del self._begun_ns[number]

    def _judge(self, now_ns: int, since_s: float) -> None:
        """Take the velocities of neighbours, and of those judged before, as evidence for or against each pair."""
        numbers = np.array(sorted(self._tracks), dtype=np.int64)
        tracks = [self._tracks[number] for number in numbers.tolist()]
        states = np.array([track.state for track in tracks]).reshape(-1, 6)
        ahead_s = np.array([(now_ns - track.time_ns) / 1e9 for track in tracks])
        places = states[:, :3] + states[:, 3:] * ahead_s[:, None]
        variance = np.array([np.trace(track.covariance[3:, 3:]) / 3.0 for track in tracks])

        pairs, scores, linked = self._with_neighbours(numbers, places)
        one, two = np.searchsorted(numbers, pairs[:, 0]), np.searchsorted(numbers, pairs[:, 1])
        apart_m = np.linalg.norm(places[one] - places[two], axis=1)
        ratio = together(states[one, 3:], states[two, 3:], variance[one] + variance[two])
        scores = np.clip(scores + ratio * since_s / INDEPENDENT_S, -LINK_AT, SUREST)
        linked = np.where(linked, scores > UNLINK_AT, (scores >= LINK_AT) & (apart_m <= NEAR_M))
        kept = apart_m <= np.where(linked, FAR_M, NEAR_M)
        self._pairs, self._scores, self._linked = pairs[kept], scores[kept], linked[kept]

    def _with_neighbours(self, numbers: IntArray, places: FloatArray) -> tuple[IntArray, FloatArray, BoolArray]:
        """The pairs judged before whose tracks live, and new ones of neighbours with a score of nought."""
        alive = np.isin(self._pairs, numbers).all(axis=1)
        pairs, scores, linked = self._pairs[alive], self._scores[alive], self._linked[alive]
        if len(numbers) < 2:
            return pairs, scores, linked
        count = min(NEIGHBOURS + 1, len(numbers))
        distance, index = cKDTree(places).query(places, k=count, distance_upper_bound=NEAR_M)
        first = np.repeat(np.arange(len(numbers)), count)
        near = np.isfinite(distance.ravel()) & (index.ravel() != first)
        found = np.sort(np.stack([numbers[first[near]], numbers[index.ravel()[near]]], axis=1), axis=1)
        together_, place = np.unique(np.concatenate([pairs, found]), axis=0, return_index=True)
        is_new = place >= len(pairs)
        before = np.minimum(place, max(len(pairs) - 1, 0))
        if not len(pairs):
            return together_, np.zeros(len(together_)), np.zeros(len(together_), dtype=bool)
        return together_, np.where(is_new, 0.0, scores[before]), np.where(is_new, False, linked[before])

    def _regroup(self, now_ns: int) -> tuple[Group, ...]:
        """Number what is connected, and tell what is other than before."""
        before, self._of_track = self._of_track, {}
        news: list[Group] = []
        parts = connected(self._pairs[self._linked])
        claims = sorted(
            (
                (-sum(before.get(n) == old for n in part), old, k)
                for k, part in enumerate(parts)
                for old in {before[n] for n in part if n in before}
            ),
        )
        named: dict[int, int] = {}  # part → the number it keeps
        for _, old, k in claims:
            if k not in named and old not in named.values():
                named[k] = old
        for k, part in enumerate(parts):
            origins = {before[n] for n in part if n in before}
            number = named.get(k)
            if number is None:
                number, self._next_number = self._next_number, self._next_number + 1
            self._of_track.update(dict.fromkeys(part, number))
            merged = tuple(sorted(old for old in origins - {number} if old not in named.values()))
            event = "merged" if merged else "changed" if k in named else "split" if origins else "formed"
            news += self._told(
                number, part, now_ns, event, merged or (tuple(sorted(origins)) if event == "split" else ())
            )
        for number in sorted(set(self._groups) - set(self._of_track.values())):
            into = tuple(sorted({self._of_track[n] for n in self._groups[number].members if n in self._of_track}))
            known = self._groups.pop(number)
            news.append(Group(number, known.revision + 1, now_ns, (), (0, 0), "ended", into))
        return tuple(sorted(news, key=lambda group: group.group_number))

    def _told(
        self, number: int, members: tuple[int, ...], now_ns: int, event: str, others: tuple[int, ...]
    ) -> list[Group]:
        known = self._groups.get(number)
        count = self._count(number, members, now_ns)
        if known is not None and (known.members, known.count) == (members, count):
            return []
        revision = 1 if known is None else known.revision + 1
        group = self._groups[number] = Group(number, revision, now_ns, members, count, event, others)
        return [group]

    def _count(self, number: int, members: tuple[int, ...], now_ns: int) -> tuple[int, int]:
        """90 % interval of how many of those that were seen in the group are there."""
        present = [self._tracks[n].existence_probability for n in members]
        for lost_number in [n for n, lost in self._lost.items() if lost.group_number == number]:
            lost = self._lost[lost_number].track
            if self._is_found_again(lost, members, now_ns):
                del self._lost[lost_number]
                continue
            unseen_s = max(now_ns - lost.last_detection_ns, 0) / 1e9
            present.append(lost.existence_probability * exp(-unseen_s / FORGOTTEN_S))
        return count_interval(present)

    def _is_found_again(self, lost: Track, members: tuple[int, ...], now_ns: int) -> bool:
        """Whether a member that began since then stands where the lost one would be: it is the same object."""
        place = lost.state[:3] + lost.state[3:] * (now_ns - lost.time_ns) / 1e9
        for member in members:
            track = self._tracks[member]
            if self._begun_ns[member] > lost.last_detection_ns:
                there = track.state[:3] + track.state[3:] * (now_ns - track.time_ns) / 1e9
                if float(np.linalg.norm(there - place)) <= SAME_PLACE_M:
                    return True
        return False


def together(one_m_s: FloatArray, two_m_s: FloatArray, variance: FloatArray) -> FloatArray:
    """Log likelihood ratio of "they move together" against "each for itself", for each of n pairs.

    one_m_s, two_m_s: (n, 3) velocities; variance: (n,) of each axis of their difference by the estimates' errors, m²/s².
    """
    squared = (one_m_s**2).sum(axis=1) + (two_m_s**2).sum(axis=1)
    tolerated = np.maximum(TOLERANCE_M_S**2, TOLERANCE_SHARE**2 * squared / 2.0)
    free = np.maximum(squared / 3.0, tolerated)
    difference = ((one_m_s - two_m_s) ** 2).sum(axis=1)
    near, wide = variance + tolerated, variance + free
    return np.asarray(1.5 * np.log(wide / near) - 0.5 * difference * (1.0 / near - 1.0 / wide))


def connected(links: IntArray) -> list[tuple[int, ...]]:
    """What hangs together by these links, (n, 2), each part sorted, by its smallest number."""
    if not len(links):
        return []
    numbers, ends = np.unique(links, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(numbers), len(numbers)))
    _, label = connected_components(graph, directed=False)
    parts: dict[int, list[int]] = {}
    for number, of in zip(numbers.tolist(), label.tolist(), strict=True):
        parts.setdefault(of, []).append(number)
    return sorted(tuple(part) for part in parts.values())


def count_interval(probabilities: Iterable[float]) -> tuple[int, int]:
    """The 5 % and 95 % quantiles of how many of independent objects exist (Poisson binomial distribution)."""
    chance: FloatArray = np.ones(1)
    for p in probabilities:
        chance = np.asarray(np.convolve(chance, (1.0 - p, p)))
    total = np.cumsum(chance)
    return int(np.searchsorted(total, INTERVAL[0])), int(np.searchsorted(total, INTERVAL[1] - 1e-12))
