from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fusion.frames import LocalFrame
from fusion.tracker import Tracker
from fusion.types import (
    Accuracy,
    Claim,
    ClaimAgreement,
    Detection,
    DetectionProbability,
    Geodetic,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
)

FRAME = LocalFrame(Geodetic(45.0, 7.0, 600.0))
RATES_HZ = {"radar": 15.0}
RECEIVER = Sensor("remote-id", (0.0, 0.0, 3.0), Orientation(0, 0, 0), Accuracy())


def claim_at(time_ns: int, enu_m: Any, transmitter: str = "aa:01", **changes: Any) -> Claim:
    claim = Claim(
        sensor_id="remote-id",
        time_ns=time_ns,
        protocol="open_drone_id",
        transmitter=transmitter,
        identity="SN-1",
        identity_type="serial",
        category=None,
        position=None if enu_m is None else FRAME.enu_to_geodetic(enu_m),
        horizontal_sigma_m=3.0,
        vertical_sigma_m=10.0,
        velocity_enu_m_s=None,
        speed_sigma_m_s=None,
        operator_position=None,
        operator_id=None,
        status=None,
        text=None,
        authenticated=False,
        power_dbm=None,
    )
    return replace(claim, **changes)


@pytest.fixture
def tracked(world: Callable, flying_object: Callable, radar: Sensor) -> tuple[Tracker, Any, int]:
    """A tracker that has followed one drone for three seconds; the drone; the time."""
    thing = flying_object((-20.0, 80.0, 20.0), (4.0, 0.0, 0.0))
    scans = world([thing], RATES_HZ, [radar]).scans(3.0)
    tracker = Tracker([radar, RECEIVER], frame=FRAME)
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    return tracker, thing.at(scans[-1].time_ns / 1e9 - scans[0].time_ns / 1e9), scans[-1].time_ns


def agreement_of(update: Any) -> tuple[list[ClaimAgreement], list[ClaimAgreement]]:
    """Claims on tracks, and claims that belong to none."""
    return [claim for track in update.tracks for claim in track.claims], list(update.claims)


def test_a_claim_where_the_track_is_agrees_and_moves_nothing(tracked: tuple[Tracker, Any, int]) -> None:
    tracker, place, now_ns = tracked
    before = tracker.tracks_at(now_ns)[0]
    update = tracker.apply(claim_at(now_ns, place + np.array([2.0, -1.0, 4.0])), now_ns)
    on_tracks, alone = agreement_of(update)
    assert [claim.agreement for claim in on_tracks] == ["agrees"]
    assert on_tracks[0].distance_sigma is not None
    assert on_tracks[0].distance_sigma < 3.0
    assert alone == []
    after = tracker.tracks_at(now_ns)[0]
    assert np.array_equal(before.state, after.state)
    assert np.array_equal(before.covariance, after.covariance)
    assert after.existence_probability == before.existence_probability


def test_a_claim_that_leaves_its_track_contradicts_and_is_named_as_dissent(tracked: tuple[Tracker, Any, int]) -> None:
    tracker, place, now_ns = tracked
    tracker.apply(claim_at(now_ns, place), now_ns)
    before = tracker.tracks_at(now_ns)[0]
    (track,) = tracker.apply(claim_at(now_ns + 10**9, place + np.array([150.0, 0, 0])), now_ns + 10**9).tracks
    assert [claim.agreement for claim in track.claims] == ["contradicts"]
    assert track.explanation is not None
    assert track.explanation.dissenting == ("remote-id",)
    assert np.array_equal(tracker.tracks_at(now_ns)[0].state, before.state)


@pytest.mark.parametrize("enu_m", [(900.0, 900.0, 50.0), (30_000.0, 0.0, 100.0), None])
def test_a_claim_with_no_track_stands_alone_and_starts_none(tracked: tuple[Tracker, Any, int], enu_m: Any) -> None:
    tracker, _, now_ns = tracked
    for k in range(20):
        update = tracker.apply(claim_at(now_ns + k * 10**8, enu_m), now_ns + k * 10**8)
        on_tracks, alone = agreement_of(update)
        assert on_tracks == []
        assert [claim.agreement for claim in alone] == ["not_testable"]
    assert len(tracker.tracks_at(now_ns)) == 1


def test_a_claim_far_away_is_the_same_wherever_tracks_are(radar: Sensor, start_ns: int) -> None:
    tracker = Tracker([radar], frame=FRAME)
    update = tracker.apply(claim_at(start_ns, (0.0, 25_000.0, 0.0)), start_ns)
    assert update.tracks == ()
    assert update.claims[0].distance_sigma is None


def test_without_a_frame_no_claim_can_be_placed(radar: Sensor, start_ns: int) -> None:
    update = Tracker([radar]).apply(claim_at(start_ns, (0.0, 10.0, 0.0)), start_ns)
    assert [claim.agreement for claim in update.claims] == ["not_testable"]


def test_where_reports_are_trusted_they_start_and_move_tracks_by_identity(start_ns: int) -> None:
    tracker = Tracker([RECEIVER], frame=FRAME, claims_as_measurements=True)
    for k in range(6):
        time_ns = start_ns + k * 10**9
        tracker.apply(claim_at(time_ns, (100.0 + 5.0 * k, 50.0, 30.0)), time_ns)
        tracker.apply(claim_at(time_ns, (104.0 + 5.0 * k, 52.0, 30.0), "aa:02", identity="SN-2"), time_ns)
    tracks = tracker.tracks_at(start_ns + 5 * 10**9)
    assert len(tracks) == 2
    assert sorted(round(float(track.state[0])) for track in tracks) == pytest.approx([125, 129], abs=3)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_trusted_report_of_what_a_radar_denies_becomes_no_track(
    world: Callable, flying_object: Callable, radar: Sensor, is_there: bool
) -> None:
    """A transmitter says once a second that it hovers 80 m north; there it does, or nothing is."""
    place = (0.0, 80.0, 20.0)
    things = [flying_object(place, (0.0, 0.0, 0.0))] if is_there else []
    scans = world(things, {"radar": 2.0}, [radar]).scans(20.0)
    start_ns = scans[0].time_ns
    facts = [*scans, *(claim_at(start_ns + k * 10**9 + 10**8, place) for k in range(20))]
    tracker, told = Tracker([radar, RECEIVER], frame=FRAME, claims_as_measurements=True), []
    for fact in sorted(facts, key=lambda fact: fact.time_ns):
        tracker.apply(fact, fact.time_ns)
        told.append(len(tracker.tracks_at(fact.time_ns)))
    assert (max(told), told[-1]) == ((1, 1) if is_there else (0, 0))


def test_a_track_that_follows_a_drifting_report_away_from_its_object_is_given_up(
    world: Callable, flying_object: Callable, radar: Sensor
) -> None:
    """A drone hovers; from 5 s on it says that it leaves at 8 m/s. The radar sees it stay, and nothing where it says it is."""
    place = np.array([0.0, 80.0, 20.0])
    scans = world([flying_object(tuple(place), (0.0, 0.0, 0.0))], {"radar": 2.0}, [radar]).scans(20.0)
    start_ns = scans[0].time_ns
    drifts = [(8.0 * max(k - 5.0, 0.0) * np.array([-0.5, -0.3, 0.0])) for k in range(20)]
    claims = [claim_at(start_ns + k * 10**9 + 10**8, place + drift) for k, drift in enumerate(drifts)]
    tracker = Tracker([radar, RECEIVER], frame=FRAME, claims_as_measurements=True)
    for fact in sorted([*scans, *claims], key=lambda fact: fact.time_ns):
        tracker.apply(fact, fact.time_ns)
    tracks = tracker.tracks_at(scans[-1].time_ns)
    assert len(tracks) == 1
    assert np.linalg.norm(tracks[0].state[:3] - place) < 5.0


def test_many_that_report_once_a_second_are_all_followed(start_ns: int) -> None:
    tracker = Tracker([RECEIVER], frame=FRAME, claims_as_measurements=True)
    for k in range(100):  # a report each tenth of a second, each of another transmitter
        which, time_ns = k % 10, start_ns + k * 10**8
        tracker.apply(claim_at(time_ns, (100.0 * which, 50.0, 30.0), f"aa:{which}", identity=f"SN-{which}"), time_ns)
    tracks = tracker.tracks_at(start_ns + 100 * 10**8)
    assert sorted(round(float(track.state[0]) / 100.0) for track in tracks) == list(range(10))


def test_the_book_of_claims_is_bounded(radar: Sensor, start_ns: int, monkeypatch: Any) -> None:
    from fusion import claims

    monkeypatch.setattr(claims, "MAX_CLAIMS", 10)
    tracker = Tracker([radar], frame=FRAME)
    for k in range(50):
        tracker.apply(claim_at(start_ns + k, (500.0, 0.0, 10.0), f"aa:{k}"), start_ns + k)
    assert len(tracker._book._held) == 10


@pytest.mark.parametrize("silent_s", [8, 60, 300])
def test_a_claim_is_not_set_beside_a_track_that_nobody_sees_any_more(
    tracked: tuple[Tracker, Any, int], silent_s: int
) -> None:
    """Scans have stopped, so the row stands in the table; its uncertainty has grown until it would agree with anything."""
    tracker, place, last_ns = tracked
    tracker.apply(claim_at(last_ns, place), last_ns)
    now_ns = last_ns + silent_s * 10**9
    for wrong in (claim_at(now_ns, place), claim_at(now_ns, (900.0, 900.0, 50.0), "aa:02")):
        on_tracks, alone = agreement_of(tracker.apply(wrong, now_ns))
        assert on_tracks == []
        assert [claim.agreement for claim in alone] == ["not_testable"]


def test_of_two_tracks_a_claim_is_set_beside_the_likelier_one(
    world: Callable, flying_object: Callable, radar: Sensor
) -> None:
    """The other one has not been seen for some seconds and is so unsure that it would agree with the claim as well."""
    lost, seen = (
        flying_object((-10.0, 60.0, 20.0), (0.0, 0.0, 0.0)),
        flying_object((15.0, 60.0, 20.0), (0.0, 0.0, 0.0)),
    )
    tracker = Tracker([radar, RECEIVER], frame=FRAME)
    scans = world([lost, seen], RATES_HZ, [radar]).scans(3.0)
    scans += [
        replace(scan, time_ns=scan.time_ns + 3 * 10**9, looked=None)
        for scan in world([seen], RATES_HZ, [radar], seed=2).scans(3.5)
    ]
    for scan in scans:
        tracker.apply(scan, scan.time_ns)
    now_ns = scans[-1].time_ns
    assert len(tracker.tracks_at(now_ns)) == 2
    unsure = max(tracker.tracks_at(now_ns), key=lambda track: float(np.trace(track.covariance)))
    (told,) = tracker.apply(claim_at(now_ns, (10.0, 60.0, 20.0)), now_ns).tracks
    assert told.claims[0].agreement == "agrees"
    assert told.track_number != unsure.track_number


def test_a_claim_beside_a_badly_mounted_sensors_track_knows_of_the_mounting(
    world: Callable, flying_object: Callable, radar: Sensor
) -> None:
    turned = replace(radar, mounting_sigma_rad=0.087)
    scans = world([flying_object((0.0, 90.0, 20.0), (1.0, 0.0, 0.0))], RATES_HZ, [radar]).scans(3.0)
    for sensor, expected in ((radar, "not_testable"), (turned, "agrees")):
        tracker = Tracker([sensor, RECEIVER], frame=FRAME)
        for scan in scans:
            tracker.apply(scan, scan.time_ns)
        now_ns = scans[-1].time_ns
        update = tracker.apply(claim_at(now_ns, (3.0 + 15.0, 89.0, 20.0), vertical_sigma_m=3.0), now_ns)
        on_tracks, alone = agreement_of(update)
        assert [claim.agreement for claim in on_tracks + alone] == [expected]


def radar_looks(radar: Sensor, start_ns: int, shown: Any = None, up_m: float = 40.0) -> list[str]:
    """What becomes of a claim 300 m north while a radar looks there; shown: where its one detection a scan lies, if any."""
    look = Look(radar.orientation, (-1.0, 1.0), (-0.3, 0.6), (2.0, 900.0))
    tracker = Tracker([replace(radar, detection_probability=DetectionProbability(0.85))], frame=FRAME)
    told = []
    for k in range(100):
        time_ns = start_ns + k * 10**8
        found = () if shown is None else (Detection(Polar(0.0, 0.02, 0.1, 0.02, shown, 2.0), 0.9),)
        tracker.apply(Scan(radar.sensor_id, time_ns, (look,), found), time_ns)
        if k % 10 == 5:
            claim = claim_at(time_ns, (0.0, 300.0, up_m), velocity_enu_m_s=(0.0, 0.0, 0.0))
            on_tracks, alone = agreement_of(tracker.apply(claim, time_ns))
            told += [one.agreement for one in [*on_tracks, *alone]]
    return told


def test_a_claim_where_a_radar_looks_and_sees_nothing_contradicts_after_some_seconds(
    radar: Sensor, start_ns: int
) -> None:
    told = radar_looks(radar, start_ns)
    assert told == ["not_testable"] * 3 + ["contradicts"] * 7
    assert set(radar_looks(radar, start_ns, shown=600.0)) >= {"contradicts"}  # what stands elsewhere bears nothing out


def test_silence_denies_no_claim_near_the_ground_nor_one_where_anything_was_seen(radar: Sensor, start_ns: int) -> None:
    assert set(radar_looks(radar, start_ns, up_m=12.0)) == {"not_testable"}  # 1.5 degrees: a hedge may stand there
    assert "contradicts" not in radar_looks(radar, start_ns, shown=304.0)


def looking(radar: Sensor, sensor_id: str) -> tuple[Sensor, Look]:
    sensor = replace(radar, sensor_id=sensor_id, detection_probability=DetectionProbability(0.85))
    return sensor, Look(radar.orientation, (-1.0, 1.0), (-0.3, 0.6), (2.0, 900.0))


@pytest.mark.parametrize("sees", [True, False])
@pytest.mark.parametrize("order", ["late", 1, 2, 3])
def test_what_silence_denies_does_not_depend_on_what_came_first(
    radar: Sensor, start_ns: int, order: Any, sees: bool
) -> None:
    """One radar sees nothing; what the other one sees, now and then, holds though it comes after newer claims."""
    (one, look), (other, _) = looking(radar, "one"), looking(radar, "other")
    facts: list[tuple[int, Any]] = []
    for k in range(70):
        time_ns, north_m = start_ns + k * 10**8, 300.0 + 2.0 * k
        away = np.array([0.0, north_m, 60.0]) - radar.position_enu_m
        r = float(np.linalg.norm(away))
        facts.append((time_ns, Scan("one", time_ns, (look,), ())))
        if k % 15 == 12:
            found = (Detection(Polar(0.0, 0.02, float(np.arcsin(away[2] / r)), 0.02, r, 2.0), 0.9),) if sees else ()
            facts.append((time_ns, Scan("other", time_ns, (look,), found)))
        if k % 5 == 0:
            velocity = (0.0, 20.0, 0.0)
            facts.append((time_ns, claim_at(time_ns, (0.0, north_m, 60.0), velocity_enu_m_s=velocity)))
    chance = np.random.default_rng(0 if order == "late" else order)
    arrivals = [
        time_ns + 9 * 10**8 * (isinstance(fact, Scan) and fact.sensor_id == "other")
        if order == "late"
        else time_ns + int(chance.integers(0, 10**9))
        for time_ns, fact in facts
    ]
    tracker = Tracker([one, other], frame=FRAME)
    for place in np.argsort(arrivals, kind="stable").tolist():
        tracker.apply(facts[place][1], arrivals[place])
    end_ns = start_ns + 7 * 10**9
    (told,) = tracker.apply(claim_at(end_ns, (0.0, 440.0, 60.0), velocity_enu_m_s=(0.0, 20.0, 0.0)), end_ns).claims
    assert told.agreement == ("not_testable" if sees else "contradicts")


def test_a_denial_is_of_where_a_sensor_looks_and_is_forgotten_when_none_does(radar: Sensor, start_ns: int) -> None:
    sensor, look = looking(radar, "radar")
    tracker = Tracker([sensor], frame=FRAME)

    def told(time_s: float, enu_m: Any) -> list[str]:
        time_ns = start_ns + round(time_s * 1e9)
        return [one.agreement for one in tracker.apply(claim_at(time_ns, enu_m), time_ns).claims]

    for k in range(60):
        tracker.apply(Scan("radar", start_ns + k * 10**8, (look,), ()), start_ns + k * 10**8)
        if k % 10 == 0:
            told(k / 10, (0.0, 300.0, 60.0))
    assert told(6.0, (0.0, 300.0, 60.0)) == ["contradicts"]
    assert told(6.1, (0.0, -5000.0, 600.0)) == ["not_testable"]  # behind the radar
    assert told(6.2, (100.0, 350.0, 60.0)) == ["contradicts"]  # a place that it looks at
    assert told(18.0, (0.0, 300.0, 60.0)) == ["not_testable"]  # nobody has looked since second 6


def test_a_look_does_not_place_five_hundred_claims_anew(radar: Sensor, start_ns: int) -> None:
    class Counting(LocalFrame):
        count = 0

        def geodetic_to_enu(self, point: Geodetic) -> Any:
            Counting.count += 1
            return super().geodetic_to_enu(point)

    sensor, look = looking(radar, "radar")
    tracker = Tracker([sensor], frame=Counting(FRAME.origin))
    for k in range(500):
        tracker.apply(claim_at(start_ns + k, (0.5 * k, 300.0, 60.0), f"aa:{k}"), start_ns + k)
    assert Counting.count == 500
    for k in range(1, 41):
        tracker.apply(Scan("radar", start_ns + k * 10**8, (look,), ()), start_ns + k * 10**8)
    assert Counting.count == 500
    end_ns = start_ns + 41 * 10**8
    (told,) = tracker.apply(claim_at(end_ns, (50.0, 300.0, 60.0), "aa:100"), end_ns).claims
    assert told.agreement == "contradicts"
