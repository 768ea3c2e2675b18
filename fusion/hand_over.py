"""One number an object, whichever tile tracks it: numbers go over from tile to tile, and from a tracker to the one after it.

           tile A    │    tile B
      a ●────────────│─ ─ ─ ─ ─ ─ ─      A's track of the object
         · · · · ·  ─│──────────● b      B's, from the same detections: the same number, told from where it lies deeper inside
             SEAM ◀──┼──▶ SEAM

Both tiles work in all detections around their edge, so within the seam each has the object's track. A track without a number
takes that of another tile's track of the same state, or of one that has just been lost (a tile that began anew); the nearest
first, and no number goes to two tracks of one tile. At most one look for each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from fusion.tiles import Tile
from fusion.track_fusion import LOST_S, TAKEN_UP_D2, TAKEN_UP_M, moved
from fusion.types import FloatArray, Track

SEAM_M = 1000.0  # a drone of 30 m/s is within it for a minute, an airliner for eight seconds
PARTED_D2 = 4.0 * TAKEN_UP_D2  # two tiles' tracks of one number that lie so far apart are two objects

TileTrack: TypeAlias = tuple[Tile, int, int]  # tile, which of its trackers since the start, track number there


@dataclass(frozen=True, slots=True)
class Sighted:
    """A tile's track, all of one time; state (6,) and covariance (6, 6) in ECEF axes."""

    key: TileTrack
    depth_m: float  # how far inside its tile it lies
    state: FloatArray
    covariance: FloatArray
    track: Track


@dataclass(frozen=True, slots=True)
class Numbered:
    """An object of all tiles."""

    number: int
    sighted: Sighted


@dataclass(slots=True)
class HandOver:
    """Which number each tile's track has."""

    _number_of: dict[TileTrack, int] = field(default_factory=dict)
    _last: dict[int, tuple[int, Sighted]] = field(default_factory=dict)  # by number: when it was told of, and as what
    _next_number: int = 1
    _looked_ns: int = 0

    def look(self, sighted: Iterable[Sighted], now_ns: int) -> tuple[Numbered, ...]:
        """All objects now, by number."""
        back_ns = max(self._looked_ns - now_ns, 0)  # the center's clock was set back; what was told is no older for it
        self._last = {number: (told_ns - back_ns, one) for number, (told_ns, one) in self._last.items()}
        self._looked_ns = now_ns
        near = sorted((one for one in sighted if one.depth_m > -SEAM_M), key=lambda one: (-one.depth_m, one.key))
        self._number_of = {one.key: self._number_of[one.key] for one in near if one.key in self._number_of}
        holders: dict[int, list[Sighted]] = {}
        for one in near:
            number = self._number_of.get(one.key)
            if number is None:
                continue
            if number in holders and _d2(one, holders[number][0].state, holders[number][0].covariance) > PARTED_D2:
                del self._number_of[one.key]
                continue
            holders.setdefault(number, []).append(one)
        self._name([one for one in near if one.key not in self._number_of], holders, now_ns)
        kept = {number: last for number, last in self._last.items() if now_ns - last[0] <= LOST_S * 1e9}
        self._last = kept | {number: (now_ns, ones[0]) for number, ones in holders.items()}
        return tuple(Numbered(number, holders[number][0]) for number in sorted(holders))

    def _name(self, fresh: Sequence[Sighted], holders: dict[int, list[Sighted]], now_ns: int) -> None:
        """A number for each of these: of the same object where it has one, the nearest first; else the next."""
        lost = [(number, *_moved(last, now_ns)) for number, last in self._last.items() if number not in holders]
        held = [(number, one.state, one.covariance) for number, ones in holders.items() for one in ones[:1]]
        fitting: list[tuple[float, int, int]] = []
        for place, one in enumerate(fresh):
            known = held + lost if one.depth_m < SEAM_M else lost
            fitting += [(d2, number, place) for d2, number in _like(one, known)]
        named: set[int] = set()
        for _, number, place in sorted(fitting):
            if place not in named and self._may_hold(number, fresh[place], holders):
                self._give(number, fresh[place], holders)
                named.add(place)
        for one in (one for place, one in enumerate(fresh) if place not in named):
            begun = [(number, ones[0]) for number, ones in holders.items() if number not in self._last]
            like = _like(one, [(number, other.state, other.covariance) for number, other in begun])
            same = [number for _, number in sorted(like) if self._may_hold(number, one, holders)]
            if not same:
                same, self._next_number = [self._next_number], self._next_number + 1
            self._give(same[0], one, holders)

    @staticmethod
    def _may_hold(number: int, one: Sighted, holders: dict[int, list[Sighted]]) -> bool:
        """No number goes to two tracks of one tile."""
        return all(other.key[0] != one.key[0] for other in holders.get(number, ()))

    def _give(self, number: int, one: Sighted, holders: dict[int, list[Sighted]]) -> None:
        self._number_of[one.key] = number
        holders[number] = sorted([*holders.get(number, []), one], key=lambda each: (-each.depth_m, each.key))


def _moved(last: tuple[int, Sighted], now_ns: int) -> tuple[FloatArray, FloatArray]:
    told_ns, one = last
    return moved(one.state, one.covariance, (now_ns - told_ns) / 1e9)


def _like(one: Sighted, known: Sequence[tuple[int, FloatArray, FloatArray]]) -> list[tuple[float, int]]:
    """The known ones that may be the same object: how far apart, in sigmas squared, and their numbers."""
    if not known:
        return []
    apart_m = np.linalg.norm(np.array([state[:3] for _, state, _ in known]) - one.state[:3], axis=1)
    near = [known[k] for k in np.flatnonzero(apart_m <= TAKEN_UP_M).tolist()]
    found = [(_d2(one, state, covariance), number) for number, state, covariance in near]
    return [each for each in found if each[0] <= TAKEN_UP_D2]


def _d2(one: Sighted, state: FloatArray, covariance: FloatArray) -> float:
    difference = one.state - state
    return float(difference @ np.linalg.solve(one.covariance + covariance, difference))
