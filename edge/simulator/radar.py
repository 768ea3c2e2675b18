"""A TI mmWave radar at a mounting: points of a frame, as its data port gives them.

Signal-to-noise falls with the fourth power of range and grows with the cross section::

    snr_db = snr_db_at_50m + 10·log10(σ / 0.01 m²) − 40·log10(r / 50 m)

A frame detects an object by the Swerling 1 law, P = Pfa^(1 / (1 + SNR)), and a strong one gives several points. They
come from one peak of one spectrum, so they share its error and differ only by their places on the object. Clutter stands
in places (a swaying mast, a buoy), false points anywhere in the coverage.

Source: Richards, Fundamentals of Radar Signal Processing, 2nd ed. (2014), section 6.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.mount import Mount, Seen, covers
from edge.simulator.scenario import Scenario
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces.ti_mmwave import encode_frame
from fusion.types import Coverage

FALSE_ALARM_PROBABILITY = 1e-4  # of one cell, at the detector's threshold
REFERENCE_RANGE_M, REFERENCE_CROSS_SECTION_M2 = 50.0, 0.01
LEAST_SNR_DB = 8.0  # a weaker peak never passes the radar's own threshold
NOISE_DB = 40.0  # as TI's side info reports it, over its own reference
CPU_HZ = 200e6  # of the frame header's cycle counter, which wraps every 21 s
POINT_SPREAD = 0.25  # 1-sigma of the places of its points, as a share of an object's size
MOST_POINTS = 4  # of one small object, at the range resolution of this band

# right, forward, up in m, range rate in m/s, signal-to-noise ratio and noise in dB
Point: TypeAlias = tuple[float, float, float, float, float, float]

KEYS = (
    Key("rate_hz", "number", "frames a second", 10.0, above=0.0, at_most=50.0),
    Key("latency_s", "number", "from measurement to the port", 0.02, at_least=0.0, at_most=2.0),
    Key("snr_db_at_50m", "number", "of 0.01 m²", 26.0, at_least=-20.0, at_most=80.0),
    Key("false_points_per_frame", "number", "anywhere in the coverage", 0.3, at_least=0.0, at_most=200.0),
    Key("clutter_probability", "number", "that a place of clutter gives a point", 0.05, at_least=0.0, at_most=1.0),
    Key("clutter_sigma_m", "number", "how far its points scatter", 0.6, at_least=0.0),
)


class Radar:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        if entry.sensor.coverage is None:
            raise place.missing("coverage", "limits: a simulated radar sees inside them")
        rest = dict(simulate)
        self._clutter_enu_m = clutter_points(rest.pop("clutter_enu_m", []), place)
        values = read_keys(rest, KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s = values["rate_hz"], values["latency_s"]
        self._coverage: Coverage = entry.sensor.coverage
        self._accuracy = entry.sensor.accuracy
        self._mount, self._world, self._seed, self._values = Mount(entry.sensor), scenario.world, seed, values

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """The frame of this look."""
        chance = chance_of(self._seed, self.sensor_id, number)
        points = self._objects(time_s, chance) + self._clutter(chance) + self._false_points(chance)
        return encode_frame(number + 1, points, cpu_cycles=round(time_s * CPU_HZ))

    def _objects(self, time_s: float, chance: np.random.Generator) -> list[Point]:
        points = []
        for sighting in self._world.at(time_s):
            seen = self._mount.see(sighting)
            if not covers(self._coverage, seen):
                continue
            snr_db = self.snr_db(seen.slant_range_m, sighting.object.cross_section_m2)
            if chance.random() < detection_probability(snr_db):
                points += self._echo(seen, snr_db, sighting.object.size_m, chance)
        return points

    def snr_db(self, slant_range_m: float, cross_section_m2: float) -> float:
        stronger_db = 10 * math.log10(cross_section_m2 / REFERENCE_CROSS_SECTION_M2)
        farther_db = 40 * math.log10(max(slant_range_m, 0.5) / REFERENCE_RANGE_M)
        return float(self._values["snr_db_at_50m"]) + stronger_db - farther_db

    def _echo(self, seen: Seen, snr_db: float, size_m: float, chance: np.random.Generator) -> list[Point]:
        """An object's points: one error for all, as the site file states it, and their own places on the object."""
        errors, accuracy = chance.standard_normal(4), self._accuracy
        noisy = Seen(
            seen.azimuth_rad + errors[0] * (accuracy.azimuth_rad or 0.0),
            seen.elevation_rad + errors[1] * (accuracy.elevation_rad or 0.0),
            seen.slant_range_m + errors[2] * (accuracy.slant_range_m or 0.0),
            seen.range_rate_m_s + errors[3] * (accuracy.range_rate_m_s or 0.0),
        )
        points = []
        for _ in range(point_count(snr_db, chance)):
            right, forward, up, rate, snr, noise = to_point(noisy, max(LEAST_SNR_DB, chance.normal(snr_db, 1.5)))
            aside = chance.normal(0.0, POINT_SPREAD * size_m, 3)
            points.append((right + aside[0], forward + aside[1], up + aside[2], rate, snr, noise))
        return points

    def _clutter(self, chance: np.random.Generator) -> list[Point]:
        points = []
        for place_enu_m in self._clutter_enu_m:
            if chance.random() < self._values["clutter_probability"]:
                moved = place_enu_m + chance.normal(0.0, self._values["clutter_sigma_m"], 3)
                right, forward, up = self._mount.to_body(moved)
                points.append(point(right, forward, up, float(chance.normal(0.0, 0.15)), 14.0))
        return points

    def _false_points(self, chance: np.random.Generator) -> list[Point]:
        limits = (self._coverage.azimuth_rad, self._coverage.elevation_rad, self._coverage.slant_range_m)
        points = []
        for _ in range(chance.poisson(self._values["false_points_per_frame"])):
            azimuth, elevation, slant_range = (float(chance.uniform(low, high)) for low, high in limits)
            seen = Seen(azimuth, elevation, slant_range, float(chance.normal(0.0, 4.0)))
            points.append(to_point(seen, LEAST_SNR_DB + float(chance.exponential(1.5))))
        return points


def detection_probability(snr_db: float) -> float:
    if snr_db < LEAST_SNR_DB:
        return 0.0
    return float(FALSE_ALARM_PROBABILITY ** (1.0 / (1.0 + 10 ** (snr_db / 10))))


def point_count(snr_db: float, chance: np.random.Generator) -> int:
    """One point at the threshold, more the stronger the echo."""
    return min(MOST_POINTS, 1 + int(chance.poisson(max(0.0, snr_db - 16.0) / 12.0)))


def to_point(seen: Seen, snr_db: float) -> Point:
    ground_m = seen.slant_range_m * math.cos(seen.elevation_rad)
    return point(
        ground_m * math.sin(seen.azimuth_rad),
        ground_m * math.cos(seen.azimuth_rad),
        seen.slant_range_m * math.sin(seen.elevation_rad),
        seen.range_rate_m_s,
        snr_db,
    )


def point(right_m: float, forward_m: float, up_m: float, range_rate_m_s: float, snr_db: float) -> Point:
    return (right_m, forward_m, up_m, range_rate_m_s, snr_db, NOISE_DB)


def clutter_points(found: Any, place: Place) -> list[np.ndarray]:
    good = isinstance(found, list) and all(
        isinstance(one, list) and len(one) == 3 and all(type(v) in (int, float) for v in one) for one in found
    )
    if not good:
        raise place.found("clutter_enu_m", found, "a list of points [east, north, up]")
    return [np.asarray(one, float) for one in found]
