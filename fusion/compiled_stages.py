"""The compiled functions under the signatures of their twins: what numba asks for is taken out of tables, sensors and looks.

Imported only where a site asks for compiled code. What each is and returns, its twin in `kernels.PLAIN` tells, which has the
same name; what a constant elsewhere may be tuned to goes in as an argument, so that it is not frozen into kept code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fusion import (
    classification,
    clutter_map,
    compiled,
    crowds,
    direction,
    existence,
    joint,
    lifetimes,
    manoeuvres,
    measurement,
    mounting_error,
    neighbours,
    registration,
    sensor_noise,
    silence,
    telling,
    true_size,
    true_speed,
)
from fusion.association import Pairs, gate_threshold
from fusion.existence import BoolArray, is_full_circle, turned_by
from fusion.measurement import AZIMUTH, RANGE_RATE, IntArray, Plots, rotation_of, stand_of
from fusion.overlooked import OTHERS_SEE_NS, TENTATIVE_MISSES_HANG_NS
from fusion.types import DetectionProbability, FloatArray, Look, Sensor

if TYPE_CHECKING:
    from fusion.track_table import TrackTable

Both = tuple[FloatArray, FloatArray]

whole = np.ascontiguousarray  # a batch's noise may be one matrix that stands for all

TIMES_S = np.array([manoeuvres.HOLDS_S, manoeuvres.TELLING_S, manoeuvres.AHEAD_S])
OF_BIASES = np.array(
    [
        *(registration.SLACK, registration.LARGEST_SQUARE, registration.WINDOW, registration.MOVED),
        *(registration.FADE_WHEN_MOVED, registration.FADE),
    ]
)
RADII = np.array(clutter_map.RADII)
THICK = np.array(
    [clutter_map.CHANCE, clutter_map.USUAL_COUNT, clutter_map.USUAL_COUNT * clutter_map.USUAL_SPEED_M_S**2]
)
BELIEF = crowds.LARGEST_WEIGHT, crowds.STILL, crowds.MAX_ROUNDS
ALWAYS_NS, FOR_EVER_NS, NEVER_NS = np.iinfo(np.int64).min, np.iinfo(np.int64).max, lifetimes.NEVER_NS
LIMITS_NS = np.array([lifetimes.UNSEEN_NS, lifetimes.DIRECTION_UNSEEN_NS, lifetimes.REPORTER_UNSEEN_NS])
TENTATIVE = np.array([lifetimes.TENTATIVE_SCANS, lifetimes.TENTATIVE_LEAST_S])
UNSEEN = lifetimes.SILENT_NS, LIMITS_NS, TENTATIVE
COASTING = np.array([lifetimes.COAST_SCANS, lifetimes.COAST_LEAST_S, lifetimes.COAST_MOST_S])
DISBELIEVED_BELOW = lifetimes.TENTATIVE_BELOW, lifetimes.TENTATIVE_SILENT, existence.DENIED_LOG
LN_RANGES = np.array([direction.LEAST_LN_RANGE, direction.MOST_LN_RANGE])
SMALL_M = math.sqrt(direction.SMALLEST_TARGET_M * direction.LARGEST_SMALL_M)
RANGES = np.array([*LN_RANGES, direction.NEAREST_M, SMALL_M])
LN_BANDS, IS_SMALL = whole(true_size.LN_BANDS), whole(silence.SMALL)
DOUBTS = np.array(
    [
        *(
            classification.SMALLEST_LOG,
            true_size.LEAST_LOOKS,
            true_size.BAND_SIGMA,
            true_speed.LEAST_LOOKS,
            true_speed.FASTEST_M_S,
        ),
        *(true_speed.SIGMA_M_S, true_speed.WIND_M_S, true_speed.MOST_DOUBT, silence.MOST_DOUBT),
    ]
)
NO_BIASES = np.zeros((0, 0))
NAMED_AS = np.stack([classification.LONE.names, classification.TRACKLETS.names]), np.log(classification.PRIOR)
OF_VOTES = np.array(
    [
        *(classification.PICTURE_S, classification.LONGEST_FADE_S, classification.FADE_S, classification.SMALLEST_LOG),
        classification.ENDED_NS,
        *(
            float(number)
            for of in (classification.LONE, classification.TRACKLETS)
            for number in (of.first, of.fresh, of.view_s)
        ),
    ]
)
OF_NOISE = np.array([sensor_noise.SLACK, sensor_noise.CLIPPED, sensor_noise.STEADY, sensor_noise.FADE])
EQUAL_WITHIN = [
    gate_threshold(neighbours.DUPLICATE_PROBABILITY, size) for size in (6, len(neighbours.BEARING_AND_RATE))
]

carry, update, leaned, largest_variance = compiled.carry, compiled.update, compiled.leaned, compiled.largest_variance


def density(*of: Any) -> FloatArray:
    found: FloatArray = compiled.density(*of, manoeuvres.LEVELS, RANGES)
    return found


def filtered(*of: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, P, modes = compiled.filtered(*of, manoeuvres.LEVELS, manoeuvres.USUAL, TIMES_S)
    return x, P, modes


def learn(*of: FloatArray) -> None:
    compiled.learn(*of, OF_BIASES)


def probabilities(*of: Any) -> FloatArray:
    found: FloatArray = compiled.probabilities(*of, *BELIEF)
    return found


def branches(*of: Any) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    most = joint.MOST_TRACKS, joint.MOST_BRANCHES, joint.MOST_HYPOTHESES, joint.LEAST_LOG
    found: tuple[FloatArray, IntArray, IntArray, IntArray] = compiled.branches(*of, *most)
    return found


def settled(*of: Any) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    limits = joint.MOST_TRACKS, joint.SAME, joint.LEAST_LOG, joint.CHANGES_LOG
    found: tuple[IntArray, FloatArray, IntArray, IntArray] = compiled.settled(*of, *limits)
    return found


def vote(*of: Any) -> None:
    compiled.vote(*of, NEVER_NS, *NAMED_AS, OF_VOTES)


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


def within_looks(
    rows: IntArray, x: FloatArray, P: FloatArray, sensor: Sensor, looks: Sequence[Look]
) -> tuple[BoolArray, BoolArray]:
    where = stand_of(sensor), rotation_of(sensor), *_packed(tuple(looks)), sensor.mounting_sigma_rad
    found: tuple[BoolArray, BoolArray] = compiled.within_looks(rows, x, P, *where, existence.SURELY_SIGMAS)
    return found


def overlooked(*of: Any) -> tuple[IntArray, FloatArray]:
    *columns, sensor, number, time_ns, looks = of
    since_ns = ALWAYS_NS if existence.sees_at_night(sensor) else time_ns - int(existence.CAMERA_SEES_S * 1e9)
    hang_ns = existence.misses_hang_ns(sensor), TENTATIVE_MISSES_HANG_NS
    times_ns = np.array([*hang_ns, OTHERS_SEE_NS, since_ns])
    where = stand_of(sensor), rotation_of(sensor), *_packed(tuple(looks)), sensor.mounting_sigma_rad
    found: tuple[IntArray, FloatArray] = compiled.overlooked(
        *columns, number, time_ns, times_ns, *where, *_by_pixels(sensor.detection_probability), LN_RANGES
    )
    return found


def thickest(plots: Plots, kept: FloatArray, weight: FloatArray) -> FloatArray:
    is_azimuth, rate, places = _columns(plots.components)
    variance = whole(np.diagonal(plots.R, axis1=1, axis2=2))
    ball = clutter_map.UNIT_BALL[places]
    found: FloatArray = compiled.thickest(whole(plots.z), variance, is_azimuth, rate, kept, weight, RADII, ball, THICK)
    return found


def near_rows(table: TrackTable) -> IntArray:
    columns = table.x, table.existence, table.origin, table.direction_of, table.mount, table.stand_m
    within = neighbours.BELIEVED, neighbours.DUPLICATE_WITHIN_M, neighbours.DUPLICATE_WITHIN_RAD
    found: IntArray = compiled.near_rows(*columns, *within, LN_RANGES)
    return found


def are_equal(table: TrackTable, pairs: IntArray) -> BoolArray:
    of = table.direction_of[pairs]
    if (of[:, 0] != of[:, 1]).any():  # one seen beside the other
        return neighbours.are_equal(table, pairs)
    found: BoolArray = compiled.are_equal(whole(pairs), table.x, table.P, table.direction_of, *EQUAL_WITHIN)
    return found


def assumed_at(rows: IntArray, x: FloatArray, sensor: Sensor, is_direction: bool) -> FloatArray:
    known = *_by_pixels(sensor.detection_probability), existence.ASSUMED_DETECTION_PROBABILITY
    found: FloatArray = compiled.assumed_at(
        rows, x, is_direction, stand_of(sensor), *known, existence.LEAST_DETECTING, LN_RANGES
    )
    return found


def unseen_too_long(x: FloatArray, P: FloatArray, time_ns: int, *watched: Any) -> IntArray:
    found: IntArray = compiled.unseen_too_long(x, P, time_ns, *watched, *UNSEEN)
    return found


def statuses(rows: IntArray, time_ns: int, margin_ns: int, *watched: Any) -> IntArray:
    found: IntArray = compiled.statuses(rows, time_ns, margin_ns, *watched, *UNSEEN, COASTING)
    return found


def disbelieved(*of: Any) -> IntArray:
    found: IntArray = compiled.disbelieved(*of, *DISBELIEVED_BELOW)
    return found


def take(
    table: TrackTable,
    number: int,
    time_ns: int,
    rows: IntArray,
    x: FloatArray,
    P: FloatArray,
    ratio: FloatArray,
    is_ranged: bool,
    is_report: bool,
) -> None:
    states = table.x, table.P, table.updated_x, table.existence, table.is_confirmed, table.hits
    ranged, times = (table.ranged_hits, table.silent), (table.carried_ns, table.last_ns)
    of_sensors = table.last_sensor, table.seen_ns, table.denied_log
    new = rows, x, P, ratio, number, time_ns, is_ranged, is_report
    highest = existence.HIGHEST_EXISTENCE, existence.DENIED_LOG
    compiled.take(*new, *states, *ranged, *times, *of_sensors, *highest)


def note_speeds(table: TrackTable, rows: IntArray) -> None:
    columns = table.x, table.P, table.direction_of, table.speed_m_s, table.speed_count, table.way_m_s
    compiled.note_speeds(rows, *columns, true_speed.SURE_M_S, true_speed.LOOKS)


def compared(number: int, seen_ns: IntArray, position_m: FloatArray, *of: Any) -> BoolArray:
    limits = registration.COMPARED_NS, registration.CROSSING_SINE
    found: BoolArray = compiled.compared(number, seen_ns, whole(position_m), *of, *limits)
    return found


def learn_noise(own: IntArray, y: FloatArray, foretold: FloatArray, leans: FloatArray, *known: FloatArray) -> None:
    compiled.learn_noise(own, whole(y), whole(foretold), whole(leans), *known, OF_NOISE)


def news(
    table: TrackTable, rows: IntArray, statuses: IntArray, time_ns: int, is_tick: bool
) -> tuple[IntArray, BoolArray, IntArray]:
    columns = table.last_ns, table.hits, table.direction_of, table.updated_x.view(np.int64)
    since_ns = telling.REPUBLISH_NS if is_tick else FOR_EVER_NS
    found: tuple[IntArray, BoolArray, IntArray] = compiled.news(
        rows, table.told, statuses, *columns, telling.DROPPED, time_ns, since_ns
    )
    return found


def classes(table: TrackTable, rows: IntArray) -> FloatArray:
    learned = table.metres_log, table.metres_count, table.speed_m_s, table.speed_count, table.way_m_s
    columns = table.class_log, table.linked_log, *learned, table.direction_of, table.seen_ns, table.denied_log
    found: FloatArray = compiled.classes(rows, *columns, LN_BANDS, IS_SMALL, NEVER_NS, DOUBTS)
    return found


def widened(table: TrackTable, rows: IntArray, P: FloatArray) -> FloatArray:
    columns = table.x, table.direction_of, table.seen_ns, table.last_ns, table.stand_m, table.mounting_rad
    unknown = table.registration.unknown()
    leans = table.leaning, NO_BIASES if unknown is None else unknown, unknown is not None
    found: FloatArray = compiled.widened(rows, P, *columns, mounting_error.LEANS_ON_NS, *leans)
    return found


@lru_cache(maxsize=256)
def _numbers(components: tuple[int, ...]) -> IntArray:
    return np.array(components, dtype=np.int64)


@lru_cache(maxsize=256)
def _by_pixels(model: DetectionProbability | None) -> tuple[float, FloatArray]:
    """Pixels on target times range, m, and the table (k, 2) that `existence.detection_probability` reads."""
    if model is not None and model.by_pixels and model.pixels_per_rad is not None:
        return existence.ASSUMED_TARGET_M * model.pixels_per_rad, np.array(model.by_pixels, float)
    constant = None if model is None else model.constant
    return 0.0, np.array([[0.0, np.nan if constant is None else constant]])


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
