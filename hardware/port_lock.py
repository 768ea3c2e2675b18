"""One port, one program: a lock file that names who holds it.

    /run/lock/LCK..ttyUSB0      "      1234\n"    process id, ten characters     } as minicom, picocom and
                                "sarhad\n"        its name                       } others read and write it

The file is also held with flock(2), so the lock of a process that died is gone with it; a lock file of a program that only
writes its number counts while that process lives. TIOCEXCL is no substitute: root passes it.

Source: Filesystem Hierarchy Standard 3.0, section 5.9 (device lock files).
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from hardware.device import DeviceLost

SYSTEM_LOCK_DIR = Path("/run/lock")


class PortLock:
    """The lock on one device file. `path` must be the device itself, not a link to it."""

    def __init__(self, path: str, lock_dir: str | None = None) -> None:
        self.path = path
        self._file = lock_directory(lock_dir) / f"LCK..{path.removeprefix('/dev/').replace('/', '_')}"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it, breaking a dead process's. Raises DeviceLost, naming the holder."""
        while True:
            try:
                descriptor = _open(self._file)
            except FileExistsError:
                continue  # another program made it between our two looks
            except OSError as error:
                raise DeviceLost(f"{self.path}: cannot make its lock file {self._file}: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise DeviceLost(f"{self.path} is in use by {holder}; two programs on one port lose bytes") from error
            if _is_same_file(descriptor, self._file):
                break
            os.close(descriptor)  # its holder took the file away between our open and our lock
        number = _process_id(descriptor)
        if number is not None and number != os.getpid() and _lives(number):
            holder = _holder(descriptor)
            os.close(descriptor)
            raise DeviceLost(f"{self.path} is in use by {holder}; two programs on one port lose bytes")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid():10d}\n{process_name(os.getpid()) or 'sarhad'}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; may be called twice."""
        if self._descriptor is None:
            return
        self._file.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def lock_directory(given: str | None) -> Path:
    """The given one, else /run/lock, else the directory for temporary files."""
    if given is not None:
        return Path(given)
    return SYSTEM_LOCK_DIR if os.access(SYSTEM_LOCK_DIR, os.W_OK) else Path(tempfile.gettempdir())


def process_name(number: int) -> str | None:
    """What a process is called; None when it is gone or hidden."""
    try:
        return Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _open(path: Path) -> int:
    """Its descriptor. O_CREAT on another user's file in /run/lock is refused even to root (fs.protected_regular)."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _process_id(descriptor: int) -> int | None:
    first = os.pread(descriptor, 64, 0).split()[:1]
    return int(first[0]) if first and first[0].isdigit() else None


def _holder(descriptor: int) -> str:
    number = _process_id(descriptor)
    if number is None:
        return "another program"
    return f"process {number} ({process_name(number) or 'no longer there'})"


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
