"""How far a sensor should see a drone of a given size, by day and by night: an expectation to plan with, no promise.

Cameras: a drone of size s at slant range r covers s · focal / r pixels; the site file's table gives the probability that
so many pixels are found. Turned round, r = s · focal / pixels(probability).

Radars: the echo grows with the square of the size and falls with the fourth power of the range, so the range grows with
the square root of the size (Skolnik, Introduction to Radar Systems, 3rd ed., section 1.2). What it starts from stands in
`RADAR_REACH_M`: cautious expectations, not measured by us. A site measures its own with a drone of known size.

Nothing is expected beyond the stated coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.protocol_options import PROTOCOLS
from edge.site_types import SensorEntry
from fusion.types import DetectionProbability

SIZES_M = (0.2, 0.35, 1.5)  # a pocket drone, a common quadcopter, a large one
REFERENCE_SIZE_M = 0.35
RADAR_REACH_M = {
    "ti_mmwave": 40.0,  # for 0.35 m: small boards at 12 dBm reach tens of metres, whatever their range axis says
    "ops243": 15.0,  # its maker states 20 to 30 m for a person, whose echo is some ten times that of a quadcopter
    "ld2450": 0.0,  # finds people to six metres; no rotor has been seen to move it
}
LIKELY, SURE = 0.5, 0.9  # probability in one scan


@dataclass(frozen=True, slots=True)
class Expected:
    """Where one drone is seen: metres, 0.0 for nowhere, None for not measured. `sure` is at 0.9, else 0.5 in one scan."""

    size_m: float
    day_m: float | None
    day_sure_m: float | None
    night_m: float | None
    night_sure_m: float | None
    basis: str  # "measured table", "expectation", "not measured"


def expected_ranges(entry: SensorEntry) -> tuple[Expected, ...] | None:
    """One for each of SIZES_M; None for a sensor that sees nothing by itself."""
    family = PROTOCOLS[entry.protocol].family
    if family == "camera":
        return tuple(camera_range(entry, size_m) for size_m in SIZES_M)
    if family == "radar":
        return tuple(radar_range(entry, size_m) for size_m in SIZES_M)
    return None


def camera_range(entry: SensorEntry, size_m: float) -> Expected:
    """From the pixels that the detector needs; without a measured table nothing is claimed."""
    chance = entry.sensor.detection_probability
    if chance is None or chance.by_pixels is None:
        return Expected(size_m, None, None, None, None, "not measured")
    likely_m, sure_m = (within_coverage(entry, reach(chance, size_m, p)) for p in (LIKELY, SURE))
    if chance.night == "same":
        return Expected(size_m, likely_m, sure_m, likely_m, sure_m, "measured table")
    night_m = 0.0 if chance.night == "none" else None
    return Expected(size_m, likely_m, sure_m, night_m, night_m, "measured table")


def reach(chance: DetectionProbability, size_m: float, probability: float) -> float:
    """Slant range, m, to which an object of this size is found with at least this probability; 0 if nowhere."""
    pixels = pixels_needed(chance.by_pixels or (), probability)
    return 0.0 if pixels is None or not chance.pixels_per_rad else size_m * chance.pixels_per_rad / pixels


def pixels_needed(table: tuple[tuple[float, float], ...], probability: float) -> float | None:
    """The smallest size in pixels at which the table, read with straight lines, reaches the probability."""
    before: tuple[float, float] | None = None
    for pixels, chance in table:
        if chance >= probability:
            if before is None or chance == before[1]:
                return pixels if pixels > 0.0 else None
            return before[0] + (pixels - before[0]) * (probability - before[1]) / (chance - before[1])
        before = (pixels, chance)
    return None


def radar_range(entry: SensorEntry, size_m: float) -> Expected:
    """From the protocol's figure; the night changes nothing for a radar."""
    at_reference_m = RADAR_REACH_M.get(entry.protocol)
    if at_reference_m is None:
        return Expected(size_m, None, None, None, None, "not measured")
    reach_m = within_coverage(entry, at_reference_m * math.sqrt(size_m / REFERENCE_SIZE_M))
    return Expected(size_m, reach_m, None, reach_m, None, "expectation")


def within_coverage(entry: SensorEntry, reach_m: float) -> float:
    """Not beyond what the site file says the sensor covers; 0 if it ends before that begins."""
    coverage = entry.sensor.coverage
    if coverage is None:
        return reach_m
    nearest_m, farthest_m = coverage.slant_range_m
    return min(reach_m, farthest_m) if reach_m > nearest_m else 0.0
