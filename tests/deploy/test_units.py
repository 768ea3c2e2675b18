"""The systemd units: understood by systemd, tight, and meaning what the services do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SERVICES = [path for path in UNITS if path.stem != "sarhad-disk"]  # that one runs for a moment, each hour
ANALYZE = shutil.which("systemd-analyze")
EXPOSURE = 25  # tenths; systemd calls up to 2.0 "OK", a bare DynamicUser with a strict file system scores 8.4

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed; the units stay unproven")


@pytest.fixture(params=UNITS, ids=lambda unit: unit.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit with a program that exists here; systemd looks for it."""
    path: Path = request.param
    text = path.read_text()
    assert "/opt/sarhad/bin/" in text
    copy = tmp_path / path.name
    copy.write_text(re.sub(r"/opt/sarhad/bin/\w+", sys.executable, text))
    return copy


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *words], capture_output=True, text=True, timeout=60)


@needs_systemd
def test_systemd_understands_every_line(unit: Path):
    result = analyze("verify", "--man=no", str(unit))
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
def test_a_unit_is_no_more_exposed_than_it_must_be(unit: Path):
    result = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit))
    assert result.returncode == 0, result.stdout[-500:]


@needs_systemd
def test_disks_are_asked_each_hour(tmp_path: Path):
    for path in (DEPLOY / "systemd").glob("sarhad-disk.*"):
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/sarhad/bin/python", sys.executable))
    result = analyze("verify", "--man=no", str(tmp_path / "sarhad-disk.timer"))
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_hanging_service_is_started_again_and_a_wrong_file_is_not(path: Path):
    text = path.read_text()
    assert "Type=notify" in text
    assert re.search(r"^WatchdogSec=\d+$", text, re.M)
    assert re.search(r"^Restart=always$", text, re.M)
    assert re.search(r"^RestartPreventExitStatus=2$", text, re.M)
