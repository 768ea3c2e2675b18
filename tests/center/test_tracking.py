"""The tracker of all posts' detections beside a center: through a real broker, its process, the API and health."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from unittest.mock import Mock

import msgspec
import pytest

from center import detected, tracking
from center.detected import BYTES_AT_ONCE, WAITING, Given, Inbox, Work, read_frame
from center.fused import FusedPicture, Told
from center.received import Received
from fusion.frames import LocalFrame
from fusion.scan_messages import ScansMessage
from fusion.types import Geodetic
from fusion.wire import SiteMessage, encode, rfc3339
from tests.made_radars import PlayedPost as Radar

SECOND_NS = 1_000_000_000
TURN_S = 0.4  # of the radars
MIDDLE = LocalFrame(Geodetic(12.0, -35.0, 0.0))  # open water, nobody's border


def place(east_m: float) -> Geodetic:
    return MIDDLE.enu_to_geodetic([east_m, 0.0, 120.0])


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "center.detected" in line]


class Flight:
    """Two radars' posts on a broker, and a drone that flies from the one's reach into the other's, for as long as is asked."""

    def __init__(self, make_post, eventually) -> None:
        self.eventually = eventually
        self.radars = [Radar("flight-west", place(-1_500.0), 1), Radar("flight-east", place(1_500.0), 2)]
        self.posts = [make_post(radar.name) for radar in self.radars]
        self.began_s: float | None = None
        self.said_s = 0.0
        for radar, post in zip(self.radars, self.posts, strict=True):
            post.client.publish(f"sarhad/v1/{radar.name}/sensors", encode(radar.sensors()), 1, retain=True)

    def east_m(self) -> float:
        """It hovers in the west until it is sent off, then flies at 25 m/s."""
        since_s = 0.0 if self.began_s is None else time.monotonic() - self.began_s
        return -180.0 + (2.5 * since_s**2 if since_s < 5.0 else 62.5 + 25.0 * (since_s - 5.0))

    def where(self) -> Geodetic:
        return place(self.east_m())

    def say(self) -> None:
        """What both see now: the west one to 100 m east of the middle, the east one from 100 m west of it."""
        now_ns, point = time.time_ns(), self.where()
        for radar, post in zip(self.radars, self.posts, strict=True):
            message = radar.looks(now_ns, point)
            post.client.publish(f"sarhad/v1/{radar.name}/scans", encode(message), 1)

    def fly(self, center, until, what: str) -> list[dict]:
        """Every object told of, up to the first of which `until` holds."""
        told: list[dict] = []

        def look() -> bool:
            if time.monotonic() - self.said_s > TURN_S:
                self.said_s = time.monotonic()
                self.say()
            found = [one for one in center.get("/api/fused")["tracks"] if one["by_detections"]]
            told.extend(found)
            return any(until(one) for one in found)

        self.eventually(look, 90.0, what)
        return told


def test_a_drone_that_crosses_from_post_to_post_keeps_one_number_and_goes_on_when_the_process_dies(
    center, make_post, eventually
):
    flight = Flight(make_post, eventually)
    told = flight.fly(center, lambda one: True, "the drone in the west")
    flight.began_s = time.monotonic()
    beyond = place(150.0).longitude_deg  # the west radar sees nothing there
    told += flight.fly(center, lambda one: one["longitude_deg"] > beyond, "the drone in the east")
    assert len({one["fused_number"] for one in told}) == 1
    level, newest = LocalFrame(flight.where()), told[-1]
    apart = level.geodetic_to_enu(Geodetic(newest["latitude_deg"], newest["longitude_deg"], newest["height_m"]))
    assert abs(apart[1]) < 20.0  # across its course; along it the picture is a moment old
    [child] = children_of(center.child.pid)
    os.kill(child, signal.SIGKILL)

    def is_back(_: dict) -> bool:
        status = center.get("/api/status")["detections"]
        return status["starts"] == 2 and status["worked_in"] > 10 and len(status["heard"]) == 2

    after = flight.fly(center, is_back, "the drone after the process has died")
    assert after[-1]["time"] > told[-1]["time"]
    assert {one["fused_number"] for one in after} == {told[-1]["fused_number"]}
    assert children_of(center.child.pid) not in ([], [child])


def given(name: str, message: msgspec.Struct, received_ns: int) -> Given:
    return Given(name, message.site_id, received_ns, encode(message))


def picture_of(work: Work, radars: list[Radar], seconds: float, began_ns: int):
    """What the tracker's process tells after so long."""
    for radar in radars:
        work.inbox.put(given("sensors", radar.sensors(), began_ns))
    for half in range(int(2 * seconds)):
        now_ns = began_ns + half * SECOND_NS // 2
        for radar in radars:
            work.inbox.put(given("scans", radar.looks(now_ns, place(10.0 * half)), now_ns))
        work.step(now_ns + 50_000_000)
    return work.picture(now_ns + 50_000_000)


def told_by(played_messages, radar: Radar, number: int, now_ns: int, point: Geodetic) -> Told:
    origin = radar.place
    site = SiteMessage(
        1,
        radar.name,
        "run",
        1,
        rfc3339(now_ns),
        origin.latitude_deg,
        origin.longitude_deg,
        origin.height_m,
        (),
        "0",
        "test",
    )
    track = played_messages.track(
        number, now_ns, latitude_deg=point.latitude_deg, longitude_deg=point.longitude_deg, height_m=point.height_m,
        velocity_enu_m_s=(20.0, 0.0, 0.0),
    )  # fmt: skip
    return Told(site, (radar.name, "run", number), track, now_ns)


def test_a_post_that_sends_detections_adds_no_tracks_and_one_that_sends_tracks_is_joined(played_messages):
    began_ns = 1_800_000_000 * SECOND_NS
    west, east = Radar("west", place(-200.0), 1), Radar("east", place(300.0), 2)
    picture = picture_of(Work("run-1"), [west], 8.0, began_ns)
    now_ns, point = picture.time_ns, place(150.0)
    alone = FusedPicture().look([], now_ns, picture).tracks
    assert [(one.by_detections, one.members) for one in alone] == [(True, ())]
    fused = FusedPicture()
    for _ in range(4):
        [twice] = fused.look([told_by(played_messages, west, 3, now_ns, point)], now_ns, picture).tracks
        now_ns += SECOND_NS // 100
    assert [member.site_id for member in twice.members] == ["west"]  # named, and not counted:
    assert twice.covariance[0] == pytest.approx(alone[0].covariance[0], rel=0.1)
    assert (twice.latitude_deg, twice.longitude_deg) == pytest.approx(
        (alone[0].latitude_deg, alone[0].longitude_deg), abs=1e-5
    )
    without = FusedPicture().look([told_by(played_messages, west, 3, now_ns, point)], now_ns).tracks
    assert [(one.by_detections, len(one.members)) for one in without] == [
        (False, 1)
    ]  # no tracker runs: its tracks count
    fused = FusedPicture()
    for _ in range(12):
        found = fused.look([told_by(played_messages, east, 5, now_ns, point)], now_ns, picture).tracks
        now_ns += SECOND_NS // 2
        picture = msgspec.structs.replace(picture, time_ns=now_ns)
    assert len(found) == 1
    assert found[0].by_detections
    assert [member.site_id for member in found[0].members] == ["east"]


def test_a_posts_track_stands_aside_for_an_object_of_the_tracker_and_counts_where_it_has_none(played_messages):
    began_ns = 1_800_000_000 * SECOND_NS
    west = Radar("west", place(-200.0), 1)
    picture = picture_of(Work("run-1"), [west], 8.0, began_ns)
    fused, now_ns, near, far = FusedPicture(), picture.time_ns, place(150.0), place(9_000.0)

    def look(picture) -> list[tuple[int, bool, int]]:
        tracks = [told_by(played_messages, west, number, now_ns, at) for number, at in ((3, near), (4, far))]
        found = fused.look(tracks, now_ns, picture).tracks
        return [(one.fused_number, one.by_detections, len(one.members)) for one in found]

    heard_only = msgspec.structs.replace(picture, objects=())  # of its scans no object is confirmed yet
    assert look(heard_only) == [(1, False, 1), (2, False, 1)]
    for _ in range(
        3
    ):  # the tracker has one of the two: at once one object, under its number; the other is beyond its reach
        now_ns += SECOND_NS
        picture = msgspec.structs.replace(picture, time_ns=now_ns)
        assert look(picture) == [(1, True, 1), (2, False, 1)]
    now_ns += SECOND_NS
    assert look(heard_only) == [(1, False, 1), (2, False, 1)]


def test_a_track_that_the_detections_of_its_post_do_not_bear_out_is_told_as_unconfirmed_and_is_there(played_messages):
    west, east = Radar("west", place(-200.0), 1), Radar("east", place(200.0), 2)  # the one sends detections, too
    picture = picture_of(Work("run-1"), [west], 8.0, 1_800_000_000 * SECOND_NS)
    fused, told = FusedPicture(), []
    for second in range(25):
        now_ns = picture.time_ns + second * SECOND_NS
        tracks = [
            told_by(played_messages, radar, number, now_ns, place(east_m))
            for radar, number, east_m in ((west, 3, 150.0), (west, 4, 2_000.0), (east, 5, 4_000.0))
        ]
        detected = None if second == 20 else msgspec.structs.replace(picture, time_ns=now_ns)
        found = fused.look(tracks, now_ns, detected).tracks
        assert len(found) == 3
        told.append({one.members[0].track_number for one in found if one.unconfirmed})
    assert told == [set()] * 10 + [{4}] * 10 + [set()] * 5  # its process was away for a moment, and begins anew


@pytest.mark.parametrize("set_by_s", [-3600, 3600])
def test_a_picture_of_before_the_clock_was_set_throws_no_object_away(played_messages, set_by_s):
    west = Radar("west", place(-200.0), 1)
    picture, fused = picture_of(Work("run-1"), [west], 8.0, 1_800_000_000 * SECOND_NS), FusedPicture()
    [before] = fused.look([], picture.time_ns, picture).tracks
    now_ns = picture.time_ns + set_by_s * SECOND_NS
    found = fused.look([told_by(played_messages, west, 3, now_ns, place(150.0))], now_ns, picture).tracks
    assert [one.by_detections for one in found] == [False]
    [after] = fused.look([], now_ns + SECOND_NS, msgspec.structs.replace(picture, time_ns=now_ns + SECOND_NS)).tracks
    assert after.longitude_deg == pytest.approx(before.longitude_deg, abs=1e-6)


def test_a_post_that_floods_the_process_loses_its_own_messages_only():
    inbox, began_ns = Inbox(), 1_800_000_000 * SECOND_NS
    quiet = ScansMessage(1, "quiet", "run", rfc3339(began_ns), ())
    for _ in range(WAITING):
        for _ in range(3):
            inbox.put(Given("scans", "loud", began_ns, b" " * int(BYTES_AT_ONCE / WAITING)))
        inbox.put(given("scans", quiet, began_ns))
    taken = [one.site_id for one in inbox.take()]
    assert taken.count("quiet") == WAITING
    assert taken.count("loud") <= WAITING
    assert {site_id for site_id, _ in inbox.dropped} == {"loud"}
    assert sum(inbox.dropped.values()) == 3 * WAITING - taken.count("loud")


def test_posts_that_are_heard_no_more_make_room_for_others_and_leave_no_counts(monkeypatch):
    monkeypatch.setattr(detected, "MOST_POSTS", 3)
    work, began_ns = Work("run-1"), 1_800_000_000 * SECOND_NS
    for name in ("a", "b", "c", "d"):
        work.inbox.put(Given("scans", name, began_ns, b"{"))
    work.step(began_ns)
    assert set(work.picture(began_ns).refused) == {"a", "b", "c", "others"}
    day_ns = 86_400 * SECOND_NS
    for hours in range(1, 25):  # b goes on
        work.inbox.put(Given("scans", "b", began_ns + hours * day_ns // 24, b"{"))
    for k in range(50):
        work.inbox.put(Given("scans", f"d-{k}", began_ns + day_ns, b"{"))
    work.step(began_ns + day_ns)
    picture = work.picture(began_ns + day_ns)
    assert set(picture.refused) == {"b", "d-0", "d-1", "others"}
    assert set(picture.complaints) == {"b", "d-0", "d-1"}


def test_the_center_remembers_the_sensors_of_so_many_posts_and_forgets_who_is_quiet(monkeypatch):
    monkeypatch.setattr(tracking, "MOST_POSTS", 2)
    monkeypatch.setattr(tracking.Tracking, "_keep", lambda self: None)
    one, process = tracking.Tracking(), Mock(stdin=io.BytesIO())
    for name in ("a", "b", "c"):
        one.give(Received("sensors", name, "run", 0, 1, b"{}", None))
    monkeypatch.setattr(tracking, "FORGOTTEN_NS", 0)  # from now on who was heard before is quiet for long
    one.give(Received("scans", "a", "run", 0, 1, b"{}", None))
    one.give(Received("sensors", "d", "run", 0, 1, b"{}", None))
    one._feed(process)
    process.stdin.seek(0)
    told = [msgspec.msgpack.decode(read_frame(process.stdin), type=Given) for _ in range(3)]
    assert [(given.name, given.site_id) for given in told] == [("sensors", "a"), ("sensors", "d"), ("scans", "a")]


def test_what_is_no_message_is_counted_and_stops_nothing():
    work, began_ns = Work("run-1"), 1_800_000_000 * SECOND_NS
    for payload in (b"", b"{", b"[]", b'{"version":1}', b"[" * 100_000):
        for name in ("sensors", "scans"):
            work.inbox.put(Given(name, "liar", began_ns, payload))
            work.step(began_ns)
    picture = picture_of(work, [Radar("west", place(-200.0), 1)], 8.0, began_ns)
    assert len(picture.objects) == 1
    assert picture.refused["liar"] == {"scans that cannot be": 5, "sensors that cannot be": 5}
    assert picture.complaints["liar"].startswith("scans: ")


def test_a_process_that_cannot_run_is_told_of_and_the_posts_tracks_count(monkeypatch, eventually, caplog):
    monkeypatch.setattr(tracking, "LAUNCHER", "raise SystemExit(3)")
    one, radar = tracking.Tracking(), Radar("west", place(-200.0), 1)
    assert one.faults() == []
    one.give(Received("sensors", "west", "run", 0, 1, encode(radar.sensors()), None))
    eventually(one.faults, what="the fault")
    assert one.faults() == [
        "the tracker of the posts' detections does not run, their tracks count: it ended with code 3"
    ]
    assert one.picture() is None
    assert "starting it again in 1 s" in caplog.text
    one.stop()


@pytest.mark.parametrize(
    ("launcher", "mute_s", "why"),
    [
        ("import time; time.sleep(1000)", 1.0, "it told nothing for 1 s"),  # and takes nothing: whoever feeds it waits
        (
            "import sys, time; sys.stdout.buffer.write(b'\\xff' * 8); sys.stdout.flush(); time.sleep(1000)",
            60.0,
            "it ended with code -9",  # a frame longer than any picture
        ),
    ],
)
def test_a_process_that_hangs_or_cannot_be_understood_is_started_again(monkeypatch, eventually, launcher, mute_s, why):
    monkeypatch.setattr(tracking, "LAUNCHER", launcher)
    monkeypatch.setattr(tracking, "MUTE_S", mute_s)
    one, radar = tracking.Tracking(), Radar("west", place(-200.0), 1)
    one.give(Received("sensors", "west", "run", 0, 1, encode(radar.sensors()), None))
    for _ in range(3):
        one.give(Received("scans", "west", "run", 0, 1, b" " * 1_000_000, None))
    eventually(one.faults, what="the fault")
    assert one.faults() == [f"the tracker of the posts' detections does not run, their tracks count: {why}"]
    eventually(lambda: one.starts == 2, what="the next process")
    one.stop()


def test_scans_that_find_no_room_take_none_from_the_sensors(monkeypatch):
    monkeypatch.setattr(tracking.Tracking, "_keep", lambda self: None)
    one, radar, process = tracking.Tracking(), Radar("west", place(-200.0), 1), Mock(stdin=io.BytesIO())
    one.give(Received("sensors", "west", "run", 0, 1, encode(radar.sensors()), None))
    for _ in range(10):
        one.give(Received("scans", "west", "run", 0, 1, b" " * 1_000_000, None))
    one._feed(process)
    process.stdin.seek(0)
    told = [msgspec.msgpack.decode(read_frame(process.stdin), type=Given).name for _ in range(9)]
    assert told == ["sensors"] + 8 * ["scans"]
    assert read_frame(process.stdin) is None
    assert one.dropped == 2


def test_a_tracker_that_is_behind_is_told_of(monkeypatch):
    one, work = tracking.Tracking(), Work("run-1")
    monkeypatch.setattr(tracking.Tracking, "_keep", lambda self: None)  # no process: the picture is ours
    radar, began_ns = Radar("west", place(-200.0), 1), 1_800_000_000 * SECOND_NS
    one.give(Received("sensors", "west", "run", 0, 1, encode(radar.sensors()), None))
    work.inbox.put(given("sensors", radar.sensors(), began_ns))
    work.inbox.put(given("scans", radar.looks(began_ns, place(0.0)), began_ns))
    work.step(began_ns + 1_500_000_000)
    one.heard(work.picture(began_ns + 1_500_000_000))
    assert one.faults() == ["the tracker of the posts' detections is 1.5 s behind"]
    assert one.status()["worked_in"] == 1
