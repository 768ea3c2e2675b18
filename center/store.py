"""Everything the posts sent, in one SQLite file: written by one thread, read by any.

    messages         as they came, once each by (site, run, sequence)
    track_states     every published form of every track, for times and boxes
    sequence_ranges  what is committed of each run: what is acknowledged, and what is missing
    latest, health_samples, runs, starts

What is acknowledged must outlive a power cut, so every commit reaches the disk (synchronous=FULL): with a batch for each
40 ms that is 25 syncs a second at most. Readers never wait for the writer (write-ahead log).

Event numbers order everything the center ever received: the number of its start in the upper bits, a count in the lower
32. So they grow over restarts even where the last ones before a crash were never committed.
"""

from __future__ import annotations

import fcntl
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from center.ranges import Range, SequenceRanges
from center.received import Received
from center.reserve import Reserve
from fusion.wire import HealthMessage, TrackMessage, TracksMessage, parse_rfc3339

MIGRATIONS = ("schema.sql",)  # in order; PRAGMA user_version counts those a file has seen
COUNT_BITS = 32
HEALTH_SAMPLE_NS = 60 * 10**9  # one sample a minute where the state stays the same
DELETE_CHUNK = 2_000  # rows of one table in one transaction of `forget`: some 10 ms
BUSY_S = 5.0

RunKey: TypeAlias = tuple[str, str]  # site_id, run_id
Row: TypeAlias = dict[str, Any]


class StoreError(Exception):
    """The file cannot be used as a store; the text says why."""


class Store:
    """The open store. `write` and `forget` belong to one thread; the readers open connections of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = hold(path)
        self._reserve = Reserve(path)
        try:
            self._writer = self._reserve.behind(lambda: opened(path))
            start_number = self._reserve.behind(lambda: next_start(self._writer))
            self._reserve.make()
        except (sqlite3.Error, OSError) as error:
            os.close(self._held)
            raise StoreError(f"{path}: cannot be used as the store: {error}{self._reserve.advice()}") from error
        except StoreError:
            os.close(self._held)
            raise
        self._committed: dict[RunKey, SequenceRanges] = load_ranges(self._writer)
        self._health: dict[str, tuple[int, str]] = {}  # site: (received_ns, state) of the newest sample
        self.first_event_number = start_number << COUNT_BITS

    def close(self) -> None:
        self._writer.close()
        os.close(self._held)

    # Written by one thread

    def write(self, batch: Sequence[Received]) -> None:
        """Commit a batch whole, or raise sqlite3.Error and leave the store as it was."""
        added: dict[RunKey, set[int]] = {}
        samples = dict(self._health)
        with transaction(self._writer):
            for received in batch:
                if received.sequence:
                    self._write_message(received, added)
                if received.event_number == 0 or received.message is None:
                    continue  # a duplicate, or nothing that can be read
                if received.name in ("site", "health"):
                    self._write_latest(received)
                if isinstance(received.message, HealthMessage):
                    self._write_health(received, received.message, samples)
            for key, numbers in added.items():
                self._write_ranges(key, numbers)
        for key, numbers in added.items():
            ranges = self._committed.setdefault(key, SequenceRanges())
            for number in numbers:
                ranges.add(number)
        self._health = samples

    def committed(self, key: RunKey) -> SequenceRanges:
        """What is committed of a run; not to be changed."""
        return self._committed.get(key, SequenceRanges())

    def committed_ranges(self, newest: int) -> dict[RunKey, list[Range]]:
        """What is committed of the runs heard last, the newest last."""
        rows = self._read("SELECT site_id, run_id FROM runs ORDER BY last_received_ns DESC LIMIT ?", (newest,))
        keys = [(row["site_id"], row["run_id"]) for row in reversed(rows)]
        return {key: self.committed(key).ranges() for key in keys}

    def forget(self, before_ns: int, posts_before_ns: int) -> tuple[int, list[RunKey]]:
        """Delete a piece of what was received before a time, and posts and runs that were last heard before another.

        How many rows (0: nothing is left), and which runs. Raises sqlite3.Error, OSError."""
        found = self._reserve.behind(lambda: self._forget(before_ns, posts_before_ns))
        self._reserve.make()
        return found

    def _forget(self, before_ns: int, posts_before_ns: int) -> tuple[int, list[RunKey]]:
        deleted = 0
        parameters = {"before_ns": before_ns, "posts_before_ns": posts_before_ns, "limit": DELETE_CHUNK}
        with transaction(self._writer):
            for statement in FORGET:
                deleted += self._writer.execute(statement, parameters).rowcount
            runs: list[RunKey] = self._writer.execute(OLD_RUNS, parameters).fetchall()
            self._writer.executemany("DELETE FROM sequence_ranges WHERE site_id = ? AND run_id = ?", runs)
            self._writer.executemany("DELETE FROM runs WHERE site_id = ? AND run_id = ?", runs)
        for key in runs:
            self._committed.pop(key, None)
        return deleted + len(runs), runs

    def free_bytes(self) -> int:
        """Room in the file itself, left by what was deleted; the writing thread asks."""
        (pages,) = self._writer.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = self._writer.execute("PRAGMA page_size").fetchone()
        return int(pages) * int(page_bytes)

    def _write_message(self, received: Received, added: dict[RunKey, set[int]]) -> None:
        key, number = (received.site_id, received.run_id), received.sequence
        if number in added.setdefault(key, set()) or number in self.committed(key):
            return
        added[key].add(number)
        self._writer.execute(
            "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                received.event_number,
                *key,
                received.sequence,
                received.name,
                received.received_ns,
                received.fault,
                received.payload,
            ),
        )
        self._writer.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_received_ns = excluded.last_received_ns",
            (*key, received.received_ns, received.received_ns),
        )
        if isinstance(received.message, TracksMessage):
            rows = [track_state(received, track) for track in received.message.tracks]
            self._writer.executemany(f"INSERT OR REPLACE INTO track_states VALUES ({', '.join('?' * 19)})", rows)

    def _write_ranges(self, key: RunKey, numbers: set[int]) -> None:
        """Only those that change: a post that thinned its outbox leaves a gap with each message that it gave up."""
        gone, come = self.committed(key).changed_by(numbers)
        self._writer.executemany(
            "DELETE FROM sequence_ranges WHERE site_id = ? AND run_id = ? AND first = ?",
            [(*key, first) for first, _ in gone],
        )
        self._writer.executemany("INSERT INTO sequence_ranges VALUES (?, ?, ?, ?)", [(*key, *one) for one in come])

    def _write_latest(self, received: Received) -> None:
        self._writer.execute(
            "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)",
            (received.site_id, received.name, received.received_ns, received.payload),
        )

    def _write_health(self, received: Received, health: HealthMessage, samples: dict[str, tuple[int, str]]) -> None:
        sampled_ns, state = samples.get(received.site_id, (0, ""))
        if state == health.state and abs(received.received_ns - sampled_ns) < HEALTH_SAMPLE_NS:
            return  # far apart also where the clock was set back
        samples[received.site_id] = (received.received_ns, health.state)
        self._writer.execute(
            "INSERT OR REPLACE INTO health_samples VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                received.site_id,
                received.received_ns,
                health.run_id,
                health.time,
                health.state,
                health.text,
                received.payload,
            ),
        )

    # Read by any thread

    def latest(self, name: str) -> list[Row]:
        """The newest messages of one name, a row for each site."""
        return self._read("SELECT site_id, name, received_ns, payload FROM latest WHERE name = ?", (name,))

    def messages_after(self, event_number: int, before: int, limit: int) -> list[Row]:
        """Readable messages with event numbers between two, both excluded, in order."""
        return self._read(
            "SELECT * FROM messages WHERE event_number > ? AND event_number < ? AND fault IS NULL"
            " ORDER BY event_number LIMIT ?",
            (event_number, before, limit),
        )

    def tracks_messages_since(self, received_ns: int) -> list[Row]:
        """The tracks messages received from a time on, in order."""
        return self._read(
            "SELECT * FROM messages WHERE received_ns >= ? AND name = 'tracks' AND fault IS NULL ORDER BY event_number",
            (received_ns,),
        )

    def track_history(self, key: RunKey, track_number: int, limit: int) -> list[Row]:
        """The newest `limit` states of one track, oldest first."""
        rows = self._read(
            "SELECT * FROM track_states WHERE site_id = ? AND run_id = ? AND track_number = ?"
            " ORDER BY revision DESC LIMIT ?",
            (*key, track_number, limit),
        )
        return rows[::-1]

    def last_track_message(self, key: RunKey, track_number: int) -> Row | None:
        """The message with the newest form of a track."""
        rows = self._read(
            "SELECT messages.* FROM track_states JOIN messages USING (event_number) WHERE track_states.site_id = ?"
            " AND track_states.run_id = ? AND track_number = ? ORDER BY revision DESC LIMIT 1",
            (*key, track_number),
        )
        return rows[0] if rows else None

    def states_between(
        self, from_ns: int, to_ns: int, site_id: str | None, box: tuple[float, float, float, float] | None, limit: int
    ) -> list[Row]:
        """Track states of a time, a site, a box (west, south, east, north; degrees), oldest first."""
        where: list[str] = ["time_ns BETWEEN ? AND ?"]
        parameters: list[Any] = [from_ns, to_ns]
        if site_id is not None:
            where.append("site_id = ?")
            parameters.append(site_id)
        if box is not None:
            west, south, east, north = box
            over_the_date_line = west > east
            where.append("latitude_deg BETWEEN ? AND ?")
            where.append(f"(longitude_deg >= ? {'OR' if over_the_date_line else 'AND'} longitude_deg <= ?)")
            parameters += [south, north, west, east]
        return self._read(
            f"SELECT * FROM track_states WHERE {' AND '.join(where)} ORDER BY time_ns, site_id, track_number LIMIT ?",
            (*parameters, limit),
        )

    def health_samples(self, site_id: str, limit: int) -> list[Row]:
        """The newest `limit` samples of a post's health, oldest first."""
        rows = self._read(
            "SELECT * FROM health_samples WHERE site_id = ? ORDER BY received_ns DESC LIMIT ?", (site_id, limit)
        )
        return rows[::-1]

    def runs(self) -> list[Row]:
        return self._read("SELECT * FROM runs ORDER BY first_received_ns")

    def message_count(self) -> int:
        """How many messages are stored now; what retention deleted no longer counts."""
        return int(self._read("SELECT COUNT(*) AS count FROM messages")[0]["count"])

    def _read(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as reader:
            reader.row_factory = sqlite3.Row
            return [dict(row) for row in reader.execute(query, parameters)]


# old rows of each table; messages go last, for the states are found by them
FORGET = (
    "DELETE FROM track_states WHERE (event_number, track_number, revision) IN"
    " (SELECT event_number, track_number, revision FROM track_states WHERE event_number <"
    " COALESCE((SELECT event_number FROM messages WHERE received_ns >= :before_ns ORDER BY received_ns LIMIT 1), 1 << 62)"
    " LIMIT :limit)",
    "DELETE FROM messages WHERE event_number IN"
    " (SELECT event_number FROM messages WHERE received_ns < :before_ns LIMIT :limit)",
    "DELETE FROM latest WHERE site_id IN (SELECT site_id FROM latest GROUP BY site_id"
    " HAVING MAX(received_ns) < :posts_before_ns LIMIT :limit)",  # a post tells its site once a run
    "DELETE FROM health_samples WHERE (site_id, received_ns) IN"
    " (SELECT site_id, received_ns FROM health_samples WHERE received_ns < :before_ns LIMIT :limit)",
)
OLD_RUNS = "SELECT site_id, run_id FROM runs WHERE last_received_ns < :posts_before_ns LIMIT :limit"


def hold(path: Path) -> int:
    """Keep other centers off a store for as long as the descriptor is open. Raises StoreError."""
    lock = path.with_name(path.name + ".lock")
    try:
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{path}: cannot be used as the store: {lock.name}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        raise StoreError(
            f"{path}: another center uses it; stop that one, or give this one a [store] of its own"
        ) from error
    return held


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def opened(path: Path) -> sqlite3.Connection:
    """The connection that writes, of a store in this program's form. Raises sqlite3.Error, StoreError."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def next_start(connection: sqlite3.Connection) -> int:
    """The number of this start."""
    with transaction(connection):
        connection.execute("UPDATE starts SET start_number = start_number + 1")
        (number,) = connection.execute("SELECT start_number FROM starts").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a store to this program's form. Raises StoreError on a store of a newer program."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(f"{path}: the store has form {version}; this program knows forms up to {len(MIGRATIONS)}")
    for number, name in enumerate(MIGRATIONS[version:], start=version + 1):
        script = Path(__file__).with_name(name).read_text(encoding="utf-8")
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def load_ranges(connection: sqlite3.Connection) -> dict[RunKey, SequenceRanges]:
    ranges: dict[RunKey, list[Range]] = {}
    for site_id, run_id, first, last in connection.execute("SELECT site_id, run_id, first, last FROM sequence_ranges"):
        ranges.setdefault((site_id, run_id), []).append((first, last))
    return {key: SequenceRanges(one) for key, one in ranges.items()}


def track_state(received: Received, track: TrackMessage) -> tuple[Any, ...]:
    """The row of track_states for one track."""
    name, probability = max(track.classes.items(), key=lambda item: item[1], default=(None, None))
    return (
        received.event_number,
        received.site_id,
        received.run_id,
        track.track_number,
        track.revision,
        parse_rfc3339(track.time),
        track.latitude_deg,
        track.longitude_deg,
        track.height_m,
        *track.velocity_enu_m_s,
        round(horizontal_sigma_m(track.covariance), 2),
        track.status,
        track.reason,
        track.existence_probability,
        name,
        probability,
        track.direction is not None,
    )


def horizontal_sigma_m(covariance: Sequence[float]) -> float:
    """1-sigma along the longest axis of the horizontal ellipse, from the upper triangle of the 6 x 6 covariance."""
    east, both, north = covariance[0], covariance[1], covariance[6]
    largest = (east + north) / 2 + math.hypot((east - north) / 2, both)
    return math.sqrt(max(largest, 0.0))
