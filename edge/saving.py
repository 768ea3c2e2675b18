"""Thermal and low-power modes: what a box that is too hot, or runs out of battery, goes on with.

    cool, on mains     everything                       hot: above 85 °C until below 78 °C
    saving             vision on one core, at the       low: on battery below 30 % until above 40 %
                       lowest priority

Radars, receivers and tracks cost little and go on unchanged. Vision costs most; on one core, behind everybody else, it looks
at fewer pictures, and what it did not look at is on record as always. A kernel that is hot throttles all alike, so this must
begin before it does: most boards do so at 85 to 97 °C.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

HOT_C, COOL_C = 85.0, 78.0
LOW, RECOVERED = 0.30, 0.40  # share of the battery's charge
IDLE_NICE = 19

log = logging.getLogger("sarhad.edge")


@dataclass(slots=True)
class Saving:
    """Which mode the box is in."""

    is_hot: bool = False
    is_low: bool = False
    _slowed: frozenset[int] = frozenset()

    def judge(self, temperature_c: float | None, on_battery: bool | None, battery: float | None) -> str | None:
        """Take in how the box is now; what to tell of it, None when all is well. Each limit has its own way back."""
        if temperature_c is not None:
            self.is_hot = temperature_c > (COOL_C if self.is_hot else HOT_C)
        if battery is not None:
            self.is_low = bool(on_battery) and battery < (RECOVERED if self.is_low else LOW)
        reasons = []
        if self.is_hot and temperature_c is not None:
            reasons.append(f"the box is hot, {temperature_c:.0f} °C: shade and air")
        if self.is_low and battery is not None:
            reasons.append(f"on battery, {battery:.0%} left: bring power")
        return f"{', '.join(reasons)}; vision is slowed" if reasons else None

    def apply(self, process_ids: Iterable[int]) -> None:
        """Slow these processes down, or let them go again; new ones are taken in when they come."""
        wanted = frozenset(process_ids) if self.is_hot or self.is_low else frozenset()
        for process_id in wanted - self._slowed:
            with contextlib.suppress(psutil.Error, OSError):
                slow_down(psutil.Process(process_id))
        for process_id in self._slowed - wanted:
            with contextlib.suppress(psutil.Error, OSError):
                psutil.Process(process_id).cpu_affinity(sorted(os.sched_getaffinity(0)))
        self._slowed = wanted


def slow_down(process: psutil.Process) -> None:
    """One core and the last place in the queue. Its priority stays low for good: raising it needs rights."""
    process.cpu_affinity(sorted(os.sched_getaffinity(0))[-1:])
    process.nice(IDLE_NICE)
