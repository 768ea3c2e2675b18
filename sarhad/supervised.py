"""Processes that must run: started, looked after, started again with growing pauses, and ended in order.

Each has a process group of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends them one after the
other, so that who still has something to say can say it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from sarhad.child import end_with_parent

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0
GOOD_RUN_S = 60.0  # who ran so long begins with the first pause again
STOP_S = 20.0  # the edge gives the center ten seconds for its acknowledgements
WRONG_INPUT = 2  # no restart mends a wrong file

Say = Callable[[str], None]


class CannotRun(Exception):
    """A process ended with wrong input; it has said why on stderr."""


class Supervised:
    """One `python -m MODULE ...` that is kept running."""

    def __init__(self, name: str, arguments: Sequence[str], say: Say) -> None:
        self.name = name
        self._arguments, self._say = tuple(arguments), say
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._due_s = 0.0
        self._pause_s = FIRST_PAUSE_S

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        self._started_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self._say(f"{self.name} runs, process {self._process.pid}")

    def look_after(self) -> None:
        """Notice that it has ended, and start it again when its pause is over. Raises CannotRun."""
        if self._process is None:
            if time.monotonic() >= self._due_s:
                self.start()
            return
        code = self._process.poll()
        if code is None:
            return
        self._end_group()
        if code == WRONG_INPUT:
            raise CannotRun(f"{self.name} cannot run with this input")
        if time.monotonic() - self._started_s > GOOD_RUN_S:
            self._pause_s = FIRST_PAUSE_S
        self._say(f"{self.name} ended with {how(code)}; starting it again in {self._pause_s:g} s")
        self._due_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2.0, LAST_PAUSE_S)

    def stop(self) -> None:
        """SIGTERM, some time to finish, then SIGKILL to whatever is left of its group. May be called twice."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self._end_group()

    def _end_group(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


def how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
