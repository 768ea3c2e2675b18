"""The machine the node runs on: heat, room, load, memory, and how far its clock may be off."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

THERMAL_ZONES = Path("/sys/class/thermal")
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Host:
    """How the machine is. None: it does not tell."""

    temperature_c: float | None  # of its hottest sensor
    disk_free_mb: float | None
    load_1min: float | None  # runnable processes, averaged
    memory_mb: Mapping[str, float]  # resident, by the names given; without processes that are gone


def host(disk_path: str, process_ids: Mapping[str, int], thermal_zones: Path = THERMAL_ZONES) -> Host:
    """Look at the machine now: the disk that holds disk_path, and the processes by name."""
    return Host(temperature_c(thermal_zones), disk_free_mb(disk_path), load_1min(), memory_mb(process_ids))


def temperature_c(thermal_zones: Path = THERMAL_ZONES) -> float | None:
    """The hottest of the kernel's thermal zones; None where there are none."""
    found = []
    for file in sorted(thermal_zones.glob("thermal_zone*/temp")):
        try:
            found.append(int(file.read_text(encoding="ascii")) / 1000.0)
        except (OSError, ValueError):
            continue  # a zone whose sensor is asleep cannot be read
    return max(found, default=None)


def disk_free_mb(path: str) -> float | None:
    """Room left for this user on the disk that holds path."""
    try:
        return shutil.disk_usage(path).free / MEGABYTE
    except OSError:
        return None


def load_1min() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def memory_mb(process_ids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of each process and its children; those that are gone are left out."""
    sizes = {}
    for name, process_id in process_ids.items():
        try:
            process = psutil.Process(process_id)
            sizes[name] = sum(one.memory_info().rss for one in [process, *process.children(True)]) / MEGABYTE
        except psutil.Error:
            continue
    return sizes


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """What chrony knows of the clock. offset_s: how far it is off, without sign; error_bound_s: at most so wrong."""

    source: str  # reference id, such as "PPS" or an address
    stratum: int
    offset_s: float
    error_bound_s: float
    is_synchronised: bool


def chrony_offset(command: str = "chronyc") -> ClockOffset | None:
    """Ask chrony; None where it is not installed or does not answer within 2 s."""
    try:
        answer = subprocess.run(
            [command, "-c", "-n", "tracking"], capture_output=True, text=True, timeout=2.0, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_tracking(answer.stdout)


def parse_tracking(line: str) -> ClockOffset | None:
    """One line of `chronyc -c tracking`; None on anything else.

    Fields: reference id, its name, stratum, reference time, system time offset, last offset, RMS offset, frequency,
    residual, skew, root delay, root dispersion, update interval, leap status. The clock is at most
    |offset| + dispersion + delay / 2 off. Source: chronyc(1), section "tracking".
    """
    fields = line.strip().split(",")
    if len(fields) != 14:
        return None
    try:
        stratum, offset_s = int(fields[2]), abs(float(fields[4]))
        delay_s, dispersion_s = float(fields[10]), float(fields[11])
    except ValueError:
        return None
    is_synchronised = fields[13] != "Not synchronised" and stratum > 0
    bound_s = offset_s + dispersion_s + delay_s / 2.0
    return ClockOffset(fields[1] or fields[0], stratum, offset_s, bound_s, is_synchronised)


def chrony_sources(command: str = "chronyc") -> tuple[str, ...] | None:
    """The kinds of chrony's usable sources: "server", "peer", "refclock"; None where chrony is not to be had."""
    try:
        answer = subprocess.run(
            [command, "-c", "-n", "sources"], capture_output=True, text=True, timeout=2.0, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_sources(answer.stdout)


SOURCE_KINDS = {"^": "server", "=": "peer", "#": "refclock"}
USABLE = ("*", "+", "-")  # selected, combined, good but not combined; "?", "x" and "~" do not count


def parse_sources(lines: str) -> tuple[str, ...]:
    """`chronyc -c sources`: mode, state, name, stratum, ... Source: chronyc(1), section "sources"."""
    rows = [line.split(",") for line in lines.splitlines()]
    return tuple(SOURCE_KINDS[row[0]] for row in rows if len(row) >= 3 and row[0] in SOURCE_KINDS and row[1] in USABLE)
