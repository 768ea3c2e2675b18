"""Many posts, one tracker a tile: one number an object across posts and tiles, and a post that lies harms only itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from fusion import all_posts
from fusion.admission import AHEAD_NS, LATE_NS
from fusion.all_posts import MOST_TILES_OF_POST, AllPosts, Arrived
from fusion.frames import LocalFrame, ecef_to_geodetic, geodetic_to_ecef
from fusion.scan_messages import MeasuredMessage, ScanMessage, ScansMessage
from fusion.tiles import middle_of, tile_at
from fusion.types import Geodetic
from fusion.wire import ClaimMessage, rfc3339
from tests.made_radars import PlayedPost

SECOND_NS = 1_000_000_000
T = 1_800_000_000_000_000_000
MIDDLE = middle_of(tile_at(45.05, 7.1))


def place(east_m: float, north_m: float = 0.0, up_m: float = 120.0) -> Geodetic:
    return LocalFrame(MIDDLE).enu_to_geodetic([east_m, north_m, up_m])


def fly(posts: list[PlayedPost], path: Callable[[float], Geodetic], seconds: float, **more: object) -> list[tuple]:
    """(second, numbers, places, tiles) at each second; each post's message comes 60 ms after its scan."""
    tracker, seen = AllPosts(), []
    for post in posts:
        tracker.describe(post.sensors(), T)
    for half in range(int(2 * seconds)):
        now_ns = T + half * SECOND_NS // 2
        arrived = [Arrived(post.looks(now_ns, path(half / 2.0)), now_ns + 60_000_000) for post in posts]
        tracker.take(
            arrived + [Arrived(extra, now_ns + 60_000_000) for extra in more.get("extra", lambda _: [])(now_ns)]
        )
        if half % 2 == 1:
            found = tracker.look(now_ns + 100_000_000)
            seen.append(
                (
                    half / 2.0 + 0.1,
                    [one.number for one in found],
                    [ecef_to_geodetic(one.sighted.state[:3]) for one in found],
                    [one.sighted.key[0] for one in found],
                )
            )
    seen.append(tracker)
    return seen


def test_a_drone_that_crosses_from_post_to_post_keeps_its_number():
    posts = [PlayedPost("west", place(-1_300.0), 1), PlayedPost("east", place(1_300.0), 2)]
    *seen, _ = fly(posts, lambda t: place(-1_500.0 + 25.0 * t), 110.0)
    assert {tuple(numbers) for at, numbers, _, _ in seen if at > 4.0} == {(1,)}


def test_a_drone_that_crosses_from_tile_to_tile_keeps_its_number_and_belongs_to_the_tile_that_holds_it():
    edge_m = LocalFrame(MIDDLE).geodetic_to_enu(Geodetic(MIDDLE.latitude_deg + 0.2, MIDDLE.longitude_deg, 0.0))[1]
    posts = [
        PlayedPost("south", place(0.0, edge_m - 700.0), 1),
        PlayedPost("north", place(300.0, edge_m + 700.0), 2),
    ]

    def path(t: float) -> Geodetic:
        return place(0.0, edge_m - 1_300.0 + 25.0 * t, 300.0)

    *seen, _ = fly(posts, path, 100.0)
    settled = [one for one in seen if one[0] > 4.0]
    assert {tuple(numbers) for _, numbers, _, _ in settled} == {(1,)}
    assert len({tile for _, _, _, tiles in settled for tile in tiles}) == 2
    for at, _, [found], [tile] in settled:
        true = path(at)
        level = LocalFrame(true)
        assert np.linalg.norm(level.geodetic_to_enu(found)) < 25.0
        if abs(true.latitude_deg - MIDDLE.latitude_deg - 0.2) > 50.0 / 111_000.0:
            assert tile == tile_at(true.latitude_deg, true.longitude_deg)


def test_posts_sixty_kilometres_apart_place_a_detection_where_it_is_to_the_centimetre():
    ends = [PlayedPost("one", place(-30_000.0, 200.0, 500.0)), PlayedPost("two", place(30_000.0, -300.0, 900.0))]
    tracker = AllPosts()
    for post in ends:
        tracker.describe(post.sensors(), T)
    for post in ends:
        azimuth, elevation, range_m = math.radians(37.0), math.radians(11.0), 1_500.0
        true = post.level.enu_to_geodetic(
            [
                range_m * math.cos(elevation) * math.sin(azimuth),
                range_m * math.cos(elevation) * math.cos(azimuth),
                range_m * math.sin(elevation),
            ]
        )
        for half in range(40):  # always the same detection: the filter then stands where it is
            now_ns = T + half * SECOND_NS // 2
            tracker.take([Arrived(post.looks(now_ns, true, noise=0.0), now_ns)])
        [found] = [one for one in tracker.look(now_ns) if one.sighted.track.sensor_ids == (f"{post.name}/radar",)]
        apart_m = post.level.geodetic_to_enu(ecef_to_geodetic(found.sighted.state[:3])) - post.level.geodetic_to_enu(
            true
        )
        assert np.linalg.norm(apart_m) < 0.01


def test_the_same_messages_give_the_same_objects_to_the_last_bit():
    def run() -> list[tuple[int, bytes, bytes]]:
        posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
        *_, tracker = fly(posts, lambda t: place(-500.0 + 20.0 * t), 20.0)
        objects = tracker.look(T + 20 * SECOND_NS)
        return [(one.number, one.sighted.state.tobytes(), one.sighted.covariance.tobytes()) for one in objects]

    assert run() == run() != []


def test_which_posts_message_comes_first_within_a_tick_changes_nothing():
    def run(order: int) -> list[tuple[int, bytes]]:
        posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
        *_, tracker = fly(posts[::order], lambda t: place(-500.0 + 20.0 * t), 20.0)
        return [(one.number, one.sighted.state.tobytes()) for one in tracker.look(T + 20 * SECOND_NS)]

    assert run(1) == run(-1) != []


def liar_in_time(now_ns: int, offset_ns: int) -> list[ScansMessage]:
    return [PlayedPost("liar", place(0.0), 3).looks(now_ns + offset_ns, place(900.0, 900.0))]


def flood(now_ns: int) -> list[ScansMessage]:
    found = (MeasuredMessage(10.0, 1.0, 5.0, 1.0, 800.0, 5.0),) * 1_000_000
    return [ScansMessage(1, "liar", "run", rfc3339(now_ns), (ScanMessage("radar", rfc3339(now_ns), found),))]


def absurd(now_ns: int) -> list[ScansMessage]:
    huge = (
        MeasuredMessage(1e308, 1e-300, -1e308, 1e308, 1e308, 0.0, 1e308, 1e308),
        MeasuredMessage(position_enu_m=(1e308,) * 3, covariance_m2=(1e308,) * 6),
    )
    scans = (
        ScanMessage("radar", rfc3339(now_ns), huge, looked_everywhere=True),
        ScanMessage("radar", "yesterday", ()),
        ScanMessage("of nobody", rfc3339(now_ns), ()),
    )
    return [
        ScansMessage(1, "liar", "run", rfc3339(now_ns), scans, clock_error_s=1e308),
        ScansMessage(1, "stranger", "run", rfc3339(now_ns), scans),
    ]


@pytest.mark.parametrize(
    "extra",
    [
        lambda now_ns: liar_in_time(now_ns, AHEAD_NS + SECOND_NS),
        lambda now_ns: liar_in_time(now_ns, -LATE_NS - SECOND_NS),
        flood,
        absurd,
    ],
    ids=["ahead", "behind", "flood", "absurd"],
)
def test_a_post_that_lies_or_floods_harms_only_itself(extra):
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
    liar = PlayedPost("liar", place(0.0), 3)
    *honest, _ = fly(posts, lambda t: place(-500.0 + 20.0 * t), 12.0)
    blind = fly([*posts], lambda t: place(-500.0 + 20.0 * t), 0.0)[-1]
    blind.describe(liar.sensors(), T)
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
    seen = []
    for half in range(24):
        now_ns = T + half * SECOND_NS // 2
        messages = [post.looks(now_ns, place(-500.0 + 10.0 * half)) for post in posts] + (
            extra(now_ns) if half < 4 else []
        )
        blind.take([Arrived(message, now_ns + 60_000_000) for message in messages])
        if half % 2 == 1:
            seen.append([ecef_to_geodetic(one.sighted.state[:3]) for one in blind.look(now_ns + 100_000_000)])
    assert seen == [places for _, _, places, _ in honest]
    assert blind.heard(now_ns) == ("east", "west")
    assert any(site_id == "liar" for site_id, _ in blind.refused)


@pytest.mark.parametrize(
    "fields",
    [
        {"detection_probability": 1.5},
        {"false_alarms_per_scan": -1.0},
        {"position_sigma_m": 1e300},
        {"mounting_sigma_deg": -1.0},
    ],
)
def test_sensors_that_cannot_be_are_refused(fields):
    with pytest.raises(ValueError, match="radar"):
        AllPosts().describe(PlayedPost("liar", place(0.0)).sensors(**fields), T)


def test_a_post_that_joins_leaves_the_others_tracks_and_numbers():
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
    tracker, numbers = AllPosts(), []
    tracker.describe(posts[0].sensors(), T)
    for half in range(40):
        now_ns = T + half * SECOND_NS // 2
        if half == 20:
            tracker.describe(posts[1].sensors(), now_ns)
        heard = posts if half >= 20 else posts[:1]
        tracker.take([Arrived(post.looks(now_ns, place(-500.0 + 10.0 * half)), now_ns) for post in heard])
        numbers.append([one.number for one in tracker.look(now_ns)])
    assert set(map(tuple, numbers[6:])) == {(1,)}


def test_a_post_whose_messages_come_late_is_worked_in_at_their_own_times():
    def run(late_halves: int) -> list[np.ndarray]:
        posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
        tracker = AllPosts()
        for post in posts:
            tracker.describe(post.sensors(), T)
        looks = [
            [post.looks(T + half * SECOND_NS // 2, place(-500.0 + 10.0 * half)) for half in range(24)] for post in posts
        ]
        for half in range(24 + late_halves):
            now_ns = T + half * SECOND_NS // 2
            came = [looks[0][half]] if half < 24 else []
            came += [looks[1][half - late_halves]] if half >= late_halves else []
            tracker.take([Arrived(message, now_ns) for message in came])
        assert not tracker.refused
        return [one.sighted.state for one in tracker.look(T + 14 * SECOND_NS)]

    [in_time], [late] = run(0), run(3)
    assert late == pytest.approx(in_time, abs=1e-6)


def test_a_claim_is_set_beside_what_all_posts_measure():
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]

    def claims(now_ns: int) -> list[ScansMessage]:
        where = place(-500.0 + 20.0 * (now_ns - T) / SECOND_NS)
        heard = [
            ClaimMessage(
                *("radar", rfc3339(now_ns), "open_drone_id", name, "not_testable", False),
                latitude_deg=where.latitude_deg,
                longitude_deg=where.longitude_deg,
                height_m=height_m,
                horizontal_sigma_m=3.0,
                vertical_sigma_m=3.0,
            )
            for name, height_m in (("honest", where.height_m), ("lying", where.height_m + 4_000.0))
        ]
        return [ScansMessage(1, "west", "run", rfc3339(now_ns), (), tuple(heard))]

    *_, tracker = fly(posts, lambda t: place(-500.0 + 20.0 * t), 12.0, extra=claims)
    [found] = tracker.look(T + 12 * SECOND_NS)
    told = [(one.claim.transmitter, one.agreement, one.claim.sensor_id) for one in found.sighted.track.claims]
    assert told == [("honest", "agrees", "west/radar")]


def test_a_post_that_changes_its_sensors_again_and_again_waits_ever_longer_and_is_taken_up_then():
    post, tracker, adopted = PlayedPost("west", place(0.0), 1), AllPosts(), []
    tracker.describe(post.sensors(), T)
    for second in range(1, 400):
        now_ns = T + second * SECOND_NS
        tracker.describe(post.sensors(position_sigma_m=float(second)), now_ns)
        tracker.take([Arrived(post.looks(now_ns, place(100.0)), now_ns)])
        if tracker.worked_in > len(adopted):
            adopted.append(second)
    assert adopted == [60, 180]  # after a minute, and after two more; four more would follow
    assert tracker.refused["west", "its sensors change too often"] == 399 - len(adopted)
    tracker.describe(post.sensors(position_sigma_m=1.0), T + 400 * SECOND_NS)  # the last change, and it waits
    for second in range(401, 440):
        now_ns = T + second * SECOND_NS
        tracker.take([Arrived(post.looks(now_ns, place(100.0)), now_ns)])
    assert tracker.worked_in == len(adopted) + 20
    assert tracker.heard(now_ns) == ("west",)


def test_a_post_takes_no_more_tiles_than_an_honest_one_and_none_across_the_earth():
    tracker, liar = AllPosts(), PlayedPost("liar", place(0.0))
    one = liar.sensors().sensors[0]
    far = [
        msgspec.structs.replace(one, sensor_id=f"r{k}", latitude_deg=MIDDLE.latitude_deg + 2.0 * k) for k in range(8)
    ]
    with pytest.raises(ValueError, match="r1: stands 222 km from its post's origin"):
        tracker.describe(msgspec.structs.replace(liar.sensors(), sensors=tuple(far)), T)
    ring = [
        msgspec.structs.replace(
            one,
            sensor_id=f"r{k}",
            latitude_deg=place(50_000.0 * math.sin(k), 50_000.0 * math.cos(k)).latitude_deg,
            longitude_deg=place(50_000.0 * math.sin(k), 50_000.0 * math.cos(k)).longitude_deg,
            slant_range_m=(5.0, 60_000.0),
        )
        for k in range(64)
    ]
    tracker.describe(msgspec.structs.replace(liar.sensors(), sensors=tuple(ring)), T)
    scans = tuple(ScanMessage(each.sensor_id, rfc3339(T), ()) for each in ring)
    tracker.take([Arrived(ScansMessage(1, "liar", "run", rfc3339(T), scans), T)])
    assert tracker.tile_count == MOST_TILES_OF_POST


def test_sensors_that_send_nothing_begin_no_tracker_anew():
    west, idle, tracker = PlayedPost("west", place(0.0), 1), PlayedPost("idle", place(100.0), 2), AllPosts()
    tracker.describe(west.sensors(), T)
    seen = []
    for half in range(600):
        now_ns = T + half * SECOND_NS // 2
        if half % 150 == 20:
            tracker.describe(idle.sensors(position_sigma_m=half / 100.0), now_ns)
        if half < 12 or half > 588:
            tracker.take([Arrived(west.looks(now_ns, place(300.0)), now_ns)])
        elif half % 50 == 0:
            tracker.take([Arrived(west.looks(now_ns), now_ns)])
        if half in (11, 599):
            seen += [one.sighted.key for one in tracker.look(now_ns)]
    assert [began for _, began, _ in seen] == [seen[0][1]] * 2


def test_a_post_is_heard_by_its_scans_for_two_turns_of_its_sensor_and_not_by_claims_nor_from_the_future():
    tracker, post = AllPosts(), PlayedPost("west", place(0.0))
    tracker.describe(post.sensors(), T)
    here = place(300.0)
    claim = ClaimMessage(
        *("radar", rfc3339(T), "open_drone_id", "t", "not_testable", False),
        latitude_deg=here.latitude_deg,
        longitude_deg=here.longitude_deg,
        height_m=here.height_m,
    )
    tracker.take([Arrived(ScansMessage(1, "west", "run", rfc3339(T), (), (claim,)), T)])
    assert tracker.heard(T) == ()
    tracker.take([Arrived(post.looks(T), T)])
    assert tracker.heard(T + 2 * SECOND_NS) == ("west",)
    assert tracker.heard(T + 4 * SECOND_NS) == ()
    assert tracker.heard(T - 60 * SECOND_NS) == ()  # the center's clock was set back by a minute
    tracker.take([Arrived(post.looks(T + 5 * SECOND_NS), T + 5 * SECOND_NS)])  # a radar that turns once in 5 s
    assert tracker.heard(T + 14 * SECOND_NS) == ("west",)
    assert tracker.heard(T + 16 * SECOND_NS) == ()


def test_a_flood_of_transmitters_of_one_post_leaves_the_others_claims():
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]

    def claims(now_ns: int) -> list[ScansMessage]:
        where = place(-500.0 + 20.0 * (now_ns - T) / SECOND_NS)

        def of(name: str) -> ClaimMessage:
            return ClaimMessage(
                *("radar", rfc3339(now_ns), "open_drone_id", name, "not_testable", False),
                latitude_deg=where.latitude_deg,
                longitude_deg=where.longitude_deg,
                height_m=where.height_m,
                horizontal_sigma_m=3.0,
                vertical_sigma_m=3.0,
            )

        honest = ScansMessage(1, "west", "run", rfc3339(now_ns), (), (of("honest"),))
        flood = tuple(of(f"{now_ns}-{k}") for k in range(90))
        return [ScansMessage(1, "east", "run", rfc3339(now_ns), (), flood)] + [honest] * (now_ns - T < 4 * SECOND_NS)

    *_, tracker = fly(posts, lambda t: place(-500.0 + 20.0 * t), 12.0, extra=claims)
    [found] = tracker.look(T + 12 * SECOND_NS)
    assert "west/radar" in {one.claim.sensor_id for one in found.sighted.track.claims}
    assert tracker.refused["east", "of too many transmitters"] > 1_000


def test_posts_that_want_all_tiles_leave_a_later_post_its_own(monkeypatch):
    monkeypatch.setattr(all_posts, "MOST_TILES", 16)
    at = [Geodetic(MIDDLE.latitude_deg, MIDDLE.longitude_deg + 5.0 * k, 0.0) for k in range(3)]
    greedy, tracker = [PlayedPost(f"greedy-{k}", at[k]) for k in range(2)], AllPosts()
    for post in greedy:
        [radar] = post.sensors().sensors
        far = msgspec.structs.replace(radar, slant_range_m=(5.0, 60_000.0))  # reaches some ten tiles
        tracker.describe(msgspec.structs.replace(post.sensors(), sensors=(far,)), T)
    modest = PlayedPost("modest", at[2], 3)
    tracker.describe(modest.sensors(), T)
    for half in range(24):
        now_ns = T + half * SECOND_NS // 2
        came = [post.looks(now_ns) for post in greedy]
        if half >= 4:
            assert tracker.tile_count == 16
            came.append(modest.looks(now_ns, modest.level.enu_to_geodetic([300.0 + 5.0 * half, 0.0, 120.0])))
        tracker.take([Arrived(message, now_ns) for message in came])
        found = tracker.look(now_ns + 100_000_000)
    assert len(found) == 1
    assert tracker.tile_count == 16
    assert {site_id for site_id, _ in tracker.refused} == {"greedy-0", "greedy-1"}


def test_a_centers_clock_that_is_set_back_makes_no_post_wait_and_no_object_another():
    posts = [PlayedPost("west", place(-1_000.0), 1), PlayedPost("east", place(1_000.0), 2)]
    tracker, told, off_m = AllPosts(), [], []
    for post in posts:
        tracker.describe(post.sensors(), T)
    for half in range(40):
        now_ns, at = T + half * SECOND_NS // 2 - (3_600 * SECOND_NS if half >= 20 else 0), place(-200.0 + 5.0 * half)
        tracker.take([Arrived(post.looks(now_ns, at), now_ns) for post in posts])
        found = tracker.look(now_ns)
        truth = geodetic_to_ecef(at.latitude_deg, at.longitude_deg, at.height_m)
        told.append([one.number for one in found])
        off_m.append(max((float(np.linalg.norm(one.sighted.state[:3] - truth)) for one in found), default=0.0))
    assert told[10:20] == [[1]] * 10
    assert told[26:] == [[1]] * 14  # three seconds later at the latest, under its number
    assert max(off_m) < 30.0
    assert not tracker.refused


def test_a_post_that_is_forgotten_leaves_its_place_and_no_counts(monkeypatch):
    monkeypatch.setattr(all_posts, "MOST_POSTS", 1)
    tracker = AllPosts()
    tracker.describe(PlayedPost("west", place(0.0)).sensors(), T)
    tracker.take([Arrived(ScansMessage(1, "west", "run", "now", (ScanMessage("of nobody", rfc3339(T), ()),)), T)])
    with pytest.raises(ValueError, match="1 posts are known already"):
        tracker.describe(PlayedPost("east", place(0.0)).sensors(), T)
    tracker.forget("west")
    tracker.describe(PlayedPost("east", place(0.0)).sensors(), T)
    assert not tracker.refused


def test_after_an_hour_without_a_change_a_posts_sensors_may_change_as_soon_as_at_first():
    post, tracker = PlayedPost("west", place(0.0), 1), AllPosts()
    hour_ns = 3_600 * SECOND_NS
    for change in range(10):
        tracker.describe(post.sensors(position_sigma_m=float(change)), T + change * hour_ns)
    tracker.describe(post.sensors(position_sigma_m=50.0), now_ns := T + 9 * hour_ns + 61 * SECOND_NS)
    tracker.take([Arrived(post.looks(now_ns, place(100.0)), now_ns)])
    assert not tracker.refused
    assert tracker.worked_in == 1
