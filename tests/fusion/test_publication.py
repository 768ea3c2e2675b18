"""What is said of tracks outside: numbers and time only go forward, and dropped is the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fusion.tracker import Tracker
from fusion.types import Accuracy, Coverage, Orientation, Scan, Sensor, Track

STEP_NS = 100_000_000
LOOK = Coverage((-0.3, 0.3), (-0.2, 0.2), (1.0, 300.0))
OTHER = Sensor("other", (0.0, 0.0, 0.0), Orientation(3.1, 0.0, 0.0), Accuracy(0.003, 0.003), coverage=LOOK)


@pytest.fixture
def followed(world: Callable, flying_object: Callable, radar: Sensor) -> tuple[Tracker, list[Scan]]:
    """A radar and a camera that looks elsewhere; the radar followed one drone for three seconds; its scans for six."""
    scans = world([flying_object((-20.0, 80.0, 20.0), (4.0, 0.0, 0.0))], {"radar": 15.0}, [radar]).scans(6.0)
    tracker = Tracker([radar, OTHER])
    for scan in scans[:45]:
        tracker.apply(scan, scan.time_ns)
    return tracker, scans


def ticks(tracker: Tracker, from_ns: int, seconds: float) -> list[Track]:
    return [track for k in range(int(seconds * 10)) for track in tracker.tick(from_ns + k * STEP_NS).tracks]


def test_when_scans_stop_a_track_is_dropped_once_and_never_again(followed: tuple[Tracker, list[Scan]]) -> None:
    tracker, scans = followed
    told = ticks(tracker, scans[44].time_ns, 200.0)
    assert [(track.track_number, track.reason) for track in told if track.status == "dropped"] == [(1, "unseen")]
    assert told[-1].status == "dropped"
    assert tracker.tracks_at(scans[44].time_ns) == ()


def test_a_late_scan_of_another_sensor_turns_neither_time_nor_status_back(followed: tuple[Tracker, list[Scan]]) -> None:
    tracker, scans = followed
    told: list[Track] = []
    for k in range(150):
        now_ns = scans[44].time_ns + k * STEP_NS
        told += tracker.tick(now_ns).tracks
        if k % 5 == 0:
            told += tracker.apply(Scan("other", now_ns - 1_700_000_000, None, ()), now_ns).tracks
    assert [track.time_ns for track in told] == sorted(track.time_ns for track in told)
    order = ["confirmed", "coasting", "dropped"]
    places = [order.index(track.status) for track in told]
    assert places == sorted(places)
    assert places.count(2) == 1


def test_a_new_detection_brings_a_coasting_track_back_under_its_number(followed: tuple[Tracker, list[Scan]]) -> None:
    tracker, scans = followed
    told: list[Any] = ticks(tracker, scans[44].time_ns, 1.9)
    assert told[-1].status == "coasting"
    for scan in scans[75:80]:
        told += tracker.apply(scan, scan.time_ns).tracks
    assert told[-1].status == "confirmed"
    assert {track.track_number for track in told} == {1}


def test_what_is_seen_again_after_it_was_dropped_has_a_new_number(followed: tuple[Tracker, list[Scan]]) -> None:
    tracker, scans = followed
    assert ticks(tracker, scans[44].time_ns, 14.0)[-1].status == "dropped"
    told = [track for scan in scans[45:50] for track in tracker.apply(scan, scan.time_ns + 4 * 10**9).tracks]
    assert {(track.track_number, track.status) for track in told} == {(2, "confirmed")}
    assert [track.revision for track in told] == list(range(1, len(told) + 1))
