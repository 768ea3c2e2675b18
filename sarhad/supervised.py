"""Processes that must run: started, looked after, started again with growing pauses, and ended in order.

    process ──READY=1, WATCHDOG=1──▶ a socket of our own

A process that ends is started again, and so is one that hangs: each tells, as it would tell systemd (sd_notify(3)), when
it is ready and that it is still alive. Each has a process group of its own: Ctrl-C in the terminal reaches the supervisor
alone, which ends them one after the other, so that who still has something to say can say it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sarhad.child import end_with_parent

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0
GOOD_RUN_S = 60.0  # who ran so long begins with the first pause again
STOP_S = 20.0  # the edge gives the center ten seconds for its acknowledgements
START_S = 120.0  # until it is ready, on a small and busy box
SILENCE_S = 30.0  # without a sign of life; both services give one about once a second
WRONG_INPUT = 2  # no restart mends a wrong file

Say = Callable[[str], None]


class CannotRun(Exception):
    """A process ended with wrong input; it has said why on stderr."""


class Supervised:
    """One `python ARGUMENTS` that is kept running. folder: private to us, for its socket."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, say: Say, silence_s: float = SILENCE_S
    ) -> None:
        self.name = name
        self._arguments, self._say, self._silence_s = tuple(arguments), say, silence_s
        self._address = str(folder / f"{name}.notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self._address)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._due_s = self._heard_s = 0.0
        self._is_ready = False
        self._pause_s = FIRST_PAUSE_S

    @property
    def is_ready(self) -> bool:
        """Whether it runs and has said that it does its work."""
        self._hear()
        return self._process is not None and self._is_ready

    def start(self) -> None:
        self._hear()  # what an earlier one said no longer counts
        self._is_ready, self._started_s = False, time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
            env=without_systemd(os.environ) | {"NOTIFY_SOCKET": self._address},
        )
        self._say(f"{self.name} runs, process {self._process.pid}")

    def look_after(self) -> None:
        """Notice that it has ended or hangs, and start it again when its pause is over. Raises CannotRun."""
        self._hear()
        if self._process is None:
            if time.monotonic() >= self._due_s:
                self.start()
            return
        code = self._process.poll()
        if code == WRONG_INPUT:
            self._end_group()
            raise CannotRun(f"{self.name} cannot run with this input")
        if code is not None:
            self._again(f"ended with {how(code)}")
        elif self._is_ready and time.monotonic() - self._heard_s > self._silence_s:
            self._again(f"hangs: no sign of life for {self._silence_s:g} s")
        elif not self._is_ready and time.monotonic() - self._started_s > START_S:
            self._again(f"was not ready after {START_S:g} s")

    def stop(self) -> None:
        """SIGTERM, some time to finish, then SIGKILL to whatever is left of its group. May be called twice."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
            self._end_group()
        self._socket.close()

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while words := self._socket.recv(4096):
                self._heard_s = time.monotonic()
                self._is_ready = self._is_ready or b"READY=1" in words.splitlines()

    def _again(self, reason: str) -> None:
        self._end_group()
        if time.monotonic() - self._started_s > GOOD_RUN_S:
            self._pause_s = FIRST_PAUSE_S
        self._say(f"{self.name} {reason}; starting it again in {self._pause_s:g} s")
        self._due_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2.0, LAST_PAUSE_S)

    def _end_group(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


def without_systemd(environment: os._Environ[str]) -> dict[str, str]:
    """The environment without what systemd meant for us alone."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    return {name: value for name, value in environment.items() if name not in ours}


def how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
