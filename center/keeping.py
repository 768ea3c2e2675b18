"""How long the store keeps what it has: for `[retention] days`, and shorter where its disk runs out of room.

    room left ≥ least_free_mb     what is older than `days` goes
    less                          the oldest goes, of whatever is older than a day, until there is a quarter more than that

A full disk stops the store; then nothing is acknowledged, and every post keeps its messages until its own disk is full too.
Deleted rows leave free pages inside the store's file, which are written again: they count as room.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from center.settings import RetentionSettings

LEAST_KEPT_NS = 86_400_000_000_000  # the last day goes for no want of room: another program may be filling the disk
ENOUGH = 1.25  # times the least room, so that it does not run out again at once
MEGABYTE = 1_000_000


class Keeping:
    """Tells the time before which messages may go, and what is wrong with the room."""

    def __init__(self, retention: RetentionSettings, folder: Path) -> None:
        self.retention_ns = int(retention.days * 86_400 * 1e9)
        self._least_bytes = retention.least_free_mb * MEGABYTE
        self._folder = folder
        self._is_short = False
        self._room_bytes = 0.0
        self._is_anything_left = True

    def look(self, free_in_file: int) -> None:
        """See how much room there is, with so many bytes free inside the store's file. Raises OSError."""
        disk = os.statvfs(self._folder)
        self._room_bytes = disk.f_bavail * disk.f_frsize + free_in_file
        self._is_short = self._room_bytes < self._least_bytes * (ENOUGH if self._is_short else 1.0)

    def before_ns(self) -> int:
        """What was received before this time may go."""
        age_ns = min(self.retention_ns, LEAST_KEPT_NS) if self._is_short else self.retention_ns
        return time.time_ns() - age_ns

    def note(self, deleted: int) -> None:
        """How much went of what might go."""
        self._is_anything_left = deleted > 0

    def fault(self) -> str | None:
        """One line while there is too little room."""
        if not self._is_short:
            return None
        room = f"the store's disk has {self._room_bytes / MEGABYTE:.0f} MB left"
        if not self._is_anything_left:
            return f"{room}, and nothing older than a day to delete: make room on it"
        enough = ENOUGH * self._least_bytes / MEGABYTE
        return f"{room}: the oldest messages are deleted before their time, until it is {enough:g} MB"
