"""A radar held against an aligned camera: what the camera saw move, and the ranges that the radar measured at that time.

                       * the point: on the camera's ray, at the radar's range from the radar
                    .·  \\
       ray of     .·     \\  slant range
      the camera.·        \\
         camera ·          radar

A camera's finds that follow each other are one thing; those that moved count, since what stands still may be a tree. Nobody
says which of the radar's echoes is which of the camera's things, so each is held against each: those that belong together
agree about how the radar is turned, the others do not (`alignment.py` takes the turn about which most agree). A camera tells
no range, so nothing is said of the radar's error of range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.alignment import CannotAlign, Pair
from edge.alignment_sources import sight_of
from fusion.frames import body_to_level, polar_to_enu
from fusion.types import Fact, FloatArray, Polar, Scan, Sensor

LONGEST_GAP_NS = 500_000_000  # between two looks at one thing
APART_RAD, APART_RAD_S = math.radians(0.5), math.radians(15.0)  # how far one thing may get: at once, and as time passes
LEAST_LOOKS = 10
LEAST_MOVED_RAD = math.radians(2.0)
MOST_PAIRS = 4000  # thinned evenly beyond: each is held against each of the others


@dataclass(slots=True)
class Tracklet:
    """One thing that a camera saw: unit vectors in ENU at times."""

    times_ns: list[int] = field(default_factory=list)
    units: list[FloatArray] = field(default_factory=list)

    def apart_rad(self, unit: FloatArray, time_ns: int) -> float | None:
        """How far a find is from where it was last; None where that is too far, or too long ago."""
        gap_ns = time_ns - self.times_ns[-1]
        apart = math.acos(max(-1.0, min(1.0, float(self.units[-1] @ unit))))
        reach = APART_RAD + APART_RAD_S * gap_ns / 1e9
        return apart if 0 < gap_ns <= LONGEST_GAP_NS and apart <= reach else None

    def has_moved(self) -> bool:
        first = np.array(self.units) @ self.units[0]
        return len(self.units) >= LEAST_LOOKS and bool(first.min() < math.cos(LEAST_MOVED_RAD))


class Rays:
    """Where a camera saw one thing: directions between its looks; the range comes with each of the radar's sights."""

    def __init__(self, eye: Sensor, radar: Sensor, tracklet: Tracklet, away_m: float) -> None:
        """`away_m`: about how far away it was, by which the camera's own mounting error is so many metres."""
        self.horizontal_sigma_m = self.vertical_sigma_m = math.tan(eye.mounting_sigma_rad) * away_m
        self._eye = np.array(eye.position_enu_m)
        self._apart = self._eye - np.array(radar.position_enu_m)
        self._times_ns, self._units = np.array(tracklet.times_ns, np.int64), np.array(tracklet.units)

    def at(self, stamps_ns: npt.NDArray[np.int64], late_s: float, slant_range_m: FloatArray) -> FloatArray:
        """ENU, m, shape (n, 3): points so far from the radar; NaN outside of what was seen, and where no point is so far."""
        times_ns = stamps_ns - round(late_s * 1e9)
        after = np.searchsorted(self._times_ns, times_ns, side="right")
        inside = (after > 0) & (after < len(self._times_ns))
        after = np.clip(after, 1, len(self._times_ns) - 1)
        gap_ns = self._times_ns[after] - self._times_ns[after - 1]
        share = ((times_ns - self._times_ns[after - 1]) / gap_ns)[:, None]
        unit = self._units[after - 1] * (1.0 - share) + self._units[after] * share
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        along = unit @ self._apart
        root = along**2 - self._apart @ self._apart + slant_range_m**2
        with np.errstate(invalid="ignore"):
            distance_m = np.where(inside, -along + np.sqrt(root), np.nan)
        distance_m = np.where(distance_m > 0.0, distance_m, np.nan)
        return np.asarray(self._eye + distance_m[:, None] * unit)


def tracklets(eye: Sensor, facts: Iterable[Fact]) -> list[Tracklet]:
    """What the camera saw move, its finds put together by nearness."""
    to_enu = np.array(eye.level_to_enu).reshape(3, 3)
    scans = [fact for fact in facts if isinstance(fact, Scan) and fact.sensor_id == eye.sensor_id]
    going: list[Tracklet] = []
    found: list[Tracklet] = []
    for scan in sorted(scans, key=lambda scan: scan.time_ns):
        for detection in sorted(scan.detections, key=lambda one: -one.confidence):
            polar = detection.measurement
            if not isinstance(polar, Polar) or polar.elevation_rad is None:
                continue
            unit = to_enu @ polar_to_enu(polar.azimuth_rad, polar.elevation_rad, 1.0)
            near = [(apart, n) for n, t in enumerate(going) if (apart := t.apart_rad(unit, scan.time_ns)) is not None]
            if not near:
                going.append(Tracklet())
                found.append(going[-1])
            tracklet = going[min(near)[1]] if near else going[-1]
            tracklet.times_ns.append(scan.time_ns)
            tracklet.units.append(unit)
        going = [t for t in going if scan.time_ns - t.times_ns[-1] <= LONGEST_GAP_NS]
    return [tracklet for tracklet in found if tracklet.has_moved()]


def seen_pairs(eye: Sensor, radar: Sensor, facts: Sequence[Fact]) -> list[Pair]:
    """Each of the radar's echoes with each thing that the camera saw at that time. Raises CannotAlign."""
    to_body = body_to_level(radar.orientation).T
    echoes = [
        (scan.time_ns, detection.measurement)
        for scan in facts
        if isinstance(scan, Scan) and scan.sensor_id == radar.sensor_id
        for detection in scan.detections
        if isinstance(detection.measurement, Polar) and detection.measurement.slant_range_m is not None
    ]
    moved = tracklets(eye, facts)
    pairs: list[Pair] = []
    for tracklet in moved:
        of_it = [(t, polar) for t, polar in echoes if tracklet.times_ns[0] <= t <= tracklet.times_ns[-1]]
        if not of_it:
            continue
        rays = Rays(eye, radar, tracklet, float(np.median([polar.slant_range_m for _, polar in of_it])))
        for time_ns, polar in of_it:
            sight = sight_of(time_ns, polar, to_body, radar)
            pairs.append(Pair(sight.without_range(), rays, polar.slant_range_m))
    if not pairs:
        raise CannotAlign(
            f"{eye.sensor_id} saw {len(moved)} things move and {radar.sensor_id} had {len(echoes)} echoes, never at one time; "
            "let a drone fly through what both see"
        )
    return pairs[:: -(-len(pairs) // MOST_PAIRS)]
