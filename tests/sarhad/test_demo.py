"""The demo as a newcomer starts it: real processes, the embedded broker, the real detector."""

from __future__ import annotations

import bisect
import json
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from evidence.recording import read_recording
from fusion.frames import LocalFrame
from fusion.types import Geodetic
from fusion.wire import parse_rfc3339

DEMO = [sys.executable, "-m", "sarhad", "demo", "--no-browser"]


@pytest.fixture(scope="module")
def embedded():
    return {**os.environ, "SARHAD_BROKER": "embedded"}


@pytest.fixture(scope="module")
def run(embedded, tmp_path_factory):
    """One demo of 20 s: its summary, and the folder it kept."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    done = subprocess.run(
        [*DEMO, "--seconds", "20", "--json", "--keep", str(folder)],
        capture_output=True,
        text=True,
        env=embedded,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder, done


def test_it_ends_with_one_json_object_and_tells_its_progress_elsewhere(run):
    summary, _, done = run
    assert done.stdout.count("\n") == 1
    agreed = {"readings", "scans", "tracks_confirmed", "gospa_m", "messages", "latency_ms", "peak_memory_mb", "start_s"}
    assert set(summary) == agreed
    for stage in ("broker      embedded", "simulator", "center", "edge", "map         http://127.0.0.1:"):
        assert stage in done.stderr


def test_both_drones_are_confirmed_and_the_picture_is_true(run):
    summary, _, _ = run
    assert summary["tracks_confirmed"] == 2  # of class drone; the gull is none
    assert summary["gospa_m"] <= 10.0
    assert summary["scans"] > 100


def test_no_message_is_lost_between_post_and_map(run):
    messages = run[0]["messages"]
    assert messages["published"] > 50
    assert messages["published"] == messages["stored"] == messages["delivered"]
    assert messages["lost"] == 0


def test_every_process_was_measured(run):
    summary, _, _ = run
    assert all(5.0 < summary["peak_memory_mb"][name] < 600.0 for name in ("broker", "center", "edge", "vision"))
    assert 0.0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]


def test_the_truth_and_a_recording_are_kept(run):
    _, folder, _ = run
    assert (folder / "truth.jsonl").is_file()
    (recording,) = (folder / "recordings").glob("*/recording.mcap")
    assert recording.stat().st_size > 100_000


def test_the_cameras_picture_is_believed_all_the_time(run):
    (recording,) = (run[1] / "recordings").glob("*/recording.mcap")
    with recording.open("rb") as stream:
        _, readings = read_recording(stream)
        looks = [json.loads(reading.data) for reading in readings if reading.sensor_id == "camera-north/vision"]
    assert len(looks) > 20
    assert {look["trouble"] for look in looks} == {""}


def followed(folder):
    """For each object of the truth: how often a track nearest to it was likeliest of which class, once confirmed."""
    origin, *moments = map(json.loads, (folder / "truth.jsonl").read_text().splitlines())
    frame, stamps = LocalFrame(Geodetic(**origin["origin"])), [moment["time_ns"] for moment in moments]
    classes = {}
    (tracks,) = (folder / "recordings").glob("*/tracks.jsonl")
    for line in tracks.read_text().splitlines():
        for track in json.loads(line).get("tracks", []):
            if track["status"] != "confirmed" or track["direction"]:
                continue
            moment = moments[max(0, bisect.bisect(stamps, parse_rfc3339(track["time"])) - 1)]
            place = frame.geodetic_to_enu(Geodetic(track["latitude_deg"], track["longitude_deg"], track["height_m"]))
            away = {one["object_id"]: float(np.linalg.norm(place - one["position_enu_m"])) for one in moment["objects"]}
            nearest = min(away, key=lambda name: away[name])
            if away[nearest] < 10.0:
                classes.setdefault(nearest, []).append(max(track["classes"], key=track["classes"].get))
    return classes


def test_the_drones_are_called_drones_in_the_end(run):
    classes = followed(run[1])
    assert classes["quad-remote-id"][-1] == "drone"
    assert classes["quad-silent"][-1] == "drone"


def test_the_bird_is_seen_and_never_called_a_drone(run):
    called = followed(run[1])["gull"]
    assert called[-1] == "bird"
    assert "drone" not in called


def at_a_terminal():
    """Signals as a terminal's child has them: what runs in the background may ignore them, and its children with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def started(process, word="map"):
    """Waits for the line that names the map, or what else begins with `word`; the processes of the demo."""
    for line in process.stdout:
        if line.startswith(word):
            break
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_ends_it_well_and_leaves_nothing_behind(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True, env=env, preexec_fn=at_a_terminal)
    try:
        family = started(process)
        assert len(family) >= 4
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 0
        assert "messages" in rest
        assert "0 lost" in rest
    finally:
        process.kill()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert len(gone) == len(family)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_it_is_ready_ends_it_as_well(tmp_path):
    env, pipe = {**os.environ, "TMPDIR": str(tmp_path)}, subprocess.PIPE
    process = subprocess.Popen(DEMO, stdout=pipe, stderr=pipe, text=True, env=env, preexec_fn=at_a_terminal)
    try:
        family = started(process, "broker")
        assert family
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 0
        assert errors.endswith("stopped before the post was running\n")  # mosquitto may have warned that it is root
        assert "Traceback" not in errors
    finally:
        process.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*DEMO], stdout=subprocess.PIPE, text=True, env=env)
    try:
        family = started(process)
        assert len(family) >= 4
    finally:
        process.kill()
        process.wait()
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_a_closed_terminal_ends_it_as_ctrl_c_does(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True, env=env, preexec_fn=at_a_terminal)
    try:
        family = started(process, "broker")
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_process_that_dies_ends_the_demo_with_its_last_lines(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*DEMO], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        family = started(process)
        mine = [
            one for one in family if one.is_running() and one.ppid() == process.pid
        ]  # a child of edge begins as its copy
        (edge,) = [one for one in mine if "edge" in one.cmdline()]
        edge.kill()
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 1
        assert "demo: edge ended with signal SIGKILL; its last lines:" in errors
    finally:
        process.kill()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenario", "nowhere"], 'scenario "nowhere" is not known; expected a scenario file or one of '),
        (["--seconds", "0"], "Invalid value for '--seconds'"),
    ],
)
def test_wrong_wishes_are_refused_with_exit_code_2(arguments, says):
    done = subprocess.run([*DEMO, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_bad_scenario_is_named_before_it_flies(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("[scenario]\n")
    done = subprocess.run([*DEMO, "--scenario", str(bad)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{bad}: [scenario]: name is missing" in done.stderr
