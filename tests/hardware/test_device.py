"""The thread that keeps a device alive, with devices made of data."""

from __future__ import annotations

import queue

import pytest

from hardware.clock import Clock
from hardware.device import Delivery, DeviceEvent, DeviceFinished, DeviceLost, DeviceRunner


class Scripted:
    """A driver that does what the test puts into its queues: None opens, an exception is raised."""

    def __init__(self) -> None:
        self.openings: queue.Queue[Exception | None] = queue.Queue()
        self.steps: queue.Queue[Delivery | Exception | None] = queue.Queue()
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1
        step = self.openings.get(timeout=10) if not self.openings.empty() else None
        if step is not None:
            raise step

    def read(self, timeout_s: float) -> Delivery | None:
        try:
            step = self.steps.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def scripted():
    return Scripted()


@pytest.fixture
def run(door, scripted):
    runners = []

    def start(clock=None, **options) -> DeviceRunner:
        runner = DeviceRunner("radar-north", scripted, clock or Clock(), door.deliver, door.report, **options)
        runners.append(runner)
        runner.start()
        return runner

    yield start
    for runner in runners:
        assert runner.stop()


def test_readings_carry_bytes_device_time_and_source(door, scripted, run):
    scripted.steps.put(Delivery(b"abc", device_ns=17, source="192.0.2.1:9"))
    run()
    door.await_that(lambda: len(door.readings) == 1)
    reading = door.readings[0]
    assert (reading.sensor_id, reading.data, reading.device_ns, reading.source) == (
        "radar-north",
        b"abc",
        17,
        "192.0.2.1:9",
    )


def test_stamps_grow_strictly_even_when_the_clock_stands(door, scripted, run, standing_clock):
    for _ in range(5):
        scripted.steps.put(Delivery(b"x"))
    run(standing_clock)
    door.await_that(lambda: len(door.readings) == 5)
    stamps = [reading.monotonic_ns for reading in door.readings]
    assert stamps == [standing_clock.monotonic + i for i in range(5)]
    assert {reading.received_ns - reading.monotonic_ns for reading in door.readings} == {
        standing_clock.wall - standing_clock.monotonic
    }


def test_a_loss_and_the_return_are_told_once_each(door, scripted, run):
    scripted.steps.put(Delivery(b"a"))
    scripted.steps.put(DeviceLost("pulled out"))
    for _ in range(3):
        scripted.openings.put(None if scripted.openings.empty() else DeviceLost("not there"))
    runner = run()
    back = door.await_event("back")
    assert door.names() == ["opened", "lost", "back"]
    assert door.events[1].text == "pulled out"
    # two openings failed after it: pauses of 0.2, 0.4 and 0.8 s
    assert back.duration_s is not None
    assert 1.4 <= back.duration_s < 8.0
    assert runner.counters.losses == 1


def test_a_device_that_was_never_there_is_told_as_lost_once(door, scripted, run):
    scripted.openings.put(DeviceLost("no such port"))
    scripted.openings.put(DeviceLost("no such port"))
    run()
    door.await_event("back")
    assert door.names() == ["lost", "back"]
    assert door.events[0].text == "cannot open: no such port"


def test_stop_does_not_wait_for_the_pause(door, scripted, run, monkeypatch):
    monkeypatch.setattr("hardware.device.FIRST_PAUSE_S", 600.0)
    monkeypatch.setattr("hardware.device.LONGEST_PAUSE_S", 600.0)
    scripted.openings.put(DeviceLost("not there"))
    runner = run()
    door.await_event("lost")
    assert runner.stop(), "its thread has ended"


def test_a_finished_device_is_not_opened_again(door, scripted, run):
    scripted.steps.put(DeviceFinished("end of file clip.mp4"))
    runner = run()
    assert door.await_event("lost").text == "end of file clip.mp4"
    runner.stop()
    assert scripted.opened == 1


def test_a_drivers_own_fault_is_a_loss_and_does_not_end_the_thread(door, scripted, run):
    scripted.steps.put(ZeroDivisionError("made for this test"))
    scripted.steps.put(Delivery(b"alive"))
    run()
    door.await_event("back")
    door.await_that(lambda: door.data == b"alive")
    assert "ZeroDivisionError" in door.events[1].text


def test_silence_and_speech_are_told_once_each(door, scripted, run):
    run(silence_s=0.3)
    door.await_event("silent")
    scripted.steps.put(Delivery(b"x"))
    speaking = door.await_event("speaking")
    assert door.names() == ["opened", "silent", "speaking"]
    assert speaking.duration_s is not None
    assert speaking.duration_s >= 0.3


def test_a_full_door_is_counted_and_told_at_its_begin_and_end(door, scripted, run):
    door.is_full = True
    runner = run()
    for _ in range(7):
        scripted.steps.put(Delivery(b"x"))
    door.await_that(lambda: door.refused == 7)
    door.is_full = False
    scripted.steps.put(Delivery(b"y"))
    dropped = door.await_event("dropped")
    assert door.names() == ["opened", "dropping", "dropped"]
    assert dropped.count == runner.counters.dropped == 7
    assert runner.counters.readings == 8


def test_start_lines_are_sent_at_each_opening_and_again_when_the_sensor_falls_silent(door, scripted, run):
    class Command:
        sent = 0

        def send(self, driver, stopping):
            self.sent += 1
            return ("'sensorStart' answered 'Error -1'",) if self.sent == 2 else ()

    command = Command()
    scripted.steps.put(Delivery(b"x"))
    scripted.steps.put(DeviceLost("power cut"))
    run(silence_s=0.3, command=command)
    door.await_event("back")
    assert command.sent == 2
    assert door.await_event("start_failed").text == "'sensorStart' answered 'Error -1'"
    door.await_event("silent")
    door.await_event("started", 2)
    assert command.sent == 3


def test_events_come_back_from_json():
    event = DeviceEvent("radar-north", "back", "back after 3.2 s", 3.2)
    assert DeviceEvent.from_json(event.to_json()) == event
    assert event.to_json() == b'{"sensor_id":"radar-north","event":"back","text":"back after 3.2 s","duration_s":3.2}'
    with pytest.raises(ValueError, match="not a device event"):
        DeviceEvent.from_json(b'{"colour":1}')
