"""Times of frames that come several in a reading: strictly growing, one period apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_interfaces import ld2450, ti_mmwave
from firmware_interfaces.scan_times import LEAST_STEP_NS, SHORTEST_PERIOD_NS, ScanTimes
from fusion.types import Reading, Sensor

MakeReading = Callable[..., Reading]
MS = 1_000_000
T0 = 1_780_000_000_000 * MS


def times_ms(readings: Sequence[tuple[Sequence[int | None], float]], first_period_ms: int = 50) -> list[list[float]]:
    scan_times = ScanTimes(0, first_period_ms * MS)
    return [[(t - T0) / MS for t in scan_times.of(numbers, T0 + round(at * MS))] for numbers, at in readings]


def test_a_lone_frame_is_as_old_as_its_reading_less_the_latency() -> None:
    assert ScanTimes(40 * MS, 50 * MS).of([7], T0) == [T0 - 40 * MS]


def test_earlier_frames_of_a_reading_lie_one_learned_period_earlier_each() -> None:
    lone = [([n], 40.0 * n) for n in range(6)]
    *_, last = times_ms([*lone, ([6, 7, 8, 9], 400.0)])
    assert last == [280.0, 320.0, 360.0, 400.0]  # 40 ms apart, though 50 ms was the first guess


def test_a_missed_frame_leaves_its_gap() -> None:
    lone = [([n], 40.0 * n) for n in range(6)]
    *_, last = times_ms([*lone, ([6, 9], 360.0)])
    assert last == [240.0, 360.0]


def test_frames_that_would_reach_behind_the_scan_before_share_the_time_since_then() -> None:
    *_, last = times_ms([([1], 0.0), ([2, 3, 4], 30.0)])
    assert last == [10.0, 20.0, 30.0]


def test_readings_of_one_moment_still_give_growing_times() -> None:
    first, second = times_ms([([1, 2], 0.0), ([3], 0.0)])
    assert first == [-50.0, 0.0]
    assert second == [LEAST_STEP_NS / MS]


WRAPS, STARTS_ANEW, UNNUMBERED = [2**32 - 1, 0, 1, 2, 3], [500, 1, 2, 3, 4], [None] * 5


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4, 5], WRAPS, STARTS_ANEW, UNNUMBERED])
def test_a_restart_a_wrap_and_frames_without_number_count_as_one(numbers: list[int | None]) -> None:
    lone = [([number], 20.0 * at) for at, number in enumerate(numbers[:3])]
    *_, last = times_ms([*lone, (numbers[3:], 60.0)])
    assert last == [50.0, 60.0]


def test_a_silence_is_not_taken_for_a_long_period() -> None:
    before = [([None], 100.0 * n) for n in range(6)]
    *_, last = times_ms([*before, ([None] * 3, 60_000.0)])
    assert last == [59_800.0, 59_900.0, 60_000.0]


def test_another_run_with_an_earlier_clock_starts_anew() -> None:
    *_, last = times_ms([([1], 100_000.0), ([1], 0.0)])
    assert last == [0.0]


steps = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 400)), min_size=1, max_size=60)


@given(steps, st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_times_grow_strictly_whatever_comes(steps: list[tuple[int, int]], odd: list[int]) -> None:
    scan_times, received_ns, number, times_ns = ScanTimes(10 * MS, 50 * MS), T0, 0, []
    for count, wait_ms in steps:
        received_ns += wait_ms * MS
        number += count
        found = scan_times.of([*range(number - count, number), *odd], received_ns)
        assert len(found) == count + len(odd)
        times_ns += found
    assert all(after - before >= LEAST_STEP_NS for before, after in itertools.pairwise(times_ns))


def test_a_radar_whose_port_hands_over_lumps_is_seen_at_its_own_pace(sensor: Sensor, make_reading: MakeReading) -> None:
    """20 Hz over a port that hands over every 130 ms: times are within a lump of the truth and never the same."""
    decoder = ti_mmwave.Decoder(replace(sensor, latency_ns=0))
    true_ns = [T0 + n * 50 * MS for n in range(200)]
    times_ns: list[int] = []
    for at in range(T0, true_ns[-1], 130 * MS):
        frames = [ti_mmwave.encode_frame(n, []) for n, t in enumerate(true_ns) if at - 130 * MS < t <= at]
        reading = replace(make_reading(b"".join(frames)), received_ns=at, monotonic_ns=at - T0 + 1)
        times_ns += [scan.time_ns for scan in decoder.feed(reading)]
    spacings_ns = [after - before for before, after in itertools.pairwise(times_ns)]
    assert min(spacings_ns) >= SHORTEST_PERIOD_NS
    assert all(0 <= found - true < 130 * MS for found, true in zip(times_ns, true_ns, strict=False))
    assert sum(spacings_ns) / len(spacings_ns) == pytest.approx(50 * MS, rel=0.02)


def test_presence_reports_of_one_reading_have_times_of_their_own(sensor: Sensor, make_reading: MakeReading) -> None:
    reading = make_reading(ld2450.encode_report([]) * 3)
    newest_ns = reading.received_ns - sensor.latency_ns
    found = [scan.time_ns for scan in ld2450.Decoder(sensor).feed(reading)]
    assert found == [newest_ns - 200 * MS, newest_ns - 100 * MS, newest_ns]
