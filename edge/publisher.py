"""The publisher: carries the post's messages to the center over MQTT, and sends again what the center did not acknowledge.

    publish(...) ──▶ outbox (disk) ─────────────┐ backlog, alerts first, paced
          └────────▶ live queue ──▶ sender thread ──▶ broker ──▶ center
    outbox ◀──────────────── ack: ranges the center has committed

A message goes out at once while the broker takes it, and stays in the outbox until the center's acknowledgement: a
broker's own (PUBACK) only says that a broker had it, and one that restarts forgets. What is not acknowledged
`RESEND_S` after the broker took it, what did not fit, and what earlier runs left goes out again from the outbox: live
before backlog, alerts before the rest. While nobody acknowledges, the pauses between such rounds grow. The backlog never
has more on its way than the link carries in about half a second, so that a live message hardly waits on a thin link.

The center may get a message twice; (run_id, sequence) tells. MQTT 3.1.1, QoS 1. Last will: `health` with state "gone".
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge.outbox import PRIORITIES, START, Message, Outbox, Place
from edge.site_file import BrokerSettings
from fusion.wire import VERSION, AckMessage, CueMessage, HealthMessage, encode, rfc3339, topic

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 1, 10  # pauses between attempts to reach the broker: 1, 2, 4, 8, 10, 10 ...
DEAF_S = 30.0  # a broker that takes nothing for so long has forgotten us, though it may still answer pings
RESEND_S = 5.0  # a center commits and acknowledges within a second
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0  # between rounds through the outbox while nobody acknowledges
PARTING_S = 5.0  # the network thread is a daemon: one that still hangs then does not hold the process
HIGHEST_SEQUENCE = 2**63 - 1  # what SQLite can hold
LIVE_LIMIT = 1000  # messages waiting in memory; beyond it they go out from the outbox
LIVE_ON_THE_WAY = 64  # messages that the broker has not taken yet
BACKLOG_UNANSWERED = 512  # backlog messages that the center has not acknowledged yet
BACKLOG_PROBE = 32  # the same while nobody acknowledges: 0.7 kB/s at the longest pause, which leaves a thin link free
FIRST_WINDOW_BYTES, LAST_WINDOW_BYTES = 8_192, 2**20  # of backlog on its way to the broker
QUICK_S, SLOW_S = 0.5, 2.0  # the window grows while the broker takes a message quicker, shrinks when slower

Key: TypeAlias = tuple[str, int]  # run_id, sequence


@dataclass(slots=True)
class PublisherCounters:
    """What has happened since the start; `pending` may hold messages of earlier runs."""

    published: int = 0  # given to us in this run
    sent: int = 0  # at once
    resent: int = 0  # from the outbox: again, or because it could not be sent at once
    acknowledged: int = 0
    pending: int = 0
    dropped: int = 0
    bad_acks: int = 0  # messages on the ack topic that are none
    connected: bool = False
    connects: int = 0


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """A message that the broker has not taken yet."""

    key: Key
    bytes: int
    sent_s: float
    is_backlog: bool


class SteadyClient(mqtt.Client):
    """Paho's client, whose network thread outlives whatever a broker sends."""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except Exception as error:
                if self._thread_terminate:
                    return MQTTErrorCode.MQTT_ERR_SUCCESS
                log.warning("broker connection: %r; connecting anew", error)
                time.sleep(FIRST_RETRY_S)
                with contextlib.suppress(Exception):
                    self.reconnect()


class Publisher:
    """Sends one post's messages. `publish` and `publish_health` may be called from any thread and never wait."""

    def __init__(
        self,
        site_id: str,
        run_id: str,
        broker: BrokerSettings,
        outbox: Outbox,
        on_cue: Callable[[CueMessage], object] = lambda cue: None,
    ) -> None:
        """on_cue hears of operators' wishes, in the network's thread.

        Nothing is opened before `start`. Raises OSError or ssl.SSLError when a certificate file cannot be read.
        """
        self.site_id, self.run_id, self._broker, self._outbox = site_id, run_id, broker, outbox
        self._on_cue = on_cue
        self._changed = threading.Condition()  # guards all below; never held while calling paho
        self._counters = PublisherCounters()
        self._urgent: deque[Message] = deque()
        self._live: deque[Message] = deque()
        self._backlog: deque[Message] = deque()
        self._claimed: set[Key] = set()  # live, on the way, or waiting: not to be taken from the outbox
        self._on_the_way: dict[int, OnTheWay] = {}  # by paho's message number
        self._backlog_on_the_way = self._backlog_on_the_way_bytes = 0
        self._waiting: dict[Key, float] = {}  # live messages that the center should acknowledge, and until when
        self._waiting_backlog: dict[Key, float] = {}
        self._early: set[int] = set()  # taken by the broker before `_send` knew their number
        self._connected_s = 0.0
        self._sending = 0  # threads that are handing a message to paho
        self._is_running = False
        self._site: Message | None = None
        self._health: bytes | None = None
        self._is_behind = outbox.counts.pending > 0  # the outbox may hold messages that are not claimed
        self._place: Place | None = None  # how far the round through the outbox is; None between rounds
        self._next_round_s, self._pause_s = 0.0, FIRST_PAUSE_S
        self._round_sends = False
        self._window_bytes = FIRST_WINDOW_BYTES
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def counters(self) -> PublisherCounters:
        """A copy, as of now."""
        counts = self._outbox.counts
        with self._changed:
            return replace(
                self._counters,
                acknowledged=counts.acknowledged,
                pending=counts.pending,
                dropped=sum(counts.dropped.values()),
            )

    def start(self) -> None:
        """Begin to connect and to send; goes on for ever, whether or not there is a broker."""
        self._is_running = True
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        self._thread.start()

    def publish(self, topic_name: str, sequence: int, payload: bytes) -> None:
        """Keep a message of this run and send it as soon as may be."""
        message = Message(self.run_id, sequence, topic_name, payload)
        with self._changed:
            self._counters.published += 1
            self._outbox.add(self.run_id, sequence, topic_name, payload)
            if topic_name == "site":
                self._site = message
            if not self._counters.connected or len(self._live) >= LIVE_LIMIT:
                self._is_behind = True
                return
            self._claimed.add(key_of(message))
            goes_now = not (self._sending or self._urgent or self._live) and len(self._on_the_way) < LIVE_ON_THE_WAY
            if goes_now:
                self._sending += 1
            else:
                (self._urgent if message.priority <= PRIORITIES["alerts"] else self._live).append(message)
                self._changed.notify_all()
        if goes_now:  # the usual case: without a thread between, which costs milliseconds on a busy machine
            self._send(message, is_backlog=False)

    def publish_health(self, payload: bytes) -> None:
        """Tell how the post is: outside the sequence, not kept, retained by the broker for whoever comes later."""
        with self._changed:
            self._health = payload
            is_connected = self._counters.connected
        if is_connected:
            self._client.publish(topic(self.site_id, "health"), payload, qos=0, retain=True)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Wait for outstanding acknowledgements, say good-bye and disconnect; True when nothing is left in the outbox.

        The outbox stays open: it belongs to the caller.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._outbox.counts.pending and time.monotonic() < deadline_s:
            with self._changed:
                self._changed.wait(0.02)
        with self._changed:
            self._is_running = False
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        with contextlib.suppress(Exception):
            if self._client.is_connected():
                farewell = self._client.publish(topic(self.site_id, "health"), self._gone("stopped"), 1, retain=True)
                farewell.wait_for_publish(timeout=1.0)
        self._part()
        return self._outbox.counts.pending == 0

    def _part(self) -> None:
        """End the network thread; a connection that is being made at this very moment is ended too."""
        ending = threading.Thread(target=self._client.loop_stop, name="publisher parting", daemon=True)
        end_s = time.monotonic() + PARTING_S
        while time.monotonic() < end_s:
            with contextlib.suppress(Exception):
                self._client.disconnect()
            if not ending.ident:
                ending.start()
            ending.join(0.2)
            if not ending.is_alive():
                return
            if (link := self._client.socket()) is not None:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)

    # paho's network thread

    def _make_client(self) -> SteadyClient:
        client = SteadyClient(CallbackAPIVersion.VERSION2, client_id=f"sarhad-{self.site_id}", protocol=mqtt.MQTTv311)
        client.suppress_exceptions = True
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(FIRST_RETRY_S, LAST_RETRY_S)
        client.max_inflight_messages_set(2 * LIVE_ON_THE_WAY + 1)
        client.will_set(topic(self.site_id, "health"), self._gone("connection lost"), qos=1, retain=True)
        if self._broker.authority or self._broker.certificate:
            client.tls_set(self._broker.authority, self._broker.certificate, self._broker.key)
        client.on_socket_open = send_at_once
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_publish, client.on_message = self._taken, self._message
        return client

    def _gone(self, text: str) -> bytes:
        return encode(
            HealthMessage(
                version=VERSION,
                site_id=self.site_id,
                run_id=self.run_id,
                time=rfc3339(time.time_ns()),
                state="gone",
                text=text,
                sensors=(),
                own_positions=(),
                clock_trusted=False,
                outbox_pending=self._outbox.counts.pending,
                memory_mb={},
                temperature_c=None,
                disk_free_mb=None,
                late_scans=0,
                too_old_scans=0,
            )
        )

    def _connected(self, client: mqtt.Client, _data: object, _flags: object, reason: object, _more: object) -> None:
        if getattr(reason, "is_failure", False):
            log.warning("broker %s:%d refuses: %s; retrying", self._broker.host, self._broker.port, reason)
            return
        log.info("broker %s:%d connected", self._broker.host, self._broker.port)
        client.subscribe([(topic(self.site_id, name), 1) for name in ("ack", "cue")])
        with self._changed:
            self._counters.connected = True
            self._counters.connects += 1
            self._connected_s = time.monotonic()  # what was on its way before is sent again now
            self._begin_anew()
            site, health = self._site, self._health
            self._changed.notify_all()
        if site is not None:  # a broker that restarted has forgotten what it retained
            client.publish(topic(self.site_id, "site"), site.payload, qos=1, retain=True)
        if health is not None:
            client.publish(topic(self.site_id, "health"), health, qos=0, retain=True)

    def _disconnected(self, _client: object, _data: object, _flags: object, reason: object, _more: object) -> None:
        with self._changed:
            was_connected, self._counters.connected = self._counters.connected, False
            for message in (*self._urgent, *self._live):
                self._claimed.discard(key_of(message))
            for queue in (self._urgent, self._live, self._backlog):
                queue.clear()
            self._changed.notify_all()
        if was_connected and self._is_running:
            log.warning("broker %s:%d lost: %s; retrying", self._broker.host, self._broker.port, reason)

    def _taken(self, _client: object, _data: object, number: int, _reason: object, _more: object) -> None:
        """The broker has taken a message; from now on the center has time to answer."""
        with self._changed:
            if (sent := self._on_the_way.pop(number, None)) is not None:
                self._backlog_on_the_way -= sent.is_backlog
                self._backlog_on_the_way_bytes -= sent.bytes if sent.is_backlog else 0
                self._await_answer(sent)
            elif self._sending:
                self._early.add(number)
            self._changed.notify_all()

    def _message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == topic(self.site_id, "cue"):
            self._cue(message)
            return
        if message.topic != topic(self.site_id, "ack"):  # amqtt sends a new client what others have subscribed to
            return
        try:
            ack = msgspec.json.decode(message.payload, type=AckMessage)
            if not all(0 <= low <= high <= HIGHEST_SEQUENCE for low, high in ack.ranges):
                raise msgspec.ValidationError("ranges must grow and stay within 64 bits")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            with self._changed:
                self._counters.bad_acks += 1
            log.warning("%s: not an acknowledgement: %s", message.topic, error)
            return
        self._outbox.acknowledge(ack.run_id, ack.ranges)
        with self._changed:
            for waiting in (self._waiting, self._waiting_backlog):
                for key in [key for key in waiting if is_within(key, ack)]:
                    del waiting[key]
                    self._claimed.discard(key)
            self._backlog = deque(entry for entry in self._backlog if not is_within(key_of(entry), ack))
            if self._pause_s > FIRST_PAUSE_S:  # the center is back
                self._next_round_s, self._pause_s = 0.0, FIRST_PAUSE_S
            self._changed.notify_all()

    def _cue(self, message: mqtt.MQTTMessage) -> None:
        """An operator's wish; one that was retained is of another day."""
        try:
            cue = msgspec.json.decode(message.payload, type=CueMessage)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("%s: not a cue: %s", message.topic, error)
            return
        if not message.retain:
            self._on_cue(cue)

    # under self._changed

    def _begin_anew(self) -> None:
        """The broker is back, and may have forgotten what it took: what has no acknowledgement goes out again."""
        for waiting in (self._waiting, self._waiting_backlog):
            self._claimed.difference_update(waiting)
            waiting.clear()
        self._next_round_s, self._pause_s, self._place = 0.0, FIRST_PAUSE_S, None
        self._is_behind = True

    def _register(self, number: int | None, sent: OnTheWay) -> None:
        """Note what paho has made of a message; number None: it would not have it, and it stays in the outbox."""
        self._sending -= 1
        self._counters.resent += sent.is_backlog
        self._counters.sent += not sent.is_backlog
        if number is None:
            self._claimed.discard(sent.key)
        elif number in self._early:
            self._await_answer(sent)
        else:
            self._on_the_way[number] = sent
            self._backlog_on_the_way += sent.is_backlog
            self._backlog_on_the_way_bytes += sent.bytes if sent.is_backlog else 0
        if not self._sending:
            self._early.clear()
            self._changed.notify_all()

    def _await_answer(self, sent: OnTheWay) -> None:
        now_s = time.monotonic()
        (self._waiting_backlog if sent.is_backlog else self._waiting)[sent.key] = now_s + RESEND_S
        if sent.is_backlog and now_s - sent.sent_s < QUICK_S:
            self._window_bytes = min(LAST_WINDOW_BYTES, self._window_bytes + sent.bytes)
        elif sent.is_backlog and now_s - sent.sent_s > SLOW_S:
            self._window_bytes = max(FIRST_WINDOW_BYTES, self._window_bytes // 2)

    def _give_up_waiting(self, now_s: float) -> None:
        if next(iter(self._waiting_backlog.values()), now_s + 1.0) <= now_s:
            self._backlog.clear()  # nobody answers: no more of this round
            self._end_round(now_s)
        for waiting in (self._waiting, self._waiting_backlog):
            while waiting:
                key, until_s = next(iter(waiting.items()))  # the first has waited longest
                if until_s > now_s:
                    break
                del waiting[key]
                self._claimed.discard(key)
                self._is_behind = True

    def _leave_deaf_broker(self, now_s: float) -> None:
        """Cut a connection over which nothing is taken any more; the network thread then connects anew."""
        oldest_s = max(self._connected_s, min((sent.sent_s for sent in self._on_the_way.values()), default=now_s))
        if self._counters.connected and now_s - oldest_s > DEAF_S:
            log.warning("broker %s:%d takes nothing for %.0f s", self._broker.host, self._broker.port, now_s - oldest_s)
            self._on_the_way.clear()
            self._backlog_on_the_way = self._backlog_on_the_way_bytes = 0
            if (link := self._client.socket()) is not None:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)

    def _end_round(self, now_s: float) -> None:
        self._place = None
        self._next_round_s = now_s + self._pause_s
        if self._round_sends:
            self._pause_s = min(LAST_PAUSE_S, 2 * self._pause_s)
        self._round_sends = False

    def _next(self) -> tuple[Message, bool] | None:
        """The next message that may go now, and whether it is backlog."""
        if not self._counters.connected:
            return None
        if len(self._on_the_way) < LIVE_ON_THE_WAY:
            if self._urgent:
                return self._urgent.popleft(), False
            if self._live:
                return self._live.popleft(), False
        unanswered = len(self._waiting_backlog) + self._backlog_on_the_way
        limit = BACKLOG_UNANSWERED if self._pause_s == FIRST_PAUSE_S else BACKLOG_PROBE
        has_room = self._backlog_on_the_way_bytes < self._window_bytes and unanswered < limit
        while self._backlog and has_room and len(self._on_the_way) < 2 * LIVE_ON_THE_WAY:
            message = self._backlog.popleft()
            if key_of(message) not in self._claimed:
                self._claimed.add(key_of(message))
                return message, True
        return None

    def _wants_round(self, now_s: float) -> bool:
        """Whether to read on in the outbox: a round is under way, or one is due."""
        if not self._counters.connected or self._backlog:
            return False
        return self._place is not None or (self._is_behind and now_s >= self._next_round_s)

    # the sender thread

    def _run(self) -> None:
        while self._is_running:
            try:
                self._step()
            except Exception:
                log.exception("publisher: going on after a mistake of ours")
                time.sleep(FIRST_RETRY_S)

    def _step(self) -> None:
        with self._changed:
            now_s = time.monotonic()
            self._give_up_waiting(now_s)
            self._leave_deaf_broker(now_s)
            entry = self._next()
            self._sending += entry is not None
            wants_round = entry is None and self._wants_round(now_s)
            if entry is None and not wants_round:
                self._changed.wait(0.25)
                return
        if entry is not None:
            self._send(*entry)
        else:
            self._read_on()

    def _send(self, message: Message, is_backlog: bool) -> None:
        """Hand a message to paho; the caller has added one to `_sending`."""
        # an older site message must not replace the newest one that the broker retains
        is_retained = message.topic_name == "site" and message == self._site
        sent_s, number = time.monotonic(), None
        try:
            number = self._client.publish(topic(self.site_id, message.topic_name), message.payload, 1, is_retained).mid
        finally:
            with self._changed:
                self._register(number, OnTheWay(key_of(message), message.bytes, sent_s, is_backlog))

    def _read_on(self) -> None:
        """Take the next messages of a round from the outbox; a finished round is followed by a pause that grows."""
        with self._changed:
            self._is_behind = self._is_behind and self._place is not None
            place = self._place or START
        entries = self._outbox.pending(place)
        with self._changed:
            if entries:
                self._place = entries[-1][0]
                self._backlog.extend(message for _, message in entries if key_of(message) not in self._claimed)
                self._round_sends = self._round_sends or bool(self._backlog)
                return
            self._is_behind = self._is_behind or self._outbox.counts.trouble is not None
            self._end_round(time.monotonic())


def send_at_once(_client: object, _data: object, connection: Any) -> None:
    """Without it a message waits up to 40 ms behind our answer to an acknowledgement (Nagle meets delayed ACK)."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def key_of(message: Message) -> Key:
    return message.run_id, message.sequence


def is_within(key: Key, ack: AckMessage) -> bool:
    return key[0] == ack.run_id and any(low <= key[1] <= high for low, high in ack.ranges)
