"""The room that stays the store's own: without a full disk, whose errors are made here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from center.reserve import RESERVE_BYTES, Reserve

FULL = "database or disk is full"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "center.db.reserve"


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(tmp_path / "center.db")


def refused(times: int, text: str) -> Callable[[], str]:
    """A write that finds no room so many times."""
    left = [times]

    def write() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise sqlite3.OperationalError(text)
        return "written"

    return write


@pytest.mark.parametrize("begun", [None, b"", b"some"])
def test_it_is_made_whole_also_where_a_center_was_killed_while_it_made_it(
    reserve: Reserve, file: Path, begun: bytes | None
) -> None:
    if begun is not None:
        file.write_bytes(begun)
    reserve.make()
    assert file.stat().st_size == RESERVE_BYTES
    assert file.stat().st_blocks * 512 >= RESERVE_BYTES  # taken, not a hole


@pytest.mark.parametrize("text", [FULL, "disk I/O error"])
def test_what_finds_no_room_is_tried_once_more_without_it(reserve: Reserve, file: Path, text: str) -> None:
    reserve.make()
    assert reserve.behind(refused(1, text)) == "written"
    assert not file.exists()
    with pytest.raises(sqlite3.OperationalError, match=text):
        reserve.behind(refused(1, text))
    reserve.make()
    with pytest.raises(sqlite3.OperationalError, match=text):
        reserve.behind(refused(2, text))


def test_another_error_leaves_it_alone(reserve: Reserve, file: Path) -> None:
    reserve.make()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        reserve.behind(refused(1, "database is locked"))
    assert file.exists()
