"""Each compiled function beside its twin in numpy: the same answers to 1e-9."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import joint, joint_sets, manoeuvres, motion
from fusion.association import gate_threshold
from fusion.kernels import PLAIN, can_compile, kernels
from fusion.measurement import AZIMUTH, EAST, ELEVATION, NORTH, RANGE_RATE, SLANT_RANGE, UP, Plots
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    FloatArray,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
    Track,
    TrackerSettings,
)

pytestmark = pytest.mark.skipif(not can_compile(), reason="numba is not installed (pip install sarhad[fast])")

MEASURED = (
    (AZIMUTH, ELEVATION, SLANT_RANGE, RANGE_RATE),
    (AZIMUTH, SLANT_RANGE),
    (AZIMUTH, ELEVATION),
    (AZIMUTH,),
    (SLANT_RANGE, RANGE_RATE),
    (EAST, NORTH, UP),
    (EAST, NORTH),
)
seeds = st.integers(0, 2**32 - 1)
LEVEL = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
SENSOR = Sensor(
    "radar", (40.0, -30.0, 5.0), Orientation(0.3, 0.05, 0.0), Accuracy(0.02, 0.03, 5.0, 1.0), 0, 4.0, 0.02,
    level_to_enu=tuple(LEVEL.ravel().tolist()),
)  # fmt: skip


def same(one: object, other: object) -> None:
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9, atol=1e-9)


def tracks(random: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray]:
    A = random.normal(0, 1, (count, 6, 6)) * random.choice([0.3, 3.0, 10.0], (count, 1, 1))
    x = np.concatenate([random.normal(0, 300, (count, 3)), random.normal(0, 15, (count, 3))], axis=1)
    return x, A @ A.transpose(0, 2, 1) + np.eye(6)


def plots_of(random: np.random.Generator, components: tuple[int, ...], count: int) -> Plots:
    spans = {
        AZIMUTH: math.pi,
        ELEVATION: 0.6,
        RANGE_RATE: 20.0,
        SLANT_RANGE: 300.0,
        EAST: 500.0,
        NORTH: 500.0,
        UP: 300.0,
    }
    sigmas = {AZIMUTH: 0.02, ELEVATION: 0.03, RANGE_RATE: 1.0, SLANT_RANGE: 5.0}
    z = np.stack([random.uniform(-spans[c], spans[c], count) + 310.0 * (c == SLANT_RANGE) for c in components], axis=1)
    R = np.diag([sigmas.get(c, 10.0) ** 2 for c in components])
    return Plots(components, z, np.broadcast_to(R, (count, *R.shape)), np.arange(count))


def pairs_of(random: np.random.Generator, count: int, d: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Innovations, Jacobians and noise of so many pairs."""
    A = random.normal(0, 2, (count, d, d))
    return random.normal(0, 3, (count, d)), random.normal(0, 1, (count, d, 6)), A @ A.transpose(0, 2, 1) + np.eye(d)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(MEASURED), st.sampled_from([(3, 5), (40, 90), (300, 150)]))
def test_the_same_pairs_lie_within_the_gates(seed: int, components: tuple[int, ...], sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    x, P = tracks(random, sizes[0])
    plots = plots_of(random, components, sizes[1])
    found = []
    for of in (PLAIN, kernels(True)):
        looked = of.foretold(x, SENSOR, components, 0.2)
        found.append(
            (looked, of.gated_pairs(np.arange(len(x)), P, *looked, plots, gate_threshold(0.99, len(components))))
        )
    (plain, one), (fast, other) = found
    for part, twin in zip(plain, fast, strict=True):
        same(part, twin)
    assert (one.row == other.row).all()
    assert (one.plot == other.plot).all()
    for name in ("y", "H", "R", "S", "nis", "log_likelihood"):
        same(getattr(one, name), getattr(other, name))


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 4), st.floats(0.01, 3.0))
def test_prediction_and_update_are_the_same(seed: int, d: int, dt_s: float) -> None:
    random = np.random.default_rng(seed)
    x, P = tracks(random, 12)
    leaning, q = random.normal(0, 1, (12, 6, 5)), random.uniform(0.1, 20.0, (12, 3))
    moved = [(x.copy(), P.copy(), leaning.copy()) for _ in range(2)]
    for of, state in zip((PLAIN, kernels(True)), moved, strict=True):
        of.carry(*state, q, dt_s)
    for one, other in zip(*moved, strict=True):
        same(one, other)
    y, H, R = pairs_of(random, 12, d)
    for one, other in zip(PLAIN.update(x, P, y, H, R), kernels(True).update(x, P, y, H, R), strict=True):
        same(one, other)
    modes = random.dirichlet(manoeuvres.USUAL * 5.0, 12)
    share = random.choice([1.0, 0.4], 12)
    known = x, P, modes, y, H, R, motion.spectral_density(3.0), random.uniform(0.05, 2.0, 12), share
    for one, other in zip(PLAIN.filtered(*known), kernels(True).filtered(*known), strict=True):
        same(one, other)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 4))
def test_biases_are_learned_the_same(seed: int, d: int) -> None:
    random = np.random.default_rng(seed)
    P, (y, H, S) = tracks(random, 9)[1], pairs_of(random, 9, d)
    D = random.integers(0, 2, (d, 6)).astype(float)
    known = random.normal(0, 1, (9, 6, 6)), P, H, S, D, random.uniform(0.2, 1.0, 9)
    (G, A), (other_G, other_A) = PLAIN.leaned(*known), kernels(True).leaned(*known)
    same(G, other_G)
    same(A, other_A)
    prior = random.uniform(0.02, 10.0, 6)
    information = np.diag(prior**-2.0)
    recent = np.stack([random.normal(0, 30, 6), random.uniform(0, 5, 6)])
    states = [
        [information.copy(), random.normal(0, 1, 6) * 0.0, np.diag(prior**2), prior, recent.copy()] for _ in range(2)
    ]
    for of, state in zip((PLAIN, kernels(True)), states, strict=True):
        for _ in range(3):
            of.learn(y, S, A, *state)
    for one, other in zip(*states, strict=True):
        same(one, other)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_what_was_looked_at_is_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, P = tracks(random, 40)
    same(PLAIN.largest_variance(P), kernels(True).largest_variance(P))
    looks = (
        Look(Orientation(0.4, 0.1, 0.02), (-0.7, 0.7), (-0.4, 0.5), (10.0, 700.0)),
        Look(Orientation(2.4, 0.0, 0.0), (-math.pi, math.pi), (0.0, 0.9), (0.0, 300.0)),
    )
    known = SENSOR, looks, x[:, :3], random.uniform(0.0, 30.0, 40), random.uniform(0.0, 0.1, 40)
    one, other = PLAIN.looked_at(*known), kernels(True).looked_at(*known)
    assert (one == other).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from([c for c in MEASURED if RANGE_RATE not in c or len(c) > 2]))
def test_places_of_false_alarms_are_as_thick(seed: int, components: tuple[int, ...]) -> None:
    random = np.random.default_rng(seed)
    plots = plots_of(random, components, 20)
    kept = plots.z[random.integers(0, 20, 60)] + random.normal(0, 2, (60, len(components))) * np.sqrt(
        np.diagonal(plots.R, axis1=1, axis2=2)[0]
    )
    weight = random.uniform(0.1, 3.0, 60)
    same(PLAIN.thickest(plots, kept, weight), kernels(True).thickest(plots, kept, weight))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_shares_of_crowds_are_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    row, column = np.nonzero(random.uniform(size=(12, 14)) < 0.3)
    _, row = np.unique(row, return_inverse=True)
    _, column = np.unique(column, return_inverse=True)
    known = row, column, random.lognormal(0, 3, len(row)), random.uniform(0.1, 1.0, 12)[row], 0.1
    same(PLAIN.probabilities(*known), kernels(True).probabilities(*known))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_joint_hypotheses_branch_and_settle_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers([1, 2], [8, joint.MOST_TRACKS + 1], (6, 2))
    layout = joint_sets.laid_out(tuple(map(tuple, sizes.tolist())))
    states = np.repeat(np.arange(len(layout.hypothesis)), random.integers(0, 4, len(layout.hypothesis)))
    first_pair = np.searchsorted(states, layout.first_state)
    log = random.normal(0, 2, len(layout.set_of))
    known = log, layout.tracks, layout.first_hypothesis, layout.first_state, states
    pairs = random.integers(0, 6, len(states)), random.normal(1, 3, len(states)), first_pair
    one, other = PLAIN.branches(*known, *pairs), kernels(True).branches(*known, *pairs)
    same(one[0], other[0])
    assert all((part == twin).all() for part, twin in zip(one[1:], other[1:], strict=True))
    log, hypothesis, _, first = one
    after = joint_sets.laid_out(tuple(zip(np.diff(first).tolist(), layout.tracks.tolist(), strict=True)))
    x, P = tracks(random, len(after.hypothesis))
    places = random.normal(0, 10, (int(layout.first_track[-1]), 6))
    x = places[after.track] + random.normal(0, 1, x.shape) * random.choice([0.1, 4.0, 20.0])
    x[after.first_state[2]] = random.choice([0.0, np.nan])
    is_held = hypothesis == layout.first_hypothesis[after.set_of]
    for part, twin in zip(
        PLAIN.settled(x, P, log, is_held, first, layout.tracks),
        kernels(True).settled(x, P, log, is_held, first, layout.tracks),
        strict=True,
    ):
        same(part, twin)


def tracked(is_compiled: bool) -> list[Track]:
    """What a radar's tracker tells of five objects among false alarms."""
    random = np.random.default_rng(5)
    sensor = replace(
        SENSOR,
        level_to_enu=tuple(np.eye(3).ravel().tolist()),
        coverage=Coverage((-math.pi, math.pi), (-0.2, 1.2), (10.0, 2000.0)),
        detection_probability=DetectionProbability(0.9),
        false_alarms_per_scan=5.0,
    )
    looked = (Look(Orientation(0.0, 0.0, 0.0), (-math.pi, math.pi), (-0.2, 1.2), (10.0, 2000.0)),)
    start, velocity = random.uniform(-400, 400, (5, 3)) + np.array([0.0, 0.0, 450.0]), random.normal(0, 8, (5, 3))
    tracker = Tracker((sensor,), TrackerSettings(compiled=is_compiled))
    told: list[Track] = []
    for scan in range(60):
        time_ns = 200_000_000 * scan
        points = np.concatenate(
            [start + velocity * 0.2 * scan, random.uniform(-900, 900, (6, 3)) + np.array([0.0, 0.0, 900.0])]
        )
        points = points + random.normal(0, 3, points.shape) - sensor.position_enu_m
        r = np.linalg.norm(points, axis=1)
        detections = tuple(
            Detection(Polar(math.atan2(e, n), 0.02, math.asin(u / far), 0.03, far, 5.0), 1.0)
            for (e, n, u), far in zip(points.tolist(), r.tolist(), strict=True)
        )
        told += tracker.apply(Scan("radar", time_ns, looked, detections), time_ns).tracks
    return told


def test_a_compiled_tracker_tells_the_same_tracks() -> None:
    one, other = tracked(False), tracked(True)
    assert len(one) > 100
    assert [(t.track_number, t.revision, t.status) for t in one] == [
        (t.track_number, t.revision, t.status) for t in other
    ]
    for plain, fast in zip(one, other, strict=True):
        same(plain.state, fast.state)
        np.testing.assert_allclose(plain.covariance, fast.covariance, rtol=1e-9, atol=1e-9 * plain.covariance.max())


def test_a_compiled_tracker_tells_the_same_bytes_twice() -> None:
    one, other = tracked(True), tracked(True)
    assert [t.covariance.tobytes() for t in one] == [t.covariance.tobytes() for t in other]


def test_where_nothing_compiled_can_be_kept_it_is_compiled_all_the_same(tmp_path: Path) -> None:
    import numba

    from fusion.compiled.decorator import compiled

    scope: dict[str, Any] = {}
    nowhere = tmp_path / "file" / "doubled.py"  # no folder can be made where a file stands, nor in a home that is none
    (tmp_path / "file").touch()
    exec(compile("def doubled(x): return 2 * x", str(nowhere), "exec"), scope)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(nowhere))
        patch.setenv("XDG_CACHE_HOME", str(nowhere))
        with pytest.raises(RuntimeError, match="no locator available"):
            numba.njit(cache=True)(scope["doubled"])
        assert compiled("i8(i8)")(scope["doubled"])(21) == 42


def test_on_a_full_disk_it_is_compiled_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from fusion.compiled.decorator import compiled

    def save(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", save)
    written = tmp_path / "doubled.py"
    written.write_text("def part(x): return x\ndef doubled(x): return part(x) + part(x)\n")
    scope: dict[str, Any] = {}
    exec(compile(written.read_text(), str(written), "exec"), scope)
    scope["part"] = compiled()(scope["part"])
    assert compiled("i8(i8)")(scope["doubled"])(21) == 42
