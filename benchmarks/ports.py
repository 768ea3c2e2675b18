"""Two radars at 921,600 baud and a receiver at 3 Mbaud, read, decoded and tracked on one core: `python benchmarks/ports.py`.

    a process that speaks ──▶ three pseudo-terminals ──▶ threads ──▶ door ──▶ decoders, tracker      all on one core
    (on the other core)        92 kB/s, 92 kB/s, 300 kB/s

The speaker keeps the lines' pace whether or not anyone reads, as a wire does: what does not fit into the terminal's buffer
is lost, counted, and a fault. A pseudo-terminal buffers 12 kB, 40 ms of the quickest line; the time that the node needs is
told as well, as a share of the time that the bytes take on the wire. The radars say TI frames of 200 points, the receiver
random bytes, or a capture of Mode S Beast frames again and again (`--capture`).

Exit code 1 where a byte is lost, changed or dropped at the door. There is no peer to compare with: the wire's own pace is it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import tty
from pathlib import Path
from typing import Any

import numpy as np

from edge.pipeline import Pipeline
from edge.site_file import parse_site
from edge.sources import Live
from firmware_interfaces.ti_mmwave import encode_frame
from fusion.types import NODE
from hardware.clock import Clock

RATES = {"radar-one": 92_160, "radar-two": 92_160, "receiver": 300_000}  # bytes a second: 8N1 is ten bits a byte
STEP_S = 0.005  # how often the speaker writes: 1.5 kB on the quickest line
LONGEST_STEP_S = (
    0.01  # a speaker that was held up by the machine must not make up for it in a burst no wire would carry
)
OBJECTS, POINTS = 4, 50  # points an object: frames of 4 kB, some 22 a second, fill the line
RADAR = """
[[sensor]]
id = "{name}"
device = {{ driver = "serial_port", path = "{path}", baud = 921600 }}
protocol = "ti_mmwave"
position = {{ east_m = 0.0, north_m = 0.0, up_m = 3.0 }}
orientation = {{ heading_deg = 0.0 }}
accuracy = {{ azimuth_deg = 1.5, elevation_deg = 2.0, slant_range_m = 0.8, range_rate_m_s = 0.3 }}
coverage = {{ azimuth_deg = [-60, 60], elevation_deg = [-10, 40], slant_range_m = [2, 120] }}
"""
RECEIVER = """
[[sensor]]
id = "{name}"
device = {{ driver = "serial_port", path = "{path}", baud = 3000000 }}
protocol = "{protocol}"
"""
SITE = '[site]\nid = "bench"\norigin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 0.0 }\n'


def radar_bytes(seed: int, size: int) -> bytes:
    """Frames of a few objects that come and go, each of many points."""
    chance = np.random.default_rng(seed)
    starts = chance.uniform([-30, 20, 0], [30, 80, 15], (OBJECTS, 3))
    said, number = bytearray(), 0
    while len(said) < size:
        number += 1
        points = []
        for start in starts:
            away_m = 10.0 * np.sin(number / 60.0)
            for place in np.add(start, (0.0, away_m, 0.0)) + chance.normal(0.0, 0.15, (POINTS, 3)):
                points.append((*map(float, place), 3.5 * float(np.cos(number / 60.0)), 20.0, 40.0))
        said += encode_frame(number, points, cpu_cycles=number * 1000)
    return bytes(said[:size])


def receiver_bytes(capture: Path | None, size: int) -> bytes:
    """Random bytes, or a capture repeated."""
    if capture is None:
        return np.random.default_rng(9).bytes(size)
    once = capture.read_bytes()
    return (once * (size // len(once) + 1))[:size]


def speak(masters: dict[str, int], said: dict[str, bytes], begin: Any, lost: Any) -> None:
    """Write each line's bytes at its pace; what does not fit is lost."""
    if len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(0, {cores[1]})
    for master in masters.values():
        os.set_blocking(master, False)
    begin.wait()
    sent, spoken_s, then_s = dict.fromkeys(said, 0), 0.0, time.monotonic()
    while any(sent[name] < len(data) for name, data in said.items()):
        now_s = time.monotonic()
        spoken_s += min(now_s - then_s, LONGEST_STEP_S)
        then_s = now_s
        for name, data in said.items():
            due = min(len(data), int(spoken_s * RATES[name]))
            if due > sent[name]:
                try:
                    written = os.write(masters[name], data[sent[name] : due])
                except BlockingIOError:
                    written = 0
                with lost.get_lock():
                    lost.value += due - sent[name] - written
                sent[name] = due
        time.sleep(STEP_S)


async def listen(site_text: str, sizes: dict[str, int], begin: Any, seconds: float) -> dict[str, Any]:
    """The node's way without recorder and broker; ends when all has come or some seconds after it should have."""
    site = parse_site(site_text, "bench.toml")
    pipeline, live = Pipeline(site, "run", "bench"), Live(site, Clock(), lambda entry, time_ns: ())
    heard = {name: hashlib.sha256() for name in sizes}
    counts, opened, started_cpu_s = dict.fromkeys(sizes, 0), 0, 0.0
    asyncio.get_running_loop().call_later(3.0 * seconds + 10.0, live.stop)
    async for reading in live.readings():
        if reading.sensor_id == NODE and b'"opened"' in reading.data:
            opened += b'"clock"' not in reading.data
            if opened == len(sizes):
                started_cpu_s = time.process_time()
                begin.set()
        if reading.sensor_id in heard:
            heard[reading.sensor_id].update(reading.data)
            counts[reading.sensor_id] += len(reading.data)
        pipeline.feed(reading)
        if counts == sizes:
            live.stop()
    cpu_s = time.process_time() - started_cpu_s
    sensors = pipeline.watch.sensors
    return {
        "bytes": counts,
        "sha256": {name: digest.hexdigest() for name, digest in heard.items()},
        "dropped_readings": sum(sensor.dropped for sensor in sensors.values()),
        "frames": sum(sum(sensors[name].decoder.counts.decoded.values()) for name in sizes if name != "receiver"),
        "receiver_frames": sum(sensors["receiver"].decoder.counts.decoded.values()),
        "detections": sum(sensor.detections for sensor in sensors.values()),
        "core_share": round(cpu_s / seconds, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the lines speak")
    parser.add_argument("--protocol", default="ads_b", help="the receiver's")
    parser.add_argument("--capture", type=Path, help="what the receiver says, again and again; left out: random bytes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    said = {
        name: radar_bytes(seed, int(rate * arguments.seconds))
        if name.startswith("radar")
        else receiver_bytes(arguments.capture, int(rate * arguments.seconds))
        for seed, (name, rate) in enumerate(RATES.items())
    }
    pairs = {name: os.openpty() for name in RATES}
    for _, slave in pairs.values():
        tty.setraw(slave)
    with tempfile.TemporaryDirectory() as folder:
        text = SITE
        for name, (_, slave) in pairs.items():
            link = Path(folder) / name
            link.symlink_to(os.ttyname(slave))
            template = RADAR if name.startswith("radar") else RECEIVER
            text += template.format(name=name, path=link, protocol=arguments.protocol)
        context = multiprocessing.get_context("fork")
        begin, lost = context.Event(), context.Value("q", 0)
        masters = {name: master for name, (master, _) in pairs.items()}
        speaker = context.Process(target=speak, args=(masters, said, begin, lost), daemon=True)
        speaker.start()
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
        result = asyncio.run(listen(text, {name: len(data) for name, data in said.items()}, begin, arguments.seconds))
        speaker.join(10.0)
    result["lost_bytes"] = lost.value
    is_whole = not lost.value and not result["dropped_readings"]
    is_whole = is_whole and all(
        result["sha256"][name] == hashlib.sha256(data).hexdigest() for name, data in said.items()
    )
    del result["sha256"]
    result["whole"] = is_whole
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
