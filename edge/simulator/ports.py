"""Serial ports that exist only in the machine: pseudo-terminals, found by a name in the run's folder.

    simulator ──▶ master ═══ slave ◀── run-dir/radar-north ◀── whoever opens it as a serial port

As on a real line, nobody waits for a reader: what does not fit is lost, and counted.
"""

from __future__ import annotations

import fcntl
import os
import termios
import tty
from pathlib import Path


class Port:
    """One pseudo-terminal, raw. The slave stays open here, so that readers may come and go."""

    def __init__(self, link: Path) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.link = link
        link.symlink_to(os.ttyname(self._slave))
        self.sent_bytes = 0
        self.lost_bytes = 0

    def write(self, data: bytes) -> None:
        """Send what fits now."""
        # the last reader may have asked for the port alone; a real port lets go of that when it is closed
        fcntl.ioctl(self._slave, termios.TIOCNXCL)
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        self.sent_bytes += sent
        self.lost_bytes += len(data) - sent

    def close(self) -> None:
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
