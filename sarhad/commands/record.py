"""`sarhad record SITE.toml OUT.mcap`: write what comes through the door, publish nothing."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="record")
@click.argument("site", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Stop by itself after so many seconds.")
def command(site: Path, out: Path, seconds: float | None) -> None:
    """Record every reading of SITE into OUT, until stopped. The site file and all hashes go in with it."""
    from sarhad.running import one_thread, record_to

    one_thread()
    raise SystemExit(record_to(site, out, seconds))
