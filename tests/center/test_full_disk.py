"""A center on a disk that really is full: a small file system in memory, filled to the last byte."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from center.reserve import MAKE_FROM, RESERVE_BYTES
from center.store import Store, StoreError

MEGABYTE = 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={(MAKE_FROM + 1) * RESERVE_BYTES}", "tmpfs", tmp_path],
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("needs the right to mount a file system in memory")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def fill(disk: Path) -> None:
    """As another program would."""
    with (disk / "others").open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 65_536):
                pass
        except OSError:
            pass


def test_a_center_that_starts_on_a_full_disk_deletes_what_is_old_and_loses_nothing_new(
    small_disk, make_center, make_post, eventually
):
    center, post = make_center("[retention]\nleast_free_mb = 0\n"), make_post("remote-post")
    post.say_site()
    for revision in range(1, 200):
        post.say_tracks(*[post.track(number, revision) for number in range(1, 11)])
    post.wait_acknowledged()
    fill(small_disk)
    while "the store cannot write: database or disk is full" not in str(center.get("/healthz")):
        post.say_tracks(*[post.track(number, 200) for number in range(1, 11)])
    center.kill()
    fill(small_disk)
    settings = small_disk / "center.toml"
    settings.write_text(settings.read_text() + "days = 0.00001\n")  # by now all that is stored is older
    center.start()
    post.send_until_acknowledged()
    eventually(lambda: center.get("/healthz") == {"status": "ok", "faults": []})
    eventually(lambda: center.read("SELECT COUNT(*) FROM messages WHERE sequence < 150") == [(0,)])


def test_without_a_reserve_a_center_says_that_its_disk_is_full(small_disk):
    Store(small_disk / "center.db").close()
    (small_disk / "center.db.reserve").unlink()
    fill(small_disk)
    with pytest.raises(
        StoreError, match=r"center\.db: cannot be used as the store: .*; its disk has 0 MB left: make room on it"
    ):
        Store(small_disk / "center.db")
    (small_disk / "others").unlink()
    Store(small_disk / "center.db").close()
