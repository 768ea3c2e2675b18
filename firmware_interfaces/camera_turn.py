"""How a camera that should stand still is turned, picture by picture, as its landmarks tell the vision process.

A detector's reading (`yolo.py`) may carry "turn":

    {"is_learned": whether its landmarks are known yet, "landmarks": how many, "agreeing": how many said this turn,
     "right_rad", "up_rad", "roll_rad": against how it hung when they were learned, right side down; null: they do not tell,
     "sigma_rad": [of each], "by_alignment": whether it is against the picture by which the camera was aligned, or null}

    turn at hand ─────────────────────────────▶ Pointing: mounting turned by it, its own sigma
    none now ──▶ the middle of the last minute ─▶ Pointing: sigma is the sway of that minute, growing by the hour
    not learned yet ──▶ nothing: the mounting counts as the site file has it

A vision process that begins anew learns its landmarks anew; until then, and from then on, what the camera was turned by before
is added, as unsure as it was told, unless the new turns are against the picture of the alignment. A camera that is turned for
good is told of, and so are landmarks that are not found, or are not those of that picture.

    turned body axes = level · body(mounting) · R(w)ᵀ       w = (-up, -roll, right)
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from firmware_interfaces.decoder import Rejected
from fusion.frames import body_to_level, orientation_of, turn_about
from fusion.types import FloatArray, Pointing, Sensor

LATE_NS = 60_000_000_000  # what is called the last minute
MOST_LATE = 1200  # turns in it: 20 a second
LEAST_LATE = 20
TURNED_RAD, RIGHTED_RAD = math.radians(0.2), math.radians(0.12)  # more is told; less is no longer
LOST_NS = 30_000_000_000
CREEP_RAD_S = math.radians(0.1) / 3600.0  # of a mount that nobody watches; an assumption, not measured
BEGUN_ANEW_RAD = math.radians(0.1)  # 1-sigma: what may have happened while landmarks were learned anew; an assumption
LARGEST_RAD = math.radians(45.0)
UNALIGNED_RAD = math.radians(5.0)  # no sigma grows beyond it
SIDES = (("right", "left"), ("up", "down"), ("right side down", "left side down"))


class CameraTurn:
    """One camera's memory of its turns."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._mounting = body_to_level(sensor.orientation)
        self._late: deque[tuple[int, FloatArray, FloatArray]] = deque(maxlen=MOST_LATE)  # time, turn, variance
        self._before: FloatArray = np.zeros(3)  # of what was learned before
        self._before_sigma_rad = 0.0
        self._was_learned = self._is_learned = False
        self._told_ns: int | None = None  # when there was a turn last
        self._now_ns = 0
        self._turned_since_ns: int | None = None
        self._is_by_alignment = False  # the last turn was against that picture
        self._is_other = False  # its landmarks are not those of the picture by which it was aligned

    def heard(self, told: Any, time_ns: int) -> Pointing | None:
        """Where the camera points at the time of a picture; None where its landmarks are not known. Raises Rejected."""
        is_learned, turn, sigma = parse(told)
        by_alignment = told.get("by_alignment")
        self._now_ns = max(self._now_ns, time_ns)
        if self._is_learned and not is_learned:  # the process began anew, or its scene has drifted
            unsure_rad = math.hypot(self._before_sigma_rad, self._told_sigma_rad(), BEGUN_ANEW_RAD)
            self._before, self._before_sigma_rad = self._usual(), unsure_rad
            self._late.clear()
        self._is_learned, self._was_learned = is_learned, self._was_learned or is_learned
        if not self._was_learned:
            return None
        if turn is None or sigma is None:
            return self._pointing(time_ns, self._usual(), self._unsure_rad(time_ns))
        self._is_other = by_alignment is False
        if by_alignment is True:  # it says all that has turned it
            self._before, self._before_sigma_rad = np.zeros(3), 0.0
        if by_alignment is True and not self._is_by_alignment:  # turns of before were against another zero
            self._late.clear()
        self._is_by_alignment = by_alignment is True
        turn = turn + self._before
        sigma_rad = math.hypot(float(sigma[:2].max()), self._before_sigma_rad)
        self._told_ns = time_ns
        self._late.append((time_ns, turn, np.square(sigma)))
        while time_ns - self._late[0][0] > LATE_NS:
            self._late.popleft()
        self._judge(time_ns)
        return self._pointing(time_ns, turn, sigma_rad)

    def diagnosis(self) -> str | None:
        """That it is turned for good, or that nobody knows; None when all is well."""
        told = []
        if self._is_other:
            told.append(
                "it does not show what the picture shows by which it was aligned: turned by more than its landmarks tell, "
                "or another season or light; align it anew"
            )
        if self._turned_since_ns is not None:
            since_min = max(1, round((self._now_ns - self._turned_since_ns) / 60e9))
            told.append(
                f"turned by {turn_words(self._usual())} for {since_min} min: its directions are corrected by that; "
                "look at its mount, then align it anew"
            )
        if self._told_ns is not None and self._now_ns - self._told_ns > LOST_NS:
            lost_min = (self._now_ns - self._told_ns) / 60e9
            told.append(
                f"its landmarks have not been found for {lost_min:.0f} min (night, fog, something before the lens, "
                "or turned far away): where it looks is less sure"
            )
        return "; ".join(told) or None

    def _usual(self) -> FloatArray:
        """Of the last minute in which there were turns."""
        if not self._late:
            return self._before
        return np.asarray(np.median(np.stack([turn for _, turn, _ in self._late]), axis=0))

    def _unsure_rad(self, time_ns: int) -> float:
        """1-sigma of a direction while there is no turn to correct it by."""
        sway = float(np.stack([turn[:2] for _, turn, _ in self._late]).std(axis=0).max()) if self._late else 0.0
        since_s = 0.0 if self._told_ns is None else max(0.0, (time_ns - self._told_ns) / 1e9)
        return min(
            UNALIGNED_RAD, math.hypot(sway, self._told_sigma_rad(), self._before_sigma_rad, CREEP_RAD_S * since_s)
        )

    def _told_sigma_rad(self) -> float:
        """1-sigma of the directions of the last minute in which there were turns, as they were told."""
        if not self._late:
            return 0.0
        return float(np.sqrt(np.stack([variance[:2] for _, _, variance in self._late]).mean(axis=0).max()))

    def _judge(self, time_ns: int) -> None:
        """Whether it is turned for good, by the middle of the last minute."""
        if len(self._late) < LEAST_LATE or time_ns - self._late[0][0] < LATE_NS // 2:
            return
        largest = float(np.abs(self._usual()).max())
        if largest < RIGHTED_RAD:
            self._turned_since_ns = None
        elif largest > TURNED_RAD and self._turned_since_ns is None:
            self._turned_since_ns = time_ns - LATE_NS // 2  # a middle has moved when half of them have

    def _pointing(self, time_ns: int, turn: FloatArray, sigma_rad: float) -> Pointing:
        right, up, roll = (float(angle) for angle in turn)
        turned = self._mounting @ turn_about((-up, -roll, right)).T
        return Pointing(self._sensor.sensor_id, time_ns, orientation_of(turned), min(UNALIGNED_RAD, sigma_rad))


def parse(told: Any) -> tuple[bool, FloatArray | None, FloatArray | None]:
    """Whether landmarks are learned; right, up and roll, and their sigmas, rad, shape (3,) each. Raises Rejected."""
    if not isinstance(told, dict) or not isinstance(told.get("is_learned"), bool):
        raise Rejected("field", "turn is no object that says whether landmarks are learned")
    angles = [told.get(name) for name in ("right_rad", "up_rad", "roll_rad")]
    sigmas = told.get("sigma_rad")
    if angles == [None] * 3 and sigmas is None:
        return told["is_learned"], None, None
    if not isinstance(sigmas, list) or len(sigmas) != 3:
        raise Rejected("field", "sigma_rad of a turn is no list of 3")
    for value in (*angles, *sigmas):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_RAD:
            raise Rejected("range", f"an angle of a turn is {str(value)[:20]}, expected a number of at most 45 degrees")
    if min(sigmas) < 0.0:
        raise Rejected("range", "a sigma of a turn is negative")
    return told["is_learned"], np.array(angles, float), np.array(sigmas, float)


def turn_words(turn: FloatArray) -> str:
    """'1.3 degrees right and 0.4 degrees down'."""
    told = [
        f"{abs(math.degrees(angle)):.1f} degrees {ways[angle < 0.0]}"
        for angle, ways in zip(turn.tolist(), SIDES, strict=True)
        if abs(angle) >= RIGHTED_RAD
    ]
    return " and ".join(told) or "less than 0.1 degrees"
