"""The serial port on real pseudo-terminals, with the faults of real cables."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import termios
import threading
import time

import pytest

from hardware.clock import Clock
from hardware.device import DeviceLost, DeviceRunner
from hardware.serial_port import GATHER_S, SerialPort


@pytest.fixture
def locks(tmp_path):
    made = tmp_path / "locks"
    made.mkdir()
    return made


@pytest.fixture
def port(plug, locks):
    made = SerialPort(plug.path, 921_600, lock_dir=str(locks))
    yield made
    made.close()


@pytest.fixture
def runner(port, door):
    made = DeviceRunner("radar-north", port, Clock(), door.deliver, door.report, silence_s=0.4)
    yield made
    assert made.stop()


def test_every_byte_value_passes_unchanged(plug, port):
    port.open()
    plug.say(bytes(range(256)))
    assert port.read(1.0).data == bytes(range(256))


def test_what_is_written_reaches_the_device_unchanged(plug, port):
    port.open()
    port.write(bytes(range(256)))
    assert plug.hear(512) == bytes(range(256))


def test_a_quiet_port_gives_nothing_within_its_time(port):
    port.open()
    before_s = time.monotonic()
    assert port.read(0.05) is None
    assert 0.04 <= time.monotonic() - before_s < 20.0  # a loaded machine comes back late, but it comes back


def test_a_port_that_was_cooked_is_made_raw(plug, port):
    slave = os.open(plug.device, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(slave)
    attributes[0] |= termios.ICRNL | termios.IXON
    attributes[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    port.open()
    plug.say(b"\r\x11\x13\x03")
    assert port.read(1.0).data == b"\r\x11\x13\x03"
    os.close(slave)


def test_a_port_that_does_not_become_raw_is_refused_by_name(plug, port, monkeypatch):
    def stubborn(descriptor):
        attributes = real(descriptor)
        attributes[0] |= termios.ICRNL
        return attributes

    real = termios.tcgetattr
    monkeypatch.setattr("hardware.serial_port.termios.tcgetattr", stubborn)
    with pytest.raises(DeviceLost, match="cannot be made raw: ICRNL"):
        port.open()


def test_a_missing_port_says_what_to_look_at(tmp_path, locks):
    with pytest.raises(DeviceLost, match="is it plugged in"):
        SerialPort(str(tmp_path / "nothing"), 9600, lock_dir=str(locks)).open()


def test_a_busy_line_is_read_in_larger_pieces(plug, port):
    port.open()
    said = bytes(range(256)) * 200

    def say() -> None:
        for at in range(0, len(said), 64):  # as a full-speed USB adapter hands it out
            plug.say(said[at : at + 64])

    writer = threading.Thread(target=say)
    before_s = time.monotonic()
    writer.start()
    heard, reads = b"", 0
    while len(heard) < len(said):
        heard += port.read(5.0).data
        reads += 1
    took_s = time.monotonic() - before_s
    writer.join()
    assert heard == said
    assert reads <= took_s / GATHER_S + 2
    assert port.read(GATHER_S * 2) is None  # quiet for longer than that
    plug.say(b"x")
    assert port.read(5.0).data == b"x"


def test_something_that_is_no_port_is_a_loss(tmp_path, locks):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeviceLost):
        SerialPort(str(tmp_path / "file"), 9600, lock_dir=str(locks)).open()
    assert not list(locks.iterdir())


def test_a_second_program_is_refused_and_told_who_holds_the_port(plug, port, locks):
    port.open()
    with pytest.raises(DeviceLost, match=f"in use by process {os.getpid()}"):
        SerialPort(plug.path, 921_600, lock_dir=str(locks)).open()
    port.close()
    SerialPort(plug.path, 921_600, lock_dir=str(locks)).open()


def test_another_process_is_refused_while_the_port_is_held(plug, port, locks):
    port.open()
    text = (
        f"from hardware.serial_port import SerialPort; SerialPort({plug.path!r}, 9600, lock_dir={str(locks)!r}).open()"
    )
    other = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=False)
    assert f"in use by process {os.getpid()}" in other.stderr


def test_the_lock_of_a_dead_process_is_broken(plug, port, locks):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=30)
    lock = locks / f"LCK..{plug.device.removeprefix('/dev/').replace('/', '_')}"
    lock.write_text(f"{dead.pid:10d}\n")
    port.open()
    assert int(lock.read_text().split()[0]) == os.getpid()
    port.close()
    assert not lock.exists()


def test_the_lock_of_a_living_program_that_knows_no_flock_counts(plug, port, locks):
    lock = locks / f"LCK..{plug.device.removeprefix('/dev/').replace('/', '_')}"
    lock.write_text(f"{os.getppid():10d}\n")
    with pytest.raises(DeviceLost, match=f"in use by process {os.getppid()}"):
        port.open()
    assert lock.exists()


def test_a_program_that_knows_no_lock_files_is_named(plug, runner, door):
    text = f"import os, sys; os.open({plug.device!r}, os.O_RDWR | os.O_NOCTTY); print(1, flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    runner.start()
    assert f"also open in process {other.pid} (" in door.await_event("shared").text
    other.communicate(timeout=30)


def test_pulled_out_and_plugged_in_under_another_number_it_comes_back(plug, runner, door):
    runner.start()
    door.await_event("opened")
    plug.say(b"before")
    door.await_that(lambda: door.data == b"before")
    first = plug.device
    plug.unplug()
    assert "unplugged" in door.await_event("lost").text
    taken = os.openpty()  # takes the number that came free
    plug.plug_in()
    door.await_event("back")
    plug.say(b" after")
    door.await_that(lambda: door.data == b"before after")
    assert plug.device != first
    for descriptor in taken:
        os.close(descriptor)


def test_a_loose_cable_leaves_nothing_open_behind(plug, runner, door, locks):
    runner.start()
    door.await_event("opened")
    plug.say(b"0")
    door.await_that(lambda: door.data == b"0")
    held = len(os.listdir("/proc/self/fd"))
    for number in range(1, 5):
        plug.unplug()
        door.await_event("lost", number)
        plug.plug_in()
        door.await_event("back", number)
        plug.say(b"%d" % number)
        door.await_that(lambda number=number: len(door.data) == number + 1)
    assert door.data == b"01234"
    assert len(os.listdir("/proc/self/fd")) == held
    assert len(list(locks.iterdir())) == 1


def test_a_device_plugged_in_late_is_found(plug, runner, door):
    plug.unplug()
    runner.start()
    door.await_event("lost")
    plug.plug_in()
    door.await_event("back")
    plug.say(b"hello")
    door.await_that(lambda: door.data == b"hello")


def test_a_port_that_stalls_is_told_as_silent_and_then_as_speaking(plug, runner, door):
    runner.start()
    plug_says_when_open(plug, door)
    door.await_event("silent")
    plug.say(b"y")
    door.await_event("speaking")
    assert "lost" not in door.names()


def plug_says_when_open(plug, door) -> None:
    door.await_event("opened")
    plug.say(b"x")
    door.await_that(lambda: door.data == b"x")


def test_a_slow_writer_and_noise_pass_byte_for_byte(plug, runner, door):
    runner.start()
    door.await_event("opened")
    noise = random.Random(7).randbytes(300)
    for i in range(len(noise)):
        plug.say(noise[i : i + 1])
        door.await_that(lambda i=i: len(door.data) == i + 1)
    assert door.data == noise


# Bytes per second on the wire at 10 bits a byte. A pseudo-terminal makes its writer wait where a real port would lose bytes,
# so what counts is whether the reading takes less processor time than the bytes take on the wire.
RADAR, BEAST = 92_160, 300_000
WIRE_S = 2.0


@pytest.mark.parametrize("rates", [(RADAR,), (RADAR, RADAR, BEAST)], ids=["one radar", "two radars and Beast"])
def test_full_lines_arrive_without_loss_and_leave_most_of_a_core_free(tmp_path, make_plug, door, await_that, rates):
    random_bytes = random.Random(11)
    said = {f"sensor-{number}": random_bytes.randbytes(int(rate * WIRE_S)) for number, rate in enumerate(rates)}
    plugs = {name: make_plug(name) for name in said}
    runners = [
        DeviceRunner(name, SerialPort(plug.path, 921_600, lock_dir=str(tmp_path)), Clock(), door.deliver, door.report)
        for name, plug in plugs.items()
    ]
    for runner in runners:
        runner.start()
    door.await_event("opened", len(runners))
    before_s = time.process_time()
    writers = [threading.Thread(target=plugs[name].say, args=(data,)) for name, data in said.items()]
    for writer in writers:
        writer.start()
    door.await_that(lambda: sum(runner.counters.bytes for runner in runners) == sum(map(len, said.values())))
    took_s = time.process_time() - before_s  # the writers' share is in it
    assert all(runner.stop() for runner in runners)
    for name, data in said.items():
        assert b"".join(reading.data for reading in door.readings if reading.sensor_id == name) == data
    assert took_s < WIRE_S / 2, f"took {took_s:.2f} s of a core for {WIRE_S:.0f} s of bytes"


def test_a_port_pulled_out_while_it_is_being_opened_is_lost(port, monkeypatch: pytest.MonkeyPatch):
    def hung_up(descriptor: int, queue: int) -> None:
        raise termios.error(errno.EIO, "Input/output error")  # which is no OSError

    monkeypatch.setattr("hardware.serial_port.termios.tcflush", hung_up)
    with pytest.raises(DeviceLost):
        port.open()
    monkeypatch.undo()
    port.open()  # its lock was given back
