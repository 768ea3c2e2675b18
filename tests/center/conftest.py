"""What the center's tests stand on: a real broker, a real center process, a post that is played, a live feed's reader."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fusion.wire import (
    VERSION,
    AckMessage,
    ClaimMessage,
    DetectionMessage,
    DetectionsMessage,
    DirectionMessage,
    ExplanationMessage,
    GroupMessage,
    HealthMessage,
    LookedMessage,
    OwnPositionMessage,
    SensorHealthMessage,
    SensorMessage,
    SiteMessage,
    TrackMessage,
    TracksMessage,
    encode,
    rfc3339,
    topic,
)

LATITUDE_DEG, LONGITUDE_DEG = 12.0, -35.0  # open water, nobody's border
AMQTT = """
import asyncio, sys
from amqtt.broker import Broker
async def main():
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
    await broker.start()
    await asyncio.Event().wait()
asyncio.run(main())
"""


def find_mosquitto() -> str | None:
    """Its path; None: the embedded broker serves, also where SARHAD_TEST_BROKER=embedded asks for it."""
    if os.environ.get("SARHAD_TEST_BROKER") == "embedded":
        return None
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(check: Callable[[], Any], timeout_s: float = 30.0, what: str = "") -> Any:
    """The first true answer of check."""
    until_s = time.monotonic() + timeout_s
    while not (answer := check()):
        if time.monotonic() > until_s:
            raise AssertionError(f"not within {timeout_s} s: {what or check}")
        time.sleep(0.02)
    return answer


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


@dataclass
class Process:
    """A child that ends with the test."""

    arguments: list[str]
    child: subprocess.Popen[str] | None = None

    def start(self) -> Process:
        self.child = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.child is not None
        self.child.send_signal(number)
        code = self.child.wait(timeout=20)
        if self.child.stdout:
            self.child.stdout.close()
        self.child = None
        return code


class Broker(Process):
    def __init__(self) -> None:
        self.port = free_port()
        mosquitto = find_mosquitto()
        embedded = [sys.executable, "-c", AMQTT, str(self.port)]
        super().__init__([mosquitto, "-p", str(self.port)] if mosquitto else embedded)

    def start(self) -> Broker:
        super().start()
        wait_until(lambda: answers(self.port), what="the broker")
        return self


class CenterProcess(Process):
    """`sarhad center`, as a user starts it."""

    def __init__(self, folder: Path, broker_port: int, more_settings: str = "", host: str = "127.0.0.1") -> None:
        self.port, self.store_path = free_port(), folder / "center.db"
        settings = folder / "center.toml"
        settings.write_text(f'[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n{more_settings}')
        super().__init__(
            [
                sys.executable,
                "-c",
                "from sarhad.cli import main; main()",
                "center",
                str(settings),
                "--port",
                str(self.port),
            ]
        )
        self.url = f"http://{host}:{self.port}"

    def start(self) -> CenterProcess:
        super().start()
        assert self.child is not None
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line == f"center ready: {self.url}\n", line
        wait_until(lambda: self.get("/api/status")["broker_connected"], what="the center at the broker")
        return self

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """As another reader of the store finds it."""
        with closing(sqlite3.connect(self.store_path)) as connection:
            return list(connection.execute(query))

    def get(self, path: str, **parameters: Any) -> Any:
        response = httpx.get(self.url + path, params=parameters, timeout=10)
        assert response.status_code == 200, response.text
        return response.json()


@dataclass
class PlayedPost:
    """Says over MQTT what a post would say, and keeps what is not acknowledged, as its outbox would."""

    broker_port: int
    site_id: str = "ridge-04"
    run_id: str = "run-1"
    sequence: int = 0
    unacknowledged: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    acknowledged: list[AckMessage] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(topic(self.site_id, "ack"), 1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._acknowledge
        self.client.connect("127.0.0.1", self.broker_port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _acknowledge(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic != topic(self.site_id, "ack"):
            return  # amqtt hands retained messages also to who did not subscribe to their topic
        ack = msgspec.json.decode(message.payload, type=AckMessage)
        with self.changed:
            self.acknowledged.append(ack)
            if ack.run_id == self.run_id:
                for first, last in ack.ranges:
                    for number in [one for one in self.unacknowledged if first <= one <= last]:
                        del self.unacknowledged[number]
            self.changed.notify_all()

    def wait_acknowledged(self, timeout_s: float = 30.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: not self.unacknowledged, timeout_s), sorted(self.unacknowledged)

    def next(self) -> dict[str, Any]:
        """The envelope of the next message in the sequence."""
        self.sequence += 1
        return {"version": VERSION, "site_id": self.site_id, "run_id": self.run_id, "sequence": self.sequence}

    def send(self, name: str, message: msgspec.Struct, retain: bool = False) -> None:
        payload = encode(message)
        sequence = getattr(message, "sequence", 0)
        if sequence:
            with self.changed:
                self.unacknowledged[sequence] = (name, payload)
        self.client.publish(topic(self.site_id, name), payload, qos=1, retain=retain).wait_for_publish(10)

    def send_again(self) -> None:
        for name, payload in list(self.unacknowledged.values()):
            self.client.publish(topic(self.site_id, name), payload, qos=1).wait_for_publish(10)

    def send_until_acknowledged(self, timeout_s: float = 30.0) -> None:
        """As a post's outbox does: a center that has only just begun may not have heard the first time."""
        end_s = time.monotonic() + timeout_s
        while self.unacknowledged and time.monotonic() < end_s:
            self.send_again()
            with self.changed:
                self.changed.wait_for(lambda: not self.unacknowledged, 1.0)
        assert not self.unacknowledged, sorted(self.unacknowledged)

    def send_raw(self, topic_name: str, payload: bytes) -> None:
        self.client.publish(topic_name, payload, qos=1).wait_for_publish(10)

    def say_site(self, more: dict[str, str] | None = None) -> None:
        """more: protocols of further sensors, by id."""
        sensors = (
            sensor("radar-north", "ti_mmwave", (-60.0, 60.0), 120.0),
            sensor("camera-north", "yolo", (-15.0, 15.0), 400.0),
            sensor("remote-id", "open_drone_id", None, None),
            sensor("own-position", "gnss", None, None),
            *(sensor(name, protocol, None, None) for name, protocol in (more or {}).items()),
        )
        place = (LATITUDE_DEG, LONGITUDE_DEG, 40.0)
        site = SiteMessage(
            **self.next(), time=now(), **point(*place), sensors=sensors, site_sha256="00", software="test"
        )
        self.send("site", site, retain=True)

    def say_health(self, state: str = "ok", blind: dict[str, str] | None = None) -> None:
        """blind: sensors that cannot see, with the reason."""
        blind = blind or {}
        names = ("radar-north", "camera-north", "remote-id", "own-position")
        sensors = tuple(sensor_health(name, blind.get(name)) for name in names)
        health = HealthMessage(
            version=VERSION, site_id=self.site_id, run_id=self.run_id, time=now(), state=state, text="", sensors=sensors,
            own_positions=(own_position(),), clock_trusted=True, outbox_pending=len(self.unacknowledged),
            memory_mb={"edge": 120.0},
            temperature_c=41.5, disk_free_mb=20_000.0, late_scans=0, too_old_scans=0,
        )  # fmt: skip
        self.send("health", health)

    def say_tracks(
        self, *tracks: TrackMessage, claims: tuple[ClaimMessage, ...] = (), groups: tuple[GroupMessage, ...] = ()
    ) -> None:
        self.send("tracks", TracksMessage(**self.next(), as_of=now(), tracks=tracks, claims=claims, groups=groups))

    @staticmethod
    def group(*members: int, revision: int = 1, event: str = "formed") -> GroupMessage:
        return GroupMessage(3, revision, now(), members, (max(len(members) - 1, 0), len(members)), event)

    @staticmethod
    def track(
        track_number: int = 1, revision: int = 1, east_m: float = 0.0, north_m: float = 60.0, **fields: Any
    ) -> TrackMessage:
        """A confirmed drone flying east, so far from the post."""
        latitude_deg = LATITUDE_DEG + north_m / 110_600
        longitude_deg = LONGITUDE_DEG + east_m / 108_900
        covariance = (9.0, 2.0, *[0.0] * 4, 4.0, *[0.0] * 4, 4.0, *[0.0] * 3, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0)
        values: dict[str, Any] = {
            "track_number": track_number, "revision": revision, "time": now(), "status": "confirmed", "reason": None,
            "latitude_deg": latitude_deg, "longitude_deg": longitude_deg, "height_m": 75.0,
            "velocity_enu_m_s": (8.0, 0.0, 0.5),
            "covariance": covariance, "existence_probability": 0.97, "classes": {"drone": 0.9, "bird": 0.07, "unknown": 0.03},
            "claims": (), "sensor_ids": ("radar-north", "camera-north"), "last_detection": now(), "direction": None,
            "explanation": ExplanationMessage("radar-north", now(), ((0, 1.2), (3, 7.9)), 0, (), ("camera-north",)),
        }  # fmt: skip
        return TrackMessage(**{**values, **fields})

    def say_detections(
        self, sensor_id: str, *detections: DetectionMessage, looked: tuple[LookedMessage, ...] = ()
    ) -> None:
        message = DetectionsMessage(
            **self.next(), sensor_id=sensor_id, time=now(), detections=detections, looked=looked
        )
        self.send("detections", message)

    @staticmethod
    def direction(azimuth_deg: float = 20.0) -> DirectionMessage:
        return DirectionMessage("camera-north", azimuth_deg, 0.5, 6.0, 0.5, (80.0, 350.0))

    @staticmethod
    def claim(transmitter: str = "60:60:1f:00:00:01", **fields: Any) -> ClaimMessage:
        values: dict[str, Any] = {
            "sensor_id": "remote-id", "time": now(), "protocol": "open_drone_id", "transmitter": transmitter,
            "agreement": "agrees",
            "authenticated": False, "identity": "SARHADTEST0001", "identity_type": "serial", "category": "multirotor",
            "latitude_deg": LATITUDE_DEG + 0.0006, "longitude_deg": LONGITUDE_DEG + 0.0003, "height_m": 74.0,
            "horizontal_sigma_m": 3.0,
            "operator_latitude_deg": LATITUDE_DEG - 0.001, "operator_longitude_deg": LONGITUDE_DEG,
        }  # fmt: skip
        return ClaimMessage(**{**values, **fields})


def now() -> str:
    return rfc3339(time.time_ns())


def point(latitude_deg: float, longitude_deg: float, height_m: float) -> dict[str, float]:
    return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg, "height_m": height_m}


def sensor(name: str, protocol: str, azimuth_deg: tuple[float, float] | None, reach_m: float | None) -> SensorMessage:
    return SensorMessage(
        sensor_id=name, protocol=protocol, driver="test", **point(LATITUDE_DEG, LONGITUDE_DEG, 44.0), heading_deg=10.0,
        pitch_deg=3.0, roll_deg=0.0, is_aligned=name != "camera-north", azimuth_deg=azimuth_deg,
        elevation_deg=(-10.0, 40.0) if azimuth_deg else None, slant_range_m=(2.0, reach_m) if reach_m else None,
    )  # fmt: skip


def sensor_health(name: str, fault: str | None) -> SensorHealthMessage:
    """As edge/watch.py says it: a sensor that is not meant to see never can."""
    sees = name not in ("remote-id", "own-position")
    return SensorHealthMessage(
        sensor_id=name, state="lost" if fault else "ok", text=fault or "", last_reading=now(), readings=1200, bytes=98_000,
        scans=600, detections=140, decoded={"frame": 600}, rejected={"checksum": 2} if name == "radar-north" else {},
        dropped=0, can_see=sees and fault is None, sees=sees,
    )  # fmt: skip


def own_position() -> OwnPositionMessage:
    return OwnPositionMessage(
        sensor_id="own-position", time=now(), fix="rtk_fixed", **point(LATITUDE_DEG, LONGITUDE_DEG, 40.0),
        horizontal_sigma_m=0.02, satellites_used=17, distance_from_survey_m=0.03, jammed=False, spoofed=False,
    )  # fmt: skip


class LiveReader:
    """Reads the live feed in a thread and keeps what came."""

    def __init__(self, url: str, last_event_id: int | None = None) -> None:
        self.events: list[tuple[int | None, str, dict[str, Any]]] = []
        self._headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        self._url, self._stop = f"{url}/api/live", threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        identity, name = None, ""
        try:
            with httpx.stream("GET", self._url, headers=self._headers, timeout=30) as response:
                for line in response.iter_lines():
                    if self._stop.is_set():
                        return
                    kind, _, value = line.partition(": ")
                    if kind == "id":
                        identity = int(value)
                    elif kind == "event":
                        name = value
                    elif kind == "data":
                        self.events.append((identity, name, json.loads(value)))
                        identity = None
        except httpx.HTTPError:
            pass

    def named(self, name: str) -> list[tuple[int | None, str, dict[str, Any]]]:
        return [event for event in self.events if event[1] == name]

    def sequences(self) -> list[int]:
        """Of every tracks message that came, in order."""
        return [data["message"]["sequence"] for _, _, data in self.named("tracks")]

    def last_id(self) -> int:
        return max(identity for identity, _, _ in self.events if identity is not None)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture(scope="session", name="eventually")
def fixture_eventually() -> Callable[..., Any]:
    return wait_until


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    one = Broker().start()
    yield one
    if one.child:
        one.kill()


@pytest.fixture(scope="module")
def center(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CenterProcess]:
    """One for all tests of a module; each test's post has a name and a run of its own."""
    one = CenterProcess(tmp_path_factory.mktemp("center"), broker.port).start()
    yield one
    if one.child:
        one.stop()


@pytest.fixture
def make_center(broker: Broker, tmp_path: Path) -> Iterator[Callable[..., CenterProcess]]:
    """One with settings of its own."""
    made: list[CenterProcess] = []

    def make(more_settings: str, host: str = "127.0.0.1") -> CenterProcess:
        made.append(CenterProcess(tmp_path, broker.port, more_settings, host).start())
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def make_post(broker: Broker) -> Iterator[Callable[[str], PlayedPost]]:
    made: list[PlayedPost] = []

    def make(site_id: str) -> PlayedPost:
        made.append(PlayedPost(broker.port, site_id))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def post(broker: Broker, center: CenterProcess, request: pytest.FixtureRequest) -> Iterator[PlayedPost]:
    name = str(abs(hash(request.node.nodeid)) % 10**9)
    one = PlayedPost(broker.port, f"post-{name}", f"run-{name}")
    yield one
    one.close()


@pytest.fixture
def read_live() -> Iterator[Callable[..., LiveReader]]:
    """Of any center."""
    readers: list[LiveReader] = []

    def make(center: CenterProcess, last_event_id: int | None = None) -> LiveReader:
        readers.append(LiveReader(center.url, last_event_id))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.fixture
def listen_live(center: CenterProcess, read_live: Callable[..., LiveReader]) -> Callable[..., LiveReader]:
    return partial(read_live, center)


class PlayedMessages:
    """Messages at given times of the post's clock, sent nowhere."""

    @staticmethod
    def track(track_number: int, time_ns: int, **fields: Any) -> TrackMessage:
        return PlayedPost.track(track_number, time=rfc3339(time_ns), last_detection=rfc3339(time_ns), **fields)

    group = staticmethod(PlayedPost.group)

    @staticmethod
    def claim(time_ns: int) -> ClaimMessage:
        return PlayedPost.claim(time=rfc3339(time_ns))

    @staticmethod
    def tracks(
        time_ns: int,
        *tracks: TrackMessage,
        claims: tuple[ClaimMessage, ...] = (),
        groups: tuple[GroupMessage, ...] = (),
        run_id: str = "run-1",
    ) -> TracksMessage:
        return TracksMessage(VERSION, "ridge-04", run_id, 1, rfc3339(time_ns), tracks, claims, groups)

    @staticmethod
    def site() -> SiteMessage:
        place = point(LATITUDE_DEG, LONGITUDE_DEG, 40.0)
        return SiteMessage(
            version=VERSION, site_id="ridge-04", run_id="run-1", sequence=1, time=now(), **place, sensors=(),
            site_sha256="00", software="test",
        )  # fmt: skip

    @staticmethod
    def health(
        time_ns: int,
        state: str = "ok",
        run_id: str = "run-1",
        blind: tuple[str, ...] = (),
        sensors_named: tuple[str, ...] = ("radar-north", "camera-north", "remote-id", "own-position"),
    ) -> HealthMessage:
        names = sensors_named
        sensors = tuple(sensor_health(name, "no power" if name in blind else None) for name in names)
        return HealthMessage(
            version=VERSION, site_id="ridge-04", run_id=run_id, time=rfc3339(time_ns), state=state, text="", sensors=sensors,
            own_positions=(), clock_trusted=True, outbox_pending=0, memory_mb={}, temperature_c=None, disk_free_mb=None,
            late_scans=0, too_old_scans=0,
        )  # fmt: skip


@pytest.fixture(scope="session")
def played_messages() -> PlayedMessages:
    return PlayedMessages()
