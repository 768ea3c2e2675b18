"""Tiles: the Earth's surface in pieces less than 50 km wide, each with a local frame of its own.

    row       0.4 deg of latitude, 44.5 km, counted from the south pole
    column    as many of equal width as leave none wider than that, at the row's edge nearest to the equator

In 25 km the level turns by 0.2 deg: a tracker may take a tile for flat where its sensors bring their own level with them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from fusion.types import Geodetic

ROW_DEG = 0.4
M_PER_DEG = 111_320.0  # along the equator; along a meridian 0.5 % less
FLATTEST = 0.01  # cosine of the latitude beyond which columns are not told apart by distance: within 64 km of a pole


class Tile(NamedTuple):
    row: int
    column: int


def columns_of(row: int) -> int:
    """How many tiles go around the Earth in a row."""
    south_deg = row * ROW_DEG - 90.0
    nearest_deg = 0.0 if south_deg <= 0.0 <= south_deg + ROW_DEG else min(abs(south_deg), abs(south_deg + ROW_DEG))
    return max(math.ceil(360.0 * math.cos(math.radians(nearest_deg)) / ROW_DEG - 1e-9), 1)


def tile_at(latitude_deg: float, longitude_deg: float) -> Tile:
    """The tile that holds a point."""
    row = min(int((latitude_deg + 90.0) / ROW_DEG), round(180.0 / ROW_DEG) - 1)
    columns = columns_of(row)
    return Tile(row, int((longitude_deg + 180.0) / 360.0 * columns) % columns)


def middle_of(tile: Tile) -> Geodetic:
    """The origin of a tile's frame, on the ellipsoid."""
    width_deg = 360.0 / columns_of(tile.row)
    return Geodetic((tile.row + 0.5) * ROW_DEG - 90.0, (tile.column + 0.5) * width_deg - 180.0, 0.0)


def depth_m(tile: Tile, latitude_deg: float, longitude_deg: float) -> float:
    """How far inside a tile's nearest edge a point lies; how far outside it, at least, as a negative number."""
    middle = middle_of(tile)
    off_deg = (longitude_deg - middle.longitude_deg + 180.0) % 360.0 - 180.0
    cosine = max(math.cos(math.radians(latitude_deg)), FLATTEST)
    across_m = (180.0 / columns_of(tile.row) - abs(off_deg)) * M_PER_DEG * cosine
    along_m = (ROW_DEG / 2.0 - abs(latitude_deg - middle.latitude_deg)) * M_PER_DEG
    return min(across_m, along_m)


def tiles_near(latitude_deg: float, longitude_deg: float, reach_m: float) -> list[Tile]:
    """All tiles that have a part within a reach of a point, ordered."""
    reach_deg = reach_m / M_PER_DEG
    lowest = tile_at(max(latitude_deg - reach_deg, -90.0), longitude_deg).row
    highest = tile_at(min(latitude_deg + reach_deg, 90.0), longitude_deg).row
    found: set[Tile] = set()
    for row in range(lowest, highest + 1):
        columns = columns_of(row)
        own = int((longitude_deg + 180.0) / 360.0 * columns)
        cosine = max(math.cos(math.radians(latitude_deg)), FLATTEST)
        steps = min(math.ceil(reach_deg / cosine / (360.0 / columns)) + 1, columns)
        row_tiles = {Tile(row, (own + step) % columns) for step in range(-steps, steps + 1)}
        found |= {tile for tile in row_tiles if depth_m(tile, latitude_deg, longitude_deg) >= -reach_m}
    return sorted(found)
