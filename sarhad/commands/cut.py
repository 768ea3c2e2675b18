"""`sarhad cut IN.mcap OUT.mcap`: a part of a recording, by time and by sensor."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="cut")
@click.argument("recording", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--from", "from_s", type=click.FloatRange(min=0.0), default=0.0, show_default=True, help="Seconds in.")
@click.option("--to", "to_s", type=click.FloatRange(min=0.0), default=float("inf"), help="Seconds in; else the end.")
@click.option("--sensor", "sensors", multiple=True, help="Only this sensor; may be given more than once.")
def command(recording: Path, out: Path, from_s: float, to_s: float, sensors: tuple[str, ...]) -> None:
    """Write the readings of RECORDING between two times, counted from its first reading, into OUT.

    The site file, the hashes, the clock's ticks and the node's own words go along; OUT says what it was cut from.
    """
    from evidence.editing import cut
    from sarhad.editing import refuse, written

    if not from_s < to_s:
        refuse(f"--from {from_s:g} --to {to_s:g}: expected a time that ends after it begins")
    wanted = set(sensors) or None
    count = written([recording], out, lambda sources, target: cut(sources[0], target, from_s, to_s, wanted))
    click.echo(f"{out}: {count} readings")
