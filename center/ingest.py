"""From the broker into the store: every message is read, kept once, committed, and only then acknowledged.

    broker ──▶ network thread ──▶ read, sort out duplicates ──▶ on_received (the live picture, at once)
                                           │          └── sensors, scans ──▶ on_scans (the tracker; not kept)
                                           ▼
                                   writing thread ──▶ commit (each 40 ms or 500 messages) ──▶ ack to the post

A post sends again what was not acknowledged, so a duplicate is acknowledged too, after whatever stands before it in the
queue has been committed. An acknowledgement names the whole committed ranges that its messages lie in: a lost one is made
good by the next. While the store cannot write, nothing is acknowledged and the queue fills; what does not fit is refused
and comes again from the post's outbox. A message that the store cannot hold is kept as a fault, and holds up no other.
The connection with the broker is `broker_link.py`'s.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import paho.mqtt.client as mqtt

from center.broker_link import BrokerLink
from center.clock_witnesses import ClockWitnesses
from center.keeping import Keeping
from center.ranges import Range, SequenceRanges
from center.received import FOR_THE_TRACKER, Received, Refused, read
from center.settings import BrokerSettings, RetentionSettings
from center.store import RunKey, Store
from fusion.wire import VERSION, AckMessage, encode, topic

log = logging.getLogger("sarhad.center")

BATCH_S = 0.04
BATCH_SIZE = 500
QUEUE_SIZE = 4_000  # messages waiting for the store, and
QUEUE_BYTES = 33_554_432  # of them; usual messages have 2 kB
MAX_RUNS = 10_000  # held in memory; of the one not heard for longest the store is asked again
OWN = 60  # messages of our own that may still come back: a minute of them
FORGET_EVERY_S = 60.0
FIRST_FORGET_S = 60.0  # after the start: until then posts have told what time it is
FORGET_PAUSE_S = 0.2  # between pieces of what is to be deleted: the posts go first
RETRY_S = (0.5, 10.0)  # shortest and longest pause after a failed commit
STOP_WITHIN_S = 10.0

Deliver = Callable[[Received], None]


class Ingest:
    """What the broker brings, kept once. `on_received` is called from the network thread, once for each new message.

    So is `on_scans`, for what is not kept.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        store: Store,
        retention: RetentionSettings,
        on_received: Deliver,
        on_scans: Deliver = lambda received: None,
    ) -> None:
        self._store, self._on_received, self._on_scans = store, on_received, on_scans
        self._keeping = Keeping(retention, store.path.parent)
        self._queue: queue.Queue[Received | None] = queue.Queue(QUEUE_SIZE)
        self._lock = threading.Lock()  # holds the counts and the known sequence numbers together
        self._known: OrderedDict[RunKey, SequenceRanges] = OrderedDict()  # the one heard last stands last
        for key, ranges in store.committed_ranges(newest=MAX_RUNS).items():
            self._known[key] = SequenceRanges(ranges)
        self._queued_bytes = 0
        self._told: deque[tuple[str, int]] = deque(maxlen=OWN)  # a broker gives us what we say ourselves, too
        self._event_number = store.first_event_number
        self.counts = Counts()
        self._link = BrokerLink(broker, self._arrived)
        self._stopping = threading.Event()
        self._rest_s = min(FORGET_EVERY_S, self._keeping.retention_ns / 1e9)
        self._forget_at_s = time.monotonic() + min(FIRST_FORGET_S, self._rest_s)
        self._witnesses = ClockWitnesses()
        self._writer = threading.Thread(target=self._write_for_ever, name="store writer", daemon=True)

    def start(self) -> None:
        """Connect in the background, and keep trying for ever."""
        self._writer.start()
        self._link.start()

    def stop(self) -> None:
        """Take no more, commit and acknowledge what waits unless the store cannot write, and part from the broker."""
        self._link.unsubscribe()
        self._stopping.set()
        with contextlib.suppress(queue.Full):  # then the writer has no need to be woken
            self._queue.put_nowait(None)
        self._writer.join(timeout=STOP_WITHIN_S)
        self._link.part()

    def tell(self, topic_name: str, payload: bytes) -> None:
        """Say something to all readers, while the broker is there; it is not kept."""
        if self._link.is_connected:
            with self._lock:
                self._told.append((topic_name, hash(payload)))
            self._link.publish(topic_name, payload, qos=0)  # the next one replaces it

    @property
    def is_connected(self) -> bool:
        return self._link.is_connected

    @property
    def queued(self) -> int:
        return self._queue.qsize()

    def faults(self) -> list[str]:
        """What a supervisor should know."""
        faults = [] if self.is_connected else ["the broker is not connected"]
        if self.counts.store_fault:
            faults.append(f"the store cannot write: {self.counts.store_fault}")
        if self.counts.writer_fault:
            faults.append(f"the last batch was lost and is awaited again: {self.counts.writer_fault}")
        if self._witnesses.doubt(time.monotonic()):
            faults.append(
                "the clock is more than a day from those of the posts: set it; nothing old is deleted until then"
            )
        if (shortage := self._keeping.fault()) is not None:
            faults.append(shortage)
        if not self._writer.is_alive():
            faults.append("the store writer does not run: nothing is stored; start the center again")
        return faults

    def missing(self) -> dict[RunKey, list[Range]]:
        """The gaps in each run: numbers below its highest that never came."""
        with self._lock:
            return {key: known.missing() for key, known in self._known.items()}

    def snapshot(self) -> dict[str, Any]:
        """The counts, all of one moment."""
        with self._lock:
            return self.counts.as_dict()

    # The network thread

    def _arrived(self, message: mqtt.MQTTMessage) -> None:
        try:
            received = self._take(message.topic, bytes(message.payload))
        except Refused as refused:
            self._count_refused(refused)
        except (UnicodeDecodeError, ValueError) as error:  # a topic that is not UTF-8
            self._count_refused(Refused("topic", str(error)))
        else:
            if received is not None and received.message is not None:
                (self._on_scans if received.name in FOR_THE_TRACKER else self._on_received)(received)

    def _take(self, topic_name: str, payload: bytes) -> Received | None:
        """Queue a message for the store; None when it has come before, or is our own. Raises Refused."""
        with self._lock:
            if (topic_name, hash(payload)) in self._told:
                return None
        received = read(topic_name, payload, time.time_ns())
        self._witnesses.hear(received, time.monotonic())
        if received.name in FOR_THE_TRACKER:
            with self._lock:
                self.counts.count(received, is_new=True)
            return received
        with self._lock:
            known = self._known_of(received)
            if self._queue.full() or self._queued_bytes + len(payload) > QUEUE_BYTES:
                raise Refused("overload", f"{self._queue.qsize()} messages wait for the store")
            is_new = not received.sequence or known.add(received.sequence)
            self._event_number += is_new
            received = replace(received, event_number=self._event_number if is_new else 0)
            self._queue.put_nowait(received)
            self._queued_bytes += len(payload)
            self.counts.count(received, is_new)
        return received if is_new else None

    def _known_of(self, received: Received) -> SequenceRanges:
        key = (received.site_id, received.run_id)
        if received.sequence == 0:
            return SequenceRanges()
        if key not in self._known:
            self._known[key] = SequenceRanges(self._store.committed(key).ranges())
            while len(self._known) > MAX_RUNS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _count_refused(self, refused: Refused) -> None:
        with self._lock:
            self.counts.rejected[refused.reason] += 1
            is_first = self.counts.rejected[refused.reason] == 1
        if is_first:
            log.warning("refused: %s (further ones of this reason are only counted)", refused)

    # The writing thread

    def _write_for_ever(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                self._take_down(batch)
            except Exception as error:  # a fault of ours must not end the writing
                log.exception("a batch could not be written; its posts will send it again")
                self._unlearn(batch)
                self.counts.writer_fault = repr(error)
            finally:
                with self._lock:
                    self._queued_bytes -= sum(len(received.payload) for received in batch)

    def _take_down(self, batch: list[Received]) -> None:
        """Commit and acknowledge a batch, and forget a piece of what is old where it is time."""
        if batch and (committed := self._commit(batch)):
            self._acknowledge(committed)
        if time.monotonic() >= self._forget_at_s:
            self._forget()

    def _next_batch(self) -> list[Received] | None:
        """What came within one batch's time; empty when nothing came for a second; None at the end."""
        try:
            first = self._queue.get(timeout=0.0 if self._stopping.is_set() else 1.0)
        except queue.Empty:
            return None if self._stopping.is_set() else []
        batch, until_s = [first] if first else [], time.monotonic() + BATCH_S
        while batch and len(batch) < BATCH_SIZE:
            try:
                following = self._queue.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                break
            batch += [following] if following else []
        return batch

    def _commit(self, batch: list[Received]) -> list[Received]:
        """Write until it is written; the store's disk may be full or away for a while. What was committed."""
        pause_s, longest_s = RETRY_S
        while True:
            try:
                committed = self._write(batch)
                break
            except sqlite3.Error as error:
                if self.counts.store_fault is None:
                    log.error("the store cannot write: %s; trying again, nothing is acknowledged until then", error)
                self.counts.store_fault = str(error)
                if time.monotonic() >= self._forget_at_s:
                    self._forget()  # which makes room, where that is what is wanting
                if self._stopping.wait(pause_s):
                    return []  # the posts still have it
                pause_s = min(2 * pause_s, longest_s)
        if self.counts.store_fault is not None:
            log.warning("the store writes again")
        with self._lock:
            self.counts.committed(committed)
        return committed

    def _write(self, batch: list[Received]) -> list[Received]:
        """What of a batch the store has taken. Raises sqlite3.Error where the fault is the store's, not a message's."""
        try:
            self._store.write(batch)
            return batch
        except Exception as error:
            if not is_of_a_message(error):
                raise
            if len(batch) > 1:
                half = len(batch) // 2
                return self._write(batch[:half]) + self._write(batch[half:])
            return self._write_faulty(batch[0], error)

    def _write_faulty(self, received: Received, error: Exception) -> list[Received]:
        """Keep a message that the store cannot hold by its envelope, or else refuse it."""
        if received.message is None:
            self._unlearn([received])
            self._count_refused(Refused("unstorable", f"{received.site_id}/{received.name}: {error}"))
            return []
        with self._lock:
            self.counts.unreadable += 1
        return self._write([replace(received, message=None, fault=f"unstorable: {error}")])

    def _unlearn(self, batch: list[Received]) -> None:
        """What was not stored is new when it comes again."""
        with self._lock:
            for received in batch:
                self._known.pop((received.site_id, received.run_id), None)

    def _acknowledge(self, batch: list[Received]) -> None:
        """Tell each post which ranges are committed, of those that its messages in this batch belong to."""
        if not self._link.is_connected:
            return  # the posts will send again, and be told then
        ranges: dict[RunKey, set[Range]] = {}
        for received in batch:
            if received.sequence:
                key = (received.site_id, received.run_id)
                one = self._store.committed(key).range_of(received.sequence)
                ranges.setdefault(key, set()).update([one] if one else [])
        for (site_id, run_id), found in ranges.items():
            message = AckMessage(VERSION, run_id, tuple(sorted(found)))
            self._link.publish(topic(site_id, "ack"), encode(message))
            self.counts.acknowledgements += 1

    def _forget(self) -> None:
        """Delete a piece of what need not be kept, unless the clock that tells its age is in doubt."""
        deleted, runs = 0, []
        try:
            self._keeping.look(self._store.free_bytes())
            if not self._witnesses.doubt(time.monotonic()):
                silent_since_ns = time.time_ns() - self._keeping.retention_ns
                deleted, runs = self._store.forget(self._keeping.before_ns(), silent_since_ns)
                self._keeping.note(deleted)
        except (sqlite3.Error, OSError) as error:
            log.error("old messages cannot be deleted: %s", error)
        with self._lock:
            for key in runs:
                self._known.pop(key, None)
        self._forget_at_s = time.monotonic() + (FORGET_PAUSE_S if deleted else self._rest_s)


class Counts:
    """What came in since the start."""

    def __init__(self) -> None:
        self.received = 0  # readable envelopes, duplicates included
        self.by_name: Counter[str] = Counter()
        self.stored = 0  # committed messages of the sequence, each once
        self.duplicates = 0
        self.unreadable = 0  # kept and acknowledged, but not shown
        self.rejected: Counter[str] = Counter()
        self.acknowledgements = 0
        self.commits = 0
        self.longest_commit_lag_ms = 0.0  # from receipt to commit
        self.store_fault: str | None = None
        self.writer_fault: str | None = None

    def count(self, received: Received, is_new: bool) -> None:
        self.received += 1
        self.by_name[received.name] += 1
        self.duplicates += not is_new
        self.unreadable += is_new and received.message is None

    def committed(self, batch: list[Received]) -> None:
        self.commits += 1
        self.stored += sum(1 for received in batch if received.sequence and received.event_number)
        if batch:
            lag_ms = (time.time_ns() - batch[0].received_ns) / 1e6
            self.longest_commit_lag_ms = max(self.longest_commit_lag_ms, round(lag_ms, 1))
        self.store_fault = self.writer_fault = None

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "by_name": dict(self.by_name), "rejected": dict(self.rejected)}


def is_of_a_message(error: Exception) -> bool:
    """Whether what went wrong is a message that does not fit, not the store: its disk, its file."""
    fitting = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)
    return isinstance(error, fitting) or not isinstance(error, sqlite3.Error)
