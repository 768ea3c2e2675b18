"""The shipped broker settings, held by a real mosquitto with certificates on both sides."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.broker_trial import try_broker
from edge.site_types import BrokerSettings
from fusion.wire import UP_TOPICS

DEPLOY = Path(__file__).parents[2] / "deploy"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
WAIT_S = 15.0

pytestmark = pytest.mark.skipif(
    MOSQUITTO is None or OPENSSL is None,
    reason="mosquitto or openssl is not installed; the broker settings stay unproven",
)
NAMES = ("broker", "ridge-04", "hill-07", "center", "reader", "fused")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate for each name, and one from a stranger's authority."""
    folder = tmp_path_factory.mktemp("keys")
    make_authority(folder, "authority")
    make_authority(folder, "strangers")
    for name in NAMES:
        make_certificate(folder, name, name, "authority")
    make_certificate(folder, "forged", "ridge-04", "strangers")
    return folder


def openssl(folder: Path, *words: str) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *words], cwd=folder, check=True, capture_output=True)


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(folder: Path, name: str) -> None:
    openssl(
        folder,
        "req",
        "-x509",
        *EC,
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.crt",
    )


def make_certificate(folder: Path, file: str, name: str, authority: str) -> None:
    (folder / "names.cnf").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl(folder, "req", *EC, "-subj", f"/CN={name}", "-keyout", f"{file}.key", "-out", f"{file}.csr")
    signed_by = ("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial")
    openssl(
        folder,
        "x509",
        "-req",
        "-in",
        f"{file}.csr",
        *signed_by,
        "-days",
        "2",
        "-extfile",
        "names.cnf",
        "-out",
        f"{file}.crt",
    )


@pytest.fixture(scope="module")
def port(keys: Path) -> Iterator[int]:
    """The port of a mosquitto that runs with the shipped settings; only paths, port and user are changed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    shutil.copy(DEPLOY / "mosquitto.acl", keys / "mosquitto.acl")
    (keys / "mosquitto.acl").chmod(0o600)
    text = (DEPLOY / "mosquitto.conf").read_text()
    text = text.replace("/etc/sarhad/broker/", f"{keys}/").replace("/var/lib/mosquitto/", f"{keys}/")
    text = text.replace("listener 8883", f"listener {number} 127.0.0.1")
    (keys / "mosquitto.conf").write_text(text + "\nuser root\nlog_type information\n")
    assert MOSQUITTO is not None
    with subprocess.Popen([MOSQUITTO, "-c", str(keys / "mosquitto.conf")], stderr=subprocess.PIPE, text=True) as broker:
        try:
            wait_until_it_runs(broker)
            yield number
        finally:
            broker.kill()


def wait_until_it_runs(broker: subprocess.Popen[str]) -> None:
    assert broker.stderr is not None
    said = ""
    while "running" not in said:
        said = broker.stderr.readline()
        assert said, "mosquitto did not start with the shipped settings"
    threading.Thread(target=broker.stderr.read, daemon=True).start()


class Peer:
    """One client of the broker, with what it received and whether it was let in."""

    def __init__(
        self, port: int, keys: Path, file: str | None, topics: tuple[str, ...] = (), client_id: str = ""
    ) -> None:
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.subscribed, self.lost = threading.Event(), threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv311)
        certificate = (str(keys / f"{file}.crt"), str(keys / f"{file}.key")) if file else (None, None)
        self.client.tls_set(str(keys / "authority.crt"), *certificate)
        self.client.on_connect = lambda *_: self.client.subscribe([(topic, 1) for topic in topics or ("nothing",)])
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.on_message = lambda _client, _data, message: self.received.put((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self) -> Peer:
        assert self.subscribed.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, topic: str, text: str = "x") -> None:
        self.client.publish(topic, text, qos=1).wait_for_publish(WAIT_S)

    def heard_until(self, last_topic: str) -> list[str]:
        """The topics received, up to one that is known to be allowed: what did not come before it, will not come."""
        topics: list[str] = []
        while last_topic not in topics:
            topics.append(self.received.get(timeout=WAIT_S)[0])
        return topics


def test_a_post_writes_its_own_up_topics_and_none_of_another(port: int, keys: Path):
    with Peer(port, keys, "center", ("sarhad/v1/#",)) as center, Peer(port, keys, "hill-07") as post:
        for name in UP_TOPICS:
            post.say(f"sarhad/v1/ridge-04/{name}")  # forged
        for name in ("ack", "cue", "config", "cosign", "request"):
            post.say(f"sarhad/v1/hill-07/{name}")  # the center's to say
        post.say("sarhad/v1/fused/tracks")
        post.say("anything/else")
        own = [f"sarhad/v1/hill-07/{name}" for name in UP_TOPICS]
        for topic in own:
            post.say(topic)
        assert center.heard_until(own[-1]) == own


def test_a_post_reads_its_own_down_topics_and_nothing_of_another(port: int, keys: Path):
    with Peer(port, keys, "hill-07", ("sarhad/v1/#",)) as post, Peer(port, keys, "center") as center:
        for name in ("ack", "cue", "config", "cosign", "request"):
            center.say(f"sarhad/v1/ridge-04/{name}")
        center.say("sarhad/v1/fused/tracks")
        center.say("sarhad/v1/hill-07/tracks")  # a post's to say, even for the center
        center.say("sarhad/v1/hill-07/ack")
        assert post.heard_until("sarhad/v1/hill-07/ack") == ["sarhad/v1/hill-07/ack"]


def test_a_reader_reads_the_fused_picture_only_and_writes_nothing(port: int, keys: Path):
    with (
        Peer(port, keys, "reader", ("#",)) as reader,
        Peer(port, keys, "center", ("sarhad/v1/#",)) as center,
        Peer(port, keys, "hill-07") as post,
    ):
        post.say("sarhad/v1/hill-07/tracks")
        assert center.heard_until("sarhad/v1/hill-07/tracks")
        for topic in (
            "sarhad/v1/fused/tracks",
            "sarhad/v1/reader/tracks",
            "sarhad/v1/hill-07/tracks",
            "sarhad/v1/reader/alerts",
        ):
            reader.say(topic, "forged")
        center.say("sarhad/v1/fused/alerts")
        assert reader.heard_until("sarhad/v1/fused/alerts") == ["sarhad/v1/fused/alerts"]
        assert center.heard_until("sarhad/v1/fused/alerts") == ["sarhad/v1/fused/alerts"]


def test_a_post_named_like_the_fused_picture_can_say_nothing(port: int, keys: Path):
    with Peer(port, keys, "reader", ("sarhad/v1/fused/#",)) as reader, Peer(port, keys, "fused") as impostor:
        impostor.say("sarhad/v1/fused/tracks", "forged")
        impostor.say("sarhad/v1/fused/alerts", "forged")
        with Peer(port, keys, "center") as center:
            center.say("sarhad/v1/fused/tracks", "true")
        assert reader.received.get(timeout=WAIT_S) == ("sarhad/v1/fused/tracks", b"true")


def test_nobody_can_push_out_another_by_its_client_id(port: int, keys: Path):
    with Peer(port, keys, "center", ("sarhad/v1/#",), client_id="the-center") as center:
        with Peer(port, keys, "hill-07", client_id="the-center") as thief:
            thief.say("sarhad/v1/hill-07/tracks")
        with Peer(port, keys, "ridge-04", client_id="center") as post:
            post.say("sarhad/v1/ridge-04/tracks")
        assert center.heard_until("sarhad/v1/ridge-04/tracks") == [
            "sarhad/v1/hill-07/tracks",
            "sarhad/v1/ridge-04/tracks",
        ]
        assert not center.lost.is_set()


@pytest.mark.parametrize("file", [None, "forged"], ids=["no certificate", "a stranger's certificate"])
def test_who_has_no_certificate_of_ours_is_refused(port: int, keys: Path, file: str | None):
    assert is_let_in(port, keys, "ridge-04", ssl.TLSVersion.TLSv1_2)
    assert not is_let_in(port, keys, file, ssl.TLSVersion.TLSv1_2)
    assert not is_let_in(port, keys, file, ssl.TLSVersion.TLSv1_3)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_tls_is_refused(port: int, keys: Path):
    assert not is_let_in(port, keys, "ridge-04", ssl.TLSVersion.TLSv1_1)


def is_let_in(port: int, keys: Path, file: str | None, version: ssl.TLSVersion) -> bool:
    """Whether the broker answers a CONNECT of this certificate over this TLS version with success."""
    context = ssl.create_default_context(cafile=str(keys / "authority.crt"))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    if file:
        context.load_cert_chain(keys / f"{file}.crt", keys / f"{file}.key")
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")  # CONNECT, clean session
                return secure.recv(4) == b"\x20\x02\x00\x00"  # CONNACK, accepted
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            return False


@pytest.mark.parametrize(
    ("file", "authority", "state", "words"),
    [
        ("ridge-04", "authority", "pass", "lets this post in over TLS"),
        ("forged", "authority", "fail", ""),
        (None, "authority", "fail", ""),
        ("ridge-04", "strangers", "fail", "TLS fails"),
    ],
)
def test_the_doctor_tells_whether_a_posts_certificate_is_good(
    port: int, keys: Path, file: str | None, authority: str, state: str, words: str
):
    certificate, key = (str(keys / f"{file}.crt"), str(keys / f"{file}.key")) if file else (None, None)
    settings = BrokerSettings("127.0.0.1", port, certificate, key, str(keys / f"{authority}.crt"), "outbox.db", 1.0)
    finding = try_broker(settings, "ridge-04")
    assert finding.state == state, finding
    assert words in finding.seen
    assert finding.state == "pass" or finding.todo


def test_post_and_center_work_over_the_shipped_broker(port: int, keys: Path, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        map_port = int(free.getsockname()[1])
    (tmp_path / "post.toml").write_text(POST.format(keys=keys, port=port))
    (tmp_path / "center.toml").write_text(CENTER.format(keys=keys, port=port, map_port=map_port))
    address = f"http://127.0.0.1:{map_port}"
    with running("center", tmp_path / "center.toml"), running("edge", tmp_path / "post.toml"):
        health = wait_for(
            lambda: get(f"{address}/api/sites/ridge-04/health"), lambda found: '"outbox_pending": 0' in found
        )
    assert "ridge-04" in health


POST = """
[site]
id = "ridge-04"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 612.4 }}
[broker]
host = "localhost"
port = {port}
certificate = "{keys}/ridge-04.crt"
key = "{keys}/ridge-04.key"
authority = "{keys}/authority.crt"
[[sensor]]
id = "gnss"
device = {{ driver = "udp_listener", host = "127.0.0.1", port = 47_123 }}
protocol = "gnss"
"""
CENTER = """
[broker]
host = "localhost"
port = {port}
certificate = "{keys}/center.crt"
key = "{keys}/center.key"
authority = "{keys}/authority.crt"
[listen]
port = {map_port}
"""


@contextlib.contextmanager
def running(command: str, settings: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "sarhad", command, str(settings)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=WAIT_S) as answer:
            return json.dumps(json.load(answer))
    except OSError:  # not there yet
        return ""


def wait_for(ask: Callable[[], str], is_good: Callable[[str], bool]) -> str:
    end_s = time.monotonic() + 60.0
    while not is_good(found := ask()):
        assert time.monotonic() < end_s, found
        time.sleep(0.2)
    return found
