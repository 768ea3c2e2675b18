"""A recording through the same pipeline again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from edge.answer import Answer
from edge.pipeline import Pipeline
from edge.sensors import is_camera
from edge.site_file import Site, parse_site
from edge.sources import recorded, recording_header
from evidence.recording import RecordingHeader
from fusion.types import VISION_SUFFIX, Reading


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did."""

    readings: int
    scans: int
    messages: int
    digest: str | None
    pipeline: Pipeline


def site_of(header: RecordingHeader, name: str) -> Site:
    """The site file that a recording carries."""
    return parse_site(header.site_text, name, check_files=False)


async def replay(
    recording: Path, site: Site | None, speed: float | None, recompute: bool, model: Path | None, out: Path | None
) -> ReplayResult:
    """Feed a recording's readings to a fresh pipeline; `out` receives the answer."""
    header = recording_header(recording)
    site = site or site_of(header, f"{recording.name}: site file")
    pipeline = Pipeline(site, header.run_id, header.software)
    answer = Answer(out) if out else None
    readings = recorded(recording, speed)
    if recompute:
        readings = looked_again(readings, site, model)
    pipeline.opening(header.started_ns)
    messages = 1
    async for reading in readings:
        outgoing = pipeline.feed(reading)
        messages += len(outgoing)
        if answer:
            answer.write(outgoing)
    models = header.models if not recompute else recomputed_models(site, model)
    digest = answer.close(recording, site.sha256, models) if answer else None
    scans = sum(sensor.scans for sensor in pipeline.watch.sensors.values())
    return ReplayResult(pipeline.watch.readings, scans, messages, digest, pipeline)


async def looked_again(readings: AsyncIterator[Reading], site: Site, model: Path | None) -> AsyncIterator[Reading]:
    """The same readings, but the detector's findings are made afresh at the regions that were looked at then."""
    from edge.vision.recompute import Recomputer  # a replay of recorded findings needs no detector

    cameras = {entry.sensor.sensor_id: entry for entry in site.sensors if is_camera(entry)}
    recomputers = {
        sensor_id: Recomputer(
            model or (entry.model.path if entry.model else None), entry.model.confidence if entry.model else None
        )
        for sensor_id, entry in cameras.items()
    }
    async for reading in readings:
        camera_id = reading.sensor_id.removesuffix(VISION_SUFFIX)
        if reading.sensor_id in recomputers:
            recomputers[reading.sensor_id].see(reading.monotonic_ns, reading.data)
        elif camera_id in recomputers and reading.sensor_id != camera_id:
            found = recomputers[camera_id].look_again(reading.data)
            reading = Reading(
                reading.sensor_id, reading.received_ns, reading.monotonic_ns, reading.device_ns, reading.source, found
            )
        yield reading


def recomputed_models(site: Site, model: Path | None) -> dict[str, str]:
    from edge.answer import sha256_of
    from edge.vision.detector import model_file

    return {
        entry.sensor.sensor_id: sha256_of(
            model_file(str(model) if model else (entry.model.path if entry.model else None))
        )
        for entry in site.sensors
        if is_camera(entry)
    }
