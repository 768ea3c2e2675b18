"""What a demo was worth: counted messages, measured delays and memory, and the picture against the truth.

Once a second the tracks that the map shows with a position (confirmed or coasting; a mere direction claims none) are carried
on to that moment by their velocity and compared with where everything really was. All objects count, seen or not: one that no
track is near is missed.

    GOSPA² = Σ localisation² + (missed + false) · c² / 2          c = 20 m, p = 2, alpha = 2; over time: root mean square

Source: Rahmathullah et al., Generalized optimal sub-pattern assignment metric (2017), proposition 1.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.site_file import read_site
from fusion.frames import LocalFrame
from fusion.gospa import gospa
from fusion.types import FloatArray, Geodetic
from fusion.wire import parse_rfc3339
from sarhad.child import MemoryWatch
from sarhad.live_feed import LiveFeed

CUT_OFF_M = 20.0
KEPT_SAMPLES = 86_400  # a day
LARGEST_TRUTH_GAP_NS = 200_000_000  # the truth comes ten times a second


@dataclass(frozen=True, slots=True)
class Summary:
    """The demo's figures; `record` is its JSON."""

    readings: int
    scans: int
    tracks_confirmed: int  # distinct, likeliest class drone
    gospa_m: float | None  # None: the demo ended before there was a track
    published: int
    stored: int
    delivered: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    peak_memory_mb: dict[str, float]
    start_s: float | None

    @property
    def lost(self) -> int:
        return self.published - self.stored

    def record(self) -> dict[str, Any]:
        return {
            "readings": self.readings,
            "scans": self.scans,
            "tracks_confirmed": self.tracks_confirmed,
            "gospa_m": rounded(self.gospa_m, 2),
            "messages": {
                "published": self.published,
                "stored": self.stored,
                "delivered": self.delivered,
                "lost": self.lost,
            },
            "latency_ms": {"p50": rounded(self.latency_p50_ms, 1), "p95": rounded(self.latency_p95_ms, 1)},
            "peak_memory_mb": {name: self.peak_memory_mb.get(name) for name in ("broker", "center", "edge", "vision")},
            "start_s": rounded(self.start_s, 1),
        }

    def text(self) -> str:
        """The same for a person."""
        memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(self.peak_memory_mb.items()))
        rows = [
            ("first track", "none" if self.start_s is None else f"{self.start_s:.1f} s after the start"),
            ("drones confirmed", str(self.tracks_confirmed)),
            ("GOSPA", "not measured" if self.gospa_m is None else f"{self.gospa_m:.1f} m (c 20 m, simulated)"),
            ("readings, scans", f"{self.readings}, {self.scans}"),
            (
                "messages",
                f"{self.published} published, {self.stored} stored, {self.delivered} delivered, {self.lost} lost",
            ),
            ("reading to map", milliseconds(self.latency_p50_ms, self.latency_p95_ms)),
            ("peak memory", memory or "not measured"),
        ]
        return "\n".join(f"{name:<18}{value}" for name, value in rows)


def rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def milliseconds(p50: float | None, p95: float | None) -> str:
    return "not measured" if p50 is None or p95 is None else f"median {p50:.0f} ms, 95 % within {p95:.0f} ms"


def summarise(
    did: dict[str, Any],
    stored: int,
    feed: LiveFeed,
    memory: MemoryWatch,
    picture: Picture,
    start_s: float | None,
) -> Summary:
    """did: what the edge says it did. stored: what the center says it keeps."""
    latencies = feed.latencies_ms
    p50, p95 = (float(v) for v in np.percentile(latencies, (50, 95))) if latencies else (None, None)
    return Summary(
        readings=did["readings"],
        scans=did["scans"],
        tracks_confirmed=sum(name == "drone" for name in feed.likeliest.values()),
        gospa_m=picture.gospa_m(),
        published=did["published"],
        stored=stored,
        delivered=feed.delivered(did["run_id"]),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        peak_memory_mb=dict(memory.peak_mb),
        start_s=start_s,
    )


class Picture:
    """The map, once a second, to be held against the truth at the end."""

    def __init__(self, site_path: Path, truth_path: Path) -> None:
        self._truth_path = truth_path
        self._frame = LocalFrame(read_site(site_path).origin)
        self._samples: deque[tuple[int, FloatArray]] = deque(maxlen=KEPT_SAMPLES)  # time_ns, tracks (n, 3) ENU m

    def sample(self, tracks: Sequence[dict[str, Any]], time_ns: int) -> None:
        """What is shown at this moment."""
        shown = [track for track in tracks if track["status"] != "tentative" and track["direction"] is None]
        self._samples.append((time_ns, np.array([self._carried(t, time_ns) for t in shown]).reshape(-1, 3)))

    def _carried(self, track: dict[str, Any], time_ns: int) -> FloatArray:
        point = Geodetic(track["latitude_deg"], track["longitude_deg"], track["height_m"])
        ahead_s = (time_ns - parse_rfc3339(track["time"])) / 1e9
        return self._frame.geodetic_to_enu(point) + ahead_s * np.asarray(track["velocity_enu_m_s"])

    def gospa_m(self) -> float | None:
        """Root mean square over the samples; None without any."""
        squares = [
            gospa(np.array(objects).reshape(-1, 3), tracks, CUT_OFF_M).total for tracks, objects in self._paired()
        ]
        return math.sqrt(sum(squares) / len(squares)) if squares else None

    def _paired(self) -> Iterator[tuple[FloatArray, list[FloatArray]]]:
        """Each sample with the objects' true places at its time; reads the truth along with the samples."""
        moments = read_truth(self._truth_path)
        before, after = next(moments, None), next(moments, None)
        for time_ns, tracks in self._samples:
            while after is not None and after.time_ns <= time_ns:
                before, after = after, next(moments, None)
            if before is None or not 0 <= time_ns - before.time_ns <= LARGEST_TRUTH_GAP_NS:
                continue
            ahead_s = (time_ns - before.time_ns) / 1e9
            yield tracks, [place + ahead_s * velocity for place, velocity in before.objects]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where everything was: (position, velocity) of each object, ENU m and m/s."""

    time_ns: int
    objects: list[tuple[FloatArray, FloatArray]]


def read_truth(path: Path) -> Iterator[Moment]:
    """The moments of a truth file; an unfinished last line is left out."""
    with path.open() as file:
        for line in file:
            if not line.endswith("\n"):
                break
            moment = json.loads(line)
            if "time_ns" in moment:
                objects = [
                    (np.asarray(one["position_enu_m"], float), np.asarray(one["velocity_enu_m_s"], float))
                    for one in moment["objects"]
                ]
                yield Moment(moment["time_ns"], objects)
