"""A turning radar's plots put into looks: one sector of its turn is one scan.

             crossing 326.25°        crossing 337.5°        337.5°: all that stood in 326.25°..337.5° was told, or
    ───────────────┼───────────────────────┼───────▶ time   comes soon: some radars are two sectors late
    plots of 315°..326°     plots of 326°..337.5°           the sector is closed OPEN_SECTORS crossings later

A closed sector is a scan that looked at the sector, with its plots or empty. Plots that come later still, and those of a
radar that sends no sector messages, are scans that looked nowhere: they can be used, and their absence says nothing.
The time of a scan is the mean of its plots' times, or the middle between the crossings.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from firmware_interfaces.mounting import Mounting
from fusion.types import Detection, Look, Scan, Sensor

OPEN_SECTORS = 3
LARGEST_SECTOR_DEG = 90.0  # a larger step is a gap in the messages, not one sector
FREE_SECTOR_DEG = 11.25  # plots without sector messages are grouped so
MAX_PLOTS, PLOT_BYTES = 256, 256  # kept while their sectors are open; more, and all are told at once, looked nowhere
PATIENCE_NS = 3_000_000_000  # without a crossing for so long: what is kept is told


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot in the radar's own axes."""

    time_ns: int
    azimuth_deg: float  # clockwise from the radar's north
    slant_range_m: float
    confidence: float
    power_db: float | None


@dataclass(frozen=True, slots=True)
class Sector:
    """A part of the turn that the antenna has passed."""

    start_deg: float
    width_deg: float
    time_ns: int  # its middle

    def holds(self, azimuth_deg: float) -> bool:
        return (azimuth_deg - self.start_deg) % 360.0 < self.width_deg


class Turns:
    """Plots and crossings of one radar in, scans out."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor, self._mounting = sensor, Mounting(sensor)
        self._plots: list[Plot] = []
        self._open: deque[Sector] = deque()
        self._crossing: tuple[float, int] | None = None  # azimuth, time
        self._heard_ns = 0  # when the last crossing was heard

    @property
    def kept_bytes(self) -> int:
        """About how much memory the plots take that wait for their sector."""
        return len(self._plots) * PLOT_BYTES

    def add(self, plot: Plot) -> None:
        """A plot; `tell` must follow."""
        self._plots.append(plot)

    def cross(self, azimuth_deg: float, time_ns: int, heard_ns: int) -> list[Scan]:
        """The antenna crosses an azimuth: the scans that this closes."""
        before, self._crossing, self._heard_ns = self._crossing, (azimuth_deg, time_ns), heard_ns
        if before is None:
            return []
        width_deg = (azimuth_deg - before[0]) % 360.0
        if width_deg == 0.0:
            return []
        if width_deg > LARGEST_SECTOR_DEG:
            return self.flush()
        self._open.append(Sector(before[0], width_deg, (before[1] + time_ns) // 2))
        return self._close(self._open.popleft()) if len(self._open) > OPEN_SECTORS else []

    def tell(self, heard_ns: int) -> list[Scan]:
        """What need not wait for a crossing: plots of sectors that are closed, or all where no crossings come."""
        if len(self._plots) > MAX_PLOTS:
            return self.flush()
        if self._crossing is None or not 0 <= heard_ns - self._heard_ns <= PATIENCE_NS:
            self._crossing = None
            return self.flush()
        late = [plot for plot in self._plots if self._is_late(plot)]
        if not late:
            return []
        self._plots = [plot for plot in self._plots if not self._is_late(plot)]
        return self._free_scans(late)

    def flush(self) -> list[Scan]:
        """All that is kept, looked nowhere; open sectors are given up."""
        plots, self._plots = self._plots, []
        self._open.clear()
        return self._free_scans(plots)

    def _is_late(self, plot: Plot) -> bool:
        """Whether its sector is closed: it lies behind the open ones, and not ahead of the antenna."""
        assert self._crossing is not None
        behind_deg = (self._crossing[0] - plot.azimuth_deg) % 360.0
        open_deg = sum(sector.width_deg for sector in self._open)
        return open_deg < behind_deg < 180.0

    def _close(self, sector: Sector) -> list[Scan]:
        plots = [plot for plot in self._plots if sector.holds(plot.azimuth_deg)]
        self._plots = [plot for plot in self._plots if not sector.holds(plot.azimuth_deg)]
        time_ns = sector.time_ns if not plots else mean_ns(plots)
        return [self._scan(plots, time_ns, self._looks(sector))]

    def _looks(self, sector: Sector) -> tuple[Look, ...] | None:
        """The sector within the site file's limits; None where it states none, or the antenna did not look into them."""
        coverage = self._sensor.coverage
        if coverage is None:
            return None
        start_deg = (sector.start_deg + 180.0) % 360.0 - 180.0
        looks = []
        for turn_deg in (0.0, -360.0):
            low = max(math.radians(start_deg + turn_deg), coverage.azimuth_rad[0])
            high = min(math.radians(start_deg + sector.width_deg + turn_deg), coverage.azimuth_rad[1])
            if low < high:
                looks.append(
                    Look(self._sensor.orientation, (low, high), coverage.elevation_rad, coverage.slant_range_m)
                )
        return tuple(looks) or None

    def _free_scans(self, plots: list[Plot]) -> list[Scan]:
        groups: dict[int, list[Plot]] = {}
        for plot in plots:
            groups.setdefault(int(plot.azimuth_deg % 360.0 / FREE_SECTOR_DEG), []).append(plot)
        scans = [self._scan(group, mean_ns(group), None) for group in groups.values()]
        return sorted(scans, key=lambda scan: scan.time_ns)

    def _scan(self, plots: list[Plot], time_ns: int, looked: tuple[Look, ...] | None) -> Scan:
        azimuths = np.radians([plot.azimuth_deg for plot in plots]).reshape(-1)
        ranges = np.array([plot.slant_range_m for plot in plots], float).reshape(-1)
        polars = self._mounting.level_all(azimuths, np.zeros(len(plots)), ranges)
        detections = tuple(
            Detection(polar, plot.confidence, power_db=plot.power_db) for polar, plot in zip(polars, plots, strict=True)
        )
        return Scan(self._sensor.sensor_id, time_ns, looked, detections)


def mean_ns(plots: list[Plot]) -> int:
    """The mean of the plots' times, without leaving the integers."""
    first_ns = plots[0].time_ns
    return first_ns + sum(plot.time_ns - first_ns for plot in plots) // len(plots)
