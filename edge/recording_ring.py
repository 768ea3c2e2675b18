"""Recordings of a post that nobody looks after: parts of an hour, the oldest of which go before the disk is full.

    DIR/<run>/recording.mcap          the first part, with the run's answer beside it (tracks.jsonl, digest.txt)
    DIR/<run>.0002/recording.mcap     each further part is a recording of its own
    DIR/<run>/held                    whoever puts a file of this name there keeps that part for ever

Only the first part has an answer, and only where the law lets every sensor be recorded: any other part leads to tracks that
its own bytes do not explain. When the disk refuses, is gone, or has no room that could be made, the part ends there, readable
so far, and health says so; as soon as there is room again, another begins. Nothing that is held is ever deleted. Numbers of
parts may have gaps, where one could not be begun.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from edge.pipeline import Outgoing
from edge.radio_law import unrecorded
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
        self._is_explained = not unrecorded(site)  # whether what is recorded is all that the tracks come from
        self._part = 0
        self._lock = threading.Lock()  # over which folders are being written: `sync` must not take them for old ones
        self._folder: Path | None = None
        self._closing: dict[Path, threading.Thread] = {}  # parts whose index is being made
        self._counters: dict[str, int] = {}
        self._looked_s = self._tried_s = monotonic_s()
        self._full: str | None = None  # why there is no room, although everything that may go has gone
        self._has_gap = False  # a reading was left out, so this part has ended, and a further one must begin
        self._is_written = False  # the newest reading
        self.lost = 0  # readings that came while the disk refused
        directory.mkdir(parents=True, exist_ok=True)
        self._make_room()
        self._folder, self._recorder = self._begin(header)

    @property
    def trouble(self) -> str | None:
        """Why nothing is recorded at the moment."""
        waiting = "recording pauses: no further part could be begun yet" if self._has_gap else None
        return self._recorder.trouble or self._full or waiting

    @property
    def folder(self) -> Path:
        """Of the part that is being written."""
        assert self._folder is not None
        return self._folder

    def write(self, reading: Reading) -> None:
        self._is_written = self._may_write(reading.received_ns)
        if self._is_written:
            self._recorder.write(reading)
            self._is_written = self._recorder.trouble is None
        if not self._is_written:
            self._has_gap = True
            self.lost += 1

    def answered(self, outgoing: Iterable[Outgoing]) -> None:
        """The messages that the newest reading made known; kept with the first part, as long as it lacks no reading."""
        if self._is_written:
            self._recorder.answered(outgoing)

    def count(self, counters: dict[str, int]) -> None:
        self._counters = counters
        if not self._has_gap:
            self._recorder.count(counters)

    def sync(self) -> None:
        """Have the disk take what was written, and make room; may wait for the disk."""
        self._recorder.sync()
        if self._monotonic_s() - self._looked_s >= LOOK_FOR_ROOM_S:
            self._looked_s = self._monotonic_s()
            try:
                self._make_room()
            except OSError as error:
                self._full = f"recording pauses: its disk does not answer: {error.strerror or error}"

    def close(self, counters: dict[str, int]) -> str | None:
        """Finish the part; the digest of the run's answer where this part holds the whole run."""
        digest = self._recorder.close(counters)
        for thread in self._closing.values():
            thread.join()
        return digest if self._part == 1 and not self._has_gap else None

    # parts

    def _may_write(self, now_ns: int) -> bool:
        """Whether a reading can be recorded; begins a further part where it is time for one."""
        if self._full is not None:
            return False
        now_s = self._monotonic_s()
        if self._has_gap:
            return self._go_on(now_s, now_ns)
        if now_s - self._begun_s > self._settings.part_s:
            try:
                self._next_part(now_ns)
            except OSError as error:
                self._begun_s = now_s
                log.warning("no new part of the recording: %s; going on in the old one", error.strerror or error)
        return True

    def _go_on(self, now_s: float, now_ns: int) -> bool:
        """After a gap, in a new part; tried now and then. A disk that is gone does not even say how much room it has."""
        if now_s - self._tried_s < LOOK_FOR_ROOM_S:
            return False
        self._tried_s = now_s
        try:
            if self._free_bytes(self._directory) < self._settings.least_free_bytes:
                return False
            self._next_part(now_ns)
        except OSError:
            return False
        log.warning("recording again in %s; %d readings were not recorded", self.folder, self.lost)
        return True

    def _begin(self, header: RecordingHeader) -> tuple[Path, Recorder]:
        """The next part. A number is never used twice, as what failed may have left something."""
        self._part += 1
        folder = self._directory / (header.run_id if self._part == 1 else f"{header.run_id}.{self._part:04d}")
        try:
            recorder = Recorder(folder / RECORDING, header, self._site, answer=self._part == 1 and self._is_explained)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()  # where nothing came to be in it
            raise
        self._begun_s = self._monotonic_s()
        return folder, recorder

    def _next_part(self, now_ns: int) -> None:
        """End this part and begin another; its index and hash are made beside, since they may take seconds."""
        with self._lock:
            old, old_folder = self._recorder, self.folder
            self._folder, self._recorder = self._begin(replace_start(self._header, now_ns))
            self._has_gap = False
            self._closing = {part: thread for part, thread in self._closing.items() if thread.is_alive()}
            closing = threading.Thread(target=old.close, args=(dict(self._counters),), name="recording part")
            self._closing[old_folder] = closing
            closing.start()

    # the ring

    def _make_room(self) -> None:
        """Delete the oldest parts that are not held until the limits are kept."""
        parts = [(part, size_of(part)) for part in self._old_parts()]
        used = sum(size for _, size in parts) + sum(map(size_of, self._busy()))
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

    def _busy(self) -> set[Path]:
        """Folders that are being written."""
        with self._lock:
            busy = {part for part, thread in self._closing.items() if thread.is_alive()}
            return busy if self._folder is None else {self._folder, *busy}

    def _old_parts(self) -> list[Path]:
        """Folders with a recording, oldest first, without those being written."""
        found = list(self._directory.glob(f"*/{RECORDING}"))
        busy = self._busy()  # asked after looking: a part that was begun in between is not among those found
        old = [one for one in found if one.parent not in busy]
        return [one.parent for one in sorted(old, key=lambda one: (one.stat().st_mtime_ns, one))]


def replace_start(header: RecordingHeader, started_ns: int) -> RecordingHeader:
    """The header of a later part."""
    return msgspec.structs.replace(header, started_ns=started_ns)


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; 0 when it is gone."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        return 0
