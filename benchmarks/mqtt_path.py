"""The MQTT path against bare paho, on the same broker and machine in the same run.

    python benchmarks/mqtt_path.py [--broker mosquitto|embedded] [--messages N] [--rounds N] [--json]

    ours   publish → outbox on disk → broker → subscriber → commit → acknowledgement → outbox emptied
    paho   publish at QoS 1         → broker → subscriber

Both send the same TracksMessage of one track (about 800 bytes), each from a process of its own, to a subscriber in this one.

- throughput: messages a second from the first `publish` to the last arrival; both as fast as they can, paho with its own
  window of 20 unanswered messages. Ours is done when the outbox is empty: every message committed and acknowledged.
- latency: from `publish` to arrival at 50 messages a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.site_file import BrokerSettings
from fusion.wire import VERSION, AckMessage, TrackMessage, TracksMessage, encode, rfc3339, topic
from sarhad.broker import Broker

SITE_ID, RUN_ID = "bench", "run"
LATENCY_RATE_HZ, LATENCY_MESSAGES = 50.0, 250
COMMIT_S = 0.02  # how long the subscriber gathers before it acknowledges, as a center does around its commit


class Arrived(msgspec.Struct):
    sequence: int
    as_of: str  # here: the sender's monotonic clock, which all processes of a machine share


def message(sequence: int) -> bytes:
    """One track as the tracker publishes it."""
    time_text = rfc3339(1_772_446_530_000_000_000 + sequence * 100_000_000)
    track = TrackMessage(
        track_number=1,
        revision=sequence,
        time=time_text,
        status="confirmed",
        reason=None,
        latitude_deg=45.0012345,
        longitude_deg=7.0012345,
        height_m=650.25,
        velocity_enu_m_s=(4.25, -1.5, 0.25),
        covariance=tuple(1.23456 + i for i in range(21)),
        existence_probability=0.9912,
        classes={"drone": 0.9, "bird": 0.08, "airplane": 0.01, "helicopter": 0.01},
        claims=(),
        sensor_ids=("radar-north", "camera-north"),
        last_detection=time_text,
        direction=None,
        explanation=None,
    )
    return encode(TracksMessage(VERSION, SITE_ID, RUN_ID, sequence, repr(time.monotonic()), (track,), ()))


class Subscriber:
    """Counts what arrives, and how long it took; acknowledges in ranges, as a center does."""

    def __init__(self, port: int) -> None:
        self.latency_s: dict[int, float] = {}
        self._fresh: list[int] = []
        self._lock = threading.Lock()
        self._subscribed, self._stopped = threading.Event(), threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(topic(SITE_ID, "tracks"), qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._subscribed.wait(10)
        threading.Thread(target=self._acknowledge, daemon=True).start()

    def _take(self, _client: object, _data: object, found: mqtt.MQTTMessage) -> None:
        arrived = msgspec.json.decode(found.payload, type=Arrived)
        with self._lock:
            self.latency_s.setdefault(arrived.sequence, time.monotonic() - float(arrived.as_of))
            self._fresh.append(arrived.sequence)

    def _acknowledge(self) -> None:
        while not self._stopped.wait(COMMIT_S):
            with self._lock:
                fresh, self._fresh = sorted(self._fresh), []
            ranges: list[tuple[int, int]] = []
            for number in fresh:
                ranges[-1:] = (
                    [(ranges[-1][0], number)]
                    if ranges and number <= ranges[-1][1] + 1
                    else [*ranges[-1:], (number, number)]
                )
            if ranges:
                self._client.publish(topic(SITE_ID, "ack"), encode(AckMessage(VERSION, RUN_ID, tuple(ranges))), qos=1)

    def close(self) -> None:
        self._stopped.set()
        self._client.disconnect()
        self._client.loop_stop()


def send_ours(port: int, count: int, rate_hz: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "outbox.db")
        outbox = Outbox(path)
        publisher = Publisher(SITE_ID, RUN_ID, BrokerSettings("127.0.0.1", port, None, None, None, path, 48.0), outbox)
        publisher.start()
        while not publisher.counters.connected:
            time.sleep(0.01)
        started_s = time.monotonic()
        for sequence in paced(count, rate_hz):
            publisher.publish("tracks", sequence, message(sequence))
        done = publisher.stop(120.0)
        print(
            json.dumps({"seconds": time.monotonic() - started_s, "complete": done, "resent": publisher.counters.resent})
        )
        outbox.close()


def send_paho(port: int, count: int, rate_hz: float) -> None:
    connected = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    connected.wait(10)
    started_s = time.monotonic()
    for sequence in paced(count, rate_hz):
        last = client.publish(topic(SITE_ID, "tracks"), message(sequence), qos=1)
    last.wait_for_publish(120.0)
    print(json.dumps({"seconds": time.monotonic() - started_s, "complete": last.is_published(), "resent": 0}))
    client.disconnect()
    client.loop_stop()


def paced(count: int, rate_hz: float) -> Iterable[int]:
    """1 to count, no faster than the rate; 0: as fast as it goes."""
    return steadily(count, rate_hz) if rate_hz else range(1, count + 1)


def steadily(count: int, rate_hz: float) -> Iterator[int]:
    started_s = time.monotonic()
    for sequence in range(1, count + 1):
        time.sleep(max(0.0, started_s + sequence / rate_hz - time.monotonic()))
        yield sequence


def measure(port: int, way: str, count: int, rate_hz: float) -> dict[str, float]:
    subscriber = Subscriber(port)
    command = [sys.executable, __file__, "--send", way, "--port", str(port), "--messages", str(count)]
    result = subprocess.run([*command, "--rate", str(rate_hz)], check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(result.stdout)
    deadline_s = time.monotonic() + 30
    while len(subscriber.latency_s) < count and time.monotonic() < deadline_s:
        time.sleep(0.01)
    latencies_ms = sorted(1000 * latency_s for latency_s in subscriber.latency_s.values())
    subscriber.close()
    return {
        "messages": len(latencies_ms),
        "lost": count - len(latencies_ms),
        "resent": told["resent"],
        "messages_per_s": count / told["seconds"],
        "p50_ms": statistics.median(latencies_ms),
        "p95_ms": latencies_ms[int(0.95 * (len(latencies_ms) - 1))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=["mosquitto", "embedded"])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--send", choices=["ours", "paho"], help=argparse.SUPPRESS)  # the sender's own process
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        (send_ours if options.send == "ours" else send_paho)(options.port, options.messages, options.rate)
        return
    with Broker.start(prefer=(options.broker,) if options.broker else ("mosquitto", "embedded")) as broker:
        rounds = [measure_both(broker.port, options.messages) for _ in range(options.rounds)]
    result = {"broker": broker.kind, "rounds": rounds, "ratios": ratios(rounds)}
    print(json.dumps(result) if options.json else words(result))


def measure_both(port: int, count: int) -> dict[str, dict[str, dict[str, float]]]:
    """One round: bare paho, then ours, so that what else the machine does meets both."""
    return {
        way: {"burst": measure(port, way, count, 0.0), "steady": measure(port, way, LATENCY_MESSAGES, LATENCY_RATE_HZ)}
        for way in ("paho", "ours")
    }


def ratios(rounds: list[dict[str, dict[str, dict[str, float]]]]) -> dict[str, float]:
    """Ours to paho, the median of the rounds: throughput should be high, the latencies low."""
    figures = {"throughput": ("burst", "messages_per_s"), "p50": ("steady", "p50_ms"), "p95": ("steady", "p95_ms")}
    return {
        name: statistics.median(one["ours"][phase][field] / one["paho"][phase][field] for one in rounds)
        for name, (phase, field) in figures.items()
    }


def words(result: dict[str, Any]) -> str:
    lines = []
    for one in result["rounds"]:
        for way, found in one.items():
            burst, steady = found["burst"], found["steady"]
            lines.append(
                f"{way}  burst {burst['messages_per_s']:6.0f} messages/s, {burst['lost']} lost; at {LATENCY_RATE_HZ:.0f}/s "
                f"p50 {steady['p50_ms']:5.2f} ms, p95 {steady['p95_ms']:6.2f} ms, {steady['lost']} lost"
            )
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in result["ratios"].items())
    return "\n".join([*lines, f"{result['broker']}, ours to paho, median of {len(result['rounds'])}: {told}"])


if __name__ == "__main__":
    main()
