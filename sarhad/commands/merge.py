"""`sarhad merge A.mcap B.mcap ... --out OUT.mcap`: recordings of one site as one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="merge")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new recording.")
def command(recordings: tuple[Path, ...], out: Path) -> None:
    """Put the readings of all RECORDINGS into one, in the order of their arrival.

    They must be of one site file, such as the hourly files of a post, or its sensors recorded apart. A sensor may not be
    in two of them at the same time.
    """
    from evidence.editing import merge
    from sarhad.editing import written

    count = written(recordings, out, merge)
    click.echo(f"{out}: {count} readings of {len(recordings)} recordings")
