"""A pan-tilt head on a serial port: read like any other sensor, and told where to turn.

    anyone ── command(bytes) ──▶ the newest waits ──▶ the reading thread writes it, then asks where the head points

What is written are bytes that a protocol made (`firmware_interfaces.pelco_d`, `visca`); this file knows none of them. A head
goes on moving until it is told to stop, so it is stopped whenever the port is closed in order, and at each opening: the one
that drove it before may have died. Where nobody commands for `HELD_S`, it is stopped too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

from hardware.device import Delivery, DeviceLost
from hardware.serial_port import SerialPort

ASK_EVERY_S = 0.2
HELD_S = 5.0  # a control loop that is silent for so long has ended


class PanTilt(SerialPort):
    """A serial port with a head behind it. ask: what makes it tell where it points; stop: what stops it."""

    def __init__(
        self,
        path: str,
        baud: int,
        dtr: bool = False,
        rts: bool = False,
        lock_dir: str | None = None,
        ask: Sequence[bytes] = (),
        stop: bytes = b"",
    ) -> None:
        super().__init__(path, baud, dtr, rts, lock_dir)
        self._ask, self._stop = tuple(ask), stop
        self._waiting: tuple[bytes, ...] | None = None
        self._handing_over = threading.Lock()
        self._asked_s = self._commanded_s = 0.0
        self._may_move = False

    def command(self, frames: Sequence[bytes]) -> None:
        """Send these next; what was not sent yet is dropped. From any thread."""
        with self._handing_over:
            self._waiting = tuple(frames)

    def open(self) -> None:
        """Raises DeviceLost."""
        super().open()
        with self._handing_over:
            self._waiting = None  # it is as old as the loss
        self._may_move = False
        self.write(self._stop)

    def read(self, timeout_s: float) -> Delivery | None:
        """What the head says. Raises DeviceLost."""
        now_s = time.monotonic()
        with self._handing_over:
            frames, self._waiting = self._waiting, None
        if frames is not None:
            self.write(b"".join(frames))
            self._commanded_s, self._may_move = now_s, True
        elif self._may_move and now_s - self._commanded_s > HELD_S:
            self.write(self._stop)
            self._may_move = False
        if self._ask and now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            self.write(b"".join(self._ask))
        return super().read(min(timeout_s, ASK_EVERY_S / 4.0))

    def close(self) -> None:
        """Stop the head and let go of the port."""
        with contextlib.suppress(DeviceLost):
            self.write(self._stop)
        super().close()
