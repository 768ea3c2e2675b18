"""`sarhad check-mapping MAPPING.toml [SAMPLE]`: whether a mapping holds, and what it makes of recorded bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from firmware_interfaces.mapping import Mapping


@click.command()
@click.argument("mapping_file", metavar="MAPPING.toml", type=click.Path(path_type=Path))
@click.argument("sample", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The last line is JSON, too.")
def command(mapping_file: Path, sample: Path | None, as_json: bool) -> None:
    """Hold a mapping against its rules; with SAMPLE, a file of bytes recorded from the device, show what it reads there.

    Without SAMPLE it prints the lines to paste into the site file. Exit code 1 where nothing of the sample fits, 2 where the
    mapping or a file is wrong.
    """
    from firmware_interfaces.mapping import read_mapping

    text, table = read_toml(mapping_file)
    try:
        mapping = read_mapping(table)
    except ValueError as error:
        refuse(f"{mapping_file}: {error}")
    if sample is None:
        click.echo(json.dumps({"ok": True, "site_lines": site_lines(text)}) if as_json else site_lines(text))
        return
    try:
        data = sample.read_bytes()
    except OSError as error:
        refuse(f"{sample}: {error.strerror}; expected a file of bytes recorded from the device")
    read_sample(mapping, data, as_json)


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The file's text and its table."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        refuse(f"{path}: {error.strerror}; expected a TOML file")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        refuse(f"{path}: {error}; expected TOML in UTF-8")


def read_sample(mapping: Mapping, data: bytes, as_json: bool) -> None:
    """A JSON line for each message, then the counts."""
    from firmware_interfaces.mapping import reader, record

    source = reader(mapping)
    found = [*source.feed(data, 0), *source.finish()]
    for framed in found:
        click.echo(json.dumps(record(framed.message)))
    rejected = dict(sorted(source.counts.rejected.items()))
    told = {"bytes": len(data), "messages": len(found), "rejected": rejected}
    words = ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "nothing"
    click.echo(
        json.dumps(told) if as_json else f"{len(data)} bytes: {len(found)} messages; rejected: {words}", err=True
    )
    if not found:
        raise SystemExit(1)


def site_lines(text: str) -> str:
    """The mapping's own lines, its tables moved to where a [[sensor]] has them."""
    inside = "sensor.protocol_options.mapping"
    lines = [
        f"[{inside}.{line.strip()[1:]}" if line.strip().startswith("[") else line for line in text.strip().splitlines()
    ]
    return "\n".join([f"[{inside}]", *lines])


def refuse(line: str) -> NoReturn:
    """Say what is wrong, and stop with exit code 2."""
    click.echo(line, err=True)
    raise SystemExit(2)
