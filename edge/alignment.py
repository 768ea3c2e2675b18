"""How a sensor is turned, found from directions to things whose places are known.

Each sight is a direction in the sensor's own axes (and a range, where it measures one) to a point that stood at a known place:
a drone that tells or logs where it is, what a camera's ray and the radar's range fix together, a church tower. Wanted are the
mounting's heading, pitch and roll, for moving points the latency, and for radars the constant error of range:

    predicted = body(heading, pitch, roll)ᵀ · level(place(t - late) - sensor)          residual = measured - predicted

solved by least squares with a soft limit on outliers. What the sights do not show is held by what a person with a compass and
a level achieves (`PRIOR`), so that a radar without elevation does not invent a roll. The covariance is the inverse of JᵀJ,
enlarged where the residuals are larger than the sensor's stated errors explain.

Source: Triggs et al. (2000), Bundle adjustment: a modern synthesis, sections 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from fusion.frames import body_to_level, wrap_angle
from fusion.types import FloatArray, Orientation, Sensor

HEADING, PITCH, ROLL, LATE, RANGE = range(5)
PRIOR = (
    math.pi,
    math.radians(8.0),
    math.radians(3.0),
    0.5,
    10.0,
)  # 1-sigma before anything was seen: rad, rad, rad, s, m
LONGEST_GAP_NS = 3_000_000_000  # between two known places of a moving point
SOFT_LIMIT = 2.0  # residuals beyond so many sigmas pull less
GATES_RAD = (math.radians(15.0), math.radians(6.0), math.radians(3.0))  # how far a sight may be off, round by round
GATES_M = (30.0, 15.0, 8.0)
LEAST_SIGHTS = 3
NEAREST_M = 0.5  # closer, a direction has no meaning
HEADING_BIN_RAD = math.radians(2.0)


class CannotAlign(Exception):
    """The sights do not tell how the sensor is turned; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One direction measured in body axes; elevation and range where they were measured."""

    time_ns: int
    azimuth_rad: float  # from the boresight, to the right
    azimuth_sigma_rad: float
    elevation_rad: float | None = None  # from the sensor's own plane
    elevation_sigma_rad: float | None = None
    slant_range_m: float | None = None
    slant_range_sigma_m: float | None = None

    def without_range(self) -> Sight:
        """The direction alone: against something that does not tell how far it was."""
        return replace(self, slant_range_m=None, slant_range_sigma_m=None)


class Known(Protocol):
    """Where a point was."""

    horizontal_sigma_m: float  # of errors that stay the same all the time
    vertical_sigma_m: float

    def at(self, stamps_ns: npt.NDArray[np.int64], late_s: float, slant_range_m: FloatArray) -> FloatArray:
        """ENU, m, shape (n, 3), so long before each of these times; NaN where that is not known. The ranges are those of
        the pairs, NaN where a path needs none."""


class Path:
    """Where a point was: places in ENU at times, straight between them; one place without a time stands still."""

    def __init__(
        self,
        times_ns: Sequence[int],
        places_enu_m: FloatArray,
        horizontal_sigma_m: float = 0.0,
        vertical_sigma_m: float = 0.0,
    ) -> None:
        """The sigmas are of errors that stay the same all the time, as those of a satellite receiver do."""
        self.horizontal_sigma_m, self.vertical_sigma_m = horizontal_sigma_m, vertical_sigma_m
        order = np.argsort(np.asarray(times_ns), kind="stable")
        self._times_ns = np.asarray(times_ns, np.int64)[order]
        self._places = np.asarray(places_enu_m, float).reshape(-1, 3)[order]

    def at(
        self, stamps_ns: npt.NDArray[np.int64], late_s: float = 0.0, slant_range_m: FloatArray | None = None
    ) -> FloatArray:
        """ENU, m, shape (n, 3), so long before each of these times; NaN outside of what is known, and in gaps."""
        if len(self._times_ns) == 1:
            return np.repeat(self._places, len(stamps_ns), axis=0)
        times_ns = stamps_ns - round(late_s * 1e9)  # whole numbers: a float of so many ns is good for 256 of them
        after = np.searchsorted(self._times_ns, times_ns, side="right")
        inside = (after > 0) & (after < len(self._times_ns))
        after = np.clip(after, 1, len(self._times_ns) - 1)
        first_ns, gap_ns = self._times_ns[after - 1], self._times_ns[after] - self._times_ns[after - 1]
        share = ((times_ns - first_ns) / np.maximum(gap_ns, 1))[:, None]
        places = self._places[after - 1] * (1.0 - share) + self._places[after] * share
        places[~inside | (gap_ns > LONGEST_GAP_NS)] = np.nan
        return np.asarray(places)


@dataclass(frozen=True, slots=True)
class Pair:
    """A sight and the path of what was seen."""

    sight: Sight
    path: Known
    slant_range_m: float | None = None  # from the sensor to the point, where the path tells directions alone


@dataclass(frozen=True, slots=True)
class Alignment:
    """The mounting as found, with 1-sigma errors and what is left over."""

    orientation: Orientation
    sigma_rad: tuple[float, float, float]  # heading, pitch, roll
    latency_ns: int
    latency_sigma_s: float | None  # None: not asked
    slant_range_bias_m: float
    slant_range_bias_sigma_m: float | None
    covariance: FloatArray  # of what was asked, in the order heading, pitch, roll, latency, range
    sights: int
    azimuth_rms_rad: float
    elevation_rms_rad: float | None
    slant_range_rms_m: float | None
    residuals: tuple[tuple[float, float, float | None, float | None], ...]  # s since the first, rad, rad, m
    turned_rad: float  # from the orientation in the site file


class Problem:
    """Sights as arrays, and what a mounting would leave over of them."""

    def __init__(self, sensor: Sensor, pairs: Sequence[Pair]) -> None:
        sights = [pair.sight for pair in pairs]
        self.sensor, self.pairs = sensor, pairs
        self.times_ns = np.array([sight.time_ns for sight in sights], np.int64)
        self.measured = np.array([[s.azimuth_rad, nan(s.elevation_rad), nan(s.slant_range_m)] for s in sights], float)
        sigmas = [
            [s.azimuth_sigma_rad, s.elevation_sigma_rad or s.azimuth_sigma_rad, s.slant_range_sigma_m or 1.0]
            for s in sights
        ]
        self.sigmas = np.array(sigmas, float)
        self._slant_range_m = np.array([nan(pair.slant_range_m) for pair in pairs])
        self._of_path: dict[int, list[int]] = {}
        for number, pair in enumerate(pairs):
            self._of_path.setdefault(id(pair.path), []).append(number)
        self._to_level = np.array(sensor.level_to_enu, float).reshape(3, 3)

    def offsets(self, late_s: float) -> FloatArray:
        """From the sensor to what it saw, level frame, m, shape (n, 3); NaN where that is not known."""
        places = np.empty((len(self.pairs), 3))
        for numbers in self._of_path.values():
            path = self.pairs[numbers[0]].path
            places[numbers] = path.at(self.times_ns[numbers], late_s, self._slant_range_m[numbers])
        return np.asarray((places - np.array(self.sensor.position_enu_m)) @ self._to_level)

    def residual(self, values: FloatArray) -> FloatArray:
        """Measured minus predicted, shape (n, 3): azimuth as an angle in space, elevation, range; NaN: not measured."""
        turned = Orientation(float(values[HEADING]), float(values[PITCH]), float(values[ROLL]))
        body = self.offsets(float(values[LATE])) @ body_to_level(turned)
        slant_range_m = np.maximum(np.linalg.norm(body, axis=1), NEAREST_M)
        elevation = np.arcsin(np.clip(body[:, 2] / slant_range_m, -1.0, 1.0))
        azimuth_left = wrap_angle(self.measured[:, 0] - np.arctan2(body[:, 0], body[:, 1])) * np.cos(elevation)
        range_left = self.measured[:, 2] - values[RANGE] - slant_range_m
        return np.stack([azimuth_left, self.measured[:, 1] - elevation, range_left], axis=1)

    def in_sigmas(self, values: FloatArray, start: FloatArray, asked: Sequence[int]) -> FloatArray:
        """All residuals, those not known as 0, and the priors last."""
        left = np.nan_to_num(self.residual(values) / self.sigmas).ravel()
        return np.concatenate([left, [(values[i] - start[i]) / PRIOR[i] for i in asked]])

    def jacobian(self, values: FloatArray, start: FloatArray, asked: Sequence[int]) -> FloatArray:
        """By central differences, wide enough for times that are counted in nanoseconds."""
        columns = []
        for parameter in asked:
            step = np.zeros(5)
            step[parameter] = 1e-4 if parameter < LATE else 1e-2
            ahead, behind = (self.in_sigmas(values + sign * step, start, asked) for sign in (1.0, -1.0))
            columns.append((ahead - behind) / (2.0 * step[parameter]))
        return np.stack(columns, axis=1)

    def near(self, values: FloatArray, gate_rad: float, gate_m: float) -> list[Pair]:
        """The sights that a mounting explains so far."""
        left = self.residual(values)
        angles_fit = (np.nan_to_num(np.abs(left[:, :2])) < gate_rad).all(axis=1) & np.isfinite(left[:, 0])
        fits = angles_fit & (np.nan_to_num(np.abs(left[:, 2])) < gate_m)
        return [pair for pair, is_near in zip(self.pairs, fits, strict=True) if is_near]


def nan(value: float | None) -> float:
    return math.nan if value is None else value


def align(sensor: Sensor, pairs: Sequence[Pair], moving: bool) -> Alignment:
    """The sensor's mounting from its sights; moving: latency is asked for, too. Raises CannotAlign."""
    least = LEAST_SIGHTS if moving else 2
    if len(pairs) < least:
        raise CannotAlign(f"{len(pairs)} sights of known points; expected at least {least}")
    has_range = any(pair.sight.slant_range_m is not None for pair in pairs)
    asked = [HEADING, PITCH, ROLL, *([LATE] if moving else []), *([RANGE] if has_range else [])]
    turn = sensor.orientation
    start = np.array([turn.heading_rad, turn.pitch_rad, turn.roll_rad, 0.0, 0.0])
    whole = Problem(sensor, pairs)
    start[HEADING] += rough_heading(whole, start)
    values, problem = start, whole
    for gate_rad, gate_m in zip(GATES_RAD, GATES_M, strict=True):
        near = whole.near(values, gate_rad, gate_m)
        if len(near) < least:
            break
        problem = Problem(sensor, near)
        values = solve(problem, values, start, asked)
    return outcome(problem, values, start, asked)


def rough_heading(problem: Problem, start: FloatArray) -> float:
    """The turn about which most sights agree: a compass may be far off, and some sights are of something else."""
    left = problem.residual(start)
    turns = -left[np.isfinite(left[:, 0]) & (np.nan_to_num(np.abs(left[:, 2])) < GATES_M[0]), 0]
    if not len(turns):
        raise CannotAlign("no known point was where the sensor looked; do the times and the place agree?")
    agreeing = np.abs(wrap_angle(turns[:, None] - turns[None, :])) < HEADING_BIN_RAD
    middle = turns[agreeing[int(agreeing.sum(axis=1).argmax())]]
    return float(math.atan2(np.sin(middle).mean(), np.cos(middle).mean()))


def solve(problem: Problem, values: FloatArray, start: FloatArray, asked: Sequence[int]) -> FloatArray:
    def full(chosen: FloatArray) -> FloatArray:
        whole = values.copy()
        whole[list(asked)] = chosen
        return whole

    found = least_squares(
        lambda chosen: problem.in_sigmas(full(chosen), start, asked),
        values[list(asked)],
        jac=lambda chosen: problem.jacobian(full(chosen), start, asked),
        loss="soft_l1",
        f_scale=SOFT_LIMIT,
        x_scale="jac",
        max_nfev=60,
    )
    return full(found.x)


def outcome(problem: Problem, values: FloatArray, start: FloatArray, asked: Sequence[int]) -> Alignment:
    sensor, left = problem.sensor, problem.residual(values)
    if int(np.isfinite(left[:, 0]).sum()) < 2:
        raise CannotAlign("fewer than 2 sights fit together")
    covariance = covariance_of(problem, values, start, asked)
    sigmas = dict(zip(asked, np.sqrt(np.diag(covariance)), strict=True))
    turned = Orientation(float(wrap_angle(values[HEADING])), float(values[PITCH]), float(values[ROLL]))
    change = body_to_level(sensor.orientation).T @ body_to_level(turned)
    seconds = (problem.times_ns - problem.times_ns.min()) / 1e9
    azimuth_rms_rad = rms(left[:, 0])
    assert azimuth_rms_rad is not None
    return Alignment(
        turned,
        (float(sigmas[HEADING]), float(sigmas[PITCH]), float(sigmas[ROLL])),
        max(0, sensor.latency_ns + round(float(values[LATE]) * 1e9)),
        float(sigmas[LATE]) if LATE in asked else None,
        sensor.slant_range_bias_m + float(values[RANGE]),
        float(sigmas[RANGE]) if RANGE in asked else None,
        covariance,
        int(np.isfinite(left[:, 0]).sum()),
        azimuth_rms_rad,
        rms(left[:, 1]),
        rms(left[:, 2]),
        tuple(
            (float(second), float(row[0]), *(float(value) if math.isfinite(value) else None for value in row[1:]))
            for second, row in zip(seconds, left, strict=True)
            if math.isfinite(row[0])
        ),
        math.acos(max(-1.0, min(1.0, (float(np.trace(change)) - 1.0) / 2.0))),
    )


def covariance_of(problem: Problem, values: FloatArray, start: FloatArray, asked: Sequence[int]) -> FloatArray:
    """Inverse of JᵀJ, times the reduced chi-square where that is above one, and what the reference's own error adds."""
    base = problem.in_sigmas(values, start, asked)
    slopes = problem.jacobian(values, start, asked)
    freedom = max(1, int(np.count_nonzero(base)) - 2 * len(asked))
    scale = max(1.0, float(np.square(base[: -len(asked)]).sum()) / freedom)
    covariance = np.asarray(np.linalg.inv(slopes.T @ slopes) * scale)
    return covariance + reference_covariance(problem, values, asked)


def reference_covariance(problem: Problem, values: FloatArray, asked: Sequence[int]) -> FloatArray:
    """What a constant error of the reference's own place makes of the mounting: no number of sights averages it away."""
    away_m = max(rms(np.linalg.norm(problem.offsets(float(values[LATE])), axis=1)) or 1.0, 1.0)
    horizontal_m = max(pair.path.horizontal_sigma_m for pair in problem.pairs)
    vertical_m = max(pair.path.vertical_sigma_m for pair in problem.pairs)
    added = {HEADING: horizontal_m / away_m, PITCH: vertical_m / away_m, RANGE: horizontal_m}
    return np.diag([added.get(parameter, 0.0) ** 2 for parameter in asked])


def rms(values: FloatArray) -> float | None:
    """Of what is known; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(np.square(known)))) if len(known) else None
