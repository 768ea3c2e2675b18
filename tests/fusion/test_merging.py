from __future__ import annotations

import numpy as np
import pytest

from fusion import motion
from fusion.classification import prior_log
from fusion.merging import APART_NS, merge_duplicates
from fusion.track_table import NEVER_NS, Births, TrackTable
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


@pytest.mark.parametrize(("voters", "times"), [((0, 0), 1), ((0, 1), 2)])
def test_votes_that_both_rows_of_an_object_took_are_counted_once(
    radar: Sensor, camera: Sensor, voters: tuple[int, int], times: int
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
    table.class_log += told
    merge_duplicates(table, SECOND_NS)
    assert len(table) == 1
    np.testing.assert_allclose(table.class_log[0], prior_log(1)[0] + times * told)
