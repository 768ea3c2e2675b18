"""`sarhad compare A B`: two runs' tracks side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fusion.wire import TracksMessage


@click.command(name="compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--position-tolerance-m", type=click.FloatRange(min=0.0), default=0.01, show_default=True)
@click.option("--azimuth-tolerance-deg", type=click.FloatRange(min=0.0), default=0.001, show_default=True)
@click.option("--span-tolerance-s", type=click.FloatRange(min=0.0), default=0.001, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(
    a: Path,
    b: Path,
    position_tolerance_m: float,
    azimuth_tolerance_deg: float,
    span_tolerance_s: float,
    as_json: bool,
) -> None:
    """Compare the tracks of A and B, each a tracks.jsonl or a folder that a replay wrote.

    Tells which tracks appeared, vanished, moved, changed class or lived longer. Exit code 0 when nothing differs beyond
    the tolerances, 1 when something does, 2 when a file is wrong.
    """
    import msgspec

    from evidence.comparison import Tolerances, compare

    tolerances = Tolerances(position_tolerance_m, azimuth_tolerance_deg, span_tolerance_s)
    result = compare(messages_of(a), messages_of(b), tolerances)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(result)))
    else:
        click.echo(f"A has {result.tracks_a} tracks, B has {result.tracks_b}; {result.paired} are the same objects")
        if result.largest_distance_m is not None:
            click.echo(f"largest distance between them: {result.largest_distance_m:.4f} m")
        for difference in result.differences:
            click.echo(f"{name_of(difference.track_a, difference.track_b)} {difference.kind}: {difference.text}")
        click.echo(f"{len(result.differences)} differences" if result.differences else "no differences")
    raise SystemExit(1 if result.differences else 0)


def messages_of(path: Path) -> list[TracksMessage]:
    """The messages of tracks in a file, or in a folder's tracks.jsonl. Ends with code 2 where that cannot be."""
    from evidence.comparison import WrongLine, read_messages

    file = path / "tracks.jsonl" if path.is_dir() else path
    try:
        with file.open("rb") as lines:
            return read_messages(lines)
    except OSError as error:
        click.echo(f"{file}: {error.strerror}; expected a tracks.jsonl", err=True)
    except WrongLine as error:
        click.echo(f"{file}: {error}", err=True)
    raise SystemExit(2)


def name_of(track_a: int | None, track_b: int | None) -> str:
    if track_a is None or track_b is None:
        return f"track {track_b} of B" if track_a is None else f"track {track_a} of A"
    return f"track {track_a}" if track_a == track_b else f"track {track_a} of A, {track_b} of B"
