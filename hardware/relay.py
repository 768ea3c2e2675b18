"""Switches: something that is on or off, and what is done with it: power taken from a sensor for a moment, an alarm sounded.

    kernel_file     a file of the kernel that takes one word, such as
                    /sys/bus/usb/devices/1-1:1.0/1-1-port2/disable   a USB hub's port: on = "0", off = "1" (Linux 6.0)
                    /sys/class/leds/alarm/brightness                 a light
                    /sys/class/gpio/gpio17/value                     a pin
    serial_relay    the common USB relay boards (LCUS-1 and its larger sisters), 9600 baud, four bytes a command:

                    A0 | channel from 1 | 1 on, 0 off | sum of the three, modulo 256

The board answers nothing, so its obedience is not known; a file that could not be written is. Whatever switches, is told.

Sources: Linux, Documentation/ABI/testing/sysfs-bus-usb (`disable`), sysfs-class-led; LCUS-1 module's data sheet.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hardware.device import DeviceLost
from hardware.serial_port import SerialPort

RELAY_START = 0xA0
LONGEST_PAUSE_S = 3600.0  # power is taken at most so seldom from a sensor that it does not help
ON_TRIES, ON_PAUSE_S = (
    20,
    0.25,
)  # five seconds: a board that was pulled, or a port that another program has for a moment
SWITCHES = ("kernel_file", "serial_relay")

_boards: dict[str, threading.Lock] = {}  # by device file: channels of one board are switched one after the other
_boards_lock = threading.Lock()


class Switch(Protocol):
    """Something that is on or off."""

    def set(self, is_on: bool) -> None:
        """Switch. Raises DeviceLost."""


class KernelFile:
    """A switch that is a file: `on` or `off` is written to it."""

    def __init__(self, path: str, on: str = "1", off: str = "0") -> None:
        self.path, self._on, self._off = path, on, off

    def set(self, is_on: bool) -> None:
        word = self._on if is_on else self._off
        try:
            with Path(self.path).open("r+", encoding="ascii") as file:  # never made: a misspelt path is no switch
                file.write(word)
        except (
            OSError,
            ValueError,
        ) as error:  # ValueError: a word or path that cannot be written in the kernel's letters
            raise DeviceLost(
                f"{self.path} does not take {word!r}: {getattr(error, 'strerror', None) or error}"
            ) from error


class SerialRelay:
    """One channel of a serial relay board. The port is opened for each command, so that several channels can share it.

    They wait for each other: the port's own lock refuses a second opening even to the same process.
    """

    def __init__(self, path: str, channel: int = 1, baud: int = 9600, lock_dir: str | None = None) -> None:
        if not 1 <= channel <= 16:
            raise ValueError(f"channel is {channel}; expected 1 to 16")
        self.path, self.channel = path, channel
        self._port = SerialPort(path, baud, lock_dir=lock_dir)

    def set(self, is_on: bool) -> None:
        with board_lock(self.path):
            try:
                self._port.open()
                self._port.write(relay_command(self.channel, is_on))
            finally:
                self._port.close()


def board_lock(path: str) -> threading.Lock:
    """The one lock of the board behind a path, whichever link leads to it."""
    with _boards_lock:
        return _boards.setdefault(os.path.realpath(path), threading.Lock())


def relay_command(channel: int, is_on: bool) -> bytes:
    """The four bytes of an LCUS relay board."""
    head = bytes((RELAY_START, channel, int(is_on)))
    return head + bytes((sum(head) & 0xFF,))


class PowerCycle:
    """Takes a sensor's power away for a moment when it has been gone or dumb for long.

    Once after `after_s`; if it stays away, after twice as long, and so on up to once an hour.
    """

    def __init__(
        self,
        switch: Switch,
        off_s: float = 5.0,
        after_s: float = 60.0,
        on_silence: bool = True,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """on_silence: whether an open port that says nothing counts, too; not for one that may have nothing to say."""
        self.off_s, self.on_silence = off_s, on_silence
        self._switch, self._after_s, self._sleep = switch, after_s, sleep
        self._pause_s = after_s

    def is_due(self, without_bytes_s: float) -> bool:
        """Whether so long without bytes, counted from the last cycle, is long enough."""
        return without_bytes_s >= self._pause_s

    def well(self) -> None:
        """It speaks: the next trouble is a new one."""
        self._pause_s = self._after_s

    def cycle(self, stopping: threading.Event) -> None:
        """Off and on again. Raises DeviceLost; on is tried for some seconds, even of a post that is being stopped."""
        self._pause_s = min(2.0 * self._pause_s, LONGEST_PAUSE_S)
        try:
            self._switch.set(False)
            stopping.wait(self.off_s)
        finally:
            self._switch_on()

    def _switch_on(self) -> None:
        """A sensor must not be left without power because the switch failed once. Raises the last DeviceLost."""
        for tries_left in range(ON_TRIES - 1, -1, -1):
            try:
                self._switch.set(True)
                return
            except DeviceLost:
                if not tries_left:
                    raise
            self._sleep(ON_PAUSE_S)
