"""From rows to published tracks: numbers, revisions, statuses, and what is said when a row is gone.

A row gets its number when it is first confirmed; the number belongs to its birth and is never given to another. A row that a
rewind removes is published as dropped, "retracted". Should a later rewind bring the same birth back, it has its old number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fusion import direction, motion
from fusion.classification import probabilities
from fusion.lifecycle import coast_after_ns, unseen_limit_ns
from fusion.track_table import TrackKey, TrackTable
from fusion.types import CLASSES, ClaimAgreement, Direction, Explanation, FloatArray, Track

SEEN_LATELY_NS = 5_000_000_000  # sensors that have seen a track so lately are named
REPUBLISH_NS = 950_000_000  # ticks tell of a moving track about once a second
TICK_MARGIN_NS = 1_000_000_000  # a tick waits this much longer than a scan before it drops: scans are on their way
FORGET_NS = 60_000_000_000  # dropped tracks are remembered this long, far beyond any rewind

ClaimsOf = Callable[[TrackKey, int], tuple[ClaimAgreement, ...]]


@dataclass(slots=True)
class Published:
    """What was last said of one track."""

    track: Track
    row: bytes  # the row as its last update left it


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
            if known is None or self._differs(table, row, statuses[row], known, time_ns, now_ns is not None):
                tracks.append(self._publish(table, row, statuses[row], time_ns))
        self._forget(time_ns)
        return tuple(sorted(tracks, key=lambda track: track.track_number))

    def tracks_at(self, table: TrackTable, time_ns: int) -> tuple[Track, ...]:
        """Published tracks that live, predicted to a time that is not before the table's."""
        time_ns = max(time_ns, table.time_ns or 0)
        statuses = _statuses(table, time_ns, True)
        tracks = []
        for row in np.flatnonzero(table.is_confirmed).tolist():
            known = self._book.get(table.keys[row])
            if known is not None and statuses[row] != "dropped":
                number, revision = known.track.track_number, known.track.revision
                tracks.append(self._form(table, row, number, revision, statuses[row], time_ns))
        return tuple(sorted(tracks, key=lambda track: track.track_number))

    def claim_changed(self, table: TrackTable, key: TrackKey) -> tuple[Track, ...]:
        """The track a claim belongs to, with the claim."""
        if key not in table.keys or key not in self._book or self._book[key].track.status == "dropped":
            return ()
        row, time_ns = table.keys.index(key), table.time_ns or 0
        return (self._publish(table, row, _statuses(table, time_ns, False)[row], time_ns),)

    def _differs(self, table: TrackTable, row: int, status: str, known: Published, time_ns: int, is_tick: bool) -> bool:
        if status == "dropped" and known.track.status == "dropped":
            return False
        if status != known.track.status or _fingerprint(table, row) != known.row:
            return True
        return is_tick and time_ns - known.track.time_ns >= REPUBLISH_NS

    def _publish(self, table: TrackTable, row: int, status: str, time_ns: int) -> Track:
        key = table.keys[row]
        known = self._book.pop(key, None)
        if known is None:
            number, revision = self._next_number, 1
            self._next_number += 1
        else:
            number, revision = known.track.track_number, known.track.revision + 1
        track = self._form(table, row, number, revision, status, time_ns)
        self._book[key] = Published(track, _fingerprint(table, row))
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

    def _forget(self, time_ns: int) -> None:
        old = [
            key
            for key, known in self._book.items()
            if known.track.status == "dropped" and known.track.time_ns < time_ns - FORGET_NS
        ]
        for key in old:
            del self._book[key]


def _statuses(table: TrackTable, time_ns: int, is_tick: bool) -> list[str]:
    """Status of each row at a time."""
    unseen_ns = time_ns - table.last_ns
    coasting = unseen_ns > coast_after_ns(table)
    dropped = unseen_ns > unseen_limit_ns(table) + (TICK_MARGIN_NS if is_tick else 0)
    return ["dropped" if d else "coasting" if c else "confirmed" for d, c in zip(dropped, coasting, strict=True)]


def _fingerprint(table: TrackTable, row: int) -> bytes:
    """Changes with every update of the row and with nothing else."""
    counted = np.array([table.last_ns[row], table.hits[row], table.direction_of[row]], dtype=np.int64)
    return bytes(table.updated_x[row].tobytes() + counted.tobytes())


def _predicted(table: TrackTable, row: int, time_ns: int) -> tuple[FloatArray, FloatArray, Direction | None]:
    """State and covariance in ENU at a time, and the direction where that is all that is known."""
    x, P = table.x[row : row + 1], table.P[row : row + 1]
    dt_s = (time_ns - (table.time_ns or time_ns)) / 1e9
    q = table.q if table.direction_of[row] < 0 else np.full(3, table.q.max() / float(np.exp(x[0, 2])) ** 2)
    if dt_s > 0.0:
        x, P = motion.predict(x, P, dt_s, q)
    if table.direction_of[row] < 0:
        return x[0].copy(), P[0].copy(), None
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
