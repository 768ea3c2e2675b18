"""Checking the scenario library: which scenarios, each in a process of its own where asked, and what to tell."""

from __future__ import annotations

import fnmatch
import json
import multiprocessing
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from edge.simulator.expect import expectation_of
from edge.simulator.outcome import Outcome
from edge.simulator.scenario import LIBRARY, Scenario, ScenarioError, read_scenario
from edge.simulator.verdict import Verdict, judge
from sarhad.running import wrong_input

QUICK_S = 120.0


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario's result, as it is told."""

    name: str
    words: str
    failures: tuple[str, ...]
    seconds: float
    took_s: float
    readings: int
    scans: int
    false_drones: int  # tracks called drone where none was
    false_tracks: int  # confirmed tracks of nothing

    def line(self) -> str:
        head = f"{'ok  ' if not self.failures else 'FAIL'} {self.name}: {self.words} ({self.took_s:.1f} s)"
        if self.seconds > QUICK_S:
            an_hour = 3600.0 / self.seconds
            head += (
                f"; {self.false_drones * an_hour:g} false drones, {self.false_tracks * an_hour:g} false tracks an hour"
            )
        return "\n".join([head, *(f"     {failure}" for failure in self.failures)])

    def as_json(self) -> str:
        told = {"name": self.name, "ok": not self.failures, "failures": list(self.failures), "seconds": self.seconds}
        told |= {"took_s": round(self.took_s, 2), "readings": self.readings, "scans": self.scans}
        return json.dumps(told | {"false_drones": self.false_drones, "false_tracks": self.false_tracks})


def check_library(
    names: tuple[str, ...],
    folder: Path | None,
    only_list: bool,
    quick: bool,
    seed: int | None,
    jobs: int,
    as_json: bool,
) -> int:
    """The command's exit code: 0, 1 where an expectation is not met, 2 with one line on stderr."""
    try:
        chosen = choose(folder or LIBRARY, names, quick)
    except ScenarioError as error:
        return wrong_input(str(error))
    if only_list:
        for _, scenario in chosen:
            click.echo(f"{scenario.name} ({scenario.duration_s:g} s): {scenario.words}")
        return 0
    failed = 0
    for played in play_all([path for path, _ in chosen], seed, jobs):
        failed += bool(played.failures)
        click.echo(played.as_json() if as_json else played.line())
    if not as_json:
        click.echo(f"{len(chosen) - failed} of {len(chosen)} scenarios as expected; all of it simulated")
    return 1 if failed else 0


def choose(folder: Path, names: tuple[str, ...], quick: bool) -> list[tuple[Path, Scenario]]:
    """The named scenarios that expect something, in order. Raises ScenarioError."""
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise ScenarioError(f"{folder}: holds no scenario; expected a folder with NAME.toml files")
    for name in names:
        if not fnmatch.filter([path.stem for path in paths], name):
            raise ScenarioError(f"{name}: is no scenario of {folder.name}; see sarhad scenarios --list")
    wanted = [path for path in paths if not names or any(fnmatch.fnmatch(path.stem, name) for name in names)]
    found = [(path, read_scenario(path)) for path in wanted]
    for path, scenario in found:
        expectation_of(scenario)
        if scenario.name != path.stem:
            raise ScenarioError(f'{path}: [scenario]: name is "{scenario.name}"; expected "{path.stem}", as its file')
    return [(path, scenario) for path, scenario in found if not quick or scenario.duration_s <= QUICK_S]


def play_all(paths: list[Path], seed: int | None, jobs: int) -> Iterator[Played]:
    """In the order of the paths, each as soon as it and those before it are done."""
    if jobs == 1:
        yield from (play_one(path, seed) for path in paths)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(play_one, paths, [seed] * len(paths))


def play_one(path: Path, seed: int | None) -> Played:
    """One scenario; a post that stops in the middle of it has failed it, and does not keep the others from being played."""
    scenario, began_s = read_scenario(path), time.monotonic()
    try:
        verdict = judge(scenario, seed)
    except Exception as error:
        traceback.print_exc()
        verdict = Verdict(scenario.name, (f"the post stopped: {type(error).__name__}: {error}",), Outcome())
    return Played(
        scenario.name,
        scenario.words,
        verdict.failures,
        scenario.duration_s,
        time.monotonic() - began_s,
        verdict.outcome.readings,
        verdict.outcome.scans,
        len(verdict.outcome.false_drones()),
        len(verdict.outcome.false_tracks()),
    )
