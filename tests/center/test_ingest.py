"""From the broker into the store, with a real broker and a real center process."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from fusion.wire import topic


def stored_sequences(center, post) -> list[int]:
    """As another reader of the store finds them."""
    with closing(sqlite3.connect(center.store_path)) as connection:
        rows = connection.execute("SELECT sequence FROM messages WHERE site_id = ? ORDER BY sequence", (post.site_id,))
        return [number for (number,) in rows]


@pytest.fixture
def counted(center) -> Callable[[], dict[str, Any]]:
    """What was counted since the beginning of the test."""
    before = center.get("/api/status")

    def since() -> dict[str, Any]:
        after = center.get("/api/status")
        rejected = Counter(after["rejected"]) - Counter(before["rejected"])
        names = ("stored", "duplicates", "unreadable")
        return {"rejected": dict(rejected), **{name: after[name] - before[name] for name in names}}

    return since


def test_a_published_track_is_stored_acknowledged_and_shown(center, post, counted):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1), claims=(post.claim(),))
    post.wait_acknowledged()
    assert stored_sequences(center, post) == [1, 2]
    answer = center.get("/api/tracks", site=post.site_id)
    assert [one["track_number"] for one in answer["tracks"]] == [1]
    [claim] = center.get("/api/claims", site=post.site_id)["claims"]
    assert (claim["identity"], claim["track_number"]) == ("SARHADTEST0001", None)
    assert counted()["stored"] == 2


def test_an_acknowledgement_names_only_what_another_reader_of_the_store_already_sees(center, post):
    for revision in range(1, 201):
        post.say_tracks(post.track(1, revision))
    post.wait_acknowledged()
    assert stored_sequences(center, post) == list(range(1, 201))
    assert post.acknowledged[-1].ranges == ((1, 200),)


def test_duplicates_are_stored_once_and_acknowledged_again(center, post, counted):
    for _ in range(2):
        post.sequence = 0
        post.say_tracks(post.track(1))
        post.wait_acknowledged()
    assert stored_sequences(center, post) == [1]
    counts = counted()
    assert (counts["stored"], counts["duplicates"]) == (1, 1)


def test_what_never_came_is_told_as_a_missing_range(center, post):
    post.say_tracks(post.track(1))
    post.sequence += 3
    post.say_tracks(post.track(1, 2))
    post.wait_acknowledged()
    runs = center.get("/api/status")["runs"]
    assert {"site_id": post.site_id, "run_id": post.run_id, "missing": [[2, 4]], "missing_count": 3} in runs
    assert {one for ack in post.acknowledged for one in ack.ranges} == {(1, 1), (5, 5)}


def test_bad_messages_are_counted_by_reason_and_the_next_good_one_is_taken(post, counted):
    post.send_raw(topic("ridge-04", "tracks"), b"\xff\x00 not json")
    post.send_raw(topic("ridge-04", "tracks"), b'{"version":2,"site_id":"ridge-04","run_id":"r","sequence":1}')
    post.send_raw(topic("ridge-05", "tracks"), b'{"version":1,"site_id":"ridge-04","run_id":"r","sequence":1}')
    post.send_raw(topic("ridge-04", "tracks"), b" " * 1_100_000)
    post.send_raw(topic("ridge-04", "tracks"), b"[" * 100_000)
    post.send_raw(topic("fused", "tracks"), b"{}")
    post.say_tracks(post.track(1))
    post.wait_acknowledged()
    assert counted()["rejected"] == {"malformed": 2, "version": 1, "site_mismatch": 1, "oversized": 1, "topic": 1}


def test_a_message_with_a_wrong_body_is_kept_and_acknowledged_but_not_shown(center, post, counted):
    post.say_tracks(post.track(1, latitude_deg=91.0))
    post.say_tracks(post.track(2, covariance=(1.0,)))
    post.wait_acknowledged()
    assert stored_sequences(center, post) == [1, 2]
    assert counted()["unreadable"] == 2
    assert center.get("/api/tracks", site=post.site_id)["tracks"] == []


def test_a_center_killed_at_any_moment_loses_nothing_it_acknowledged(center, post):
    post.say_site()
    acknowledged: Counter[int] = Counter()
    for round_number in range(3):
        for _ in range(60):
            post.say_tracks(post.track(1, post.sequence))
        center.kill()
        acknowledged.update(set(range(1, post.sequence + 1)) - set(post.unacknowledged))
        assert set(acknowledged) <= set(stored_sequences(center, post)), f"round {round_number}"
        center.start()
    post.send_again()
    post.wait_acknowledged()
    assert stored_sequences(center, post) == list(range(1, post.sequence + 1))


def test_a_broker_that_comes_back_finds_the_center_again(center, broker, post, eventually):
    post.say_tracks(post.track(1))
    post.wait_acknowledged()
    broker.kill()
    eventually(lambda: not center.get("/api/status")["broker_connected"])
    assert center.get("/healthz")["status"] == "degraded"
    broker.start()
    eventually(lambda: center.get("/api/status")["broker_connected"])
    eventually(post.client.is_connected)
    post.say_tracks(post.track(1, 2))
    post.send_until_acknowledged()  # as a post does: the center may not have subscribed again yet


def test_the_picture_is_there_again_after_a_restart(center, post):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1))
    post.wait_acknowledged()
    assert center.stop() == 0
    center.start()
    [track] = center.get("/api/tracks", site=post.site_id)["tracks"]
    assert (track["track_number"], track["is_stale"]) == (1, True)
    assert post.site_id in [one["site_id"] for one in center.get("/api/sites")["sites"]]
