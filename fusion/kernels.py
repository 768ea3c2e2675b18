"""The tracker's innermost arithmetic, as one set of functions: in numpy, or compiled where the site asks for it.

    PLAIN      numpy, a row of arrays at a time; what the rest of this folder documents
    compiled   the same answers to 1e-9 of each number, by numba's loops in `compiled/`

A tracker keeps one set for all its life, chosen by `TrackerSettings.compiled`, so what it replays is what it did. The two
differ in the last digits of sums: of two runs whose bytes are compared both must use the same set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from fusion import association, clutter_map, crowds, existence, filters, manoeuvres, measurement, motion, registration
from fusion.association import Pairs
from fusion.existence import BoolArray, Inside, is_full_circle, turned_by
from fusion.measurement import AZIMUTH, RANGE_RATE, IntArray, Plots, rotation_of, stand_of
from fusion.types import FloatArray, Look, Sensor

Both = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Kernels:
    """What each is and returns, its twin in `PLAIN` tells."""

    carry: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, float], None]
    foretold: Callable[[FloatArray, Sensor, tuple[int, ...], float], tuple[FloatArray, FloatArray, FloatArray]]
    gated_pairs: Callable[[IntArray, FloatArray, FloatArray, FloatArray, FloatArray, Plots, float], Pairs]
    weighed: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Both]
    update: crowds.Update
    leaned: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], Both]
    learn: registration.Learned
    largest_variance: Callable[[FloatArray], FloatArray]
    looked_at: Inside
    thickest: clutter_map.Thickest
    probabilities: crowds.Marginals
    near_pairs: Callable[[FloatArray, float], IntArray]


PLAIN = Kernels(
    motion.carry,
    measurement.foretold,
    association.gated_pairs,
    manoeuvres.weighed,
    filters.update,
    registration.leaned,
    registration.learn,
    existence.largest_variance,
    existence.looked_at,
    clutter_map.thickest,
    crowds.probabilities,
    association.near_pairs,
)


def can_compile() -> bool:
    """Whether numba is installed: `pip install sarhad[fast]`."""
    return find_spec("numba") is not None


@lru_cache(maxsize=2)
def kernels(is_compiled: bool) -> Kernels:
    """The set that a tracker uses. Raises ImportError where compiled ones are asked for and numba is missing."""
    if not is_compiled:
        return PLAIN
    from fusion import compiled

    whole = np.ascontiguousarray  # a batch's noise may be one matrix that stands for all

    times_s = np.array([manoeuvres.HOLDS_S, manoeuvres.TELLING_S, manoeuvres.AHEAD_S])
    of_errors = registration.SLACK, registration.LARGEST_SQUARE, registration.WINDOW, registration.MOVED
    known = np.array([*of_errors, registration.FADE_WHEN_MOVED, registration.FADE])
    usual_squares = clutter_map.USUAL_COUNT * clutter_map.USUAL_SPEED_M_S**2
    radii, thick = np.array(clutter_map.RADII), np.array([clutter_map.CHANCE, clutter_map.USUAL_COUNT, usual_squares])
    belief = crowds.LARGEST_WEIGHT, crowds.STILL, crowds.MAX_ROUNDS

    def foretold(
        x: FloatArray, sensor: Sensor, components: tuple[int, ...], clock_error_s: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        where = stand_of(sensor), rotation_of(sensor), _numbers(components), measurement.NEAREST_M
        h, H, added = compiled.foretold(x, *where, sensor.position_sigma_m, clock_error_s, sensor.mounting_sigma_rad)
        return h, H, added

    def gated_pairs(
        rows: IntArray, P: FloatArray, h: FloatArray, H: FloatArray, added: FloatArray, plots: Plots, gate: float
    ) -> Pairs:
        measured = _numbers(plots.components), whole(plots.z), whole(plots.R)
        return Pairs(*compiled.gated_pairs(rows, P, whole(h), H, added, *measured, gate))

    def looked_at(
        sensor: Sensor, looks: Sequence[Look], position_m: FloatArray, sigma_m: FloatArray, mounting_rad: FloatArray
    ) -> BoolArray:
        turned, limits = _packed(tuple(looks))
        where = stand_of(sensor), rotation_of(sensor), turned, limits
        found: BoolArray = compiled.looked_at(whole(position_m), *where, sigma_m, mounting_rad)
        return found

    def thickest(plots: Plots, kept: FloatArray, weight: FloatArray) -> FloatArray:
        is_azimuth, rate, places = _columns(plots.components)
        variance = whole(np.diagonal(plots.R, axis1=1, axis2=2))
        ball = clutter_map.UNIT_BALL[places]
        found: FloatArray = compiled.thickest(
            whole(plots.z), variance, is_azimuth, rate, kept, weight, radii, ball, thick
        )
        return found

    return Kernels(
        compiled.carry,
        foretold,
        gated_pairs,
        lambda *of: compiled.weighed(*of, manoeuvres.LEVELS, manoeuvres.USUAL, times_s),
        compiled.update,
        compiled.leaned,
        lambda *of: compiled.learn(*of, known),
        compiled.largest_variance,
        looked_at,
        thickest,
        lambda *of: compiled.probabilities(*of, *belief),
        lambda points, distance: compiled.near_pairs(whole(points), distance),
    )


@lru_cache(maxsize=256)
def _numbers(components: tuple[int, ...]) -> IntArray:
    return np.array(components, dtype=np.int64)


@lru_cache(maxsize=256)
def _columns(components: tuple[int, ...]) -> tuple[BoolArray, int, int]:
    """Which are azimuths (d,), where the range rate stands or -1, and how many others there are."""
    rate = components.index(RANGE_RATE) if RANGE_RATE in components else -1
    return np.array([one == AZIMUTH for one in components]), rate, len(components) - (rate >= 0)


@lru_cache(maxsize=256)
def _packed(looks: tuple[Look, ...]) -> tuple[FloatArray, FloatArray]:
    """Body to level (l, 3, 3); limits of azimuth, elevation, range, and how far a margin counts for azimuth, (l, 7)."""
    limits: list[Any] = [
        [*look.azimuth_rad, *look.elevation_rad, *look.slant_range_m, 0.0 if is_full_circle(look) else 1.0]
        for look in looks
    ]
    turned = np.array([turned_by(look.orientation) for look in looks], float).reshape(-1, 3, 3)
    return turned, np.array(limits, float).reshape(-1, 7)
