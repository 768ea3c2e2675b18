"""What must run is started again when it ends and when it hangs, and told apart from what cannot run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sarhad.supervised import CannotRun, Supervised

WAIT_S = 30.0
TELL = "from hardware.notify import notify; notify('READY=1'); import time; "
Make = Callable[..., tuple[Supervised, list[str]]]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Make]:
    """supervised(program): started, with what it says; stopped at the end."""
    running: list[Supervised] = []

    def make(program: str, silence_s: float = 30.0) -> tuple[Supervised, list[str]]:
        said: list[str] = []
        one = Supervised("worker", ("-c", program), tmp_path, said.append, silence_s)
        running.append(one)
        one.start()
        return one, said

    yield make
    for one in running:
        one.stop()


def look_until(one: Supervised, is_done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not is_done():
        assert time.monotonic() < end_s
        one.look_after()
        time.sleep(0.02)


def test_who_ends_is_started_again(supervised: Make):
    one, said = supervised("raise SystemExit(3)")
    look_until(one, lambda: len(said) >= 3)
    assert said[1] == "worker ended with code 3; starting it again in 1 s"
    assert said[2].startswith("worker runs, process ")


def test_who_hangs_is_started_again(supervised: Make):
    one, said = supervised(f"{TELL} time.sleep(1000)", silence_s=0.5)
    look_until(one, lambda: one.is_ready)
    look_until(one, lambda: len(said) >= 2)
    assert said[1] == "worker hangs: no sign of life for 0.5 s; starting it again in 1 s"


def test_who_gives_signs_of_life_is_left_alone(supervised: Make):
    one, said = supervised(f"{TELL}\nwhile True: time.sleep(0.1); notify('WATCHDOG=1')", silence_s=4.0)
    look_until(one, lambda: one.is_ready)
    end_s = time.monotonic() + 4.5
    look_until(one, lambda: time.monotonic() > end_s)
    assert len(said) == 1


def test_wrong_input_is_not_tried_again(supervised: Make):
    one, _ = supervised("raise SystemExit(2)")
    with pytest.raises(CannotRun):
        look_until(one, lambda: False)


def test_nothing_of_its_family_is_left(supervised: Make):
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])"
    one, said = supervised(f"{child}; {TELL} time.sleep(1000)")
    look_until(one, lambda: one.is_ready)
    pid = int(said[0].split()[-1])
    family = [pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))]
    assert len(family) == 2
    one.stop()
    gone, alive = psutil.wait_procs([psutil.Process(p) for p in family if psutil.pid_exists(p)], timeout=WAIT_S)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE], gone
