"""The writing thread against a store that fails, a message that does not fit, and more runs than memory holds."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest

import center.ingest
from center.ingest import Ingest
from center.received import Received, read
from center.settings import BrokerSettings, RetentionSettings
from center.store import Store, StoreError, transaction
from fusion.wire import encode, topic

T = 1_800_000_000 * 10**9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(tmp_path / "center.db")
    yield one
    one.close()


@pytest.fixture
def make_ingest(store: Store) -> Iterator[Callable[..., Ingest]]:
    """An ingest whose messages are handed to it by `hand_in`; it looks for a broker where none is, unless told a port."""
    made: list[Ingest] = []

    def make(port: int = 1, retention: RetentionSettings = RetentionSettings()) -> Ingest:  # noqa: B008
        made.append(Ingest(BrokerSettings("127.0.0.1", port), store, retention, lambda received: None))
        made[-1].start()
        return made[-1]

    yield make
    for ingest in made:
        ingest.stop()


def hand_in(ingest: Ingest, message: msgspec.Struct) -> None:
    """As the network thread would."""
    arrived = mqtt.MQTTMessage(topic=topic("ridge-04", "tracks").encode())
    arrived.payload = encode(message)
    ingest._arrived(arrived)


def fill(store: Store, played_messages: Any, ages_h: Sequence[int]) -> None:
    """A run and a message of it for each age."""
    for run, age_h in enumerate(ages_h):
        message = played_messages.tracks(T, played_messages.track(1, T), run_id=f"run-{run}")
        received_ns = time.time_ns() - age_h * 3600 * 10**9
        received = read(topic("ridge-04", "tracks"), encode(message), received_ns)
        store.write([replace(received, event_number=run + 1)])


def numbered(message: msgspec.Struct, sequence: int) -> msgspec.Struct:
    return msgspec.structs.replace(message, sequence=sequence)


def test_more_runs_than_memory_holds_are_taken_and_none_is_stored_twice(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    monkeypatch.setattr(center.ingest, "MAX_RUNS", 3)
    ingest = make_ingest()
    for run in (*range(10), 0):
        hand_in(ingest, played_messages.tracks(T, played_messages.track(1, T), run_id=f"run-{run}"))
        eventually(lambda: ingest.queued == 0)
    eventually(lambda: store.message_count() == 10)
    eventually(lambda: ingest.counts.duplicates == 1)
    assert ingest.counts.rejected == {}
    assert len(ingest.missing()) == 3


def test_a_forgotten_run_is_forgotten_in_memory_too(store, make_ingest, played_messages, eventually):
    ingest = make_ingest()
    hand_in(ingest, played_messages.tracks(T, played_messages.track(1, T)))
    eventually(lambda: store.message_count() == 1)
    ingest._keeping.retention_ns = 0

    def is_forgotten() -> bool:
        ingest._forget_at_s = 0.0  # the writer may just be setting its next time
        return store.message_count() == 0

    eventually(is_forgotten)
    eventually(lambda: ingest.missing() == {})
    assert store.runs() == []


def test_a_center_whose_clock_leaps_ahead_deletes_nothing_and_says_so(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    ingest = make_ingest()
    hand_in(ingest, played_messages.tracks(T, played_messages.track(1, T)))
    eventually(lambda: store.message_count() == 1)

    def says(time_ns: int, **fields: Any) -> None:
        arrived = mqtt.MQTTMessage(topic=topic("ridge-04", "health").encode())
        arrived.payload = encode(msgspec.structs.replace(played_messages.health(time_ns), **fields))
        ingest._arrived(arrived)

    rounds, waited = [], ingest._witnesses.doubt
    monkeypatch.setattr(ingest._witnesses, "doubt", lambda now_s: rounds.append(now_s) or waited(now_s))
    says(time.time_ns() - 40 * 86_400 * 10**9)  # as if the center had leapt ahead by forty days
    ingest._keeping.retention_ns = 0
    rounds.clear()
    ingest._forget_at_s = 0.0
    eventually(lambda: len(rounds) > 0)
    assert store.message_count() == 1
    assert any("nothing old is deleted" in fault for fault in ingest.faults())
    says(time.time_ns() - 40 * 86_400 * 10**9, clock_trusted=False)  # of a post whose clock nobody keeps
    says(time.time_ns())

    def is_forgotten() -> bool:
        ingest._forget_at_s = 0.0
        return store.message_count() == 0

    eventually(is_forgotten)


def test_a_disk_that_runs_out_of_room_loses_the_oldest_but_not_the_last_day(
    store, make_ingest, played_messages, eventually
):
    fill(store, played_messages, ages_h=(700, 30, 20, 1))
    ingest = make_ingest(retention=RetentionSettings(30.0, least_free_mb=1e12))  # no disk has so much
    ingest._forget_at_s = 0.0
    eventually(lambda: store.message_count() == 2)

    def tells_that_all_is_gone() -> bool:
        ingest._forget_at_s = 0.0
        return any("nothing older than a day to delete" in fault for fault in ingest.faults())

    eventually(tells_that_all_is_gone)
    assert store.message_count() == 2
    assert len(store.runs()) == 4  # so that what a post sends again is known


def test_a_disk_with_room_keeps_all_until_its_time(store, make_ingest, played_messages, eventually):
    fill(store, played_messages, ages_h=(700, 730, 1))
    ingest = make_ingest(retention=RetentionSettings(30.0, least_free_mb=0.0))

    def is_forgotten() -> bool:
        ingest._forget_at_s = 0.0
        return {row["run_id"] for row in store.runs()} == {"run-0", "run-2"}

    eventually(is_forgotten)
    assert not any("MB left" in fault for fault in ingest.faults())


def test_a_disk_that_is_full_is_given_room_before_it_is_written_again(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    fill(store, played_messages, ages_h=(700, 30, 20, 1))
    write = store.write

    def write_where_there_is_room(batch: list[Received]) -> None:
        if store.message_count() > 2:
            raise sqlite3.OperationalError("database or disk is full")
        write(batch)

    monkeypatch.setattr(store, "write", write_where_there_is_room)
    ingest = make_ingest(retention=RetentionSettings(30.0, least_free_mb=1e12))
    ingest._forget_at_s = 0.0
    hand_in(ingest, played_messages.tracks(T, played_messages.track(1, T), run_id="run-9"))
    eventually(lambda: store.message_count() == 3)
    assert "run-9" in {row["run_id"] for row in store.runs()}


def test_too_little_room_is_told_though_the_clock_that_tells_ages_is_in_doubt(
    store, make_ingest, monkeypatch, eventually
):
    ingest = make_ingest(retention=RetentionSettings(30.0, least_free_mb=1e12))
    monkeypatch.setattr(ingest._witnesses, "doubt", lambda now_s: True)
    ingest._forget_at_s = 0.0
    eventually(lambda: any("MB left" in fault for fault in ingest.faults()))


def test_a_post_keeps_its_place_for_as_long_as_it_speaks(store, played_messages):
    """It tells its site once a run, however long that is."""
    now_ns, day_ns = time.time_ns(), 86_400 * 10**9
    for number, (name, message, age_days) in enumerate(
        (("site", played_messages.site(), 31), ("health", played_messages.health(T), 0)), start=1
    ):
        received = read(topic("ridge-04", name), encode(message), now_ns - age_days * day_ns)
        store.write([replace(received, event_number=number)])
    while store.forget(now_ns - 30 * day_ns, now_ns - 30 * day_ns)[0]:
        pass
    assert len(store.latest("site")) == 1
    while store.forget(now_ns + 1, now_ns + 1)[0]:
        pass
    assert store.latest("site") == store.latest("health") == []


def test_a_message_that_does_not_fit_the_store_is_kept_as_a_fault_and_holds_up_no_other(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    write = store.write

    def refuse(batch: list[Received]) -> None:
        if any(one.sequence == 2 and one.message is not None for one in batch):
            raise sqlite3.IntegrityError("NOT NULL constraint failed: track_states.horizontal_sigma_m")
        write(batch)

    monkeypatch.setattr(store, "write", refuse)
    ingest = make_ingest()
    for sequence in (1, 2, 3):
        hand_in(ingest, numbered(played_messages.tracks(T, played_messages.track(1, T, revision=sequence)), sequence))
    eventually(lambda: store.message_count() == 3)
    assert store.committed(("ridge-04", "run-1")).ranges() == [(1, 3)]  # acknowledged with the rest
    [faulty] = [row for row in store._read("SELECT * FROM messages") if row["fault"]]
    assert (faulty["sequence"], ingest.counts.unreadable, ingest.counts.store_fault) == (2, 1, None)


def test_a_fault_of_ours_does_not_end_the_writing_and_is_told(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    ingest = make_ingest()
    commit, broken = ingest._commit, threading.Event()

    def stumble(batch: list[Received]) -> list[Received]:
        if not broken.is_set():
            broken.set()
            raise KeyError("a fault of ours")
        return commit(batch)

    monkeypatch.setattr(ingest, "_commit", stumble)
    message = played_messages.tracks(T, played_messages.track(1, T))
    hand_in(ingest, message)
    eventually(lambda: any("a fault of ours" in fault for fault in ingest.faults()))
    hand_in(ingest, message)  # its post has heard nothing, and sends it again
    eventually(lambda: store.message_count() == 1)
    eventually(lambda: not any("a fault of ours" in fault for fault in ingest.faults()))  # told once it is committed


def test_an_ingest_whose_writer_is_dead_says_so(store):
    ingest = Ingest(BrokerSettings("127.0.0.1", 1), store, RetentionSettings(), lambda received: None)
    assert any("writer does not run" in fault for fault in ingest.faults())


def test_a_full_queue_and_a_broken_disk_do_not_hold_up_the_end(
    store, make_ingest, played_messages, monkeypatch, eventually
):
    def fail(_batch: list[Received]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(center.ingest, "QUEUE_SIZE", 2)
    monkeypatch.setattr(store, "write", fail)
    ingest = make_ingest()
    hand_in(ingest, played_messages.tracks(T))
    eventually(lambda: any("disk is full" in fault for fault in ingest.faults()))
    for sequence in range(2, 6):
        hand_in(ingest, numbered(played_messages.tracks(T), sequence))
    assert ingest.counts.rejected["overload"] == 2
    began_s = time.monotonic()
    ingest.stop()
    assert time.monotonic() - began_s < 5.0
    assert not ingest._writer.is_alive()


def test_a_commit_costs_no_more_in_a_run_with_thousands_of_gaps(tmp_path, played_messages):
    store = Store(tmp_path / "center.db")
    gaps = [("ridge-04", "run-1", 2 * n, 2 * n) for n in range(1, 20_001)]
    with transaction(store._writer):
        store._writer.executemany("INSERT INTO sequence_ranges VALUES (?, ?, ?, ?)", gaps)
    store.close()
    store = Store(tmp_path / "center.db")
    message = numbered(played_messages.tracks(T, played_messages.track(1, T), run_id="run-1"), 101)
    received = replace(read(topic("ridge-04", "tracks"), encode(message), T), event_number=store.first_event_number + 1)
    tracemalloc.start()
    store.write([received])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.committed(("ridge-04", "run-1")).range_of(101) == (100, 102)
    assert peak_bytes < 100_000  # no copy of all ranges: a list of them alone takes 160 kB
    store.close()
    store = Store(tmp_path / "center.db")
    assert store.committed(("ridge-04", "run-1")).ranges()[49:51] == [(100, 102), (104, 104)]
    store.close()


def test_a_posts_health_is_sampled_on_after_the_clock_was_set_back(store, played_messages):
    for seconds in (0, 30, 60, -3600, -3540):
        at_ns = T + seconds * 10**9
        received = read(topic("ridge-04", "health"), encode(played_messages.health(at_ns)), at_ns)
        store.write([replace(received, event_number=store.first_event_number + 1)])
    times = [(row["received_ns"] - T) // 10**9 for row in store.health_samples("ridge-04", 10)]
    assert times == [-3600, -3540, 0, 60]


def test_a_second_center_on_one_store_is_refused_and_one_after_it_is_not(tmp_path):
    path = tmp_path / "center.db"
    first = Store(path)
    with pytest.raises(StoreError, match="another center uses it"):
        Store(path)
    first.close()
    Store(path).close()


def test_an_acknowledgement_does_not_wait_for_the_one_before(make_ingest, broker, eventually):
    ingest = make_ingest(broker.port)
    eventually(lambda: ingest.is_connected)
    link: Any = ingest._link._client.socket()
    assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_old_messages_go_while_the_post_lives(tmp_path, make_center, make_post, eventually):
    center = make_center("[retention]\ndays = 0.00001\n")  # 0.9 s
    post = make_post("busy-post")
    post.say_tracks(post.track(1))
    post.wait_acknowledged()

    def is_forgotten() -> bool:
        post.say_tracks(post.track(1, post.sequence))  # never a quiet second
        rows = center.read("SELECT MIN(sequence) FROM messages")
        return rows[0][0] is not None and rows[0][0] > 1

    eventually(is_forgotten)
