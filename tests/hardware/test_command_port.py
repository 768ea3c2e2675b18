"""A radar's start file over a real pseudo-terminal; the radar at its other end is a thread that answers."""

from __future__ import annotations

import os
import threading

import pytest

from hardware.clock import Clock
from hardware.command_port import CommandPort
from hardware.device import DeviceLost, DeviceRunner
from hardware.serial_port import SerialPort

START_FILE = """% TI radar, made for this test
sensorStop
flushCfg

profileCfg 0 60.75 30.0 25.0 59.14 0 0 54.71 1 96 2950 2 1 36
sensorStart
"""


class Radar(threading.Thread):
    """Answers each line as TI's demo does: the echo, the verdict, the prompt; after sensorStart it may send data."""

    def __init__(self, plug, answers=None, data: bytes = b"", prompt: bytes = b"\rmmwDemo:/>") -> None:
        super().__init__(daemon=True)
        self.plug, self.answers, self.data, self.prompt = plug, answers or {}, data, prompt
        self.lines: list[str] = []

    def run(self) -> None:
        heard = b""
        while True:
            try:
                heard += os.read(self.plug.master, 1024)
            except OSError:
                return
            while b"\n" in heard:
                line, heard = heard.split(b"\n", 1)
                self.answer(line.decode())

    def answer(self, line: str) -> None:
        self.lines.append(line)
        verdict = self.answers.get(line.split()[0], "Done")
        if verdict is not None:
            self.plug.say(line.encode() + b"\n\r" + verdict.encode() + b"\n" + self.prompt)
        if line == "sensorStart":
            self.plug.say(self.data)


@pytest.fixture
def locks(tmp_path):
    return str(tmp_path)


def command(plug, locks, timeout_s=5.0) -> CommandPort:
    return CommandPort(plug.path, 115_200, START_FILE.splitlines(), timeout_s, lock_dir=locks)


SENT = ["sensorStop", "flushCfg", "profileCfg 0 60.75 30.0 25.0 59.14 0 0 54.71 1 96 2950 2 1 36", "sensorStart"]


@pytest.mark.parametrize("prompt", [b"\rmmwDemo:/>", b""])
def test_every_line_but_comments_is_sent_in_order(plug, second_plug, locks, prompt):
    radar = Radar(second_plug, {"sensorStop": "Ignored: Sensor is already stopped\n\rDone"}, prompt=prompt)
    radar.start()
    data_port = SerialPort(plug.path, 921_600, lock_dir=locks)
    assert command(second_plug, locks).send(data_port, threading.Event()) == ()
    assert radar.lines == SENT


def test_an_error_is_told_with_its_line_and_the_rest_is_still_sent(plug, second_plug, locks):
    radar = Radar(
        second_plug, {"flushCfg": "Error -1", "profileCfg": "'profileCfg' is not recognized as a CLI command"}
    )
    radar.start()
    complaints = command(second_plug, locks).send(SerialPort(plug.path, 9600, lock_dir=locks), threading.Event())
    assert complaints == (
        "'flushCfg' answered 'Error -1'",
        f"{SENT[2]!r} answered \"'profileCfg' is not recognized as a CLI command\"",
    )
    assert radar.lines == SENT


def test_a_board_that_does_not_answer_is_told_once(plug, second_plug, locks):
    complaints = command(second_plug, locks, 0.2).send(SerialPort(plug.path, 9600, lock_dir=locks), threading.Event())
    assert len(complaints) == 1
    assert "no reply to 'sensorStop' within 0.2 s" in complaints[0]


def test_a_missing_command_port_is_a_loss(plug, second_plug, locks):
    second_plug.unplug()
    with pytest.raises(DeviceLost, match="is it plugged in"):
        command(second_plug, locks).send(SerialPort(plug.path, 9600, lock_dir=locks), threading.Event())


def test_on_a_shared_port_what_follows_the_last_reply_is_data(plug, locks, door):
    Radar(plug, data=b"\x02\x01\x04\x03\x06\x05\x08\x07data").start()
    runner = DeviceRunner(
        "radar", SerialPort(plug.path, 115_200, lock_dir=locks), Clock(), door.deliver, door.report,
        command=command(plug, locks),
    )  # fmt: skip
    runner.start()
    door.await_event("started")
    door.await_that(lambda: len(door.data) >= 12)
    assert door.data == b"\x02\x01\x04\x03\x06\x05\x08\x07data"
    assert runner.stop()


def test_after_a_reconnect_the_whole_file_is_sent_again(plug, second_plug, locks, door):
    radar = Radar(second_plug)
    radar.start()
    runner = DeviceRunner(
        "radar", SerialPort(plug.path, 921_600, lock_dir=locks), Clock(), door.deliver, door.report,
        command=command(second_plug, locks),
    )  # fmt: skip
    runner.start()
    door.await_event("opened")
    plug.unplug()
    door.await_event("lost")
    plug.plug_in()
    door.await_event("back")
    assert radar.lines == SENT * 2
    assert door.names() == ["started", "opened", "lost", "started", "back"]
    assert runner.stop()
