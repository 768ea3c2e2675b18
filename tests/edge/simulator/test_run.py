"""All sensors together: in time order, reproducible, with the truth beside them."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest

from edge.simulator.run import readings
from edge.simulator.truth import truth_lines


def test_readings_come_in_time_order_each_sensor_at_its_own_rate(demo):
    found = list(readings(demo, seconds=10.0, video=False))
    assert [r.received_ns for r in found] == sorted(r.received_ns for r in found)
    assert found[-1].received_ns <= demo.start_ns + 10_000_000_000
    counts = Counter(reading.sensor_id for reading in found)
    assert counts == {"clock": 101, "radar-north": 100, "remote-id": 10, "gnss": 10}
    for sensor_id in counts:
        stamps = [reading.monotonic_ns for reading in found if reading.sensor_id == sensor_id]
        assert all(later > earlier for earlier, later in itertools.pairwise(stamps))


def test_one_seed_is_one_run(demo):
    one, again, other = (list(readings(demo, seed, 5.0, video=False)) for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_a_longer_run_begins_like_a_shorter_one(demo):
    short, long = (list(readings(demo, seconds=seconds, video=False)) for seconds in (2.0, 4.0))
    assert long[: len(short)] == short


def test_the_truth_names_its_origin_and_gives_ten_moments_a_second(demo):
    lines = [json.loads(line) for line in truth_lines(demo.world, demo.site.origin, demo.start_ns, 2.0)]
    assert lines[0] == {"origin": {"latitude_deg": -48.8767, "longitude_deg": -123.3933, "height_m": 14.0}}
    assert [line["time_ns"] for line in lines[1:]] == [demo.start_ns + k * 100_000_000 for k in range(21)]
    drone = lines[1]["objects"][0]
    assert set(drone) == {"object_id", "class", "position_enu_m", "velocity_enu_m_s"}
    assert (drone["object_id"], drone["class"]) == ("quad-remote-id", "drone")
    was, then = (np.array(line["objects"][0]["position_enu_m"]) for line in lines[1:3])
    assert then - was == pytest.approx(0.1 * np.array(drone["velocity_enu_m_s"]), abs=0.05)
