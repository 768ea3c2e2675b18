"""Each compiled stage that works on the table's rows beside its twin in numpy: the same answers to 1e-9."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import classification, manoeuvres, motion
from fusion.existence import BoolArray
from fusion.kernels import PLAIN, Kernels, can_compile, kernels
from fusion.lifetimes import NEVER_NS
from fusion.measurement import IntArray
from fusion.registration import Registration
from fusion.track_table import ARRAYS, Births, TrackTable
from fusion.types import Accuracy, DetectionProbability, Look, Orientation, Sensor

pytestmark = pytest.mark.skipif(not can_compile(), reason="numba is not installed (pip install sarhad[fast])")

seeds = st.integers(0, 2**32 - 1)
LEVEL = Orientation(0.3, 0.05, 0.0)
PIXELS = DetectionProbability(by_pixels=((2.0, 0.0), (5.0, 0.4), (20.0, 0.9)), pixels_per_rad=900.0)
SENSORS = (
    Sensor(
        "radar", (40.0, -30.0, 5.0), LEVEL, Accuracy(0.02, 0.03, 5.0, 1.0), 0, 4.0, 0.02, detection_probability=PIXELS
    ),
    Sensor("camera", (0.0, 0.0, 3.0), LEVEL, Accuracy(0.001, 0.001), 0, 1.0, 0.002, detection_probability=PIXELS),
    Sensor(
        "other/camera", (300.0, 0.0, 3.0), LEVEL, Accuracy(0.001, 0.001), 0, 1.0, 0.0,
        detection_probability=DetectionProbability(0.6, night="same"),
    ),
    Sensor("finder", (0.0, 90.0, 3.0), LEVEL, Accuracy(0.05), 0, 1.0, 0.01),
)  # fmt: skip
LOOKS = (
    Look(Orientation(0.4, 0.1, 0.02), (-0.9, 0.9), (-0.6, 0.9), (10.0, 900.0)),
    Look(Orientation(2.4, 0.0, 0.0), (-math.pi, math.pi), (0.0, 0.9), (0.0, 400.0)),
)
NOW_NS = 1_000_000_000_000


def same(one: object, other: object) -> None:
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9, atol=1e-9)


def table_of(random: np.random.Generator, count: int = 40) -> TrackTable:
    """Rows in space and directions, confirmed and not, seen and missed now and then."""
    table = TrackTable(SENSORS, 3.0, motion.spectral_density(3.0))
    A = random.normal(0, 1, (count, 6, 6)) * random.choice([0.3, 3.0, 10.0], (count, 1, 1))
    x = np.concatenate([random.normal(0, 300, (count, 3)), random.normal(0, 15, (count, 3))], axis=1)
    keys = [(place, "radar", 0) for place in range(count)]
    table.append(Births(x, A @ A.transpose(0, 2, 1) + np.eye(6), -1, random.uniform(0, 1, count), keys, 0), 0, NOW_NS)
    rows = np.flatnonzero(random.uniform(size=count) < 0.3)
    table.direction_of[rows] = random.integers(0, 3, len(rows))
    table.x[rows, 0], table.x[rows, 1] = random.uniform(-3, 3, len(rows)), random.uniform(-0.5, 0.5, len(rows))
    table.x[rows, 2] = random.uniform(3, 7, len(rows))
    table.P[rows] *= 1e-3
    table.is_confirmed = random.uniform(size=count) < 0.5
    ages_ns = random.choice([0, 100_000_000, 900_000_000, 4_000_000_000, 9_000_000_000], (3, count, len(SENSORS)))
    never = random.uniform(size=(count, len(SENSORS))) < 0.4
    table.seen_ns, table.missed_ns = np.where(never, NEVER_NS, NOW_NS - ages_ns[0]), NOW_NS - ages_ns[1]
    table.voted_ns = np.where(never, NEVER_NS, NOW_NS - ages_ns[2])
    table.last_ns = NOW_NS - random.integers(0, 15, count) * 900_000_000
    table.last_sensor = random.integers(0, len(SENSORS), count)
    table.reports = random.uniform(size=count) < 0.2
    table.interval_s = random.uniform(0.05, 4.0, len(SENSORS))
    table.scan_before_ns = NOW_NS - random.integers(0, 12, len(SENSORS)) * 1_000_000_000
    table.silent, table.ranged_hits = random.integers(0, 5, count), random.integers(0, 3, count)
    table.denied_log = -random.uniform(0, 6, (count, len(SENSORS)))
    table.glints_log = random.normal(-2, 2, count)
    table.class_log = table.class_log + random.normal(0, 1, table.class_log.shape)
    table.tracklet = random.integers(0, 3, (count, len(SENSORS)))
    table.views = np.where(table.tracklet > 0, random.uniform(0, 9, table.tracklet.shape), 0.0)
    table.sights = table.views * random.uniform(size=table.views.shape)
    table.linked_log = random.normal(0, 2, table.linked_log.shape) * (table.tracklet > 0)[:, :, None]
    table.metres_log, table.metres_count = random.normal(0, 2, count), random.integers(0, 6, count)
    table.speed_m_s, table.speed_count = random.uniform(0, 40, count), random.integers(0, 20, count)
    table.way_m_s = random.normal(0, 15, (count, 2))
    table.size_log, table.size_count = random.normal(-5, 1, count), random.integers(0, 2, count)
    table.modes = random.dirichlet(manoeuvres.USUAL * 5.0, count)
    table.leaning = random.normal(0, 1, table.leaning.shape)
    return table


def both(table: TrackTable) -> list[tuple[Kernels, TrackTable]]:
    """The two sets of functions, each with a table of its own."""
    tables = [table, copy.copy(table)]
    for name in ARRAYS:
        setattr(tables[1], name, getattr(table, name).copy())
    return list(zip((PLAIN, kernels(True)), tables, strict=True))


def same_columns(one: TrackTable, other: TrackTable) -> None:
    for name in ARRAYS:
        same(getattr(one, name), getattr(other, name))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 2))
def test_the_same_rows_are_overlooked(seed: int, number: int) -> None:
    table, sensor = table_of(np.random.default_rng(seed)), SENSORS[number]
    columns = table.x, table.P, table.direction_of, table.is_confirmed, table.seen_ns, table.missed_ns
    known = *columns, table.post != table.post[number], sensor, number, NOW_NS, LOOKS
    (rows, probability), (other_rows, other_probability) = (of.overlooked(*known) for of in (PLAIN, kernels(True)))
    assert rows.tolist() == other_rows.tolist()
    states = np.arange(len(table)), table.x, table.P, sensor, LOOKS
    one, other = (np.array(of.within_looks(*states)) for of in (PLAIN, kernels(True)))
    assert (one == other).all()
    same(probability, other_probability)


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
def test_rows_live_equally_long(seed: int, is_tick: bool) -> None:
    random = np.random.default_rng(seed)
    table = table_of(random)
    table.P[random.integers(0, len(table)), 2, 2] = np.inf
    doubted = table.ranged_hits, table.silent, table.denied_log, table.glints_log, 0.2
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    for of in (PLAIN, kernels(True)):
        goes = of.unseen_too_long(table.x, table.P, NOW_NS, *table.watched())
        statuses = of.statuses(table.is_confirmed.nonzero()[0], NOW_NS, is_tick * 10**9, *table.watched())
        gone = of.disbelieved(table.existence, table.is_confirmed, table.direction_of, *doubted)
        found.append((goes, statuses, gone))
    for one, other in zip(*found, strict=True):
        assert one.tolist() == other.tolist()


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
def test_the_same_is_told_of_rows(seed: int, is_tick: bool) -> None:
    random = np.random.default_rng(seed)
    table, rows = table_of(random), np.flatnonzero(random.uniform(size=40) < 0.6)
    statuses = random.integers(1, 4, len(rows))
    table.told[rows, :9], table.told[rows, 9] = PLAIN.news(table, rows, statuses, NOW_NS, False)[0], statuses
    table.told[:, 10] = NOW_NS - random.integers(0, 2, len(table)) * 10**9
    changed = random.uniform(size=table.told.shape) < 0.03
    table.told[changed] = 0
    one, other = (of.news(table, rows, statuses, NOW_NS, is_tick) for of in (PLAIN, kernels(True)))
    for part, twin in zip(one, other, strict=True):
        assert part.tolist() == twin.tolist()
    same(PLAIN.classes(table, rows), kernels(True).classes(table, rows))
    same(PLAIN.widened(table, rows, table.P[rows]), kernels(True).widened(table, rows, table.P[rows]))
    table.registration.applied[[0, 3]] = 0.01, -0.02
    same(PLAIN.widened(table, rows, table.P[rows]), kernels(True).widened(table, rows, table.P[rows]))


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_a_detection_leaves_the_same(seed: int, is_ranged: bool, is_report: bool) -> None:
    random = np.random.default_rng(seed)
    table, rows = table_of(random), np.flatnonzero(random.uniform(size=40) < 0.4)
    x, P = random.normal(0, 9, (len(rows), 6)), random.normal(0, 9, (len(rows), 6, 6))
    ratio, named = random.lognormal(0, 3, len(rows)), random.uniform(0, 0.4, (len(rows), 4))
    tracklets = random.integers(0, 3, len(rows))
    named[::3] = 0.0
    tables = []
    for of, its in both(table):
        of.take(its, 1, NOW_NS, rows, x, P, ratio, is_ranged, is_report)
        told = its.class_log, its.linked_log, its.views, its.sights, its.tracklet, its.voted_ns
        of.vote(rows, named, tracklets, *told, 1, NOW_NS)
        tables.append(its)
    same_columns(*tables)
    assert (np.ptp(tables[0].class_log[rows], axis=1) <= -classification.SMALLEST_LOG + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 3))
def test_the_same_biases_are_compared_and_rows_move_alike(seed: int, number: int) -> None:
    table, registration = table_of(np.random.default_rng(seed)), Registration(SENSORS)
    found: list[BoolArray] = [
        registration.compared(number, table.seen_ns, table.x[:, :3], NOW_NS, of.compared)
        for of in (PLAIN, kernels(True))
    ]
    assert (found[0] == found[1]).all()
    columns = table.q, table.modes, table.x, table.direction_of, table.size_log, table.size_count
    same(PLAIN.density(*columns), kernels(True).density(*columns))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 120), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_same_rows_are_neighbours_and_equal(seed: int, count: int, random_scale: float) -> None:
    table = table_of(np.random.default_rng(seed), count)
    table.x[:, :3] *= 0.2
    one, other = (of.near_rows(table).reshape(-1, 2).tolist() for of in (PLAIN, kernels(True)))
    assert sorted(one) == sorted(other)
    pairs = np.array(one, dtype=np.int64).reshape(-1, 2)
    table.P *= random_scale
    assert (PLAIN.are_equal(table, pairs) == kernels(True).are_equal(table, pairs)).all()
    of_one = pairs[(table.direction_of[pairs[:, 0]] == table.direction_of[pairs[:, 1]])]
    table.x[of_one[:, 1]] = table.x[of_one[:, 0]] + 0.5
    assert (PLAIN.are_equal(table, of_one) == kernels(True).are_equal(table, of_one)).all()


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 3), st.booleans())
def test_detections_are_as_likely_and_speeds_and_noise_are_learned_alike(
    seed: int, number: int, as_direction: bool
) -> None:
    random = np.random.default_rng(seed)
    table, rows = table_of(random), np.flatnonzero(random.uniform(size=40) < 0.5)
    if as_direction:
        rows = rows[table.direction_of[rows] == number]
    known = rows, table.x, SENSORS[number], as_direction
    same(PLAIN.assumed_at(*known), kernels(True).assumed_at(*known))
    table.P[:, 3:5, 3:5] *= 0.01
    tables = []
    for of, its in both(table):
        of.note_speeds(its, rows)
        tables.append(its)
    same_columns(*tables)
    own, count = np.flatnonzero(table.noise.of == number), 7
    y, foretold = random.normal(0, 1, (count, len(own))), random.uniform(0.5, 2.0, (count, len(own)))
    biases = len(table.noise.of)
    alike, unit = np.equal.outer(table.noise.kind, table.noise.kind).astype(float), random.uniform(0.5, 2.0, biases)
    leans, excess = random.normal(0, 1, (count, len(own), biases)), random.uniform(0, 0.4, biases)
    of_all = [random.normal(0, 1, biases) for _ in range(3)]
    equations = [random.normal(0, 1, (biases, biases)), *of_all, random.integers(0, 3, biases).astype(float)]
    twins = [[part.copy() for part in equations] for _ in range(2)]
    for of, twin in zip((PLAIN, kernels(True)), twins, strict=True):
        of.learn_noise(own, y, foretold, leans, alike, unit, excess, *twin)
    for one, other in zip(*twins, strict=True):
        same(one, other)
