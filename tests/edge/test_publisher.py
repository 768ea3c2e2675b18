"""The publisher against real brokers: mosquitto where it is installed, and the embedded one."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import edge.publisher
import edge.sending_order
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.site_file import BrokerSettings
from fusion.wire import VERSION, AckMessage, CueMessage, HealthMessage, encode, topic
from sarhad.broker import Broker, free_port

SITE = "ridge-04"
KINDS = ["mosquitto", "embedded"] if shutil.which("mosquitto") else ["embedded"]


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True


class Listener:
    """A subscriber to everything of a site; answers with acknowledgements while `answers` is set."""

    def __init__(self, port: int, answers: bool = True) -> None:
        self.answers = answers
        self.came: list[tuple[str, bytes, bool]] = []  # topic name, payload, retained
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(topic(SITE, "+"), qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._message
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(10)

    def _message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        name = message.topic.rpartition("/")[2]
        if name in ("ack", "cue"):
            return
        self.came.append((name, message.payload, message.retain))
        if name != "health" and self.answers:
            found = json.loads(message.payload)
            self.acknowledge(found["run_id"], (found["sequence"], found["sequence"]))

    def acknowledge(self, run_id: str, *ranges: tuple[int, int]) -> None:
        self.client.publish(topic(SITE, "ack"), encode(AckMessage(VERSION, run_id, ranges)), qos=1)

    @property
    def sequences(self) -> list[int]:
        return [json.loads(payload)["sequence"] for name, payload, _ in self.came if name != "health"]

    def health(self) -> HealthMessage | None:
        found = [payload for name, payload, _ in self.came if name == "health"]
        return msgspec.json.decode(found[-1], type=HealthMessage) if found else None

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.delenv("SARHAD_BROKER", raising=False)
    with Broker.start(prefer=(request.param,)) as broker:
        yield broker


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db")
    yield outbox
    outbox.close()


def settings(port: int) -> BrokerSettings:
    return BrokerSettings("127.0.0.1", port, None, None, None, "outbox.db", 48.0)


def message(sequence: int, run_id: str = "run-1", size: int = 0) -> bytes:
    return json.dumps({"run_id": run_id, "sequence": sequence, "more": "x" * size}).encode()


@pytest.fixture
def publisher(broker: Broker, outbox: Outbox) -> Iterator[Publisher]:
    publisher = Publisher(SITE, "run-1", settings(broker.port), outbox)
    publisher.start()
    yield publisher
    publisher.stop(0.0)


def test_a_burst_arrives_whole_and_the_acknowledgements_empty_the_outbox(
    listener: Listener, publisher: Publisher
) -> None:
    assert until(lambda: publisher.counters.connected)
    for sequence in range(1, 501):
        publisher.publish("tracks", sequence, message(sequence, size=400))
    assert publisher.stop(20.0)
    assert sorted(set(listener.sequences)) == list(range(1, 501))
    counters = publisher.counters
    assert (counters.published, counters.acknowledged, counters.pending) == (500, 500, 0)


def test_live_messages_keep_their_order(listener: Listener, publisher: Publisher) -> None:
    assert until(lambda: publisher.counters.connected)
    for sequence in range(1, 61):
        publisher.publish("tracks", sequence, message(sequence))
    assert publisher.stop(20.0)
    first_times = list(dict.fromkeys(listener.sequences))
    assert first_times == list(range(1, 61))


def test_a_brokers_own_acknowledgement_empties_nothing(broker: Broker, publisher: Publisher, outbox: Outbox) -> None:
    silent = Listener(broker.port, answers=False)
    assert until(lambda: publisher.counters.connected)
    for sequence in range(1, 21):
        publisher.publish("tracks", sequence, message(sequence))
    assert until(lambda: len(silent.came) == 20)
    outbox.flush()
    assert outbox.counts.pending == 20
    silent.acknowledge("run-1", (1, 5), (9, 12))
    assert until(lambda: outbox.counts.pending == 11)
    assert not publisher.stop(0.1)
    silent.close()


def test_what_is_not_acknowledged_in_time_is_sent_again(
    broker: Broker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.sending_order, "RESEND_S", 0.5)
    silent = Listener(broker.port, answers=False)
    assert until(lambda: publisher.counters.connected)
    for sequence in range(1, 11):
        publisher.publish("tracks", sequence, message(sequence))
    assert until(lambda: Counter(silent.sequences)[10] >= 2)
    assert publisher.counters.resent >= 10
    silent.acknowledge("run-1", (1, 10))
    assert until(lambda: publisher.counters.pending == 0)
    silent.close()


@pytest.mark.parametrize("broker", KINDS[:1], indirect=True)
def test_while_nobody_answers_only_a_few_go_out_again_and_with_the_first_answer_all(
    broker: Broker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.sending_order, "RESEND_S", 1.0)
    for sequence in range(1, 1001):
        outbox.add("run-0", sequence, "tracks", message(sequence, "run-0"))
    silent = Listener(broker.port, answers=False)
    publisher = Publisher(SITE, "run-1", settings(broker.port), outbox)
    publisher.start()
    assert until(lambda: Counter(silent.sequences)[1] >= 2)  # the second round
    again = Counter(silent.sequences)
    assert sum(count - 1 for count in again.values()) <= 2 * edge.sending_order.BACKLOG_PROBE
    assert max(again) < 1000
    silent.answers = True
    publisher.publish("tracks", 5000, message(5000))
    assert publisher.stop(20.0)
    assert set(silent.sequences) == {*range(1, 1001), 5000}
    silent.close()


def test_after_an_outage_alerts_come_before_tracks_and_earlier_runs_are_delivered(
    broker: Broker, outbox: Outbox
) -> None:
    outbox.add("run-0", 77, "tracks", message(77, "run-0"))
    publisher = Publisher(SITE, "run-1", settings(broker.port), outbox)
    for sequence in range(1, 40):  # before there is any connection
        publisher.publish("alerts" if sequence % 10 == 0 else "tracks", sequence, message(sequence))
    listener = Listener(broker.port)
    publisher.start()
    assert publisher.stop(20.0)
    order = list(dict.fromkeys(listener.sequences))
    assert order[:5] == [10, 20, 30, 77, 1]
    assert len(order) == 40
    listener.close()


def test_a_live_alert_overtakes_waiting_tracks(listener: Listener, publisher: Publisher) -> None:
    assert until(lambda: publisher.counters.connected)
    for sequence in range(1, 301):
        publisher.publish("tracks", sequence, message(sequence, size=2000))
    publisher.publish("alerts", 301, message(301))
    assert publisher.stop(20.0)
    assert listener.sequences.index(301) < 290


def test_health_is_retained_and_the_last_will_replaces_it_when_the_connection_breaks(
    broker: Broker, outbox: Outbox
) -> None:
    listener = Listener(broker.port)
    gate = Gate(broker.port)
    publisher = Publisher(SITE, "run-1", settings(gate.port), outbox)
    publisher.start()
    assert until(lambda: publisher.counters.connected)
    publisher.publish_retained("health", b'{"state":"ok"}')
    assert until(lambda: any(payload == b'{"state":"ok"}' for _, payload, _ in listener.came))
    gate.cut()
    assert until(lambda: any(name == "health" and b"connection lost" in payload for name, payload, _ in listener.came))
    assert until(lambda: publisher.counters.connects == 2)
    assert until(lambda: listener.came[-1][1] == b'{"state":"ok"}')  # said again without being asked
    late = Listener(broker.port)
    assert until(lambda: ("health", b'{"state":"ok"}', True) in late.came)
    publisher.stop(1.0)
    assert until(lambda: b'"text":"stopped"' in listener.came[-1][1])
    last = listener.health()
    assert last is not None
    assert (last.state, last.site_id, last.run_id) == ("gone", SITE, "run-1")
    for open_one in (listener, late, gate):
        open_one.close()


def test_the_site_message_is_retained_and_an_older_runs_one_does_not_replace_it(
    broker: Broker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.sending_order, "RESEND_S", 0.5)
    outbox.add("run-0", 1, "site", message(1, "run-0"))
    silent = Listener(broker.port, answers=False)
    publisher = Publisher(SITE, "run-1", settings(broker.port), outbox)
    publisher.start()
    assert until(lambda: publisher.counters.connected)
    publisher.publish("site", 1, message(1))
    assert until(lambda: {payload for _, payload, _ in silent.came} == {message(1, "run-0"), message(1)})
    late = Listener(broker.port)
    assert until(lambda: ("site", message(1), True) in late.came)
    assert publisher.stop(20.0)
    assert ("site", message(1, "run-0"), True) not in late.came
    for open_one in (silent, late):
        open_one.close()


def test_sensors_are_retained_and_scans_are_neither_kept_nor_awaited(
    listener: Listener, publisher: Publisher, broker: Broker
) -> None:
    publisher.publish_live("scans", b'{"run_id":"run-1","sequence":0}')  # there is no connection yet, or it takes it
    assert until(lambda: publisher.counters.connected)
    publisher.publish_live("sensors", b'{"run_id":"run-1","sequence":0}')
    publisher.publish_live("scans", b'{"run_id":"run-1","sequence":0}')
    assert until(lambda: "scans" in {name for name, _, _ in listener.came if name != "health"})
    assert publisher.counters.pending == 0
    late = Listener(broker.port)
    assert until(lambda: "sensors" in {name for name, _, _ in late.came})
    assert "scans" not in {name for name, _, _ in late.came}
    late.close()


def test_on_a_link_that_is_behind_scans_are_dropped_and_counted_and_an_alert_does_not_wait(
    broker: Broker, outbox: Outbox
) -> None:
    gate = Gate(broker.port, bytes_per_s=10_000.0)  # of the ten messages of 4 kB on the way one each 0.4 s
    publisher, listener = Publisher(SITE, "run-1", settings(gate.port), outbox), Listener(broker.port)
    scans = json.dumps({"run_id": "run-1", "sequence": 0, "more": "x" * 4000}).encode()
    publisher.start()
    assert until(lambda: publisher.counters.connected)
    for _ in range(100):
        publisher.publish_live("scans", scans)
    assert publisher.counters.scans_dropped >= 100 - 2 * edge.publisher.SCANS_ON_THE_WAY
    assert until(lambda: sum(sent.is_published() for sent, _ in list(publisher._scans)) == 3)
    before = publisher.counters.scans_dropped
    publisher.publish_live("scans", scans)  # there is room, and the oldest has waited for more than half a second
    assert publisher.counters.scans_dropped == before + 1
    publisher.publish("alerts", 1, message(1))
    assert until(lambda: "alerts" in {name for name, _, _ in listener.came})
    came = [name for name, _, _ in listener.came if name != "health"]
    assert came.index("alerts") == 101 - publisher.counters.scans_dropped  # behind those on the way and no others
    assert publisher.stop(20.0)
    gate.close()
    listener.close()


def test_scans_that_find_the_link_just_gone_are_dropped_and_counted_and_the_next_go_out(outbox: Outbox) -> None:
    publisher = Publisher(SITE, "run-1", settings(free_port()), outbox)
    publisher._order.connect(time.monotonic())  # the socket is gone and nobody has said so yet
    for _ in range(3):
        publisher.publish_live("scans", b"{}")
    assert publisher.counters.scans_dropped == 3


def test_nonsense_on_the_ack_topic_is_counted_and_changes_nothing(
    listener: Listener, publisher: Publisher, outbox: Outbox
) -> None:
    listener.answers = False
    assert until(lambda: publisher.counters.connected)
    publisher.publish("tracks", 1, message(1))
    too_large = b'{"version":1,"run_id":"run-1","ranges":[[1,18446744073709551615]]}'
    words = b'{"version":1,"run_id":"run-1","ranges":[["a",2]]}'
    for nonsense in (b"", b"{}", b"\xff\xfe", words, too_large, b"[" * 5000):
        listener.client.publish(topic(SITE, "ack"), nonsense, qos=1)
    assert until(lambda: publisher.counters.bad_acks == 6)
    outbox.flush()
    assert outbox.counts.pending == 1
    listener.acknowledge("run-1", (1, 1))
    assert until(lambda: outbox.counts.pending == 0)


def test_an_operators_cue_is_heard_and_nonsense_and_retained_ones_are_not(
    listener: Listener, broker: Broker, outbox: Outbox
) -> None:
    heard: list[CueMessage] = []
    old = encode(CueMessage(VERSION, "camera", 60.0, track_number=1))
    listener.client.publish(topic(SITE, "cue"), old, qos=1, retain=True).wait_for_publish(10)
    publisher = Publisher(SITE, "run-1", settings(broker.port), outbox, heard.append)
    publisher.start()
    assert until(lambda: publisher.counters.connected)
    cue = CueMessage(VERSION, "camera", 30.0, azimuth_deg=200.0, elevation_deg=4.0)
    for payload in (b"{}", b"\xff", encode(cue)):
        listener.client.publish(topic(SITE, "cue"), payload, qos=1)
    assert until(lambda: bool(heard))
    publisher.stop(0.0)
    assert heard == [cue]


def test_a_broker_that_speaks_nonsense_does_not_end_the_publisher(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.publisher, "FIRST_RETRY_S", 0.2)
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as liar:
        liar.settimeout(20)
        publisher = Publisher(SITE, "run-1", settings(port), outbox)
        publisher.start()
        publisher.publish("tracks", 1, message(1))
        for answer in (os.urandom(200), b"\x20\x02\x00\x00" + b"\x90\xff\xff\xff\x7f\x00", b"\x30\x02\xff\xff", b""):
            connection, _ = liar.accept()
            connection.sendall(b"\x20\x02\x00\x00" * (answer[:1] == b"\x30") + answer)
            connection.close()
    with Broker.start(port=port, prefer=("embedded",)):
        listener = Listener(port)
        assert publisher.stop(40.0)
        assert listener.sequences[0] == 1
        listener.close()


@pytest.mark.parametrize("broker", KINDS[:1], indirect=True)
def test_a_live_message_hardly_waits_behind_a_backlog_on_a_thin_link(broker: Broker, outbox: Outbox) -> None:
    for sequence in range(1, 201):
        outbox.add("run-0", sequence, "tracks", message(sequence, "run-0", size=500))
    listener = Listener(broker.port)
    gate = Gate(broker.port, bytes_per_s=60_000)  # the backlog alone takes two seconds
    publisher = Publisher(SITE, "run-1", settings(gate.port), outbox)
    publisher.start()
    assert until(lambda: len(listener.came) >= 10)
    before = len(listener.sequences)
    publisher.publish("alerts", 1000, message(1000))
    assert until(lambda: 1000 in listener.sequences)
    overtaken = 200 - listener.sequences.index(1000)
    assert overtaken > 80, f"{before} had come before it was sent, and it overtook {overtaken} of 200"
    assert publisher.stop(30.0)
    for open_one in (listener, gate):
        open_one.close()


def test_over_tls_with_certificates_of_both_sides(tmp_path: Path, outbox: Outbox) -> None:
    if not (shutil.which("mosquitto") and shutil.which("openssl")):
        pytest.skip("needs mosquitto and openssl")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=authority -days 2",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2",
        "req -newkey rsa:2048 -nodes -keyout post.key -out post.csr -subj /CN=ridge-04",
        "x509 -req -in post.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out post.crt -days 2",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    port, plain = free_port(), free_port()
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\ncafile ca.crt\ncertfile server.crt\nkeyfile server.key\n"
        f"require_certificate true\nallow_anonymous true\nlistener {plain} 127.0.0.1\nuser root\n"
    )
    process = subprocess.Popen(["mosquitto", "-c", "mosquitto.conf"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: socket.socket().connect_ex(("127.0.0.1", plain)) == 0)
        listener = Listener(plain)
        files = [str(tmp_path / name) for name in ("post.crt", "post.key", "ca.crt")]
        publisher = Publisher(SITE, "run-1", BrokerSettings("localhost", port, *files, "outbox.db", 48.0), outbox)
        publisher.start()
        publisher.publish("tracks", 1, message(1))
        assert publisher.stop(20.0)
        assert listener.sequences == [1]
        listener.close()
    finally:
        process.kill()
        process.wait()


class Gate:
    """A TCP relay to a broker that can break its connections, or let through only so many bytes a second upwards."""

    def __init__(self, to_port: int, bytes_per_s: float = 1e9) -> None:
        self._to_port, self._bytes_per_s = to_port, bytes_per_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._server.accept()
            except OSError:
                return
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            outer = socket.create_connection(("127.0.0.1", self._to_port))
            self._pairs.append((inner, outer))
            threading.Thread(target=self._carry, args=(inner, outer, self._bytes_per_s), daemon=True).start()
            threading.Thread(target=self._carry, args=(outer, inner, 1e9), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, bytes_per_s: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2048):
                time.sleep(len(data) / bytes_per_s)  # the link's own speed
                target.sendall(data)
        self._break(source, target)

    def _break(self, *ends: socket.socket) -> None:
        for end in ends:  # closing one that another thread reads from would not end the connection
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        for pair in self._pairs:
            self._break(*pair)

    def close(self) -> None:
        self.cut()
        self._server.close()
        for pair in self._pairs:
            for end in pair:
                end.close()
