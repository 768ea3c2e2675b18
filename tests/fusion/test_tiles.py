"""Tiles cover the Earth once, none is wider than 50 km, and what reaches into one is found from both sides of every edge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.frames import LocalFrame
from fusion.tiles import ROW_DEG, Tile, columns_of, depth_m, middle_of, tile_at, tiles_near
from fusion.types import Geodetic

latitudes, longitudes = st.floats(-89.9, 89.9), st.floats(-180.0, 180.0)


@given(latitudes, longitudes)
def test_the_tile_that_holds_a_point_is_the_one_it_lies_inside(latitude_deg: float, longitude_deg: float) -> None:
    tile = tile_at(latitude_deg, longitude_deg)
    assert depth_m(tile, latitude_deg, longitude_deg) > -1e-3
    assert tile in tiles_near(latitude_deg, longitude_deg, 0.01)


@pytest.mark.parametrize("latitude_deg", [-89.7, -60.1, -33.0, -0.3, 0.1, 45.2, 71.0, 89.9])
def test_no_tile_is_wider_or_higher_than_fifty_kilometres(latitude_deg: float) -> None:
    tile = tile_at(latitude_deg, 12.0)
    middle, half_deg = middle_of(tile), 180.0 / columns_of(tile.row)
    frame = LocalFrame(middle)
    corners = [
        frame.geodetic_to_enu(
            Geodetic(middle.latitude_deg + up * ROW_DEG / 2, middle.longitude_deg + side * half_deg, 0.0)
        )
        for up in (-1, 1)
        for side in (-1, 1)
    ]
    extent = np.ptp(np.array(corners), axis=0)
    assert extent[:2].max() <= 50_000.0


def test_a_reach_across_the_date_line_and_over_a_rows_edge_finds_the_tiles_there() -> None:
    near = tiles_near(0.39, 179.99, 5_000.0)
    assert {tile_at(0.39, 179.99), tile_at(0.39, -179.99), tile_at(0.41, 179.99), tile_at(0.41, -179.99)} == set(near)
    assert len(tiles_near(0.2, 0.2, 1_000.0)) == 1


@given(latitudes, longitudes, st.floats(100.0, 40_000.0), st.floats(0.0, 6.28))
def test_what_is_within_reach_lies_in_a_tile_that_is_near(
    latitude_deg: float, longitude_deg: float, reach_m: float, azimuth: float
) -> None:
    if abs(latitude_deg) > 85.0:
        return
    point = LocalFrame(Geodetic(latitude_deg, longitude_deg, 0.0)).enu_to_geodetic(
        [0.99 * reach_m * np.sin(azimuth), 0.99 * reach_m * np.cos(azimuth), 0.0]
    )
    assert tile_at(point.latitude_deg, point.longitude_deg) in tiles_near(latitude_deg, longitude_deg, reach_m)


def test_depth_is_counted_from_the_nearest_edge() -> None:
    tile = Tile(300, 7)
    middle = middle_of(tile)
    inside_m = depth_m(tile, middle.latitude_deg, middle.longitude_deg)
    assert 20_000.0 < inside_m <= 0.5 * 50_000.0
    assert depth_m(tile, middle.latitude_deg + ROW_DEG / 2 - 0.01, middle.longitude_deg) == pytest.approx(
        1113.2, abs=1.0
    )
    assert depth_m(tile, middle.latitude_deg + ROW_DEG / 2 + 0.01, middle.longitude_deg) == pytest.approx(
        -1113.2, abs=1.0
    )
