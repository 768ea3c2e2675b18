"""A word to systemd: ready, still alive, stopping. Does nothing where nobody asked.

Source: sd_notify(3): one datagram of `KEY=value` lines to the socket named in NOTIFY_SOCKET; "@" begins an abstract name.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY = "READY=1"
WATCHDOG = "WATCHDOG=1"
STOPPING = "STOPPING=1"


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send the lines; False when there is nobody to tell, or it does not listen."""
    name = environment.get("NOTIFY_SOCKET")
    if not name:
        return False
    address = "\0" + name[1:] if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
            opened.settimeout(1.0)
            opened.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def status(text: str) -> str:
    """The line that shows in `systemctl status`."""
    return f"STATUS={text}"


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often WATCHDOG must be sent at least, halved as sd_watchdog_enabled(3) advises; None when not asked for."""
    microseconds, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not microseconds.isdigit() or int(microseconds) == 0 or (process and process != str(os.getpid())):
        return None
    return int(microseconds) / 2e6
