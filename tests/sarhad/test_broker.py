import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from sarhad.broker import Broker, BrokerError, answers, free_port

KINDS = ["mosquitto", "embedded"] if shutil.which("mosquitto") else ["embedded"]


@pytest.fixture(autouse=True)
def _no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SARHAD_BROKER", raising=False)


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker.start(prefer=(request.param,)) as broker:
        yield broker


def without_mosquitto(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_started_broker_carries_a_retained_message(broker: Broker) -> None:
    came: list[bytes] = []
    sender = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    sender.connect(broker.host, broker.port)
    sender.loop_start()
    sender.publish("sarhad/v1/ridge/site", b"here", qos=1, retain=True).wait_for_publish(10)
    receiver = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    receiver.on_message = lambda _client, _data, message: came.append(message.payload)
    receiver.on_connect = lambda client, *_: client.subscribe("sarhad/v1/+/site", qos=1)
    receiver.connect(broker.host, broker.port)
    deadline_s = time.monotonic() + 10
    while not came and time.monotonic() < deadline_s:
        receiver.loop(0.1)
    assert b"here" in came
    sender.loop_stop()


def test_it_listens_on_loopback_alone_and_ends_with_stop(broker: Broker) -> None:
    assert broker.pid is not None
    process = psutil.Process(broker.pid)
    listening = [c.laddr for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", broker.port)]
    assert broker.is_running
    broker.stop()
    broker.stop()
    assert not psutil.pid_exists(broker.pid)
    assert not answers(broker.host, broker.port)


def test_the_port_can_be_chosen_so_that_it_comes_back_at_the_same_place() -> None:
    port = free_port()
    for _ in range(2):
        with Broker.start(port=port, prefer=("embedded",)) as broker:
            assert broker.port == port
            assert answers("127.0.0.1", port)


@pytest.mark.skipif("mosquitto" not in KINDS, reason="mosquitto is not installed")
def test_mosquitto_is_preferred_where_it_is_on_path() -> None:
    with Broker.start() as broker:
        assert broker.kind == "mosquitto"


def test_without_mosquitto_the_embedded_one_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_mosquitto(monkeypatch, tmp_path)
    with Broker.start() as broker:
        assert broker.kind == "embedded"
    with pytest.raises(BrokerError, match="not on PATH"):
        Broker.start(prefer=("mosquitto",))


def test_a_given_broker_is_used_and_left_alone(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Broker.start(f"127.0.0.1:{broker.port}")
    assert (given.kind, given.port, given.pid) == ("given", broker.port, None)
    given.stop()
    assert broker.is_running
    monkeypatch.setenv("SARHAD_BROKER", f"127.0.0.1:{broker.port}")
    assert Broker.start().kind == "given"
    monkeypatch.setenv("SARHAD_BROKER", "embedded")
    with Broker.start(f"127.0.0.1:{broker.port}") as wished:
        assert wished.kind == "embedded"


@pytest.mark.parametrize(
    ("address", "text"), [("nonsense", "expected host:port"), ("127.0.0.1:", "expected"), (":1883", "expected")]
)
def test_a_wrong_address_is_refused(address: str, text: str) -> None:
    with pytest.raises(BrokerError, match=text):
        Broker.start(address)


def test_a_port_without_a_broker_is_refused() -> None:
    with pytest.raises(BrokerError, match="does not answer"):
        Broker.start(f"127.0.0.1:{free_port()}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_is_taken_is_told(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(5)
        with pytest.raises(BrokerError, match=f"{kind} broker on port"):
            Broker.start(port=other.getsockname()[1], prefer=(kind,))
