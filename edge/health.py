"""How the post is: its sensors from what came through the door, its box from the operating system."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil

from edge.pipeline import Pipeline
from fusion import wire
from hardware.host import disk_free_mb, temperature_c


@dataclass(frozen=True, slots=True)
class HostSample:
    """The box, this second."""

    memory_mb: dict[str, float]  # resident, by process
    temperature_c: float | None
    disk_free_mb: float | None


class HostWatch:
    """Asks the operating system; unlike the rest of a health message, this is no part of a replay."""

    def sample(self, visions: dict[str, int]) -> HostSample:
        """visions: process ids of the vision processes by camera."""
        vision_mb = sum(resident_mb(pid) or 0.0 for pid in set(visions.values()))
        return HostSample(
            {"edge": resident_mb(os.getpid()) or 0.0, "vision": round(vision_mb, 1)}, temperature_c(), disk_free_mb(".")
        )


def resident_mb(pid: int) -> float | None:
    """A process's resident memory, MB; None when it has gone."""
    try:
        return round(float(psutil.Process(pid).memory_info().rss) / 1e6, 1)
    except psutil.Error:
        return None


def health_message(pipeline: Pipeline, host: HostSample, outbox_pending: int) -> wire.HealthMessage:
    """The post's health as the center shows it."""
    watch = pipeline.watch
    state, text = watch.state()
    return wire.HealthMessage(
        version=wire.VERSION,
        site_id=pipeline.site.site_id,
        run_id=pipeline.run_id,
        time=wire.rfc3339(watch.now_ns),
        state=state,
        text=text,
        sensors=watch.sensor_messages(),
        own_positions=watch.own_position_messages(),
        clock_trusted=watch.clock_trusted,
        outbox_pending=outbox_pending,
        memory_mb=host.memory_mb,
        temperature_c=host.temperature_c,
        disk_free_mb=host.disk_free_mb,
        late_scans=watch.late_scans,
        too_old_scans=watch.too_old_scans,
    )
