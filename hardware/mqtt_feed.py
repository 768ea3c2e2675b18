"""A sensor that speaks MQTT: each message of a topic is one delivery, its topic the source.

The subscriber runs in paho's own thread and fills a queue; when nobody empties it, the oldest messages go and are counted.
What was retained is not taken: it is older than the node and carries no time.
"""

from __future__ import annotations

import queue
from collections import deque
from typing import Any

from hardware.device import Delivery, DeviceLost

CONNECT_TIMEOUT_S = 5.0
QUEUED = 1000
LONGEST_PAYLOAD = 262_144


class MqttFeed:
    """Driver `mqtt_feed`. topic may hold the wildcards + and #; certificate and key are for TLS, with authority."""

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
    ) -> None:
        self.topic, self.host, self.port = topic, host, port
        self.name = f"mqtt {host}:{port} {topic}"
        self.overrun = 0  # messages that found the queue full, or were too long
        self._user, self._password_file = user, password_file
        self._authority, self._certificate, self._key = authority, certificate, key
        self._client: Any = None
        self._messages: deque[Delivery] = deque(maxlen=QUEUED)
        self._wake: queue.Queue[str | None] = queue.Queue()  # None: a message; a text: why the connection ended

    def open(self) -> None:
        """Connect and subscribe. Raises DeviceLost when that is refused or takes too long."""
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self.close()
        self._messages.clear()
        wake: queue.Queue[str | None] = queue.Queue()
        self._wake = wake
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = lambda _c, _u, _f, reason, _p: self._connected(client, reason, wake)
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: wake.put(
            "the broker refused the subscription" if any(reason.is_failure for reason in reasons) else None
        )
        client.on_disconnect = lambda _c, _u, _f, reason, _p: wake.put(f"disconnected: {reason}")
        client.on_message = lambda _c, _u, message: self._received(message, wake)
        try:
            self._secure(client)
            client.connect(self.host, self.port, keepalive=10)
        except (OSError, ValueError) as error:
            self.close()
            raise DeviceLost(f"{self.name}: {getattr(error, 'strerror', None) or error}") from error
        client.loop_start()
        self._await_subscription(wake)

    def read(self, timeout_s: float) -> Delivery | None:
        """The next message. Raises DeviceLost when the broker has gone."""
        if self._client is None:
            raise DeviceLost(f"{self.name} is not open")
        if not self._messages:
            try:
                ended = self._wake.get(timeout=timeout_s)
            except queue.Empty:
                return None
            if ended is not None:
                raise DeviceLost(f"{self.name}: {ended}")
        return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()

    def _secure(self, client: Any) -> None:
        if self._user is not None:
            client.username_pw_set(self._user, _secret(self._password_file))
        if self._authority is not None or self._certificate is not None:
            client.tls_set(self._authority, self._certificate, self._key)

    def _connected(self, client: Any, reason: Any, wake: queue.Queue[str | None]) -> None:
        if reason.is_failure:
            wake.put(f"the broker refused: {reason}")
        else:
            client.subscribe(self.topic, qos=0)

    def _received(self, message: Any, wake: queue.Queue[str | None]) -> None:
        if message.retain:
            return
        is_too_long = len(message.payload) > LONGEST_PAYLOAD
        is_overrun = is_too_long or len(self._messages) == QUEUED
        if not is_too_long:
            self._messages.append(Delivery(bytes(message.payload), source=message.topic))
            if wake.empty():
                wake.put(None)
        self.overrun += is_overrun

    def _await_subscription(self, wake: queue.Queue[str | None]) -> None:
        try:
            ended = wake.get(timeout=CONNECT_TIMEOUT_S)
        except queue.Empty:
            ended = f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
        if ended is not None:
            self.close()
            raise DeviceLost(f"{self.name}: {ended}")


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\r\n")
