"""Generated tracking scenarios say what they claim: noise, detection probability, clutter, twins, crossings, seeds."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.scenario_generator import BIASES, generate
from edge.tracking_scenarios import read_scenario
from sarhad.scores import between


def messages_of(directory: Path) -> list[dict[str, Any]]:
    with gzip.open(directory / "measurements.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def radar_errors(directory: Path) -> tuple[np.ndarray, float, float]:
    """Range, azimuth, elevation and range-rate errors in declared sigmas (n, 4); detections an object and scan; clutter."""
    truth = np.load(directory / "truth.npz")
    sensor = next(s for s in json.loads((directory / "scenario.json").read_text())["sensors"] if s["id"] == "radar0")
    sigma = np.array([sensor["sigma"][name] for name in ("r", "az", "el", "rr")])
    errors, seen, there, false, scans = [], 0, 0, 0, 0
    for message in messages_of(directory):
        if message["s"] != "radar0":
            continue
        states = between(truth["t"], truth["x"], message["t"])
        there += int(np.isfinite(states[:, 0]).sum())
        scans += 1
        first = truth["origin_ptr"][message["seq"]]
        for k, values in enumerate(message["d"]):
            origin = truth["origin"][first + k]
            if origin < 0:
                false += 1
                continue
            if not np.isfinite(states[origin, 0]):
                continue  # it came or went between two stored moments
            seen += 1
            d = states[origin, :3] - np.array(sensor["pos"])
            r = np.linalg.norm(d)
            expected = [r, math.atan2(d[0], d[1]), math.asin(d[2] / r), d @ states[origin, 3:] / r]
            error = np.array(values[:4]) - expected
            error[1] = math.remainder(error[1], 2 * math.pi)
            errors.append(error / sigma)
    return np.array(errors), seen / there, false / scans


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("fuse_n20", 7, tmp_path_factory.mktemp("generated"))


def test_radar_is_as_noisy_as_it_declares_and_sees_and_imagines_as_often(fused: Path) -> None:
    errors, seen, false = radar_errors(fused)
    assert len(errors) > 1500
    assert np.abs(errors[:, :3].mean(0)).max() < 0.1  # 1500 draws: 4 sigma of the mean
    assert np.abs(errors[:, :3].std(0) - 1.0).max() < 0.08
    # truth is stored every 0.5 s, so an abrupt manoeuvre between two moments shows as range-rate error
    assert np.median(np.abs(errors[:, 3])) == pytest.approx(0.6745, abs=0.06)
    assert seen == pytest.approx(0.85, abs=0.04)
    assert false == pytest.approx(10.0, abs=1.2)


def test_same_kind_and_seed_give_the_same_bytes_and_another_seed_another_sky(tmp_path: Path) -> None:
    once, again = generate("fuse_n5", 7, tmp_path / "once"), generate("fuse_n5", 7, tmp_path / "again")
    for name in ("scenario.json", "measurements.jsonl.gz", "truth.npz"):
        assert (again / name).read_bytes() == (once / name).read_bytes()
    other = generate("fuse_n5", 8, tmp_path)
    assert (other / "measurements.jsonl.gz").read_bytes() != (once / "measurements.jsonl.gz").read_bytes()


def test_twin_differs_from_the_biased_scenario_by_the_biases_alone(tmp_path: Path) -> None:
    biased, twin = messages_of(generate("bias_n20", 3, tmp_path)), messages_of(generate("bias_n20_twin", 3, tmp_path))
    shift = BIASES["radar0"]
    assert [m["t"] for m in biased] == [m["t"] for m in twin]
    for a, b in zip(biased, twin, strict=True):
        difference = np.array([v[:2] for v in a["d"]], float) - np.array([v[:2] for v in b["d"]], float)
        if a["s"] == "radar0" and len(difference):
            is_object = np.abs(difference[:, 0]) > 1.0  # clutter carries no bias
            assert np.allclose(difference[is_object, 0], shift["r"], atol=2e-5)
        elif a["s"] in ("cam1", "rf0", "rid0"):
            assert not difference.any()


def test_pairs_of_the_crossing_scenario_meet_within_metres(tmp_path: Path) -> None:
    x = np.load(generate("crossings_n20", 2, tmp_path) / "truth.npz")["x"]
    gaps = [np.nanmin(np.linalg.norm(x[:, 2 * k, :3] - x[:, 2 * k + 1, :3], axis=1)) for k in range(10)]
    assert np.median(gaps) < 12.0  # stored every 0.5 s; two that meet at 40 m/s pass 10 m between


def test_targets_of_the_plane_are_within_metres_at_the_encounter_and_one_ends(tmp_path: Path) -> None:
    x = np.load(generate("close_2d", 1, tmp_path) / "truth.npz")["x"]
    assert np.ptp(x[40, :, :2], axis=0).max() < 5.0
    assert np.isfinite(x[40, :, 0]).all()
    assert np.isfinite(x[41, :, 0]).sum() == 3


def test_liars_and_ghosts_are_on_record_and_nobody_stands_behind_their_reports(tmp_path: Path) -> None:
    directory = generate("spoof_n20", 4, tmp_path)
    truth = np.load(directory / "truth.npz")
    spoofs = json.loads(str(truth["true_json"]))["spoofed"]
    assert sum(spoof["object"] < 0 for spoof in spoofs) == 3
    reports = [m for m in messages_of(directory) if m["s"] == "rid0"]
    for spoof in spoofs:
        false = [m for m in reports if m["d"][0][3] == spoof["uas_id"] and spoof["from_s"] <= m["t"] < spoof["to_s"]]
        assert false
        assert all(truth["origin"][truth["origin_ptr"][m["seq"]]] == -1 for m in false)
    assert len({(m["s"], m["t"]) for m in reports}) == len(reports)  # known association looks reports up by their time


@pytest.mark.parametrize("name", ["close_2d", "everything_n20", "no_radar_n5", "scale_n100"])  # one of each sensor set
def test_each_sensor_set_is_read_by_the_tracker_s_door(name: str, tmp_path: Path) -> None:
    scenario = read_scenario(generate(name, 1, tmp_path))
    arrived = [message.arrived_s for message in scenario.messages()]
    assert arrived == sorted(arrived)
    assert len(arrived) > 20
    assert scenario.origins()
