"""A process the demo starts: its output in a file, its memory watched, its whole family ended with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from edge.launch import module_arguments

STOP_S = 10.0  # from SIGTERM to SIGKILL
LAST_LINES = 15
SET_PARENT_DEATH_SIGNAL = 1  # <sys/prctl.h>: PR_SET_PDEATHSIG


class ChildDied(Exception):
    """A process ended that should not have; the text holds its last lines."""


class Child:
    """A module of ours that runs in a process group of its own: Ctrl-C reaches the demo alone, which ends them in order."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self.name = name
        self.out_path, self.log_path = folder / f"{name}.out", folder / f"{name}.log"
        with self.out_path.open("wb") as out, self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *module_arguments(*arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Raises ChildDied when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise ChildDied(f"{self.name} ended with {how(code)}; its last lines:\n{self.last_lines()}")

    def first_line(self, timeout_s: float, is_stopping: Callable[[], bool] = lambda: False) -> str | None:
        """The first line on its standard output; None when told to stop. Raises ChildDied, also when none comes in time."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if is_stopping():
                return None
            first, newline, _ = self.out_path.read_text(errors="replace").partition("\n")
            if newline:
                return first
            self.check()
            time.sleep(0.05)
        raise ChildDied(f"{self.name} said nothing within {timeout_s:.0f} s; its last lines:\n{self.last_lines()}")

    def last_lines(self) -> str:
        lines = [line for path in (self.out_path, self.log_path) for line in tail(path)]
        return "\n".join(f"  {line}" for line in lines) or "  (none)"

    def output_lines(self) -> list[str]:
        return self.out_path.read_text(errors="replace").splitlines()

    def tell_to_stop(self) -> None:
        """SIGTERM to the process itself, which ends its own children."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None when it still runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End it, and whatever is left of its group."""
        if self._process.poll() is None:
            self.tell_to_stop()
            self.wait(timeout_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def end_with_parent() -> None:
    """In the child, before it begins: SIGTERM when who started it dies, however it dies. Linux only; elsewhere nothing."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def tail(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").splitlines()[-LAST_LINES:]
    return []


class MemoryWatch:
    """The highest resident memory of processes, by name, as the kernel keeps it (VmHWM)."""

    def __init__(self) -> None:
        self.peak_mb: dict[str, float] = {}

    def look(self, pids: dict[str, int]) -> None:
        for name, pid in pids.items():
            if (peak := peak_memory_mb(pid)) is not None:
                self.peak_mb[name] = max(peak, self.peak_mb.get(name, 0.0))


def peak_memory_mb(pid: int) -> float | None:
    """A process's highest resident memory until now, MB (10^6 bytes); None when it has gone or the system does not tell."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        return None
    return None


def child_running(pid: int, module: str) -> int | None:
    """The id of a descendant of pid that runs `python -m module`; None when there is none."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if module in process.cmdline():
                    return int(process.pid)
    return None
