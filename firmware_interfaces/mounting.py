"""Mounting: from what a sensor measures in its own axes to the level frame that the tracker works in.

    body: x right, y forward along the boresight, z up       level: East, North, Up, true north

The known bias (measured minus true) is taken off in the body frame, where the sensor makes it; then the direction is
turned by the sensor's orientation. The uncertainty of the mounting enters both angles in quadrature: it is the same in
every measurement of a sensor, but a tracker that does not know it must at least not take it for exactness.
"""

from __future__ import annotations

import math

from fusion.frames import body_to_level, enu_to_polar, polar_to_enu, wrap_angle
from fusion.types import Look, Polar, Sensor


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
        """The level measurement of a direction in body axes (azimuth from the boresight, positive to the right).

        A sensor without elevation accuracy measures no elevation: its directions count as lying in its own plane of
        x and y, and the level measurement carries none.
        """
        direction = polar_to_enu(azimuth_rad - self._sensor.azimuth_bias_rad, elevation_rad, 1.0)
        azimuth_level_rad, elevation_level_rad, _ = enu_to_polar(self._to_level @ direction)
        has_elevation = self._elevation_sigma_rad is not None
        accuracy = self._sensor.accuracy
        range_sigma_m = None if slant_range_m is None else accuracy.slant_range_m
        rate_sigma_m_s = None if range_rate_m_s is None else accuracy.range_rate_m_s
        if slant_range_m is not None:
            slant_range_m -= self._sensor.slant_range_bias_m
        return Polar(
            azimuth_rad=float(wrap_angle(azimuth_level_rad)),
            azimuth_sigma_rad=self._azimuth_sigma_rad,
            elevation_rad=elevation_level_rad if has_elevation else None,
            elevation_sigma_rad=self._elevation_sigma_rad,
            slant_range_m=None if range_sigma_m is None else slant_range_m,
            slant_range_sigma_m=range_sigma_m,
            range_rate_m_s=None if rate_sigma_m_s is None else range_rate_m_s,
            range_rate_sigma_m_s=rate_sigma_m_s,
        )

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
