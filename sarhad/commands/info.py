"""`sarhad info IN.mcap`: what a recording holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from evidence.contents import Contents
    from evidence.recording import RecordingHeader


@click.command(name="info")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(recording: Path, as_json: bool) -> None:
    """Tell what RECORDING holds: who made it with what, each sensor's readings, gaps, drops, and whether it is whole.

    Exit code 0 when it is whole or cut, 1 when a part of it is damaged, 2 when it is no recording.
    """
    import msgspec

    from evidence.contents import contents_of
    from evidence.recording import RecordingDamaged, WrongFile, read_recording

    try:
        with recording.open("rb") as stream:
            header, readings = read_recording(stream)
            contents = contents_of(readings)
    except OSError as error:
        refuse(f"{recording}: {error.strerror}; expected a recording", 2)
    except WrongFile as error:
        refuse(f"{recording}: {error}", 2)
    except RecordingDamaged as error:
        refuse(f"{recording}: {error}", 1)
    if as_json:
        fields = msgspec.to_builtins(header)
        del fields["site_text"]
        click.echo(json.dumps({"file": str(recording), "header": fields, **msgspec.to_builtins(contents)}))
    else:
        click.echo(words(recording, header, contents))
    if contents.damage:
        raise SystemExit(1)


def refuse(line: str, code: int) -> NoReturn:
    click.echo(line, err=True)
    raise SystemExit(code)


def words(recording: Path, header: RecordingHeader, contents: Contents) -> str:
    from fusion.wire import rfc3339

    clock = "clock trusted" if header.clock_trusted else "clock not trusted"
    lines = [
        f"{recording.name}: site {header.site_id}, run {header.run_id}",
        f"began {rfc3339(header.started_ns)} ({clock}), {contents.seconds:.1f} s, {contents.readings} readings, "
        f"{contents.bytes:,} bytes",
        f"software {header.software}; site file {header.site_sha256[:16]}",
        *(f"model {name} {sha256[:16]}" for name, sha256 in header.models.items()),
        "; ".join(f"{name} {value}" for name, value in header.platform.items()),
        "",
        f"{'sensor':28} {'protocol':16} {'readings':>9} {'bytes':>12} {'per s':>8} {'from s':>8} {'to s':>8} {'gaps':>5}",
    ]
    for sensor_id, sensor in contents.sensors.items():
        numbers = [number(sensor.rate_hz), number(sensor.first_s), number(sensor.last_s)]
        lines.append(
            f"{sensor_id:28} {sensor.protocol or '-':16} {sensor.readings:9} {sensor.bytes:12,} "
            f"{' '.join(f'{text:>8}' for text in numbers)} {sensor.gap_count:5}"
        )
    for sensor_id, sensor in contents.sensors.items():
        for gap in sensor.gaps[:3]:
            lines.append(f"  {sensor_id} silent for {gap.seconds:.1f} s from {gap.from_s:.1f} s on")
    dropped = {name: count for name, count in contents.counters.items() if count}
    lines += ["", "dropped: " + (", ".join(f"{name} {count}" for name, count in dropped.items()) or "nothing")]
    if contents.recovered:
        noted = ", ".join(f"{name} {value}" for name, value in contents.recovered.items())
        lines.append(f"mended from a cut or damaged recording: {noted}")
    if contents.missing_readings:
        lines.append(f"missing: {contents.missing_readings} readings in the order of all")
    lines.append(ending(contents))
    return "\n".join(lines)


def ending(contents: Contents) -> str:
    """How the file ends, and what to do about it."""
    if contents.damage:
        return f"DAMAGED: {contents.damage}; sarhad recover keeps what is readable"
    if contents.is_cut:
        return f"CUT: {contents.left_over_bytes} bytes behind the last whole record; it replays up to there"
    return "whole"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
