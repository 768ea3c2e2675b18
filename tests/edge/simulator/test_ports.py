"""Pseudo-terminals: real ones, that the node's own driver opens, and that never hold the simulator up."""

from __future__ import annotations

import os
import time

import pytest

from edge.simulator.ports import Port
from hardware.serial_port import SerialPort


@pytest.fixture
def port(tmp_path):
    port = Port(tmp_path / "radar")
    yield port
    port.close()


@pytest.fixture
def open_port(tmp_path):
    """The node's driver on a port."""
    opened = []

    def make(port):
        driver = SerialPort(str(port.link), 921600, lock_dir=str(tmp_path))
        driver.open()
        opened.append(driver)
        return driver

    yield make
    for driver in opened:
        driver.close()


def read_bytes(driver, count, timeout_s=5.0):
    got, end_s = b"", time.monotonic() + timeout_s
    while len(got) < count and time.monotonic() < end_s:
        if (delivery := driver.read(0.1)) is not None:
            got += delivery.data
    return got


def test_every_byte_value_comes_through_unchanged(port, open_port):
    driver = open_port(port)
    every = bytes(range(256)) * 4  # CR, LF, XON, XOFF, EOF and NUL among them
    port.write(every)
    assert read_bytes(driver, len(every)) == every


def test_a_port_that_nobody_reads_loses_bytes_and_does_not_wait(port):
    started_s = time.monotonic()
    for _ in range(100):
        port.write(bytes(1000))
    assert time.monotonic() - started_s < 20.0  # one that waits would wait for ever
    assert port.lost_bytes > 0
    assert port.sent_bytes + port.lost_bytes == 100_000


def test_a_reader_may_go_and_another_come(port, open_port):
    first = open_port(port)
    port.write(b"one")
    assert read_bytes(first, 3) == b"one"
    first.close()
    port.write(b"unheard")
    second = open_port(port)
    port.write(b"two")
    assert read_bytes(second, 3).endswith(b"two")


def test_the_name_is_gone_when_the_port_is_closed(tmp_path):
    port = Port(tmp_path / "gnss")
    assert os.path.exists(port.link)
    port.close()
    assert not os.path.lexists(port.link)
