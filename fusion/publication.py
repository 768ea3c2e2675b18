"""From rows to published tracks: numbers, revisions, statuses, and what is said when a row is gone.

A row gets its number when it is first confirmed; the number is never given to another. A row that a rewind removes is
published as dropped, "retracted". Dropped is the last that is said of a number: a row that is detected again afterwards
has a new one. Without a new detection a track's time and status only go forward, whoever tells of it: ticks, or late scans
of other sensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import TypeAlias

import numpy as np
from msgspec.structs import replace

from fusion import direction, motion
from fusion.existence import BoolArray
from fusion.measurement import IntArray
from fusion.telling import COUNTED, REPUBLISH_NS, SEEN, pack
from fusion.track_table import TrackTable
from fusion.types import CLASSES, ClaimAgreement, Direction, Explanation, FloatArray, Track, TrackKey

SEEN_LATELY_NS = 5_000_000_000  # sensors that have seen a track so lately are named
TICK_MARGIN_NS = 1_000_000_000  # a tick waits this much longer than a scan before it drops: scans are on their way
SAME_STATE = 1e-4  # metres or radians
TOGETHER = 8  # arrays of tracks told at once that share their memory
FORGET_EVERY_NS = 1_000_000_000
FORGET_NS = 60_000_000_000  # dropped tracks are remembered this long, far beyond any rewind

STATUSES = ("", "confirmed", "coasting", "dropped")  # as `lifetimes.statuses` counts them

ClaimsOf = Callable[[Sequence[TrackKey], int], list[tuple[ClaimAgreement, ...]]]


# A row as its last update left it, packed: when it was last detected, how often, as seen by which sensor (int64), and its
# state (6 float64). It changes with every detection worked in, and with nothing else.
Seen: TypeAlias = bytes


@dataclass(slots=True)
class Published:
    """What was last said of one track."""

    track: Track
    seen: Seen


@dataclass(frozen=True, slots=True)
class Told:
    """Rows that are told of, and as what."""

    rows: IntArray
    numbers: list[int]
    revisions: list[int]
    statuses: list[str]


class Publication:
    """The public book of tracks."""

    def __init__(self, claims_of: ClaimsOf) -> None:
        self._claims_of = claims_of
        self._book: dict[TrackKey, Published] = {}
        self._next_number = 1
        self._table: TrackTable | None = None  # whose column `told` is true; another one after a rewind
        self._alive: list[TrackKey] = []  # confirmed rows, as the book was last held against them
        self._forgotten_ns = 0  # when old tracks were last looked for

    def changes(self, table: TrackTable, now_ns: int | None = None) -> tuple[Track, ...]:
        """Tracks whose published form differs from what was last said. now_ns: a tick, that lets time pass."""
        tracks = self._gone(table)
        time_ns = max(table.time_ns or 0, now_ns or 0)
        is_tick = now_ns is not None
        confirmed = table.is_confirmed.nonzero()[0]
        statuses = _statuses(table, confirmed, time_ns, is_tick)
        self._take_up(table)
        packed, news, asked = table.kernels.news(table, confirmed, statuses, time_ns, is_tick)
        settled: list[int] = []
        for k, seen in zip(asked.tolist(), _rows_of(packed[asked]), strict=True) if len(asked) else ():
            known = self._book.get(table.keys[confirmed[k]])
            if _is_news(STATUSES[statuses[k]], seen, known, time_ns, is_tick):
                news[k] = True
            elif known is not None and _is_like(seen, known.seen):
                settled.append(k)
        if news.any():
            tracks += self._publish(table, confirmed[news], statuses[news], packed[news], time_ns)
        if settled:
            self._note_settled(table, confirmed[settled], packed[settled])
        self._forget(table, time_ns)
        return tuple(sorted(tracks, key=BY_NUMBER))

    def tracks_at(self, table: TrackTable, time_ns: int) -> tuple[Track, ...]:
        """Published tracks that live, predicted to a time that is not before the table's."""
        time_ns = max(time_ns, table.time_ns or 0)
        confirmed = table.is_confirmed.nonzero()[0]
        rows, tracks, statuses = [], [], []
        for row, place in zip(confirmed.tolist(), _statuses(table, confirmed, time_ns, True).tolist(), strict=True):
            known, status = self._book.get(table.keys[row]), STATUSES[place]
            if known is not None and "dropped" not in (status, known.track.status):
                rows.append(row)
                tracks.append(known.track)
                statuses.append(status)
        told = Told(
            np.array(rows, dtype=np.int64),
            [one.track_number for one in tracks],
            [one.revision for one in tracks],
            statuses,
        )
        return tuple(sorted(self._form(table, told, time_ns), key=BY_NUMBER))

    def claim_changed(self, table: TrackTable, key: TrackKey) -> tuple[Track, ...]:
        """The track a claim belongs to, with the claim."""
        if key not in table.keys or key not in self._book or self._book[key].track.status == "dropped":
            return ()
        row, time_ns = table.keys.index(key), max(table.time_ns or 0, self._book[key].track.time_ns)
        rows = np.array([row])
        self._take_up(table)
        statuses = _statuses(table, rows, time_ns, True)
        return tuple(self._publish(table, rows, statuses, pack(table, rows), time_ns))

    def _take_up(self, table: TrackTable) -> None:
        """Another table, after a rewind: what was told of its rows is in the book alone."""
        if table is not self._table:
            table.forget_told()
            self._table = table

    def _publish(
        self, table: TrackTable, rows: IntArray, statuses: IntArray, packed: IntArray, time_ns: int
    ) -> list[Track]:
        """Tell of these rows, of which these are the statuses and `telling.pack`, and note what was told."""
        told = Told(rows, [], [], [STATUSES[place] for place in statuses.tolist()])
        keys = [table.keys[row] for row in rows.tolist()]
        before = list(map(self._book.get, keys))
        for known in before:
            if known is None or known.track.status == "dropped":
                told.numbers.append(self._next_number)
                told.revisions.append(1)
                self._next_number += 1
            else:
                told.numbers.append(known.track.track_number)
                told.revisions.append(known.track.revision + 1)
        tracks = self._form(table, told, time_ns)
        for key, known, seen, track in zip(keys, before, _rows_of(packed), tracks, strict=True):
            if known is None:
                self._book[key] = Published(track, seen)
            else:
                known.track, known.seen = track, seen
        table.told[rows, :SEEN], table.told[rows, SEEN], table.told[rows, SEEN + 1] = packed, statuses, time_ns
        return tracks

    def _note_settled(self, table: TrackTable, rows: IntArray, packed: IntArray) -> None:
        """What the book says of these rows is what they are, but for last digits."""
        known = [self._book[table.keys[row]].track for row in rows.tolist()]
        table.told[rows, :SEEN] = packed
        table.told[rows, SEEN] = [STATUSES.index(track.status) for track in known]
        table.told[rows, SEEN + 1] = [track.time_ns for track in known]

    def _form(self, table: TrackTable, told: Told, time_ns: int) -> list[Track]:
        """The published forms of these rows at a time; the arithmetic is done for all at once."""
        rows = told.rows
        if len(rows) == 0:
            return []
        x, P, towards = _predicted(table, rows, time_ns)
        classes = table.kernels.classes(table, rows)
        seen_ns, missed_ns, since_ns = table.seen_ns[rows], table.missed_ns[rows], time_ns - SEEN_LATELY_NS
        lately = _named(table.names, seen_ns > since_ns)
        silent = _named(table.names, (missed_ns > seen_ns) & (missed_ns > since_ns))
        keys = [table.keys[row] for row in rows.tolist()]
        explanations = [table.explanations[row] for row in rows.tolist()]
        tracks = []
        for number, revision, status, state, covariance, r, share, claims, seen_by, should, last_ns, towards_k, why in zip(
            told.numbers, told.revisions, told.statuses, _apart(x), _apart(P), table.existence[rows].tolist(),
            _shares(classes), self._claims_of(keys, time_ns), lately, silent, table.last_ns[rows].tolist(),
            towards, explanations, strict=True,
        ):  # fmt: skip
            tracks.append(
                Track(
                    number,
                    revision,
                    time_ns,
                    state,
                    covariance,
                    r,
                    status,
                    "unseen" if status == "dropped" else None,
                    share,
                    claims,
                    seen_by,
                    last_ns,
                    towards_k,
                    _explanation(why, should, claims) if claims or should else why,
                )
            )
        return tracks

    def _gone(self, table: TrackTable) -> list[Track]:
        """Published tracks that have no row any more."""
        confirmed = list(compress(table.keys, table.is_confirmed.tolist()))
        if confirmed == self._alive:
            return []
        gone, self._alive = set(self._alive).difference(confirmed), confirmed
        tracks = []
        for key in gone:  # every confirmed row is in the book once it has been told of
            known = self._book.get(key)
            if known is None or known.track.status == "dropped":
                continue
            time_ns, reason = table.ended.get(key, (table.time_ns or 0, "retracted"))
            one, last_ns = known.track, max(time_ns, known.track.time_ns)
            known.track = replace(one, revision=one.revision + 1, time_ns=last_ns, status="dropped", reason=reason)
            tracks.append(known.track)
        return tracks

    def _forget(self, table: TrackTable, time_ns: int) -> None:
        """Dropped tracks, once their row is gone too: while scans stop, it stands. Looked for once a second."""
        if abs(time_ns - self._forgotten_ns) < FORGET_EVERY_NS:
            return
        self._forgotten_ns = time_ns
        old = [
            key
            for key, known in self._book.items()
            if known.track.status == "dropped" and known.track.time_ns < time_ns - FORGET_NS
        ]
        for key in set(old).difference(table.keys) if old else ():
            del self._book[key]


BY_NUMBER = attrgetter("track_number")


def _is_news(status: str, seen: Seen, known: Published | None, time_ns: int, is_tick: bool) -> bool:
    if known is None:
        return status != "dropped"
    is_over = known.track.status == "dropped"
    if not _is_like(seen, known.seen):
        return not (is_over and status == "dropped")
    if is_over or time_ns <= known.track.time_ns:
        return False
    return status != known.track.status or (is_tick and time_ns - known.track.time_ns >= REPUBLISH_NS)


def _is_like(one: Seen, other: Seen) -> bool:
    """A replay in other steps of time ends in the same numbers but for their last digits."""
    if one[: 8 * COUNTED] != other[: 8 * COUNTED]:
        return False
    return one == other or bool((np.abs(_state(one) - _state(other)) < SAME_STATE).all())


def _state(seen: Seen) -> FloatArray:
    return np.frombuffer(seen, np.float64, offset=8 * COUNTED)


def _statuses(table: TrackTable, rows: IntArray, time_ns: int, is_tick: bool) -> IntArray:
    """Status of each of these rows at a time, as its place in STATUSES."""
    return table.kernels.statuses(rows, time_ns, TICK_MARGIN_NS if is_tick else 0, *table.watched())


def _rows_of(packed: IntArray | FloatArray) -> list[bytes]:
    """The bytes of each row of numbers of 8 bytes."""
    whole, size = packed.tobytes(), 8 * packed.shape[1]
    return [whole[k : k + size] for k in range(0, len(whole), size)]


def _shares(classes: FloatArray) -> list[tuple[tuple[str, float], ...]]:
    """Each row (n, classes) with its names; most tracks have no vote, and share one."""
    rows = _rows_of(classes)
    found = {row: tuple(zip(CLASSES, np.frombuffer(row).tolist(), strict=True)) for row in set(rows)}
    return [found[row] for row in rows]


def _apart(values: FloatArray) -> Iterator[FloatArray]:
    """One array after the other of many, (n, ...): few share their memory, or each would keep that of all."""
    for first in range(0, len(values), TOGETHER):
        yield from values[first : first + TOGETHER].copy()


def _named(names: tuple[str, ...], chosen: BoolArray) -> list[tuple[str, ...]]:
    """The names that each row of a mask (n, names) chooses; rows that choose alike share one tuple."""
    whole, width = chosen.tobytes(), len(names)
    found: dict[bytes, tuple[str, ...]] = {}
    rows = [whole[k : k + width] for k in range(0, len(whole), width)]
    for row in rows:
        if row not in found:
            found[row] = tuple(compress(names, row))
    return [found[row] for row in rows]


def _predicted(
    table: TrackTable, rows: IntArray, time_ns: int
) -> tuple[FloatArray, FloatArray, list[Direction | None]]:
    """States and covariances in ENU at a time, and the directions of those known as directions only."""
    x, P = table.x[rows], table.P[rows] + table.doubt(rows)
    dt_s = (time_ns - (table.time_ns or time_ns)) / 1e9
    as_direction = (table.direction_of[rows] >= 0).nonzero()[0]
    if dt_s > 0.0:
        x, P = motion.predict(x, P, dt_s, table.density(rows))
    towards: list[Direction | None] = [None] * len(rows)
    P = table.kernels.widened(table, rows, P)
    for place in as_direction.tolist():
        sensor = table.sensors[int(table.direction_of[rows[place]])]
        towards[place] = told = direction.to_direction(x[place], P[place], sensor)
        shown = x[place : place + 1].copy()
        low_m, high_m = told.slant_range_m
        shown[0, 2] = 0.5 * float(np.log(low_m * high_m))
        enu_x, enu_P = direction.to_enu(shown, P[place : place + 1], sensor)
        x[place], P[place] = enu_x[0], enu_P[0]
    return x, P, towards


def _explanation(
    explanation: Explanation | None, should_have_seen: tuple[str, ...], claims: tuple[ClaimAgreement, ...]
) -> Explanation | None:
    if explanation is None:
        return None
    against = tuple(sorted({claim.claim.sensor_id for claim in claims if claim.agreement == "contradicts"}))
    one = explanation
    return Explanation(one.sensor_id, one.time_ns, one.considered, one.chosen, against, should_have_seen)
