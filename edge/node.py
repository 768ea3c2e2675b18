"""The edge service: one post, from its devices to the broker.

    devices, clock, vision ──▶ door ──▶ recorder ──▶ pipeline ──▶ answer, outbox ──▶ broker

Every reading is written down before it is used, in the order in which it is used: that is why a replay gives the same
answer. The outbox is emptied by the center's acknowledgement alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from edge.alarm import AlarmOutput
from edge.answer import sha256_of
from edge.cues import cues_of
from edge.guard_page import GuardPage
from edge.heads import Heads
from edge.health import disk_troubles, health_message, outbox_troubles
from edge.outbox import Outbox, OutboxCounts
from edge.pipeline import Outgoing, Pipeline
from edge.publisher import Publisher
from edge.radio_law import unrecorded
from edge.recorder import Recorder
from edge.recording_ring import RecordingRing
from edge.saving import Saving
from edge.sensors import is_camera, model_path, switch_of
from edge.site_file import SensorEntry, Site
from edge.software import platform_versions, software
from edge.sources import Live
from edge.vision.detector import Region
from evidence.recording import RecordingHeader
from fusion import wire
from fusion.types import CLOCK, Reading
from hardware.box_state import BoxState, box_state
from hardware.clock import Clock, boot_id, kernel_clock_state
from hardware.host import Host, host
from hardware.notify import notify

HEALTH_PERIOD_NS = 1_000_000_000
TURN_PERIOD_NS = 250_000_000  # a head gets no more than four commands a second
LOOK_AT_BOX_EVERY = 10  # tellings of health: disk and battery change slowly
NEW_RUN_S = 60.0  # a clock set by more than this: what this run would say of time helps nobody
DRAIN_S = 10.0  # how long a stopping node waits for the center's acknowledgements

log = logging.getLogger("sarhad.edge")


def new_run_id(now_ns: int) -> str:
    """Names a run: its start and a few digits of chance, so that a box whose clock went back never repeats one."""
    return f"{datetime.fromtimestamp(now_ns / 1e9, timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def models_of(site: Site) -> dict[str, str]:
    """The detectors a site uses: sensor id -> SHA-256 of the model file."""

    return {entry.sensor.sensor_id: sha256_of(model_path(entry)) for entry in site.sensors if is_camera(entry)}


class Node:
    """One run of one post's edge service."""

    def __init__(
        self, site: Site, record_directory: Path | None = None, record_path: Path | None = None, publish: bool = True
    ) -> None:
        """record_directory: one folder a run, recording and answer in it. record_path: the recording alone."""
        self.site = site
        self.clock = Clock()
        self.started_ns, _ = self.clock.now()
        self.run_id = new_run_id(self.started_ns)
        self.pipeline = Pipeline(site, self.run_id, software())
        self.live = Live(site, self.clock, self._cues)
        self.recorder: Recorder | RecordingRing | None = None
        if record_directory:
            self.recorder = RecordingRing(record_directory, self._header(), site, site.recording)
        elif record_path:
            self.recorder = Recorder(record_path, self._header(), site, answer=False)
        self.outbox = Outbox(Path(site.broker.outbox_path), site.broker.keep_hours) if publish else None
        kept = record_directory or (record_path.parent if record_path else Path(site.broker.outbox_path).parent)
        self._disk = str(kept)
        self.alarm = AlarmOutput(switch_of(site.alarm.switch), site.alarm) if site.alarm and publish else None
        self.heads = Heads(site, self.live.driver, lambda time_ns: tuple(self.pipeline.tracks_at(time_ns)))
        self.publisher = (
            Publisher(site.site_id, self.run_id, site.broker, self.outbox, self._hear_cue) if self.outbox else None
        )
        self._loop: asyncio.AbstractEventLoop | None = None  # of `run`
        self._turned_ns = 0
        self._unrecorded = unrecorded(site)
        self._page_trouble: str | None = None
        self.page = self._guard_page() if publish else None
        self._saving, self._box, self._told = Saving(), BoxState(), 0
        self._syncing: asyncio.Future[None] | None = None
        self._health_ns = 0
        self.wants_new_run = False  # its clock was set: it has stopped so that another can begin with the right time
        self._published = 0

    def _guard_page(self) -> GuardPage | None:
        """The guards' page; a post whose page cannot be served goes on without."""
        settings = self.site.guard_page
        if settings is None:
            return None
        try:
            return GuardPage(settings.host, settings.port)
        except OSError as error:
            self._page_trouble = f"no page for the guards at {settings.host}:{settings.port}: {error.strerror or error}"
            log.warning("%s", self._page_trouble)
            return None

    def _header(self) -> RecordingHeader:
        return RecordingHeader(
            site_id=self.site.site_id,
            run_id=self.run_id,
            started_ns=self.started_ns,
            site_text=self.site.text,
            site_sha256=self.site.sha256,
            models=models_of(self.site),
            software=software(),
            platform=platform_versions(),
            boot_id=boot_id(),
            clock_trusted=kernel_clock_state().trusted,
        )

    def _hear_cue(self, cue: wire.CueMessage) -> None:
        """A cue in the network's thread; heads belong to the loop's."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nothing turns any more
                self._loop.call_soon_threadsafe(self._cue, cue)

    def _cue(self, cue: wire.CueMessage) -> None:
        if not self.heads.cue(cue, self.clock.now()[0]):
            log.warning("a cue for %s, which is no camera on a head, or of no direction", cue.sensor_id)

    def _cues(self, entry: SensorEntry, time_ns: int) -> Sequence[Region]:
        moving = self.pipeline.moving.get(entry.sensor.sensor_id)
        pointing = None if moving is None else moving.pointing(time_ns)
        if pointing is None and moving is not None and moving.on_head:
            return ()
        if pointing is not None:
            entry = replace(entry, sensor=replace(entry.sensor, orientation=pointing[0]))
        return cues_of(entry, self.pipeline.tracks_at(time_ns))

    async def run(self) -> dict[str, Any]:
        """Until `stop`; returns what this run did."""
        self._loop = asyncio.get_running_loop()
        if self.publisher:
            self.publisher.start()
        self._send([self.pipeline.opening(self.started_ns), *self.pipeline.sensors(self.started_ns)])
        notify("READY=1")
        try:
            async for reading in self.live.readings():
                self._take(reading)
        finally:
            if not self.wants_new_run:
                notify("STOPPING=1")
            summary = await self._close()
        return summary

    def stop(self) -> None:
        self.live.stop()

    def _begin_anew_when_the_clock_was_set(self) -> None:
        """A box that boots in 1970 tracks at once; when its clock is set and trusted, a new run has the right times."""
        watch = self.pipeline.watch
        if watch.clock_trusted and abs(watch.clock_offset_s) > NEW_RUN_S and not self.wants_new_run:
            log.warning("the clock was set by %+.0f s: ending this run, whose times it is not", watch.clock_offset_s)
            self.wants_new_run = True
            self.stop()

    def _take(self, reading: Reading) -> None:
        if self.recorder and reading.sensor_id not in self._unrecorded:
            self.recorder.write(reading)
        outgoing = self.pipeline.feed(reading)
        if self.recorder:
            self.recorder.answered(outgoing)
        self._send(outgoing)
        if reading.sensor_id == CLOCK and reading.data:
            self._begin_anew_when_the_clock_was_set()
        if reading.sensor_id == CLOCK and reading.received_ns - self._turned_ns >= TURN_PERIOD_NS:
            self._turned_ns = reading.received_ns
            self.heads.turn(reading.received_ns)
        if reading.sensor_id == CLOCK and reading.received_ns - self._health_ns >= HEALTH_PERIOD_NS:
            self._health_ns = reading.received_ns
            self._tell_health()

    def _send(self, outgoing: Sequence[Outgoing]) -> None:
        self._published += len(outgoing)
        if self.publisher:
            for message in outgoing:
                if message.sequence:
                    self.publisher.publish(message.topic, message.sequence, message.payload)
                else:
                    self.publisher.publish_live(message.topic, message.payload)

    def _tell_health(self) -> None:
        notify("WATCHDOG=1")
        if self.recorder:
            self.recorder.count(self._drops())
            if self._syncing is None or self._syncing.done():  # a slow disk gets one wish at a time
                self._syncing = asyncio.get_running_loop().run_in_executor(None, self.recorder.sync)
        host = self._host()
        if self._told % LOOK_AT_BOX_EVERY == 0:
            self._box = box_state(self.clock.now()[0] / 1e9)
        self._told += 1
        saving = self._saving.judge(host.temperature_c, self._box.on_battery, self._box.battery)
        self._saving.apply(vision.pid for vision in self.live.visions.values() if vision.pid is not None)
        troubles = [*self._troubles(), *disk_troubles(self._box), *([saving] if saving else [])]
        outbox = self.outbox.told() if self.outbox else OutboxCounts()
        message = health_message(self.pipeline, host, outbox, troubles, self._box)
        tracks = tuple(self.pipeline.tracks_at(self.pipeline.watch.now_ns)) if self.alarm or self.page else ()
        if self.alarm:
            self.alarm.saw(tracks)
        if self.page:
            self.page.show(tracks, message)
        if self.publisher:
            message = msgspec.structs.replace(message, scans_dropped=self.publisher.counters.scans_dropped)
            self.publisher.publish_retained("health", wire.encode(message))

    def _troubles(self) -> list[str]:
        """What is wrong with the box rather than with a sensor."""
        recording = self.recorder.trouble if self.recorder else None
        outbox = outbox_troubles(self.outbox.told()) if self.outbox else []
        alarm = self.alarm.trouble if self.alarm else None
        return [text for text in (recording, *outbox, alarm, self._page_trouble) if text]

    def _host(self) -> Host:
        processes = {"edge": os.getpid()} | {name: v.pid for name, v in self.live.visions.items() if v.pid is not None}
        seen = host(self._disk, processes)
        vision_mb = sum(size_mb for name, size_mb in seen.memory_mb.items() if name != "edge")
        edge_mb = seen.memory_mb.get("edge", 0.0) - vision_mb  # the edge's own figure counts its children in
        return replace(seen, memory_mb={"edge": edge_mb, "vision": vision_mb})

    def _drops(self) -> dict[str, int]:
        """Readings that did not fit through the door, by sensor."""
        return {sensor_id: sensor.dropped for sensor_id, sensor in self.pipeline.watch.sensors.items()}

    async def _close(self) -> dict[str, Any]:
        watch = self.pipeline.watch
        pending = 0
        for extra in (self.alarm, self.page):  # first, since a disk may keep the recorder waiting
            if extra is not None:
                await asyncio.to_thread(extra.close)
        digest = self.recorder.close(self._drops()) if self.recorder else None
        if self.publisher and self.outbox:
            await asyncio.to_thread(self.publisher.stop, DRAIN_S)
            pending = self.outbox.counts.pending
            self.outbox.close()
        return {
            "site_id": self.site.site_id,
            "run_id": self.run_id,
            "readings": watch.readings,
            "scans": sum(sensor.scans for sensor in watch.sensors.values()),
            "published": self._published,
            "pending": pending,
            "late_scans": watch.late_scans,
            "too_old_scans": watch.too_old_scans,
            "digest": digest,
        }
