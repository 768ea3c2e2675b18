"""How early: seconds to the first track and to the right class, seconds of warning before a line, false tracks an hour.

    object is there ──┬── first track ──┬── called what it is ────────────┬── crosses the line
                      │ time to track   │                                 │
                      └ time to class ──┘     warning = from the first track to the crossing

Everything is told by object; one that never had a track has no time, and is counted apart instead of being left out of a mean.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fusion.detection_range import rate_band
from fusion.types import FloatArray

DAY_S, HOUR_S = 86_400.0, 3600.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object at one moment, and the track that had it then, if any."""

    time_s: float
    position_m: FloatArray
    track: Hashable | None
    is_called_right: bool | None  # None: no track, or a track that names no class


@dataclass(frozen=True, slots=True)
class Delays:
    """Over the objects that got there; and how many did not."""

    median_s: float | None
    worst_s: float | None
    never: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Events in a time, as a rate with its 95 % band."""

    count: int
    rate: float
    low: float
    high: float


def delays(timelines: Mapping[Hashable, Sequence[Sighting]], to_class: bool = False) -> Delays:
    """Seconds from an object's first moment to its first track, or to its first track of the right class."""
    waits, never = [], 0
    for sightings in timelines.values():
        hits = (s.time_s for s in sightings if (s.is_called_right if to_class else s.track is not None))
        first = next(hits, None)
        if first is None:
            never += 1
        else:
            waits.append(first - sightings[0].time_s)
    return _delays(waits, never)


def warnings(timelines: Mapping[Hashable, Sequence[Sighting]], line_radius_m: float) -> Delays:
    """Seconds between an object's first track and its first crossing, inwards, of a circle about the origin.

    Only objects that were outside first; `never` counts those that crossed without having been tracked, `worst_s` is
    the shortest warning.
    """
    waits, never = [], 0
    for sightings in timelines.values():
        crossing = _crossing(sightings, line_radius_m)
        if crossing is None:
            continue
        first = next((s.time_s for s in sightings if s.track is not None and s.time_s <= crossing), None)
        if first is None:
            never += 1
        else:
            waits.append(crossing - first)
    found = _delays(waits, never)
    return Delays(found.median_s, min(waits, default=None), never)


def _crossing(sightings: Sequence[Sighting], radius_m: float) -> float | None:
    was_outside = False
    for sighting in sightings:
        is_outside = float(np.hypot(sighting.position_m[0], sighting.position_m[1])) > radius_m
        if was_outside and not is_outside:
            return sighting.time_s
        was_outside = was_outside or is_outside
    return None


def _delays(waits: Sequence[float], never: int) -> Delays:
    return Delays(float(np.median(waits)) if waits else None, max(waits, default=None), never)


def rate_of(count: int, seconds: float, unit_s: float) -> Rate:
    """So many events in so many seconds, told per unit of time."""
    units = max(seconds, 1e-9) / unit_s
    return Rate(count, count / units, *rate_band(count, units))
