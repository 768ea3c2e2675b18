"""The SMART page of an NVMe disk, against pages laid out by the specification's table; no disk was asked."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from hardware.nvme_log import ADMIN_COMMAND, AdminCommand, command_for, main, parse


def page(**fields: int) -> bytes:
    """A page by the table of NVM Express Base Specification 2.0c, figure 207: (first byte, last byte) of each field."""
    places = {
        "critical_warning": (0, 0),
        "composite_temperature": (1, 2),
        "available_spare": (3, 3),
        "available_spare_threshold": (4, 4),
        "percentage_used": (5, 5),
        "data_units_read": (32, 47),
        "data_units_written": (48, 63),
        "host_read_commands": (64, 79),
        "host_write_commands": (80, 95),
        "controller_busy_time": (96, 111),
        "power_cycles": (112, 127),
        "power_on_hours": (128, 143),
        "unsafe_shutdowns": (144, 159),
        "media_and_data_integrity_errors": (160, 175),
        "error_log_entries": (176, 191),
    }
    made = bytearray(512)
    for number, (name, (first, last)) in enumerate(places.items()):
        value = fields.get(name, number + 1 if first >= 32 else 0)  # neighbours differ, so that a wrong place shows
        made[first : last + 1] = value.to_bytes(last + 1 - first, "little")
    return bytes(made)


def test_every_field_is_read_from_where_the_table_has_it() -> None:
    log = parse(
        page(
            composite_temperature=318,
            available_spare=97,
            available_spare_threshold=10,
            percentage_used=12,
            data_units_written=2**70 + 5,
            power_on_hours=20_000,
            unsafe_shutdowns=431,
            media_and_data_integrity_errors=2,
        )
    )
    assert log.warnings == ()
    assert log.temperature_c == 45.0  # 318 K
    assert (log.spare, log.least_spare, log.worn) == (0.97, 0.1, 0.12)
    assert log.written_bytes == (2**70 + 5) * 512_000
    assert (log.power_on_hours, log.unsafe_shutdowns, log.media_errors) == (20_000, 431, 2)


@pytest.mark.parametrize(
    ("bits", "words"),
    [(0b00001, "spare"), (0b00010, "hot"), (0b00100, "reliable"), (0b01000, "read"), (0b10000, "cache")],
)
def test_each_bit_of_the_critical_warning_has_its_words(bits: int, words: str) -> None:
    (warning,) = parse(page(critical_warning=bits)).warnings
    assert words in warning


def test_a_disk_may_be_worn_beyond_its_estimate() -> None:
    assert parse(page(percentage_used=255)).worn == 2.55


@pytest.mark.parametrize("wrong", [b"", bytes(512), page()[:-1], page() + b"\0"], ids=["none", "zeros", "cut", "long"])
def test_what_is_no_page_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes, expected 512|nothing but zeros"):
        parse(wrong)


def test_the_command_is_laid_out_as_the_kernel_has_it() -> None:
    assert ctypes.sizeof(AdminCommand) == 72
    readable_and_writable, family = 3 << 30, ord("N") << 8  # _IOWR of linux/ioctl.h
    assert readable_and_writable | 72 << 16 | family | 0x41 == ADMIN_COMMAND
    raw = bytes(command_for(0x1122_3344_5566))
    assert raw[0] == 0x02  # Get Log Page
    assert raw[4:8] == b"\xff" * 4  # the controller, not one namespace
    assert raw[24:32] == (0x1122_3344_5566).to_bytes(8, "little")
    assert raw[36:40] == (512).to_bytes(4, "little")
    assert raw[40:44] == (127 << 16 | 2).to_bytes(4, "little")  # 128 dwords less one, log 02h


def test_a_disk_that_does_not_answer_is_named_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices, folder = tmp_path / "dev", tmp_path / "run"
    devices.mkdir()
    (devices / "nvme0").write_bytes(b"no disk")
    (devices / "nvme0n1").write_bytes(b"a namespace, not a controller")
    assert main(folder, devices) == 1
    assert "nvme0: " in capsys.readouterr().err
    assert list(folder.iterdir()) == []
    assert main(folder, tmp_path / "none") == 0
