"""How much each sensor really errs, learned from tracks that other sensors hold too, beside what its site file declares.

    y = z - h(x̂)        E[y²] = H P Hᵀ + R + δ + Σ gₖ sₖ δₖ       gₖ = |H Gₖ|: how far the track leans on each other sensor
                                                              (registration.py), sₖ on all of its kind: they may err alike

A mast that sways, a lens out of focus, a sensor worse than its data sheet: innovations are larger than declared, again and
again. The excess variances δ ≥ 0 of all sensors' azimuths, elevations and ranges are estimated from all innovations together,
by weighted least squares: where one sensor leads a track astray, that one is blamed, not the one that shows it.
δ is added to the noise of a sensor's measurements, and shrinks again as its innovations do.

A sensor of which no other sees the same is left alone; so is one that shows too few of the objects where it looks (what it
shows may be false alarms), what chance explains, and what a motion model or a site file's word cannot be held to (`SLACK`):
for most sensors δ is 0. A steady difference is a bias (`registration.py`); until that is known it may count here for a while.
What all sensors err by alike, nobody sees; and where what others err by may explain most of it, nobody is named.

Sources: Mehra, On the identification of variances and adaptive Kalman filtering (1970), for noise from innovations; Lawson,
Hanson, Solving least squares problems (1974), 23, for the signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.optimize import nnls

from fusion.existence import BoolArray
from fusion.measurement import AZIMUTH, ELEVATION, SLANT_RANGE, IntArray, Plots
from fusion.types import FloatArray, Sensor

KIND_NAMES = {AZIMUTH: "azimuth", ELEVATION: "elevation", SLANT_RANGE: "slant range"}
UNIT = {AZIMUTH: 0.0175, ELEVATION: 0.0175, SLANT_RANGE: 20.0}  # 1°, 1°, 20 m: of which an excess is told
LESSON_NS = 190_000_000  # looks that are closer hang together, and teach little more
CALM_LESSON_NS = 950_000_000  # while all is as declared
DOUBT = 1.5  # sigmas, from which every lesson is taken
FADE = 0.99  # of the evidence, a lesson: some 20 s in doubt
STEADY = 100.0  # lessons that a mean innovation is of
LEAST = 10.0  # lessons from which a sensor may be doubted
SURE = 4.0  # sigmas of the innovations' mean square
SLACK = 1.5  # of what is foretold: turns, neighbours, and a site file's word make up for that
CLIPPED = 9.0  # squared innovation over what is believed: beyond, it may be another object's
TOLD = 2.0  # sigma over the declared one, from which it is told of
BORNE_OUT = 3.0  # sigmas of an excess, from which it is told of,
MOSTLY_OWN = 2.0  # if it is so much more than what others' would explain of the same innovations
RIDGE = 1e-3  # on the equations: what two may both be held for, each is for half
LEAST_SHARE = 0.3  # of the objects where a sensor looks, of which it must show something
SHARE_OF = 50.0  # looks at objects that this share is of
LARGEST = 5.0  # units: who errs by more is of no use, and what errs so may be anything
Learned: TypeAlias = Callable[..., None]  # `learn`


@dataclass(frozen=True, slots=True)
class Noise:
    """A sensor that errs by more than it declares."""

    sensor_id: str
    component: str  # "azimuth", "elevation" (rad), "slant range" (m)
    sigma: float  # as learned
    declared: float  # with what its mounting and place add


class SensorNoise:
    """Excess variances of all sensors, a column each as in `Registration.places`; `copy` belongs to a snapshot."""

    def __init__(self, sensors: Sequence[Sensor], places: Sequence[tuple[int, int]], mount: IntArray) -> None:
        self._sensors, self.places, self.mount = tuple(sensors), tuple(places), mount
        self.of = np.array([number for number, _ in places], dtype=np.int64)
        self.kind = np.array([kind for _, kind in places], dtype=np.int64)
        self._alike = np.equal.outer(self.kind, self.kind).astype(float)  # azimuths with azimuths: of one unit
        self._unit: FloatArray = np.array([UNIT[kind] ** 2 for _, kind in places])
        self._columns: dict[tuple[int, tuple[int, ...]], IntArray] = {}  # as `columns` has found them
        size = len(self.places)
        self._information: FloatArray = np.zeros((size, size))
        self._pull: FloatArray = np.zeros(size)
        self._left_alone: FloatArray = np.zeros(size)
        self._mean: FloatArray = np.zeros(size)  # of the innovations
        self._lessons: FloatArray = np.zeros(size)  # that it is of
        self._declared: FloatArray = np.zeros(size)  # variance, in the last lesson
        self._share: FloatArray = np.zeros(len(self._sensors))  # of objects looked at, those it showed something of
        self._looks: FloatArray = np.zeros(len(self._sensors))  # that it is of
        self._lesson_ns: IntArray = np.full(len(self._sensors), -(2**62), dtype=np.int64)
        self.excess: FloatArray = np.zeros(size)  # variance, what is added

    def copy(self) -> SensorNoise:
        """An independent copy."""
        other = SensorNoise.__new__(SensorNoise)
        for name in ("_sensors", "places", "mount", "of", "kind", "_alike", "_unit", "_columns"):
            setattr(other, name, getattr(self, name))
        for name in (
            "_information",
            "_pull",
            "_left_alone",
            "_mean",
            "_lessons",
            "_declared",
            "_share",
            "_looks",
            "_lesson_ns",
            "excess",
        ):
            setattr(other, name, getattr(self, name).copy())
        return other

    def columns(self, number: int, components: tuple[int, ...]) -> IntArray:
        """The columns of what this sensor measures in these components."""
        if (number, components) not in self._columns:
            self._columns[number, components] = np.flatnonzero((self.of == number) & np.isin(self.kind, components))
        return self._columns[number, components]

    def widened(self, number: int, plots: Plots) -> Plots:
        """These plots with the noise that their sensor has been found to have."""
        if not self.excess.any():
            return plots
        added = np.zeros(len(plots.components))
        for column in self.columns(number, plots.components).tolist():
            added[plots.components.index(self.places[column][1])] = self.excess[column]
        return Plots(plots.components, plots.z, plots.R + np.diag(added), plots.index) if added.any() else plots

    def is_due(self, number: int, time_ns: int) -> bool:
        """Whether this sensor's scan is to teach; oftener at first and while something is in doubt."""
        since_ns = time_ns - self._lesson_ns[number]
        if since_ns < LESSON_NS:
            return False
        own = (self.of == number).nonzero()[0]
        if since_ns >= CALM_LESSON_NS or len(own) == 0:
            return len(own) > 0
        is_calm = (self._lessons[own] >= LEAST).all() and (self._doubt()[own] < DOUBT).all()
        return not is_calm

    def looked(self, number: int, time_ns: int, objects: int, shown: int) -> None:
        """This sensor looked where so many objects are that others hold, and showed something near so many of them."""
        if objects:
            self._looks[number] = looks = min(self._looks[number] + objects, SHARE_OF)
            self._share[number] += (shown - objects * self._share[number]) / looks
        self._lesson_ns[number] = time_ns

    @property
    def shows(self) -> BoolArray:
        """Of each sensor, whether it shows enough of the objects where it looks."""
        return np.asarray(self._share >= LEAST_SHARE)

    def jumped(self, number: int, kind: int, size: float) -> None:
        """All that this sensor measures has jumped by so much, and is set right: that is no noise."""
        for column in self.columns(number, (kind,)).tolist():
            self._mean[column] += size

    def learn(
        self,
        own: IntArray,
        y: FloatArray,
        foretold: FloatArray,
        R: FloatArray,
        leans: FloatArray,
        learned: Learned | None = None,
    ) -> None:
        """Raw innovations y (n, d) of one sensor's columns (d,), and their variances as foretold, believed noise included.

        R (n, d): the declared part of those; leans (n, d, b): H G."""
        self._declared[own] = R.mean(axis=0)
        known = self._information, self._pull, self._left_alone, self._mean, self._lessons
        (learned or learn)(own, y, foretold, leans, self._alike, self._unit, self.excess, *known)
        self.excess = self._solved() * self._unit

    def _doubt(self) -> FloatArray:
        """How many sigmas speak against each column's declaration, were it alone at fault."""
        spread = np.maximum(self._information.diagonal(), 1e-300)
        return np.asarray((self._pull - self._left_alone) / np.sqrt(spread))

    def _solved(self) -> FloatArray:
        """The excesses, in units, that explain the innovations, ≥ 0; 0 of what chance explains."""
        active = np.flatnonzero(self.shows[self.of] & (self._doubt() > SURE) & (self._lessons >= LEAST))
        found = np.zeros(len(self.places))
        if len(active) == 0:
            return found
        scale = 1.0 / np.sqrt(self._information.diagonal()[active])
        information = self._information[np.ix_(active, active)] * np.outer(scale, scale) + RIDGE * np.eye(len(active))
        root = np.linalg.cholesky(information)
        part, _ = nnls(root.T, np.linalg.solve(root, self._pull[active] * scale))
        found[active] = np.minimum(part * scale, LARGEST**2)
        return found

    def told(self) -> tuple[Noise, ...]:
        """Who errs by far more than is declared, as far as others bear it out."""
        if not self.excess.any():
            return ()
        sigma = np.sqrt(np.linalg.inv(self._information + np.eye(len(self.places))).diagonal()) * self._unit
        weight = self._information.diagonal() * self.excess / self._unit
        others = self._information @ (self.excess / self._unit) - weight
        is_own = (self.excess > BORNE_OUT * sigma) & (weight > MOSTLY_OWN * others)
        found = []
        for column in np.flatnonzero(is_own).tolist():
            (number, kind), declared = self.places[column], float(self._declared[column])
            learned = declared + float(self.excess[column])
            if learned >= TOLD**2 * declared:
                told = float(np.sqrt(learned)), float(np.sqrt(declared))
                found.append(Noise(self._sensors[number].sensor_id, KIND_NAMES[kind], *told))
        return tuple(found)


def learn(
    own: IntArray,
    y: FloatArray,
    foretold: FloatArray,
    leans: FloatArray,
    alike: FloatArray,
    unit: FloatArray,
    excess: FloatArray,
    information: FloatArray,
    pull: FloatArray,
    left_alone: FloatArray,
    mean: FloatArray,
    lessons: FloatArray,
) -> None:
    """Work the lessons of one sensor's columns into the equations of all b of them, in place; see `SensorNoise.learn`.

    alike (b, b): which columns err alike; unit (b,), variances; then what is known: the excesses believed, the equations, what
    pulls at them, what would if all were as declared, and the mean innovation with the lessons that it is of."""
    for place, column in enumerate(own.tolist()):
        A = np.abs(leans[:, place])
        A[:, own] = 0.0
        A *= A @ alike  # those that err alike lead it astray together
        A[:, column] = 1.0
        believed = foretold[:, place]
        V = believed - excess[column]
        many = lessons[column]
        square = np.minimum((y[:, place] - mean[column]) ** 2 * many / (many + 1.0), CLIPPED * believed)
        found = square - V + A @ excess - excess[column]  # P holds what others are believed to err
        if many > 0.0:
            A, w = A * unit, 0.5 / V**2
            information += (A.T * w) @ A
            pull += A.T @ (w * found)
            left_alone += A.T @ (w * V) * SLACK
        lessons[column] = many = min(many + 1.0, STEADY)
        mean[column] += (y[:, place].mean() - mean[column]) / many
    root = np.ones(len(pull))
    root[own] = np.sqrt(FADE)
    information *= np.outer(root, root)
    pull *= root
    left_alone *= root
