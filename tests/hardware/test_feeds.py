"""Datagrams, TCP streams and MQTT over real sockets on loopback."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.mqtt_feed import LONGEST_PAYLOAD, MqttFeed
from hardware.tcp_stream import TcpStream
from hardware.udp_listener import AllowList, UdpListener

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def run(door):
    runners = []

    def start(driver) -> DeviceRunner:
        runners.append(DeviceRunner("feed", driver, Clock(), door.deliver, door.report))
        runners[-1].start()
        return runners[-1]

    yield start
    for runner in runners:
        assert runner.stop()


def free_port() -> int:
    """A port that nothing listens on, below those the system gives to connections: it stays free while a broker is away."""
    for port in random.Random(os.getpid()).sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


# datagrams


def test_each_datagram_is_one_delivery_with_its_source(run, door):
    listener = UdpListener(0, "127.0.0.1")
    run(listener)
    door.await_event("opened")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in (b"one", b"", b"x" * 60_000):
            sender.sendto(data, ("127.0.0.1", listener.port))
        door.await_that(lambda: len(door.readings) == 3)
        assert [reading.data for reading in door.readings] == [b"one", b"", b"x" * 60_000]
        assert door.readings[0].source == f"127.0.0.1:{sender.getsockname()[1]}"


def test_datagrams_of_others_are_dropped_and_counted():
    listener = UdpListener(0, "127.0.0.1", allow="127.0.0.2, 192.0.2.0/24")
    listener.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as friend:  # fmt: skip
        friend.bind(("127.0.0.2", 0))
        stranger.sendto(b"stranger", ("127.0.0.1", listener.port))
        friend.sendto(b"friend", ("127.0.0.1", listener.port))
        assert listener.read(5.0).data == b"friend"
    assert listener.refused == 1
    assert listener.read(0.01) is None
    listener.close()


def test_a_taken_port_is_a_loss_with_its_address():
    first = UdpListener(0, "127.0.0.1")
    first.open()
    with pytest.raises(DeviceLost, match=rf"udp 127.0.0.1:{first.port}: Address already in use"):
        UdpListener(first.port, "127.0.0.1").open()
    first.close()


@pytest.mark.parametrize(
    ("allow", "address", "is_allowed"),
    [
        ((), "203.0.113.5", True),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["192.0.2.0/24"], "192.0.2.8", True),
        (["192.0.2.9/24"], "192.0.2.8", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.8", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        ("192.0.2.1,2001:db8::/32", "2001:db8::9", True),
    ],
)
def test_an_allow_list_knows_addresses_and_networks(allow, address, is_allowed):
    assert AllowList(allow).allows(address) == is_allowed


def test_an_allow_list_refuses_what_is_no_address():
    with pytest.raises(ValueError, match="radar"):
        AllowList(["radar.example.net"])


# TCP


def test_a_stream_that_is_connected_to_comes_whole_and_comes_back(run, door):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        run(TcpStream(server.getsockname()[1]))
        first, _ = server.accept()
        data = bytes(range(256)) * 400
        first.sendall(data)
        door.await_that(lambda: len(door.data) == len(data))
        first.close()
        assert "closed the connection" in door.await_event("lost").text
        second, _ = server.accept()
        second.sendall(b"again")
        door.await_that(lambda: door.data == data + b"again")
        assert door.readings[0].source == f"127.0.0.1:{server.getsockname()[1]}"
        second.close()


def test_nobody_listening_is_a_loss():
    port = free_port()
    with pytest.raises(DeviceLost, match=f"tcp 127.0.0.1:{port}: Connection refused"):
        TcpStream(port).open()


def test_a_device_that_connects_is_heard_and_may_come_again(run, door):
    stream = TcpStream(0, listen=True)
    run(stream)
    door.await_event("opened")
    for number in range(3):
        with socket.create_connection(("127.0.0.1", stream.port)) as device:
            device.sendall(b"%d" % number)
            door.await_that(lambda number=number: len(door.data) == number + 1)
    assert door.data == b"012"
    assert "lost" not in door.names()


def test_a_second_connection_takes_the_place_of_a_hanging_first(run, door):
    stream = TcpStream(0, listen=True)
    run(stream)
    door.await_event("opened")
    with socket.create_connection(("127.0.0.1", stream.port)) as hanging:
        hanging.sendall(b"1")
        door.await_that(lambda: door.data == b"1")
        with socket.create_connection(("127.0.0.1", stream.port)) as device:
            device.sendall(b"2")
            door.await_that(lambda: door.data == b"12")


def test_one_that_only_looks_whether_the_port_is_open_disturbs_no_device():
    stream = TcpStream(0, listen=True)
    stream.open()
    with socket.create_connection(("127.0.0.1", stream.port)) as device:
        while stream.read(1.0) is None:
            device.sendall(b"1")
        scanner = socket.create_connection(("127.0.0.1", stream.port))
        scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
        scanner.close()
        device.sendall(b"2")
        heard = stream.read(1.0)
        assert heard is not None
        assert heard.data.endswith(b"2")
    stream.close()


def test_a_stranger_is_not_let_in(run, door, await_that):
    stream = TcpStream(0, listen=True, allow="127.0.0.2")
    run(stream)
    door.await_event("opened")
    with socket.create_connection(("127.0.0.1", stream.port)) as stranger:
        stranger.settimeout(10)
        assert stranger.recv(1) == b""
    with socket.create_connection(("127.0.0.1", stream.port), source_address=("127.0.0.2", 0)) as friend:
        friend.sendall(b"friend")
        door.await_that(lambda: door.data == b"friend")
    assert stream.refused == 1


# MQTT


class Broker:
    def __init__(self, port: int) -> None:
        self.port = port
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [MOSQUITTO, "-v", "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.rstrip().endswith(" running"):
                break
        else:
            raise AssertionError(f"mosquitto did not start: {said}")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


@pytest.fixture
def broker():
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    made = Broker(free_port())
    yield made
    made.stop()


@pytest.fixture
def publish(broker):
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    def send(*messages: bytes, topic: str = "sniffer/1", retain: bool = False) -> None:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        for message in messages:
            client.publish(topic, message, qos=1, retain=retain).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    return send


def test_each_message_is_one_delivery_with_its_topic(run, door, broker, publish):
    publish(b"old", topic="sniffer/old", retain=True)
    run(MqttFeed("sniffer/+", port=broker.port))
    door.await_event("opened")
    publish(b"one", b"two")
    publish(b"else", topic="other/1")
    publish(b"three", topic="sniffer/2")
    door.await_that(lambda: len(door.readings) == 3)
    assert [(r.data, r.source) for r in door.readings] == [
        (b"one", "sniffer/1"),
        (b"two", "sniffer/1"),
        (b"three", "sniffer/2"),
    ]


def test_a_broker_that_goes_is_a_loss_and_one_that_returns_is_heard(run, door, broker, publish):
    run(MqttFeed("sniffer/#", port=broker.port))
    door.await_event("opened")
    broker.stop()
    door.await_event("lost")
    broker.start()
    door.await_event("back")
    publish(b"again")
    door.await_that(lambda: door.data == b"again")


def test_a_burst_comes_whole_and_in_order(broker, publish, run, door):
    run(MqttFeed("sniffer/#", port=broker.port))
    door.await_event("opened")
    publish(*(b"%d," % number for number in range(3000)))
    door.await_that(lambda: len(door.readings) == 3000)
    assert door.data == b"".join(b"%d," % number for number in range(3000))


def test_messages_too_long_are_left_out_and_counted(broker, publish, run, door):
    feed = MqttFeed("sniffer/#", port=broker.port)
    run(feed)
    door.await_event("opened")
    publish(bytes(LONGEST_PAYLOAD + 1), b"short")
    door.await_that(lambda: door.data == b"short")
    assert feed.overrun == 1


def test_no_broker_is_a_loss_with_its_address():
    port = free_port()
    with pytest.raises(DeviceLost, match=f"mqtt 127.0.0.1:{port} sniffer: Connection refused"):
        MqttFeed("sniffer", port=port).open()


def test_messages_of_topics_that_are_not_allowed_are_dropped_and_counted(run, door, broker, publish):
    feed = MqttFeed("sniffer/#", port=broker.port, allow=("sniffer/roof", "sniffer/mast/+"))
    run(feed)
    door.await_event("opened")
    publish(b"stranger", topic="sniffer/cellar")
    publish(b"roof", topic="sniffer/roof")
    publish(b"mast", topic="sniffer/mast/2")
    door.await_that(lambda: door.data == b"roofmast")
    assert feed.refused == 1
    assert "does not name" in door.await_event("refused").text


def test_closing_never_waits_for_a_broker_that_flickers(broker, publish):
    feed = MqttFeed("sniffer/#", port=broker.port)
    before = threading.active_count()
    for _ in range(3):
        feed.open()
        broker.stop()
        closing = threading.Thread(target=feed.close, daemon=True)
        closing.start()
        closing.join(60.0)  # the broker comes back only after this: one that waits for it would wait for ever
        assert not closing.is_alive()
        broker.start()
    assert threading.active_count() <= before + 3  # the brokers' own readers in this test


def test_a_broker_that_says_what_none_says_is_a_loss(run, door):
    """The node goes on, tries again, and says so: a packet of type 0 is forbidden (MQTT 3.1.1, section 2.2.1)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        run(MqttFeed("sniffer", port=server.getsockname()[1]))
        link, _ = server.accept()
        link.recv(1000)
        link.sendall(b"\x20\x02\x00\x00")  # CONNACK
        link.recv(1000)
        link.sendall(b"\x90\x03\x00\x01\x00")  # SUBACK
        door.await_event("opened")
        link.sendall(b"\x00\xff\xff\xff\xff\xff" + b"\x30\x02\xff\xff" * 8)
        assert "mqtt 127.0.0.1" in door.await_event("lost").text
        link.close()
