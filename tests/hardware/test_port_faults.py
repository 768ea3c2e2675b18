"""A port with the faults of real ones: every byte that was said while the cable held arrives once and in order.

The faults are drawn from one seed: pulled out and plugged in under another number, noise, single bytes, silences.

    said      | AAAA | (unplugged) | BB | B | CCCCC | (unplugged) | DDD
    arrived   | AAA. | ........... | BB | B | CCCCC | ........... | DDD      a tail may go down with the cable, nothing else

`SARHAD_PORT_SEEDS=200 pytest tests/hardware/test_port_faults.py` tries so many seeds.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable

import pytest

from hardware.clock import Clock
from hardware.device import FIRST_PAUSE_S, DeviceRunner
from hardware.serial_port import SerialPort

SEEDS = range(int(os.environ.get("SARHAD_PORT_SEEDS", "2")))
STEPS = 12
FAULTS = ("burst", "single bytes", "silence", "noise", "unplug")


class FaultInjector:
    """Runs one seed's faults on a plug; `pause` lets time pass."""

    def __init__(self, plug, seed: int, pause: Callable[[float], None]) -> None:
        self.plug, self.chance, self._pause = plug, random.Random(seed), pause
        self.connections: list[bytearray] = [bytearray()]  # what was said on each
        self.faults: list[str] = []
        self._number = 0

    def step(self, await_open: Callable[[int], None], await_heard: Callable[[bytes], None]) -> None:
        """One fault; await_open waits until the port was opened so often, await_heard until the bytes have arrived."""
        fault = self.chance.choice(FAULTS)
        self.faults.append(fault)
        if fault == "burst":
            self._say(b"".join(self._frame() for _ in range(self.chance.randrange(1, 40))))
        elif fault == "single bytes":
            for byte in self._frame():
                self._say(bytes([byte]))
        elif fault == "silence":
            self._pause(self.chance.uniform(0.0, 0.3))
        elif fault == "noise":
            self._say(self.chance.randbytes(self.chance.randrange(1, 500)))
        else:
            self._unplug(await_open, await_heard)

    def _unplug(self, await_open: Callable[[int], None], await_heard: Callable[[bytes], None]) -> None:
        if self.chance.random() < 0.5:  # else the last bytes go down with the cable
            await_heard(bytes(self.connections[-1]))
        self.plug.unplug()
        taken = [os.openpty() for _ in range(self.chance.randrange(0, 3))]  # others take the number that came free
        self._pause(self.chance.uniform(0.0, 0.3))
        self.plug.plug_in()
        for pair in taken:
            for descriptor in pair:
                os.close(descriptor)
        self.connections.append(bytearray())
        await_open(len(self.connections))

    def _say(self, data: bytes) -> None:
        self.plug.say(data)
        self.connections[-1] += data

    def _frame(self) -> bytes:
        self._number += 1
        return b"\xa5\x5a%06d" % self._number + self.chance.randbytes(self.chance.randrange(0, 60))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_said_while_the_cable_held_arrives_once_and_in_order(tmp_path, plug, door, monkeypatch, seed: int):
    monkeypatch.setattr("hardware.device.LONGEST_PAUSE_S", FIRST_PAUSE_S)  # growing ones would only be waited for
    locks = tmp_path / "locks"
    locks.mkdir()
    injector = FaultInjector(plug, seed, threading.Event().wait)
    runner = DeviceRunner(
        "radar",
        SerialPort(plug.path, 921_600, lock_dir=str(tmp_path)),
        Clock(),
        door.deliver,
        door.report,
        silence_s=0.1,
    )
    runner.start()

    begins = []  # where in the arrived bytes each connection begins

    def opened(count: int) -> None:
        door.await_that(lambda: door.names().count("opened") + door.names().count("back") >= count)
        begins.append(len(door.data))

    def heard(tail: bytes) -> None:
        door.await_that(lambda: door.data.endswith(tail))

    opened(1)
    held = len(os.listdir("/proc/self/fd"))
    for _ in range(STEPS):
        injector.step(opened, heard)
    heard(bytes(injector.connections[-1]))
    assert runner.stop()

    ends = [*begins[1:], len(door.data)]
    for said, begin, end in zip(injector.connections, begins, ends, strict=True):
        assert bytes(said).startswith(door.data[begin:end]), f"seed {seed}: after {injector.faults}"
    names = [name for name in door.names() if name in ("opened", "lost", "back")]
    assert names == (["opened"] + ["lost", "back"] * (len(injector.connections) - 1))
    assert len(os.listdir("/proc/self/fd")) <= held
    assert not list(locks.iterdir())
    stamps = [reading.monotonic_ns for reading in door.readings]
    assert stamps == sorted(set(stamps))
