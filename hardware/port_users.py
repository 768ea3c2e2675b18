"""Who else has a device file open: a second program on one port takes bytes away, and may know no lock files.

    /proc/1234/fd/5 -> /dev/ttyUSB0

What belongs to other users shows only to root, and a service under `ProtectProc=invisible` sees its own processes alone.

Source: proc(5), section /proc/pid/fd.
"""

from __future__ import annotations

import os
from pathlib import Path

from hardware.port_lock import process_name

PROCESSES = Path("/proc")


def other_users(device: str, processes: Path = PROCESSES) -> tuple[str, ...]:
    """The other processes that have the device file itself (no link to it) open, as "1234 (minicom)"."""
    found = []
    for folder in sorted((f for f in processes.glob("[0-9]*")), key=lambda f: int(f.name)):
        number = int(folder.name)
        if number != os.getpid() and has_open(folder / "fd", device):
            found.append(f"{number} ({process_name(number) or 'no longer there'})")
    return tuple(found)


def has_open(descriptors: Path, device: str) -> bool:
    try:
        names = os.listdir(descriptors)
    except OSError:  # another user's, or gone meanwhile
        return False
    for name in names:
        try:
            if os.readlink(descriptors / name) == device:
                return True
        except OSError:
            continue
    return False
