"""A center of the simplest kind: stores what posts send in SQLite and acknowledges after its commit, no sooner.

    python acknowledging_center.py BROKER_PORT DATABASE SITE_ID

It counts how often a message came, so that a test can tell "again" from "never". Killing it at any place is fair.
"""

from __future__ import annotations

import queue
import sqlite3
import sys
import time

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from fusion.wire import VERSION, AckMessage, encode, topic


class Numbered(msgspec.Struct):
    run_id: str
    sequence: int


def main() -> None:
    port, database, site_id = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    arrived: queue.SimpleQueue[Numbered] = queue.SimpleQueue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="center", protocol=mqtt.MQTTv311)
    client.reconnect_delay_set(1, 1)
    client.on_connect = lambda client, *_: client.subscribe(topic(site_id, "+"), qos=1)
    client.on_message = lambda _client, _data, message: accept(message, arrived)
    client.connect_async("127.0.0.1", port, keepalive=15)
    client.loop_start()
    connection = sqlite3.connect(database, timeout=30.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS messages (run_id TEXT, sequence INTEGER, times INTEGER, PRIMARY KEY (run_id, sequence))"
    )
    while True:
        batch = [arrived.get()]
        time.sleep(0.02)  # one commit for what comes together
        while not arrived.empty():
            batch.append(arrived.get())
        with connection:
            connection.executemany(
                "INSERT INTO messages VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1",
                [(message.run_id, message.sequence) for message in batch],
            )
        for run_id in {message.run_id for message in batch}:
            ranges = closed_ranges({message.sequence for message in batch if message.run_id == run_id})
            client.publish(topic(site_id, "ack"), encode(AckMessage(VERSION, run_id, ranges)), qos=1)


def accept(message: mqtt.MQTTMessage, arrived: queue.SimpleQueue[Numbered]) -> None:
    if not message.topic.endswith(("/ack", "/health")):
        arrived.put(msgspec.json.decode(message.payload, type=Numbered))


def closed_ranges(numbers: set[int]) -> tuple[tuple[int, int], ...]:
    """1, 2, 3, 7 are (1, 3), (7, 7)."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return tuple(ranges)


if __name__ == "__main__":
    main()
