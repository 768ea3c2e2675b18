import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.comparison import Tolerances, WrongLine, compare, read_messages
from fusion.wire import DirectionMessage, TrackMessage, TracksMessage, encode, rfc3339

START_NS = 1_772_446_530_000_000_000
TOLERANCES = Tolerances()


def track(
    number: int, second: float, north_m: float = 0.0, kind: str = "drone", azimuth_deg: float | None = None
) -> TrackMessage:
    direction = (
        DirectionMessage("camera", azimuth_deg, 0.5, 3.0, 0.5, (100.0, 900.0)) if azimuth_deg is not None else None
    )
    time = rfc3339(START_NS + round(second * 1e9))
    return TrackMessage(
        track_number=number,
        revision=int(second * 10),
        time=time,
        status="confirmed",
        reason=None,
        latitude_deg=45.0 + north_m / 111_132.0,
        longitude_deg=7.0 + 1e-5 * second,
        height_m=650.0,
        velocity_enu_m_s=(0.788, 0.0, 0.0),
        covariance=(1.0,) * 21,
        existence_probability=0.99,
        classes={kind: 0.8, "unknown": 0.2},
        claims=(),
        sensor_ids=("radar",),
        last_detection=time,
        direction=direction,
        explanation=None,
    )


def run(tracks: list[TrackMessage], run_id: str = "run") -> list[TracksMessage]:
    return [TracksMessage(1, "ridge", run_id, i + 1, t.time, (t,), ()) for i, t in enumerate(tracks)]


def flight(number: int, north_m: float = 0.0, seconds: int = 10, **more: object) -> list[TrackMessage]:
    return [track(number, s / 2, north_m, **more) for s in range(2 * seconds)]  # type: ignore[arg-type]


def kinds(
    a: list[TrackMessage], b: list[TrackMessage], tolerances: Tolerances = TOLERANCES
) -> list[tuple[object, ...]]:
    return [(d.kind, d.track_a, d.track_b) for d in compare(run(a), run(b, "other"), tolerances).differences]


def test_a_run_equals_itself() -> None:
    a = flight(1) + flight(2, north_m=200.0)
    result = compare(run(a), run(a, "other"), TOLERANCES)
    assert result.differences == ()
    assert (result.tracks_a, result.tracks_b, result.paired, result.largest_distance_m) == (2, 2, 2, 0.0)


def test_numbers_alone_are_no_difference() -> None:
    assert kinds(flight(1) + flight(2, north_m=200.0), flight(8) + flight(5, north_m=200.0)) == []


def test_a_track_that_is_gone_vanished_and_a_new_one_appeared() -> None:
    assert kinds(flight(1) + flight(2, north_m=200.0), flight(1)) == [("vanished", 2, None)]
    assert kinds(flight(1), flight(1) + flight(2, north_m=200.0)) == [("appeared", None, 2)]


@given(st.floats(0.0, 40.0))
def test_a_shifted_track_moved_by_as_much_as_it_was_shifted(shift_m: float) -> None:
    result = compare(run(flight(1)), run(flight(1, north_m=shift_m)), TOLERANCES)
    assert result.largest_distance_m == pytest.approx(shift_m, rel=1e-3, abs=1e-6)
    assert bool(result.differences) == (result.largest_distance_m > 0.01)


def test_what_lies_within_the_tolerances_is_equal() -> None:
    assert kinds(flight(1), flight(1, north_m=0.5)) == [("moved", 1, 1)]
    assert kinds(flight(1), flight(1, north_m=0.5), Tolerances(position_m=1.0)) == []


def test_nearest_tracks_are_paired_first() -> None:
    a = flight(1) + flight(2, north_m=30.0)
    b = flight(1, north_m=29.0) + flight(2, north_m=1.0)
    assert kinds(a, b, Tolerances(position_m=2.0)) == []


def test_another_class_and_an_earlier_end_are_told() -> None:
    assert kinds(flight(1), flight(1, kind="bird")) == [("class", 1, 1)]
    assert kinds(flight(1), flight(1, seconds=8)) == [("span", 1, 1)]


def test_tracks_known_as_directions_are_compared_by_angle_across_north() -> None:
    a = flight(1, azimuth_deg=359.9)
    far = flight(1, north_m=400.0, azimuth_deg=0.1)  # the invented distance along the direction does not matter
    (difference,) = compare(run(a), run(far), TOLERANCES).differences
    assert difference.kind == "turned"
    result = compare(run(a), run(far), Tolerances(azimuth_deg=0.3))
    assert result.differences == ()
    assert result.largest_turn_deg is not None
    assert math.isclose(result.largest_turn_deg, 0.2, abs_tol=1e-9)


def test_other_times_are_bridged_with_the_velocity() -> None:
    later = [track(1, s / 2 + 0.1) for s in range(20)]
    result = compare(run(flight(1)), run(later), Tolerances(position_m=0.05, span_s=0.2))
    assert result.differences == ()


def test_two_empty_runs_are_equal() -> None:
    assert compare([], [], TOLERANCES).differences == ()


def test_messages_come_back_from_their_lines() -> None:
    messages = run(flight(1))
    assert read_messages([encode(message) + b"\n" for message in messages]) == messages


@pytest.mark.parametrize("line", [b"{}", b"hello", b"\xff\xfe", b'{"version":1}'])
def test_a_wrong_line_is_named(line: bytes) -> None:
    with pytest.raises(WrongLine, match="line 2"):
        read_messages([encode(run(flight(1))[0]), line])
