"""Motions: smooth, periodic, within their speed, and the same whenever they are asked."""

from __future__ import annotations

import numpy as np
import pytest

from edge.simulator.motion import (
    Circuit,
    Flapping,
    Hover,
    Soaring,
    Waypoints,
    leg_duration_s,
    position_enu_m,
    velocity_enu_m_s,
)

SQUARE = [[0, 0, 10], [40, 0, 12], [40, 40, 14], [0, 40, 12]]


def test_a_circuit_passes_its_points_at_constant_speed_and_comes_round():
    circuit = Circuit(SQUARE, speed_m_s=7.0)
    times = np.arange(0.0, circuit.period_s, 0.1)
    path = circuit.positions_enu_m(times)
    for point in SQUARE:
        assert np.linalg.norm(path - point, axis=1).min() < 0.5  # 0.1 s at 7 m/s is 0.7 m between samples
    speeds = [np.linalg.norm(velocity_enu_m_s(circuit, t)) for t in times]
    assert speeds == pytest.approx([7.0] * len(times), abs=0.05)
    assert position_enu_m(circuit, 3.0 + 50 * circuit.period_s) == pytest.approx(position_enu_m(circuit, 3.0), abs=1e-6)


def test_a_stop_and_go_flight_rests_at_every_point_and_never_jumps():
    flight = Waypoints(SQUARE, speed_m_s=6.0, hover_s=2.0, acceleration_m_s2=2.5)
    times = np.arange(0.0, 2 * flight.period_s, 0.02)
    path = flight.positions_enu_m(times)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() <= 6.0 * 0.02 + 1e-6
    resting = path[1:][steps < 1e-9]
    for point in SQUARE:
        assert np.linalg.norm(resting - point, axis=1).min() < 1e-6
    faster = np.abs(np.diff(steps)) / 0.02**2
    assert faster.max() < 2.5 + 0.1


def test_a_short_leg_takes_the_time_that_speeding_up_and_braking_need():
    assert leg_duration_s(2.5, 6.0, 2.5) == pytest.approx(2.0)  # 1.25 m in 1 s, and the same to brake
    assert leg_duration_s(6.0 * 10, 6.0, 2.5) == pytest.approx(10.0 + 6.0 / 2.5)


@pytest.mark.parametrize(
    "motion",
    [
        Hover([1, 2, 30], 0.3, np.random.default_rng(1)),
        Flapping(SQUARE, 9.0, np.random.default_rng(1)),
        Soaring([0, 60, 40], 15.0, 8.0),
        Circuit(SQUARE, 5.0),
        Waypoints(SQUARE, 5.0),
    ],
    ids=lambda motion: type(motion).__name__,
)
def test_a_motion_is_a_function_of_time_alone(motion):
    forward = [position_enu_m(motion, t) for t in (0.0, 1.5, 7200.25)]
    backward = [position_enu_m(motion, t) for t in (7200.25, 1.5, 0.0)][::-1]
    np.testing.assert_array_equal(forward, backward)
    assert np.isfinite(forward).all()


def test_a_flapping_bird_rises_while_it_beats_and_sinks_in_the_glide():
    level = [[0, 0, 20], [60, 0, 20], [60, 60, 20], [0, 60, 20]]
    bird = Flapping(level, 8.0, np.random.default_rng(3))
    climb = {True: [], False: []}
    for t in np.arange(0.0, 30.0, 0.05):
        climb[bird.is_flapping(t)].append(velocity_enu_m_s(bird, t)[2])
    assert np.mean(climb[True]) > 0.2 > -0.2 > np.mean(climb[False])
