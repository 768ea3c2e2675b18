from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fusion import direction, motion
from fusion.classification import prior_log
from fusion.joint import Joint
from fusion.lifetimes import NEVER_NS
from fusion.merging import APART_NS, merge_directions, merge_duplicates
from fusion.track_table import Births, TrackTable
from fusion.types import Sensor

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(("shown_twice", "left"), [(0, 1), (1, 1), (2, 2), (5, 2)])
def test_two_tracks_are_two_once_two_scans_showed_both(radar: Sensor, shown_twice: int, left: int) -> None:
    """One scan may show one object twice; nothing but that tells these tracks apart."""
    table = TrackTable((radar,), 1.0, motion.spectral_density(3.0))
    table.predict(0)
    x, P = np.array([[50.0, 80.0, 20.0, 0.0, 0.0, 0.0]]), np.diag([25.0, 25.0, 25.0, 4.0, 4.0, 4.0])[None]
    keys = [(0, radar.sensor_id, 0), (0, radar.sensor_id, 1)]
    table.append(Births(np.repeat(x, 2, axis=0), np.repeat(P, 2, axis=0), -1, np.full(2, 0.9), keys, 1), 0, 0)
    table.is_confirmed[:] = True
    for scan in range(shown_twice):
        table.seen_ns[:, 0] = scan * SECOND_NS
        merge_duplicates(table, scan * SECOND_NS)
        assert len(table) == 2
    table.seen_ns[:, 0] = [shown_twice * SECOND_NS, -SECOND_NS]
    merge_duplicates(table, shown_twice * SECOND_NS)
    assert len(table) == left
    merge_duplicates(table, shown_twice * SECOND_NS + APART_NS)
    assert len(table) == 1


@pytest.mark.parametrize(("count", "left"), [(2, 1), (3, 1), (4, 4), (12, 12)])
def test_a_row_that_equals_many_others_stands_in_a_crowd_and_is_not_merged(
    radar: Sensor, count: int, left: int
) -> None:
    """Objects 5 m apart whose places are known to 20 m: each equals all the others, and none is one too many."""
    table = TrackTable((radar,), 1.0, motion.spectral_density(3.0))
    table.predict(0)
    x, P = np.zeros((count, 6)), np.diag([400.0, 400.0, 400.0, 4.0, 4.0, 4.0])[None]
    x[:, :3] = np.array([50.0, 80.0, 20.0]) + 5.0 * np.stack(np.unravel_index(np.arange(count), (2, 2, 3)), axis=1)
    keys = [(0, radar.sensor_id, place) for place in range(count)]
    table.append(Births(x, np.repeat(P, count, axis=0), -1, np.full(count, 0.9), keys, 1), 0, 0)
    table.is_confirmed[:] = True
    table.seen_ns[:, 0] = SECOND_NS * np.arange(count)
    merge_duplicates(table, count * SECOND_NS)
    assert len(table) == left


@pytest.mark.parametrize("is_linked", [False, True])
@pytest.mark.parametrize(("voters", "times"), [((0, 0), 1), ((0, 1), 2)])
def test_votes_that_both_rows_of_an_object_took_are_counted_once(
    radar: Sensor, camera: Sensor, voters: tuple[int, int], times: int, is_linked: bool
) -> None:
    """One camera's pictures told both rows the same; two cameras' are two witnesses."""
    table = TrackTable((camera, radar), 1.0, motion.spectral_density(3.0))
    table.predict(0)
    x, P = np.array([[50.0, 80.0, 20.0, 0.0, 0.0, 0.0]]), np.diag([25.0, 25.0, 25.0, 4.0, 4.0, 4.0])[None]
    keys = [(0, radar.sensor_id, 0), (0, radar.sensor_id, 1)]
    table.append(Births(np.repeat(x, 2, axis=0), np.repeat(P, 2, axis=0), -1, np.full(2, 0.9), keys, 1), 0, 0)
    table.is_confirmed[:] = True
    table.seen_ns[:] = NEVER_NS
    table.voted_ns[[0, 1], voters] = 0
    told = np.array([0.0, -0.7, -1.0, -1.0, -0.4])
    if is_linked:
        table.linked_log[[0, 1], voters], table.tracklet[[0, 1], voters], table.views[[0, 1], voters] = told, 3, 1.0
    else:
        table.class_log += told
    merge_duplicates(table, SECOND_NS)
    assert len(table) == 1
    assert table.views.sum() == times * is_linked
    np.testing.assert_allclose(table.class_log[0] + table.linked_log[0].sum(axis=0), prior_log(1)[0] + times * told)


def test_who_is_who_stays_open_though_a_track_goes_on_under_the_number_of_its_direction(
    radar: Sensor, camera: Sensor
) -> None:
    """A direction that is older than the track in space which it belongs to, itself one of two that meet."""
    table = TrackTable((camera, radar), 1.0, motion.spectral_density(3.0))
    table.predict(0)
    s, S = np.array([[0.3, 0.1, 4.0, 0.0, 0.0, 0.0]]), np.eye(6)[None] * 1e-4
    table.append(Births(s, S, 0, np.array([0.9]), [(0, "camera", 0)], 0), 0, 0)
    keys = [(1, "radar", 0), (1, "radar", 1)]
    x, P = (
        np.array([[30.0, 90.0, 20.0, 0.0, 0.0, 0.0], [34.0, 90.0, 20.0, 0.0, 0.0, 0.0]]),
        np.tile(np.eye(6), (2, 1, 1)),
    )
    table.append(Births(x, P, -1, np.full(2, 0.9), keys, 1), 1, SECOND_NS)
    table.is_confirmed[:] = True
    other = np.tile(table.modes[1:], (2, 1, 1)), np.zeros((2, 2), dtype=np.int64), np.full((2, 2), 0.9)
    table.joints = [Joint(tuple(keys), np.zeros(2), np.stack([x, x[::-1]]), np.stack([P, P]), *other, 0)]
    table.explained[0], table.explained_by[0] = 2, keys[0]
    merge_directions(table, SECOND_NS)
    assert table.keys == [(0, "camera", 0), keys[1]]
    assert [one.keys for one in table.joints] == [tuple(table.keys)]


def test_two_directions_of_one_mount_are_one_object_near_by_where_parallax_sets_them_apart(camera: Sensor) -> None:
    """Cameras 0.9 m apart, an object at 8 m: it stands 6 deg farther left for one than for the other."""
    cameras = [replace(camera, sensor_id=name, position_enu_m=(e, 0.0, 6.0)) for name, e in (("a", 0.0), ("b", 0.9))]
    place, table = np.array([[1.0, 8.0, 7.0, 0.0, 0.0, 0.0]]), TrackTable(cameras, 1.0, motion.spectral_density(3.0))
    table.predict(0)
    for number, sensor in enumerate(cameras):
        s, _ = direction.from_enu(place, np.eye(6)[None], sensor)
        S = np.diag([0.003, 0.003, 0.1, 0.01, 0.01, 0.1])[None] ** 2
        table.append(Births(s, S, number, np.array([0.9]), [(0, sensor.sensor_id, 0)], 0), number, 0)
    assert abs(math.degrees(table.x[0, 0] - table.x[1, 0])) > 5.0
    table.is_confirmed[:] = True
    table.seen_ns[:] = NEVER_NS
    merge_duplicates(table, SECOND_NS)
    assert len(table) == 1
