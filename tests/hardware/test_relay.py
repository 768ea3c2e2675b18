"""Switches, and the power that is taken from a sensor for a moment."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.relay import KernelFile, PowerCycle, SerialRelay, relay_command
from hardware.serial_port import SerialPort


class Socket:
    """A USB hub's port: without power the device behind it is gone."""

    def __init__(self, plug) -> None:
        self.plug, self.said = plug, []

    def set(self, is_on: bool) -> None:
        self.said.append(is_on)
        if is_on and self.plug.master < 0:
            self.plug.plug_in()
        elif not is_on and self.plug.master >= 0:
            self.plug.unplug()


class Stuck:
    def set(self, is_on: bool) -> None:
        raise DeviceLost("the switch is stuck")


@pytest.fixture
def run(plug, door, tmp_path):
    runners = []

    def start(power) -> DeviceRunner:
        port = SerialPort(plug.path, 921_600, lock_dir=str(tmp_path))
        runner = DeviceRunner("radar-north", port, Clock(), door.deliver, door.report, silence_s=0.1, power=power)
        runners.append(runner)
        runner.start()
        return runner

    yield start
    for runner in runners:
        assert runner.stop()


def test_a_kernels_file_is_written_with_its_own_words_and_never_made(tmp_path: Path):
    file = tmp_path / "disable"
    with pytest.raises(DeviceLost, match="disable does not take '1': No such file"):
        KernelFile(str(file), on="0", off="1").set(False)
    file.write_text("0")
    switch = KernelFile(str(file), on="0", off="1")
    switch.set(False)
    assert file.read_text() == "1"
    switch.set(True)
    assert file.read_text() == "0"


def test_a_relay_board_hears_its_four_bytes(plug, tmp_path):
    assert relay_command(1, True) == bytes.fromhex("a00101a2")  # as its data sheet has it
    assert relay_command(1, False) == bytes.fromhex("a00100a1")
    relay = SerialRelay(plug.path, channel=2, lock_dir=str(tmp_path))
    relay.set(True)
    assert plug.hear(16) == bytes.fromhex("a00201a3")


def test_a_relay_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DeviceLost, match="no such port"):
        SerialRelay(str(tmp_path / "gone"), lock_dir=str(tmp_path)).set(True)


def test_a_dumb_sensor_loses_its_power_for_a_moment_and_is_heard_again(plug, door, run):
    socket = Socket(plug)
    run(PowerCycle(socket, off_s=0.05, after_s=0.4))
    door.await_event("opened")
    assert "400" not in door.await_event("power_cycled").text
    door.await_that(lambda: "back" in door.names())
    assert socket.said[:2] == [False, True]
    plug.say(b"hello")
    door.await_that(lambda: door.data.endswith(b"hello"))


def test_a_sensor_that_is_gone_is_tried_too_and_ever_more_seldom(plug, door, run):
    plug.unplug()
    socket = Socket(plug)
    socket.set = lambda is_on: socket.said.append(is_on)  # it does not help
    run(PowerCycle(socket, off_s=0.01, after_s=0.3))
    door.await_event("power_cycled", 2)
    first, second = [event for event in door.events if event.event == "power_cycled"][:2]
    seconds = [float(event.text.split("after ")[1].split(" s")[0]) for event in (first, second)]
    assert seconds[1] >= seconds[0]
    assert door.names().count("lost") == 1


def test_one_that_may_have_nothing_to_say_keeps_its_power_while_it_is_there(plug, door, run):
    socket = Socket(plug)
    run(PowerCycle(socket, off_s=0.01, after_s=0.15, on_silence=False))
    door.await_event("silent")
    threading.Event().wait(0.5)  # three times as long as it would take
    assert socket.said == []


def test_a_switch_that_is_stuck_is_told(plug, door, run):
    run(PowerCycle(Stuck(), off_s=0.01, after_s=0.3))
    assert "stuck" in door.await_event("power_failed").text


def test_pauses_double_up_to_an_hour_and_begin_anew_when_it_speaks():
    power = PowerCycle(KernelFile("unused"), after_s=1000.0)
    power._switch = Socket(type("Plug", (), {"master": 0, "unplug": lambda s: None, "plug_in": lambda s: None})())
    power.off_s = 0.0
    due = []
    for _ in range(4):
        due.append(next(s for s in range(0, 10_000, 100) if power.is_due(float(s))))
        power.cycle(threading.Event())
    assert due == [1000, 2000, 3600, 3600]
    power.well()
    assert power.is_due(1000.0)
