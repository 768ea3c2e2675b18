"""The post's own clock: what it stamps readings with, and what it says of itself.

    true UTC of the scenario ──(boots_at)──▶ stamps: they begin where the box believed it was, and never step
                             ──(steps)────▶ clock events, as `hardware/clock.py` tells them

A box without battery boots in 1970 and its stamps stay there until it is started again; what the sensors say of time (a
satellite receiver, a drone's Remote ID) is the true time all the same. A wall clock that is set back 13 s after the start, or
steps by hours, moves no stamp: the step is an event. That the rest of the post takes it so is what such a scenario shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from edge.site_keys import Key, Place, SiteFileError, read_keys, shown
from fusion.types import CLOCK, Reading
from hardware.clock import EARLIEST_TRUSTED_NS, ClockEvent

TICK_NS = 100_000_000  # as the node's own clock ticks
SECOND_NS = 1_000_000_000

CLOCK_KEYS = (
    Key("boots_at", "text", "UTC that the box believes at the start; left out: the true one", None),
    Key(
        "trusted_from_s", "number", "a time service has set it from then; left out: from the start", None, at_least=0.0
    ),
    Key("steps", "tables", "[{ at_s, step_s }]: the wall clock is set, positive = ahead", []),
    Key("tick_hz", "number", "of the ticks; a slow tick makes hours short to play", 10.0, above=0.0, at_most=10.0),
)
STEP_KEYS = (
    Key("at_s", "number", "when", at_least=0.0),
    Key("step_s", "number", "by how much", at_least=-4e9, at_most=4e9),
)


@dataclass(frozen=True, slots=True)
class PostClock:
    """What the box believes."""

    start_ns: int  # its stamp of second 0
    steps: tuple[tuple[float, float], ...] = ()  # (at_s, step_s), growing
    trusted_from_s: float | None = None
    tick_ns: int = TICK_NS

    def events(self) -> list[tuple[int, ClockEvent]]:
        """(ns since the start, event), in order; none for a clock that was always right."""
        told = []
        offset_s = 0.0
        for at_s, step_s in self.steps:
            offset_s += step_s
            text = f"the wall clock stepped by {step_s:+.3f} s; this run's stamps do not follow"
            told.append((at_s, ClockEvent("step", text, step_s=round(step_s, 6), offset_s=round(offset_s, 6))))
        if self.trusted_from_s is not None or self.start_ns < EARLIEST_TRUSTED_NS:
            told.append((0.0, ClockEvent("untrusted", "no time service disciplines the clock: start chrony")))
        if self.trusted_from_s is not None:
            event = ClockEvent("trusted", "disciplined within 0.010 s", error_bound_s=0.01)
            told.append((self.trusted_from_s, event))
        return [(round(at_s * SECOND_NS), event) for at_s, event in sorted(told, key=lambda pair: pair[0])]

    def readings(self) -> Iterator[Reading]:
        """Ticks without end, and the events between them; their monotonic time grows strictly."""
        waiting = self.events()
        number = 0
        while True:
            last_ns = number * self.tick_ns
            yield Reading(CLOCK, self.start_ns + last_ns, last_ns, None, None, b"")
            number += 1
            while waiting and waiting[0][0] < number * self.tick_ns:
                at_ns, event = waiting.pop(0)
                last_ns = max(at_ns, last_ns + 1)
                yield Reading(CLOCK, self.start_ns + last_ns, last_ns, None, None, event.to_json())


def clock_of(tables: dict[str, Any], start_ns: int, file: str) -> PostClock:
    """The scenario's [clock]. Raises SiteFileError."""
    place = Place(file, "[clock]")
    told = read_keys(tables.get("clock", {}), CLOCK_KEYS, place)
    steps = [read_keys(table, STEP_KEYS, place.within("steps")) for table in told["steps"]]
    believed_ns = start_ns
    if told["boots_at"] is not None:
        try:
            moment = datetime.strptime(told["boots_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        except ValueError as error:
            found = f"{file}: [clock]: boots_at is {shown(told['boots_at'])}"
            raise SiteFileError(f"{found}; expected UTC such as 1970-01-01T00:00:20Z") from error
        believed_ns = int(moment.timestamp()) * SECOND_NS
    return PostClock(
        believed_ns,
        tuple(sorted((step["at_s"], step["step_s"]) for step in steps)),
        told["trusted_from_s"],
        round(SECOND_NS / told["tick_hz"]),
    )
