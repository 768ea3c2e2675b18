"""Places that give echoes of nothing, again and again: trees in the wind, turbines, masts, surf, roads.

Uniform false alarms are easy: no two stand together. What sticks to a place looks like a thing that hovers, and what moves
there (a turbine's blades, a tree in a squall) like one that flies. A place is points, each with a cloud of echoes around it;
how much each kind gives is an assumption written below, **not measured**, and can be overridden.

    kind      radar points a frame   radial speed, 1-sigma      a camera's detector is fooled
    tree      0.15 · gusts           0.5 m/s · gusts            0.4 % of looks, as a bird or a drone
    turbine   0.6                    18 m/s, blades             1 %
    mast      0.05 · gusts           0.15 m/s                   0.2 %
    surf      0.4 · gusts            1.2 m/s                    0.2 %
    road      0.02                   0.3 m/s (verges, signs)    0.1 %
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.simulator.objects import is_rows
from edge.simulator.weather import Scene
from edge.site_keys import Key, Place, SiteFileError, read_keys, shown
from fusion.types import FloatArray

# points a frame, radial speed (m/s), probability that a camera's detector is fooled in one look, whether the wind matters
KINDS: dict[str, tuple[float, float, float, bool]] = {
    "tree": (0.15, 0.5, 0.004, True),
    "turbine": (0.6, 18.0, 0.01, False),
    "mast": (0.05, 0.15, 0.002, True),
    "surf": (0.4, 1.2, 0.002, True),
    "road": (0.02, 0.3, 0.001, False),
}
CLUTTER_KEYS = (
    Key("kind", "text", "what stands there", choices=tuple(KINDS)),
    Key("spread_m", "number", "1-sigma of its echoes about each point", 1.0, at_least=0.0, at_most=500.0),
    Key("points_per_frame", "number", "of each point; left out: by kind and wind", None, at_least=0.0, at_most=100.0),
    Key("speed_sigma_m_s", "number", "radial; left out: by kind and wind", None, at_least=0.0, at_most=100.0),
    Key("fools_camera", "number", "probability in one look; left out: by kind", None, at_least=0.0, at_most=1.0),
    Key("snr_db", "number", "of its echoes", 14.0, at_least=0.0, at_most=60.0),
    Key("size_m", "number", "as a camera sees it", 0.6, above=0.0, at_most=50.0),
)


@dataclass(frozen=True, slots=True)
class ClutterPlace:
    """Places of one kind."""

    kind: str
    point_enu_m: FloatArray  # (n, 3)
    spread_m: float
    points_per_frame: float
    speed_sigma_m_s: float
    fools_camera: float
    snr_db: float
    size_m: float

    def echoes(self, chance: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (k, 3) of one frame, and their radial speeds (k,)."""
        which = np.repeat(
            np.arange(len(self.point_enu_m)), chance.poisson(self.points_per_frame, len(self.point_enu_m))
        )
        places = self.point_enu_m[which] + chance.normal(0.0, self.spread_m, (len(which), 3))
        return places, chance.normal(0.0, self.speed_sigma_m_s, len(which))


def clutter_of(tables: dict[str, Any], scene: Scene, file: str) -> tuple[ClutterPlace, ...]:
    """All [[clutter]]. Raises SiteFileError."""
    found = tables.get("clutter", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SiteFileError(f"{file}: clutter is {shown(found)}; expected [[clutter]] tables")
    return tuple(place_of(table, scene, Place(file, f"clutter {number}")) for number, table in enumerate(found, 1))


def place_of(table: dict[str, Any], scene: Scene, place: Place) -> ClutterPlace:
    rest = dict(table)
    points = rest.pop("points_enu_m", None)
    if not points or not is_rows(points, 3):
        raise place.found("points_enu_m", points, "one or more points [east, north, up]")
    told = read_keys(rest, CLUTTER_KEYS, place)
    rate, speed, fools, is_windy = KINDS[told["kind"]]
    stronger = scene.gusts if is_windy else 1.0
    return ClutterPlace(
        told["kind"],
        np.asarray(points, float),
        told["spread_m"],
        rate * stronger if told["points_per_frame"] is None else told["points_per_frame"],
        speed * stronger if told["speed_sigma_m_s"] is None else told["speed_sigma_m_s"],
        fools if told["fools_camera"] is None else told["fools_camera"],
        told["snr_db"],
        told["size_m"],
    )
