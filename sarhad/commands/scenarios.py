"""`sarhad scenarios [NAME...]`: the scenario library against its expected outcomes."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--folder", type=click.Path(path_type=Path), help="Of the scenarios; left out: those that ship.")
@click.option("--list", "only_list", is_flag=True, help="Only say what there is.")
@click.option("--quick", is_flag=True, help="Leave out those longer than two minutes.")
@click.option("--seed", type=click.IntRange(0), help="Start of all chance; left out: each scenario's own.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a scenario, a line each.")
def command(
    names: tuple[str, ...],
    folder: Path | None,
    only_list: bool,
    quick: bool,
    seed: int | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Simulate scenarios, run them through the post's pipeline and compare with what each one expects.

    NAME is a scenario's name, with * for many; left out: all. Exit code 1 where an expectation is not met. Everything is
    simulated, by declared detectors in place of pictures.
    """
    from sarhad.running import one_thread

    one_thread()
    from sarhad.scenario_library import check_library

    raise SystemExit(check_library(names, folder, only_list, quick, seed, jobs, as_json))
