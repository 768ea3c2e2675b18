"""A post that only publishes: numbered messages of tracks at a steady rate through outbox and publisher.

    python publishing_post.py BROKER_PORT OUTBOX RUN_ID RATE_HZ COUNT

Prints a JSON line with the last sequence number that is safe on disk, about ten times a second, and at the end one with
the publisher's counters. COUNT 0 goes on until it is killed.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import time

from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.site_file import BrokerSettings
from fusion.wire import VERSION, TrackMessage, TracksMessage, encode, rfc3339

SITE_ID = "ridge-04"


def main() -> None:
    _, port, path, run_id, rate, messages = sys.argv
    rate_hz, count = float(rate), int(messages)
    settings = BrokerSettings("127.0.0.1", int(port), None, None, None, path, 48.0)
    outbox = Outbox(path)
    publisher = Publisher(SITE_ID, run_id, settings, outbox)
    publisher.start()
    started_s, told_s = time.monotonic(), 0.0
    for sequence in range(1, count + 1) if count else itertools.count(1):
        time.sleep(max(0.0, started_s + sequence / rate_hz - time.monotonic()))
        publisher.publish("alerts" if sequence % 50 == 0 else "tracks", sequence, message(run_id, sequence))
        if time.monotonic() - told_s > 0.1:
            told_s = time.monotonic()
            outbox.flush()
            print(json.dumps({"safe": sequence}), flush=True)
    began_s = time.monotonic()
    is_empty = publisher.stop(90.0)
    outbox.close()
    counters = dataclasses.asdict(publisher.counters)
    print(json.dumps({"is_empty": is_empty, "drain_s": time.monotonic() - began_s, **counters}), flush=True)


def message(run_id: str, sequence: int) -> bytes:
    time_text = rfc3339(1_772_446_530_000_000_000 + sequence * 100_000_000)
    track = TrackMessage(
        track_number=1 + sequence % 5,
        revision=sequence,
        time=time_text,
        status="confirmed",
        reason=None,
        latitude_deg=45.0 + sequence * 1e-7,
        longitude_deg=7.0,
        height_m=650.0,
        velocity_enu_m_s=(0.0, 1.0, 0.0),
        covariance=(1.0, 0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 1.0, 0, 0, 1.0, 0, 1.0),
        existence_probability=0.99,
        classes={"drone": 0.9, "bird": 0.1},
        claims=(),
        sensor_ids=("radar-north",),
        last_detection=time_text,
        direction=None,
        explanation=None,
    )
    return encode(TracksMessage(VERSION, SITE_ID, run_id, sequence, time_text, (track,), ()))


if __name__ == "__main__":
    main()
