"""Room that stays the store's own on a full disk: a file beside it, given up when nothing else can be written.

    room            <store>.reserve lies there
    none            it is deleted: the center can start, and what is old can go, for deleting is writing, too
    room again      it is made again

Without it a store on a disk that others have filled could never again make room by itself.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger("sarhad.center")

RESERVE_BYTES = 16_777_216  # a piece of what `Store.forget` deletes rewrites some 5 MB, in the log and in the file
MAKE_FROM = 4  # times its size must be free: it is no reason to run out of room


class Reserve:
    """The file; its disk may be without room for it."""

    def __init__(self, store_path: Path) -> None:
        self._path = store_path.with_name(store_path.name + ".reserve")

    def make(self) -> None:
        """Put the file there where it is not, or not whole (a center killed while it made it), and there is plenty of room."""
        if self._path.exists() and self._path.stat().st_size >= RESERVE_BYTES:
            return
        if self._room_bytes() < MAKE_FROM * RESERVE_BYTES:
            return
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)

    def advice(self) -> str:
        """What to do on a full disk, where SQLite may tell of no more than an input or output error; else nothing."""
        room_mb = self._room_bytes() / 1e6
        return f"; its disk has {room_mb:.0f} MB left: make room on it" if room_mb < RESERVE_BYTES / 1e6 else ""

    def _room_bytes(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def behind(self, write: Callable[[], T]) -> T:
        """What `write` returns; where the disk has no room for it, it is tried again in this."""
        try:
            return write()
        except sqlite3.OperationalError as error:
            # the second of a quota, or where not even a log can be begun
            is_full = "full" in str(error) or "disk I/O" in str(error)
            if not is_full or not self._path.exists():
                raise
            log.warning("%s: %s; the room kept in reserve is given up for it", self._path.parent, error)
            self._path.unlink()
            return write()
