"""The ground: heights on a grid, and what stands behind it.

         sensor ●╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌● object: seen while no sample of the ground rises above the ray
                        ▲▲
    ───────────────────████─────────────────────

Two kinds of raster file are read: an SRTM tile (`N47E011.hgt`: big-endian 16-bit metres above sea level, north row first) and
an Esri ASCII grid (`ncols nrows xllcorner yllcorner cellsize NODATA_value`, then rows from the north) whose corner is in
degrees, or in ENU metres with `in = "enu"`. The built-in ground is made of seeded hills, ridges along lines, and a level
clearing at the post. Heights are kept in a grid of the site's ENU frame; what a file gives above sea level is turned into
heights above the ellipsoid by the site's geoid height, and the Earth's curve is taken off.

Sources: NASA SRTM user's guide, section 2.1.3; Esri, "Esri ASCII raster format".
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from edge.simulator.chance import chance_of
from edge.site_keys import Key, Place, SiteFileError, read_keys
from fusion.frames import LocalFrame
from fusion.types import FloatArray, Geodetic

EARTH_RADIUS_M = 6_371_000.0
RAY_SAMPLES = 96  # along a ray: every 10 m of a kilometre
CLEARANCE_M = 0.5  # a ray that grazes is blocked
NEAREST_SHARE, FARTHEST_SHARE = 0.02, 0.99  # the sensor's own mast and the object's own ground hide nothing
LARGEST_FILE_BYTES = 60_000_000  # an SRTM tile of one second has 26 MB
HGT_NAME = re.compile(r"([NS])([0-9]{2})([EW])([0-9]{3})")
VOID_BELOW_M = -500.0  # SRTM marks unknown heights with -32768

TERRAIN_KEYS = (
    Key("path", "text", "a raster file beside the scenario; left out: the built-in ground", None),
    Key("in", "text", "what an ASCII grid's corner is counted in", "degrees", choices=("degrees", "enu")),
    Key("extent_m", "number", "from the post to the grid's edge", 3000.0, above=0.0, at_most=40_000.0),
    Key("cell_m", "number", "between the grid's points", 20.0, at_least=1.0, at_most=500.0),
    Key("ground_up_m", "number", "level of the built-in ground, counted from the origin", -2.0),
    Key("hills", "integer", "how many", 0, at_least=0, at_most=500),
    Key("hill_height_m", "number", "of the highest", 40.0, above=0.0, at_most=3000.0),
    Key("hill_width_m", "number", "of the widest, 1-sigma", 250.0, above=0.0, at_most=10_000.0),
    Key("clearing_m", "number", "no hill's middle is nearer to the post", 300.0, at_least=0.0),
)
RIDGE_KEYS = (
    Key("from_enu_m", "numbers", "one end: east, north", count=2),
    Key("to_enu_m", "numbers", "the other", count=2),
    Key("height_m", "number", "above the ground", above=0.0, at_most=3000.0),
    Key("width_m", "number", "1-sigma across", 60.0, above=0.0),
)


class Terrain:
    """Heights above the site's horizon, m, on a square ENU grid: rows north, columns east, both growing."""

    def __init__(self, up_m: FloatArray, extent_m: float) -> None:
        self._up_m, self._extent_m = up_m, extent_m
        self._per_m = (up_m.shape[0] - 1) / (2 * extent_m)
        self.highest_m = float(up_m.max())

    def ground_up_m(self, east_north_m: FloatArray) -> FloatArray:
        """The ground at points (..., 2); beyond the grid its edge goes on."""
        columns = (east_north_m[..., 0] + self._extent_m) * self._per_m
        rows = (east_north_m[..., 1] + self._extent_m) * self._per_m
        return np.asarray(map_coordinates(self._up_m, [rows, columns], order=1, mode="nearest"))

    def is_seen(self, here_enu_m: FloatArray, there_enu_m: FloatArray) -> FloatArray:
        """Whether no ground stands between a point (3,) and each of others (n, 3); shape (n,)."""
        if not len(there_enu_m):
            return np.zeros(0, bool)
        seen = np.ones(len(there_enu_m), bool)
        low = np.flatnonzero(np.minimum(there_enu_m[:, 2], here_enu_m[2]) < self.highest_m + CLEARANCE_M)
        if len(low):
            share = np.linspace(NEAREST_SHARE, FARTHEST_SHARE, RAY_SAMPLES)[:, None]
            rays = here_enu_m + share[None] * (there_enu_m[low] - here_enu_m)[:, None, :]
            seen[low] = ~(self.ground_up_m(rays[..., :2]) > rays[..., 2] - CLEARANCE_M).any(axis=1)
        return seen


def read_ground(
    tables: dict[str, Any], origin: Geodetic, geoid_height_m: float, seed: int, file: str
) -> Terrain | None:
    """The scenario's [terrain]; None: a plain that hides nothing. Raises SiteFileError."""
    table = tables.get("terrain")
    if table is None:
        return None
    place = Place(file, "[terrain]")
    if not isinstance(table, dict):
        raise place.error(f"is {table!r}; expected a table")
    rest = dict(table)
    ridges = rest.pop("ridges", [])
    values = read_keys(rest, TERRAIN_KEYS, place)
    edge = np.linspace(-values["extent_m"], values["extent_m"], 2 * round(values["extent_m"] / values["cell_m"]) + 1)
    east_m, north_m = np.meshgrid(edge, edge)
    if values["path"] is None:
        up_m = built_in(values, ridges, east_m, north_m, seed, place)
    else:
        path = Path(file).parent / values["path"]
        up_m = from_raster(path, values["in"], east_m, north_m, origin, geoid_height_m, place)
    return Terrain(up_m - (east_m**2 + north_m**2) / (2 * EARTH_RADIUS_M), values["extent_m"])


def built_in(
    values: dict[str, Any], ridges: Any, east_m: FloatArray, north_m: FloatArray, seed: int, place: Place
) -> FloatArray:
    """Level ground with hills and ridges on it."""
    up_m, chance = np.full_like(east_m, values["ground_up_m"]), chance_of(seed, "terrain")
    for _ in range(values["hills"]):
        away_m = chance.uniform(min(values["clearing_m"], values["extent_m"]), values["extent_m"])
        bearing, width_m = chance.uniform(0.0, 2 * math.pi), values["hill_width_m"] * chance.uniform(0.3, 1.0)
        height_m = values["hill_height_m"] * chance.uniform(0.3, 1.0)
        east, north = away_m * math.sin(bearing), away_m * math.cos(bearing)
        up_m += height_m * np.exp(-((east_m - east) ** 2 + (north_m - north) ** 2) / (2 * width_m**2))
    if not isinstance(ridges, list):
        raise place.found("ridges", ridges, "a list of tables")
    for ridge in ridges:
        told = read_keys(ridge, RIDGE_KEYS, place.within("ridges"))
        across_m = distance_to_line_m(told["from_enu_m"], told["to_enu_m"], east_m, north_m)
        up_m += told["height_m"] * np.exp(-(across_m**2) / (2 * told["width_m"] ** 2))
    return up_m


def distance_to_line_m(start: list[float], end: list[float], east_m: FloatArray, north_m: FloatArray) -> FloatArray:
    """From each point of a grid to a piece of line."""
    along = np.subtract(end, start)
    share = ((east_m - start[0]) * along[0] + (north_m - start[1]) * along[1]) / max(float(along @ along), 1e-9)
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(np.hypot(east_m - start[0] - share * along[0], north_m - start[1] - share * along[1]))


def from_raster(
    path: Path,
    counted_in: str,
    east_m: FloatArray,
    north_m: FloatArray,
    origin: Geodetic,
    geoid_height_m: float,
    place: Place,
) -> FloatArray:
    """Heights of a file at the grid's points, counted from the origin. Raises SiteFileError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise place.found("path", str(path.name), f"a file that can be read ({error.strerror})") from error
    if len(data) > LARGEST_FILE_BYTES:
        raise place.found("path", path.name, f"at most {LARGEST_FILE_BYTES} bytes")
    read = read_hgt if path.suffix == ".hgt" else read_ascii_grid
    heights_m, west, south, step = read(data, path, place)
    if counted_in == "enu" and path.suffix != ".hgt":
        x, y, offset_m = east_m, north_m, 0.0
    else:
        x, y = longitudes_latitudes(east_m, north_m, origin)
        assert origin.height_m is not None
        offset_m = geoid_height_m - origin.height_m
    rows, columns = (y - south) / step, (x - west) / step
    inside = (rows >= 0) & (rows <= heights_m.shape[0] - 1) & (columns >= 0) & (columns <= heights_m.shape[1] - 1)
    if not inside.all():
        raise place.found(
            "path", path.name, f"a raster that covers the post and extent_m around it ({inside.mean():.0%})"
        )
    return np.asarray(map_coordinates(heights_m, [rows, columns], order=1)) + offset_m


def longitudes_latitudes(east_m: FloatArray, north_m: FloatArray, origin: Geodetic) -> tuple[FloatArray, FloatArray]:
    """Of the grid's points on the ground, degrees: by the frame's own step, good to a metre in ten kilometres."""
    frame, step_m = LocalFrame(origin), 1000.0
    north, east = frame.enu_to_geodetic([0.0, step_m, 0.0]), frame.enu_to_geodetic([step_m, 0.0, 0.0])
    latitude = origin.latitude_deg + north_m * (north.latitude_deg - origin.latitude_deg) / step_m
    per_m = (east.longitude_deg - origin.longitude_deg) / step_m
    narrower = math.cos(math.radians(origin.latitude_deg)) / np.cos(np.radians(latitude))
    return origin.longitude_deg + east_m * per_m * narrower, latitude


def read_hgt(data: bytes, path: Path, place: Place) -> tuple[FloatArray, float, float, float]:
    """Heights with the southern row first; west, south, step in degrees."""
    side = math.isqrt(len(data) // 2)
    named = HGT_NAME.match(path.name)
    if named is None or side < 2 or side * side * 2 != len(data):
        raise place.found("path", path.name, "a square SRTM tile named as N47E011.hgt")
    heights = np.frombuffer(data, ">i2").reshape(side, side)[::-1].astype(float)
    south = int(named[2]) * (1 if named[1] == "N" else -1)
    west = int(named[4]) * (1 if named[3] == "E" else -1)
    return filled(heights), float(west), float(south), 1.0 / (side - 1)


def read_ascii_grid(data: bytes, path: Path, place: Place) -> tuple[FloatArray, float, float, float]:
    """Heights with the southern row first; west and south of the first cell's middle, and the step, as the file counts."""
    expected = "an Esri ASCII grid: ncols, nrows, xllcorner, yllcorner, cellsize, then as many heights"
    words = data.split()
    try:
        head: dict[str, float] = {}
        number = 0
        while words[number][:1].isalpha():
            head[words[number].decode("ascii").lower()] = float(words[number + 1])
            number += 2
        columns, rows, step = int(head["ncols"]), int(head["nrows"]), head["cellsize"]
        heights = np.array(words[number:], float).reshape(rows, columns)[::-1]
        half = step / 2  # corners name the cell's edge, centres its middle
        west = head["xllcorner"] + half if "xllcorner" in head else head["xllcenter"]
        south = head["yllcorner"] + half if "yllcorner" in head else head["yllcenter"]
    except (KeyError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise place.found("path", path.name, f"{expected} ({error})") from error
    void = head.get("nodata_value")
    return filled(np.where(heights == void, np.nan, heights)), west, south, step


def filled(heights_m: FloatArray) -> FloatArray:
    """Unknown heights are the median of the known ones."""
    unknown = ~(heights_m > VOID_BELOW_M)
    if unknown.all():
        raise SiteFileError("a raster without one known height; expected heights in metres")
    return np.where(unknown, np.median(heights_m[~unknown]), heights_m)
