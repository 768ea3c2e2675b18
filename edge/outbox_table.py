"""What waits for the center, as rows in the outbox's file, and how room is made there.

    write(messages, acknowledged) ──▶ rows ──▶ after(place) reads them, alerts first, then oldest first
    drop_old(), make_room()  ──▶ what they left out, for the outbox to tell of

Whoever calls it holds the outbox's lock on the database. `stored` and `stored_bytes` are of what is committed; nothing here
logs, counts for health or waits. Bounds, in this order, beyond `limit_bytes` and until there is room again:

    1. what is less urgent than tracks, oldest first
    2. positions of tracks, oldest first: of each track one a second is kept, then one each 4, 16, 64 and 256 s;
       with every change of what a track is (`thinning.py`); once there is ample room, it begins anew with one a second
    3. the least urgent, oldest first
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edge.outbox_file import OutboxError, open_file, set_aside
from edge.thinning import Thinning

PRIORITIES = {
    "alerts": 0,
    "site": 1,
    "evidence": 2,
    "tracks": 3,
    "detections": 4,
    "media": 5,
}  # lowest number goes first
LAST_PRIORITY = 6
ROW_BYTES = 100  # about what a row costs beyond its payload
ENOUGH = 0.95  # of the limit: room is made down to it, so that it is not made for every message
FIRST_SPACING_S, LAST_SPACING_S, WIDER = 1.0, 256.0, 4.0  # between kept positions of a track that waits for long
ROOMY = 0.5  # of the limit: with no more stored than that, the next outage is thinned from the narrowest spacing on
WALKED_AT_ONCE = 2000  # messages

Place: TypeAlias = tuple[int, int]  # priority and number of a row
START: Place = (-1, 0)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the center; (run_id, sequence) names it."""

    run_id: str
    sequence: int
    topic_name: str
    payload: bytes

    @property
    def priority(self) -> int:
        return PRIORITIES.get(self.topic_name, LAST_PRIORITY)

    @property
    def bytes(self) -> int:
        return len(self.payload) + ROW_BYTES


@dataclass(slots=True)
class LeftOut:
    """What went to make room."""

    dropped: Counter[str] = field(default_factory=Counter)  # messages by topic
    thinned: int = 0  # positions
    spacing_s: float = 0.0  # between the positions that are left of a track


class OutboxTable:
    """The rows of one outbox.

    Everything but `close` raises sqlite3.Error when the disk refuses or the file is damaged; what is written then is what
    was before, and `count` has to be called once it can be."""

    def __init__(self, path: Path, keep_ns: int, limit_bytes: int) -> None:
        """Opens the file, or starts it. Raises OutboxBusy, or OutboxError when it cannot be made."""
        self.path, self._keep_ns, self._limit_bytes = path, keep_ns, limit_bytes
        self.stored = self.stored_bytes = 0
        self._connection = open_file(path)
        self._is_aside = False  # a damaged file, and nothing has taken its place yet
        self._walk_anew(FIRST_SPACING_S)
        try:
            self.count()
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise OutboxError(f"{path}: cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:  # of a file too large to be looked through when it was opened
            self.start_anew(str(error))

    def start_anew(self, why: str) -> None:
        """Set a damaged file aside and go on with an empty one. Raises OutboxError, OSError or sqlite3.Error."""
        self._connection.close()
        if not self._is_aside:  # else it was put aside before, and no new one could be begun
            set_aside(self.path, why)
            self._is_aside = True
        self._connection = open_file(self.path)
        self._is_aside = False
        self._walk_anew(FIRST_SPACING_S)
        self.count()

    def close(self) -> None:
        self._connection.close()

    def after(self, place: Place, limit: int) -> list[tuple[Place, Message]]:
        """The next messages behind a place, most urgent first, then oldest first."""
        query = (
            "SELECT priority, number, run_id, sequence, topic, payload FROM messages"
            " WHERE (priority, number) > (?, ?) ORDER BY priority, number LIMIT ?"
        )
        rows = self._connection.execute(query, (*place, limit)).fetchall()
        return [((priority, number), Message(*message)) for priority, number, *message in rows]

    def write(
        self, messages: Sequence[Message], acknowledged: Sequence[tuple[str, int, int]], added_ns: int | None
    ) -> int:
        """Take away what is acknowledged (run, first and last sequence number), then add these, in one commit.

        How many rows were taken away. `added_ns` is None where no clock can be trusted."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            taken = [self._take("run_id = ? AND sequence BETWEEN ? AND ?", closed) for closed in acknowledged]
            inserted = self._connection.executemany(
                "INSERT OR IGNORE INTO messages (run_id, sequence, topic, priority, added_ns, payload)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(m.run_id, m.sequence, m.topic_name, m.priority, added_ns, m.payload) for m in messages],
            ).rowcount
        self.stored += len(messages)
        self.stored_bytes += sum(message.bytes for message in messages)
        if messages and inserted != len(messages):  # a sequence number was given twice
            self.count()
        return sum(sum(counts.values()) for counts in taken)

    def count(self) -> None:
        """Count anew what is stored."""
        query = f"SELECT COUNT(*), COALESCE(SUM(LENGTH(payload) + {ROW_BYTES}), 0) FROM messages"
        self.stored, self.stored_bytes = self._connection.execute(query).fetchone()

    def drop_old(self, now_ns: int) -> Counter[str]:
        """Drop what is older than is to be kept; how many messages of each topic."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            return self._take("added_ns < ?", (now_ns - self._keep_ns,))

    def make_room(self, left_out: LeftOut) -> None:
        """Bring what is stored below the limit. What goes is put into `left_out`, also where the disk refuses midway."""
        if self.stored_bytes <= ROOMY * self._limit_bytes:
            self._walk_anew(FIRST_SPACING_S)
        if self.stored_bytes > self._limit_bytes:
            self._drop_oldest(f"priority > {PRIORITIES['tracks']}", left_out)
            self._thin_tracks(left_out)
            self._drop_oldest("TRUE", left_out)

    def _take(self, where: str, values: tuple[object, ...]) -> Counter[str]:
        """Delete rows, within a transaction; how many of each topic."""
        query = f"SELECT topic, COUNT(*), SUM(LENGTH(payload) + {ROW_BYTES}) FROM messages WHERE {where} GROUP BY topic"
        taken = self._connection.execute(query, values).fetchall()
        if taken:
            self._connection.execute(f"DELETE FROM messages WHERE {where}", values)
        self.stored -= sum(count for _, count, _ in taken)
        self.stored_bytes -= sum(size for _, _, size in taken)
        return Counter({topic: count for topic, count, _ in taken})

    def _drop_oldest(self, where: str, left_out: LeftOut) -> None:
        """Of the messages in question the least urgent, oldest first, as far as room is needed."""
        excess, dropped = self._excess(), Counter[str]()
        query = f"SELECT number, topic, LENGTH(payload) FROM messages WHERE {where} ORDER BY priority DESC, number"
        numbers: list[int] = []
        for number, topic, size in self._connection.execute(query) if excess > 0 else ():
            if excess <= 0:
                break
            numbers.append(number)
            dropped[topic] += 1
            excess -= size + ROW_BYTES
        self._delete(numbers)
        left_out.dropped += dropped

    def _thin_tracks(self, left_out: LeftOut) -> None:
        """Go on with the walk from the oldest track message to the newest; at its end one begins that leaves fewer.

        At the widest spacing it begins again, for what came behind an earlier walk; a whole one that is not enough ends it."""
        query = (
            "SELECT number, run_id, payload FROM messages"
            f" WHERE priority = {PRIORITIES['tracks']} AND number > ? ORDER BY number LIMIT {WALKED_AT_ONCE}"
        )
        is_whole = False
        while self._excess() > 0:
            rows = self._connection.execute(query, (self._thinned_up_to,)).fetchall()
            if rows:
                left_out.thinned += self._thin(rows)
                left_out.spacing_s = self._thinning.spacing_s
            elif is_whole and self._thinning.spacing_s >= LAST_SPACING_S:
                break
            else:
                self._walk_anew(min(WIDER * self._thinning.spacing_s, LAST_SPACING_S))
                is_whole = True

    def _walk_anew(self, spacing_s: float) -> None:
        self._thinning, self._thinned_up_to = Thinning(spacing_s), 0  # the walk, and its last row's number

    def _thin(self, rows: Sequence[tuple[int, str, bytes]]) -> int:
        """Delete of these rows what may go, as far as room is needed; how many."""
        excess, numbers = self._excess(), []
        for number, run_id, payload in rows:
            if excess <= 0:
                break
            self._thinned_up_to = number
            if not self._thinning.keeps(run_id, payload):
                numbers.append(number)
                excess -= len(payload) + ROW_BYTES
        self._delete(numbers)
        return len(numbers)

    def _excess(self) -> int:
        """Bytes by which more is stored than should be."""
        return self.stored_bytes - int(ENOUGH * self._limit_bytes)

    def _delete(self, numbers: Sequence[int]) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for number in numbers:
                self._take("number = ?", (number,))
