"""Mounting: from what a sensor measures in its own axes to the level frame that the tracker works in.

    body: x right, y forward along the boresight, z up       level: East, North, Up, true north

The known bias (measured minus true) is taken off in the body frame, where the sensor makes it; then the direction is
turned by the sensor's orientation. The uncertainty of the mounting enters both angles in quadrature: it is the same in
every measurement of a sensor, but a tracker that does not know it must at least not take it for exactness.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.frames import body_to_level
from fusion.types import FloatArray, Look, Polar, Sensor


class Mounting:
    """How one sensor's directions become level ones. Made once a sensor, since the rotation never changes."""

    def __init__(self, sensor: Sensor) -> None:
        if sensor.accuracy.azimuth_rad is None:
            raise ValueError(f'sensor "{sensor.sensor_id}": accuracy.azimuth_deg is missing; it gives directions')
        self._sensor = sensor
        self._to_level = body_to_level(sensor.orientation)
        self._azimuth_sigma_rad = math.hypot(sensor.accuracy.azimuth_rad, sensor.mounting_sigma_rad)
        elevation_rad = sensor.accuracy.elevation_rad
        self._elevation_sigma_rad = (
            None if elevation_rad is None else math.hypot(elevation_rad, sensor.mounting_sigma_rad)
        )

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
        they are given, and the level measurement carries no elevation. What a sensor states no error for is left out.
        """
        true_rad = azimuth_rad - self._sensor.azimuth_bias_rad
        ground = np.cos(elevation_rad)
        body = np.stack([ground * np.sin(true_rad), ground * np.cos(true_rad), np.sin(elevation_rad)])
        east, north, up = self._to_level @ body
        columns = [np.arctan2(east, north).tolist(), np.arctan2(up, np.hypot(east, north)).tolist()]
        nothing = [None] * len(true_rad)
        ranges = rates = nothing
        range_sigma_m = rate_sigma_m_s = None
        if slant_range_m is not None and (range_sigma_m := self._sensor.accuracy.slant_range_m) is not None:
            ranges = (slant_range_m - self._sensor.slant_range_bias_m).tolist()
        if range_rate_m_s is not None and (rate_sigma_m_s := self._sensor.accuracy.range_rate_m_s) is not None:
            rates = range_rate_m_s.tolist()
        elevations = nothing if self._elevation_sigma_rad is None else columns[1]
        return [
            Polar(
                azimuth,
                self._azimuth_sigma_rad,
                elevation,
                self._elevation_sigma_rad,
                slant_range,
                range_sigma_m,
                range_rate,
                rate_sigma_m_s,
            )
            for azimuth, elevation, slant_range, range_rate in zip(columns[0], elevations, ranges, rates, strict=True)
        ]

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
