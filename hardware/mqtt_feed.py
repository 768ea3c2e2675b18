"""A sensor that speaks MQTT: each message of a topic is one delivery, its topic the source.

Paho's network loop is turned by the one thread that reads the device; there is no second thread that could live on after
`close`, or die unseen over a packet that is none. Messages that came in one turn wait in a queue; when it is full, the
oldest go and are counted. What was retained is not taken: it is older than the node and carries no time.

A broker does not tell who published, so `allow` names topics: with `sniffer/+` listened to and `sniffer/roof` allowed, what
any other client publishes under `sniffer/` is dropped and counted. The broker's own access list decides who may write there.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from hardware.device import Delivery, DeviceLost

CONNECT_TIMEOUT_S = 5.0
QUEUED = 1000
LONGEST_PAYLOAD = 262_144


class MqttFeed:
    """Driver `mqtt_feed`. topic and allow may hold the wildcards + and #; certificate and key are for TLS, with authority."""

    def __init__(
        self,
        topic: str,
        host: str = "127.0.0.1",
        port: int = 1883,
        user: str | None = None,
        password_file: str | None = None,
        authority: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        self.topic, self.host, self.port = topic, host, port
        self.name = f"mqtt {host}:{port} {topic}"
        self.overrun = 0  # messages that found the queue full, or were too long
        self.refused = 0  # messages of topics not on the list
        self._allow = tuple(allow)
        self._user, self._password_file = user, password_file
        self._authority, self._certificate, self._key = authority, certificate, key
        self._client: Any = None
        self._messages: deque[Delivery] = deque(maxlen=QUEUED)
        self._is_subscribed = False
        self._ended: str | None = None  # why the connection ended

    def open(self) -> None:
        """Connect and subscribe. Raises DeviceLost when that is refused or takes too long."""
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self.close()
        self._messages.clear()
        self._is_subscribed, self._ended = False, None
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = lambda _c, _u, _f, reason, _p: self._connected(client, reason)
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self._subscribed(reasons)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self._end(f"disconnected: {reason}")
        client.on_message = lambda _c, _u, message: self._received(message)
        try:
            self._secure(client)
            client.connect(self.host, self.port, keepalive=10)
        except (OSError, ValueError) as error:
            self.close()
            raise DeviceLost(f"{self.name}: {getattr(error, 'strerror', None) or error}") from error
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._is_subscribed:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                self._end(f"no answer within {CONNECT_TIMEOUT_S:.0f} s")
            self._turn(left_s)

    def read(self, timeout_s: float) -> Delivery | None:
        """The next message. Raises DeviceLost when the broker has gone."""
        if self._client is None:
            raise DeviceLost(f"{self.name} is not open")
        if not self._messages:
            self._turn(timeout_s)
        return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        client.on_disconnect = None
        link = client.socket()
        with contextlib.suppress(Exception):
            client.disconnect()
        if link is not None:
            with contextlib.suppress(OSError):
                link.close()

    def _turn(self, timeout_s: float) -> None:
        """One turn of the network loop. Raises DeviceLost when the connection has ended or said what no broker says."""
        if self._ended is None:
            try:
                code = self._client.loop(max(timeout_s, 0.0))
            except Exception as error:  # paho raises whatever a damaged packet makes it stumble over
                self._end(f"not understood: {type(error).__name__}: {error}")
            else:
                if code != 0:
                    self._end(f"disconnected: {code.name if hasattr(code, 'name') else code}")
        if self._ended is not None and not self._messages:
            self.close()
            raise DeviceLost(f"{self.name}: {self._ended}")

    def _secure(self, client: Any) -> None:
        if self._user is not None:
            client.username_pw_set(self._user, _secret(self._password_file))
        if self._authority is not None or self._certificate is not None:
            client.tls_set(self._authority, self._certificate, self._key)

    def _connected(self, client: Any, reason: Any) -> None:
        if reason.is_failure:
            self._end(f"the broker refused: {reason}")
        else:
            client.subscribe(self.topic, qos=0)

    def _subscribed(self, reasons: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._end("the broker refused the subscription")
        self._is_subscribed = True

    def _end(self, why: str) -> None:
        self._ended = self._ended or why

    def _received(self, message: Any) -> None:
        if message.retain:
            return
        if not self._is_allowed(message.topic):
            self.refused += 1
            return
        is_too_long = len(message.payload) > LONGEST_PAYLOAD
        self.overrun += is_too_long or len(self._messages) == QUEUED
        if not is_too_long:
            self._messages.append(Delivery(bytes(message.payload), source=message.topic))

    def _is_allowed(self, topic: str) -> bool:
        from paho.mqtt.client import topic_matches_sub

        return not self._allow or any(topic_matches_sub(allowed, topic) for allowed in self._allow)


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\r\n")
