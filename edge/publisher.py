"""The publisher: carries the post's messages to the center over MQTT, and sends again what the center did not acknowledge.

    publish(...) ──▶ outbox (disk) ─────────────┐ backlog, alerts first, paced
          └────────▶ live queue ──▶ sender thread ──▶ broker ──▶ center
    outbox ◀──────────────── ack: ranges the center has committed

A message goes out at once while the broker takes it, and stays in the outbox until the center's acknowledgement: a
broker's own (PUBACK) only says that a broker had it, and one that restarts forgets. What is not acknowledged in time,
what did not fit, and what earlier runs left goes out again from the outbox. Which message goes next, and how fast,
`sending_order.py` decides; here are the connection, its threads, and the lock around that order.

Health and the sensors' descriptions stand outside the sequence and are retained. Scans are worth something only while they are
young: one that finds no connection, or a link that is behind, is dropped and counted.

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
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge.outbox import Outbox
from edge.outbox_table import Message
from edge.sending_order import LIVE_ON_THE_WAY, OnTheWay, SendingOrder, key_of
from edge.site_file import BrokerSettings
from fusion.wire import VERSION, AckMessage, CueMessage, HealthMessage, encode, rfc3339, topic

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 1, 10  # pauses between attempts to reach the broker: 1, 2, 4, 8, 10, 10 ...
DEAF_S = 30.0  # a broker that takes nothing for so long has forgotten us, though it may still answer pings
PARTING_S = 5.0  # the network thread is a daemon: one that still hangs then does not hold the process
SCANS_ON_THE_WAY = 10  # messages that the broker has not taken: a second of them
SCANS_BEHIND_S = 0.5  # a link whose broker has not taken one for so long gets no more: what matters must not wait
HIGHEST_SEQUENCE = 2**63 - 1  # what SQLite can hold


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
    scans_dropped: int = 0  # messages of scans that found no connection, or a link that is behind
    connected: bool = False
    connects: int = 0


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
    """Sends one post's messages. Its `publish` methods may be called from any thread and never wait."""

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
        self._order = SendingOrder(is_behind=outbox.counts.pending > 0)
        self._is_running = False
        self._site: Message | None = None
        self._retained: dict[str, bytes] = {}  # by topic: what stands outside the sequence
        self._scans: deque[tuple[mqtt.MQTTMessageInfo, float]] = deque()  # on their way, and since when
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def counters(self) -> PublisherCounters:
        """A copy, as of now."""
        counts = self._outbox.counts
        with self._changed:
            return replace(
                self._counters,
                connected=self._order.is_connected,
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
            goes_now = self._order.add(message)
            if not goes_now and self._order.is_connected:
                self._changed.notify_all()
        if goes_now:  # the usual case: without a thread between, which costs milliseconds on a busy machine
            self._send(message, is_backlog=False)

    def publish_retained(self, topic_name: str, payload: bytes) -> None:
        """Say what holds until it is said anew: outside the sequence, retained by the broker for whoever comes later."""
        with self._changed:
            self._retained[topic_name] = payload
            is_connected = self._order.is_connected
        if is_connected:
            self._client.publish(topic(self.site_id, topic_name), payload, qos=0, retain=True)

    def publish_live(self, topic_name: str, payload: bytes) -> None:
        """Say what stands outside the sequence: sensors are retained, scans go now or never."""
        if topic_name == "sensors":
            self.publish_retained(topic_name, payload)
        elif self._has_room_for_scans(time.monotonic()):
            sent = self._client.publish(topic(self.site_id, topic_name), payload, qos=1)
            with self._changed:
                if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._scans.append((sent, time.monotonic()))
                else:  # the link has just gone
                    self._counters.scans_dropped += 1

    def _has_room_for_scans(self, now_s: float) -> bool:
        with self._changed:
            while self._scans and self._scans[0][0].is_published():
                self._scans.popleft()
            is_behind = bool(self._scans) and now_s - self._scans[0][1] > SCANS_BEHIND_S
            has_room = self._order.is_connected and not is_behind and len(self._scans) < SCANS_ON_THE_WAY
            self._counters.scans_dropped += not has_room
            return has_room

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
        client.max_inflight_messages_set(2 * LIVE_ON_THE_WAY + SCANS_ON_THE_WAY + 1)
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
            self._counters.connects += 1
            self._order.connect(time.monotonic())
            self._scans.clear()
            site, retained = self._site, list(self._retained.items())
            self._changed.notify_all()
        if site is not None:  # a broker that restarted has forgotten what it retained
            client.publish(topic(self.site_id, "site"), site.payload, qos=1, retain=True)
        for topic_name, payload in retained:
            client.publish(topic(self.site_id, topic_name), payload, qos=0, retain=True)

    def _disconnected(self, _client: object, _data: object, _flags: object, reason: object, _more: object) -> None:
        with self._changed:
            was_connected = self._order.is_connected
            self._order.disconnect()
            self._scans.clear()
            self._changed.notify_all()
        if was_connected and self._is_running:
            log.warning("broker %s:%d lost: %s; retrying", self._broker.host, self._broker.port, reason)

    def _taken(self, _client: object, _data: object, number: int, _reason: object, _more: object) -> None:
        with self._changed:
            self._order.taken(number, time.monotonic())
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
            self._order.acknowledge(ack)
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

    def _leave_deaf_broker(self, now_s: float) -> None:
        """Cut a connection over which nothing is taken any more; the network thread then connects anew."""
        if self._order.is_connected and (deaf_s := self._order.nothing_taken_s(now_s)) > DEAF_S:
            log.warning("broker %s:%d takes nothing for %.0f s", self._broker.host, self._broker.port, deaf_s)
            self._order.forget_on_the_way()
            if (link := self._client.socket()) is not None:
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)

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
            self._order.give_up_waiting(now_s)
            self._leave_deaf_broker(now_s)
            entry = self._order.next()
            wants_round = entry is None and self._order.wants_round(now_s)
            if entry is None and not wants_round:
                self._changed.wait(0.25)
                return
        if entry is not None:
            self._send(*entry)
        else:
            self._read_on()

    def _send(self, message: Message, is_backlog: bool) -> None:
        """Hand a message to paho; the order has been told that it goes."""
        # an older site message must not replace the newest one that the broker retains
        is_retained = message.topic_name == "site" and message == self._site
        sent_s, number = time.monotonic(), None
        try:
            number = self._client.publish(topic(self.site_id, message.topic_name), message.payload, 1, is_retained).mid
        finally:
            with self._changed:
                self._counters.resent += is_backlog
                self._counters.sent += not is_backlog
                sent = OnTheWay(key_of(message), message.bytes, sent_s, is_backlog)
                self._order.handed_over(number, sent, time.monotonic())
                self._changed.notify_all()

    def _read_on(self) -> None:
        """Take the next messages of a round from the outbox; a finished round is followed by a pause that grows."""
        with self._changed:
            place = self._order.next_place()
        entries = self._outbox.pending(place)
        with self._changed:
            self._order.read_on(entries, self._outbox.counts.trouble is not None, time.monotonic())


def send_at_once(_client: object, _data: object, connection: Any) -> None:
    """Without it a message waits up to 40 ms behind our answer to an acknowledgement (Nagle meets delayed ACK)."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
