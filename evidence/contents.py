"""What a recording holds, sensor by sensor: how much, how often, and where it fell silent.

A gap is a pause between two readings of a sensor that is longer than ten of its usual ones and than a second.
"""

from __future__ import annotations

import itertools
from array import array

import msgspec

from evidence.recording import RecordedReadings, RecordingDamaged

GAP_FACTOR, GAP_NS = 10, 1_000_000_000
GAPS_TOLD = 20  # of one sensor; the longest come first


class Gap(msgspec.Struct, frozen=True):
    """A pause of one sensor: when it began, counted from the recording's first reading, and how long it was."""

    from_s: float
    seconds: float


class SensorContents(msgspec.Struct, frozen=True):
    protocol: str | None
    driver: str | None
    readings: int
    bytes: int
    rate_hz: float | None  # of readings, from first to last; None for fewer than two
    first_s: float | None  # from the recording's first reading
    last_s: float | None
    gap_count: int
    gaps: tuple[Gap, ...]


class Contents(msgspec.Struct, frozen=True):
    readings: int
    bytes: int  # of the readings' data
    first_ns: int | None  # UTC as received
    last_ns: int | None
    seconds: float  # by the clock that never steps
    sensors: dict[str, SensorContents]
    missing_readings: int  # places in the order of all that are not there
    counters: dict[str, int]  # what did not fit through the door
    is_cut: bool
    left_over_bytes: int
    damage: str | None
    recovered: dict[str, str]  # what a recovery noted


def contents_of(readings: RecordedReadings) -> Contents:
    """Read through to the end, or to the damage."""
    times_ns = {sensor_id: array("q") for sensor_id in readings.channels}
    sizes = dict.fromkeys(readings.channels, 0)
    received_ns: list[int] = []
    damage = None
    try:
        for reading in readings:
            times_ns.setdefault(reading.sensor_id, array("q")).append(reading.monotonic_ns)
            sizes[reading.sensor_id] = sizes.get(reading.sensor_id, 0) + len(reading.data)
            received_ns[1:] = [reading.received_ns]  # keeps the first and the newest
    except RecordingDamaged as error:
        damage = str(error)
    for sensor_id in readings.channels:
        times_ns.setdefault(sensor_id, array("q"))
    start_ns = min((times[0] for times in times_ns.values() if times), default=0)
    end_ns = max((times[-1] for times in times_ns.values() if times), default=0)
    return Contents(
        readings=sum(len(times) for times in times_ns.values()),
        bytes=sum(sizes.values()),
        first_ns=received_ns[0] if received_ns else None,
        last_ns=received_ns[-1] if received_ns else None,
        seconds=(end_ns - start_ns) / 1e9,
        sensors={
            sensor_id: sensor_contents(times, sizes.get(sensor_id, 0), start_ns, readings.channels.get(sensor_id, {}))
            for sensor_id, times in times_ns.items()
        },
        missing_readings=readings.missing,
        counters=readings.counters,
        is_cut=readings.is_cut,
        left_over_bytes=readings.left_over_bytes,
        damage=damage,
        recovered=readings.recovered,
    )


def sensor_contents(times_ns: array[int], size: int, start_ns: int, metadata: dict[str, str]) -> SensorContents:
    count = len(times_ns)
    span_ns = times_ns[-1] - times_ns[0] if count else 0
    gaps = gaps_of(times_ns, start_ns)
    return SensorContents(
        protocol=metadata.get("protocol"),
        driver=metadata.get("driver"),
        readings=count,
        bytes=size,
        rate_hz=(count - 1) * 1e9 / span_ns if span_ns > 0 else None,
        first_s=(times_ns[0] - start_ns) / 1e9 if count else None,
        last_s=(times_ns[-1] - start_ns) / 1e9 if count else None,
        gap_count=len(gaps),
        gaps=tuple(gaps[:GAPS_TOLD]),
    )


def gaps_of(times_ns: array[int], start_ns: int) -> list[Gap]:
    """The pauses that are no usual ones, longest first."""
    if len(times_ns) < 3:
        return []
    pauses_ns = [later - earlier for earlier, later in itertools.pairwise(times_ns)]
    usual_ns = sorted(pauses_ns)[len(pauses_ns) // 2]
    limit_ns = max(GAP_NS, GAP_FACTOR * usual_ns)
    found = [
        Gap((time_ns - start_ns) / 1e9, pause_ns / 1e9)
        for time_ns, pause_ns in zip(times_ns, pauses_ns, strict=False)
        if pause_ns > limit_ns
    ]
    return sorted(found, key=lambda gap: -gap.seconds)
