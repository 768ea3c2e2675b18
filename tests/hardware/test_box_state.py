"""What the kernel's files tell of disk and supply."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hardware.box_state import BoxState, box_state

NOW_S = 1_800_000_000.0


def write(system: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).write_text(text + "\n")


def test_the_warmest_disk_the_most_worn_cells_and_the_battery_are_told(tmp_path: Path):
    files = {
        "class/hwmon/hwmon0/name": "cpu_thermal",
        "class/hwmon/hwmon0/temp1_input": "90000",
        "class/hwmon/hwmon1/name": "nvme",
        "class/hwmon/hwmon1/temp1_input": "61850",
        "class/hwmon/hwmon2/name": "drivetemp",
        "class/hwmon/hwmon2/temp1_input": "asleep",
        "block/mmcblk0/device/life_time": "0x03 0x0a",
        "block/mmcblk1/device/life_time": "0x00 0x00",
        "class/power_supply/ac/type": "Mains",
        "class/power_supply/ac/online": "0",
        "class/power_supply/bat/type": "Battery",
        "class/power_supply/bat/capacity": "28",
    }
    write(tmp_path, files)
    assert box_state(NOW_S, tmp_path, tmp_path) == BoxState(61.85, 1.0, True, 0.28)
    write(tmp_path, {"class/power_supply/ac/online": "1"})
    assert box_state(NOW_S, tmp_path, tmp_path).on_battery is False


def test_a_box_that_tells_nothing_is_not_made_up(tmp_path: Path):
    assert box_state(NOW_S, tmp_path, tmp_path) == BoxState()
    write(tmp_path, {"class/power_supply/ac/type": "Mains", "class/power_supply/ac/online": "1"})
    assert box_state(NOW_S, tmp_path, tmp_path) == BoxState()  # no battery: nothing to live on but the mains


def test_an_nvme_that_told_root_is_told_with_what_is_wrong_with_it(tmp_path: Path):
    worn, sound = bytearray(512), bytearray(512)
    worn[0], worn[5] = 0b1001, 104
    sound[5] = 3
    (tmp_path / "nvme0.smart").write_bytes(sound)
    (tmp_path / "nvme1.smart").write_bytes(worn)
    (tmp_path / "nvme2.smart").write_bytes(worn[:100])  # cut: passed over
    for file in tmp_path.glob("*.smart"):
        os.utime(file, (NOW_S, NOW_S))
    state = box_state(NOW_S + 3600.0, tmp_path, tmp_path)
    assert state.disk_worn == 1.04
    assert state.disk_warnings == ("nvme1 has little spare left", "nvme1 can only be read")


@pytest.mark.parametrize("late_s", [3 * 3600.0, -3 * 3600.0])
def test_what_an_nvme_told_long_ago_is_not_told_as_of_now(tmp_path: Path, late_s: float):
    page = tmp_path / "nvme0.smart"
    page.write_bytes(bytes([0b1000, *[0] * 4, 104, *[0] * 506]))
    os.utime(page, (NOW_S, NOW_S))
    assert box_state(NOW_S, tmp_path, tmp_path).disk_worn == 1.04
    assert box_state(NOW_S + late_s, tmp_path, tmp_path) == BoxState()
