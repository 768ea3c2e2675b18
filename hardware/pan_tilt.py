"""A pan-tilt head on a serial port or the network: read like any other sensor, and told where to turn.

    anyone ── command(bytes) ──▶ the newest waits ──▶ the reading thread writes it, then asks where the head points

What is written are bytes that a protocol made (`firmware_interfaces.pelco_d`, `visca`); this file knows none of them. A head
goes on moving until it is told to stop, so it is stopped whenever the port is closed in order, and at each opening: the one
that drove it before may have died. Where nobody commands for `HELD_S`, it is stopped too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from hardware.device import Delivery, DeviceLost, Driver

ASK_EVERY_S = 0.2
HELD_S = 5.0  # a control loop that is silent for so long has ended


class Port(Driver, Protocol):
    """What a head is spoken to over."""

    def write(self, data: bytes) -> None:
        """Send one message. Raises DeviceLost."""


def as_is(message: bytes) -> bytes:
    """No frame around a message."""
    return message


class PanTilt:
    """A port with a head behind it.

    ask: what makes it tell where it points; stop: what stops it; begin: gives what is said first at each opening; frame: puts
    each later message into the frame that its port wants.
    """

    def __init__(
        self,
        port: Port,
        ask: Sequence[bytes] = (),
        stop: bytes = b"",
        begin: Callable[[], Sequence[bytes]] = tuple,
        frame: Callable[[bytes], bytes] = as_is,
    ) -> None:
        self._port, self._ask, self._stop = port, tuple(ask), stop
        self._begin, self._frame = begin, frame
        self._waiting: tuple[bytes, ...] | None = None
        self._handing_over = threading.Lock()
        self._asked_s = self._commanded_s = 0.0
        self._may_move = False

    @property
    def shared_with(self) -> tuple[str, ...]:
        """Other processes that have its port open."""
        found: tuple[str, ...] = getattr(self._port, "shared_with", ())
        return found

    def command(self, frames: Sequence[bytes]) -> None:
        """Send these next; what was not sent yet is dropped. From any thread."""
        with self._handing_over:
            self._waiting = tuple(frames)

    def open(self) -> None:
        """Raises DeviceLost."""
        self._port.open()
        with self._handing_over:
            self._waiting = None  # it is as old as the loss
        self._may_move = False
        for message in self._begin():
            self._port.write(message)
        self._send((self._stop,))

    def read(self, timeout_s: float) -> Delivery | None:
        """What the head says. Raises DeviceLost."""
        now_s = time.monotonic()
        with self._handing_over:
            frames, self._waiting = self._waiting, None
        if frames is not None:
            self._send(frames)
            self._commanded_s, self._may_move = now_s, True
        elif self._may_move and now_s - self._commanded_s > HELD_S:
            self._send((self._stop,))
            self._may_move = False
        if self._ask and now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            self._send(self._ask)
        return self._port.read(min(timeout_s, ASK_EVERY_S / 4.0))

    def close(self) -> None:
        """Stop the head and let go of the port."""
        with contextlib.suppress(DeviceLost):
            self._send((self._stop,))
        self._port.close()

    def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._port.write(self._frame(message))
