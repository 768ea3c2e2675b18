"""What every device driver is, and the thread that keeps one alive.

A driver knows one kind of device: open, read, close. `DeviceRunner` runs it in a thread of its own, stamps what it
delivers, opens it again with growing pauses after a loss, and tells of the loss and the return once each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class DeviceLost(Exception):
    """The device cannot be opened or has gone; the text says why, and what to do where that is known."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One piece of what a device gave: bytes as they came, its own time stamp, the address they came from."""

    data: bytes
    device_ns: int | None = None
    source: str | None = None


class Driver(Protocol):
    """One device. Used by one thread only."""

    def open(self) -> None:
        """Make it ready to read. Raises DeviceLost."""

    def read(self, timeout_s: float) -> Delivery | None:
        """What came next; None when nothing came within timeout_s. Raises DeviceLost."""

    def close(self) -> None:
        """Let go of it; never raises, may be called twice."""
