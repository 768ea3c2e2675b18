"""A TI mmWave radar at a mounting: points of a frame, as its data port gives them.

Signal-to-noise falls with the fourth power of range and in the rain, and grows with the cross section::

    snr_db = snr_db_at_50m + 10·log10(σ / 0.01 m²) − 40·log10(r / 50 m) − rain

A frame detects an object by the Swerling 1 law, P = Pfa^(1 / (1 + SNR)), and a strong one gives several points. They
come from one peak of one spectrum, so they share its error and differ only by their places on the object. What the ground
hides gives nothing. `echoes.py` adds what is no object: clutter in places, reflections, rain, false points.

Source: Richards, Fundamentals of Radar Signal Processing, 2nd ed. (2014), section 6.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.echoes import (
    ECHO_KEYS,
    LEAST_SNR_DB,
    FalseEchoes,
    Returns,
    clutter_points,
    points_of,
)
from edge.simulator.faults import holding
from edge.simulator.mount import View, covers, mount_of
from edge.simulator.scenario import Scenario
from edge.simulator.world import Moment, Timeline
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from firmware_interfaces.ti_mmwave import encode_frame
from fusion.types import Coverage, FloatArray

FALSE_ALARM_PROBABILITY = 1e-4  # of one cell, at the detector's threshold
REFERENCE_RANGE_M, REFERENCE_CROSS_SECTION_M2 = 50.0, 0.01
CPU_HZ = 200e6  # of the frame header's cycle counter, which wraps every 21 s
POINT_SPREAD = 0.25  # 1-sigma of the places of its points, as a share of an object's size
LARGEST_SPREAD_M = 0.6  # one peak of one range cell, however large the thing
MOST_POINTS = 4  # of one small object, at the range resolution of this band

KEYS = (
    Key("rate_hz", "number", "frames a second", 10.0, above=0.0, at_most=50.0),
    Key("latency_s", "number", "from measurement to the port", 0.02, at_least=0.0, at_most=5.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    Key("snr_db_at_50m", "number", "of 0.01 m²", 26.0, at_least=-20.0, at_most=80.0),
    *ECHO_KEYS,
)


class Radar:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        if entry.sensor.coverage is None:
            raise place.missing("coverage", "limits: a simulated radar sees inside them")
        sensor, scene = entry.sensor, scenario.scene
        self._mount, rest = mount_of(sensor, simulate, seed, scene.gusts, scenario.faults, place)
        clutter = clutter_points(rest.pop("clutter_enu_m", []), "clutter_enu_m", place)
        mirrors = clutter_points(rest.pop("mirrors_enu_m", []), "mirrors_enu_m", place)
        values = read_keys(rest, KEYS, place)
        self.sensor_id = sensor.sensor_id
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._coverage: Coverage = sensor.coverage
        accuracy = sensor.accuracy
        self._sigma = [accuracy.azimuth_rad, accuracy.elevation_rad, accuracy.slant_range_m, accuracy.range_rate_m_s]
        self._seed, self._scene, self._faults = seed, scene, scenario.faults
        self._snr_db_at_50m = float(values["snr_db_at_50m"])
        self._false = FalseEchoes(values, clutter, mirrors, scenario.clutter, scene, self._coverage)
        self._look_at(scenario.world)

    def _look_at(self, world: Any) -> None:
        self._world, self._timeline = world, Timeline(world, self.rate_hz)
        self._cross_section_m2 = np.array([thing.cross_section_m2 for thing in world.objects])
        self._size_m = np.array([thing.size_m for thing in world.objects])
        self._visible = world.visible_to(self.sensor_id)

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """The frame of this look."""
        chance = chance_of(self._seed, self.sensor_id, number)
        jam = holding(self._faults, self.sensor_id, "jammed", time_s)
        returns = self._returns(number, 0.0 if jam is None else float(jam.told["loss_db"]))
        points = [
            self._objects(returns, time_s, chance),
            self._false.points(returns, self._mount, time_s, chance),
        ]
        return encode_frame(number + 1, np.concatenate(points).tolist(), cpu_cycles=round(time_s * CPU_HZ))

    def chances(self, moment: Moment) -> FloatArray:
        """How probably one look detects each object of a moment; shape (n,). Faults are left out."""
        view = self._mount.view(moment)
        there = moment.exists & self._visible & covers(self._coverage, view)
        there &= self._world.is_seen(self._mount.position_enu_m, moment.position_enu_m)
        found = detection_probability(self.snr_db(view.slant_range_m, self._cross_section_m2))
        return np.asarray(np.where(there, found, 0.0))

    def _returns(self, number: int, loss_db: float) -> Returns:
        """The objects that could give an echo in this look."""
        moment = self._timeline.at(number)
        view = self._mount.view(moment)
        there = np.flatnonzero(moment.exists & self._visible & covers(self._coverage, view))
        there = there[self._world.is_seen(self._mount.position_enu_m, moment.position_enu_m[there])]
        chosen = View(*(getattr(view, name)[there] for name in View.__slots__))
        snr_db = self.snr_db(chosen.slant_range_m, self._cross_section_m2[there]) - loss_db
        return Returns(there, chosen, moment.position_enu_m[there], snr_db)

    def _objects(self, returns: Returns, time_s: float, chance: np.random.Generator) -> FloatArray:
        """An object's points: one error for all, as the site file states it, and their own places on the object."""
        seen = np.flatnonzero(chance.random(len(returns.index)) < detection_probability(returns.snr_db))
        view, snr_db, size_m = returns.view, returns.snr_db[seen], self._size_m[returns.index[seen]]
        errors = chance.standard_normal((4, len(seen))) * np.array([s or 0.0 for s in self._sigma])[:, None]
        azimuth, elevation, slant_range, range_rate = errors + np.stack(
            [v[seen] for v in (view.azimuth_rad, view.elevation_rad, view.slant_range_m, view.range_rate_m_s)]
        )
        slant_range = slant_range + self._mount.range_error_m(time_s)
        which = np.repeat(np.arange(len(seen)), point_count(snr_db, chance))
        points = points_of(azimuth, elevation, slant_range, range_rate, snr_db)[which]
        spread_m = np.minimum(POINT_SPREAD * size_m[which], LARGEST_SPREAD_M)[:, None]
        points[:, :3] += chance.standard_normal((len(which), 3)) * spread_m
        points[:, 4] = np.maximum(LEAST_SNR_DB, points[:, 4] + chance.normal(0.0, 1.5, len(which)))
        return points

    def snr_db(self, slant_range_m: Any, cross_section_m2: Any) -> Any:
        stronger_db = 10 * np.log10(np.divide(cross_section_m2, REFERENCE_CROSS_SECTION_M2))
        farther_db = 40 * np.log10(np.maximum(slant_range_m, 0.5) / REFERENCE_RANGE_M)
        return self._snr_db_at_50m + stronger_db - farther_db - self._scene.radar_loss_db_per_m * slant_range_m


def detection_probability(snr_db: Any) -> Any:
    found = FALSE_ALARM_PROBABILITY ** (1.0 / (1.0 + 10 ** (np.asarray(snr_db) / 10)))
    return np.where(np.asarray(snr_db) < LEAST_SNR_DB, 0.0, found)


def point_count(snr_db: FloatArray, chance: np.random.Generator) -> Any:
    """One point at the threshold, more the stronger the echo."""
    return np.minimum(MOST_POINTS, 1 + chance.poisson(np.maximum(0.0, snr_db - 16.0) / 12.0))
