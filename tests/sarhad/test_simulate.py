"""`sarhad simulate`: a recording that replays, the same for the same seed, with the truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.simulator.run import readings
from edge.simulator.scenario import read_scenario
from edge.simulator.truth import truth_lines
from evidence.recording import read_recording
from sarhad.cli import main
from sarhad.scores import gospa_of_run

DEMO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_recording_holds_the_readings_of_the_scenario_and_its_site(tmp_path):
    out = tmp_path / "run.mcap"
    done = call("simulate", DEMO, "--out", out, "--seconds", "5", "--no-video", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    scenario = read_scenario(DEMO)
    with out.open("rb") as stream:
        header, recorded = read_recording(stream)
        found = list(recorded)
    assert found == list(readings(scenario, seconds=5.0, video=False))
    assert told["readings"] == len(found)
    assert header.site_text == scenario.site.text
    assert header.models == {}
    assert (tmp_path / "run.truth.jsonl").read_text().count("\n") == 52  # the origin, and ten a second with both ends


def test_one_seed_is_one_recording_byte_for_byte(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert (
            call(
                "simulate", DEMO, "--out", tmp_path / f"{name}.mcap", "--seconds", 3, "--seed", seed, "--no-video"
            ).exit_code
            == 0
        )
    a, b, c = ((tmp_path / f"{name}.mcap").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_replay_of_radar_and_claims_alone_follows_all_three_objects(tmp_path):
    out = tmp_path / "run.mcap"
    assert call("simulate", DEMO, "--out", out, "--seconds", 40, "--no-video").exit_code == 0
    replayed = call("replay", out, "--speed", "max", "--out", tmp_path / "answer")
    assert replayed.exit_code == 0, replayed.output
    score = gospa_of_run(tmp_path / "run.truth.jsonl", tmp_path / "answer" / "tracks.jsonl")
    # 0.5 m, 1.5 deg and 2 deg at 45 to 105 m are 2 to 4 m a scan; ten scans a second make 1 to 2 m of three objects,
    # and the first seconds without tracks cost 17 m each
    assert score.rms_gospa < 6.0
    assert score.n_false < 0.2


def test_pictures_come_with_what_the_detector_found_in_them(tmp_path):
    out = tmp_path / "run.mcap"
    assert call("simulate", DEMO, "--out", out, "--seconds", "1.2").exit_code == 0
    with out.open("rb") as stream:
        header, recorded = read_recording(stream)
        found = list(recorded)
    pictures = [reading for reading in found if reading.sensor_id == "camera-north"]
    looks = [json.loads(reading.data) for reading in found if reading.sensor_id == "camera-north/vision"]
    assert len(pictures) == 12
    assert [look["access_unit_ns"] for look in looks] == [reading.monotonic_ns for reading in pictures][: len(looks)]
    assert len(looks) >= 11
    assert header.models["camera-north"] == looks[0]["model_sha256"]
    drones = [box for box in looks[-1]["detections"] if box["class"] == "drone"]
    assert len(drones) >= 2
    assert [reading.received_ns for reading in found] == sorted(reading.received_ns for reading in found)


@pytest.mark.parametrize(
    ("scenario", "out", "says"),
    [
        ("missing.toml", "run.mcap", "missing.toml: cannot be read"),
        (DEMO, "nowhere/run.mcap", "does not exist; expected an existing folder"),
        (DEMO, "there.mcap", "there.mcap: exists already; expected a new file"),
        (DEMO, "half.mcap", "half.truth.jsonl: exists already; expected a new file"),
        (DEMO, "/proc/run.mcap", "expected a folder that can be written"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, scenario, out, says):
    (tmp_path / "there.mcap").write_bytes(b"")
    (tmp_path / "half.truth.jsonl").write_text("worth keeping")
    done = call("simulate", scenario if scenario == DEMO else tmp_path / scenario, "--out", tmp_path / out)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "half.truth.jsonl").read_text() == "worth keeping"


@pytest.mark.parametrize(
    ("tracks", "says"),
    [(b"\x89MCAP0\r\n\xff\xfe", "run.mcap: after line"), (b'{"a": 1}\n', "run.mcap: line 1: ")],
)
def test_a_score_of_what_is_no_tracks_is_refused_in_one_line(tmp_path, tracks, says):
    (tmp_path / "run.mcap").write_bytes(tracks)
    scenario = read_scenario(DEMO)
    lines = truth_lines(scenario.world, scenario.site.origin, scenario.start_ns, 3.0)
    (tmp_path / "run.truth.jsonl").write_text("".join(lines))
    done = call("score", tmp_path / "run.truth.jsonl", tmp_path / "run.mcap")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.exception
    assert says in done.stderr
