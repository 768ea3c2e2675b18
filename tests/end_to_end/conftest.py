"""Whole posts as a user would run them: real broker, real center, real edge node, real pseudo-terminals."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sarhad.broker import Broker

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A `sarhad` command in a process of its own, its standard output line by line."""

    def __init__(self, *arguments: str, log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sarhad", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def stop(self, timeout_s: float = 30.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self._reader.join(5.0)
        self._log.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10.0)


class SerialFeed:
    """A pseudo-terminal that carries a capture's bytes to whoever opens it."""

    def __init__(self, data: bytes, bytes_per_s: float) -> None:
        self._data, self._bytes_per_s = data, bytes_per_s
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._theirs = theirs  # kept open: a terminal that nobody holds hangs up
        self.path = os.ttyname(theirs)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._write, daemon=True)
        thread.start()
        return thread

    def _write(self) -> None:
        step = max(1, int(self._bytes_per_s / 50))
        for start in range(0, len(self._data), step):
            os.write(self._ours, self._data[start : start + step])
            time.sleep(step / self._bytes_per_s)  # a serial line's own pace

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_until(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """The condition's first true value; its own errors of connection count as not yet."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError):
            if value := condition():
                return value
        time.sleep(0.1)
    pytest.fail(f"after {timeout_s} s still not: {what}")


class House:
    """Broker and center on loopback, and what is started beside them."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder, self.broker = folder, broker
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: list[Process] = []
        self.feeds: list[SerialFeed] = []
        (folder / "center.toml").write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\n[store]\npath = "center.db"\n'
            f'[listen]\nhost = "127.0.0.1"\nport = {self.port}\n'
        )
        self.center = self.start_center()

    def start_center(self) -> Process:
        center = self.run("center", str(self.folder / "center.toml"))
        wait_until(lambda: get_json(self.url + "/healthz"), 30.0, "the center answers")
        return center

    def run(self, *arguments: str) -> Process:
        process = Process(*arguments, log=self.folder / f"{arguments[0]}.log")
        self.processes.append(process)
        return process

    def feed(self, data: bytes, bytes_per_s: float) -> SerialFeed:
        feed = SerialFeed(data, bytes_per_s)
        self.feeds.append(feed)
        return feed

    def get(self, path: str) -> Any:
        return get_json(self.url + path)

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.stop()
            if process.process.poll() is None:
                process.kill()
        for feed in self.feeds:
            feed.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Broker.start() as broker:
        house = House(tmp_path, broker)
        try:
            yield house
        finally:
            house.close()
