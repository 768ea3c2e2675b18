"""What a radar sees that is no object: clutter, reflections, rain, chance.

    false points       anywhere in the coverage, as many as said
    clutter            in places: points of this radar's own (`clutter_enu_m`) and the scenario's [[clutter]]
    reflections        object ─▶ mirror ─▶ radar: in the mirror's direction, at half the way round, with the rate of that
    rain               drops near the radar, moving with the wind

A point is right, forward, up in m, range rate in m/s, signal-to-noise ratio and noise in dB: a row of six.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.simulator.clutter import ClutterPlace
from edge.simulator.mount import Mount, View
from edge.simulator.objects import is_rows
from edge.simulator.weather import RAIN_REACH_M, Scene
from edge.site_keys import Key, Place
from fusion.types import Coverage, FloatArray

LEAST_SNR_DB = 8.0  # a weaker peak never passes the radar's own threshold
NOISE_DB = 40.0  # as TI's side info reports it, over its own reference
FALSE_SPEED_SIGMA_M_S = 4.0
MIRROR_SIGMA_M = 0.7  # no wall is a plane

ECHO_KEYS = (
    Key("false_points_per_frame", "number", "anywhere in the coverage", 0.3, at_least=0.0, at_most=2500.0),
    Key("clutter_probability", "number", "that a place of clutter gives a point", 0.05, at_least=0.0, at_most=1.0),
    Key("clutter_sigma_m", "number", "how far its points scatter", 0.6, at_least=0.0),
    Key("mirror_loss_db", "number", "a reflection is weaker by that", 12.0, at_least=0.0, at_most=60.0),
)


@dataclass(frozen=True, slots=True)
class Returns:
    """The objects that one look could see; arrays in the same order."""

    index: npt.NDArray[np.int_]  # in the world
    view: View
    position_enu_m: FloatArray
    snr_db: FloatArray


class FalseEchoes:
    def __init__(
        self,
        values: Mapping[str, Any],
        clutter_enu_m: FloatArray,
        mirrors_enu_m: FloatArray,
        places: tuple[ClutterPlace, ...],
        scene: Scene,
        coverage: Coverage,
    ) -> None:
        self._values, self._clutter, self._mirrors = values, clutter_enu_m, mirrors_enu_m
        self._places, self._scene, self._coverage = places, scene, coverage

    def points(self, returns: Returns, mount: Mount, time_s: float, chance: np.random.Generator) -> FloatArray:
        """All of one look, shape (n, 6)."""
        enu_to_body = mount.enu_to_body(time_s)
        return np.concatenate(
            [
                self._own_clutter(mount, enu_to_body, chance),
                *(self._place(place, mount, enu_to_body, chance) for place in self._places),
                self._reflections(returns, mount, enu_to_body, chance),
                self._rain(chance),
                self._anywhere(chance),
            ]
        )

    def _own_clutter(self, mount: Mount, enu_to_body: FloatArray, chance: np.random.Generator) -> FloatArray:
        stands = self._clutter[chance.random(len(self._clutter)) < self._values["clutter_probability"]]
        stands = stands + chance.normal(0.0, self._values["clutter_sigma_m"], stands.shape)
        body_m = (stands - mount.position_enu_m) @ enu_to_body.T
        return rows(body_m, chance.normal(0.0, 0.15, len(stands)), np.full(len(stands), 14.0))

    def _place(
        self, place: ClutterPlace, mount: Mount, enu_to_body: FloatArray, chance: np.random.Generator
    ) -> FloatArray:
        places, speeds = place.echoes(chance)
        body_m = (places - mount.position_enu_m) @ enu_to_body.T
        inside = within(self._coverage, body_m)
        snr_db = np.maximum(LEAST_SNR_DB, chance.normal(place.snr_db, 2.0, int(inside.sum())))
        return rows(body_m[inside], speeds[inside], snr_db)

    def _reflections(
        self, returns: Returns, mount: Mount, enu_to_body: FloatArray, chance: np.random.Generator
    ) -> FloatArray:
        """Seen in the mirror's direction: half the way radar, object, mirror, radar."""
        found = [np.zeros((0, 6))]
        for mirror in self._mirrors:
            snr_db = returns.snr_db - self._values["mirror_loss_db"]
            lit = np.flatnonzero((snr_db > LEAST_SNR_DB) & (chance.random(len(snr_db)) < 0.5))
            if not len(lit):
                continue
            line = (mirror - mount.position_enu_m) @ enu_to_body.T
            to_mirror_m = float(np.linalg.norm(line))
            leg_m = np.linalg.norm(returns.position_enu_m[lit] - mirror, axis=1)
            half_m = (returns.view.slant_range_m[lit] + leg_m + to_mirror_m) / 2
            half_m = half_m + chance.normal(0.0, MIRROR_SIGMA_M, len(lit))
            body_m = half_m[:, None] * line / to_mirror_m
            inside = within(self._coverage, body_m)
            rates = 0.5 * returns.view.range_rate_m_s[lit] + chance.normal(0.0, 0.3, len(lit))
            found.append(rows(body_m[inside], rates[inside], snr_db[lit][inside]))
        return np.concatenate(found)

    def _rain(self, chance: np.random.Generator) -> FloatArray:
        count = chance.poisson(self._scene.rain_points)
        (az_low, az_high), (el_low, el_high) = self._coverage.azimuth_rad, self._coverage.elevation_rad
        away_m = RAIN_REACH_M * chance.random(count) ** (1 / 3)  # even in volume
        azimuth, elevation = chance.uniform(az_low, az_high, count), chance.uniform(el_low, el_high, count)
        rates = chance.normal(0.0, max(1.0, 0.7 * self._scene.wind_m_s), count)
        return points_of(azimuth, elevation, away_m, rates, LEAST_SNR_DB + chance.exponential(1.0, count))

    def _anywhere(self, chance: np.random.Generator) -> FloatArray:
        limits = (self._coverage.azimuth_rad, self._coverage.elevation_rad, self._coverage.slant_range_m)
        count = chance.poisson(self._values["false_points_per_frame"])
        azimuth, elevation, slant_range = (chance.uniform(low, high, count) for low, high in limits)
        rates = chance.normal(0.0, FALSE_SPEED_SIGMA_M_S, count)
        return points_of(azimuth, elevation, slant_range, rates, LEAST_SNR_DB + chance.exponential(1.5, count))


def points_of(
    azimuth_rad: FloatArray,
    elevation_rad: FloatArray,
    slant_range_m: FloatArray,
    range_rate_m_s: FloatArray,
    snr_db: FloatArray,
) -> FloatArray:
    """Points (n, 6) from body angles and ranges."""
    ground_m = slant_range_m * np.cos(elevation_rad)
    body_m = np.column_stack(
        [ground_m * np.sin(azimuth_rad), ground_m * np.cos(azimuth_rad), slant_range_m * np.sin(elevation_rad)]
    )
    return rows(body_m, range_rate_m_s, snr_db)


def rows(body_m: FloatArray, range_rate_m_s: FloatArray, snr_db: FloatArray) -> FloatArray:
    return np.column_stack([body_m, range_rate_m_s, snr_db, np.full(len(body_m), NOISE_DB)])


def within(coverage: Coverage, body_m: FloatArray) -> npt.NDArray[np.bool_]:
    away_m = np.maximum(np.linalg.norm(body_m, axis=1), 1e-6)
    inside = np.ones(len(body_m), bool)
    for value, (low, high) in (
        (np.arctan2(body_m[:, 0], body_m[:, 1]), coverage.azimuth_rad),
        (np.arcsin(body_m[:, 2] / away_m), coverage.elevation_rad),
        (away_m, coverage.slant_range_m),
    ):
        inside &= (low <= value) & (value <= high)
    return inside


def clutter_points(found: Any, name: str, place: Place) -> FloatArray:
    """A list of points of the scenario as an array (n, 3). Raises SiteFileError."""
    if not is_rows(found, 3):
        raise place.found(name, found, "a list of points [east, north, up]")
    return np.asarray(found, float).reshape(-1, 3)
