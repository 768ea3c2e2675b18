"""What the kernel tells of the box itself: how worn and how warm its disk is, and what it lives on.

    /sys/class/hwmon/hwmon1/name = nvme | drivetemp      temp1_input: thousandths of a degree
    /sys/block/mmcblk0/device/life_time = 0x03 0x01      eMMC: tenths of its life that two kinds of cells have spent
    /sys/class/power_supply/*/type = Mains | Battery     online: 0 or 1; capacity: percent

    /run/sarhad-disk/nvme0.smart                         NVMe: what it told root of its wear within 2.5 h (`nvme_log.py`)

An SD card or a USB stick tells nothing of its wear.

Sources: JEDEC JESD84-B51, 7.4.44 (DEVICE_LIFE_TIME_EST); Linux, Documentation/ABI/testing/sysfs-class-power.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hardware import nvme_log

SYSTEM, NVME_PAGES = Path("/sys"), Path("/run/sarhad-disk")
DISK_SENSORS = ("nvme", "drivetemp")
CURRENT_S = 9000.0  # an NVMe is asked each hour; once it may have failed to answer
NOT_DEFINED = 0  # of an eMMC's life time
EXCEEDED = 0x0B


@dataclass(frozen=True, slots=True)
class BoxState:
    """None: the box does not tell."""

    disk_temperature_c: float | None = None
    disk_worn: float | None = None  # share of its life, 0 to 1; above 1: beyond what its maker states
    on_battery: bool | None = None
    battery: float | None = None  # share of its charge, 0 to 1
    disk_warnings: tuple[str, ...] = ()  # what an NVMe says of itself that needs somebody


def box_state(now_s: float, system: Path = SYSTEM, nvme_pages: Path = NVME_PAGES) -> BoxState:
    """Look now, at a Unix time."""
    on_battery, battery = power(system)
    disks = nvme_logs(nvme_pages, now_s)
    worn = [share for share in (emmc_worn(system), *(log.worn for _, log in disks)) if share is not None]
    warnings = tuple(f"{name} {warning}" for name, log in disks for warning in log.warnings)
    return BoxState(disk_temperature_c(system), max(worn, default=None), on_battery, battery, warnings)


def disk_temperature_c(system: Path) -> float | None:
    """Of the warmest disk."""
    found = []
    for folder in system.glob("class/hwmon/hwmon*"):
        value = word(folder / "temp1_input")
        if word(folder / "name") in DISK_SENSORS and value is not None and value.lstrip("-").isdigit():
            found.append(int(value) / 1000.0)
    return max(found, default=None)


def nvme_logs(pages: Path, now_s: float) -> list[tuple[str, nvme_log.SmartLog]]:
    """Each NVMe by its name; a file that is no page, or is of long ago, is passed over."""
    found = []
    for file in sorted(pages.glob("*.smart")):
        try:
            if abs(now_s - file.stat().st_mtime) <= CURRENT_S:  # later than now: the clock was set back
                found.append((file.stem, nvme_log.parse(file.read_bytes())))
        except (OSError, ValueError):
            continue
    return found


def emmc_worn(system: Path) -> float | None:
    """Of the most worn eMMC; each step of its register is a tenth, 0x0B is more than the maker states."""
    found = []
    for file in system.glob("block/mmcblk*/device/life_time"):
        try:
            steps = [int(step, 16) for step in (word(file) or "").split()]
        except ValueError:
            continue
        found += [step / 10.0 for step in steps if NOT_DEFINED < step <= EXCEEDED]
    return max(found, default=None)


def power(system: Path) -> tuple[bool | None, float | None]:
    """(whether it lives on its battery, how full that is)."""
    mains, charges = [], []
    for folder in system.glob("class/power_supply/*"):
        kind = word(folder / "type")
        if kind in ("Mains", "USB") and (online := word(folder / "online")) is not None:
            mains.append(online == "1")
        if kind == "Battery" and (capacity := word(folder / "capacity")) is not None and capacity.isdigit():
            charges.append(int(capacity) / 100.0)
    on_battery = not any(mains) if mains and charges else None
    return on_battery, min(charges, default=None)


def word(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
