"""`sarhad simulate SCENARIO.toml --out OUT.mcap`: a scenario as a recording, with the truth beside it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenario", metavar="SCENARIO.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The recording; truth: OUT.truth.jsonl.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(0.1, 86_400.0))
@click.option("--seed", type=click.IntRange(0), help="Start of all chance; left out: the scenario's.")
@click.option(
    "--video/--no-video", default=True, show_default=True, help="With the cameras' pictures, and looks at them."
)
@click.option(
    "--scale",
    "posts",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="So many posts beside each other before the same objects; OUT.mcap, OUT-2.mcap, ...",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a recording with what was written.")
def command(
    scenario: Path, out: Path, seconds: float, seed: int | None, video: bool, posts: int, as_json: bool
) -> None:
    """Record what the sensors of SCENARIO would deliver, as fast as it can be made."""
    from sarhad.running import one_thread

    one_thread()
    from sarhad.simulating import simulate

    raise SystemExit(simulate(scenario, out, seconds, seed, video, as_json, posts))
