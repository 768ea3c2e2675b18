"""The outbox's file: opened or started for this process alone, and set aside where it is damaged.

    outbox.db ──▶ open_file ──┬─ sound, or not there yet ──▶ a connection
                              ├─ damaged ──────────────────▶ a connection to a new file; the old one is outbox.db.damaged-1
                              ├─ used by another process ──▶ OutboxBusy
                              └─ cannot be made or used ───▶ OutboxError

One row is one message; its number is never given again, so that a later message always has a higher one. (A file that an
earlier release began gives numbers again once it is emptied, and is used as it is.) The lock is SQLite's own (locking_mode
= EXCLUSIVE), so it ends with the process, however that ends. Damage is looked for when the file is opened, by `PRAGMA
quick_check`; a large file would take too long to read through, and its damage shows itself when it is met. A damaged file
is renamed, with its -wal and -shm, and never deleted: what did not reach the center may still be saved from it.

Source: https://www.sqlite.org/pragma.html (locking_mode, quick_check).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path

log = logging.getLogger(__name__)

CHECKED_BYTES = 64 * 2**20  # a larger file is not read through at start; damage shows itself when met

TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    topic TEXT NOT NULL,
    priority INTEGER NOT NULL,
    added_ns INTEGER,
    payload BLOB NOT NULL,
    UNIQUE (run_id, sequence)
);
CREATE INDEX IF NOT EXISTS messages_by_priority ON messages (priority, number);
"""


class OutboxError(Exception):
    """The outbox cannot be opened; one line that names the file and says why."""


class OutboxBusy(OutboxError):
    """Another process uses this outbox."""


def open_file(path: Path) -> sqlite3.Connection:
    """The file, opened or started; a damaged one is set aside first. Raises OutboxBusy or OutboxError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return connect(path)
    except OSError as error:
        raise OutboxError(f"{path}: cannot be made: {error.strerror}; expected a writable folder") from error
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise OutboxBusy(f"{path}: another process uses this outbox") from error
        raise OutboxError(f"{path}: cannot be used: {error}; expected a writable file") from error
    except sqlite3.DatabaseError as error:
        set_aside(path, str(error))
        return connect(path)


def connect(path: Path) -> sqlite3.Connection:
    """Open or start the file for this process alone. Raises sqlite3.DatabaseError when it is damaged."""
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute(f"PRAGMA journal_size_limit = {4 * 2**20}")
        connection.executescript(TABLES)
        if path.stat().st_size <= CHECKED_BYTES:
            (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if finding != "ok":
                raise sqlite3.DatabaseError(finding)
    except BaseException:
        connection.close()
        raise
    return connection


def set_aside(path: Path, why: str) -> None:
    """Rename a damaged file and what belongs to it, so that a new one can be started and nothing is destroyed."""
    if not path.exists():
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    log.error("outbox %s is damaged (%s): set aside as %s; a new one is started", path, why, aside.name)
