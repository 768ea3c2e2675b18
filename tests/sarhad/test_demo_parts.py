"""The demo's parts by themselves: children that end, a feed that is read, figures that are right."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from sarhad.child import Child, ChildDied, MemoryWatch, peak_memory_mb
from sarhad.demo import Demo
from sarhad.demo_summary import Picture, Summary
from sarhad.demo_wishes import SCENARIOS, Wishes, WrongInput, map_port, scenario_path, working_folder
from sarhad.live_feed import LiveFeed, Received, events


@pytest.fixture
def sleeper(tmp_path):
    """A child that prints a line and waits; `timeit` is a module that can be told to."""
    code = "import time; print('ready', flush=True); time.sleep(600)"
    child = Child("sleeper", ["timeit", "-n", "1", "-r", "1", code], tmp_path)
    yield child
    child.stop()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_is_heard_watched_and_ended(sleeper):
    assert sleeper.first_line(20.0) == "ready"
    sleeper.check()
    assert 1.0 < peak_memory_mb(sleeper.pid) < 200.0
    sleeper.stop()
    assert not is_alive(sleeper.pid)
    assert peak_memory_mb(sleeper.pid) is None


def test_a_child_that_ignores_sigterm_is_ended_all_the_same(tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    child = Child("deaf", ["timeit", "-n", "1", "-r", "1", code], tmp_path)
    child.first_line(20.0)
    child.stop(timeout_s=0.2)
    assert not is_alive(child.pid)


def test_a_child_that_dies_is_told_with_its_last_lines(tmp_path):
    child = Child("broken", ["timeit", "-n", "1", "-r", "1", "raise OSError('no such radar')"], tmp_path)
    with pytest.raises(ChildDied, match=r"broken ended with code 1; its last lines:\n(.|\n)*no such radar"):
        child.first_line(20.0)


def test_a_killed_child_is_told_by_its_signal(sleeper):
    sleeper.first_line(20.0)
    os.kill(sleeper.pid, signal.SIGKILL)
    sleeper.wait(10.0)
    with pytest.raises(ChildDied, match="sleeper ended with signal SIGKILL"):
        sleeper.check()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_child_ends_with_a_parent_that_was_killed(tmp_path):
    code = f"""
import pathlib, time
from sarhad.child import Child
child = Child("sleeper", ["timeit", "-n", "1", "-r", "1", "import time; print(1, flush=True); time.sleep(600)"],
              pathlib.Path({str(tmp_path)!r}))
child.first_line(20.0)
print(child.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    assert psutil.wait_procs([child], timeout=20.0)[1] == []


def test_a_child_takes_no_module_out_of_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')\n")
    (tmp_path / "sarhad.py").write_text("raise SystemExit('the wrong sarhad')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    child = Child("check", ["sarhad", "check", "nowhere.toml"], tmp_path)
    assert child.wait(60.0) == 2
    assert (
        child.log_path.read_text() == "nowhere.toml: cannot be read (No such file or directory); expected a site file\n"
    )


def test_a_feed_that_was_never_started_can_be_stopped():
    LiveFeed("127.0.0.1", 1).stop()


def test_each_part_is_ended_even_where_ending_another_one_fails(tmp_path):
    demo = Demo(Wishes(None, scenario_path("demo"), None, False, None), tmp_path, 1, print)
    ended = []

    class Part:
        def __init__(self, name):
            self.name = name

        def stop(self):
            ended.append(self.name)
            raise OSError(self.name)

    demo._broker, demo.feed = Part("broker"), Part("feed")
    demo._children = {name: Part(name) for name in ("simulator", "center", "edge")}
    with pytest.raises(OSError, match="broker"):
        demo.tear_down()
    assert ended == ["feed", "edge", "simulator", "center", "broker"]


def test_memory_is_the_highest_ever_seen(monkeypatch):
    seen = iter([10.0, 30.0, None])
    monkeypatch.setattr("sarhad.child.peak_memory_mb", lambda _pid: next(seen))
    watch = MemoryWatch()
    for _ in range(3):
        watch.look({"edge": 1})
    assert watch.peak_mb == {"edge": 30.0}


def test_events_are_read_as_they_come_whatever_stands_between():
    stream = io.BytesIO(
        b'retry: 1000\n\n: still here\n\nid: 7\nevent: tracks\ndata: {"a":1}\n\nevent: now\ndata: {}\n\ndata: cut'
    )
    assert list(events(stream)) == [("tracks", b'{"a":1}'), ("now", b"{}")]


def track(number, status="confirmed", classes=None):
    return {"track_number": number, "status": status, "classes": classes or {"drone": 0.8, "bird": 0.2}}


def tracks_body(sequence, *tracks):
    message = {"run_id": "r", "sequence": sequence, "as_of": "2026-01-01T00:00:01.000000Z", "tracks": list(tracks)}
    return {"received": "2026-01-01T00:00:01.010000Z", "message": message}


def test_the_feed_counts_each_message_once_and_times_it_from_its_reading():
    feed, second_ns = LiveFeed("127.0.0.1", 1), 1_767_225_601_000_000_000
    for sequence in (1, 2, 2):
        feed._take("tracks", tracks_body(sequence, track(1)), second_ns + 25_000_000)
    feed._take("health", {"message": {"run_id": "r", "state": "ok"}}, second_ns)
    assert feed.delivered("r") == 2
    assert feed.delivered("another run") == 0
    assert feed.latencies_ms == [25.0, 25.0, 25.0]


def test_the_feed_knows_what_is_shown_and_what_was_believed():
    feed = LiveFeed("127.0.0.1", 1)
    feed._take("tracks", tracks_body(1, track(1, "tentative"), track(2)), 0)
    assert feed.first_confirmed_s is not None
    assert set(feed.picture) == {1, 2}
    assert feed.likeliest == {2: "drone"}
    feed._take("tracks", tracks_body(2, track(2, "coasting", {"drone": 0.3, "bird": 0.7})), 0)
    assert feed.likeliest == {2: "bird"}
    feed._take("tracks", tracks_body(3, track(2, "dropped")), 0)
    assert set(feed.picture) == {1}
    assert feed.likeliest == {2: "bird"}


@pytest.fixture
def picture(tmp_path):
    """A picture over one radar looking north to 120 m, with the given truth of one moment."""
    from edge.simulator.scenario import read_scenario
    from edge.simulator.site_text import site_text

    scenario = read_scenario(SCENARIOS / "demo.toml")
    (tmp_path / "site.toml").write_text(site_text(scenario.tables))

    def make(*places):
        objects = [{"object_id": str(n), "class": "drone", "position_enu_m": place, "velocity_enu_m_s": [0.0, 0.0, 0.0]}
                   for n, place in enumerate(places)]  # fmt: skip
        (tmp_path / "truth.jsonl").write_text(json.dumps({"time_ns": 10**18, "objects": objects}) + "\n")
        return Picture(tmp_path / "site.toml", tmp_path / "truth.jsonl")

    return make


def shown(picture, *places, status="confirmed", direction=None):
    """Tracks at ENU places, as the wire carries them."""
    from fusion.wire import rfc3339

    found = []
    for place in places:
        point = picture._frame.enu_to_geodetic(place)
        found.append(
            {
                "latitude_deg": point.latitude_deg,
                "longitude_deg": point.longitude_deg,
                "height_m": point.height_m,
                "time": rfc3339(10**18),
                "velocity_enu_m_s": (0.0, 0.0, 0.0),
                "status": status,
                "direction": direction,
            }
        )
    return found


IN_SIGHT, BEHIND = [0.0, 60.0, 15.0], [0.0, -60.0, 15.0]


@pytest.mark.parametrize(
    ("truth", "tracks", "gospa_m"),
    [
        ([IN_SIGHT], [[3.0, 64.0, 15.0]], 5.0),
        ([IN_SIGHT], [], np.sqrt(200.0)),
        ([], [IN_SIGHT], np.sqrt(200.0)),
        ([IN_SIGHT], [[0.0, 85.0, 15.0]], np.sqrt(400.0)),  # 25 m off is one missed and one false
        ([IN_SIGHT, [10.0, 60.0, 15.0]], [[0.0, 60.0, 15.0]], np.sqrt(200.0)),
        ([BEHIND], [], np.sqrt(200.0)),  # nobody looks there, and it is missed all the same
        ([BEHIND], [[0.0, -61.0, 15.0]], 1.0),
        ([], [], 0.0),
    ],
)
def test_gospa_is_what_one_works_out_by_hand(picture, truth, tracks, gospa_m):
    one = picture(*truth)
    one.sample(shown(one, *tracks), 10**18)
    assert one.gospa_m() == pytest.approx(gospa_m, abs=1e-3)


def test_tentative_tracks_and_mere_directions_are_not_part_of_the_picture(picture):
    one = picture(IN_SIGHT)
    one.sample(shown(one, IN_SIGHT, status="tentative") + shown(one, IN_SIGHT, direction={"sensor_id": "c"}), 10**18)
    assert one.gospa_m() == pytest.approx(np.sqrt(200.0))


def test_gospa_over_time_is_the_root_mean_square_and_none_where_nothing_was_shown(picture):
    one = picture(IN_SIGHT)
    assert one.gospa_m() is None
    one.sample(shown(one, IN_SIGHT), 10**18)
    one.sample([], 10**18 + 50_000_000)
    assert one.gospa_m() == pytest.approx(10.0, abs=1e-3)  # sqrt((0 + 200) / 2)


def test_the_summary_has_the_agreed_fields_and_lost_is_counted_not_claimed():
    summary = Summary(10, 5, 2, 1.234, 30, 28, 27, 12.34, 45.67, {"edge": 100.0}, 4.56)
    record = summary.record()
    agreed = ("readings", "scans", "tracks_confirmed", "gospa_m", "messages", "latency_ms", "peak_memory_mb", "start_s")
    assert tuple(record) == agreed
    assert record["messages"] == {"published": 30, "stored": 28, "delivered": 27, "lost": 2}
    assert record["latency_ms"] == {"p50": 12.3, "p95": 45.7}
    assert record["peak_memory_mb"] == {"broker": None, "center": None, "edge": 100.0, "vision": None}
    assert "2 lost" in summary.text()


def test_a_scenario_is_found_by_name_or_path_or_refused_with_the_names_there_are(tmp_path):
    assert scenario_path("demo").name == "demo.toml"
    own = tmp_path / "own.toml"
    own.write_text(scenario_path("demo").read_text())
    assert scenario_path(str(own)) == own
    with pytest.raises(WrongInput, match=r'scenario "dema" is not known; expected a scenario file or one of .*demo'):
        scenario_path("dema")


def test_a_port_that_is_taken_is_refused_when_asked_for_and_avoided_otherwise(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongInput, match=f"--port is {port}, which another program uses"):
            map_port(port)
        monkeypatch.setattr("sarhad.demo_wishes.DEFAULT_PORT", port)
        assert map_port(None) not in (0, port)


def test_a_port_that_is_not_ours_to_open_is_told_as_such(monkeypatch):
    import socket

    def refuse(_listener, _address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(WrongInput, match="--port is 80, which this user may not open; expected a port from 1024 on"):
        map_port(80)


def test_a_folder_to_keep_must_be_possible(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WrongInput, match="Not a directory; expected a folder"), working_folder(tmp_path / "file" / "x"):
        pass


def test_a_folder_to_keep_must_be_new_and_one_not_kept_goes(tmp_path):
    with working_folder(None) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "a").write_text("x")
    assert not folder.exists()
    with working_folder(tmp_path / "kept") as folder:
        (folder / "a").write_text("x")
    assert (folder / "a").exists()
    with pytest.raises(WrongInput, match="is not an empty folder"), working_folder(tmp_path / "kept"):
        pass


def test_what_was_received_is_counted_once_in_any_order():
    received = Received()
    for sequence in (2, 1, 2, 5, 3, 5, 1):
        received.add(sequence)
    assert received.count == 4
    received.add(4)
    assert received.count == 5
    assert not received._beyond
