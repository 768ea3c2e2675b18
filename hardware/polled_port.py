"""A serial port whose device speaks only when asked: Modbus units on an RS-485 line, a spectrum analyser's console.

    every_s ──▶ ask 1 ──▶ answer ──▶ quiet for QUIET_S ──▶ ask 2 ──▶ nothing within answer_s ──▶ ask 1 ...
                  └── goes before the answer in what is delivered ──┘

What is asked are bytes that a protocol made; this file knows none. A question is delivered with the bytes that follow it,
since an answer often cannot be read without it; alone, with the source ASKED, where none follow in time. So a unit that is
asked in vain is seen in what is recorded, and a line on which nobody answers is still as silent as one that is cut.

Only one program may ask on a line: the port is locked, as `serial_port.py` says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import serial

from fusion.types import ASKED
from hardware.device import Delivery
from hardware.serial_port import SerialPort

QUIET_S = 0.05  # an answer is over after it: 48 characters at 9600 baud, and what a USB adapter holds back is 16 ms
PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class PolledPort(SerialPort):
    """Driver `polled_port`. ask: what is sent, in turn; every_s: from one round to the next."""

    def __init__(
        self,
        path: str,
        baud: int,
        ask: Sequence[bytes],
        every_s: float = 1.0,
        answer_s: float = 1.0,
        parity: str = "none",
        dtr: bool = False,
        rts: bool = False,
        lock_dir: str | None = None,
    ) -> None:
        super().__init__(path, baud, dtr, rts, lock_dir)
        self.parity = PARITIES[parity]
        self._ask, self._every_s, self._answer_s = tuple(ask), every_s, answer_s
        self._next = 0  # of `ask`; 0: a round is over
        self._round_s = self._asked_s = self._heard_s = float("-inf")  # monotonic
        self._untold = b""  # the question that was asked last, until it is delivered

    def open(self) -> None:
        """Raises DeviceLost."""
        super().open()
        self._next = 0
        self._round_s = self._asked_s = self._heard_s = float("-inf")
        self._untold = b""

    def read(self, timeout_s: float) -> Delivery | None:
        """Ask where it is time; then what was asked and what is there. Raises DeviceLost."""
        if (wait_s := self._waits_s(time.monotonic())) <= 0.0:
            self._send()
            wait_s = QUIET_S
        delivery = super().read(min(timeout_s, wait_s))
        if delivery is not None:
            self._heard_s = time.monotonic()
            return Delivery(self._taken() + delivery.data)
        was_in_vain = self._untold and time.monotonic() >= self._asked_s + self._answer_s
        return Delivery(self._taken(), source=ASKED) if was_in_vain else None

    def _taken(self) -> bytes:
        """The question that is not delivered yet."""
        untold, self._untold = self._untold, b""
        return untold

    def _waits_s(self, now_s: float) -> float:
        """How long until the next question."""
        was_answered = self._heard_s > self._asked_s
        free_s = self._heard_s + QUIET_S if was_answered else self._asked_s + self._answer_s
        due_s = self._round_s + self._every_s if self._next == 0 else free_s
        return max(free_s, due_s) - now_s

    def _send(self) -> None:
        question = self._ask[self._next]
        self.write(question)
        self._asked_s = time.monotonic()
        if self._next == 0:
            self._round_s = self._asked_s
        self._next = (self._next + 1) % len(self._ask)
        self._untold += question
