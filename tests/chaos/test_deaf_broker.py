"""Brokers that answer and serve nothing: whoever hangs on one connects anew."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import center.broker_link
import center.settings
import edge.publisher
from center.ingest import Ingest
from center.store import Store
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.site_file import BrokerSettings
from sarhad.broker import Broker

CONNACK, PINGRESP = b"\x20\x02\x00\x00", b"\xd0\x00"


class DeafBroker:
    """Accepts every MQTT client, confirms its connection and its pings, and nothing else."""

    def __init__(self) -> None:
        self.connections = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self.connections.release()
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            link.recv(4096)
            link.sendall(CONNACK)
            while data := link.recv(65536):
                if data[0] == 0xC0:
                    link.sendall(PINGRESP)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def deaf_broker() -> Iterator[DeafBroker]:
    broker = DeafBroker()
    yield broker
    broker.close()


def test_a_post_leaves_a_broker_that_takes_nothing(
    deaf_broker: DeafBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.publisher, "DEAF_S", 0.5)
    outbox = Outbox(tmp_path / "outbox.db")
    settings = BrokerSettings("127.0.0.1", deaf_broker.port, None, None, None, str(tmp_path / "outbox.db"), 1.0)
    publisher = Publisher("ridge", "run", settings, outbox)
    publisher.start()
    assert deaf_broker.connections.acquire(timeout=10)
    for sequence in range(1, 200):  # until one of them is on its way over the new connection
        publisher.publish("tracks", sequence, b"{}")
        if deaf_broker.connections.acquire(timeout=0.25):
            break
    else:
        pytest.fail("the publisher never connected anew")
    publisher.stop(0.0)
    outbox.close()


def test_the_center_leaves_a_broker_that_does_not_confirm_its_subscription(
    deaf_broker: DeafBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(center.broker_link, "SUBSCRIBED_WITHIN_S", 0.5)
    store = Store(tmp_path / "center.db")
    broker, retention = (
        center.settings.BrokerSettings("127.0.0.1", deaf_broker.port),
        center.settings.RetentionSettings(),
    )
    ingest = Ingest(broker, store, retention, lambda received: None)
    ingest.start()
    assert deaf_broker.connections.acquire(timeout=10)
    assert deaf_broker.connections.acquire(timeout=10)
    ingest.stop()
    store.close()


def test_the_embedded_broker_serves_whoever_connects_while_others_subscribe() -> None:
    with Broker.start(prefer=("embedded",)) as broker:
        keeper = client_of(broker)
        for number in range(5):
            keeper.publish(f"kept/{number}", b"a" * 300, 1, retain=True).wait_for_publish(10)
        subscribe_and_wait(keeper, [("kept/+", 1)])
        stopping = threading.Event()
        busy = threading.Thread(target=keep_subscribing, args=(broker, stopping))
        busy.start()
        try:
            for _ in range(15):
                newcomer = client_of(broker)
                assert subscribe_and_wait(newcomer, [("new", 1)])
                newcomer.disconnect()
                newcomer.loop_stop()
        finally:
            stopping.set()
            busy.join()
            keeper.disconnect()
            keeper.loop_stop()


def client_of(broker: Broker) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    return client


def subscribe_and_wait(client: mqtt.Client, topics: list[tuple[str, int]]) -> bool:
    confirmed = threading.Event()
    client.on_subscribe = lambda *_: confirmed.set()
    client.subscribe(topics)
    return confirmed.wait(10.0)


def keep_subscribing(broker: Broker, stopping: threading.Event) -> None:
    """Another client whose subscriptions come and go all the time."""
    client, number = client_of(broker), 0
    while not stopping.wait(0.005):
        client.subscribe([(f"busy/{number}/{one}/+", 1) for one in range(7)])
        if number % 20 == 19:
            client.unsubscribe([f"busy/{old}/{one}/+" for old in range(number - 19, number + 1) for one in range(7)])
        number += 1
    client.disconnect()
    client.loop_stop()
