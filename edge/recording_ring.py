"""Recordings of a post that nobody looks after: parts of an hour, the oldest of which go before the disk is full.

    DIR/<run>/recording.mcap          the first part, with the run's answer beside it (tracks.jsonl, digest.txt)
    DIR/<run>.0002/recording.mcap     each further part is a recording of its own
    DIR/<run>/held                    whoever puts a file of this name there keeps that part for ever

Only the first part has an answer: a later one begins with tracks that its own bytes do not explain. When the disk refuses, the
part ends there, readable so far; as soon as there is room again, another begins. Nothing that is held is ever deleted: when
nothing else is left, recording pauses and health says so.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from edge.pipeline import Outgoing
from edge.recorder import Recorder
from edge.site_types import RecordingSettings, Site
from evidence.recording import RecordingHeader
from fusion.types import Reading

HELD = "held"
RECORDING = "recording.mcap"
LOOK_FOR_ROOM_S = 10.0
SPARE_SHARE = 0.02  # of the disk: room that is made beyond the least, so that not every look deletes something
GIGABYTE = 1_000_000_000

log = logging.getLogger("sarhad.edge")


class RecordingRing:
    """Writes what comes through the door, part by part. `sync` may be called from another thread, the rest from one."""

    def __init__(
        self,
        directory: Path,
        header: RecordingHeader,
        site: Site,
        settings: RecordingSettings,
        monotonic_s: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        """Raises OSError when the first part cannot be begun."""
        self._directory, self._header, self._site, self._settings = directory, header, site, settings
        self._monotonic_s, self._free_bytes = monotonic_s, free_bytes
        self._part = 0
        self._closing: dict[Path, threading.Thread] = {}  # parts whose index is being made
        self._counters: dict[str, int] = {}
        self._looked_s = self._tried_s = monotonic_s()
        self._full: str | None = None  # why there is no room, although everything that may go has gone
        self.lost = 0  # readings that came while the disk refused
        directory.mkdir(parents=True, exist_ok=True)
        self._make_room()
        self._recorder = self._begin(header)

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded at the moment."""
        return self._recorder.trouble or self._full

    @property
    def folder(self) -> Path:
        """Of the part that is being written."""
        return self._directory / (self._header.run_id if self._part == 1 else f"{self._header.run_id}.{self._part:04d}")

    def write(self, reading: Reading) -> None:
        if self._full is not None:
            self.lost += 1
            return
        now_s = self._monotonic_s()
        if self._recorder.trouble is not None:
            self._try_again(now_s, reading.received_ns)
        elif now_s - self._begun_s > self._settings.part_s:
            self._next_part(reading.received_ns)
        if self._recorder.trouble is not None:
            self.lost += 1
        self._recorder.write(reading)

    def answered(self, outgoing: Iterable[Outgoing]) -> None:
        """The messages that the newest reading made known; kept with the first part."""
        self._recorder.answered(outgoing)

    def count(self, counters: dict[str, int]) -> None:
        self._counters = counters
        self._recorder.count(counters)

    def sync(self) -> None:
        """Have the disk take what was written, and make room; may wait for the disk."""
        self._recorder.sync()
        if self._monotonic_s() - self._looked_s >= LOOK_FOR_ROOM_S:
            self._looked_s = self._monotonic_s()
            self._make_room()

    def close(self, counters: dict[str, int]) -> str | None:
        """Finish the part; the digest of the run's answer where this is its only part."""
        digest = self._recorder.close(counters)
        for thread in self._closing.values():
            thread.join()
        return digest if self._part == 1 else None

    # parts

    def _begin(self, header: RecordingHeader) -> Recorder:
        self._part += 1
        self._begun_s = self._monotonic_s()
        return Recorder(self.folder / RECORDING, header, self._site, answer=self._part == 1)

    def _next_part(self, now_ns: int) -> None:
        """Go on in a new part; the old one's index and hash are made beside, since they may take seconds."""
        old, folder, counters = self._recorder, self.folder, dict(self._counters)
        try:
            self._recorder = self._begin(replace_start(self._header, now_ns))
        except OSError as error:
            self._part -= 1
            self._begun_s = self._monotonic_s()
            log.warning("no new part of the recording: %s; going on in the old one", error.strerror or error)
            return
        self._closing = {part: thread for part, thread in self._closing.items() if thread.is_alive()}
        self._closing[folder] = threading.Thread(target=old.close, args=(counters,), name="recording part")
        self._closing[folder].start()

    def _try_again(self, now_s: float, now_ns: int) -> None:
        if now_s - self._tried_s < LOOK_FOR_ROOM_S:
            return
        self._tried_s = now_s
        if self._free_bytes(self._directory) < self._settings.least_free_bytes:
            return
        self._recorder.close({})
        try:
            self._recorder = self._begin(replace_start(self._header, now_ns))
        except OSError:
            self._part -= 1
            return
        log.warning("recording again in %s; %d readings were not recorded", self.folder, self.lost)

    # the ring

    def _make_room(self) -> None:
        """Delete the oldest parts that are not held until the limits are kept."""
        parts = [(part, size_of(part)) for part in self._old_parts()]
        used = sum(size for _, size in parts) + size_of(self.folder)
        free = self._free_bytes(self._directory)
        wanted_free = self._settings.least_free_bytes
        limit = self._settings.keep_bytes
        if free >= wanted_free and (limit is None or used <= limit):
            self._full = None
            return
        wanted_free += int(SPARE_SHARE * (free + used))
        for part, size in parts:
            if free >= wanted_free and (limit is None or used <= limit):
                break
            if (part / HELD).exists():
                continue
            log.info("recording %s is deleted to make room", part)
            shutil.rmtree(part, ignore_errors=True)
            gone = size - size_of(part)
            free, used = free + gone, used - gone
        is_full = free < self._settings.least_free_bytes
        self._full = (
            "recording pauses: the disk is nearly full, and what is left of it is held or not ours" if is_full else None
        )

    def _old_parts(self) -> list[Path]:
        """Folders with a recording, oldest first, without those being written."""
        busy = {self.folder, *(part for part, thread in self._closing.items() if thread.is_alive())}
        found = [one for one in self._directory.glob(f"*/{RECORDING}") if one.parent not in busy]
        return [one.parent for one in sorted(found, key=lambda one: (one.stat().st_mtime_ns, one))]


def replace_start(header: RecordingHeader, started_ns: int) -> RecordingHeader:
    """The header of a later part."""
    return msgspec.structs.replace(header, started_ns=started_ns)


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; 0 when it is gone."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        return 0
