"""The node's clock: what stamps every reading, and a sensor that tells of time itself.

    received_ns = wall clock at the start + monotonic time since

so a wall clock that is stepped while the node runs moves no stamp; the step is told as an event instead. `ClockDriver`
ticks ten times a second with an empty delivery, and delivers a `ClockEvent` when the wall clock steps against monotonic
time, when trust in it is gained or lost, and when the bound of its error has changed by half. Run it under the sensor_id
`fusion.types.CLOCK`.

Trust is the kernel's word: adjtimex(2), which chrony, ntpd and systemd-timesyncd all keep up to date. A clock before 2024
is never trusted: a Jetson without battery boots in 1970.
"""

from __future__ import annotations

import ctypes
import json
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from hardware.device import Delivery

TICK_NS = 100_000_000
STEP_NS = 100_000_000  # chrony slews at most 0.1 s in a second unless told otherwise; above this it is a step
TRUST_EVERY_NS = 1_000_000_000
EARLIEST_TRUSTED_NS = 1_704_067_200_000_000_000  # 2024-01-01T00:00:00Z: no release of this software is older
BOUND_CHANGE = 1.5  # the kernel's bound grows by 0.5 ms a second between two corrections: that alone is no news
LEAST_BOUND_S = 0.001  # below it, nothing here depends on it
BRACKET_NS = 5_000_000  # the wall clock is read between two monotonic reads no further apart than this

STA_UNSYNC = 0x0040  # <sys/timex.h>
TIMEX_BYTES = 208  # struct timex on 64-bit Linux
TIMEX_HEAD = struct.Struct("@Illlli")  # modes, offset, freq, maxerror (us), esterror, status


class Clock:
    """UTC and monotonic time of one moment, never stepping back against each other."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.wall_ns, self.monotonic_ns = wall_ns, monotonic_ns
        self.wall_minus_monotonic_ns = wall_minus_monotonic(wall_ns, monotonic_ns)

    def now(self) -> tuple[int, int]:
        """(received_ns, monotonic_ns): UTC by the wall clock at the start, and monotonic time."""
        monotonic_ns = self.monotonic_ns()
        return monotonic_ns + self.wall_minus_monotonic_ns, monotonic_ns


def wall_minus_monotonic(wall_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> int:
    """How far the wall clock is ahead of monotonic time, ns.

    The wall clock is read between two monotonic reads; the closest pair of up to five counts, so that a process held up
    between two reads does not look like a stepped clock.
    """
    best_ns, best_offset_ns = None, 0
    for _ in range(5):
        before_ns = monotonic_ns()
        wall = wall_ns()
        width_ns = monotonic_ns() - before_ns
        if best_ns is None or width_ns < best_ns:
            best_ns, best_offset_ns = width_ns, wall - before_ns - width_ns // 2
        if width_ns < BRACKET_NS:
            break
    return best_offset_ns


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel says of its clock. error_bound_s: how wrong it may be at most; None where it cannot say."""

    trusted: bool
    text: str
    error_bound_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """What happened to the clock; the data of a reading of sensor `fusion.types.CLOCK`."""

    event: str  # "step", "trusted", "untrusted", "bound"
    text: str
    step_s: float | None = None  # positive = the wall clock jumped ahead
    offset_s: float | None = None  # the wall clock now minus the stamps of this run
    error_bound_s: float | None = None

    def to_json(self) -> bytes:
        """One object without spaces, keys in the order of the fields, those that are None left out."""
        fields = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> ClockEvent:
        """The event of these bytes. Raises ValueError where they are none; fields that are not known are left alone."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"not a clock event: {error}") from error


def kernel_clock_state(wall_ns: Callable[[], int] = time.time_ns) -> ClockState:
    """Whether the system clock is disciplined now: adjtimex(2) without STA_UNSYNC, and a year that can be."""
    now_ns = wall_ns()
    if now_ns < EARLIEST_TRUSTED_NS:
        return ClockState(False, f"the clock says {time.gmtime(now_ns // 1_000_000_000).tm_year}: it was never set")
    status, error_bound_s = _adjtimex()
    if status is None:
        return ClockState(False, "the kernel does not tell whether the clock is disciplined")
    if status & STA_UNSYNC:
        return ClockState(False, "no time service disciplines the clock: start chrony", None)
    return ClockState(True, f"disciplined within {error_bound_s:.3f} s", error_bound_s)


def _adjtimex() -> tuple[int | None, float]:
    """(status bits, largest error in s); status None where the call is not to be had."""
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None, 0.0
    timex = ctypes.create_string_buffer(TIMEX_BYTES)  # modes = 0: read only
    if call(timex) < 0:
        return None, 0.0
    _, _, _, largest_error_us, _, status = TIMEX_HEAD.unpack_from(timex)
    return status, largest_error_us / 1e6


class ClockDriver:
    """The clock as a device: an empty delivery ten times a second, and an event where there is one.

    The first delivery after opening is always the state of trust, so that a recording begins with it.
    """

    def __init__(
        self,
        clock: Clock,
        clock_state: Callable[[], ClockState] = kernel_clock_state,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._clock_state, self._wait = clock, clock_state, wait
        self._offset_ns = clock.wall_minus_monotonic_ns
        self._state: ClockState | None = None
        self._told_bound_s: float | None = None
        self._trust_due_ns = self._tick_due_ns = 0

    def open(self) -> None:
        self._state = None
        self._trust_due_ns = self._tick_due_ns = self._clock.monotonic_ns()

    def read(self, timeout_s: float) -> Delivery | None:
        """The next event or tick; None when none is due within timeout_s."""
        event = self._step() or self._trust()
        if event is not None:
            return Delivery(event.to_json())
        now_ns = self._clock.monotonic_ns()
        wait_s = (self._tick_due_ns - now_ns) / 1e9
        if wait_s > timeout_s:
            self._wait(timeout_s)
            return None
        if wait_s > 0.0:
            self._wait(wait_s)
        # ticks that were missed (a machine that slept) are not made up for
        self._tick_due_ns = max(self._tick_due_ns + TICK_NS, self._clock.monotonic_ns())
        return Delivery(b"")

    def close(self) -> None:
        pass

    def _step(self) -> ClockEvent | None:
        offset_ns = wall_minus_monotonic(self._clock.wall_ns, self._clock.monotonic_ns)
        step_ns, self._offset_ns = offset_ns - self._offset_ns, offset_ns
        if abs(step_ns) <= STEP_NS:
            return None
        step_s, total_s = step_ns / 1e9, (offset_ns - self._clock.wall_minus_monotonic_ns) / 1e9
        text = f"the wall clock stepped by {step_s:+.3f} s; this run's stamps do not follow"
        return ClockEvent("step", text, step_s=round(step_s, 6), offset_s=round(total_s, 6))

    def _trust(self) -> ClockEvent | None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._trust_due_ns:
            return None
        self._trust_due_ns = now_ns + TRUST_EVERY_NS
        before, self._state = self._state, self._clock_state()
        bound_s = self._state.error_bound_s
        if before is not None and before.trusted == self._state.trusted:
            if bound_s is None or self._told_bound_s is None or not is_news(self._told_bound_s, bound_s):
                return None
            event = "bound"
        else:
            event = "trusted" if self._state.trusted else "untrusted"
        self._told_bound_s = bound_s
        return ClockEvent(event, self._state.text, offset_s=self._offset_s() or None, error_bound_s=bound_s)

    def _offset_s(self) -> float:
        return round((self._offset_ns - self._clock.wall_minus_monotonic_ns) / 1e9, 6)


def is_news(told_s: float, bound_s: float) -> bool:
    """Whether a bound differs enough from the one told last."""
    told_s, bound_s = max(told_s, LEAST_BOUND_S), max(bound_s, LEAST_BOUND_S)
    return not told_s / BOUND_CHANGE <= bound_s <= told_s * BOUND_CHANGE


def boot_id() -> str | None:
    """The kernel's name for this boot; None where there is no /proc."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
