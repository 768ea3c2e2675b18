"""What is now: by the posts' own clocks, with the center's clock for silence only."""

from __future__ import annotations

import msgspec
import pytest

import center.picture
from center.picture import GONE_NS, KEPT_NS, SECOND_NS, SILENT_NS, Picture
from center.received import Refused, read
from center.snapshot import everything, group_views
from fusion.wire import VERSION, DetectionMessage, DetectionsMessage, encode, rfc3339, topic

T = 1_800_000_000 * SECOND_NS  # the post's clock


@pytest.fixture
def say(played_messages):
    """Work a message into a picture: say(picture, name, message, monotonic_ns)."""

    def one(picture, name, message, monotonic_ns=0):
        picture.apply(read(topic("ridge-04", name), encode(message), T), monotonic_ns)

    return one


def test_a_track_goes_when_its_post_goes_on_without_it(say, played_messages):
    picture = Picture()
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T)))
    say(picture, "tracks", played_messages.tracks(T + KEPT_NS, played_messages.track(2, T + KEPT_NS)))
    picture.expire(0)
    assert [key[2] for key in picture.tracks] == [1, 2]
    say(picture, "health", played_messages.health(T + KEPT_NS + SECOND_NS))
    picture.expire(0)
    assert [key[2] for key in picture.tracks] == [2]


def test_a_post_that_was_not_heard_for_long_is_off_the_picture(say, played_messages):
    picture = Picture()
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T)), monotonic_ns=100)
    picture.forget_posts(heard_before_ns=100)
    assert (len(picture.sites), len(picture.tracks)) == (1, 1)
    picture.forget_posts(heard_before_ns=101)
    assert (len(picture.sites), len(picture.tracks)) == (0, 0)


def test_the_tracks_of_a_silent_post_are_stale_and_then_go(say, played_messages):
    picture = Picture()
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T)), monotonic_ns=0)
    assert not picture.is_silent("ridge-04", SILENT_NS)
    assert picture.is_silent("ridge-04", SILENT_NS + 1)
    picture.expire(GONE_NS - 1)
    assert len(picture.tracks) == 1
    picture.expire(GONE_NS)
    assert picture.tracks == {}


def test_an_older_form_of_a_track_that_comes_late_changes_nothing(say, played_messages):
    picture = Picture()
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T, revision=5)))
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T - SECOND_NS, revision=4)))
    [now] = picture.tracks.values()
    assert now.track.revision == 5


def test_a_new_run_clears_the_old_one_and_its_backlog_stays_out(say, played_messages):
    picture = Picture()
    say(picture, "health", played_messages.health(T, run_id="first"))
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T), run_id="first"))
    say(picture, "health", played_messages.health(T - 9 * SECOND_NS, run_id="second"))  # its clock may be behind
    assert picture.tracks == {}
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(2, T), run_id="first"))
    say(picture, "health", played_messages.health(T, state="gone", run_id="first"))  # the last will of the first run
    assert picture.tracks == {}
    assert picture.sites["ridge-04"].run_id == "second"


def test_a_claim_that_finds_its_track_no_longer_stands_alone(say, played_messages):
    picture = Picture()
    claim = played_messages.claim(T)
    say(picture, "tracks", played_messages.tracks(T, claims=(claim,)))
    assert len(picture.claims) == 1
    say(picture, "tracks", played_messages.tracks(T, played_messages.track(1, T, claims=(claim,))))
    assert picture.claims == {}


@pytest.mark.parametrize(
    ("state", "blind", "sight", "words"),
    [
        ("ok", (), "sees", "ridge-04 can see: radar-north ok, camera-north ok"),
        ("degraded", ("radar-north",), "partly", "cannot see: radar-north lost: no power"),
        ("blind", ("radar-north", "camera-north"), "blind", "ridge-04 is blind: radar-north lost: no power"),
        ("gone", (), "gone", "ridge-04 is gone"),
    ],
)
def test_an_empty_map_says_what_it_means(say, played_messages, state, blind, sight, words):
    picture = Picture()
    assert picture.summary(0) == "no post has reported"
    say(picture, "health", played_messages.health(T, state=state, blind=blind))
    assert picture.sight("ridge-04", 0).state == sight
    assert words in picture.summary(0)
    assert picture.summary(0).startswith("nothing seen; ")
    if state != "gone":
        assert picture.sight("ridge-04", SILENT_NS + 1).state == "silent"


def test_sensors_that_are_not_meant_to_see_make_no_post_blind(say, played_messages):
    picture = Picture()
    say(picture, "health", played_messages.health(T))
    sight = picture.sight("ridge-04", 0)
    assert (sight.state, sight.seeing, sight.not_seeing) == ("sees", ("radar-north", "camera-north"), ())


def test_a_post_without_eyes_says_that_it_only_hears(say, played_messages):
    picture = Picture()
    say(picture, "health", played_messages.health(T, state="blind", sensors_named=("remote-id", "own-position")))
    sight = picture.sight("ridge-04", 0)
    assert (sight.state, sight.not_seeing) == ("hears", ())
    assert picture.summary(0) == "nothing seen; ridge-04 hears only what broadcasts"


@pytest.mark.parametrize(
    ("topic_name", "payload", "reason"),
    [
        ("sarhad/v1/ridge-04/ack", b"{}", "topic"),
        ("sarhad/v1/ridge-04/tracks/more", b"{}", "topic"),
        ("sarhad/v2/ridge-04/tracks", b"{}", "topic"),
        ("sarhad/v1/fused/tracks", b"{}", "topic"),
        ("sarhad/v1/-/tracks", b"{}", "topic"),
        ("sarhad/v1/ridge-04/tracks", b"null", "malformed"),
        ("sarhad/v1/ridge-04/tracks", b'{"version":1,"site_id":"ridge-04","run_id":"r","sequence":0}', "malformed"),
        ("sarhad/v1/ridge-04/tracks", b'{"version":1,"site_id":"ridge-04","run_id":"a/b","sequence":1}', "malformed"),
        ("sarhad/v1/ridge-04/tracks", b'{"version":1,"site_id":"ridge-04","run_id":"r","sequence":1e30}', "malformed"),
        ("sarhad/v1/ridge-04/health", b'{"version":1,"site_id":"ridge-04","run_id":"r"}', "malformed"),
        ("sarhad/v1/ridge-04/tracks", b'{"version":9,"site_id":"ridge-04","run_id":"r","sequence":1}', "version"),
        ("sarhad/v1/ridge-05/tracks", b'{"version":1,"site_id":"ridge-04","run_id":"r","sequence":1}', "site_mismatch"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(topic_name, payload, reason):
    with pytest.raises(Refused) as refused:
        read(topic_name, payload, T)
    assert refused.value.reason == reason


def test_alerts_of_any_body_are_kept_by_their_envelope():
    envelope = {"version": VERSION, "site_id": "ridge-04", "run_id": "r", "sequence": 3, "anything": [1, 2]}
    received = read(topic("ridge-04", "alerts"), msgspec.json.encode(envelope), T)
    assert (received.sequence, received.fault) == (3, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"covariance": (-1.7e308, 1.79e308, 0.0, 0.0, 0.0, 0.0, -1e308, *[0.0] * 14)},
        {"covariance": (*[0.0] * 20, -1.0)},
        {"covariance": (1e13, *[0.0] * 20)},
        {"velocity_enu_m_s": (1e200, 0.0, 0.0)},
        {"height_m": -1e300},
        {"existence_probability": 7.0},
        {"existence_probability": -1.0},
        {"classes": {"drone": 1e9}},
    ],
)
def test_numbers_that_nothing_real_has_are_a_fault_of_the_body(played_messages, fields):
    track = msgspec.structs.replace(played_messages.track(1, T), **fields)
    received = read(topic("ridge-04", "tracks"), encode(played_messages.tracks(T, track)), T)
    assert received.message is None
    assert received.fault is not None
    assert next(iter(fields)) in received.fault


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59.000000Z", "2263-01-01T00:00:00.000000Z", "yesterday"])
def test_times_outside_what_the_store_can_hold_are_a_fault_of_the_body(played_messages, time):
    track = msgspec.structs.replace(played_messages.track(1, T), time=time)
    received = read(topic("ridge-04", "tracks"), encode(played_messages.tracks(T, track)), T)
    assert received.message is None
    assert received.fault is not None
    assert rfc3339(T) not in received.fault


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"time": "yesterday"}, "yesterday"),
        ({"group_number": 0}, "group_number 0"),
        ({"members": (1, 1)}, "each once"),
        ({"members": tuple(range(1, 10_002))}, "10001 members"),
        ({"count": (3, 2)}, "count is (3, 2)"),
    ],
)
def test_a_group_that_cannot_be_is_a_fault_of_the_body(played_messages, fields, words):
    group = msgspec.structs.replace(played_messages.group(1, 2), **fields)
    received = read(topic("ridge-04", "tracks"), encode(played_messages.tracks(T, groups=(group,))), T)
    assert received.message is None
    assert words in received.fault


def test_a_post_with_too_many_members_loses_its_oldest_groups_and_no_others(say, played_messages):
    picture = Picture()
    honest = msgspec.structs.replace(played_messages.tracks(T, groups=(played_messages.group(1, 2),)), site_id="honest")
    picture.apply(read(topic("honest", "tracks"), encode(honest), T), 0)
    for number in range(1, 5):
        members = tuple(range(number * 10_000, number * 10_000 + 9_000))
        group = msgspec.structs.replace(played_messages.group(*members), group_number=number)
        say(picture, "tracks", played_messages.tracks(T, groups=(group,)))
    assert sorted(picture.groups) == [("honest", "run-1", 3), ("ridge-04", "run-1", 3), ("ridge-04", "run-1", 4)]


def test_a_post_with_too_many_tracks_loses_its_own_oldest_and_no_others(played_messages, monkeypatch):
    monkeypatch.setattr(center.picture, "MAX_TRACKS", 20)
    picture = Picture()
    for second, (site_id, numbers) in enumerate(
        [("quiet", range(1, 6)), ("loud", range(1, 30)), ("loud", range(30, 40))]
    ):
        tracks = [played_messages.track(number, T) for number in numbers]
        message = msgspec.structs.replace(played_messages.tracks(T, *tracks), site_id=site_id)
        picture.apply(read(topic(site_id, "tracks"), encode(message), T + second * SECOND_NS), 0)
    assert sorted(key[2] for key in picture.tracks if key[0] == "quiet") == [1, 2, 3, 4, 5]
    assert sorted(key[2] for key in picture.tracks if key[0] == "loud") == list(range(25, 40))


def test_a_group_is_shown_until_it_ends_or_none_of_its_tracks_is_left(say, played_messages):
    picture, group = Picture(), played_messages.group
    tracks = [played_messages.track(number, T) for number in (1, 2)]
    say(picture, "tracks", played_messages.tracks(T, *tracks, groups=(group(1, 2, revision=4),)))
    say(picture, "tracks", played_messages.tracks(T, groups=(group(revision=3, event="ended"),)))  # come late
    [view] = group_views(picture)
    assert (view.group_number, view.members, view.count) == (3, [1, 2], (1, 2))

    say(picture, "tracks", played_messages.tracks(T, groups=(group(revision=5, event="ended"),)))
    assert group_views(picture) == []

    say(picture, "tracks", played_messages.tracks(T, groups=(group(1, 2, revision=6),)))
    dropped = [played_messages.track(number, T, revision=2, status="dropped") for number in (1, 2)]
    say(picture, "tracks", played_messages.tracks(T, *dropped))
    picture.expire(0)
    assert group_views(picture) == []


def test_what_is_there_without_a_place_is_part_of_a_snapshot(say):
    door = DetectionMessage(presence="door", text="opened")
    picture = Picture()
    say(picture, "detections", DetectionsMessage(VERSION, "ridge-04", "run-1", 1, "door", rfc3339(T), (door,)))
    [told] = everything(picture, rfc3339(T), 0)["detections"]
    assert (told["sensor_id"], told["detections"][0]["presence"]) == ("door", "door")
