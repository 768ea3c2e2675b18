"""Late facts: nobody waits for them; the past is taken up again from a snapshot and replayed in order of time.

    snapshots    S0 ---- S1 ---- S2 ---- S3
    facts         a b  c   d e    f g      h        a late x between c and d: restore S0, replay b c x d e f g h

Facts have a place in time that does not depend on their arrival, so afterwards all is as if they had come in order.
Snapshots are sparse: one of every fact would cost more, in time and in memory, than the replay it saves.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

MAX_KEPT_FACTS = 20_000  # beyond that the window shrinks
SNAPSHOT_EVERY_NS, SNAPSHOT_EVERY_FACTS = 250_000_000, 5  # both must have passed

Place: TypeAlias = tuple[int, str, int]  # time_ns, sensor_id, arrival

FactT = TypeVar("FactT")


class Restorable(Protocol):
    def copy(self: StateT) -> StateT:
        """An independent copy."""


StateT = TypeVar("StateT", bound=Restorable)

BEGINNING: Place = (-(2**62), "", 0)


@dataclass(frozen=True, slots=True)
class Resumed(Generic[StateT, FactT]):
    """Where to go on from, and what to work in, in order."""

    state: StateT
    facts: list[tuple[Place, FactT]]


class History(Generic[StateT, FactT]):
    """The facts of the rewind window and snapshots of what they led to."""

    def __init__(self, initial: StateT, rewind_ns: int) -> None:
        self._rewind_ns = rewind_ns
        self._places: list[Place] = []
        self._facts: list[FactT] = []
        self._snapshot_places: list[Place] = [BEGINNING]
        self._snapshots: list[StateT] = [initial.copy()]
        self._since_snapshot = 0  # facts

    @property
    def newest(self) -> Place | None:
        """Place of the youngest fact kept: one before it is late."""
        return self._places[-1] if self._places else None

    @property
    def youngest_ns(self) -> int | None:
        """Time of the youngest fact kept."""
        return self._places[-1][0] if self._places else None

    def is_too_old(self, time_ns: int) -> bool:
        """Whether a fact of that time lies before the window."""
        if self.youngest_ns is None:
            return False
        return time_ns < self.youngest_ns - self._rewind_ns or (time_ns, "", 0) < self._snapshot_places[0]

    def free_ns(self, time_ns: int, sensor_id: str) -> int:
        """That time, or the first ns after it of which no fact of this sensor is kept: every scan has a time of its own."""
        at = bisect_left(self._places, (time_ns, sensor_id, 0))
        while at < len(self._places) and self._places[at][:2] == (time_ns, sensor_id):
            time_ns += 1
            at = bisect_left(self._places, (time_ns, sensor_id, 0))
        return time_ns

    def add(self, place: Place, fact: FactT) -> None:
        """Keep a fact at its place."""
        at = bisect_right(self._places, place)
        self._places.insert(at, place)
        self._facts.insert(at, fact)

    def resume(self, place: Place) -> Resumed[StateT, FactT]:
        """The last state before that place and all facts since; later snapshots are dropped."""
        at = bisect_left(self._snapshot_places, place) - 1
        del self._snapshot_places[at + 1 :], self._snapshots[at + 1 :]
        self._since_snapshot = 0
        start = bisect_right(self._places, self._snapshot_places[at])
        facts = list(zip(self._places[start:], self._facts[start:], strict=True))
        return Resumed(self._snapshots[at].copy(), facts)

    def worked_in(self, place: Place, state: StateT) -> None:
        """Take a snapshot when it is time for one, and let go of what lies before the window."""
        self._since_snapshot += 1
        last_ns = self._snapshot_places[-1][0]
        if place[0] - last_ns >= SNAPSHOT_EVERY_NS and self._since_snapshot >= SNAPSHOT_EVERY_FACTS:
            self._since_snapshot = 0
            self._snapshot_places.append(place)
            self._snapshots.append(state.copy())
            self._trim()

    def _trim(self) -> None:
        oldest_ns = self._places[-1][0] - self._rewind_ns
        drop = 0
        while drop + 1 < len(self._snapshots) and (
            self._snapshot_places[drop + 1][0] < oldest_ns
            or len(self._places) - bisect_right(self._places, self._snapshot_places[drop]) > MAX_KEPT_FACTS
        ):
            drop += 1
        del self._snapshot_places[:drop], self._snapshots[:drop]
        start = bisect_right(self._places, self._snapshot_places[0])
        del self._places[:start], self._facts[:start]
