"""The detector's looks at a simulated camera, in the same stream as its pictures.

    camera ──▶ reading ──────────────────────────────▶ reading
                  └──▶ decode, look ──▶ 80 ms later ──▶ reading of "camera/vision"

On a running post the vision process does this beside the node and takes as long as it takes; here every picture is looked
at, after a delay that is always the same, so that one seed is one stream of readings.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator

import msgspec

from edge.sensors import is_camera, model_confidence, model_path, model_spectrum
from edge.site_file import Site
from edge.vision.detector import load_detector
from edge.vision.messages import Packet
from edge.vision.process import Eyes
from fusion.types import VISION_SUFFIX, Reading

LOOK_NS = 80_000_000  # of the shipped detector on one core of a small machine, measured


def with_looks(readings: Iterator[Reading], site: Site) -> Iterator[Reading]:
    """The same readings, and what the detector found in the cameras' ones, in time order."""
    eyes = {
        entry.sensor.sensor_id: Eyes(
            load_detector(model_path(entry), model_confidence(entry), spectrum=model_spectrum(entry))
        )
        for entry in site.sensors
        if is_camera(entry)
    }
    looking: deque[Reading] = deque()
    for reading in readings:
        while looking and looking[0].received_ns <= reading.received_ns:
            yield looking.popleft()
        yield reading
        if reading.sensor_id in eyes:
            looking += looks(eyes[reading.sensor_id], reading)


def looks(eyes: Eyes, reading: Reading) -> list[Reading]:
    """What is found in one access unit, stamped a look later."""
    eyes.take(Packet(reading.sensor_id, reading.monotonic_ns, reading.data))
    return [
        dataclasses.replace(
            reading,
            sensor_id=reading.sensor_id + VISION_SUFFIX,
            received_ns=reading.received_ns + LOOK_NS,
            monotonic_ns=reading.monotonic_ns + LOOK_NS,
            data=msgspec.json.encode(msgspec.structs.replace(result, latency_ms=LOOK_NS / 1e6)),
        )
        for result in eyes.look()
    ]
