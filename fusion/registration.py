"""What each sensor is off by: azimuth, elevation and slant range, estimated from the objects that several sensors see.

Every track carries how far it leans on each bias, G (6, b), beside its state; one filter of all biases, b, takes the
innovations of all tracks:

    x̂ = x + G b + error             predicted: G → F G      updated with gain K: G → G + K A
    y = z - h(x̂) = A b + noise      A = D - H G             D: the components of the sensor that measured

A track that one sensor alone has made leans on it so that A = 0 while its object flies straight: it teaches nothing, and what
a turn seems to teach is left out (`compared`). Positions that an object reports, and
sensors of positions, have no bias here and are what the others are measured against. A bias is applied once it is observable
(known to `OBSERVABLE` of what was assumed before) and significant: it is taken off the sensor's measurements and, by G, off
the tracks; what is left unknown of it widens what is told of the tracks. Before that, nothing is moved.

Mountings are knocked and masts lean: evidence fades towards the prior, by `FADE` for each scan that teaches of a bias, and by
`FADE_WHEN_MOVED` while the last scans' innovations, taken together, lie `MOVED` sigmas beside what is known:

    Λ → √f Λ √f + (1 - f) prior⁻²       f: of each bias; x̂ stays, its covariance grows

Sources: Friedland, Treatment of bias in recursive filtering (1969), for many states that share one bias; Bar-Shalom, Li,
Kirubarajan (2001), 1.4 and 11.3, for fading memory and for detecting a change by the innovations of a sliding window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fusion.existence import BoolArray
from fusion.filters import squared_distance
from fusion.measurement import AZIMUTH, ELEVATION, SLANT_RANGE, IntArray, Plots
from fusion.types import FloatArray, Sensor

KINDS = (AZIMUTH, ELEVATION, SLANT_RANGE)
PRIOR = (0.0175, 0.0175, 20.0)  # 1 sigma before any is seen: 1°, 1°, 20 m
OBSERVABLE = 0.25  # sigma over the prior's
SIGNIFICANT = 3.0  # sigmas
SLACK = 2.0  # on the innovations' covariance: they hang together where an object manoeuvres
FADE = 0.998  # the last 500 scans that teach: minutes of a radar
FADE_WHEN_MOVED = 0.9  # what was known is gone within some tens of scans
MOVED = 3.0  # sigmas; by SLACK and the fading window rather six
WINDOW = 0.99  # weight of the scan before: the last 100
LEAST_HITS, LEAST_EXISTENCE = 5, 0.9  # of a track that may teach
KIND_NAMES = {AZIMUTH: "azimuth", ELEVATION: "elevation", SLANT_RANGE: "slant range"}
BACK = 1.0  # of the prior's sigma: what is left of a jump that was undone
COMPARED_NS = 2_000_000_000  # so lately must another sensor have seen it
CROSSING_SINE = 0.1  # lines of sight that cross more flatly tell nothing of a range
LARGEST_SQUARE = 4.0  # normalised innovation squared per component: beyond, it may be another's detection


Learned: TypeAlias = Callable[  # `learn`
    [FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], None
]
Compared: TypeAlias = Callable[  # `compared`
    [int, IntArray, FloatArray, int, IntArray, BoolArray, FloatArray, BoolArray], BoolArray
]


@dataclass(frozen=True, slots=True)
class Bias:
    """What a sensor is known to be off by."""

    sensor_id: str
    azimuth_rad: float
    azimuth_sigma_rad: float
    elevation_rad: float
    elevation_sigma_rad: float
    slant_range_m: float
    slant_range_sigma_m: float
    is_applied: bool


@dataclass(frozen=True, slots=True)
class Jump:
    """A sensor that is off since a moment by more than it was; see `jumps.py`."""

    sensor_id: str
    component: str  # "azimuth", "elevation" (rad), "slant range" (m)
    size: float  # of all jumps together
    since_ns: int


class Registration:
    """The biases of all sensors; column k of G and D belongs to `places[k]`. `copy` belongs to a snapshot."""

    def __init__(self, sensors: Sequence[Sensor]) -> None:
        self._sensors = tuple(sensors)
        self.places = tuple(
            (number, kind)
            for number, sensor in enumerate(sensors)
            for kind in KINDS
            if sensor.accuracy.azimuth_rad is not None and _measures(sensor, kind)
        )
        self._stand_m = np.array([sensor.position_enu_m for sensor in sensors], float).reshape(-1, 3)
        self._ranging = np.array([sensor.accuracy.slant_range_m is not None for sensor in sensors], dtype=bool)
        self._of = np.array([number for number, _ in self.places], dtype=np.int64)
        self._of_range = np.array([kind == SLANT_RANGE for _, kind in self.places], dtype=bool)
        self._selections: dict[tuple[int, tuple[int, ...]], FloatArray] = {}
        self._prior = np.array([PRIOR[KINDS.index(kind)] for _, kind in self.places])
        self._information: FloatArray = np.diag(self._prior**-2.0)
        self._pull: FloatArray = np.zeros(len(self.places))
        self._recent: FloatArray = np.zeros((2, len(self.places)))  # the last scans' pull, and its weight
        self._jumps: dict[int, tuple[int, float]] = {}  # column -> since when, by how much in all
        self._doubts: dict[int, int] = {}  # column -> scans in a row that spoke against its jump
        self.applied: FloatArray = np.zeros(len(self.places))  # taken off the measurements
        self._covariance: FloatArray = np.diag(self._prior**2)
        self._may_be_due = False  # since something was learned

    def copy(self) -> Registration:
        """An independent copy."""
        other = Registration.__new__(Registration)
        other._sensors, other.places, other._prior = self._sensors, self.places, self._prior
        other._stand_m, other._ranging = self._stand_m, self._ranging
        other._of, other._of_range = self._of, self._of_range
        other._selections, other._may_be_due = self._selections, self._may_be_due
        other._information, other._pull = self._information.copy(), self._pull.copy()
        other._recent, other._jumps, other._doubts = self._recent.copy(), self._jumps, self._doubts
        other.applied, other._covariance = self.applied.copy(), self._covariance.copy()
        return other

    def selection(self, number: int, components: tuple[int, ...]) -> FloatArray:
        """D (d, b): which bias enters which component of this sensor's measurements."""
        if (number, components) not in self._selections:
            D = np.zeros((len(components), len(self.places)))
            for column, (of, kind) in enumerate(self.places):
                if of == number and kind in components:
                    D[components.index(kind), column] = 1.0
            self._selections[number, components] = D
        return self._selections[number, components]

    def corrected(self, number: int, plots: Plots) -> Plots:
        """These plots with the applied bias taken off."""
        if not self.applied.any():
            return plots
        shift = self.selection(number, plots.components) @ self.applied
        return Plots(plots.components, plots.z - shift, plots.R, plots.index) if shift.any() else plots

    def compared(
        self, number: int, seen_ns: IntArray, position_m: FloatArray, time_ns: int, found_by: Compared | None = None
    ) -> BoolArray:
        """Which biases (n, b) this sensor's measurements of n tracks can tell of, as `compared` finds."""
        return (found_by or compared)(
            number, seen_ns, position_m, time_ns, self._of, self._of_range, self._stand_m, self._ranging
        )

    def witnesses(self, number: int, kind: int, position_m: FloatArray) -> BoolArray:
        """Which sensors (n, sensors) can tell of this one's bias by what they see at ENU positions (n, 3)."""
        if kind == SLANT_RANGE:
            return _cross(number, position_m, self._stand_m, self._ranging)
        can = np.ones((len(position_m), len(self._sensors)), dtype=bool)
        can[:, number] = False
        return can

    def learn(self, y: FloatArray, S: FloatArray, A: FloatArray, learned: Learned | None = None) -> None:
        """Innovations (k, d) with covariance S (k, d, d) and what they say of the biases, A (k, d, b)."""
        known = self._information, self._pull, self._covariance, self._prior, self._recent
        (learned or learn)(y, S, A, *known)
        self._may_be_due = True

    def release(self) -> FloatArray | None:
        """The biases (b,) that are due to be applied now, moved from the estimate to `applied`; None where none is."""
        if not self._may_be_due:
            return None
        self._may_be_due = False
        mean, sigma = self._mean(), self._sigma()
        due = (sigma < OBSERVABLE * self._prior) & (np.abs(mean) > SIGNIFICANT * sigma)
        if not due.any():
            return None
        moved = np.where(due, mean, 0.0)
        self.applied = self.applied + moved
        self._pull = self._information @ (mean - moved)
        return moved

    def jump(self, number: int, kind: int, size: float, since_ns: int) -> None:
        """This sensor is off by so much more since then; what was known of that bias before says nothing of it now."""
        column = self.places.index((number, kind))
        mean = self._mean()
        self._information[column, :] = self._information[:, column] = 0.0
        self._information[column, column] = self._prior[column] ** -2.0
        mean[column] = 0.0
        self._pull = self._information @ mean
        self._may_be_due = True
        self._recent[:, column] = 0.0
        self._covariance = np.asarray(np.linalg.inv(self._information), float)
        self.applied = self.applied.copy()
        self.applied[column] += size
        total = size + self._jumps.get(column, (0, 0.0))[1]
        is_back = abs(total) < BACK * self._prior[column]
        self._jumps = {k: jump for k, jump in self._jumps.items() if k != column}
        self._doubts = {k: doubts for k, doubts in self._doubts.items() if k != column}
        if not is_back:
            self._jumps[column] = (since_ns, total)

    def jumped(self, number: int) -> list[tuple[int, float]]:
        """Component and size of this sensor's jumps."""
        columns = [column for column in sorted(self._jumps) if self.places[column][0] == number]
        return [(self.places[column][1], self._jumps[column][1]) for column in columns]

    def doubt(self, number: int, kind: int, speaks_against: bool) -> int:
        """A scan speaks against this jump, or for it; how many in a row have spoken against it."""
        column = self.places.index((number, kind))
        self._doubts = {**self._doubts, column: self._doubts.get(column, 0) + 1 if speaks_against else 0}
        return self._doubts[column]

    def jumps(self) -> tuple[Jump, ...]:
        """What jumped and has not come back."""
        return tuple(
            Jump(self._sensors[self.places[column][0]].sensor_id, KIND_NAMES[self.places[column][1]], size, since_ns)
            for column, (since_ns, size) in sorted(self._jumps.items())
        )

    def told_covariance(self, G: FloatArray) -> FloatArray:
        """What is left unknown of the applied biases, on tracks with these G (n, 6, b), shape (n, 6, 6)."""
        unknown = self.unknown()
        return np.zeros((len(G), 6, 6)) if unknown is None else np.asarray(G @ unknown @ G.transpose(0, 2, 1))

    def unknown(self) -> FloatArray | None:
        """Covariance (b, b) of the biases that are applied; None where none is."""
        if not self.applied.any():
            return None
        return np.asarray(self._covariance * np.outer(self.applied != 0.0, self.applied != 0.0))

    def biases(self) -> tuple[Bias, ...]:
        """What is known of every sensor that measures an angle."""
        value, sigma = self.applied + self._mean(), self._sigma()
        found: list[Bias] = []
        for number, sensor in enumerate(self._sensors):
            numbers = {kind: column for column, (of, kind) in enumerate(self.places) if of == number}
            if not numbers:
                continue
            given = [
                (float(value[numbers[kind]]), float(sigma[numbers[kind]])) if kind in numbers else (0.0, 0.0)
                for kind in KINDS
            ]
            is_applied = any(self.applied[column] != 0.0 for column in numbers.values())
            found.append(Bias(sensor.sensor_id, *given[0], *given[1], *given[2], is_applied))
        return tuple(found)

    def _mean(self) -> FloatArray:
        return np.asarray(self._covariance @ self._pull)

    def _sigma(self) -> FloatArray:
        return np.asarray(np.sqrt(np.diagonal(self._covariance)))


def compared(
    number: int,
    seen_ns: IntArray,
    position_m: FloatArray,
    time_ns: int,
    of: IntArray,
    of_range: BoolArray,
    stand_m: FloatArray,
    ranging: BoolArray,
) -> BoolArray:
    """Which biases (n, b) a sensor's measurements of n tracks can tell of: another sensor has seen those just now.

    seen_ns: when each sensor saw each track last, shape (n, sensors); position_m: ENU, shape (n, 3); of each bias, whose it is
    and whether of range; of each sensor, where it stands and whether it measures ranges. A range is borne out by another
    range, or by a line of sight that crosses. Without either only the motion model would tell, and a turn that it does not
    know looks like a bias of range.
    """
    lately = seen_ns > time_ns - COMPARED_NS
    lately[:, number] = True
    found = np.asarray(lately.sum(axis=1, keepdims=True) > lately[:, of])  # by another than its own
    for column in of_range.nonzero()[0].tolist():
        found[:, column] = (lately & _cross(int(of[column]), position_m, stand_m, ranging)).any(axis=1)
    return found


def _cross(number: int, position_m: FloatArray, stand_m: FloatArray, ranging: BoolArray) -> BoolArray:
    """Which sensors (n, sensors) bear out the range at which this one sees ENU positions (n, 3)."""
    lines = position_m[:, None, :] - stand_m
    square, own = (lines**2).sum(axis=2), lines[:, number : number + 1]
    along, own_square = (lines * own).sum(axis=2), square[:, number : number + 1]
    across = square * own_square - along**2  # of the cross product
    can = ranging | (across > CROSSING_SINE**2 * np.maximum(square, 1.0) * np.maximum(own_square, 1.0))
    can[:, number] = False
    return np.asarray(can)


def learn(
    y: FloatArray,
    S: FloatArray,
    A: FloatArray,
    information: FloatArray,
    pull: FloatArray,
    covariance: FloatArray,
    prior: FloatArray,
    recent: FloatArray,
) -> None:
    """Work innovations into what is known of the biases, in place: Λ (b, b), Λ x̂ (b,), Λ⁻¹, and the last scans (2, b)."""
    mean = covariance @ pull
    left = y - A @ mean
    square, _ = squared_distance(left, S + A @ covariance @ A.transpose(0, 2, 1))
    usable = square < LARGEST_SQUARE * y.shape[1]
    weighed = np.asarray(np.linalg.solve(S * SLACK, A), float)
    weight = (A * weighed).sum(axis=(0, 1))
    recent *= WINDOW
    recent += (weighed * left[:, :, None]).sum(axis=(0, 1)), weight
    has_moved = recent[0] ** 2 > MOVED**2 * (recent[1] + recent[1] ** 2 * np.diagonal(covariance))
    taught = np.minimum(weight * prior**2, 1.0)  # the past is trusted less, by as much as these innovations teach
    fade = 1.0 - taught * np.where(has_moved, 1.0 - FADE_WHEN_MOVED, 1.0 - FADE)
    root = np.sqrt(fade)
    information *= np.outer(root, root)
    information += np.diag((1.0 - fade) * prior**-2.0)
    pull[:] = information @ mean
    A, weighed = A[usable].reshape(-1, len(prior)), weighed[usable].reshape(-1, len(prior))  # a row a component
    information += A.T @ weighed
    pull += weighed.T @ y[usable].reshape(-1)
    covariance[:] = np.linalg.inv(information)


def leaned(
    leaning: FloatArray, P: FloatArray, H: FloatArray, S: FloatArray, D: FloatArray, share: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """G (n, 6, b) after updates of gain share K, and A (n, d, b), of tracks with G `leaning` and covariances P before them."""
    A = D - H @ leaning
    K = np.linalg.solve(S, H @ P).transpose(0, 2, 1)
    return leaning + share[:, None, None] * (K @ A), A


def _measures(sensor: Sensor, kind: int) -> bool:
    accuracy = sensor.accuracy
    given = {
        AZIMUTH: accuracy.azimuth_rad,
        ELEVATION: accuracy.elevation_rad,
        SLANT_RANGE: accuracy.slant_range_m,
    }
    return given[kind] is not None


def may_teach(existence: FloatArray, hits: IntArray) -> BoolArray:
    """Which tracks are sure enough to compare sensors by."""
    return np.asarray((existence >= LEAST_EXISTENCE) & (hits >= LEAST_HITS))
