"""How the post is: its sensors from what came through the door, its box from the operating system."""

from __future__ import annotations

from collections.abc import Sequence

from edge.outbox import OutboxCounts
from edge.pipeline import Pipeline
from fusion import wire
from hardware.box_state import BoxState
from hardware.host import Host

DISK_WORN = 0.9  # of its life
DISK_HOT_C = 70.0  # most are rated to 70 or 85


def disk_troubles(box: BoxState) -> list[str]:
    """What to replace or cool before it fails."""
    found = []
    if box.disk_worn is not None and box.disk_worn >= DISK_WORN:
        found.append(f"the disk has spent {box.disk_worn:.0%} of its life: replace it")
    if box.disk_temperature_c is not None and box.disk_temperature_c > DISK_HOT_C:
        found.append(f"the disk is {box.disk_temperature_c:.0f} °C warm: shade and air")
    found += [f"the disk {warning}: replace it soon, save what it holds" for warning in box.disk_warnings]
    return found


def outbox_troubles(outbox: OutboxCounts) -> list[str]:
    """Why it cannot be written, and what of it the center will never get."""
    found = [] if outbox.trouble is None else [outbox.trouble]
    if outbox.thinned:
        found.append(
            f"the outbox was full: {outbox.thinned} messages of positions left out, "
            f"of the oldest tracks one each {outbox.spacing_s:.0f} s is kept"
        )
    if outbox.dropped:
        told = ", ".join(f"{count} of {name}" for name, count in sorted(outbox.dropped.items()))
        found.append(f"the outbox gave up messages that were too old or had no room: {told}")
    return found


def health_message(
    pipeline: Pipeline,
    host: Host,
    outbox: OutboxCounts,
    troubles: Sequence[str],
    box: BoxState = BoxState(),  # noqa: B008 (frozen)
) -> wire.HealthMessage:
    """The post's health as the center shows it. What the box says of itself is no part of a replay; the rest is."""
    watch = pipeline.watch
    state, text = watch.state()
    if troubles:
        state, text = "degraded" if state == "ok" else state, ", ".join(filter(None, [text, *troubles]))
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
        outbox_pending=outbox.pending,
        memory_mb={name: round(size_mb, 1) for name, size_mb in host.memory_mb.items()},
        temperature_c=host.temperature_c,
        disk_free_mb=None if host.disk_free_mb is None else round(host.disk_free_mb, 1),
        late_scans=watch.late_scans,
        too_old_scans=watch.too_old_scans,
        ignored_scans=pipeline.tracker.ignored_scans,
        clock_error_s=watch.clock_bound_s(),
        clock_offset_s=watch.clock_offset_s,
        disk_temperature_c=box.disk_temperature_c,
        disk_worn=box.disk_worn,
        on_battery=box.on_battery,
        battery=box.battery,
        outbox_dropped=dict(sorted(outbox.dropped.items())),
        outbox_thinned=outbox.thinned,
    )
