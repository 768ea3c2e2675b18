"""A post that nobody looks after: heat, battery, alarm, and the guards' page."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from edge.alarm import AlarmOutput
from edge.guard_page import PAGE, STALE_S, GuardPage, snapshot
from edge.health import disk_troubles, health_message, outbox_troubles
from edge.node import Node
from edge.outbox import OutboxCounts
from edge.pipeline import Pipeline
from edge.saving import Saving
from edge.site_file import SiteFileError, parse_site
from edge.site_types import AlarmSettings, SwitchSettings
from fusion.classification import KNOWN, PRIOR
from fusion.types import CLASSES, Direction, Track
from hardware.box_state import BoxState
from hardware.device import DeviceLost
from hardware.host import Host
from hardware.relay import KernelFile

SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[broker.outbox]
path = "OUTBOX"
[alarm]
switch = "kernel_file"
path = "LIGHT"
[guard_page]
port = 41299
[[sensor]]
id = "gnss"
device = { driver = "udp_listener", port = 41238, host = "127.0.0.1" }
protocol = "gnss"
"""


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """One that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def track(
    name: str = "drone", status: str = "confirmed", direction: Direction | None = None, east_m: float = 30.0
) -> Track:
    state = np.array([east_m, 40.0, 25.0, 3.0, 4.0, 0.0])
    classes = ((name, 0.8), ("unknown", 0.2))
    return Track(7, 1, 1, state, np.eye(6), 0.95, status, None, classes, (), (), 1, direction, None)


# Heat and battery


def test_each_mode_begins_and_ends_at_its_own_limit() -> None:
    saving = Saving()
    told = [saving.judge(celsius, None, None) is not None for celsius in (70.0, 84.0, 86.0, 80.0, 79.0, 77.0, 84.0)]
    assert told == [False, False, True, True, True, False, False]
    charges = [(False, 0.2), (True, 0.35), (True, 0.25), (True, 0.35), (True, 0.45), (True, 0.25), (False, 0.25)]
    assert [saving.judge(None, *one) is not None for one in charges] == [False, False, True, True, False, True, False]
    assert "92 °C" in (saving.judge(92.0, None, None) or "")


def test_vision_is_put_behind_the_rest_while_the_box_is_hot_and_let_go_again() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        saving, seen = Saving(), psutil.Process(process.pid)
        all_cores = seen.cpu_affinity()
        saving.judge(95.0, None, None)
        saving.apply([process.pid, 2**22 - 1])  # one of them has gone meanwhile
        assert len(seen.cpu_affinity()) == 1
        assert seen.nice() == 19
        saving.judge(50.0, None, None)
        saving.apply([process.pid])
        assert seen.cpu_affinity() == all_cores
    finally:
        process.communicate(timeout=30)


def test_a_worn_or_hot_disk_is_told_with_what_to_do() -> None:
    assert disk_troubles(BoxState(disk_worn=0.3, disk_temperature_c=50.0)) == []
    assert "replace" in disk_troubles(BoxState(disk_worn=0.95))[0]
    assert "nvme0 can only be read: replace" in disk_troubles(BoxState(disk_warnings=("nvme0 can only be read",)))[0]
    assert "shade" in disk_troubles(BoxState(disk_temperature_c=75.0))[0]


# The alarm


class Lamp:
    def __init__(self) -> None:
        self.said: list[bool] = []
        self.is_stuck = False
        self.changed = threading.Condition()

    def set(self, is_on: bool) -> None:
        with self.changed:
            if self.is_stuck:
                self.changed.notify_all()
                raise DeviceLost("stuck")
            self.said.append(is_on)
            self.changed.notify_all()

    def await_said(self, said: list[bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.said == said, 10.0), self.said


class SetClock:
    """Time that moves only when told, and wakes who waits for it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def move(self, seconds: float, alarm: AlarmOutput) -> None:
        with alarm._changed:
            self.now_s += seconds
            alarm._changed.notify_all()


def settings(hold_s: float = 300.0, longest_s: float | None = None) -> AlarmSettings:
    return AlarmSettings(SwitchSettings("kernel_file", "x", "1", "0", 1), ("drone",), 0.5, hold_s, longest_s)


def test_a_believed_drone_switches_the_alarm_on_and_its_leaving_off() -> None:
    lamp, clock = Lamp(), SetClock()
    alarm = AlarmOutput(lamp, settings(), clock)
    lamp.await_said([False])  # whatever it was before
    alarm.saw([track("bird"), track("drone", "tentative")])
    alarm.saw([track("drone")])
    lamp.await_said([False, True])
    clock.move(200.0, alarm)
    alarm.saw([track("drone")])
    clock.move(200.0, alarm)  # held anew
    assert lamp.said == [False, True]
    clock.move(101.0, alarm)
    lamp.await_said([False, True, False])
    alarm.saw([track("drone")])
    lamp.await_said([False, True, False, True])
    alarm.close()
    assert lamp.said[-1] is False


@pytest.mark.parametrize("classes", list(combinations(KNOWN, 2)))
def test_what_nothing_has_named_alarms_neither_for_one_class_nor_for_two(classes: tuple[str, str]) -> None:
    """Else all that a radar alone sees would alarm."""
    alarm = AlarmOutput(Lamp(), replace(settings(), classes=classes), SetClock())
    unnamed = msgspec.structs.replace(track(), classes=tuple(zip(CLASSES, PRIOR.tolist(), strict=True)))
    assert not alarm.is_alarming(unnamed)
    alarm.close()


def test_a_drone_that_stays_is_told_once_and_the_next_one_again() -> None:
    lamp, clock = Lamp(), SetClock()
    alarm = AlarmOutput(lamp, settings(hold_s=10.0, longest_s=60.0), clock)
    stays, comes = track("drone"), msgspec.structs.replace(track("drone"), track_number=77)
    alarm.saw([stays])
    lamp.await_said([False, True])
    for _ in range(12):
        clock.move(9.0, alarm)
        alarm.saw([stays])
    lamp.await_said([False, True, False])
    alarm.saw([stays, comes])
    lamp.await_said([False, True, False, True])
    alarm.close()


def test_an_alarm_that_does_not_work_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.alarm.RETRY_S", 0.05)
    lamp = Lamp()
    lamp.is_stuck = True
    alarm = AlarmOutput(lamp, settings())
    alarm.saw([track("drone")])
    with lamp.changed:
        assert lamp.changed.wait_for(lambda: alarm.trouble is not None, 10.0)
        lamp.is_stuck = False
    lamp.await_said([True])
    alarm.close()


def test_a_switch_with_a_fault_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.alarm.RETRY_S", 0.01)
    lamp = Lamp()

    def fault(_is_on: bool) -> None:
        with lamp.changed:
            lamp.changed.notify_all()
        raise ZeroDivisionError

    works, lamp.set = lamp.set, fault
    alarm = AlarmOutput(lamp, settings())
    alarm.saw([track("drone")])
    with lamp.changed:
        assert lamp.changed.wait_for(lambda: alarm.trouble is not None or not alarm._thread.is_alive(), 10.0)
    assert "ZeroDivisionError" in (alarm.trouble or "")
    lamp.set = works
    lamp.await_said([True])
    alarm.close()
    assert alarm.trouble is None


# The page


def health(line: Pipeline, troubles: tuple[str, ...] = ()):
    return health_message(line, Host(None, None, None, {}), OutboxCounts(), troubles)


def test_the_page_says_where_to_look_and_what_is_wrong() -> None:
    line = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")
    bearing = Direction("camera", 0.6, 0.01, 0.1, 0.01, (50.0, 900.0))
    now = snapshot(
        [track("bird", east_m=0.0), track("drone", direction=bearing), track(status="tentative")], health(line)
    )
    assert [row["what"] for row in now["tracks"]] == ["drone", "bird"]
    first = now["tracks"][0]
    assert (first["what"], first["where"], first["away"]) == ("drone", "37° north-east", "not known")
    assert now["tracks"][1]["away"] == "40 m"
    assert now["state"] == "blind"
    page = GuardPage("127.0.0.1", 0)
    page.show([track()], health(line, ("the disk is full",)))

    def ask(path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{page.port}{path}", timeout=10) as answer:
            return answer.read()

    told = json.loads(ask("/now"))
    assert told["tracks"][0]["away"] == "50 m"
    assert "the disk is full" in told["troubles"][0]
    assert b"http" not in ask("/").replace(b"http-equiv", b"")  # nothing from elsewhere
    with pytest.raises(urllib.error.HTTPError):
        ask("/etc/passwd")
    page.close()


def test_the_page_tells_of_what_has_no_sure_name_but_may_be_a_drone() -> None:
    line = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")
    unnamed = msgspec.structs.replace(track(east_m=10.0), classes=(("drone", 0.22), ("bird", 0.2), ("unknown", 0.58)))
    perhaps = msgspec.structs.replace(track(), classes=(("drone", 0.36), ("bird", 0.1), ("unknown", 0.54)))
    rows = snapshot([unnamed, perhaps, track("drone")], health(line))["tracks"]
    assert [row["what"] for row in rows] == ["drone", "unknown, perhaps drone (36%)", "unknown"]
    assert [row["kind"] for row in rows] == ["drone", "perhaps", "unknown"]
    assert "none called a drone" in PAGE  # what is seen is not told as "Nothing seen"


def test_what_the_center_will_never_get_stands_on_health() -> None:
    line = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")
    counts = OutboxCounts(pending=9, dropped=Counter(detections=300, alerts=1), thinned=1200, spacing_s=4.0)
    told = health_message(line, Host(None, None, None, {}), counts, outbox_troubles(counts))
    assert (told.outbox_pending, told.outbox_thinned) == (9, 1200)
    assert told.outbox_dropped == {"alerts": 1, "detections": 300}
    assert "1200 messages of positions left out, of the oldest tracks one each 4 s is kept" in told.text
    assert "1 of alerts, 300 of detections" in told.text
    assert outbox_troubles(OutboxCounts(pending=9)) == []


def test_a_post_that_hangs_does_not_look_like_an_empty_sky() -> None:
    line, now_s = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software"), [100.0]
    page = GuardPage("127.0.0.1", 0, lambda: now_s[0])

    def code(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{page.port}{path}", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    codes = [code("/now")]
    for passed_s, is_shown in ((STALE_S + 1.0, False), (0.0, True), (STALE_S - 1.0, False), (2.0, False)):
        now_s[0] += passed_s
        if is_shown:
            page.show([], health(line))
        codes.append(code("/now"))
    assert codes == [200, 503, 200, 200, 503]
    assert code("/") == 200
    assert "!answer.ok" in PAGE
    page.close()


def test_a_running_node_shows_its_page_and_drives_its_light(tmp_path: Path) -> None:
    light = tmp_path / "brightness"
    light.write_text("?")
    text = SITE.replace("OUTBOX", str(tmp_path / "outbox.db")).replace("LIGHT", str(light))
    text = text.replace("41299", str(free_port())).replace("41238", str(free_port(socket.SOCK_DGRAM)))
    node = Node(parse_site(text, "ridge.toml"))

    async def run() -> dict:
        running = asyncio.create_task(node.run())
        while node._told < 2:
            await asyncio.sleep(0.05)
        address = f"http://127.0.0.1:{node.page.port}/now"
        told = await asyncio.to_thread(lambda: json.loads(urllib.request.urlopen(address, timeout=10).read()))
        second = Node(parse_site(text.replace("outbox.db", "second.db"), "ridge.toml"))  # its page's address is taken
        assert second.page is None
        assert "no page for the guards" in second._troubles()[0]
        second.alarm.close()
        second.outbox.close()
        node.publisher.stop = lambda timeout_s: True  # there is no broker to part from
        node.stop()
        await asyncio.wait_for(running, 20.0)
        return told

    told = asyncio.run(run())
    assert told["state"] == "blind"
    assert light.read_text().startswith("0")


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('path = "LIGHT"', 'path = "LIGHT"\nclasses = ["ufo"]', "classes is"),
        ("port = 41299", "port = 0", "port is 0"),
        ("port = 41299", 'host = "a b"', "host is"),
        ('switch = "kernel_file"\n', "", "switch is missing"),
    ],
)
def test_mistakes_in_the_site_file_are_told(good: str, bad: str, words: str) -> None:
    with pytest.raises(SiteFileError, match=words):
        parse_site(SITE.replace(good, bad), "ridge.toml")


def test_a_kernels_file_as_the_light(tmp_path: Path) -> None:
    file = tmp_path / "brightness"
    file.write_text("0")
    KernelFile(os.fspath(file)).set(True)
    assert file.read_text() == "1"
