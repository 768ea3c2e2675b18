"""From the broker into the store: every message is read, kept once, committed, and only then acknowledged.

    broker ──▶ network thread ──▶ read, sort out duplicates ──▶ on_received (the live picture, at once)
                                           │
                                           ▼
                                   writing thread ──▶ commit (each 40 ms or 500 messages) ──▶ ack to the post

A post sends again what was not acknowledged, so a duplicate is acknowledged too, after whatever stands before it in the
queue has been committed. An acknowledgement names the whole committed ranges that its messages lie in: a lost one is made
good by the next. While the store cannot write, nothing is acknowledged and the queue fills; what does not fit is refused
and comes again from the post's outbox.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import socket
import sqlite3
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from center.ranges import Range, SequenceRanges
from center.received import Received, Refused, read
from center.settings import BrokerSettings
from center.store import RunKey, Store
from fusion.wire import UP_TOPICS, VERSION, AckMessage, encode, topic

log = logging.getLogger("sarhad.center")

BATCH_S = 0.04
BATCH_SIZE = 500
QUEUE_SIZE = 4_000  # messages waiting for the store, and
QUEUE_BYTES = 33_554_432  # of them; usual messages have 2 kB
MAX_RUNS = 10_000  # runs within the retention time; more is no post of ours
FORGET_EVERY_S = 600.0
RETRY_S = (0.5, 10.0)  # shortest and longest pause after a failed commit
RECONNECT_S = (1, 30)
KEEPALIVE_S = 15
SUBSCRIBED_WITHIN_S = 10.0  # a broker that does not confirm the subscription serves us nothing
CLIENT_ID = f"sarhad-center-{os.getpid()}-{secrets.token_hex(3)}"  # two centers on one broker must not part each other

Deliver = Callable[[Received], None]


class Ingest:
    """The center's end of the broker. `on_received` is called from the network thread, once for each new message."""

    def __init__(self, broker: BrokerSettings, store: Store, retention_days: float, on_received: Deliver) -> None:
        self._broker, self._store, self._on_received = broker, store, on_received
        self._retention_ns = int(retention_days * 86_400 * 1e9)
        self._queue: queue.Queue[Received | None] = queue.Queue(QUEUE_SIZE)
        self._lock = threading.Lock()  # holds the counts and the known sequence numbers together
        self._known = {key: SequenceRanges(ranges) for key, ranges in store.committed_ranges().items()}
        self._queued_bytes = 0
        self._event_number = store.first_event_number
        self.counts = Counts()
        self._client = make_client(broker)
        self._client.on_connect, self._client.on_disconnect = self._connected, self._disconnected
        self._client.on_connect_fail = self._connect_failed
        self._client.on_message = self._arrived
        self._client.on_subscribe = self._subscribed
        self._awaiting: threading.Timer | None = None  # runs while the subscription is not confirmed
        self._writer = threading.Thread(target=self._write_for_ever, name="store writer", daemon=True)

    def start(self) -> None:
        """Connect in the background, and keep trying for ever."""
        self._writer.start()
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Take no more, commit and acknowledge what waits, and part from the broker."""
        self._client.unsubscribe([topic("+", name) for name in UP_TOPICS])
        self._subscribed()  # no timer is left behind
        self._queue.put(None)
        self._writer.join(timeout=10)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    @property
    def queued(self) -> int:
        return self._queue.qsize()

    def missing(self) -> dict[RunKey, list[Range]]:
        """The gaps in each run: numbers below its highest that never came."""
        with self._lock:
            return {key: known.missing() for key, known in self._known.items()}

    def snapshot(self) -> dict[str, Any]:
        """The counts, all of one moment."""
        with self._lock:
            return self.counts.as_dict()

    # The network thread

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._say(f"broker {self._broker.host}:{self._broker.port} refuses the center: {reason}; trying again")
            return
        self._await_subscription(client)
        client.subscribe([(topic("+", name), 1) for name in UP_TOPICS])
        self._say(f"broker {self._broker.host}:{self._broker.port} connected", level=logging.INFO)

    def _await_subscription(self, client: mqtt.Client) -> None:
        """Cut the connection unless the broker confirms in time; the network thread then connects anew."""
        self._subscribed()
        self._awaiting = threading.Timer(SUBSCRIBED_WITHIN_S, self._cut, (client,))
        self._awaiting.daemon = True
        self._awaiting.start()

    def _subscribed(self, *_confirmation: Any) -> None:
        if self._awaiting is not None:
            self._awaiting.cancel()

    def _cut(self, client: mqtt.Client) -> None:
        self._say(f"broker {self._broker.host}:{self._broker.port} does not confirm the subscription; connecting anew")
        if (link := client.socket()) is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _disconnected(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._say(f"broker {self._broker.host}:{self._broker.port} lost: {reason}; trying again")

    def _connect_failed(self, _client: mqtt.Client, _data: Any) -> None:
        self._say(f"broker {self._broker.host}:{self._broker.port} cannot be reached; trying again")

    _said = ""

    def _say(self, text: str, level: int = logging.WARNING) -> None:
        """Log a change once, not every attempt."""
        if text != self._said:
            log.log(level, text)
        self._said = text

    def _arrived(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            received = self._take(message.topic, bytes(message.payload))
        except Refused as refused:
            self._count_refused(refused)
        except (UnicodeDecodeError, ValueError) as error:  # a topic that is not UTF-8
            self._count_refused(Refused("topic", str(error)))
        else:
            if received is not None and received.message is not None:
                self._on_received(received)

    def _take(self, topic_name: str, payload: bytes) -> Received | None:
        """Queue a message for the store; None when it has come before. Raises Refused."""
        received = read(topic_name, payload, time.time_ns())
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
            if len(self._known) >= MAX_RUNS:
                raise Refused("too_many_runs", f"{key}: {MAX_RUNS} runs are known already")
            self._known[key] = SequenceRanges()
        return self._known[key]

    def _count_refused(self, refused: Refused) -> None:
        with self._lock:
            self.counts.rejected[refused.reason] += 1
            is_first = self.counts.rejected[refused.reason] == 1
        if is_first:
            log.warning("refused: %s (further ones of this reason are only counted)", refused)

    # The writing thread

    def _write_for_ever(self) -> None:
        forgotten_s = -FORGET_EVERY_S
        while (batch := self._next_batch()) is not None:
            if batch:
                self._commit(batch)
                self._acknowledge(batch)
            elif time.monotonic() - forgotten_s > FORGET_EVERY_S and not self._forget():
                forgotten_s = time.monotonic()

    def _next_batch(self) -> list[Received] | None:
        """What came within one batch's time; empty when nothing came for a second; None at the end."""
        try:
            first = self._queue.get(timeout=1.0)
        except queue.Empty:
            return []
        if first is None:
            return None
        batch, until_s = [first], time.monotonic() + BATCH_S
        while len(batch) < BATCH_SIZE:
            try:
                following = self._queue.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)  # the end is for the next call
                break
            batch.append(following)
        return batch

    def _commit(self, batch: list[Received]) -> None:
        """Write until it is written; the store's disk may be full or away for a while."""
        pause_s, longest_s = RETRY_S
        failed = False
        while True:
            try:
                self._store.write(batch)
                break
            except sqlite3.Error as error:
                if not failed:
                    log.error("the store cannot write: %s; trying again, nothing is acknowledged until then", error)
                failed = True
                self.counts.store_fault = str(error)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, longest_s)
        if failed:
            log.warning("the store writes again")
        with self._lock:
            self._queued_bytes -= sum(len(received.payload) for received in batch)
            self.counts.committed(batch)

    def _acknowledge(self, batch: list[Received]) -> None:
        """Tell each post which ranges are committed, of those that its messages in this batch belong to."""
        if not self._client.is_connected():
            return  # the posts will send again, and be told then
        ranges: dict[RunKey, set[Range]] = {}
        for received in batch:
            if received.sequence:
                key = (received.site_id, received.run_id)
                one = self._store.committed(key).range_of(received.sequence)
                ranges.setdefault(key, set()).update([one] if one else [])
        for (site_id, run_id), found in ranges.items():
            message = AckMessage(VERSION, run_id, tuple(sorted(found)))
            self._client.publish(topic(site_id, "ack"), encode(message), qos=1)
            self.counts.acknowledgements += 1

    def _forget(self) -> bool:
        """Delete a piece of what is older than the retention time; False when nothing is left to delete."""
        try:
            return self._store.forget(time.time_ns() - self._retention_ns) > 0
        except sqlite3.Error as error:
            log.error("old messages cannot be deleted: %s", error)
            return False


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

    def count(self, received: Received, is_new: bool) -> None:
        self.received += 1
        self.by_name[received.name] += 1
        self.duplicates += not is_new
        self.unreadable += is_new and received.message is None

    def committed(self, batch: list[Received]) -> None:
        self.commits += 1
        self.stored += sum(1 for received in batch if received.sequence and received.event_number)
        lag_ms = (time.time_ns() - batch[0].received_ns) / 1e6
        self.longest_commit_lag_ms = max(self.longest_commit_lag_ms, round(lag_ms, 1))
        self.store_fault = None

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "by_name": dict(self.by_name), "rejected": dict(self.rejected)}


def make_client(broker: BrokerSettings) -> mqtt.Client:
    """An MQTT 3.1.1 client with a clean session: the posts' outboxes keep what the center missed, not the broker."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, protocol=mqtt.MQTTv311, clean_session=True)
    client.reconnect_delay_set(*RECONNECT_S)
    if broker.authority is not None:
        client.tls_set(
            ca_certs=str(broker.authority),
            certfile=str(broker.certificate) if broker.certificate else None,
            keyfile=str(broker.key) if broker.key else None,
            tls_version=ssl.PROTOCOL_TLS_CLIENT,
        )
    return client
