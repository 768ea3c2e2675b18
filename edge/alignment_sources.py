"""What a recording, a log or a person with a picture gives to align a sensor with.

the sensor's scans ──┐                     ┌── a Remote ID sensor's claims of one drone
                     ├── pairs ◀── paths ──┼── a log of its flight: time, latitude_deg, longitude_deg, height_m
landmarks clicked ───┘                     └── a camera's directions: `seen_rays.py`
"""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path as FilePath

import numpy as np

from edge.alignment import CannotAlign, Pair, Path, Sight
from edge.pipeline import Pipeline
from edge.site_file import Site
from fusion.camera import Lens, pixel_to_direction
from fusion.frames import LocalFrame, body_to_level, polar_to_enu
from fusion.types import Claim, Fact, FloatArray, Geodetic, Polar, Reading, Scan, Sensor

CLICK_SIGMA_PX = 3.0  # how well a person points at the top of a tower
CLAIMED_SIGMA_M = 10.0  # of a claim that states no accuracy
SMALLEST_SIGMA_RAD = math.radians(0.02)
LOG_FIELDS = ("time", "latitude_deg", "longitude_deg", "height_m")


def facts_of(site: Site, readings: Iterable[Reading], sensor_ids: Sequence[str]) -> list[Fact]:
    """What the decoders of these sensors make of a recording."""
    pipeline = Pipeline(site, "alignment", "alignment")
    facts: list[Fact] = []
    for reading in readings:
        pipeline.watch.saw(reading)
        if (decoder := pipeline.decoders.get(reading.sensor_id)) is not None:
            facts += decoder.feed(pipeline.watch.as_sent(reading))
    return [fact for fact in facts if fact.sensor_id in sensor_ids]


def sights_of(sensor: Sensor, facts: Iterable[Fact]) -> list[Sight]:
    """All directions that the sensor found, turned back into its own axes."""
    to_body = body_to_level(sensor.orientation).T
    return [
        sight_of(scan.time_ns, detection.measurement, to_body, sensor)
        for scan in facts
        if isinstance(scan, Scan) and scan.sensor_id == sensor.sensor_id
        for detection in scan.detections
        if isinstance(detection.measurement, Polar)
    ]


def sight_of(time_ns: int, polar: Polar, to_body: FloatArray, sensor: Sensor) -> Sight:
    x, y, z = to_body @ polar_to_enu(polar.azimuth_rad, polar.elevation_rad or 0.0, 1.0)
    has_elevation = polar.elevation_rad is not None
    azimuth_sigma = sensor.accuracy.azimuth_rad or polar.azimuth_sigma_rad
    return Sight(
        time_ns,
        math.atan2(x, y),
        max(azimuth_sigma, SMALLEST_SIGMA_RAD),
        math.asin(max(-1.0, min(1.0, z))) if has_elevation else None,
        max(sensor.accuracy.elevation_rad or azimuth_sigma, SMALLEST_SIGMA_RAD) if has_elevation else None,
        polar.slant_range_m,
        polar.slant_range_sigma_m,
    )


def claimed_path(facts: Iterable[Fact], sensor_id: str, frame: LocalFrame, identity: str | None) -> Path:
    """Where one drone says it was: the given one, else the one that told most often. Raises CannotAlign."""
    told: dict[str, list[Claim]] = defaultdict(list)
    for fact in facts:
        if (
            isinstance(fact, Claim)
            and fact.sensor_id == sensor_id
            and fact.position
            and fact.position.height_m is not None
        ):
            told[fact.identity or fact.transmitter].append(fact)
    if identity is None and told:
        identity = Counter({name: len(claims) for name, claims in told.items()}).most_common(1)[0][0]
    claims = told.get(identity or "", [])
    if len(claims) < 2:
        known = ", ".join(sorted(told)) or "none"
        raise CannotAlign(f'{sensor_id}: {len(claims)} positions with height of "{identity}"; heard were: {known}')
    return Path(
        [claim.time_ns for claim in claims],
        np.array([frame.geodetic_to_enu(claim.position) for claim in claims if claim.position]),
        float(np.median([claim.horizontal_sigma_m or CLAIMED_SIGMA_M for claim in claims])),
        float(np.median([claim.vertical_sigma_m or CLAIMED_SIGMA_M for claim in claims])),
    )


def logged_path(file: FilePath, frame: LocalFrame) -> Path:
    """A flight's log as CSV: time as RFC 3339 or seconds since 1970, then WGS-84. Raises CannotAlign, OSError."""
    times_ns, places = [], []
    with file.open(newline="", encoding="utf-8") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in LOG_FIELDS if name not in (rows.fieldnames or ())]:
            raise CannotAlign(f"{file}: first line lacks {', '.join(missing)}; expected {', '.join(LOG_FIELDS)}")
        for number, row in enumerate(rows, start=2):
            try:
                times_ns.append(time_of(row["time"]))
                place = Geodetic(*(float(row[name]) for name in LOG_FIELDS[1:]))
            except (TypeError, ValueError) as error:
                raise CannotAlign(f"{file}: line {number}: {error}; expected {', '.join(LOG_FIELDS)}") from error
            places.append(frame.geodetic_to_enu(place))
    if len(places) < 2:
        raise CannotAlign(f"{file}: {len(places)} positions; expected at least 2")
    return Path(times_ns, np.array(places))


def time_of(text: str) -> int:
    try:
        return round(float(text) * 1e9)
    except ValueError:
        stamp = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        if stamp.tzinfo is None:
            raise ValueError(f"time {text!r} has no zone") from None
        return round(stamp.timestamp() * 1e9)


def paired(sights: Iterable[Sight], path: Path) -> list[Pair]:
    """Every sight with the path; which of them are of that point is found out while aligning."""
    return [Pair(sight, path) for sight in sights]


def landmark_pairs(lens: Lens, clicks: Sequence[tuple[float, float, Geodetic]], frame: LocalFrame) -> list[Pair]:
    """Points clicked on a picture, and where they stand."""
    sigma_rad = CLICK_SIGMA_PX / lens.focal_px[0]
    pairs = []
    for x_px, y_px, place in clicks:
        x, y, z = pixel_to_direction(lens, (x_px, y_px))
        sight = Sight(0, math.atan2(x, y), sigma_rad, math.asin(max(-1.0, min(1.0, float(z)))), sigma_rad)
        pairs.append(Pair(sight, Path([0], np.array([frame.geodetic_to_enu(place)]))))
    return pairs
