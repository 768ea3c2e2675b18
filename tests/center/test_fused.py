"""The tracks of two posts as one object: frames to the centimetre, over the broker and the API."""

from __future__ import annotations

import asyncio
import threading
import time

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from center import app
from center.app import Center
from center.fused import FusedPicture, Told
from center.fused_memory import MARGIN, NUMBER_NS, FusedMemory
from center.settings import BrokerSettings, CenterSettings
from fusion.frames import LocalFrame
from fusion.messages import covariance_of, rounded_covariance
from fusion.types import Geodetic
from fusion.wire import FusedTracksMessage, SiteMessage, rfc3339

SECOND_NS = 1_000_000_000
T = 1_800_000_000_000_000_000
WEST, EAST = np.diag([9.0, 4.0, 16.0, 1.0, 2.0, 0.5]), np.diag([4.0, 9.0, 16.0, 2.0, 1.0, 0.5])


def told(played_messages, origin: Geodetic, place: Geodetic, velocity_ecef, site_id: str, P=WEST) -> Told:
    """A track as a post there tells it: velocity and covariance in the post's own east, north and up."""
    frame = LocalFrame(origin)
    to_level = frame.level_to_enu(Geodetic(0.0, 0.0, 0.0))  # at 0, 0 the level frame is ECEF's y, z, x
    velocity = to_level @ np.array([velocity_ecef[1], velocity_ecef[2], velocity_ecef[0]])
    track = played_messages.track(
        1,
        T,
        latitude_deg=place.latitude_deg,
        longitude_deg=place.longitude_deg,
        height_m=place.height_m,
        velocity_enu_m_s=tuple(velocity.tolist()),
        covariance=rounded_covariance(P),
    )
    site = SiteMessage(
        1, site_id, "run", 1, rfc3339(T), origin.latitude_deg, origin.longitude_deg, origin.height_m, (), "0", "test"
    )
    return Told(site, (site_id, "run", 1), track, T)


def test_posts_fifty_kilometres_apart_mean_the_same_place_and_velocity(played_messages):
    place, velocity_ecef = Geodetic(34.2, 71.9, 900.0), np.array([3.0, 9.0, -4.0])
    one = told(played_messages, Geodetic(34.0, 71.5, 500.0), place, velocity_ecef, "west")
    two = told(played_messages, Geodetic(34.4, 72.3, 1500.0), place, velocity_ecef, "east", EAST)
    fused = FusedPicture()
    for second in range(6):
        now_ns = T + second * SECOND_NS
        object_ = fused.look([one._replace(time_ns=now_ns), two._replace(time_ns=now_ns)], now_ns).tracks[0]
    assert [member.site_id for member in object_.members] == ["east", "west"]
    local = LocalFrame(place)
    apart = local.geodetic_to_enu(Geodetic(object_.latitude_deg, object_.longitude_deg, object_.height_m))
    assert np.linalg.norm(apart) < 0.02  # degrees are told to 1e-7: a centimetre
    expected = local.level_to_enu(Geodetic(0.0, 0.0, 0.0)) @ velocity_ecef[[1, 2, 0]]
    assert object_.velocity_enu_m_s == pytest.approx(expected.tolist(), abs=0.02)
    claimed = covariance_of(object_)
    assert np.linalg.eigvalsh(claimed).min() > 0.0
    assert np.trace(claimed[:3, :3]) < np.trace(WEST[:3, :3])


def test_a_track_whose_time_is_not_the_centers_is_left_out(played_messages):
    place = Geodetic(34.0, 71.5, 700.0)
    one = told(played_messages, Geodetic(34.0, 71.5, 500.0), place, np.zeros(3), "west")
    assert FusedPicture().look([one], T + 6_000_000_000).tracks == ()


@pytest.mark.parametrize("P", [np.zeros((6, 6)), np.diag([1e11] * 6), np.diag([9.0, 9.0, 9.0, 1.0, 1.0, -1.0])])
def test_a_covariance_that_is_none_leaves_its_track_out_and_no_other(played_messages, P):
    place = Geodetic(34.0, 71.5, 700.0)
    one = told(played_messages, Geodetic(34.0, 71.5, 500.0), place, np.zeros(3), "west")
    wrong = told(played_messages, Geodetic(34.0, 71.5, 500.0), place, np.zeros(3), "east")
    upper = tuple(P[np.triu_indices(6)].tolist())
    wrong = wrong._replace(track=msgspec.structs.replace(wrong.track, covariance=upper))
    [object_] = FusedPicture().look([one, wrong], T).tracks
    assert [member.site_id for member in object_.members] == ["west"]


def flown(played_messages, run_id: str, seconds: float) -> Told:
    """A drone's track so long after T, as a run of the post tells of it."""
    place = LocalFrame(Geodetic(34.0, 71.5, 700.0)).enu_to_geodetic([10.0 * seconds, 0.0, 0.0])
    one = told(played_messages, Geodetic(34.0, 71.5, 500.0), place, np.zeros(3), "west")
    track = msgspec.structs.replace(one.track, velocity_enu_m_s=(10.0, 0.0, 0.0))
    return Told(one.site, ("west", run_id, 1), track, T + int(seconds * SECOND_NS))


def test_after_a_restart_objects_have_their_numbers_and_none_is_given_twice(played_messages, tmp_path):
    before, memory = FusedPicture(), FusedMemory(tmp_path / "center.db.fused")
    for second in range(5):
        before.look([flown(played_messages, "run-1", second)], T + second * SECOND_NS)
    memory.write(before.fusion, T + 5 * SECOND_NS)
    for run_id in ("run-1", "run-2"):  # the same track, and a new one on its course
        after = FusedPicture()
        FusedMemory(tmp_path / "center.db.fused").read_into(after.fusion, T + 8 * SECOND_NS)
        assert after.look([], T + 8 * SECOND_NS).tracks == ()
        assert [
            one.fused_number for one in after.look([flown(played_messages, run_id, 9)], T + 9 * SECOND_NS).tracks
        ] == [1]
    late = FusedPicture()
    FusedMemory(tmp_path / "center.db.fused").read_into(late.fusion, T + 60 * SECOND_NS)
    [another] = late.look([flown(played_messages, "run-2", 60)], T + 60 * SECOND_NS).tracks
    assert another.fused_number > before.fusion.next_number + MARGIN - 1


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xc1" * 99])
def test_a_memory_that_is_damaged_or_cannot_be_written_stops_nothing(played_messages, tmp_path, damage):
    path = tmp_path / "center.db.fused"
    path.write_bytes(damage)
    picture = FusedPicture()
    FusedMemory(path).read_into(picture.fusion, T)
    [found] = picture.look([flown(played_messages, "run-1", 0)], T).tracks
    assert found.fused_number == T // NUMBER_NS  # none of those that were given before
    nowhere = FusedMemory(tmp_path / "nowhere" / "center.db.fused")
    nowhere.write(picture.fusion, T)
    assert "cannot be written" in nowhere.fault


def test_a_center_that_stops_writes_its_memory_after_the_look_that_is_under_way(tmp_path):
    center = Center(CenterSettings(BrokerSettings("127.0.0.1", 1), tmp_path / "center.db"))
    center.ingest.start = center.ingest.stop = lambda: None
    order, looks, may_end = [], threading.Event(), threading.Event()

    def look(*_: object) -> FusedTracksMessage:
        looks.set()
        may_end.wait(30.0)
        order.append("look")
        return FusedTracksMessage(1, rfc3339(T), ())

    center.fused.look = look
    center._fused_memory.write = lambda _fusion, _now_ns, at_once=False: order.append("last" if at_once else "write")

    async def run_and_stop() -> None:
        async with center.running():
            await asyncio.to_thread(looks.wait, 30.0)
            asyncio.get_running_loop().call_later(0.2, may_end.set)

    asyncio.run(run_and_stop())
    assert order == ["look", "write", "last"]


def test_a_round_that_fails_is_told_of_and_the_next_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(app, "NOW_EVERY_S", 0.01)
    center = Center(CenterSettings(BrokerSettings("127.0.0.1", 1), tmp_path / "center.db"))
    center.ingest.start = center.ingest.stop = lambda: None
    rounds, faults = [], []

    def expire(_monotonic_ns: int) -> None:
        rounds.append(len(rounds))
        if len(rounds) == 2:
            raise KeyError("of ours")
        faults.append(center.round_fault)

    center.picture.expire = expire

    async def run() -> None:
        async with center.running():
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if len(rounds) >= 5:
                    return

    asyncio.run(run())
    assert faults[:4] == [None, "KeyError('of ours')", None, None]  # before each round that did not fail
    assert "what is now could not be told" in caplog.text


def test_readers_of_the_broker_and_the_api_get_the_fused_picture(center, broker, make_post):
    posts = [make_post("fuse-a"), make_post("fuse-b")]
    heard: list[bytes] = []
    reader = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    reader.on_message = lambda _client, _data, message: heard.append(message.payload)
    reader.connect("127.0.0.1", broker.port)
    reader.subscribe("sarhad/v1/fused/tracks", 1)
    reader.loop_start()
    for one in posts:
        one.say_site()
    for revision in range(1, 10):
        for one in posts:
            one.say_health()
            one.say_tracks(one.track(4, revision, east_m=4.0 * revision))
        time.sleep(0.5)
    assert heard
    assert "topic" not in center.get("/api/status")["rejected"]  # the center hears what it says itself
    joined = [one for one in center.get("/api/fused")["tracks"] if len(one["members"]) == 2]
    assert [[member["site_id"] for member in one["members"]] for one in joined] == [["fuse-a", "fuse-b"]]
    reader.disconnect()
    reader.loop_stop()
    newest = msgspec.json.decode(heard[-1], type=FusedTracksMessage)
    assert {one.fused_number for one in newest.tracks} >= {joined[0]["fused_number"]}
