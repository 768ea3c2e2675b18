"""`sarhad demo`: everything on one machine, with a simulated post and a live map."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option("--seconds", type=click.FloatRange(1.0, 86_400.0), help="Stop so long after the first confirmed track.")
@click.option("--scenario", default="demo", show_default=True, help="A shipped scenario's name, or a scenario file.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Of the map; left out: 8000, or a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the map's address.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout; progress on stderr.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep recording, truth and logs in this new folder.")
def command(
    seconds: float | None, scenario: str, port: int | None, no_browser: bool, as_json: bool, keep: Path | None
) -> None:
    """Start a broker, a center and a simulated border post on this machine, and show them on a live map.

    Two drones, one with Remote ID and one silent, and a bird fly before a radar and a camera. Ctrl-C ends everything.
    """
    from sarhad.demo import DemoFailed, Stopped, run_demo
    from sarhad.demo_wishes import Wishes, WrongInput, scenario_path

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    try:
        wishes = Wishes(seconds, scenario_path(scenario), port, not no_browser and not as_json, keep)
        summary = run_demo(wishes, say)
    except WrongInput as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    except DemoFailed as error:
        click.echo(f"demo: {error}", err=True)
        raise SystemExit(1) from None
    except Stopped:
        click.echo("stopped before the post was running", err=True)
        raise SystemExit(1 if as_json else 0) from None  # there are no figures to print
    click.echo(json.dumps(summary.record()) if as_json else f"\n{summary.text()}")
