"""Mounting: from what a sensor measures in its own axes to the level frame that the tracker works in.

    body: x right, y forward along the boresight, z up       level: East, North, Up, true north

The known bias (measured minus true) is taken off in the body frame, where the sensor makes it; then the direction is
turned by the sensor's orientation, and its errors are turned with it. A measured direction is uncertain by s_a cos e
along a, to the right, and by s_e along b, upwards (a, b: unit tangents of the sphere in body axes, turned into level
ones). Along the level tangents A and E at level elevation el:

    azimuth sigma^2   = ((A.a s_a cos e)^2 + (A.b s_e)^2) / cos^2 el          b |  /      rolled: a and b share their
    elevation sigma^2 =  (E.a s_a cos e)^2 + (E.b s_e)^2                        | /       errors between A and E
                                                                                +----- a

How the two are correlated is not told. The uncertainty of the mounting itself (`Sensor.mounting_sigma_rad`) is NOT in
these sigmas: it is one constant for all measurements of a sensor, and fusion adds it where sensors meet.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.frames import body_to_level
from fusion.types import FloatArray, Look, Polar, Sensor

LEAST_COS_ELEVATION = 0.17  # above 80 deg an azimuth's error no longer grows: it means little there
UNKNOWN_ELEVATION_RAD = (-math.pi / 4, math.pi / 4)  # where neither accuracy nor coverage tells
SIGMAS_OF_WIDTH = 1.0 / math.sqrt(12.0)  # of a uniform distribution


class Mounting:
    """How one sensor's directions become level ones. Made once a sensor, since the rotation never changes."""

    def __init__(self, sensor: Sensor) -> None:
        if sensor.accuracy.azimuth_rad is None:
            raise ValueError(f'sensor "{sensor.sensor_id}": accuracy.azimuth_deg is missing; it gives directions')
        self._sensor = sensor
        self._to_level = body_to_level(sensor.orientation)
        self._azimuth_sigma_rad = sensor.accuracy.azimuth_rad
        self._measures_elevation = sensor.accuracy.elevation_rad is not None
        self._elevation_sigma_rad = elevation_sigma_rad(sensor)

    def level(
        self,
        azimuth_rad: float,
        elevation_rad: float,
        slant_range_m: float | None = None,
        range_rate_m_s: float | None = None,
    ) -> Polar:
        """The level measurement of one direction in body axes; see `level_all`."""
        one_range = None if slant_range_m is None else np.array([slant_range_m])
        one_rate = None if range_rate_m_s is None else np.array([range_rate_m_s])
        return self.level_all(np.array([azimuth_rad]), np.array([elevation_rad]), one_range, one_rate)[0]

    def level_all(
        self,
        azimuth_rad: FloatArray,
        elevation_rad: FloatArray,
        slant_range_m: FloatArray | None = None,
        range_rate_m_s: FloatArray | None = None,
    ) -> list[Polar]:
        """The level measurements of directions in body axes (azimuth from the boresight, positive to the right).

        All arrays have shape (n,). A sensor without elevation accuracy measures no elevation: its directions count as
        they are given, and the level measurement carries no elevation; where such a sensor is rolled or pitched, its
        coverage's height enters the error of azimuth. What a sensor states no error for is left out.
        """
        true_rad = azimuth_rad - self._sensor.azimuth_bias_rad
        ground = np.cos(elevation_rad)
        body = np.stack([ground * np.sin(true_rad), ground * np.cos(true_rad), np.sin(elevation_rad)])
        east, north, up = self._to_level @ body
        level_azimuth, level_elevation = np.arctan2(east, north), np.arctan2(up, np.hypot(east, north))
        azimuth_sigmas, elevation_sigmas = self._level_sigmas(true_rad, elevation_rad, level_azimuth, level_elevation)
        nothing = [None] * len(true_rad)
        ranges = rates = nothing
        range_sigma_m = rate_sigma_m_s = None
        if slant_range_m is not None and (range_sigma_m := self._sensor.accuracy.slant_range_m) is not None:
            ranges = (slant_range_m - self._sensor.slant_range_bias_m).tolist()
        if range_rate_m_s is not None and (rate_sigma_m_s := self._sensor.accuracy.range_rate_m_s) is not None:
            rates = range_rate_m_s.tolist()
        azimuths = zip(level_azimuth.tolist(), azimuth_sigmas.tolist(), strict=True)
        elevations = zip(level_elevation.tolist(), elevation_sigmas.tolist(), strict=True)
        return [
            Polar(*azimuth, *elevation, slant_range, range_sigma_m, range_rate, rate_sigma_m_s)
            for azimuth, elevation, slant_range, range_rate in zip(
                azimuths,
                elevations if self._measures_elevation else [(None, None)] * len(true_rad),
                ranges,
                rates,
                strict=True,
            )
        ]

    def _level_sigmas(
        self, azimuth: FloatArray, elevation: FloatArray, level_azimuth: FloatArray, level_elevation: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """1-sigma errors of the level azimuth and elevation, shape (n,) each, rad; see the module's picture."""
        right, upwards = tangents(azimuth, elevation)
        along_a = self._to_level @ right * (self._azimuth_sigma_rad * np.cos(elevation))
        along_b = self._to_level @ upwards * self._elevation_sigma_rad
        level_right, level_upwards = tangents(level_azimuth, level_elevation)
        across = np.hypot((level_right * along_a).sum(axis=0), (level_right * along_b).sum(axis=0))
        upright = np.hypot((level_upwards * along_a).sum(axis=0), (level_upwards * along_b).sum(axis=0))
        return across / np.maximum(np.cos(level_elevation), LEAST_COS_ELEVATION), upright

    def looked(self) -> tuple[Look, ...] | None:
        """The sensor's whole coverage as one look; None where the site file states none."""
        coverage = self._sensor.coverage
        if coverage is None:
            return None
        return (
            Look(
                self._sensor.orientation,
                coverage.azimuth_rad,
                coverage.elevation_rad,
                coverage.slant_range_m,
            ),
        )


def elevation_sigma_rad(sensor: Sensor) -> float:
    """1-sigma of a direction's elevation in body axes; of a sensor that measures none, what its coverage leaves open."""
    if sensor.accuracy.elevation_rad is not None:
        return sensor.accuracy.elevation_rad
    low, high = UNKNOWN_ELEVATION_RAD if sensor.coverage is None else sensor.coverage.elevation_rad
    return (high - low) * SIGMAS_OF_WIDTH


def tangents(azimuth_rad: FloatArray, elevation_rad: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors to the right and upwards on the sphere, shape (3, n) each."""
    sin_a, cos_a, sin_e, cos_e = np.sin(azimuth_rad), np.cos(azimuth_rad), np.sin(elevation_rad), np.cos(elevation_rad)
    return np.stack([cos_a, -sin_a, np.zeros_like(sin_a)]), np.stack([-sin_e * sin_a, -sin_e * cos_a, cos_e])
