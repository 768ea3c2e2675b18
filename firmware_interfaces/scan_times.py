"""When a radar's frames were made, where one reading may bring several of them.

A port hands over its bytes late and in lumps. The newest frame of a reading is taken for as old as the reading is
(less the sensor's latency); each frame before it is one period older. The period is learned from the readings:

    frame numbers      7   8   9  10        11  12  13
    readings           ──────────── r1 ────────────── r2       period = (r2 - r1) / (13 - 10)
    times                  ·   ·   · |       ·   ·   |         the last one at r, the others one period apart

Times grow strictly: where the frames would reach back behind the scan before them, they share the time since then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate

SHORTEST_PERIOD_NS = 5_000_000  # no radar of ours makes 200 frames a second
LONGEST_PERIOD_NS = 1_000_000_000
LEAST_STEP_NS = 1_000
LEARNED_READINGS = 64
LEARNED_FRAMES = 4  # one reading's delay is a large part of fewer periods
LARGEST_GAP = 1000  # half a minute at 30 Hz; a larger gap, or a step back, is a radar that started anew
SILENCE_NS = 2_000_000_000  # the period is learned anew after it: how many frames it held may not be known
SET_BACK_NS = 10_000_000_000  # of the readings' clock: further back is another run, not a late reading


class ScanTimes:
    """The times of one sensor's scans, strictly growing. Made once a sensor."""

    def __init__(self, latency_ns: int, first_period_ns: int) -> None:
        """`first_period_ns` is the time between frames until it is learned."""
        self._latency_ns, self._period_ns = latency_ns, first_period_ns
        self._number: int | None = None  # the newest frame's, as it stands in the frame
        self._count = 0  # frames made so far, those missed among them
        self._last_ns: int | None = None  # the newest scan's time
        self._heard: deque[tuple[int, int]] = deque(maxlen=LEARNED_READINGS)  # (count, received ns) of readings

    def of(self, numbers: Sequence[int | None], received_ns: int) -> list[int]:
        """Times (ns) of the frames that one reading completed, in their order; None: a frame without number."""
        if not numbers:
            return []
        counts = list(accumulate(map(self._step, numbers), initial=self._count))[1:]
        newest_ns = received_ns - self._latency_ns
        if self._last_ns is not None and newest_ns < self._last_ns - SET_BACK_NS:
            self._last_ns = None
        spacing_ns = self._period_ns
        if self._last_ns is not None:
            fitting_ns = max(newest_ns - self._last_ns, 0) // (counts[-1] - self._count)
            spacing_ns = min(spacing_ns, fitting_ns)
        times_ns = [self._after_the_last(newest_ns - (counts[-1] - count) * spacing_ns) for count in counts]
        self._count = counts[-1]
        self._learn(received_ns)
        return times_ns

    def _step(self, number: int | None) -> int:
        """How many frames after the one before this one was made; subframes of one number are frames of their own."""
        before, self._number = self._number, number
        gap = 1 if number is None or before is None else number - before
        return gap if 1 <= gap <= LARGEST_GAP else 1

    def _after_the_last(self, time_ns: int) -> int:
        if self._last_ns is not None:
            time_ns = max(time_ns, self._last_ns + LEAST_STEP_NS)
        self._last_ns = time_ns
        return time_ns

    def _learn(self, received_ns: int) -> None:
        if self._heard and not 0 <= received_ns - self._heard[-1][1] <= SILENCE_NS:
            self._heard.clear()
        self._heard.append((self._count, received_ns))
        first_count, first_ns = self._heard[0]
        if (made := self._count - first_count) >= LEARNED_FRAMES:
            period_ns = (received_ns - first_ns) // made
            self._period_ns = min(max(period_ns, SHORTEST_PERIOD_NS), LONGEST_PERIOD_NS)
