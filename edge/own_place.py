"""The post's own receiver held against what is known better: the surveyed place, and the clock.

A receiver can be jammed, and can be made to believe that it is elsewhere or at another time. It never moves the post; it
only says that something is wrong:

    fix ──▶ median of the last minute ──▶ farther from the survey than it may be     spoofed, or the survey is wrong
    receiver's time - our clock ──▶ median ──▶ more than a second or two             one of the two is wrong
    the receiver's own flags                                                         jammed, spoofed

The median lets single wild fixes pass. A receiver under a mast drifts some metres in an hour; `DRIFT_M` leaves room for that
and for an antenna that does not stand where the survey was made.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

from fusion.frames import LocalFrame
from fusion.types import OwnPosition

KEPT = 60  # fixes: a minute of most receivers
LEAST_FIXES = 5
SIGMAS = 3.0
DRIFT_M = 25.0
TIME_OFF_S = 1.5  # a sentence may be a second old when it comes


class OwnPlace:
    """What one receiver says of place and time, against what is known. Pure."""

    def __init__(self, frame: LocalFrame, surveyed_enu_m: tuple[float, float, float], survey_sigma_m: float) -> None:
        self._frame, self._surveyed, self._survey_sigma_m = frame, surveyed_enu_m, survey_sigma_m
        self._distances_m: deque[float] = deque(maxlen=KEPT)
        self._sigmas_m: deque[float] = deque(maxlen=KEPT)
        self._times_off_s: deque[float] = deque(maxlen=KEPT)
        self._last: OwnPosition | None = None

    def heard(self, fact: OwnPosition, received_ns: int) -> None:
        """Take in what the receiver says; received_ns by the node's stamps."""
        self._last = fact
        if (distance_m := self.distance_m(fact)) is not None:
            self._distances_m.append(distance_m)
            self._sigmas_m.append(fact.horizontal_sigma_m or 0.0)
        if fact.utc_ns is not None:
            self._times_off_s.append((fact.utc_ns - received_ns) / 1e9)

    def distance_m(self, fact: OwnPosition) -> float | None:
        """Of a fix from the surveyed place, over ground."""
        if fact.position is None:
            return None
        east_m, north_m, _ = self._frame.geodetic_to_enu(fact.position)
        return math.hypot(east_m - self._surveyed[0], north_m - self._surveyed[1])

    def time_off_s(self) -> float | None:
        """The receiver's time minus our stamps; None until it has told often enough."""
        return None if len(self._times_off_s) < LEAST_FIXES else statistics.median(self._times_off_s)

    def complaint(self, clock_trusted: bool) -> str | None:
        """What is wrong, and what to do; None when nothing."""
        if self._last is not None and self._last.spoofed:
            return "the receiver reports spoofing: do not believe its place or time; the surveyed position is used"
        if self._last is not None and self._last.jammed:
            return "the receiver reports jamming: expect no satellite time; drones near by may have lost theirs too"
        if len(self._distances_m) >= LEAST_FIXES:
            away_m, sigma_m = statistics.median(self._distances_m), statistics.median(self._sigmas_m)
            limit_m = DRIFT_M + SIGMAS * math.hypot(sigma_m, self._survey_sigma_m)
            if away_m > limit_m:
                return (
                    f"it is {away_m:.0f} m from the surveyed place, more than {limit_m:.0f} m: spoofed, or the site "
                    "file's position is wrong; the surveyed position is used"
                )
        off_s = self.time_off_s()
        if clock_trusted and off_s is not None and abs(off_s) > TIME_OFF_S:
            return f"its time is {off_s:+.1f} s from the clock, which other sources keep: one of them is wrong"
        return None
