"""From starting the edge node to each sensor's first detection, as at a post whose power came back.

    python benchmarks/first_detection.py [--scenario NAME] [--rounds N]

    simulated sensors on pseudo-terminals, broker: running      t = 0: `sarhad edge site.toml` ──▶ first `detections` message

The node is started as its user starts it, anew in every round. What is measured ends where another program hears of the
detection: a scan that finds nothing is not told, and the way to the broker counts. Left out are the machine's own boot and a
disk that has to be read first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.site_file import read_site
from fusion.wire import DetectionsMessage, topic
from sarhad.broker import Broker
from sarhad.child import Child
from sarhad.demo_wishes import scenario_path

TARGET_S = 10.0
LIMIT_S = 60.0  # a round that takes longer has failed


class FirstDetections:
    """When each sensor's first detection of a run was heard of; what an outbox kept of earlier runs is passed over."""

    def __init__(self, broker: Broker, site_id: str) -> None:
        self._at_s: dict[str, dict[str, float]] = {}  # by run and sensor, monotonic
        self._changed = threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(topic(site_id, "detections"), qos=1)
        self._client.on_message = self._take
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def _take(self, _client: object, _data: object, found: mqtt.MQTTMessage) -> None:
        message = msgspec.json.decode(found.payload, type=DetectionsMessage)
        with self._changed:
            self._at_s.setdefault(message.run_id, {}).setdefault(message.sensor_id, time.monotonic())
            self._changed.notify_all()

    def of_run(self, run_id: str, sensors: set[str]) -> dict[str, float]:
        """Once all of these sensors were heard, or the limit is over."""
        with self._changed:
            self._changed.wait_for(lambda: sensors <= set(self._at_s.get(run_id, {})), LIMIT_S)
            return dict(self._at_s.get(run_id, {}))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(scenario: Path, rounds: int, sensors: set[str], folder: Path) -> list[dict[str, float]]:
    """Seconds to each sensor's first detection, a table a round. Raises ChildDied, BrokerError."""
    with Broker.start() as broker:
        arguments = [str(scenario), "--run-dir", str(folder), "--broker-port", str(broker.port)]
        simulator = Child("simulator", ["edge.simulator", *arguments], folder)
        try:
            ready = json.loads(simulator.first_line(LIMIT_S) or "{}")
            heard = FirstDetections(broker, read_site(ready["site"]).site_id)
            found = [one_round(Path(ready["site"]), heard, sensors, folder) for _ in range(rounds)]
            heard.close()
        finally:
            simulator.stop()
    return found


def one_round(site: Path, heard: FirstDetections, sensors: set[str], folder: Path) -> dict[str, float]:
    began_s = time.monotonic()
    edge = Child("edge", ["sarhad", "edge", str(site)], folder)
    try:
        run_id = str(json.loads(edge.first_line(LIMIT_S) or "{}")["run_id"])
        return {name: at_s - began_s for name, at_s in heard.of_run(run_id, sensors).items()}
    finally:
        edge.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="demo", help="a shipped scenario, or a file")
    parser.add_argument("--sensors", default="radar-north,camera-north", help="whose detections are waited for")
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    sensors = set(wanted.sensors.split(","))
    with tempfile.TemporaryDirectory() as folder:
        found = measure(scenario_path(wanted.scenario), wanted.rounds, sensors, Path(folder))
    for sensor in sorted(sensors):
        at_s = [table.get(sensor, LIMIT_S) for table in found]
        print(f"{sensor}: first detection after {statistics.median(at_s):.1f} s (median), {max(at_s):.1f} s (longest)")
    print(f"{wanted.rounds} rounds, load {os.getloadavg()[0]:.1f}, target {TARGET_S:.0f} s for the first of them")
    return 0 if all(table and min(table.values()) <= TARGET_S for table in found) else 1


if __name__ == "__main__":
    sys.exit(main())
