"""What an NVMe disk tells of its wear: the SMART / Health Information log page.

    byte 0        critical warning: 0 spare low, 1 temperature, 2 unreliable, 3 read only, 4 backup of its cache failed
         1..2     composite temperature, K
         3, 4     spare left and the least it should be, percent
         5        percentage used of its life as its maker estimates it; may exceed 100, 255 stands for all beyond
        48..63    data written, thousands of 512 bytes
       128..143   hours it had power         144..159  times it lost power without a word
       160..175   errors of media and integrity

All little endian, 512 bytes. Asking a disk for it needs the right to administer the machine, which the service has not:

    root, each hour: python -m hardware.nvme_log /run/sarhad-disk ──▶ nvme0.smart ──▶ the service (`box_state.py`)

`nvme smart-log --raw-binary` (nvme-cli) writes the same pages. The asking is untested: no NVMe disk was at hand.

Source: NVM Express Base Specification 2.0c, 5.16.1.3 (log identifier 02h) and 5.16 (Get Log Page); Linux, linux/nvme_ioctl.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = 512
LOG_IDENTIFIER, GET_LOG_PAGE, ALL_NAMESPACES = 0x02, 0x02, 0xFFFF_FFFF
ADMIN_COMMAND = 0xC048_4E41  # _IOWR('N', 0x41, struct nvme_admin_cmd of 72 bytes)
TIMEOUT_MS = 5000
WARNINGS = (
    "has little spare left",
    "is too hot or too cold",
    "is no longer reliable",
    "can only be read",
    "cannot save its cache when power fails",
)  # bits 0 to 4


@dataclass(frozen=True, slots=True)
class SmartLog:
    """One controller's page."""

    warnings: tuple[str, ...]
    temperature_c: float
    spare: float  # share, 0 to 1
    least_spare: float
    worn: float  # share of its life; above 1: beyond its maker's estimate
    written_bytes: int
    power_on_hours: int
    unsafe_shutdowns: int
    media_errors: int


def parse(page: bytes) -> SmartLog:
    """One page. Raises ValueError where it is none."""
    if len(page) != PAGE_BYTES:
        raise ValueError(f"{len(page)} bytes, expected {PAGE_BYTES}")
    if not any(page):
        raise ValueError("nothing but zeros: no page was filled in")

    def number(first: int, last: int) -> int:
        return int.from_bytes(page[first : last + 1], "little")

    return SmartLog(
        tuple(text for bit, text in enumerate(WARNINGS) if page[0] >> bit & 1),
        number(1, 2) - 273.0,
        page[3] / 100.0,
        page[4] / 100.0,
        page[5] / 100.0,
        number(48, 63) * 512_000,
        number(128, 143),
        number(144, 159),
        number(160, 175),
    )


class AdminCommand(ctypes.Structure):
    """struct nvme_admin_cmd."""

    _fields_ = (
        ("opcode", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint16),
        ("namespace", ctypes.c_uint32),
        ("cdw2", ctypes.c_uint32),
        ("cdw3", ctypes.c_uint32),
        ("metadata", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("metadata_bytes", ctypes.c_uint32),
        ("data_bytes", ctypes.c_uint32),
        ("cdw10", ctypes.c_uint32),
        ("cdw11_15", ctypes.c_uint32 * 5),
        ("timeout_ms", ctypes.c_uint32),
        ("result", ctypes.c_uint32),
    )


def command_for(address: int) -> AdminCommand:
    """Get Log Page into so many bytes at an address; the count of dwords is told less one."""
    return AdminCommand(
        opcode=GET_LOG_PAGE,
        namespace=ALL_NAMESPACES,
        address=address,
        data_bytes=PAGE_BYTES,
        cdw10=(PAGE_BYTES // 4 - 1) << 16 | LOG_IDENTIFIER,
        timeout_ms=TIMEOUT_MS,
    )


def ask(device: Path) -> bytes:
    """The page of a controller such as /dev/nvme0. Raises OSError."""
    page = ctypes.create_string_buffer(PAGE_BYTES)
    handle = os.open(device, os.O_RDONLY)
    try:
        status = fcntl.ioctl(handle, ADMIN_COMMAND, command_for(ctypes.addressof(page)))
    finally:
        os.close(handle)
    if status:
        raise OSError(f"{device}: refuses its health log with NVMe status {status:#x}")
    return page.raw


def main(folder: Path, devices: Path = Path("/dev")) -> int:
    """Write the page of each controller into a folder; 1 where one would not tell."""
    folder.mkdir(parents=True, exist_ok=True)
    refused = 0
    for device in sorted(devices.glob("nvme[0-9]")):
        try:
            page = ask(device)
        except OSError as error:
            print(f"{device}: {error.strerror or error}", file=sys.stderr)
            refused = 1
            continue
        half = folder / f".{device.name}"
        half.write_bytes(page)
        half.chmod(0o644)
        half.replace(folder / f"{device.name}.smart")
    return refused


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
