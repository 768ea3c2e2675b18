"""Switches, and the power that is taken from a sensor for a moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.relay import ON_PAUSE_S, ON_TRIES, KernelFile, PowerCycle, SerialRelay, relay_command
from hardware.serial_port import SerialPort


class Socket:
    """A USB hub's port: without power the device behind it is gone."""

    def __init__(self, plug) -> None:
        self.plug, self.said, self.off_at_s = plug, [], []

    def set(self, is_on: bool) -> None:
        self.said.append(is_on)
        if not is_on:
            self.off_at_s.append(time.monotonic())
        if is_on and self.plug.master < 0:
            self.plug.plug_in()
        elif not is_on and self.plug.master >= 0:
            self.plug.unplug()


class Stuck:
    def set(self, is_on: bool) -> None:
        raise DeviceLost("the switch is stuck")


class Sticky:
    """Goes off at once, and on only after so many tries."""

    def __init__(self, failures: int) -> None:
        self.failures, self.is_on, self.tries = failures, True, 0

    def set(self, is_on: bool) -> None:
        self.tries += is_on
        if is_on and self.tries <= self.failures:
            raise DeviceLost(f"failed {self.tries} times")
        self.is_on = is_on


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


def test_a_word_the_kernel_cannot_be_told_is_a_device_that_does_not_work(tmp_path: Path):
    file = tmp_path / "brightness"
    file.write_text("0")
    with pytest.raises(DeviceLost, match="does not take 'ä'"):
        KernelFile(str(file), on="ä").set(True)


def test_channels_of_one_board_wait_for_each_other(plug, tmp_path):
    link = tmp_path / "by-path"
    link.symlink_to(plug.path)
    relays = [
        SerialRelay(path, n, lock_dir=str(tmp_path)) for n, path in enumerate((plug.path, str(link)) * 2, start=1)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda relay: [relay.set(True) for _ in range(5)], relays))
    commands = plug.hear(256)
    assert sorted(commands[1::4]) == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5


def test_a_relay_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DeviceLost, match="no such port"):
        SerialRelay(str(tmp_path / "gone"), lock_dir=str(tmp_path)).set(True)


def test_a_dumb_sensor_loses_its_power_for_a_moment_and_is_heard_again(plug, door, run):
    socket = Socket(plug)
    run(PowerCycle(socket, off_s=0.05, after_s=0.4))
    door.await_event("opened")
    door.await_event("power_cycled")
    door.await_that(lambda: "back" in door.names())
    assert socket.said[:2] == [False, True]
    plug.say(b"hello")
    door.await_that(lambda: door.data.endswith(b"hello"))


def test_a_sensor_that_is_gone_is_tried_too_and_ever_more_seldom(plug, door, run):
    plug.unplug()
    socket = Socket(plug)
    plug.plug_in = lambda: None  # it does not help
    run(PowerCycle(socket, off_s=0.01, after_s=0.2))
    door.await_event("power_cycled", 2)
    assert socket.off_at_s[1] - socket.off_at_s[0] >= 1.8 * 0.2
    assert door.names().count("lost") == 1


def test_one_that_may_have_nothing_to_say_keeps_its_power_while_it_is_there(plug, door, run):
    socket = Socket(plug)
    run(PowerCycle(socket, off_s=0.01, after_s=0.15, on_silence=False))
    door.await_event("silent")
    threading.Event().wait(0.5)  # three times as long as it would take
    assert socket.said == []


def test_a_switch_that_is_stuck_is_told(plug, door, run):
    run(PowerCycle(Stuck(), off_s=0.01, after_s=0.3, sleep=lambda seconds: None))
    assert "stuck" in door.await_event("power_failed").text


def test_a_switch_with_a_fault_does_not_end_the_thread_of_its_sensor(plug, door, run):
    class Faulty:
        def set(self, is_on: bool) -> None:
            raise TypeError("a mistake")

    plug.unplug()
    run(PowerCycle(Faulty(), off_s=0.01, after_s=0.1))
    assert "TypeError: a mistake" in door.await_event("power_failed").text
    plug.plug_in()
    door.await_event("back")


def test_a_sensor_is_not_left_without_power_because_its_switch_failed_a_few_times():
    slept: list[float] = []
    sticky = Sticky(failures=ON_TRIES - 1)
    PowerCycle(sticky, off_s=0.0, sleep=slept.append).cycle(threading.Event())
    assert sticky.is_on
    assert slept == [ON_PAUSE_S] * (ON_TRIES - 1)
    broken = Sticky(failures=1000)
    with pytest.raises(DeviceLost, match=f"failed {ON_TRIES} times"):
        PowerCycle(broken, off_s=0.0, sleep=slept.append).cycle(threading.Event())


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
