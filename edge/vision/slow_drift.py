"""Whether what a camera holds on to stands still over the minutes, or drifts as a whole, too slowly to show beside its sway.

    turns    ─ 60 s ─┬─ 60 s ─┬── 120 s ──┬──── 240 s ────┬─── 300 s ───┬─── 300 s ─── …
    middles    m0        m1        m2            m3              m4            m5
                          └── moves ──┴──────────────┴── three on end, the same way, larger than sway explains: it drifts

A window's middle is the median of its turns, which sway of 1-sigma s leaves unsure by s √(π/2) / √n, with n swings. A knock
moves the middles of two windows at most, a scene that drifts moves one after the other. With a sway of 0.25° a drift of more
than 1.5° an hour is found, without any one of 0.6° an hour, within half an hour. Slower ones are not told from a mount that
gives way: what has crept like that is in the turn and, as large, in its sigma; so is how far the last move may go on while
the next window lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from fusion.types import FloatArray

FIRST_S, LONGEST_S = 60.0, 300.0  # lengths of windows; each is twice as long as the one before
LEAST_LOOKS = 40  # in a window
GAP_S = 60.0  # of seeing nothing: a window begins again
SWAY_S = 2.0  # turns closer together are one swing
DRIFT_RAD, SIGMAS = np.radians(0.05), 2.0  # a move beyond both together is more than sway and the fit's own errors
AT_MOST = 2.0  # limits: a larger move than that is a knock's, as far as sigma goes
LEAST_MOVES = 3  # on end, the same way
AHEAD = 2.0  # windows: a move that goes on for longer has been met

Turns: TypeAlias = Sequence[tuple[float, FloatArray]]  # times, s, and rotation vectors, shape (3,), rad


class SlowDrift:
    """One camera's turns since its zero was found."""

    def __init__(self, learned: Turns) -> None:
        """learned: the turns while the zero was found."""
        self._middle_s, self._middle, self._noise = middle_of(learned)
        self._window: list[tuple[float, FloatArray]] = []
        self._began_s, self._length_s = learned[-1][0], FIRST_S
        self._crept = np.zeros(3)  # in moves that sway explains, one by one
        self._run, self._ran = (
            np.zeros(3),
            np.zeros(3),
        )  # larger moves on end, their count with their sign, and their sum
        self._rate = self._noise * np.sqrt(12.0) / FIRST_S  # rad/s; 1-sigma of a slope through one window

    def see(self, time_s: float, turn: FloatArray) -> bool:
        """The next turn; whether the scene has been found to drift."""
        if time_s - (self._window[-1][0] if self._window else self._began_s) > GAP_S:
            self._window, self._began_s = [], time_s
        self._window.append((time_s, turn))
        if time_s - self._began_s < self._length_s or len(self._window) < LEAST_LOOKS:
            return False
        middle_s, middle, noise = middle_of(self._window)
        sigma, move = np.hypot(noise, self._noise), middle - self._middle
        limit = DRIFT_RAD + SIGMAS * sigma
        is_large, direction = np.abs(move) > limit, np.sign(move)
        goes_on = is_large & (np.sign(self._run) == direction)
        counted = np.clip(move, -AT_MOST * limit, AT_MOST * limit)
        self._crept = self._crept + np.where(is_large, 0.0, move)
        self._run = np.where(is_large, np.where(goes_on, self._run, 0.0) + direction, 0.0)
        self._ran = np.where(is_large, np.where(goes_on, self._ran, 0.0) + counted, 0.0)
        self._rate = (np.abs(counted) + sigma) / (middle_s - self._middle_s)
        self._middle_s, self._middle, self._noise = middle_s, middle, noise
        self._window, self._began_s = [], time_s
        self._length_s = min(2.0 * self._length_s, LONGEST_S)
        return bool((np.abs(self._run) >= LEAST_MOVES).any())

    def sigma(self, time_s: float) -> FloatArray:
        """What of a turn may be the scene's and not the camera's, rad, 1-sigma, shape (3,)."""
        return np.hypot(self._crept + self._ran, self._rate * min(time_s - self._middle_s, AHEAD * self._length_s))


def middle_of(turns: Turns) -> tuple[float, FloatArray, FloatArray]:
    """A window's middle: when, s, where, rad, and how unsure by its sway, rad, shape (3,) each.

    The sway is that of its quarters, the median of four: a knock enters one of them."""
    times_s, values = np.array([time_s for time_s, _ in turns]), np.stack([turn for _, turn in turns])
    sway = np.median([quarter.std(axis=0) for quarter in np.array_split(values, 4)], axis=0)
    swings = min(len(turns), max(1.0, float(times_s[-1] - times_s[0]) / SWAY_S))
    return float(times_s.mean()), np.median(values, axis=0), sway * np.sqrt(np.pi / 2.0 / swings)
