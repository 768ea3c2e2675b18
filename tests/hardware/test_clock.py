"""The clock as a sensor, with time made of data."""

from __future__ import annotations

import json

import pytest

from hardware.clock import (
    EARLIEST_TRUSTED_NS,
    Clock,
    ClockDriver,
    ClockEvent,
    ClockState,
    boot_id,
    kernel_clock_state,
)

TRUSTED = ClockState(True, "disciplined within 0.002 s", 0.002)
UNTRUSTED = ClockState(False, "no time service")


@pytest.fixture
def driver(standing_clock):
    made = ClockDriver(
        Clock(standing_clock.wall_ns, standing_clock.monotonic_ns), lambda: made.state_now, standing_clock.advance
    )
    made.state_now = TRUSTED
    made.open()
    return made


def read(driver: ClockDriver) -> bytes:
    delivery = driver.read(1.0)
    assert delivery is not None
    return delivery.data


def test_stamps_follow_monotonic_time_when_the_wall_clock_steps(standing_clock):
    clock = Clock(standing_clock.wall_ns, standing_clock.monotonic_ns)
    received_ns, monotonic_ns = clock.now()
    assert (received_ns, monotonic_ns) == (standing_clock.wall, standing_clock.monotonic)
    standing_clock.advance(2.0)
    standing_clock.wall += 3600 * 10**9
    assert clock.now() == (received_ns + 2 * 10**9, monotonic_ns + 2 * 10**9)


def test_it_begins_with_the_state_of_trust_and_ticks_ten_times_a_second(driver, standing_clock):
    assert ClockEvent.from_json(read(driver)) == ClockEvent("trusted", TRUSTED.text, error_bound_s=0.002)
    before_ns = standing_clock.monotonic
    assert [read(driver) for _ in range(51)] == [b""] * 51
    assert standing_clock.monotonic - before_ns == 5_000_000_000


def test_nothing_is_due_before_the_next_tick(driver):
    read(driver), read(driver)
    assert driver.read(0.03) is None


@pytest.mark.parametrize("step_s", [-13.0, 0.101, 3600.0, 1.7e9])
def test_a_step_of_the_wall_clock_is_told_with_its_size(driver, standing_clock, step_s):
    read(driver), read(driver)
    standing_clock.wall += round(step_s * 1e9)
    event = ClockEvent.from_json(read(driver))
    assert event.event == "step"
    assert event.step_s == event.offset_s == pytest.approx(step_s, abs=1e-6)
    assert read(driver) == b""  # told once


def test_slewing_is_no_step(driver, standing_clock):
    read(driver)
    for _ in range(200):
        standing_clock.wall += 50_000  # 500 ppm, the most the kernel slews, of a tick
        assert read(driver) == b""


def test_the_offset_of_several_steps_adds_up(driver, standing_clock):
    read(driver), read(driver)
    standing_clock.wall += 2_000_000_000
    read(driver)
    standing_clock.wall -= 500_000_000
    event = ClockEvent.from_json(read(driver))
    assert (event.step_s, event.offset_s) == (-0.5, 1.5)


def test_trust_gained_and_lost_is_told_within_a_second(driver):
    driver.state_now = UNTRUSTED
    driver.open()
    events = [json.loads(data)["event"] for data in (read(driver) for _ in range(12)) if data]
    driver.state_now = TRUSTED
    events += [json.loads(data)["event"] for data in (read(driver) for _ in range(12)) if data]
    assert events == ["untrusted", "trusted"]


def test_a_process_held_up_between_two_reads_is_no_step():
    # the wall clock is read 0.4 s late once; the second look at it is clean
    monotonic = iter([0, 0, 400_000_000, 400_000_000, 400_000_000])
    wall = iter([10**18, 10**18 + 400_000_000, 10**18 + 400_000_000])
    clock = Clock(lambda: next(wall), lambda: next(monotonic))
    assert clock.wall_minus_monotonic_ns in (10**18, 10**18 + 0)


def test_a_boot_in_1970_is_not_trusted():
    state = kernel_clock_state(lambda: 86_400 * 10**9)
    assert not state.trusted
    assert state.text == "the clock says 1970: it was never set"


def test_the_kernel_is_asked_and_answers():
    state = kernel_clock_state(lambda: EARLIEST_TRUSTED_NS)
    assert state.text
    assert state.trusted == (state.error_bound_s is not None)


def test_the_boot_has_a_name():
    name = boot_id()
    assert name is None or len(name) == 36
