"""What a recording's bytes say, decoded by the site file it carries: facts in order, without tracking.

IN.mcap ── readings ──▶ the site's decoders ──▶ (reading, Scan | Claim | ...)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.pipeline import Pipeline
from edge.site_file import Site, parse_site
from evidence.recording import read_recording
from fusion.frames import LocalFrame, polar_to_enu
from fusion.types import Fact, FloatArray, Polar, Position, Reading, Scan, Sensor


@dataclass(frozen=True, slots=True)
class RecordedFacts:
    """A recording's site and run, the frame about its origin, and its facts."""

    site: Site
    run_id: str
    frame: LocalFrame
    facts: Iterator[tuple[Reading, Fact]]


def recorded_facts(path: Path, site: Site | None = None) -> RecordedFacts:
    """Raises SiteFileError, WrongFile, RecordingDamaged and OSError, as reading the recording does."""
    with path.open("rb") as stream:
        header, _ = read_recording(stream)
    site = site or parse_site(header.site_text, f"{path}: site.toml")
    pipeline = Pipeline(site, header.run_id, header.software)
    return RecordedFacts(site, header.run_id, pipeline.frame, _facts(path, pipeline))


def _facts(path: Path, pipeline: Pipeline) -> Iterator[tuple[Reading, Fact]]:
    with path.open("rb") as stream:
        for reading in read_recording(stream)[1]:
            decoder = pipeline.decoders.get(reading.sensor_id)
            for fact in decoder.feed(pipeline.watch.as_sent(reading)) if decoder else ():
                yield reading, fact


def points_of(scan: Scan, sensor: Sensor) -> FloatArray:
    """Where a scan's detections lie, (n, 3) ENU m; those that tell a direction only are left out."""
    points = []
    for detection in scan.detections:
        found = detection.measurement
        if isinstance(found, Position):
            points.append([found.east_m, found.north_m, found.up_m or 0.0])
        elif isinstance(found, Polar) and found.slant_range_m is not None:
            elevation = found.elevation_rad or 0.0
            ground_m = found.slant_range_m * np.cos(elevation)
            d = [ground_m * np.sin(found.azimuth_rad), ground_m * np.cos(found.azimuth_rad)]
            points.append(np.add(sensor.position_enu_m, [*d, found.slant_range_m * np.sin(elevation)]).tolist())
    return np.array(points, float).reshape(-1, 3)


def rays_of(scan: Scan) -> FloatArray:
    """Unit vectors (n, 3), ENU, of a scan's detections that tell azimuth and elevation and no range."""
    bearings = [found for found in (detection.measurement for detection in scan.detections) if isinstance(found, Polar)]
    rays = [
        polar_to_enu(found.azimuth_rad, found.elevation_rad, 1.0)
        for found in bearings
        if found.slant_range_m is None and found.azimuth_rad is not None and found.elevation_rad is not None
    ]
    return np.array(rays, float).reshape(-1, 3)
