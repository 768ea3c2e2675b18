"""The post's figures, measured on the running demo: `python benchmarks/run.py [--minutes M]`.

    serial reading → live feed      from a radar frame's arrival at the node to the tracks on an open map page, 95 %
    camera picture → live feed      the same for a 1280×720 picture at 10 a second, detector included, 95 %
    resident memory                 of the edge node and of vision, the highest during the run
    first track                     from the start of everything, broker and center included, to a confirmed track
    memory growth                   with --minutes: how much the last third of the run needs beyond the first

Real processes, real pseudo-terminals, the real detector; what they see is simulated, and the page says so. A table with the
targets goes to stdout and into the first section of results.md beside this file. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import psutil

from evidence.recording import read_recording
from fusion.types import VISION_SUFFIX
from sarhad.demo import Demo, DemoFailed, run_demo
from sarhad.demo_wishes import SCENARIOS, Wishes

SCENARIO = SCENARIOS / "demo.toml"
RADAR, CAMERA = "radar-north", "camera-north"
WARM_UP_S = 5.0  # not measured: the detector's first looks, the map's first page
SAMPLE_S = 5.0
RECENT = 500  # messages between two looks, and far more
LARGEST_GROWTH_MB = 10.0  # in ten minutes: caches still filling; a leak of a message a second would be more
RESULTS = Path(__file__).with_name("results.md")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing and what it should be at most; target None: told, not judged."""

    name: str
    measured: float | None
    target: float | None
    unit: str
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.target is None or (self.measured is not None and self.measured <= self.target)

    def cells(self) -> tuple[str, ...]:
        measured = "not measured" if self.measured is None else f"{self.measured:.0f} {self.unit}"
        above = "above the target" if self.measured is not None and not self.is_met else ""
        target = "" if self.target is None else f"≤ {self.target:.0f} {self.unit}"
        return (self.name, measured, target, "; ".join(filter(None, (above, self.note))))


@dataclass(slots=True)
class Watch:
    """What is read off the running demo."""

    minutes: float
    resident_mb: dict[str, list[float]] = field(default_factory=dict)  # by process, every SAMPLE_S
    arrivals: dict[int, int] = field(default_factory=dict)  # as_of -> arrival at the map, ns
    _next_s: float = 0.0

    def look(self, demo: Demo) -> None:
        now_s = time.monotonic()
        if demo.feed.first_confirmed_s is None or now_s < demo.feed.first_confirmed_s + WARM_UP_S:
            return
        if now_s >= self._next_s:
            self._next_s = now_s + SAMPLE_S
            for name, pid in demo.pids().items():
                self.resident_mb.setdefault(name, []).append(psutil.Process(pid).memory_info().rss / 1e6)
        warm_ns = time.time_ns() - round((now_s - demo.feed.first_confirmed_s - WARM_UP_S) * 1e9)
        self.arrivals.update(
            (as_of, arrived) for as_of, arrived in list(demo.feed.arrivals)[-RECENT:] if as_of > warm_ns
        )


def main() -> int:
    arguments = parse_arguments()
    watch = Watch(arguments.minutes)
    seconds = WARM_UP_S + 60.0 * arguments.minutes
    with tempfile.TemporaryDirectory(prefix="sarhad-benchmark-") as folder:
        kept = Path(folder) / "demo"
        try:
            summary = run_demo(Wishes(seconds, SCENARIO, None, browser=False, keep=kept), say, watch.look)
        except DemoFailed as error:
            print(error, file=sys.stderr)
            return 1
        radar_ms, camera_ms = delays_ms(kept, watch.arrivals)
    figures = [
        Figure("radar frame → live feed, 95 %", p95(radar_ms), 100.0, "ms", counted(radar_ms)),
        Figure("camera picture → live feed, 95 %", p95(camera_ms), 300.0, "ms", counted(camera_ms)),
        Figure("edge node, highest resident", summary.peak_memory_mb.get("edge"), 350.0, "MB"),
        Figure("vision, highest resident", summary.peak_memory_mb.get("vision"), 300.0, "MB"),
        Figure("start to first confirmed track", summary.start_s, 8.0, "s", "broker and center started as well"),
        Figure("messages lost", float(summary.lost), 0.0, "", f"of {summary.published}"),
        Figure("GOSPA, c 20 m", summary.gospa_m, 10.0, "m"),
        growth(watch, "edge", LARGEST_GROWTH_MB),
        growth(watch, "vision", LARGEST_GROWTH_MB),
        growth(watch, "center", None, "; its live feed keeps the last 8192 events, some 16 MB"),
    ]
    text = page(figures, arguments.minutes)
    print(text)
    if arguments.write:
        write_first_section(RESULTS, text)
    return 0 if all(figure.is_met for figure in figures) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long to measure; memory growth is judged from 10 on"
    )
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave results.md as it is")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr)


def delays_ms(kept: Path, arrivals: dict[int, int]) -> tuple[list[float], list[float]]:
    """From the arrival of a radar frame and of a camera picture at the node to that of the tracks it changed at the map.

    A message's `as_of` is the arrival of the reading that changed it; the recording tells which reading that was, and a look
    of the detector tells which picture it looked at.
    """
    radar_ms, camera_ms = [], []
    pictures: dict[int, int] = {}  # monotonic_ns -> received_ns
    (recording,) = (kept / "recordings").glob("*/recording.mcap")
    with recording.open("rb") as stream:
        for reading in read_recording(stream)[1]:
            if reading.sensor_id == CAMERA:
                pictures[reading.monotonic_ns] = reading.received_ns
            arrived_ns = arrivals.get(reading.received_ns // 1000 * 1000)  # the wire tells microseconds
            if arrived_ns is None:
                continue
            if reading.sensor_id == RADAR:
                radar_ms.append((arrived_ns - reading.received_ns) / 1e6)
            elif reading.sensor_id == CAMERA + VISION_SUFFIX:
                looked_at = json.loads(reading.data)["access_unit_ns"]
                camera_ms.append((arrived_ns - pictures[looked_at]) / 1e6)
    return radar_ms, camera_ms


def p95(found: Sequence[float]) -> float | None:
    return float(np.percentile(found, 95)) if found else None


def counted(found: Sequence[float]) -> str:
    return f"median {statistics.median(found):.0f} ms of {len(found)}" if found else ""


def growth(watch: Watch, name: str, largest_mb: float | None, note: str = "") -> Figure:
    """The median of the last third of the samples over that of the first; judged from ten minutes on."""
    samples = watch.resident_mb.get(name, [])
    third = len(samples) // 3
    grown = statistics.median(samples[-third:]) - statistics.median(samples[:third]) if third else None
    target = largest_mb if watch.minutes >= 10.0 else None
    return Figure(f"{name}, memory growth", grown, target, "MB", f"over {watch.minutes:g} min{note}")


def write_first_section(page: Path, text: str) -> None:
    """Put the newest figures at the top of the page; the sections below it are of other runs and stay."""
    before = page.read_text() if page.is_file() else ""
    later = before.find("\n## ")
    page.write_text(text + (before[later:] if later >= 0 else ""))


def page(figures: Sequence[Figure], minutes: float) -> str:
    """The first section of results.md."""
    rows = [("figure", "measured", "target", "note"), ("-", "-", "-", "-"), *(f.cells() for f in figures)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    load = os.getloadavg()[0]
    return (
        "# Figures of a whole post (simulated)\n\n"
        "Two drones, a bird, a radar, a camera of 1280×720 at 10 pictures a second, a Remote ID and a satellite receiver,\n"
        "all simulated down to bytes and pixels; broker, center, edge node, vision and simulator on one machine.\n\n"
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {minutes:g} min, {machine()}, Python {platform.python_version()}; "
        f"load at the end {load:.1f} (the post itself makes about 1; more means that others shared the cores)\n\n{table}\n\n"
        "`python benchmarks/run.py` measures again; `--minutes 10` judges memory growth.\n"
    )


def machine() -> str:
    """Cores and processor, as far as the kernel tells."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                model = " ".join(line.split(":", 1)[1].split())
                break
    return f"{os.cpu_count()} cores, {model}"


if __name__ == "__main__":
    sys.exit(main())
