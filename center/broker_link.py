"""The center's connection with its broker: made in the background, made anew whenever it is lost, parted from at the end.

    connect ──▶ connected ──▶ subscribe ──▶ confirmed: every post's messages come, each to `on_message`
       ▲            │              │
       └── lost ◀───┴── not confirmed in time: cut

A broker may take a connection and then serve nothing, and answer pings all the while; so one that does not confirm the
subscription in time is left. What changes is logged once, not with every attempt. MQTT 3.1.1, QoS 1, TLS where an authority is
given and mutual TLS where a certificate is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from center.settings import BrokerSettings, SettingsError
from fusion.wire import UP_TOPICS, topic

log = logging.getLogger("sarhad.center")

RECONNECT_S = (1, 30)
KEEPALIVE_S = 15
PARTING_TRIES = 20  # a quarter of a second each; a network thread that still hangs then is a daemon
SUBSCRIBED_WITHIN_S = 10.0  # a broker that does not confirm the subscription serves us nothing
CLIENT_ID = f"sarhad-center-{os.getpid()}-{secrets.token_hex(3)}"  # two centers on one broker must not part each other


class BrokerLink:
    """The connection. `on_message` is called from the network thread, which `start` begins and `part` ends."""

    def __init__(self, broker: BrokerSettings, on_message: Callable[[mqtt.MQTTMessage], None]) -> None:
        """Raises SettingsError when a certificate file cannot be used."""
        self._broker = broker
        self._client = make_client(broker)
        self._client.on_connect, self._client.on_disconnect = self._connected, self._disconnected
        self._client.on_connect_fail = self._connect_failed
        self._client.on_message = lambda _client, _data, message: on_message(message)
        self._client.on_subscribe = self._subscribed
        self._client.on_socket_open = send_at_once
        self._awaiting: threading.Timer | None = None  # runs while the subscription is not confirmed

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    def start(self) -> None:
        """Connect in the background, and keep trying for ever."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, topic_name: str, payload: bytes, qos: int = 1) -> None:
        self._client.publish(topic_name, payload, qos=qos)

    def unsubscribe(self) -> None:
        """Take no more."""
        self._client.unsubscribe([topic("+", name) for name in UP_TOPICS])
        self._subscribed()  # no timer is left behind

    def part(self) -> None:
        """End the network thread; a connection that is being made at this very moment is ended too."""
        ending = threading.Thread(target=self._client.loop_stop, name="parting from the broker", daemon=True)
        self._client.disconnect()
        ending.start()
        for _ in range(PARTING_TRIES):
            ending.join(0.25)
            if not ending.is_alive():
                return
            self._client.disconnect()
            self._cut_link()

    def _cut_link(self) -> None:
        if (link := self._client.socket()) is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

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

    def _cut(self, _client: mqtt.Client) -> None:
        self._say(f"broker {self._broker.host}:{self._broker.port} does not confirm the subscription; connecting anew")
        self._cut_link()

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


def make_client(broker: BrokerSettings) -> mqtt.Client:
    """An MQTT 3.1.1 client with a clean session: the posts' outboxes keep what the center missed, not the broker.

    Raises SettingsError when a certificate file cannot be used."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, protocol=mqtt.MQTTv311, clean_session=True)
    client.reconnect_delay_set(*RECONNECT_S)
    if broker.authority is not None:
        client.tls_set_context(tls_context(broker))
    return client


def tls_context(broker: BrokerSettings) -> ssl.SSLContext:
    """Who is trusted, and who we are. Raises SettingsError naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    field, files = "authority", str(broker.authority)
    try:
        context.load_verify_locations(cafile=broker.authority)
        if broker.certificate is not None:
            field, files = "certificate and key", f"{broker.certificate}, {broker.key}"
            context.load_cert_chain(
                broker.certificate, broker.key, password=lambda: ""
            )  # it must not ask at a terminal
    except OSError as error:  # ssl.SSLError among them
        found = getattr(error, "reason", None) or error.strerror or error
        raise SettingsError(f"[broker] {field}: {files}: cannot be used: {found}; expected PEM") from error
    return context


def send_at_once(_client: mqtt.Client, _data: Any, link: Any) -> None:
    """Without it an acknowledgement waits up to 40 ms for the broker's answer to the one before (Nagle, delayed ACK)."""
    with contextlib.suppress(OSError):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
