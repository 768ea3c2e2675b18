"""A report on test flights: its shares are counted right, its page stands alone, and it says what no flight covers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks.scenario_generator import generate
from fusion.detection_range import Chance, share_band
from fusion.error_range import PositionError
from fusion.types import Accuracy, Detection, Look, Orientation, Polar, Scan, Sensor
from sarhad.cli import main
from sarhad.conditions import Conditions, conditions_in, light_at, sun_elevation_deg
from sarhad.detection_chances import TRACKS, Present, chances
from sarhad.trial_page import error_part
from sarhad.trial_report import Settings, Trial, count_tracks, not_measured, report_of

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "approach-straight.toml"
LEVEL = Orientation(0.0, 0.0, 0.0)
RADAR = Sensor("radar", (0.0, 0.0, 0.0), LEVEL, Accuracy(0.02, 0.02, 2.0))
AHEAD = Look(LEVEL, (-1.0, 1.0), (-0.5, 0.5), (10.0, 1000.0))
STEP_NS = 1_000_000_000


def plot(state: np.ndarray, azimuth_off_rad: float = 0.0) -> Detection:
    east, north, up = state[:3]
    azimuth = math.atan2(east, north) + azimuth_off_rad
    polar = Polar(azimuth, 0.02, math.atan2(up, math.hypot(east, north)), 0.02, math.dist(state[:3], (0, 0, 0)), 2.0)
    return Detection(polar, 0.9)


def counted(scans: list[Scan], *states: list[float]) -> list[Chance]:
    present = Present(range(len(states)), ["drone"] * len(states), np.array(states, float))
    return list(chances(scans, {"radar": RADAR}, lambda time_ns: present, "day, dry"))


DRONE = [30.0, 400.0, 50.0, 0.0, 0.0, 0.0]


def test_the_share_of_looks_with_a_detection_in_the_gate_is_counted() -> None:
    near, far_off = plot(np.array(DRONE), 0.02), plot(np.array(DRONE), 0.3)
    scans = [Scan("radar", k * STEP_NS, (AHEAD,), (near if k % 4 else far_off,)) for k in range(40)]
    found = counted(scans, DRONE)
    assert [chance.is_detected for chance in found] == [k % 4 > 0 for k in range(40)]
    assert found[0].range_m == pytest.approx(math.dist(DRONE[:3], (0, 0, 0)))


def test_looks_elsewhere_and_sensors_that_do_not_say_where_they_looked_have_no_chances() -> None:
    behind = [0.0, -400.0, 50.0, 0.0, 0.0, 0.0]
    assert counted([Scan("radar", 0, (AHEAD,), ())], behind) == []
    assert counted([Scan("radar", 0, None, (plot(np.array(DRONE)),))], DRONE) == []
    assert len(counted([Scan("radar", 0, (AHEAD,), ())], DRONE)) == 1


def test_one_detection_is_not_the_detection_of_two_objects() -> None:
    beside = [33.0, 401.0, 50.0, 0.0, 0.0, 0.0]
    found = counted([Scan("radar", 0, (AHEAD,), (plot(np.array(DRONE)),))], DRONE, beside)
    assert sorted(chance.is_detected for chance in found) == [False, True]


def test_looks_within_the_time_over_which_misses_hang_together_count_once() -> None:
    scans = [Scan("radar", k * STEP_NS // 10, (AHEAD,), ()) for k in range(100)]  # ten a second for ten seconds
    assert len(counted(scans, DRONE)) == 20  # a radar's misses hang together for half a second


def test_a_track_that_lives_on_makes_no_flight_a_hundred_looks(tmp_path: Path) -> None:
    truth, tracks = tmp_path / "flight.truth.jsonl", tmp_path / "tracks.jsonl"
    things = [
        {"object_id": name, "class": "drone", "position_enu_m": [0.0, 300.0, 50.0], "velocity_enu_m_s": [0.0, 0.0, 0.0]}
        for name in ("first", "second")
    ]
    lines = [{"origin": {"latitude_deg": 48.0, "longitude_deg": 11.0, "height_m": 0.0}}]
    lines += [{"time_ns": k * STEP_NS // 10, "objects": things} for k in range(1000)]
    truth.write_text("".join(json.dumps(line) + "\n" for line in lines))
    tracks.write_text("")
    trial = Trial({}, Conditions("day", "dry"))
    count_tracks(trial, truth, tracks, Settings(50.0, 200.0, 100.0))
    assert trial.seconds == 99.0  # the first second is not scored
    assert [chance.is_detected for chance in trial.chances] == [False] * 20  # two objects, ten times ten seconds


def test_position_error_is_told_by_condition() -> None:
    trials = [
        Trial({}, Conditions(light, "dry"), errors=[PositionError(150.0, error_m, 9.0)] * 4, seconds=4.0)
        for light, error_m in (("day", 2.0), ("night", 20.0))
    ] + [Trial({}, Conditions("dusk", "fog"), seconds=4.0)]
    told = report_of(trials, Settings(50.0, 200.0, 100.0))["position_error"]
    assert {name: [each["median_m"] for each in bins] for name, bins in told.items()} == {
        "day, dry": [2.0], "night, dry": [20.0], "dusk, fog": [], "all": [11.0],
    }  # fmt: skip
    part = error_part(told)
    assert part.count("<img") == 3
    assert "<h3>dusk, fog</h3><p>not measured</p>" in part


@pytest.fixture(scope="module")
def scored_scenario(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict], str]:
    """Detection by range of a generated tracking scenario, as JSON and in words."""
    folder = tmp_path_factory.mktemp("by-range")
    directory, tracks = generate("fuse_n20", 4, folder), folder / "tracks.jsonl"
    tracks.write_text("")
    words = ["score", str(directory), str(tracks), "--by-range", "--bin", "1000"]
    done = [CliRunner().invoke(main, [*words, *more]) for more in (["--json"], [])]
    assert [each.exit_code for each in done] == [0, 0], done[0].output
    return json.loads(done[0].output)["detection"], done[1].output


@pytest.mark.parametrize(("sensor", "probability"), [("radar0", 0.85), ("cam0", 0.7), ("cam1", 0.7)])
def test_a_scenarios_sensors_detect_as_often_as_they_were_made_to(
    scored_scenario: tuple[list[dict], str], sensor: str, probability: float
) -> None:
    lines = [line for line in scored_scenario[0] if line["sensor"] == sensor]
    looks, detected = (sum(line[key] for line in lines) for key in ("looks", "detected"))
    assert looks > 100
    low, high = share_band(detected, looks, 0.999)
    # a false alarm beside a missed object counts as its detection: a hundredth at most
    assert low - 0.01 < probability < high
    assert f"{sensor}, drone, simulated: detected" in scored_scenario[1]


def test_the_sun_stands_where_the_almanac_says() -> None:
    noon_s = 1_782_043_320.0  # 2026-06-21T12:02Z, when it culminates in Greenwich: 90° - 51.48° + 23.44°
    assert sun_elevation_deg(noon_s, 51.4779, 0.0) == pytest.approx(61.96, abs=0.1)
    assert light_at(noon_s, 51.4779, 0.0) == "day"
    assert light_at(noon_s, 51.4779, 180.0) == "night"
    reference_s = 1_066_419_030.0  # 2003-10-17T19:30:30Z: Reda, Andreas, Solar Position Algorithm (2003), table A4.1
    assert sun_elevation_deg(reference_s, 39.742476, -105.1786) == pytest.approx(39.872046, abs=0.01)


def test_conditions_of_a_truth_file_are_known_words_or_refused() -> None:
    assert conditions_in({}).words == "unknown, unknown"
    assert conditions_in({"conditions": {"light": "night", "weather": "rain"}}).words == "night, rain"
    with pytest.raises(ValueError, match="expected one of day, dusk, night"):
        conditions_in({"conditions": {"light": "morning"}})


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["trial", "report", *map(str, words)])


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A simulated approach and its truth."""
    recording = tmp_path_factory.mktemp("flight") / "post.mcap"
    words = ["simulate", str(SCENARIO), "--out", str(recording), "--seconds", "15", "--no-video"]
    assert CliRunner().invoke(main, words).exit_code == 0
    return recording.with_name("post.truth.jsonl"), recording


@pytest.fixture(scope="module")
def report(flight: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    out = tmp_path_factory.mktemp("report") / "report.html"
    done = run(flight[0], "--recording", flight[1], "--out", out, "--line", 700)
    assert done.exit_code == 0, done.output
    return out.read_text(), json.loads(out.with_suffix(".json").read_text())


def test_the_page_stands_alone_and_says_first_that_it_is_simulated(report: tuple[str, dict]) -> None:
    text, _ = report
    assert "<b>Simulated.</b>" in text
    assert text.index("<b>Simulated.</b>") < text.index("<img")
    assert text.count("data:image/png;base64,") == 4  # radar, camera, tracks, error
    assert "http" not in text


def test_the_figures_tell_radar_camera_and_tracks_apart(report: tuple[str, dict]) -> None:
    _, figures = report
    found = {(line["sensor"], line["class"], line["condition"]): line for line in figures["detection"]}
    assert set(found) == {(name, "drone", "day, dry") for name in ("radar-north", "camera-north", TRACKS)}
    radar = found["radar-north", "drone", "day, dry"]
    assert radar["looks"] == sum(each["looks"] for each in radar["bins"])
    assert 25 <= radar["looks"] <= 31  # two independent ones a second
    assert radar["detected"] > 20
    assert found["camera-north", "drone", "day, dry"]["detected"] == 0  # half a metre at 650 m is two pixels
    assert figures["warning"]["day, dry"]["never"] == 0
    assert 4.0 < figures["warning"]["day, dry"]["worst_s"] < 10.0  # at 16 m/s it needs 9.5 s from 852 m to 700 m
    assert figures["false_alerts_per_day"]["day, dry"]["seconds"] == pytest.approx(15.0, abs=1.0)
    assert set(figures["position_error"]) == {"day, dry"}
    assert sum(each["count"] for each in figures["position_error"]["day, dry"]) > 5


def test_what_no_flight_covers_is_said(report: tuple[str, dict]) -> None:
    text, figures = report
    assert "every sensor, night, dry" in figures["not_measured"]
    assert "every sensor, day, rain" in figures["not_measured"]
    assert "radar-north: bird, day, dry" in figures["not_measured"]
    assert "every sensor, night, dry: not measured" in text
    receiver = Trial({}, Conditions("day", "dry"), silent=["remote-id"])
    assert "remote-id: detection probability, since it does not say where it looked" in not_measured([receiver])


def test_the_score_of_a_recording_tells_the_same_by_range(
    flight: tuple[Path, Path], report: tuple[str, dict], tmp_path: Path
) -> None:
    truth, recording = flight
    tracks = tmp_path / "tracks.jsonl"
    tracks.write_text("")
    words = ["score", str(truth), str(tracks), "--by-range", "--json"]
    done = CliRunner().invoke(main, [*words, "--recording", str(recording)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["detection"] == [line for line in report[1]["detection"] if line["sensor"] != TRACKS]
    refused = CliRunner().invoke(main, words)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "expected the recording of this truth" in refused.stderr


def test_tracks_alone_leave_the_sensors_unmeasured(flight: tuple[Path, Path], tmp_path: Path) -> None:
    tracks, out = tmp_path / "tracks.jsonl", tmp_path / "report.html"
    tracks.write_text("")
    assert run(flight[0], "--tracks", tracks, "--out", out).exit_code == 0
    figures = json.loads(out.with_suffix(".json").read_text())
    assert "sensors one by one: no recording given" in figures["not_measured"]
    (line,) = figures["detection"]
    assert (line["sensor"], line["detected"], line["reached"]["estimate_m"]) == (TRACKS, 0, None)


def test_truth_of_another_place_a_wrong_count_and_wrong_conditions_are_refused(
    flight: tuple[Path, Path], tmp_path: Path
) -> None:
    truth, recording = flight
    head, rest = truth.read_text().split("\n", 1)
    moved = json.loads(head)
    moved["origin"]["latitude_deg"] += 0.01
    elsewhere, strange = tmp_path / "elsewhere.truth.jsonl", tmp_path / "strange.truth.jsonl"
    elsewhere.write_text(json.dumps(moved) + "\n" + rest)
    strange.write_text(json.dumps(json.loads(head) | {"conditions": {"light": "noon"}}) + "\n" + rest)
    out = tmp_path / "report.html"
    for words, told in (
        ((elsewhere, "--recording", recording), "expected truth of that recording"),
        ((truth, truth, "--recording", recording), "1 recordings for 2 truths"),
        ((strange, "--recording", recording), "conditions.light is 'noon'"),
        ((truth,), "neither --recording nor --tracks"),
    ):
        done = run(*words, "--out", out)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert told in done.stderr
    assert not out.exists()
