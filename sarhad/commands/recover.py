"""`sarhad recover CUT.mcap`: mend a recording that was cut or damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NoReturn

import click


@click.command(name="recover")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The mended file; default: RECORDING with .recovered.mcap."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(recording: Path, out: Path | None, as_json: bool) -> None:
    """Write all of RECORDING that can be read as a whole recording, with its index; RECORDING itself is left alone.

    Every reading keeps its place in the order; what could not be kept is noted inside. Exit code 2 when it is no
    recording, or OUT is there already.
    """
    import msgspec

    from evidence.recording import RecordingDamaged, WrongFile, recover

    out = out or recording.with_name(f"{recording.stem}.recovered.mcap")
    if out.exists():
        refuse(f"{out}: is there already; expected a new file for --out")
    part = out.with_name(f"{out.name}.part")
    try:
        with recording.open("rb") as stream_in, part.open("wb") as stream_out:
            result = recover(stream_in, stream_out)
            os.fsync(stream_out.fileno())
        part.rename(out)
    except OSError as error:
        refuse(f"{error.filename or recording}: {error.strerror}")
    except (WrongFile, RecordingDamaged) as error:
        part.unlink()
        refuse(f"{recording}: {error}")
    if as_json:
        click.echo(json.dumps({"out": str(out), **msgspec.to_builtins(result)}))
        return
    click.echo(f"{out}: {result.readings} readings kept, {result.left_over_bytes} bytes behind the cut left out")
    if result.missing_readings:
        click.echo(f"{result.missing_readings} readings between them are lost")
    for damage in result.damage:
        click.echo(f"left out: {damage}")


def refuse(line: str) -> NoReturn:
    click.echo(line, err=True)
    raise SystemExit(2)
