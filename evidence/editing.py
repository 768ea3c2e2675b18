"""Recordings cut shorter and put together: the same readings, untouched, in a new file that says what it was made from.

    cut     IN  ──[from s, to s), these sensors──▶ OUT
    merge   A, B, ... of one site ──by time of arrival──▶ OUT

The clock's ticks and the node's own words always stay: without them a replay tells another story. When files of different
runs are put together, monotonic times are moved to the earliest file's, by the constant that keeps them in step with UTC.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from evidence.recording import RecordingHeader, RecordingWriter, read_recording
from fusion.types import CLOCK, NODE, Reading

EDITED = "sarhad.edited"
ALWAYS_KEPT = (CLOCK, NODE)


class CannotMerge(Exception):
    """Recordings that do not belong together; the text says why."""


@dataclass(slots=True)
class Survey:
    """What a first reading through a recording shows."""

    header: RecordingHeader
    channels: dict[str, dict[str, str]]
    counters: dict[str, int]
    spans_ns: dict[str, tuple[int, int]] = field(default_factory=dict)  # by sensor: first and last received
    first_monotonic_ns: int | None = None
    offset_ns: int = 0  # received less monotonic, of the first reading

    @property
    def first_ns(self) -> int:
        return min((first for first, _ in self.spans_ns.values()), default=self.header.started_ns)


def survey(stream: BinaryIO) -> Survey:
    """Raises WrongFile, RecordingDamaged."""
    header, readings = read_recording(stream)
    found = Survey(header, readings.channels, readings.counters)
    for reading in readings:
        if found.first_monotonic_ns is None:
            found.first_monotonic_ns = reading.monotonic_ns
            found.offset_ns = reading.received_ns - reading.monotonic_ns
        first, last = found.spans_ns.get(reading.sensor_id, (reading.received_ns, reading.received_ns))
        found.spans_ns[reading.sensor_id] = min(first, reading.received_ns), max(last, reading.received_ns)
    found.channels, found.counters = readings.channels, readings.counters
    return found


def cut(source: BinaryIO, out: BinaryIO, from_s: float, to_s: float, sensor_ids: Collection[str] | None = None) -> int:
    """Write the readings from `from_s` up to `to_s`, counted from the first one; returns how many.

    `sensor_ids`: only these, None: all; a camera's looks are a sensor of their own. `source` is read twice and must seek.
    """
    start = source.tell()
    found = survey(source)
    source.seek(start)
    first_ns = found.first_monotonic_ns or 0
    writer = RecordingWriter(out, found.header, found.channels)
    kept = sensor_ids if sensor_ids is None else {*sensor_ids, *ALWAYS_KEPT}
    for reading in read_recording(source)[1]:
        since_s = (reading.monotonic_ns - first_ns) / 1e9
        if from_s <= since_s < to_s and (kept is None or reading.sensor_id in kept):
            writer.write(reading)
    what = "all sensors" if sensor_ids is None else ", ".join(sorted(sensor_ids))
    writer.note(EDITED, {"cut": f"{from_s:g} s to {to_s:g} s of run {found.header.run_id}", "sensors": what})
    writer.close(found.counters)
    return writer.readings


def merge(sources: Sequence[BinaryIO], out: BinaryIO) -> int:
    """Write all readings in the order of their arrival; returns how many. Sources are read twice and must seek.

    Raises CannotMerge where sites differ or one sensor is in two files at the same time.
    """
    starts = [source.tell() for source in sources]
    surveys = [survey(source) for source in sources]
    check_mergeable(surveys)
    for source, start in zip(sources, starts, strict=True):
        source.seek(start)
    earliest = min(surveys, key=lambda each: each.first_ns)
    channels = {name: metadata for found in surveys for name, metadata in found.channels.items()}
    writer = RecordingWriter(out, earliest.header, channels)
    parts = [
        shifted(source, found, earliest, surveys[:k])
        for k, (source, found) in enumerate(zip(sources, surveys, strict=True))
    ]
    for reading in heapq.merge(*parts, key=lambda each: each.received_ns):
        writer.write(reading)
    writer.note(EDITED, {"merged": ", ".join(found.header.run_id for found in surveys)})
    writer.close(counters_of(surveys))
    return writer.readings


def counters_of(surveys: Sequence[Survey]) -> dict[str, int]:
    """What was dropped in all runs: each file of a run counts from the run's start, so the largest is that run's."""
    largest: dict[tuple[str, str], int] = {}
    for found in surveys:
        for name, count in found.counters.items():
            of_run = (found.header.run_id, name)
            largest[of_run] = max(largest.get(of_run, 0), count)
    counters: dict[str, int] = {}
    for (_, name), count in largest.items():
        counters[name] = counters.get(name, 0) + count
    return counters


def check_mergeable(surveys: Sequence[Survey]) -> None:
    """Raises CannotMerge."""
    for k, found in enumerate(surveys):
        if found.header.site_id != surveys[0].header.site_id:
            raise CannotMerge(
                f"site is {found.header.site_id!r} in file {k + 1}, {surveys[0].header.site_id!r} in file 1"
            )
        if found.header.site_sha256 != surveys[0].header.site_sha256:
            raise CannotMerge(
                f"the site file of file {k + 1} is not that of file 1; expected recordings of one site file"
            )
        for earlier in surveys[:k]:
            for name in (found.spans_ns.keys() & earlier.spans_ns.keys()) - set(ALWAYS_KEPT):
                (a, b), (c, d) = found.spans_ns[name], earlier.spans_ns[name]
                if a <= d and c <= b:
                    raise CannotMerge(f"sensor {name!r} is in two of the files at the same time; expected it in one")


def shifted(source: BinaryIO, found: Survey, base: Survey, earlier: Sequence[Survey]) -> Iterator[Reading]:
    """A file's readings in the base's monotonic time; ticks that another file tells already are left out."""
    move_ns = found.offset_ns - base.offset_ns
    covered = [other.spans_ns[CLOCK] for other in earlier if CLOCK in other.spans_ns]
    for reading in read_recording(source)[1]:
        is_told = reading.sensor_id == CLOCK and any(first <= reading.received_ns <= last for first, last in covered)
        if not is_told:
            yield replace(reading, monotonic_ns=reading.monotonic_ns + move_ns) if move_ns else reading
