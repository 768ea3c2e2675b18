"""What the user of `sarhad demo` asked for, and whether it can be had: scenario, port, folder. Nothing is started here."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
DEFAULT_PORT = 8000
SCENARIOS = Path(__file__).parents[1] / "edge" / "scenarios"


class WrongInput(Exception):
    """One line: what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for."""

    seconds: float | None  # counted from the first confirmed track; None: until Ctrl-C
    scenario: Path
    port: int | None  # of the map; None: 8000, or a free one
    browser: bool
    keep: Path | None


def scenario_path(name: str) -> Path:
    """A shipped scenario by its name, or a file by its path. Raises WrongInput."""
    shipped = SCENARIOS / f"{name}.toml"
    if shipped.is_file():
        return shipped
    if Path(name).is_file():
        check_scenario(Path(name))
        return Path(name)
    names = ", ".join(sorted(path.stem for path in SCENARIOS.glob("*.toml")))
    raise WrongInput(f'scenario "{name}" is not known; expected a scenario file or one of {names}')


def check_scenario(path: Path) -> None:
    """Raises WrongInput where it cannot be simulated, before anything is started."""
    from edge.simulator.run import sensors_of
    from edge.simulator.scenario import ScenarioError, read_scenario

    try:
        sensors_of(read_scenario(path), video=False)
    except ScenarioError as error:
        raise WrongInput(str(error)) from error


def map_port(wish: int | None) -> int:
    """The port of the map: the one asked for, else 8000 where it is free, else any. Raises WrongInput."""
    reason = ""
    for port in (wish,) if wish is not None else (DEFAULT_PORT, 0):
        try:
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((HOST, port))
                return int(listener.getsockname()[1])
        except PermissionError:
            reason = "which this user may not open; expected a port from 1024 on"
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            reason = f"{'which another program uses' if in_use else error.strerror}; expected a free port"
    raise WrongInput(f"--port is {wish}, {reason}")


@contextlib.contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """A private folder, removed at the end unless the user wants it. Raises WrongInput."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="sarhad-demo-"))  # only we can enter it
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if os.path.lexists(keep) and (not keep.is_dir() or any(keep.iterdir())):
        raise WrongInput(f"--keep is {keep}, which exists and is not an empty folder; expected a new one")
    try:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / "center.toml").touch()  # the first thing that is written there
    except OSError as error:
        raise WrongInput(
            f"--keep is {keep}: {error.strerror}; expected a folder that can be made and written"
        ) from error
    yield keep.resolve()
