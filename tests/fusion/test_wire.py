from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fusion.frames import LocalFrame
from fusion.messages import claim_message, covariance_of, rounded_covariance, track_message
from fusion.tracker import Tracker
from fusion.types import Claim, ClaimAgreement, Geodetic, Sensor
from fusion.wire import TrackMessage, TracksMessage, encode, parse_rfc3339, rfc3339

FRAME = LocalFrame(Geodetic(45.0, 7.0, 600.0))


def covariance(seed: int, spread: float) -> np.ndarray:
    """A random covariance whose correlations come as near to one as 10^-spread."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(6, 6)))
    scale = np.diag(10.0 ** random.uniform(-2, 3, 6))
    return np.asarray(scale @ basis @ np.diag(10.0 ** random.uniform(-spread, 0, 6)) @ basis.T @ scale)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 9.0))
def test_rounded_covariances_stay_positive_definite(seed: int, spread: float) -> None:
    P = covariance(seed, spread)
    numbers = rounded_covariance(0.5 * (P + P.T))
    assert len(numbers) == 21
    back = np.zeros((6, 6))
    back[np.triu_indices(6)] = numbers
    back += np.triu(back, 1).T
    scale = np.sqrt(np.diag(back))
    assert np.linalg.eigvalsh(back / np.outer(scale, scale))[0] > 0.0
    assert np.diag(back) == pytest.approx(np.diag(P), rel=1e-4)


@pytest.fixture
def published(world: Callable, flying_object: Callable, radar: Sensor, camera: Sensor) -> list[Any]:
    things = [
        flying_object((-30.0, 80.0, 20.0), (5.0, 0.0, 0.0)),
        flying_object((20.0, 300.0, 30.0), (-3.0, -2.0, 0.0)),
    ]
    scans = world(things, {"radar": 15.0, "camera": 10.0}, [radar, camera]).scans(2.0)
    tracker = Tracker([radar, camera], frame=FRAME)
    return [track for scan in scans for track in tracker.apply(scan, scan.time_ns).tracks]


def test_a_track_survives_the_wire(published: list[Any]) -> None:
    assert {track.direction is None for track in published} == {True, False}
    for track in published:
        message = msgspec.json.decode(encode(track_message(track, FRAME)), type=TrackMessage)
        point = FRAME.geodetic_to_enu(Geodetic(message.latitude_deg, message.longitude_deg, message.height_m))
        assert point == pytest.approx(track.state[:3], abs=0.02)
        assert message.velocity_enu_m_s == pytest.approx(track.state[3:], abs=0.006)
        assert np.linalg.eigvalsh(covariance_of(message))[0] > 0.0
        assert covariance_of(message) == pytest.approx(track.covariance, rel=1e-4, abs=1e-3)
        assert sum(message.classes.values()) == pytest.approx(1.0, abs=1e-3)
        assert abs(parse_rfc3339(message.time) - track.time_ns) < 1000
        if track.direction is not None:
            assert message.direction is not None
            low_m, high_m = message.direction.slant_range_m
            assert low_m < high_m
            assert 0.0 <= message.direction.azimuth_deg < 360.0


def test_a_claim_survives_the_wire(start_ns: int) -> None:
    claim = Claim(
        *("remote-id", start_ns, "open_drone_id", "aa:01", "SN-1", "serial", None),
        *(Geodetic(45.123456789, 7.0, None), 3.0, None, (1.0, 2.0, None), None),
        *(Geodetic(45.1, 7.1, 612.345), None, "airborne", None, False, -71.0),
    )
    message = claim_message(ClaimAgreement(claim, "agrees", 1.23456))
    assert (message.latitude_deg, message.height_m, message.distance_sigma) == (45.1234568, None, 1.23)
    assert (message.operator_latitude_deg, message.operator_longitude_deg) == (45.1, 7.1)
    assert message.time == rfc3339(start_ns)


def write_run(tmp_path: Path, published: list[Any], things: list[Any], start_ns: int) -> tuple[Path, Path]:
    truth, tracks = tmp_path / "truth.jsonl", tmp_path / "tracks.jsonl"
    origin = FRAME.origin
    with truth.open("w") as out:
        named = {
            "latitude_deg": origin.latitude_deg,
            "longitude_deg": origin.longitude_deg,
            "height_m": origin.height_m,
        }
        out.write(json.dumps({"origin": named}) + "\n")
        for k in range(61):
            objects = [
                {
                    "object_id": f"object-{number}",
                    "class": thing.class_name,
                    "position_enu_m": thing.at(k / 10).tolist(),
                    "velocity_enu_m_s": list(thing.velocity_enu_m_s),
                }
                for number, thing in enumerate(things)
            ]
            out.write(json.dumps({"time_ns": start_ns + k * 10**8, "objects": objects}) + "\n")
    with tracks.open("wb") as lines:
        for sequence, track in enumerate(published):
            message = TracksMessage(1, "s", "r", sequence, rfc3339(track.time_ns), (track_message(track, FRAME),), ())
            lines.write(encode(message) + b"\n")
    return truth, tracks


def test_a_runs_wire_messages_are_scored_against_the_simulators_truth(
    world: Callable, flying_object: Callable, radar: Sensor, tmp_path: Path, start_ns: int
) -> None:
    from sarhad.scores import gospa_of_run

    things = [flying_object((-30.0, 80.0, 20.0), (5.0, 0.0, 0.0)), flying_object((20.0, 90.0, 30.0), (-3.0, -2.0, 0.0))]
    scans = world(things, {"radar": 15.0}, [radar]).scans(6.0)
    tracker = Tracker([radar], frame=FRAME)
    published = [track for scan in scans for track in tracker.apply(scan, scan.time_ns).tracks]
    score = gospa_of_run(*write_run(tmp_path, published, things, start_ns))
    assert (score.steps, score.id_switches, score.n_missed, score.n_false) == (6, 0, 0.0, 0.0)
    assert (
        score.rms_gospa < 3.5
    )  # at 90 m one plot is 2.4 m and 3.1 m off across; two objects, each better than one plot
    half = [track for track in published if track.track_number == 1]
    missing = gospa_of_run(*write_run(tmp_path, half, things, start_ns))
    assert missing.n_missed == 1.0
    assert missing.rms_gospa == pytest.approx(math.sqrt(200.0 + missing.rms_loc**2))
    ended = [*half, replace(half[-1], status="dropped", reason="unseen", time_ns=half[-1].time_ns)]
    assert gospa_of_run(*write_run(tmp_path, ended, things, start_ns)).n_missed > 1.0


def test_the_score_command_refuses_what_is_no_track_message(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from sarhad.cli import main

    truth, tracks = tmp_path / "truth.jsonl", tmp_path / "tracks.jsonl"
    truth.write_text(
        '{"origin": {"latitude_deg": 1.0, "longitude_deg": 2.0, "height_m": 3.0}}\n{"time_ns": 1, "objects": []}\n'
    )
    tracks.write_text('{"version": 1}\n')
    result = CliRunner().invoke(main, ["score", str(truth), str(tracks)])
    assert result.exit_code == 2
    assert "line 1" in result.stderr
    truth.write_text("{}\n")
    assert "origin" in CliRunner().invoke(main, ["score", str(truth), str(tracks)]).stderr
