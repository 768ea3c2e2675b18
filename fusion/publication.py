"""From rows to published tracks: numbers, revisions, statuses, and what is said when a row is gone.

A row gets its number when it is first confirmed; the number is never given to another. A row that a rewind removes is
published as dropped, "retracted". Dropped is the last that is said of a number: a row that is detected again afterwards
has a new one. Without a new detection a track's time and status only go forward, whoever tells of it: ticks, or late scans
of other sensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fusion import direction, motion
from fusion.classification import probabilities
from fusion.lifecycle import coast_after_ns, unseen_limit_ns
from fusion.mounting_error import mounting_covariance
from fusion.track_table import TrackKey, TrackTable
from fusion.types import CLASSES, ClaimAgreement, Direction, Explanation, FloatArray, Track

SEEN_LATELY_NS = 5_000_000_000  # sensors that have seen a track so lately are named
REPUBLISH_NS = 950_000_000  # ticks tell of a moving track about once a second
TICK_MARGIN_NS = 1_000_000_000  # a tick waits this much longer than a scan before it drops: scans are on their way
SAME_STATE = 1e-4  # metres or radians
FORGET_NS = 60_000_000_000  # dropped tracks are remembered this long, far beyond any rewind

ClaimsOf = Callable[[TrackKey, int], tuple[ClaimAgreement, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its last update left it: changes with every detection worked in, and with nothing else."""

    counted: tuple[int, int, int]  # last detection's time, how many, as seen by which sensor
    x: FloatArray  # (6,)

    def is_like(self, other: Row) -> bool:
        """A replay in other steps of time ends in the same numbers but for their last digits."""
        return self.counted == other.counted and bool(np.abs(self.x - other.x).max() < SAME_STATE)


@dataclass(slots=True)
class Published:
    """What was last said of one track."""

    track: Track
    row: Row


class Publication:
    """The public book of tracks."""

    def __init__(self, claims_of: ClaimsOf) -> None:
        self._claims_of = claims_of
        self._book: dict[TrackKey, Published] = {}
        self._next_number = 1

    def changes(self, table: TrackTable, now_ns: int | None = None) -> tuple[Track, ...]:
        """Tracks whose published form differs from what was last said. now_ns: a tick, that lets time pass."""
        tracks = self._gone(table)
        time_ns = max(table.time_ns or 0, now_ns or 0)
        statuses = _statuses(table, time_ns, now_ns is not None)
        for row in np.flatnonzero(table.is_confirmed).tolist():
            known = self._book.get(table.keys[row])
            if self._is_news(table, row, statuses[row], known, time_ns, now_ns is not None):
                tracks.append(self._publish(table, row, statuses[row], time_ns))
        self._forget(table, time_ns)
        return tuple(sorted(tracks, key=lambda track: track.track_number))

    def tracks_at(self, table: TrackTable, time_ns: int) -> tuple[Track, ...]:
        """Published tracks that live, predicted to a time that is not before the table's."""
        time_ns = max(time_ns, table.time_ns or 0)
        statuses = _statuses(table, time_ns, True)
        tracks = []
        for row in np.flatnonzero(table.is_confirmed).tolist():
            known = self._book.get(table.keys[row])
            if known is not None and "dropped" not in (statuses[row], known.track.status):
                number, revision = known.track.track_number, known.track.revision
                tracks.append(self._form(table, row, number, revision, statuses[row], time_ns))
        return tuple(sorted(tracks, key=lambda track: track.track_number))

    def claim_changed(self, table: TrackTable, key: TrackKey) -> tuple[Track, ...]:
        """The track a claim belongs to, with the claim."""
        if key not in table.keys or key not in self._book or self._book[key].track.status == "dropped":
            return ()
        row, time_ns = table.keys.index(key), max(table.time_ns or 0, self._book[key].track.time_ns)
        return (self._publish(table, row, _statuses(table, time_ns, True)[row], time_ns),)

    def _is_news(
        self, table: TrackTable, row: int, status: str, known: Published | None, time_ns: int, is_tick: bool
    ) -> bool:
        if known is None:
            return status != "dropped"
        is_over = known.track.status == "dropped"
        if not _row(table, row).is_like(known.row):
            return not (is_over and status == "dropped")
        if is_over or time_ns <= known.track.time_ns:
            return False
        return status != known.track.status or (is_tick and time_ns - known.track.time_ns >= REPUBLISH_NS)

    def _publish(self, table: TrackTable, row: int, status: str, time_ns: int) -> Track:
        key = table.keys[row]
        known = self._book.pop(key, None)
        if known is None or known.track.status == "dropped":
            number, revision = self._next_number, 1
            self._next_number += 1
        else:
            number, revision = known.track.track_number, known.track.revision + 1
        track = self._form(table, row, number, revision, status, time_ns)
        self._book[key] = Published(track, _row(table, row))
        return track

    def _form(self, table: TrackTable, row: int, number: int, revision: int, status: str, time_ns: int) -> Track:
        key = table.keys[row]
        x, P, towards = _predicted(table, row, time_ns)
        claims = self._claims_of(key, time_ns)
        return Track(
            track_number=number,
            revision=revision,
            time_ns=time_ns,
            state=x,
            covariance=P,
            existence_probability=float(table.existence[row]),
            status=status,
            reason="unseen" if status == "dropped" else None,
            classes=tuple(zip(CLASSES, probabilities(table.class_log[row]).tolist(), strict=True)),
            claims=claims,
            sensor_ids=_seen_by(table, row, time_ns),
            last_detection_ns=int(table.last_ns[row]),
            direction=towards,
            explanation=_explanation(table, row, time_ns, claims),
        )

    def _gone(self, table: TrackTable) -> list[Track]:
        """Published tracks that have no row any more."""
        alive = set(table.keys)
        tracks = []
        for key, known in self._book.items():
            if known.track.status == "dropped" or (key in alive and table.is_confirmed[table.keys.index(key)]):
                continue
            time_ns, reason = table.ended.get(key, (table.time_ns or 0, "retracted"))
            track = replace(known.track, revision=known.track.revision + 1, status="dropped", reason=reason)
            track = replace(track, time_ns=max(time_ns, known.track.time_ns))
            known.track = track
            tracks.append(track)
        return tracks

    def _forget(self, table: TrackTable, time_ns: int) -> None:
        """Dropped tracks, once their row is gone too: while scans stop, it stands."""
        alive = set(table.keys)
        old = [
            key
            for key, known in self._book.items()
            if known.track.status == "dropped" and known.track.time_ns < time_ns - FORGET_NS and key not in alive
        ]
        for key in old:
            del self._book[key]


def _statuses(table: TrackTable, time_ns: int, is_tick: bool) -> list[str]:
    """Status of each row at a time."""
    unseen_ns = time_ns - table.last_ns
    coasting = unseen_ns > coast_after_ns(table)
    dropped = unseen_ns > unseen_limit_ns(table) + (TICK_MARGIN_NS if is_tick else 0)
    return ["dropped" if d else "coasting" if c else "confirmed" for d, c in zip(dropped, coasting, strict=True)]


def _row(table: TrackTable, row: int) -> Row:
    counted = (int(table.last_ns[row]), int(table.hits[row]), int(table.direction_of[row]))
    return Row(counted, table.updated_x[row].copy())


def _predicted(table: TrackTable, row: int, time_ns: int) -> tuple[FloatArray, FloatArray, Direction | None]:
    """State and covariance in ENU at a time, and the direction where that is all that is known."""
    x, P = table.x[row : row + 1], table.P[row : row + 1]
    dt_s = (time_ns - (table.time_ns or time_ns)) / 1e9
    q = table.q
    if table.direction_of[row] >= 0:
        range_m = direction.manoeuvre_range_m(x[:, 2], table.size_log[[row]], table.size_count[[row]])
        q = np.full(3, q.max() / float(range_m[0]) ** 2)
    if dt_s > 0.0:
        x, P = motion.predict(x, P, dt_s, q)
    if table.direction_of[row] < 0:
        return x[0].copy(), P[0] + mounting_covariance(table, np.array([row]))[0], None
    sensor = table.sensors[int(table.direction_of[row])]
    towards = direction.to_direction(x[0], P[0], sensor)
    shown = x.copy()
    shown[0, 2] = 0.5 * float(np.log(towards.slant_range_m[0] * towards.slant_range_m[1]))
    enu_x, enu_P = direction.to_enu(shown, P, sensor)
    return enu_x[0], enu_P[0], towards


def _seen_by(table: TrackTable, row: int, time_ns: int) -> tuple[str, ...]:
    lately = np.flatnonzero(table.seen_ns[row] > time_ns - SEEN_LATELY_NS)
    return tuple(table.sensors[int(number)].sensor_id for number in lately)


def _explanation(table: TrackTable, row: int, time_ns: int, claims: tuple[ClaimAgreement, ...]) -> Explanation | None:
    explanation = table.explanations[row]
    if explanation is None:
        return None
    silent = (table.missed_ns[row] > table.seen_ns[row]) & (table.missed_ns[row] > time_ns - SEEN_LATELY_NS)
    against = sorted({claim.claim.sensor_id for claim in claims if claim.agreement == "contradicts"})
    should = tuple(table.sensors[int(number)].sensor_id for number in np.flatnonzero(silent))
    return replace(explanation, dissenting=tuple(against), should_have_seen=should)
