"""The outbox: every message that the center has not yet acknowledged, on disk.

    add(...) ──▶ queue ──▶ writer thread ──▶ SQLite          pending() reads it, alerts first, then oldest first
    acknowledge(...) ─┘    (one commit a batch)              only an acknowledgement, age or size takes from it

`add` and `acknowledge` never wait for the disk; the writer thread commits what has gathered, at most `GATHER_S` later, in
the order in which it came. A message that is acknowledged before its commit never touches the disk. Killing the process
loses at most the last `GATHER_S`; with WAL and synchronous=NORMAL a power cut may lose the seconds since the operating
system last wrote, but never damages the file (https://www.sqlite.org/wal.html, section 3).

Bounds: messages older than `keep_hours` go. Beyond `limit_bytes` go, until there is room again,

    1. what is less urgent than tracks, oldest first
    2. positions of tracks, oldest first: of each track one a second is kept, then one each 4, 16, 64 and 256 s;
       with every change of what a track is (`thinning.py`); once there is ample room, it begins anew with one a second
    3. the least urgent, oldest first

Every one of them is counted and logged, and health tells of it. Age is counted only by a clock that can be right: a
computer that starts in 1970 must not lose two days of tracks when its time is set.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from edge.outbox_file import OutboxError, open_file, set_aside
from edge.thinning import Thinning

log = logging.getLogger(__name__)

PRIORITIES = {
    "alerts": 0,
    "site": 1,
    "evidence": 2,
    "tracks": 3,
    "detections": 4,
    "media": 5,
}  # lowest number goes first
LAST_PRIORITY = 6
GATHER_S = 0.02  # one commit for what comes within it
RETRY_S = 1.0  # between attempts while the disk refuses
SWEEP_S = 60.0  # between looks at the age of messages
QUEUE_LIMIT_BYTES = 32 * 2**20  # held in memory while the disk refuses
ROW_BYTES = 100  # about what a row costs beyond its payload
ENOUGH = 0.95  # of the limit: room is made down to it, so that it is not made for every message
FIRST_SPACING_S, LAST_SPACING_S, WIDER = 1.0, 256.0, 4.0  # between kept positions of a track that waits for long
ROOMY = 0.5  # of the limit: with no more stored than that, the next outage is thinned from the narrowest spacing on
WALKED_AT_ONCE = 2000  # messages
PLAUSIBLE_NS = 1_735_689_600_000_000_000  # 2025-01-01: a clock before it was never set

Ranges: TypeAlias = Sequence[tuple[int, int]]  # closed ranges of sequence numbers
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


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    run_id: str
    ranges: Ranges

    def covers(self, message: Message) -> bool:
        return message.run_id == self.run_id and any(low <= message.sequence <= high for low, high in self.ranges)


@dataclass(slots=True)
class OutboxCounts:
    """What has happened since the start; pending ones may be of earlier runs."""

    added: int = 0
    acknowledged: int = 0
    pending: int = 0
    pending_bytes: int = 0
    dropped: Counter[str] = field(default_factory=Counter)  # by topic: too old, or no room
    thinned: int = 0  # messages of positions only, left out since there was no room
    spacing_s: float = 0.0  # so far apart are the positions left of a track where that was done last
    trouble: str | None = None  # why nothing can be written at the moment


class Outbox:
    """A disk queue for one post. Any thread may call it; one process may use a file."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        keep_hours: float = 48.0,
        limit_bytes: int = 2**30,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Opens the file, or starts it. Raises OutboxBusy, or OutboxError when it cannot be made."""
        self.path, self._keep_ns, self._limit_bytes = Path(path), int(keep_hours * 3_600e9), limit_bytes
        self._now_ns = now_ns
        self.counts = OutboxCounts()
        self._queue: deque[Message | Acknowledgement] = deque()
        self._queued_bytes = self._queued_messages = 0
        self._stored = self._stored_bytes = 0
        self._changed = threading.Condition()  # guards the queue and the counts
        self._database = threading.Lock()  # guards the connection
        self._asked = self._done = 0  # flushes
        self._is_closing = False
        self._swept_s = time.monotonic()
        self._walk_anew(FIRST_SPACING_S)
        self._connection = open_file(self.path)
        self._count()
        self._drop_old()
        self._thread = threading.Thread(target=self._write_on, name="outbox", daemon=True)
        self._thread.start()

    def told(self) -> OutboxCounts:
        """The counts, all of one moment."""
        with self._changed:
            return replace(self.counts, dropped=Counter(self.counts.dropped))

    def add(self, run_id: str, sequence: int, topic_name: str, payload: bytes) -> None:
        """Keep a message until it is acknowledged. Returns at once."""
        message = Message(run_id, sequence, topic_name, payload)
        with self._changed:
            self.counts.added += 1
            self._queue.append(message)
            self._queued_bytes += message.bytes
            self._queued_messages += 1
            if self._queued_bytes > QUEUE_LIMIT_BYTES:
                self._drop_queued()
            self._tell()

    def acknowledge(self, run_id: str, ranges: Ranges) -> None:
        """The center has committed these; let them go. Returns at once."""
        with self._changed:
            self._queue.append(Acknowledgement(run_id, tuple(ranges)))
            self._tell()

    def pending(self, after: Place = START, limit: int = 100) -> list[tuple[Place, Message]]:
        """The next messages behind a place, most urgent first, then oldest first; everything added before is seen."""
        self.flush()
        query = (
            "SELECT priority, number, run_id, sequence, topic, payload FROM messages"
            " WHERE (priority, number) > (?, ?) ORDER BY priority, number LIMIT ?"
        )
        try:
            with self._database:
                rows = self._connection.execute(query, (*after, limit)).fetchall()
        except sqlite3.OperationalError as error:
            self._note_trouble(str(error))
            return []
        except sqlite3.DatabaseError as error:
            self._start_anew(str(error))
            return []
        return [((priority, number), Message(*message)) for priority, number, *message in rows]

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything given so far is written; False when it could not be in time."""
        with self._changed:
            self._asked += 1
            asked = self._asked
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= asked or not self._thread.is_alive(), timeout_s)

    def close(self) -> None:
        """Write what is left and let go of the file. May be called twice."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(timeout=15.0)
        with self._database, contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # the writer thread

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._asked > self._done or self._is_closing, SWEEP_S)
                self._changed.wait_for(lambda: self._asked > self._done or self._is_closing, GATHER_S)
                batch, asked, is_closing = list(self._queue), self._asked, self._is_closing
            is_written = self._write(batch)
            with self._changed:
                if is_written:
                    self._done = asked
                elif not is_closing:
                    self._changed.wait_for(lambda: self._is_closing, RETRY_S)
                self._tell()
                if is_closing and not (is_written and self._queue):
                    return

    def _write(self, batch: list[Message | Acknowledgement]) -> bool:
        """Commit a batch and take it from the queue; False when the disk refuses, and it stays there."""
        try:
            with self._database:
                return self._commit(batch)
        except sqlite3.OperationalError as error:
            self._note_trouble(str(error))
            with self._database, contextlib.suppress(sqlite3.Error):
                self._count()  # what was taken has been put back
        except sqlite3.DatabaseError as error:
            self._start_anew(str(error))
        return False

    def _start_anew(self, why: str) -> None:
        """Set a damaged file aside and go on with an empty one; what is queued goes there."""
        try:
            with self._database:
                self._connection.close()
                set_aside(self.path, why)
                self._connection = open_file(self.path)
                self._count()
                self._walk_anew(FIRST_SPACING_S)
        except (sqlite3.Error, OSError, OutboxError) as error:
            self._note_trouble(str(error))

    def _commit(self, batch: list[Message | Acknowledgement]) -> bool:
        fresh: dict[tuple[str, int], Message] = {}
        deletions: list[tuple[str, int, int]] = []
        acknowledged = 0
        for item in batch:
            if isinstance(item, Message):
                fresh[item.run_id, item.sequence] = item
                continue
            deletions += [(item.run_id, low, high) for low, high in item.ranges]
            for key in [key for key, message in fresh.items() if item.covers(message)]:
                del fresh[key]
                acknowledged += 1
        now_ns = self._now_ns()
        added_ns = now_ns if now_ns >= PLAUSIBLE_NS else None
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for deletion in deletions:
                freed = self._take("run_id = ? AND sequence BETWEEN ? AND ?", deletion)
                acknowledged += sum(count for count, _ in freed.values())
            inserted = self._connection.executemany(
                "INSERT OR IGNORE INTO messages (run_id, sequence, topic, priority, added_ns, payload)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(m.run_id, m.sequence, m.topic_name, m.priority, added_ns, m.payload) for m in fresh.values()],
            ).rowcount
        with self._changed:
            self.counts.acknowledged += acknowledged
            self._stored += len(fresh)
            self._stored_bytes += sum(message.bytes for message in fresh.values())
            self._forget(batch)
            self._tell()
        if fresh and inserted != len(fresh):  # a sequence number was given twice
            self._count()
        if time.monotonic() - self._swept_s >= SWEEP_S:
            self._drop_old()
        self._make_room()
        self._note_trouble(None)
        return True

    def _take(self, where: str, values: tuple[object, ...]) -> dict[str, tuple[int, int]]:
        """Delete rows; how many of each topic, and their bytes, which are taken off what is stored."""
        query = f"SELECT topic, COUNT(*), SUM(LENGTH(payload) + {ROW_BYTES}) FROM messages WHERE {where} GROUP BY topic"
        taken = {topic: (count, size) for topic, count, size in self._connection.execute(query, values)}
        if taken:
            self._connection.execute(f"DELETE FROM messages WHERE {where}", values)
        with self._changed:
            self._stored -= sum(count for count, _ in taken.values())
            self._stored_bytes -= sum(size for _, size in taken.values())
        return taken

    def _drop_old(self) -> None:
        self._swept_s = time.monotonic()
        if (now_ns := self._now_ns()) < PLAUSIBLE_NS:
            return
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            taken = self._take("added_ns < ?", (now_ns - self._keep_ns,))
        self._note_dropped({topic: count for topic, (count, _) in taken.items()}, "older than the outbox keeps")

    def _make_room(self) -> None:
        if self._stored_bytes <= ROOMY * self._limit_bytes:
            self._walk_anew(FIRST_SPACING_S)
        if self._stored_bytes <= self._limit_bytes:
            return
        self._drop_oldest(f"priority > {PRIORITIES['tracks']}")
        self._thin_tracks()
        self._drop_oldest("TRUE")

    def _drop_oldest(self, where: str) -> None:
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
        self._note_dropped(dropped, "no room in the outbox")

    def _thin_tracks(self) -> None:
        """Go on with the walk from the oldest track message to the newest; at its end one begins that leaves fewer.

        At the widest spacing it begins again, for what came behind an earlier walk; a whole one that is not enough ends it."""
        query = (
            "SELECT number, run_id, payload FROM messages"
            f" WHERE priority = {PRIORITIES['tracks']} AND number > ? ORDER BY number LIMIT {WALKED_AT_ONCE}"
        )
        gone, is_whole = 0, False
        while self._excess() > 0:
            rows = self._connection.execute(query, (self._thinned_up_to,)).fetchall()
            if rows:
                gone += self._thin(rows)
            elif is_whole and self._thinning.spacing_s >= LAST_SPACING_S:
                break
            else:
                self._walk_anew(min(WIDER * self._thinning.spacing_s, LAST_SPACING_S))
                is_whole = True
        self._note_thinned(gone)

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
        return self._stored_bytes - int(ENOUGH * self._limit_bytes)

    def _delete(self, numbers: Sequence[int]) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for number in numbers:
                self._take("number = ?", (number,))

    def _count(self) -> None:
        query = f"SELECT COUNT(*), COALESCE(SUM(LENGTH(payload) + {ROW_BYTES}), 0) FROM messages"
        count, size = self._connection.execute(query).fetchone()
        with self._changed:
            self._stored, self._stored_bytes = count, size
            self._tell()

    # under self._changed

    def _forget(self, batch: Iterable[Message | Acknowledgement]) -> None:
        """Take a written batch from the queue's front; some of it may have been dropped there meanwhile."""
        for item in batch:
            if self._queue and self._queue[0] is item:
                self._queue.popleft()
                if isinstance(item, Message):
                    self._queued_messages -= 1
                    self._queued_bytes -= item.bytes

    def _drop_queued(self) -> None:
        index = next(i for i, item in enumerate(self._queue) if isinstance(item, Message))
        item = self._queue[index]
        del self._queue[index]
        if isinstance(item, Message):
            self._queued_messages -= 1
            self._queued_bytes -= item.bytes
            self._note_dropped({item.topic_name: 1}, "the disk takes nothing and the memory for it is full")

    def _tell(self) -> None:
        self.counts.pending = self._stored + self._queued_messages
        self.counts.pending_bytes = self._stored_bytes + self._queued_bytes
        self._changed.notify_all()

    def _note_dropped(self, dropped: dict[str, int], why: str) -> None:
        if dropped:
            with self._changed:
                is_first = not self.counts.dropped
                self.counts.dropped.update(dropped)
            level = logging.WARNING if is_first else logging.INFO
            log.log(level, "outbox %s dropped %s: %s", self.path, dict(dropped), why)

    def _note_thinned(self, count: int) -> None:
        if count:
            with self._changed:
                is_first = not self.counts.thinned
                self.counts.thinned += count
                self.counts.spacing_s = self._thinning.spacing_s
            level = logging.WARNING if is_first else logging.INFO
            text = "outbox %s has no room: %d positions left out, of each track one each %.0f s is kept"
            log.log(level, text, self.path, count, self._thinning.spacing_s)

    def _note_trouble(self, text: str | None) -> None:
        with self._changed:
            before, self.counts.trouble = self.counts.trouble, text
        if text and not before:
            log.warning("outbox %s cannot be written: %s; retrying", self.path, text)
        elif before and not text:
            log.warning("outbox %s can be written again", self.path)
