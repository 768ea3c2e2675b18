"""The live feed: at once, complete, resumable, and never held up by one client."""

from __future__ import annotations

import socket

import pytest

from center.live import RING_LENGTH, Hub, event_block
from fusion.wire import parse_rfc3339


def test_a_client_gets_a_snapshot_and_then_what_comes(center, post, listen_live, eventually):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1))
    post.wait_acknowledged()
    reader = listen_live()
    eventually(lambda: reader.events)
    _, name, data = reader.events[0]
    assert name == "snapshot"
    assert [one["track_number"] for one in data["tracks"] if one["site_id"] == post.site_id] == [1]
    assert post.site_id in [one["site_id"] for one in data["sites"]]
    post.say_tracks(post.track(1, 2))
    eventually(lambda: reader.named("tracks"))
    message = reader.named("tracks")[0][2]
    assert message["message"]["tracks"][0]["revision"] == 2
    assert parse_rfc3339(message["received"]) >= parse_rfc3339(message["message"]["as_of"])


def test_a_client_that_comes_back_has_lost_nothing(center, post, listen_live, eventually):
    first = listen_live()
    eventually(lambda: first.events)
    for _ in range(5):
        post.say_tracks(post.track(1, post.sequence + 1))
    eventually(lambda: first.sequences() == [1, 2, 3, 4, 5])
    first.close()
    for _ in range(5):
        post.say_tracks(post.track(1, post.sequence + 1))
    second = listen_live(last_event_id=first.last_id())
    eventually(lambda: len(second.sequences()) == 5)
    assert second.sequences() == [6, 7, 8, 9, 10]
    assert second.named("snapshot") == []


def test_a_client_loses_nothing_over_a_restart_of_the_center(center, post, listen_live, eventually):
    first = listen_live()
    eventually(lambda: first.events)
    for _ in range(5):
        post.say_tracks(post.track(1, post.sequence + 1))
    eventually(lambda: len(first.sequences()) == 5)
    first.close()
    seen_id = first.named("tracks")[2][0]
    post.wait_acknowledged()
    for _ in range(20):
        post.say_tracks(post.track(1, post.sequence + 1))
    center.kill()
    center.start()
    post.send_again()
    post.say_tracks(post.track(1, post.sequence + 1))
    second = listen_live(last_event_id=seen_id)
    eventually(lambda: set(second.sequences()) >= set(range(4, 27)))
    identities = [identity for identity, name, _ in second.events if name == "tracks"]
    assert identities == sorted(set(identities))


@pytest.mark.parametrize("unknown", ["never", "-3", "9007199254740991", "99999999999999999999999"])
def test_an_unknown_last_event_id_gets_a_snapshot(center, listen_live, eventually, unknown):
    reader = listen_live(last_event_id=unknown)
    eventually(lambda: reader.events)
    assert reader.events[0][1] == "snapshot"


def test_a_client_that_does_not_read_is_cut_off_and_others_go_on(center, post, listen_live, eventually):
    reader = listen_live()
    eventually(lambda: center.get("/api/status")["live_clients"] == 1)
    before = center.get("/api/status")["clients_cut_off"]
    tracks = [post.track(number) for number in range(1, 600)]  # half a megabyte in one message
    with socket.create_connection(("127.0.0.1", center.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        eventually(lambda: center.get("/api/status")["live_clients"] == 2)

        def is_cut_off() -> bool:
            post.say_tracks(*tracks)
            eventually(lambda: len(reader.sequences()) == post.sequence)  # the other one gets everything
            return center.get("/api/status")["clients_cut_off"] == before + 1

        eventually(is_cut_off, timeout_s=60)
        eventually(lambda: center.get("/api/status")["live_clients"] == 1)


def test_a_full_queue_cuts_off_only_its_own_client():
    hub, event = Hub(0), b"x" * 1_000_000
    slow, quick = hub.join(), hub.join()
    for number in range(1, 6):
        hub.publish(number, "tracks", event)
        assert quick.queue.get_nowait() == event_block("tracks", event, number)
        quick.waiting_bytes = 0
    assert (slow.is_open, quick.is_open, hub.client_count) == (False, True, 1)


def test_the_ring_says_from_where_on_it_is_complete():
    hub = Hub(10)
    assert hub.after(0) == (11, [])
    for number in range(11, 11 + RING_LENGTH + 5):
        hub.publish(number, "tracks", b"{}")
    begins, events = hub.after(RING_LENGTH)
    assert begins == 16
    assert [event.event_number for event in events] == list(range(RING_LENGTH + 1, RING_LENGTH + 16))
