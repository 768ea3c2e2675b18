"""What ends a node decides its exit code: 2 is never tried again, so only a file that was wrong from the start may give it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_sites import OUTBOX, RECEIVER, RIDGE

from edge.node import Node
from sarhad.running import record_to, run_node

SITE = RIDGE + OUTBOX + RECEIVER


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "ridge.toml"
    path.write_text(SITE.replace("OUTBOX", str(tmp_path / "outbox.db")))
    return path


def test_a_disk_that_goes_while_the_node_runs_lets_it_be_started_again(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(_node: Node) -> dict:
        raise FileNotFoundError(2, "No such file or directory", "recordings")

    monkeypatch.setattr(Node, "run", run)
    assert run_node(site, tmp_path / "recordings", publish=False, pid=1) == 1
    assert record_to(site, tmp_path / "flight.mcap", 1.0) == 1
    assert capsys.readouterr().err.count("recordings: No such file or directory") == 2


def test_a_folder_for_recordings_that_cannot_be_one_is_wrong_input(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_node(site, site / "recordings", publish=False, pid=1) == 2
    assert "Not a directory" in capsys.readouterr().err
