"""A test flight's log becomes truth: its clock is found, its places are kept, its pauses are not filled."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fusion.frames import LocalFrame
from fusion.types import Geodetic
from sarhad.cli import main
from sarhad.flight_log import Sightings, WrongFlightLog, align, read_flight
from sarhad.scores import read_truth

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"
LATE_S = 7.35  # so much the drone's clock is behind


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A recording, a GPX log of one of its drones by a clock that is behind, and that drone's name."""
    folder = tmp_path_factory.mktemp("trial")
    recording = folder / "post.mcap"
    words = ["simulate", str(SCENARIO), "--out", str(recording), "--seconds", "25", "--no-video"]
    assert CliRunner().invoke(main, words).exit_code == 0
    frame, moments = read_truth(folder / "post.truth.jsonl")
    name = next(entry["object_id"] for entry in moments[0][1] if entry["class"] == "drone")
    points = []
    for time_ns, objects in moments[::2]:
        place = next((entry["position_enu_m"] for entry in objects if entry["object_id"] == name), None)
        if place is not None:
            at = frame.enu_to_geodetic(np.array(place))
            time = datetime.fromtimestamp(time_ns / 1e9 - LATE_S, timezone.utc).isoformat()
            fix = f'<trkpt lat="{at.latitude_deg:.9f}" lon="{at.longitude_deg:.9f}">'
            points.append(f"{fix}<ele>{at.height_m:.3f}</ele><time>{time}</time></trkpt>")
    log = folder / "flight.gpx"
    head = '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><trkseg>'
    log.write_text(head + "".join(points) + "</trkseg></trk></gpx>")
    return recording, log, name


def test_the_logs_clock_is_found_and_its_places_are_the_truth(trial: tuple[Path, Path, str], tmp_path: Path) -> None:
    recording, log, name = trial
    out = tmp_path / "flight.truth.jsonl"
    words = ["trial", "import", str(log), "--recording", str(recording), "--out", str(out), "--json"]
    words += ["--search-s", "9"]  # it flies circles: a whole turn later everything lies as well
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["clock_offset_s"] == pytest.approx(LATE_S, abs=0.15)
    true = dict(read_truth(recording.with_name("post.truth.jsonl"))[1])
    compared = 0
    for time_ns, objects in read_truth(out)[1]:
        nearest = min(true, key=lambda other_ns: abs(other_ns - time_ns))
        place = next((e["position_enu_m"] for e in true[nearest] if e["object_id"] == name), None)
        if objects and place is not None:
            compared += 1
            # 0.15 s of clock and 0.05 s between moments at some 10 m/s
            assert np.linalg.norm(np.subtract(objects[0]["position_enu_m"], place)) < 4.0
    assert compared > 100


FRAME = LocalFrame(Geodetic(60.0, 25.0, 10.0))


def test_detections_that_have_nothing_to_do_with_the_flight_set_no_clock(tmp_path: Path) -> None:
    log = tmp_path / "flight.csv"
    rows = [f"{1000 + k},{60.0 + k * 1e-5},25.0,60" for k in range(60)]
    log.write_text("time,lat,lon,alt\n" + "\n".join(rows))
    random = np.random.default_rng(1)
    times_s, points_m = random.uniform(1000, 1060, 400), random.uniform(-500, 500, (400, 3))
    flight = read_flight(log, FRAME)
    assert align(flight, Sightings(times_s, points_m, np.zeros((400, 3))), 20.0) is None
    rays = random.normal(size=(400, 3))
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    assert align(flight, Sightings(times_s, np.zeros((400, 3)), rays), 20.0) is None


def test_a_camera_alone_sets_the_logs_clock_and_sees_nothing_behind_it(tmp_path: Path) -> None:
    log = tmp_path / "flight.csv"
    rows = [f"{1000 + k},{60.0 + 2e-3 * np.sin(k / 5)},{25.002 + k * 5e-5},60" for k in range(60)]
    log.write_text("time,lat,lon,alt\n" + "\n".join(rows))
    flight = read_flight(log, FRAME)
    times_s = np.arange(1003.0, 1050.0, 0.5)
    camera = np.array([0.0, 0.0, 4.0])
    apart = flight.at(times_s) - camera
    rays = apart + np.random.default_rng(2).normal(0.0, 0.002, apart.shape) * np.linalg.norm(apart, axis=1)[:, None]
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    seen = Sightings(times_s + LATE_S, np.tile(camera, (len(rays), 1)), rays)
    found = align(flight, seen, 15.0)
    assert found is not None
    assert found.offset_s == pytest.approx(LATE_S, abs=0.1)
    assert align(flight, Sightings(seen.times_s, seen.points_m, -rays), 15.0) is None


def test_heights_are_moved_by_the_geoid_and_pauses_of_the_log_stay_empty(tmp_path: Path) -> None:
    log = tmp_path / "flight.csv"
    log.write_text("UTC, Latitude, Longitude, Altitude\n".replace(", ", ",") + "\n".join(
        f"{time_s},60.0,25.0,40.0" for time_s in (100, 101, 102, 120, 121)
    ))  # fmt: skip
    flight = read_flight(log, FRAME, 17.5)
    places = flight.at(np.array([99.0, 101.5, 110.0, 120.5]))
    assert places[1] == pytest.approx([0.0, 0.0, 47.5], abs=1e-6)
    assert np.isnan(places[[0, 2]]).all()
    assert np.isfinite(places[3]).all()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("flight.csv", "time,lat,lon\n1,2,3\n", "expected one for height"),
        ("flight.csv", "time,lat,lon,alt\n1,91,3,4\n2,3,4,5\n", "line 2"),
        ("flight.csv", 'time,lat,lon,alt\n1,"' + "2" * 200_000, "field larger than field limit"),
        ("flight.gpx", "<gpx><trkpt", "expected GPX"),
        ("flight.gpx", '<!DOCTYPE x [<!ENTITY a "b">]><gpx/>', "document type"),
        ("flight.gpx", '<?xml version="1.0" encoding="no-such"?><gpx/>', "expected GPX"),
        ("flight.gpx", "<gpx/>", "0 fixes"),
        ("flight.txt", "", "expected .csv, .gpx, .ulg"),
    ],
)
def test_a_wrong_log_is_refused_by_name(tmp_path: Path, name: str, text: str, told: str) -> None:
    log = tmp_path / name
    log.write_text(text)
    with pytest.raises(WrongFlightLog, match=told):
        read_flight(log, FRAME)


def test_a_document_type_is_refused_in_utf_16_as_well(tmp_path: Path) -> None:
    log = tmp_path / "flight.gpx"
    log.write_text('<!DOCTYPE x [<!ENTITY a "b">]><gpx/>', encoding="utf-16")
    with pytest.raises(WrongFlightLog, match="document type"):
        read_flight(log, FRAME)
