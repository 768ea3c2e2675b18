"""What the machine says of itself, and the word to systemd."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from hardware.host import chrony_offset, disk_free_mb, host, memory_mb, parse_sources, parse_tracking, temperature_c
from hardware.notify import READY, WATCHDOG, notify, status, watchdog_s


def test_the_hottest_zone_counts_and_one_that_cannot_be_read_does_not(tmp_path):
    for name, text in (("thermal_zone0", "41500\n"), ("thermal_zone1", "63250\n"), ("thermal_zone2", "asleep")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temp").write_text(text)
    (tmp_path / "thermal_zone3").mkdir()
    assert temperature_c(tmp_path) == 63.25
    assert temperature_c(tmp_path / "none") is None


def test_memory_is_by_name_and_without_those_that_are_gone():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=30)
    sizes = memory_mb({"node": os.getpid(), "gone": gone.pid})
    assert list(sizes) == ["node"]
    assert 5 < sizes["node"] < 10_000


def test_the_machine_tells_of_itself(tmp_path):
    now = host(str(tmp_path), {"node": os.getpid()})
    assert now.disk_free_mb is not None
    assert now.disk_free_mb > 0
    assert now.load_1min is not None
    assert disk_free_mb(str(tmp_path / "missing")) is None


# as `chronyc -c -n tracking` writes it; composed from chronyc(1)
SYNCHRONISED = (
    "50505300,PPS,1,1772445600.5,-0.000012,0.000003,0.000021,-11.2,0.001,0.05,0.020000000,0.000050000,16.0,Normal\n"
)
NEVER = "00000000,,0,0.0,0.000000000,0.0,0.0,0.0,0.0,0.0,1.000000000,1.000000000,0.0,Not synchronised\n"


def test_chronys_line_gives_source_offset_and_bound():
    offset = parse_tracking(SYNCHRONISED)
    assert offset is not None
    assert (offset.source, offset.stratum, offset.is_synchronised) == ("PPS", 1, True)
    assert offset.offset_s == 12e-6
    assert offset.error_bound_s == pytest.approx(12e-6 + 50e-6 + 0.010)  # by hand


def test_a_chrony_that_never_found_the_time_says_so():
    offset = parse_tracking(NEVER)
    assert offset is not None
    assert not offset.is_synchronised


@pytest.mark.parametrize("line", ["", "506 Cannot talk to daemon", SYNCHRONISED.replace("0.020000000", "?")])
def test_anything_else_is_no_answer(line):
    assert parse_tracking(line) is None


def test_chrony_is_asked_with_numbers_as_commas(tmp_path):
    program = tmp_path / "chronyc"
    program.write_text(f'#!/bin/sh\n[ "$*" = "-c -n tracking" ] && printf "%s" "{SYNCHRONISED}"\n')
    program.chmod(0o755)
    assert chrony_offset(str(program)) == parse_tracking(SYNCHRONISED)
    assert chrony_offset(str(tmp_path / "missing")) is None


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_hears_what_is_told(tmp_path, is_abstract):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        name = f"sarhad-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
        systemd.bind("\0" + name if is_abstract else name)
        systemd.settimeout(10)
        environment = {"NOTIFY_SOCKET": ("@" if is_abstract else "") + name}
        assert notify(READY, status("3 of 4 sensors"), environment=environment)
        assert systemd.recv(1024) == b"READY=1\nSTATUS=3 of 4 sensors"
        assert notify(WATCHDOG, environment=environment)
        assert systemd.recv(1024) == b"WATCHDOG=1"


def test_where_nobody_listens_nothing_happens(tmp_path):
    assert not notify(READY, environment={})
    assert not notify(READY, environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("environment", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environment, expected_s):
    assert watchdog_s(environment) == expected_s


def test_chronys_sources_are_told_by_kind_and_only_usable_ones():
    lines = "#,*,PPS,0,4,377,12,0.0,0.0,0.0\n^,?,192.0.2.1,2,6,0,-,0.0,0.0,0.0\n^,+,192.0.2.2,2,6,377,9,0.0,0.0,0.0\n"
    assert parse_sources(lines) == ("refclock", "server")
    assert parse_sources("506 Cannot talk to daemon\n") == ()
