import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.outbox
from edge import outbox_file, outbox_table
from edge.outbox import Outbox
from edge.outbox_file import OutboxBusy, OutboxError
from edge.outbox_table import ROW_BYTES, START, Message
from fusion import wire

NOW_NS = 1_800_000_000_000_000_000
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "post" / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path)
    yield outbox
    outbox.close()


def everything(outbox: Outbox) -> list[Message]:
    place, found = START, []
    while entries := outbox.pending(place, limit=7):
        place = entries[-1][0]
        found += [message for _, message in entries]
    return found


def numbers(outbox: Outbox) -> list[int]:
    return [message.sequence for message in everything(outbox)]


def test_what_was_added_is_pending_in_its_order(outbox: Outbox) -> None:
    for sequence in range(1, 51):
        outbox.add("run", sequence, "tracks", b"%d" % sequence)
    assert everything(outbox) == [Message("run", i, "tracks", b"%d" % i) for i in range(1, 51)]
    assert (outbox.counts.added, outbox.counts.pending) == (50, 50)


def test_alerts_come_before_tracks_and_tracks_before_detections(outbox: Outbox) -> None:
    for sequence, topic_name in enumerate(["detections", "tracks", "alerts", "site", "tracks", "alerts"]):
        outbox.add("run", sequence, topic_name, b"{}")
    assert numbers(outbox) == [2, 5, 3, 1, 4, 0]


def test_only_acknowledged_ranges_go(outbox: Outbox) -> None:
    for sequence in range(1, 21):
        outbox.add("run", sequence, "tracks", b"{}")
    outbox.flush()
    outbox.acknowledge("run", [(1, 3), (7, 7), (19, 400)])
    outbox.acknowledge("another run", [(1, 20)])
    assert numbers(outbox) == [4, 5, 6, *range(8, 19)]
    assert (outbox.counts.acknowledged, outbox.counts.pending) == (6, 14)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("acknowledge"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(operations=OPERATIONS)
@settings(deadline=None, max_examples=40)
def test_whatever_is_done_the_outbox_holds_what_was_added_and_not_acknowledged(
    operations: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    outbox, sequences, expected = Outbox(path), [0, 0], set()
    for operation, first, second in operations:
        if operation == "add":
            sequences[first] += 1
            outbox.add(f"run-{first}", sequences[first], "tracks", b"{}")
            expected.add((f"run-{first}", sequences[first]))
        elif operation == "acknowledge":
            outbox.acknowledge("run-0", [(first, second)])
            expected -= {("run-0", sequence) for sequence in range(first, second + 1)}
        elif operation == "flush":
            outbox.flush()
        else:
            outbox.close()
            outbox = Outbox(path)
    found = everything(outbox)
    assert {(message.run_id, message.sequence) for message in found} == expected
    assert len(found) == outbox.counts.pending == len(expected)
    for run_id in ("run-0", "run-1"):
        order = [message.sequence for message in found if message.run_id == run_id]
        assert order == sorted(order)
    outbox.close()


def test_an_earlier_runs_messages_are_still_there_and_come_first(path: Path) -> None:
    first = Outbox(path)
    first.add("run-1", 1, "tracks", b"old")
    first.close()
    second = Outbox(path)
    second.add("run-2", 1, "tracks", b"new")
    assert [(message.run_id, message.payload) for message in everything(second)] == [
        ("run-1", b"old"),
        ("run-2", b"new"),
    ]
    second.close()


def test_a_killed_process_loses_nothing_that_was_flushed(path: Path) -> None:
    script = (
        "import os, signal, sys; from edge.outbox import Outbox\n"
        "outbox = Outbox(sys.argv[1])\n"
        "for i in range(1, 1001): outbox.add('run', i, 'tracks', b'x' * 300)\n"
        "outbox.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
    outbox = Outbox(path)
    assert numbers(outbox) == list(range(1, 1001))
    outbox.close()


def test_too_old_ones_go_and_are_counted(path: Path) -> None:
    first = Outbox(path, keep_hours=48, now_ns=lambda: NOW_NS)
    for sequence in range(3):
        first.add("run", sequence, "tracks", b"{}")
    first.close()
    second = Outbox(path, keep_hours=48, now_ns=lambda: NOW_NS + 47 * HOUR_NS)
    second.add("run", 3, "tracks", b"{}")
    assert numbers(second) == [0, 1, 2, 3]
    second.close()
    third = Outbox(path, keep_hours=48, now_ns=lambda: NOW_NS + 49 * HOUR_NS)
    assert numbers(third) == [3]
    assert third.counts.dropped == {"tracks": 3}
    third.close()


def test_setting_a_clock_that_was_never_set_makes_nothing_old(path: Path) -> None:
    first = Outbox(path, now_ns=lambda: 5_000_000_000)
    first.add("run", 1, "tracks", b"{}")
    first.close()
    second = Outbox(path, now_ns=lambda: NOW_NS)
    assert numbers(second) == [1]
    assert not second.counts.dropped
    second.close()


def test_without_room_detections_go_before_tracks_and_alerts_stay(path: Path) -> None:
    outbox = Outbox(path, limit_bytes=60_000)
    for sequence in range(0, 90, 3):
        outbox.add("run", sequence, "alerts", b"a" * 900)
        outbox.add("run", sequence + 1, "tracks", b"t" * 900)
        outbox.add("run", sequence + 2, "detections", b"d" * 900)
    outbox.flush()
    kept = everything(outbox)
    topics = [message.topic_name for message in kept]
    assert topics.count("alerts") == 30
    assert 20 <= topics.count("tracks") < 30
    assert topics.count("detections") == 0
    assert kept[-1].sequence == 88  # the newest track stays
    assert sum(outbox.counts.dropped.values()) == 90 - len(kept)
    assert outbox.counts.pending_bytes <= 60_000
    outbox.close()


TRACK = wire.TrackMessage(
    1, 1, "", "confirmed", None, 45.0, 7.0, 650.0, (3.0, 4.0, 0.0), (1.0,) * 21, 0.98, {"drone": 0.9}, (), ("radar",),
    "2027-01-15T08:00:00.000000Z", None, None,
)  # fmt: skip
RATE_HZ = 5


def flight(sequence: int, number: int = 1, **changes: object) -> bytes:
    """A track's position; RATE_HZ of them a second."""
    time = wire.rfc3339(NOW_NS + sequence * 1_000_000_000 // RATE_HZ)
    track = msgspec.structs.replace(TRACK, track_number=number, time=time, **changes)
    return wire.encode(wire.TracksMessage(1, "ridge", "run", sequence, time, (track,), ()))


def happenings(sequence: int) -> dict[str, object]:
    """What becomes of a track of 1000 positions beyond its place."""
    if sequence < 5:
        return {"status": "tentative"}
    if sequence == 1000:
        return {"status": "dropped", "reason": "retracted"}
    contradicts = wire.ClaimMessage("rid", "now", "open_drone_id", "aa:bb", "contradicts", False, identity="X1")
    return {"claims": (contradicts,)} if sequence in (501, 502) else {}


EVENTS = {1, 5, 501, 503, 1000}  # where any of it is another than before


def test_a_full_outbox_thins_the_oldest_positions_and_keeps_whatever_happened(path: Path) -> None:
    size = len(flight(1)) + ROW_BYTES
    outbox = Outbox(path, limit_bytes=600 * size)
    outbox.add("run", 100_000, "alerts", b"a" * 500)
    for sequence in range(1, 1001):
        outbox.add("run", sequence, "tracks", flight(sequence, **happenings(sequence)))
    outbox.flush()
    kept = [sequence for sequence in numbers(outbox) if sequence < 100_000]
    assert len(kept) < 600
    assert set(kept) >= EVENTS
    gaps = [after - before for before, after in itertools.pairwise(kept)]
    assert max(gaps) == RATE_HZ  # no hole is longer than a second
    assert kept[-300:] == list(range(701, 1001))  # the newest are all there
    told = outbox.told()
    assert told.thinned == 1000 - len(kept)
    assert (told.spacing_s, told.dropped) == (1.0, {})
    assert told.pending_bytes <= 600 * size
    outbox.close()


def test_days_without_a_link_leave_ever_fewer_positions_before_any_track_is_given_up(path: Path) -> None:
    size = len(flight(1)) + ROW_BYTES
    outbox = Outbox(path, limit_bytes=120 * size)
    for sequence in range(1, 10_001):
        outbox.add("run", sequence, "tracks", flight(sequence, number=1 + sequence // 2500))
        if sequence % 500 == 0:
            outbox.flush()
    kept = numbers(outbox)
    assert {1 + sequence // 2500 for sequence in kept} == {1, 2, 3, 4, 5}  # of every track something
    assert {2500, 5000, 7500} <= set(kept)  # each from its beginning
    assert outbox.told().spacing_s > 4.0
    assert outbox.told().thinned == 10_000 - len(kept)
    assert not outbox.told().dropped
    outbox.close()


OLD_FORM = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, sequence INTEGER NOT NULL, topic TEXT NOT NULL,
    priority INTEGER NOT NULL, added_ns INTEGER, payload BLOB NOT NULL, UNIQUE (run_id, sequence)
);
"""  # of an earlier release: numbers begin at 1 again once it is emptied


@pytest.mark.parametrize("held", [0.0, 0.6])  # share of the limit that is never acknowledged
@pytest.mark.parametrize("form", ["new", "old"])
def test_every_outage_keeps_whatever_happened_however_many_there_were_before(
    path: Path, form: str, held: float
) -> None:
    if form == "old":
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.executescript(OLD_FORM)
    size, sequence = len(flight(1)) + ROW_BYTES, 0
    outbox = Outbox(path, limit_bytes=150 * size)
    outbox.add("run", 100_000, "alerts", b"a" * int(held * 150 * size))
    for outage in range(1, 9):
        first = sequence + 1
        for sequence in range(first, first + 500):
            status = "confirmed" if sequence < first + 4 else "dropped"
            outbox.add("run", sequence, "tracks", flight(sequence, number=outage, status=status))
            if sequence % 50 == 0:
                outbox.flush()
        kept = numbers(outbox)
        assert {first, first + 4} <= set(kept)  # its birth and its end
        told = outbox.told()
        assert not told.dropped
        if not held:
            assert told.spacing_s == 1.0  # as in the first one
        outbox.acknowledge("run", [(1, sequence)])
        outbox.flush()
    outbox.close()


def test_an_outbox_that_thinning_cannot_help_stays_within_its_limit_and_counts(path: Path) -> None:
    size = len(flight(1)) + ROW_BYTES
    outbox = Outbox(path, limit_bytes=100 * size)
    for sequence in range(1, 401):  # each a track of its own: births, every one
        outbox.add("run", sequence, "tracks", flight(sequence, number=sequence))
    outbox.flush()
    told = outbox.told()
    assert told.pending_bytes <= 100 * size
    assert told.thinned == 0
    assert told.dropped == {"tracks": 400 - told.pending}
    assert numbers(outbox)[-1] == 400
    outbox.close()


def test_a_damaged_file_is_set_aside_and_a_new_one_started(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    outbox = Outbox(path)
    outbox.add("run", 1, "tracks", b"{}")
    assert numbers(outbox) == [1]
    assert path.with_name("outbox.db.damaged-1").read_bytes().startswith(b"this is not")
    assert "set aside as outbox.db.damaged-1" in caplog.text
    outbox.close()


def test_damage_inside_the_file_is_found_at_start(path: Path) -> None:
    first = Outbox(path)
    for sequence in range(500):
        first.add("run", sequence, "tracks", b"x" * 500)
    first.close()
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096, 2):
        content[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(bytes(content))
    second = Outbox(path)
    second.add("run-2", 1, "tracks", b"{}")
    assert numbers(second) == [1]
    assert path.with_name("outbox.db.damaged-1").exists()
    second.close()


def test_damage_inside_a_file_too_large_to_be_looked_through_keeps_no_post_from_starting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Outbox(path)
    for sequence in range(500):
        first.add("run", sequence, "tracks", b"x" * 500)
    first.close()
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096, 2):
        content[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(bytes(content))
    monkeypatch.setattr(outbox_file, "CHECKED_BYTES", 0)
    second = Outbox(path)
    second.add("run-2", 1, "tracks", b"{}")
    assert numbers(second) == [1]
    assert path.with_name("outbox.db.damaged-1").exists()
    second.close()


def test_a_damaged_file_is_set_aside_once_though_no_new_one_can_be_begun_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, tries = Outbox(path), []
    monkeypatch.setattr(edge.outbox, "RETRY_S", 0.01)

    def full(path: Path) -> sqlite3.Connection:
        path.touch()
        tries.append(path)
        if len(tries) < 6:
            raise OutboxError(f"{path}: cannot be used: database or disk is full")
        return outbox_file.open_file(path)

    def damaged(*_: object) -> int:
        monkeypatch.undo()
        monkeypatch.setattr(edge.outbox, "RETRY_S", 0.01)
        monkeypatch.setattr(outbox_table, "open_file", full)
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(outbox._table, "write", damaged)
    outbox.add("run", 1, "tracks", b"{}")
    assert outbox.flush()
    assert len(tries) == 6
    assert numbers(outbox) == [1]
    assert [one.name for one in path.parent.glob("*.damaged-?")] == ["outbox.db.damaged-1"]
    outbox.close()


def test_a_disk_that_refuses_when_a_post_starts_does_not_keep_it_from_starting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Outbox(path, keep_hours=48, now_ns=lambda: NOW_NS)
    first.add("run", 1, "tracks", b"{}")
    first.close()

    def full(path: Path) -> sqlite3.Connection:
        connection = outbox_file.open_file(path)
        connection.execute("PRAGMA query_only = ON")  # nothing can be written, as on a full disk
        return connection

    monkeypatch.setattr(outbox_table, "open_file", full)
    second = Outbox(path, keep_hours=48, now_ns=lambda: NOW_NS + 49 * HOUR_NS)
    second.add("run-2", 1, "tracks", b"{}")
    assert not second.flush(timeout_s=0.3)
    assert second.counts.trouble is not None
    with second._database:
        second._table._connection.execute("PRAGMA query_only = OFF")
    assert second.flush()
    assert numbers(second) == [1]
    second.close()


def test_what_went_for_want_of_room_is_counted_where_the_disk_then_refuses(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(path, limit_bytes=20_000)

    def refuse(rows: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(outbox._table, "_thin", refuse)
    with outbox._database:  # so that they come as one batch, or two
        for sequence in range(5):
            outbox.add("run", sequence, "detections", b"d" * 1000)
        for sequence in range(5, 45):
            outbox.add("run", sequence, "tracks", b"t" * 1000)
    outbox.flush(timeout_s=0.5)
    assert outbox.counts.trouble == "disk I/O error"
    assert outbox.counts.dropped == {"detections": 5}
    outbox.close()


def test_a_second_process_may_not_use_the_same_file(outbox: Outbox) -> None:
    outbox.add("run", 1, "tracks", b"{}")
    outbox.flush()
    with pytest.raises(OutboxBusy, match="another process"):
        Outbox(outbox.path)


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "file" / "outbox.db", tmp_path):
        with pytest.raises(OutboxError, match=r"^\S*: cannot be (made|used): .*; expected a writable (folder|file)$"):
            Outbox(path)


def test_while_the_disk_refuses_nothing_is_lost_and_the_trouble_is_told(outbox: Outbox) -> None:
    outbox.add("run", 1, "tracks", b"{}")
    outbox.flush()
    full = outbox._table._connection.execute("PRAGMA page_count").fetchone()[0]
    with outbox._database:
        outbox._table._connection.execute(f"PRAGMA max_page_count = {full}")  # SQLite then says that the disk is full
    for sequence in range(2, 12):
        outbox.add("run", sequence, "tracks", b"x" * 4000)
    assert not outbox.flush(timeout_s=0.3)
    assert outbox.counts.trouble is not None
    assert "full" in outbox.counts.trouble
    assert outbox.counts.pending == 11
    with outbox._database:
        outbox._table._connection.execute("PRAGMA max_page_count = 100000")
    assert outbox.flush()
    assert outbox.counts.trouble is None
    assert numbers(outbox) == list(range(1, 12))


def test_the_file_stands_alone_for_other_tools(path: Path) -> None:
    outbox = Outbox(path)
    outbox.add("run", 7, "alerts", b'{"version":1}')
    outbox.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT run_id, sequence, topic FROM messages").fetchall() == [("run", 7, "alerts")]
