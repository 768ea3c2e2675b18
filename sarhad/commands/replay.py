"""`sarhad replay IN.mcap`: feed a recording through the same door again."""

from __future__ import annotations

from pathlib import Path

import click


def speed_of(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    """None for "max", else a positive number."""
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = -1.0
    if not 0.0 < speed < float("inf"):
        raise click.BadParameter(f"{value!r} is no speed; expected a positive number such as 1 or 4, or max")
    return speed


@click.command(name="replay")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--site", type=click.Path(path_type=Path), help="Use this site file instead of the recorded one.")
@click.option(
    "--speed", default="max", show_default=True, callback=speed_of, help="1 as it was, 4 four times as fast, or max."
)
@click.option("--detections", type=click.Choice(["recorded", "recomputed"]), default="recorded", show_default=True)
@click.option("--model", type=click.Path(path_type=Path), help="The detector for --detections recomputed.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for tracks.jsonl and digest.txt.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(
    recording: Path,
    site: Path | None,
    speed: float | None,
    detections: str,
    model: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Replay RECORDING: the same readings in the same order give the same tracks, byte for byte, at any speed."""
    from sarhad.running import one_thread, replay_recording

    one_thread()
    raise SystemExit(replay_recording(recording, site, speed, detections == "recomputed", model, out, as_json))
