"""The outbox: every message that the center has not yet acknowledged, on disk.

    add(...) ──▶ queue ──▶ writer thread ──▶ SQLite          pending() reads it, alerts first, then oldest first
    acknowledge(...) ─┘    (one commit a batch)              only an acknowledgement, age or size takes from it

`add` and `acknowledge` never wait for the disk; the writer thread commits what has gathered, at most `GATHER_S` later, in
the order in which it came. A message that is acknowledged before its commit never touches the disk. Killing the process
loses at most the last `GATHER_S`; with WAL and synchronous=NORMAL a power cut may lose the seconds since the operating
system last wrote, but never damages the file (https://www.sqlite.org/wal.html, section 3).

Messages older than `keep_hours` go, and beyond `limit_bytes` as many as needed (`outbox_table.py` says which). Every one
of them is counted and logged, and health tells of it. Age is counted only by a clock that can be right: a computer that
starts in 1970 must not lose two days of tracks when its time is set.
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

from edge.outbox_file import OutboxError
from edge.outbox_table import START, LeftOut, Message, OutboxTable, Place

log = logging.getLogger(__name__)

GATHER_S = 0.02  # one commit for what comes within it
RETRY_S = 1.0  # between attempts while the disk refuses
SWEEP_S = 60.0  # between looks at the age of messages
QUEUE_LIMIT_BYTES = 32 * 2**20  # held in memory while the disk refuses
PLAUSIBLE_NS = 1_735_689_600_000_000_000  # 2025-01-01: a clock before it was never set

Ranges: TypeAlias = Sequence[tuple[int, int]]  # closed ranges of sequence numbers


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
        self.path, self._now_ns = Path(path), now_ns
        self.counts = OutboxCounts()
        self._queue: deque[Message | Acknowledgement] = deque()
        self._queued_bytes = self._queued_messages = 0
        self._stored = self._stored_bytes = 0  # as the table had it last
        self._changed = threading.Condition()  # guards the queue and the counts
        self._database = threading.Lock()  # guards the table
        self._asked, self._done = 1, 0  # flushes; the first is our own, and lets go of what has become too old
        self._is_closing = False
        self._swept_s = float("-inf")  # monotonic
        self._table = OutboxTable(self.path, int(keep_hours * 3_600e9), limit_bytes)
        self._note_stored()
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
        try:
            with self._database:
                return self._table.after(after, limit)
        except sqlite3.OperationalError as error:
            self._note_trouble(str(error))
        except sqlite3.DatabaseError as error:
            self._start_anew(str(error))
        return []

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
            self._table.close()

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
                self._commit(batch)
        except sqlite3.OperationalError as error:
            self._note_trouble(str(error))
            with self._database, contextlib.suppress(sqlite3.Error):
                self._table.count()  # what was taken has been put back
                self._note_stored()
        except sqlite3.DatabaseError as error:
            self._start_anew(str(error))
        else:
            return True
        return False

    def _start_anew(self, why: str) -> None:
        """Go on with an empty file; what is queued goes there."""
        try:
            with self._database:
                self._table.start_anew(why)
                self._note_stored()
        except (sqlite3.Error, OSError, OutboxError) as error:
            self._note_trouble(str(error))

    def _commit(self, batch: list[Message | Acknowledgement]) -> None:
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
        acknowledged += self._table.write(list(fresh.values()), deletions, now_ns if now_ns >= PLAUSIBLE_NS else None)
        with self._changed:
            self.counts.acknowledged += acknowledged
            self._forget(batch)
            self._note_stored()
        if time.monotonic() - self._swept_s >= SWEEP_S:
            self._drop_old()
        self._make_room()
        self._note_stored()
        self._note_trouble(None)

    def _make_room(self) -> None:
        left_out = LeftOut()
        try:
            self._table.make_room(left_out)
        finally:  # what is gone is told of also where the disk refuses the rest
            self._note_left_out(left_out)

    def _drop_old(self) -> None:
        self._swept_s = time.monotonic()
        if (now_ns := self._now_ns()) >= PLAUSIBLE_NS:
            self._note_dropped(self._table.drop_old(now_ns), "older than the outbox keeps")

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
            self._note_dropped(Counter({item.topic_name: 1}), "the disk takes nothing and the memory for it is full")

    def _tell(self) -> None:
        self.counts.pending = self._stored + self._queued_messages
        self.counts.pending_bytes = self._stored_bytes + self._queued_bytes
        self._changed.notify_all()

    # for health and the log

    def _note_stored(self) -> None:
        with self._changed:
            self._stored, self._stored_bytes = self._table.stored, self._table.stored_bytes
            self._tell()

    def _note_dropped(self, dropped: Counter[str], why: str) -> None:
        if dropped:
            with self._changed:
                is_first = not self.counts.dropped
                self.counts.dropped.update(dropped)
            level = logging.WARNING if is_first else logging.INFO
            log.log(level, "outbox %s dropped %s: %s", self.path, dict(dropped), why)

    def _note_left_out(self, left_out: LeftOut) -> None:
        self._note_dropped(left_out.dropped, "no room in the outbox")
        if left_out.thinned:
            with self._changed:
                is_first = not self.counts.thinned
                self.counts.thinned += left_out.thinned
                self.counts.spacing_s = left_out.spacing_s
            level = logging.WARNING if is_first else logging.INFO
            text = "outbox %s has no room: %d positions left out, of each track one each %.0f s is kept"
            log.log(level, text, self.path, left_out.thinned, left_out.spacing_s)

    def _note_trouble(self, text: str | None) -> None:
        with self._changed:
            before, self.counts.trouble = self.counts.trouble, text
        if text and not before:
            log.warning("outbox %s cannot be written: %s; retrying", self.path, text)
        elif before and not text:
            log.warning("outbox %s can be written again", self.path)
