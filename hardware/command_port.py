"""A sensor's start file: lines sent over its command port whenever its data port was opened.

TI's radars forget everything at power-off and stay silent until they are told again, line by line, over a port beside the
one the data come from. Each line is answered with `Done` and the prompt `mmwDemo:/>`, or with `Error` and why.
Lines that are empty or begin with `%` are comments. Where data and commands share one port, what follows the last reply is
handed back to the data.

Source: TI mmWave SDK user's guide 3.5, section 3.4 (configuration file format).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable

from hardware.device import Driver
from hardware.serial_port import SerialPort

COMMENT = "%"
REPLY_TIMEOUT_S = 2.0  # sensorStart calibrates the radio first: up to a second
PROMPT_WAIT_S = 0.1  # how long after a verdict its prompt may come
LONGEST_REPLY = 16_384  # a port that babbles is no command port
# a reply is over with its prompt or, on firmware without one, with the line that holds the verdict
PROMPT = re.compile(rb"\w+:/>\s?")
VERDICT = re.compile(
    rb"(?:^|[\r\n])[ \t]*(?:Done|Skipped|Ignored[^\r\n]*|Error[^\r\n]*|[^\r\n]*not recognized[^\r\n]*)[\r\n]+"
)
COMPLAINT = re.compile(rb"Error[^\r\n]*|[^\r\n]*not recognized[^\r\n]*")


class CommandPort:
    """The command port of one sensor, and the lines that start it."""

    def __init__(
        self,
        path: str,
        baud: int,
        lines: Iterable[str],
        reply_timeout_s: float = REPLY_TIMEOUT_S,
        lock_dir: str | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.baud = path, baud
        self.lines = tuple(stripped for line in lines if (stripped := line.strip()) and stripped[0] != COMMENT)
        self._reply_timeout_s, self._lock_dir, self._monotonic_s = reply_timeout_s, lock_dir, monotonic_s

    def send(self, driver: Driver, stopping: threading.Event) -> tuple[str, ...]:
        """Send every line, waiting for each reply; gives the complaints, one text each.

        driver is the sensor's data port, open; it is used itself where both are the same device. A line that is not
        answered ends the sending: the following ones would not be heard either. Raises DeviceLost when the command port
        cannot be opened or goes away.
        """
        if isinstance(driver, SerialPort) and os.path.realpath(driver.path) == os.path.realpath(self.path):
            return self._send(driver, stopping, is_shared=True)
        port = SerialPort(self.path, self.baud, lock_dir=self._lock_dir)
        port.open()
        try:
            return self._send(port, stopping, is_shared=False)
        finally:
            port.close()

    def _send(self, port: SerialPort, stopping: threading.Event, is_shared: bool) -> tuple[str, ...]:
        complaints = []
        rest = b""
        for line in self.lines:
            if stopping.is_set():
                break
            port.write(line.encode("ascii", "replace") + b"\n")
            reply, rest = self._reply(port, stopping)
            if reply is None:
                complaints.append(
                    f"{self.path}: no reply to {line!r} within {self._reply_timeout_s:.1f} s;"
                    " is the board powered and this its command port?"
                )
                break
            if complaint := COMPLAINT.search(reply):
                complaints.append(f"{line!r} answered {complaint.group().decode('ascii', 'replace').strip()!r}")
        if is_shared and rest:
            port.put_back(rest)
        return tuple(complaints)

    def _reply(self, port: SerialPort, stopping: threading.Event) -> tuple[bytes | None, bytes]:
        """(the reply with its prompt, what came after it); None for a reply that did not come."""
        heard = b""
        deadline_s = self._monotonic_s() + self._reply_timeout_s
        verdict_s: float | None = None
        while not stopping.is_set() and len(heard) < LONGEST_REPLY:
            now_s = self._monotonic_s()
            if verdict := VERDICT.search(heard):
                if prompt := PROMPT.search(heard, verdict.end()):
                    return heard[: prompt.end()], heard[prompt.end() :]
                verdict_s = now_s if verdict_s is None else verdict_s
                if now_s - verdict_s > PROMPT_WAIT_S:
                    return heard[: verdict.end()], heard[verdict.end() :]
            elif now_s >= deadline_s:
                break
            delivery = port.read(0.05)
            heard += delivery.data if delivery is not None else b""
        return None, heard
