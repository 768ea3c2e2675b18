"""A recording through the same pipeline again."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from edge.answer import Answer, sha256_of
from edge.pipeline import Pipeline
from edge.sensors import is_camera, model_confidence, model_path, model_spectrum
from edge.site_file import Site, parse_site
from edge.sources import recorded
from evidence.recording import RecordingDamaged, RecordingHeader, read_recording
from fusion.types import VISION_SUFFIX, Reading


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did."""

    readings: int
    scans: int
    messages: int
    digest: str | None
    trouble: str | None  # where the recording was cut or damaged; all before it was replayed
    is_damaged: bool
    pipeline: Pipeline


def site_of(header: RecordingHeader, name: str) -> Site:
    """The site file that a recording carries."""
    return parse_site(header.site_text, name)


async def replay(
    recording: Path, site: Site | None, speed: float | None, recompute: bool, model: Path | None, out: Path | None
) -> ReplayResult:
    """Feed a recording's readings to a fresh pipeline; `out` receives the answer.

    Raises WrongFile or RecordingDamaged when not even the header can be read.
    """
    with recording.open("rb") as stream:
        header, entries = read_recording(stream)
        site = site or site_of(header, f"{recording.name}: site file")
        pipeline = Pipeline(site, header.run_id, header.software)
        readings = recorded(entries, speed)
        second = SecondLooks(site, model) if recompute else None
        answer = Answer(out) if out else None
        if second:
            readings = second.over(readings)
        pipeline.opening(header.started_ns)
        messages, damage = 1, None
        try:
            async for reading in readings:
                outgoing = pipeline.feed(reading)
                messages += len(outgoing)
                if answer:
                    answer.write(outgoing)
        except RecordingDamaged as error:
            damage = str(error)
        models = recomputed_models(site, model) if recompute else header.models
        digest = answer.close(recording, site.sha256, models) if answer else None
    troubles = [damage] if damage else []
    if entries.is_cut:
        troubles.append(f"was cut; replayed up to the cut, {entries.left_over_bytes} bytes behind it left over")
    if second and second.left_as_recorded:
        troubles.append(f"{second.left_as_recorded} findings were left as recorded: their pictures are not in it")
    scans = sum(sensor.scans for sensor in pipeline.watch.sensors.values())
    return ReplayResult(
        pipeline.watch.readings, scans, messages, digest, "; ".join(troubles) or None, damage is not None, pipeline
    )


class SecondLooks:
    """Readings in which the detector's findings are made afresh, at the regions that were looked at then."""

    def __init__(self, site: Site, model: Path | None) -> None:
        """Raises ModelError where a detector cannot be used."""
        from edge.vision.recompute import SecondLook  # a replay of recorded findings needs no detector

        self._looks = {
            entry.sensor.sensor_id: SecondLook(
                model or model_path(entry), model_confidence(entry), spectrum=model_spectrum(entry)
            )
            for entry in site.sensors
            if is_camera(entry)
        }
        self.left_as_recorded = 0  # findings whose picture is not in the recording

    async def over(self, readings: AsyncIterator[Reading]) -> AsyncIterator[Reading]:
        async for reading in readings:
            yield self._again(reading)

    def _again(self, reading: Reading) -> Reading:
        camera_id = reading.sensor_id.removesuffix(VISION_SUFFIX)
        if camera_id not in self._looks:
            return reading
        if camera_id == reading.sensor_id:
            self._looks[camera_id].take(camera_id, reading.monotonic_ns, reading.data)
            return reading
        found = self._looks[camera_id].look_again(reading.data)
        if found is None:
            self.left_as_recorded += 1
            return reading
        return dataclasses.replace(reading, data=found)


def recomputed_models(site: Site, model: Path | None) -> dict[str, str]:
    """The detectors that looked again."""
    return {entry.sensor.sensor_id: sha256_of(model or model_path(entry)) for entry in site.sensors if is_camera(entry)}
