"""Where objects stand as a mounted sensor sees them, and how its mount really is.

    true turn = site file's turn + crooked (nobody measured it) + sway of the mast in the wind + what knocked it askew

Sway is two slow swings in each axis, seeded, and grows with the wind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.faults import Fault
from edge.simulator.world import Moment, Sighting
from edge.site_keys import Key, Place, read_keys
from fusion.frames import body_to_level
from fusion.types import Coverage, FloatArray, Orientation, Sensor

MOUNT_KEYS = (
    Key("crooked", "table", "true turn minus the site file's", {}),
    Key("moved_enu_m", "numbers", "true place minus the site file's", [0.0, 0.0, 0.0], count=3),
    Key("sway_deg", "number", "1-sigma of the mast's sway in a breeze of 3 m/s", 0.0, at_least=0.0, at_most=20.0),
    Key("sway_s", "number", "period of its slower swing", 2.5, above=0.1, at_most=60.0),
)
CROOKED_KEYS = tuple(
    Key(f"{angle}_deg", "number", "by so much", 0.0, at_least=-180.0, at_most=180.0)
    for angle in ("heading", "pitch", "roll")
)
MOUNT_NAMES = tuple(key.name for key in MOUNT_KEYS)


@dataclass(frozen=True, slots=True)
class Seen:
    """An object in the sensor's body frame: x right, y forward, z up."""

    azimuth_rad: float  # from the boresight, positive to the right
    elevation_rad: float  # from the plane of x and y
    slant_range_m: float
    range_rate_m_s: float  # positive = receding


@dataclass(frozen=True, slots=True)
class View:
    """Several objects in the sensor's body frame; shape (n,) each, `body_m` (n, 3)."""

    body_m: FloatArray
    azimuth_rad: FloatArray
    elevation_rad: FloatArray
    slant_range_m: FloatArray
    range_rate_m_s: FloatArray


class Mount:
    """A sensor's true place and turn."""

    def __init__(
        self,
        sensor: Sensor,
        crooked: Orientation | None = None,
        *,
        moved_enu_m: tuple[float, ...] = (0.0, 0.0, 0.0),
        sway_rad: float = 0.0,
        sway_s: float = 2.5,
        seed: int = 0,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self._turn = plus(sensor.orientation, crooked) if crooked is not None else sensor.orientation
        self.position_enu_m = np.asarray(sensor.position_enu_m) + np.asarray(moved_enu_m)
        self._enu_to_level = np.asarray(sensor.level_to_enu).reshape(3, 3).T
        self._enu_to_body = body_to_level(self._turn).T @ self._enu_to_level
        self._askew = [fault for fault in faults if fault.sensor_id == sensor.sensor_id and fault.kind == "turned"]
        self._sway_rad, self._sway_s = sway_rad, sway_s
        self._phase = chance_of(seed, sensor.sensor_id + "/sway").uniform(0.0, 2 * math.pi, (2, 3))

    def enu_to_body(self, time_s: float | None = None) -> FloatArray:
        """(3, 3), as it hangs at that time; without a time, at rest."""
        if time_s is None or (self._sway_rad == 0.0 and not self._askew):
            return self._enu_to_body
        slower, faster = np.sin(2 * math.pi * time_s / self._sway_s * np.array([[1.0], [1.7]]) + self._phase)
        heading, pitch, roll = (float(v) for v in self._sway_rad * (slower + 0.5 * faster) / math.sqrt(0.625))
        turn = plus(self._turn, Orientation(heading, pitch, roll))
        for fault in self._askew:
            if fault.holds(time_s):
                heading, pitch = math.radians(fault.told["heading_deg"]), math.radians(fault.told["pitch_deg"])
                turn = plus(turn, Orientation(heading, pitch, 0.0))
        return np.asarray(body_to_level(turn).T @ self._enu_to_level)

    def range_error_m(self, time_s: float) -> float:
        """What a lying radar adds."""
        return float(sum(fault.told["range_m"] for fault in self._askew if fault.holds(time_s)))

    def to_body(self, position_enu_m: FloatArray, time_s: float | None = None) -> FloatArray:
        """Body coordinates, m, shape (3,) or (n, 3)."""
        return np.asarray((position_enu_m - self.position_enu_m) @ self.enu_to_body(time_s).T)

    def see(self, sighting: Sighting) -> Seen:
        """One object, from the mount at rest."""
        line = sighting.position_enu_m - self.position_enu_m
        view = view_of(self.to_body(sighting.position_enu_m)[None], line[None], sighting.velocity_enu_m_s[None])
        return Seen(
            *(
                float(values[0])
                for values in (view.azimuth_rad, view.elevation_rad, view.slant_range_m, view.range_rate_m_s)
            )
        )

    def view(self, moment: Moment) -> View:
        """Every object of a moment, there or not."""
        lines = moment.position_enu_m - self.position_enu_m
        return view_of(lines @ self.enu_to_body(moment.time_s).T, lines, moment.velocity_enu_m_s)


def view_of(body_m: FloatArray, lines_m: FloatArray, velocity_m_s: FloatArray) -> View:
    """body_m and lines_m are the same vectors in two frames; velocity in that of lines_m. Shapes (n, 3)."""
    away_m = np.maximum(np.linalg.norm(body_m, axis=1), 1e-6)
    return View(
        body_m,
        np.arctan2(body_m[:, 0], body_m[:, 1]),
        np.arcsin(np.clip(body_m[:, 2] / away_m, -1.0, 1.0)),
        away_m,
        np.asarray((lines_m * velocity_m_s).sum(axis=1) / away_m),
    )


def covers(coverage: Coverage, seen: Any) -> Any:
    """Whether it lies within; for a `Seen` a bool, for a `View` an array of them."""
    inside: Any = True
    for value, (low, high) in (
        (seen.azimuth_rad, coverage.azimuth_rad),
        (seen.elevation_rad, coverage.elevation_rad),
        (seen.slant_range_m, coverage.slant_range_m),
    ):
        inside = inside & (low <= value) & (value <= high)
    return inside


def plus(turn: Orientation, more: Orientation) -> Orientation:
    return Orientation(
        turn.heading_rad + more.heading_rad, turn.pitch_rad + more.pitch_rad, turn.roll_rad + more.roll_rad
    )


def mount_of(
    sensor: Sensor, simulate: Mapping[str, Any], seed: int, gusts: float, faults: tuple[Fault, ...], place: Place
) -> tuple[Mount, dict[str, Any]]:
    """The mount that `simulate` tells of, and what else stands there. Raises SiteFileError."""
    told = read_keys({name: simulate[name] for name in MOUNT_NAMES if name in simulate}, MOUNT_KEYS, place)
    crooked = read_keys(told["crooked"], CROOKED_KEYS, place.within("crooked"))
    mount = Mount(
        sensor,
        Orientation(*(math.radians(crooked[key.name]) for key in CROOKED_KEYS)),
        moved_enu_m=tuple(told["moved_enu_m"]),
        sway_rad=math.radians(told["sway_deg"]) * gusts,
        sway_s=told["sway_s"],
        seed=seed,
        faults=faults,
    )
    return mount, {name: value for name, value in simulate.items() if name not in MOUNT_NAMES}
