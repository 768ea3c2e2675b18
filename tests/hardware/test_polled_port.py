"""Ports whose devices speak only when asked, on pseudo-terminals with simulated units behind them."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from edge.finding import FAIL
from edge.pipeline import Pipeline
from edge.sensor_trial import try_sensor
from edge.sensors import decoders_of, driver_of
from edge.site_file import SiteFileError, parse_site
from firmware_interfaces import modbus_rtu, spectrum_sweep
from firmware_interfaces.modbus_rtu import Answer, Frames, Request
from fusion.types import ASKED, NODE, Presence, Reading, Status
from hardware.clock import Clock
from hardware.device import DeviceEvent, DeviceRunner
from hardware.polled_port import PolledPort

S = 1_000_000_000
SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[[sensor]]
id = "fence"
protocol = "modbus_rtu"
protocol_options = { alarms = ["2:3 zone 4", "5:41>120 seismic, east"] }
[sensor.device]
driver = "polled_port"
path = "PORT"
baud = 9600
parity = "even"
ask = ["2:2:0:8", "5:3:40:4", "9:4:0:1"]
every_s = 0.05
answer_s = 0.1
lock_dir = "LOCKS"
"""


@dataclass
class Units:
    """Modbus units on one line: bits and registers by unit and address; those in `dead` say nothing."""

    master: int
    values: dict[tuple[int, int], int] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    asked: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        frames = Frames()
        while not self.ended.is_set():
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            for framed in frames.feed(os.read(self.master, 256), 0):
                request = framed.message
                assert isinstance(request, Request)
                self.asked.append(request)
                if request.unit not in self.dead:
                    self.answer(request)

    def answer(self, request: Request) -> None:
        """In two pieces, as a slow line brings it."""
        values = [self.values.get((request.unit, request.first + at), 0) for at in range(request.count)]
        answer = modbus_rtu.encode(Answer(request.unit, request.function, tuple(values)))
        os.write(self.master, answer[:2])
        os.write(self.master, answer[2:])


@contextmanager
def running(units: Units) -> Iterator[Units]:
    thread = threading.Thread(target=units.serve)
    thread.start()
    try:
        yield units
    finally:
        units.ended.set()
        thread.join(5.0)


def test_units_are_asked_in_turn_and_their_alarms_come_through_the_door(plug: Any, door: Any, tmp_path: Any):
    site = parse_site(SITE.replace("PORT", plug.path).replace("LOCKS", str(tmp_path)), "ridge.toml")
    (entry,) = site.sensors
    decoder = decoders_of(site)["fence"]
    units = Units(plug.master, {(2, 3): 1, (5, 41): 150}, dead={9})
    runner = DeviceRunner("fence", driver_of(entry), Clock(), door.deliver, door.report)
    with running(units):
        runner.start()
        door.await_that(lambda: door.data.count(modbus_rtu.encode(Request(9, 4, 0, 1))) > 4)
        units.dead.clear()
        answer = modbus_rtu.encode(Answer(9, 4, (0,)))
        door.await_that(lambda: answer in door.data)
        assert runner.stop()
    facts = [fact for reading in list(door.readings) for fact in decoder.feed(reading)]
    assert [fact.text for fact in facts if isinstance(fact, Presence)] == ["zone 4", "seismic, east: 150"]
    told = [(fact.level, fact.text.split(":")[0]) for fact in facts if isinstance(fact, Status)]
    assert told == [("warning", "no answer of unit 9"), ("ok", "every unit answers again")]
    assert decoder.counts.remarks["answer without its request"] == 0
    assert units.asked[:4] == [Request(2, 2, 0, 8), Request(5, 3, 40, 4), Request(9, 4, 0, 1), Request(2, 2, 0, 8)]


def test_a_line_on_which_nobody_answers_is_silent_and_its_units_are_named(plug: Any, door: Any, tmp_path: Any):
    text = SITE.replace("PORT", plug.path).replace("LOCKS", str(tmp_path)).replace("answer_s = 0.1", "answer_s = 0.05")
    site = parse_site(text.replace('ask = ["2:2:0:8", "5:3:40:4", "9:4:0:1"]', 'ask = ["2:2:0:8"]'), "ridge.toml")
    runner = DeviceRunner("fence", driver_of(site.sensors[0]), Clock(), door.deliver, door.report, silence_s=0.5)
    with running(Units(plug.master, dead={2})) as units:
        runner.start()
        door.await_event("silent")
        asked = len(door.readings)
        door.await_that(lambda: len(door.readings) > asked + 4)
        assert door.names() == ["opened", "silent"]
        units.dead.clear()
        door.await_event("speaking")
        door.await_that(lambda: door.readings[-1].source is None)
        assert runner.stop()
    question, pipeline = modbus_rtu.encode(Request(2, 2, 0, 8)), Pipeline(site, "run", "software")
    for reading in [reading for reading in door.readings if reading.source == ASKED]:
        assert reading.data == question
        pipeline.feed(reading)
    sensor = pipeline.watch.sensors["fence"]
    assert (sensor.readings, sensor.device_state) == (0, "waiting")
    assert sensor.text(0).startswith("no answer of unit 2: ")
    silent = DeviceEvent("fence", "silent", "no bytes for 5.0 s")
    pipeline.feed(Reading(NODE, S, S, None, None, silent.to_json()))
    assert sensor.text(0).startswith("no bytes for 5.0 s; no answer of unit 2: ")
    answered = [reading for reading in door.readings if reading.source is None]
    assert answered[0].data.startswith(question)  # a question is told with its answer where one comes
    for reading in answered:
        pipeline.feed(reading)
    assert (sensor.device_state, sensor.text(0)) == ("ok", "")


def test_the_check_of_a_post_tells_a_line_on_which_nobody_answers(plug: Any, tmp_path: Any):
    site = parse_site(SITE.replace("PORT", plug.path).replace("LOCKS", str(tmp_path)), "ridge.toml")
    with running(Units(plug.master, dead={2, 5, 9})):
        finding = try_sensor(site.sensors[0], decoders_of(site)["fence"], site.origin, 0.5)
    assert (finding.state, finding.seen) == (FAIL, "asked, but no answer within 0.5 s")


def test_a_tinysa_is_asked_for_its_sweeps(plug: Any, door: Any, tmp_path: Any):
    command = b"scanraw 433000000 434000000 9\r"
    (question,) = spectrum_sweep.questions(["scanraw 433000000 434000000 9"])
    assert question == command
    port = PolledPort(plug.path, 115200, [question], 0.1, 1.0, lock_dir=str(tmp_path))
    runner = DeviceRunner("sweeps", port, Clock(), door.deliver, door.report)
    runner.start()
    powers = [-100.0] * 4 + [-50.0] + [-100.0] * 4
    for number in (1, 2):
        heard = b""
        while not heard.endswith(b"\r"):
            heard += plug.hear(64)
        assert heard == command
        plug.say(command + b"\n" + spectrum_sweep.encode_raw(powers) + b"ch> ")
        door.await_that(partial(lambda count: door.data.count(b"}") == count, number))
    assert runner.stop()
    sweeps = spectrum_sweep.Sweeps().feed(door.data, 0)
    assert [framed.message.powers_db.round(1).tolist() for framed in sweeps] == [powers, powers]
    assert sweeps[0].message.frequencies_hz[0] == pytest.approx(433e6, abs=1.0)


def test_a_site_file_with_a_wrong_question_is_refused():
    with pytest.raises(
        SiteFileError, match=r'^ridge.toml: sensor "fence": device.ask: "5:6:40:4", expected "unit:func'
    ):
        parse_site(SITE.replace("5:3:40:4", "5:6:40:4"), "ridge.toml")
    with pytest.raises(SiteFileError, match=r"device.ask is \[\]; expected at least one question"):
        parse_site(SITE.replace('["2:2:0:8", "5:3:40:4", "9:4:0:1"]', "[]"), "ridge.toml")


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (modbus_rtu.questions, "5:6:40:1", "function 1 to 4"),  # 6 writes
        (modbus_rtu.questions, "0:3:40:1", "unit 1 to 247"),
        (modbus_rtu.questions, "5:3:40:126", "at most 2000 bits"),
        (modbus_rtu.questions, "5:3:65535:2", 'ask: "5:3:65535:2"'),
        (spectrum_sweep.questions, "reset", 'expected "scanraw START STOP POINTS"'),
        (spectrum_sweep.questions, "scanraw 434000000 433000000 9", "expected below its stop"),
    ],
)
def test_a_question_that_is_none_is_named(read: Callable[[list[str]], Any], text: str, expected: str):
    with pytest.raises(ValueError, match=expected.replace("(", r"\(")):
        read([text])
