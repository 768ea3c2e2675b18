"""A run on disk: the recording, and where wanted the answer beside it.

A disk that refuses must not stop the post: the recorder then keeps what it has, says so once and in the post's health, and
the rest runs on. What was written before stays readable up to that point.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from edge.answer import Answer
from edge.pipeline import Outgoing
from edge.site_file import Site
from evidence.recording import RecordingHeader, RecordingWriter
from fusion.types import Reading

SYNC_S = 5.0  # a power cut costs at most about so much of a recording

T = TypeVar("T")
log = logging.getLogger("sarhad.edge")


class Recorder:
    """Writes what comes through the door, in the order in which it is used."""

    def __init__(self, path: Path, header: RecordingHeader, site: Site, answer: bool) -> None:
        """Raises OSError when the files cannot be made; a recording is never written over."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.trouble: str | None = None  # why nothing is recorded any more
        self._answer = Answer(path.parent) if answer else None
        self._path, self._header = path, header
        self._file = path.open("xb")
        self._synced_s = time.monotonic()
        channels = {
            entry.sensor.sensor_id: {"protocol": entry.protocol, "driver": entry.device.driver}
            for entry in site.sensors
        }
        self._writer = RecordingWriter(self._file, header, channels)

    def write(self, reading: Reading) -> None:
        self._try(lambda: self._writer.write(reading))

    def answered(self, outgoing: Iterable[Outgoing]) -> None:
        """The messages that the newest reading made known."""
        if (answer := self._answer) is not None:
            self._try(lambda: answer.write(outgoing))

    def count(self, counters: dict[str, int]) -> None:
        """Note how many readings have been dropped so far."""
        self._try(lambda: self._writer.write_counters(counters))

    def sync(self) -> None:
        """Have the disk take what was written, every few seconds; may wait for the disk."""
        if time.monotonic() - self._synced_s >= SYNC_S:
            self._synced_s = time.monotonic()
            with contextlib.suppress(ValueError):  # it has been closed meanwhile, by another thread
                self._try(lambda: os.fdatasync(self._file.fileno()))

    def close(self, counters: dict[str, int]) -> str | None:
        """Finish the files; returns the digest of the answer, None where there is none or the disk refuses."""
        self._try(lambda: self._writer.close(counters))
        self._try(self._file.close)
        digest = None
        if (answer := self._answer) is not None:
            digest = self._try(lambda: answer.close(self._path, self._header.site_sha256, self._header.models))
        if self.trouble is not None:
            with contextlib.suppress(OSError):  # its buffer is what the disk refused
                self._file.close()
        return digest

    def _try(self, write: Callable[[], T]) -> T | None:
        if self.trouble is not None:
            return None
        try:
            return write()
        except OSError as error:
            self.trouble = f"recording stopped: {error.strerror or error}"
            log.error("%s: %s; the post runs on without", self._path, self.trouble)
            return None
