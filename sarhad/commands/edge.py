"""`sarhad edge SITE.toml`: the post's own service."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command(name="edge")
@click.argument("site", type=click.Path(path_type=Path))
@click.option("--record", "record", type=click.Path(path_type=Path), help="Folder for recordings, one folder a run.")
def command(site: Path, record: Path | None) -> None:
    """Read the sensors of SITE, fuse them and publish the tracks, until stopped.

    Writes one JSON line on stdout when it has started and one with what it did when it has stopped.
    """
    from sarhad.running import one_thread, run_node

    one_thread()
    raise SystemExit(run_node(site, record_directory=record, publish=True, pid=os.getpid()))
