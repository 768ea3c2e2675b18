"""A test drone's own log as truth: GPX, CSV or ULog in, the simulator's truth out, its clock set by the post's detections.

    flight.gpx ──▶ fixes (UTC, WGS-84) ──▶ + clock offset ──▶ OUT.truth.jsonl, ten moments a second
                                               ▲
    IN.mcap ── detections ─────────────────────┘  the offset at which most detections lie near the flight

A log's clock may be seconds off. Every candidate offset is judged by how many detections then lie near the drone at their
time, first strictly, then less so; the best one counts only if it stands out against all that are far from it. A detection
without a range is a ray, and its distance from the drone the ray's.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from firmware_interfaces.plain_xml import parse_plain
from fusion.frames import LocalFrame
from fusion.types import FloatArray, Geodetic
from sarhad import px4_log
from sarhad.conditions import Conditions
from sarhad.utc import utc_ns

TRUTH_NS = 100_000_000
LARGEST_GAP_S = 5.0  # no truth is made up across a longer pause of the log
NEAR_M = (5.0, 15.0, 40.0)  # a plot and a fix of the same drone: a small radar's, a larger one's, a far one's
COARSE_S, FINE_S = 0.5, 0.05
STANDS_OUT = 1.5  # times as many near detections as any offset more than APART_S away
APART_S = 3.0
FEWEST_NEAR = 20
TIME_NAMES = ("time", "utc", "timestamp", "time_utc", "datetime")
HEIGHT_NAMES = ("height_m", "height", "altitude_m", "altitude", "alt", "ele")
LATITUDE_NAMES = ("latitude_deg", "latitude", "lat")
LONGITUDE_NAMES = ("longitude_deg", "longitude", "lon", "lng")


class WrongFlightLog(Exception):
    """One line: file, place, found, expected."""


@dataclass(frozen=True, slots=True)
class Flight:
    """Fixes in order: UTC s (n,), ENU m (n, 3)."""

    times_s: FloatArray
    enu_m: FloatArray

    def at(self, times_s: FloatArray) -> FloatArray:
        """Places (k, 3) at times; NaN outside the log and in its long pauses."""
        places = np.stack([np.interp(times_s, self.times_s, self.enu_m[:, axis]) for axis in range(3)], axis=1)
        after = np.clip(np.searchsorted(self.times_s, times_s), 1, len(self.times_s) - 1)
        outside = (times_s < self.times_s[0]) | (times_s > self.times_s[-1])
        places[outside | (self.times_s[after] - self.times_s[after - 1] > LARGEST_GAP_S)] = np.nan
        return places


@dataclass(frozen=True, slots=True)
class Alignment:
    """What to add to the log's times, and why: detections near the flight then, and at the best other offset."""

    offset_s: float
    near: int
    next_best: int
    median_m: float


def read_flight(path: Path, frame: LocalFrame, height_offset_m: float = 0.0) -> Flight:
    """A log's fixes. `height_offset_m` is added to its heights: the geoid's, where they are above sea level.

    Raises WrongFlightLog, OSError.
    """
    readers: dict[str, Callable[[Path], Iterator[Fix]]] = {
        ".csv": csv_fixes,
        ".gpx": gpx_fixes,
        ".ulg": partial(ulog_fixes, height_offset_m=height_offset_m),
    }
    if path.suffix.lower() not in readers:
        raise WrongFlightLog(f"{path}: ends with {path.suffix!r}; expected {', '.join(readers)}")
    found: dict[float, tuple[float, float, float]] = {}
    for place, time_s, latitude_deg, longitude_deg, height_m in read_by(readers[path.suffix.lower()], path):
        values = (time_s, latitude_deg, longitude_deg, height_m)
        if not all(map(math.isfinite, values)) or abs(latitude_deg) > 90 or abs(longitude_deg) > 180:
            raise WrongFlightLog(f"{path}: {place}: found {values}; expected UTC, latitude, longitude and height")
        found[time_s] = (latitude_deg, longitude_deg, height_m + height_offset_m)
    if len(found) < 2:
        raise WrongFlightLog(f"{path}: {len(found)} fixes with time and height; expected at least 2")
    times_s = sorted(found)
    points = [frame.geodetic_to_enu(Geodetic(*found[time_s])) for time_s in times_s]
    return Flight(np.array(times_s), np.array(points))


Fix = tuple[str, float, float, float, float]


def read_by(reader: Callable[[Path], Iterator[Fix]], path: Path) -> Iterator[Fix]:
    """A reader's fixes; what the `csv` module refuses is a wrong log as well."""
    try:
        yield from reader(path)
    except csv.Error as error:
        raise WrongFlightLog(f"{path}: {error}; expected CSV") from error


def gpx_fixes(path: Path) -> Iterator[Fix]:
    """Track points of any GPX version; those without time or height are left out."""
    try:
        root = parse_plain(path.read_bytes())
    except ValueError as error:
        raise WrongFlightLog(f"{path}: {error}; expected GPX") from error
    for number, point in enumerate(root.iterfind(".//{*}trkpt"), 1):
        time, height = point.find("{*}time"), point.find("{*}ele")
        if time is not None and height is not None:
            texts = (time.text, point.get("lat"), point.get("lon"), height.text)
            yield fix_of(path, f"track point {number}", *(text or "" for text in texts))


def csv_fixes(path: Path) -> Iterator[Fix]:
    """Rows with a head that names time, latitude, longitude and height."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        head = {name.strip().lower(): name for name in rows.fieldnames or ()}
        columns = []
        for what, names in zip(
            ("time", "latitude", "longitude", "height"),
            (TIME_NAMES, LATITUDE_NAMES, LONGITUDE_NAMES, HEIGHT_NAMES),
            strict=True,
        ):
            known = next((head[name] for name in names if name in head), None)
            if known is None:
                raise WrongFlightLog(f"{path}: found columns {list(head)}; expected one for {what}: {', '.join(names)}")
            columns.append(known)
        for row in rows:
            yield fix_of(path, f"line {rows.line_num}", *(row[name] or "" for name in columns))


def ulog_fixes(path: Path, height_offset_m: float) -> Iterator[Fix]:
    """Fixes of a PX4 log; where they are above the ellipsoid already, an offset would move them away from it."""
    try:
        found = px4_log.fixes_of(path)
    except px4_log.WrongUlog as error:
        raise WrongFlightLog(f"{path}: {error}") from error
    if found.above_ellipsoid and height_offset_m != 0.0:
        raise WrongFlightLog(f"{path}: its heights are above the ellipsoid; expected no height offset")
    for number, (time_s, latitude_deg, longitude_deg, height_m) in enumerate(found.values.tolist(), 1):
        yield f"{found.topic} {number}", time_s, latitude_deg, longitude_deg, height_m


def fix_of(path: Path, place: str, time: str, latitude: str, longitude: str, height: str) -> Fix:
    try:
        return place, utc_ns(time) / 1e9, float(latitude), float(longitude), float(height)
    except ValueError as error:
        raise WrongFlightLog(f"{path}: {place}: {error}; expected UTC, latitude, longitude and height") from error


@dataclass(frozen=True, slots=True)
class Sightings:
    """Detections: UTC s (n,), where they are or, of those without a range, where their ray starts, ENU m (n, 3), and the
    ray's unit vector (n, 3), zero for those with a range."""

    times_s: FloatArray
    points_m: FloatArray
    along: FloatArray

    def squared_m2(self, places_m: FloatArray) -> FloatArray:
        """Squared distance of each from a place of its own, (n,)."""
        apart = places_m - self.points_m
        ahead = np.maximum((apart * self.along).sum(axis=1), 0.0)
        return np.maximum((apart**2).sum(axis=1) - ahead**2, 0.0)  # rounding, on the ray


def align(flight: Flight, sightings: Sightings, largest_s: float) -> Alignment | None:
    """The clock offset that puts most detections on the flight; None where no offset stands out."""
    coarse = np.arange(-largest_s, largest_s + COARSE_S / 2.0, COARSE_S)
    for near_m in NEAR_M:
        counts = np.array([_near(flight, sightings, offset_s, near_m)[0] for offset_s in coarse])
        best_s = float(coarse[counts.argmax()])
        next_best = int(counts[np.abs(coarse - best_s) > APART_S].max(initial=0))
        if counts.max() >= max(FEWEST_NEAR, STANDS_OUT * next_best):
            return _refined(flight, sightings, best_s, near_m, next_best)
    return None


def _refined(flight: Flight, sightings: Sightings, about_s: float, near_m: float, next_best: int) -> Alignment:
    """The offset near a coarse one at which detections are most and closest."""
    fine = about_s + np.arange(-2.0 * COARSE_S, 2.0 * COARSE_S + FINE_S / 2.0, FINE_S)
    judged = [(_near(flight, sightings, offset_s, near_m), float(offset_s)) for offset_s in fine]
    (near, squared), offset_s = max(judged, key=lambda each: each[0][0] * (1.0 - each[0][1] / near_m**2))
    return Alignment(round(offset_s, 3), near, next_best, math.sqrt(squared))


def _near(flight: Flight, sightings: Sightings, offset_s: float, near_m: float) -> tuple[int, float]:
    """How many detections lie near the flight moved by an offset, and their median squared distance."""
    squared = sightings.squared_m2(flight.at(sightings.times_s - offset_s))
    close = squared[squared < near_m**2]  # NaN, where the log is silent, is not near
    return len(close), float(np.median(close)) if len(close) else near_m**2


def truth_lines(
    flight: Flight, origin: Geodetic, offset_s: float, object_id: str, conditions: Conditions
) -> Iterator[str]:
    """A truth file as the simulator writes it, of one drone; moments in the log's long pauses hold nothing."""
    point = {"latitude_deg": origin.latitude_deg, "longitude_deg": origin.longitude_deg, "height_m": origin.height_m}
    told = {"light": conditions.light, "weather": conditions.weather}
    yield json.dumps({"origin": point, "made_by": "flight log", "conditions": told}) + "\n"
    first_ns = math.ceil((flight.times_s[0] + offset_s) * 1e9 / TRUTH_NS) * TRUTH_NS
    last_ns = int((flight.times_s[-1] + offset_s) * 1e9)
    times_ns = np.arange(first_ns, last_ns + 1, TRUTH_NS)
    places = flight.at(times_ns / 1e9 - offset_s)
    velocities = np.gradient(places, TRUTH_NS / 1e9, axis=0) if len(times_ns) > 1 else np.zeros_like(places)
    for time_ns, place, velocity in zip(times_ns.tolist(), places, velocities, strict=True):
        objects = []
        if np.isfinite(place).all():
            velocity = np.nan_to_num(velocity)
            objects.append(
                {
                    "object_id": object_id,
                    "class": "drone",
                    "position_enu_m": [round(float(v), 3) for v in place],
                    "velocity_enu_m_s": [round(float(v), 3) for v in velocity],
                }
            )
        yield json.dumps({"time_ns": time_ns, "objects": objects}) + "\n"
