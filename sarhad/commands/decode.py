"""`sarhad decode PROTOCOL FILE`: what a capture says, a JSON line a record; what was refused and why, on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from firmware_interfaces.captures import Format
    from firmware_interfaces.decoder import Counts


@click.command()
@click.argument("protocol", required=False)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the protocol; see --list.")
@click.option("--list", "list_protocols", is_flag=True, help="The protocols and their settings.")
@click.option("--json", "as_json", is_flag=True, help="The summary on stderr is JSON, too; so is the list.")
def command(
    protocol: str | None, file: Path | None, settings: tuple[str, ...], list_protocols: bool, as_json: bool
) -> None:
    """Decode a capture of raw bytes: records as JSON lines on stdout, rejections by reason last, on stderr.

    PROTOCOL is one that --list prints. Exit code 2 where protocol, setting or file is wrong.
    """
    from firmware_interfaces.captures import FORMATS, format_named, records_of
    from firmware_interfaces.decoder import Doubting

    if list_protocols:
        show_list(FORMATS, as_json)
        return
    if protocol is None or file is None:
        refuse("decode: PROTOCOL and FILE are needed; --list prints the protocols")
    found = format_named(protocol)
    if found is None:
        refuse(f'decode: PROTOCOL is "{protocol}", expected one of {", ".join(FORMATS)}')
    try:
        data = file.read_bytes()
    except OSError as error:
        refuse(f"{file}: {error.strerror}; expected a file of raw bytes")
    values = dict(setting(protocol, found, text) for text in settings)
    try:
        reader = found.open(**values)
    except ValueError as error:
        refuse(f"decode: {protocol}: {error}")
    for record in records_of(found, reader, data):
        sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
    sys.stdout.flush()
    wrong = reader.diagnosis() if isinstance(reader, Doubting) else None
    click.echo(summary(reader.counts, as_json, wrong), err=True)


def refuse(line: str) -> NoReturn:
    """Say what is wrong, and stop with exit code 2."""
    click.echo(line, err=True)
    raise SystemExit(2)


def setting(protocol: str, found: Format, text: str) -> tuple[str, Any]:
    """One KEY=VALUE, in the type of the setting's default."""
    name, equals, value = text.partition("=")
    default = found.settings.get(name)
    if not equals or default is None:
        expected = ", ".join(f"{key}={value}" for key, value in found.settings.items()) or "none"
        refuse(f'decode: {protocol}: --set is "{text}", expected one of {expected}')
    if isinstance(default, bool):
        if value not in ("true", "false"):
            refuse(f'decode: {protocol}: {name} is "{value}", expected true or false')
        return name, value == "true"
    try:
        return name, type(default)(value)
    except ValueError:
        refuse(f'decode: {protocol}: {name} is "{value}", expected a number')


def summary(counts: Counts, as_json: bool, wrong: str | None = None) -> str:
    """How much was read, what was refused for which reason, and what is wrong with the whole."""
    told = {
        "bytes": counts.bytes,
        "decoded": sum(counts.decoded.values()),
        "rejected": dict(sorted(counts.rejected.items())),
        "resync_bytes": counts.resync_bytes,
        "remarks": {name: count for name, count in sorted(counts.remarks.items()) if count},
    }
    if as_json:
        return json.dumps({**told, "diagnosis": wrong} if wrong else told)
    rejected = ", ".join(f"{count} {reason}" for reason, count in counts.rejected.items()) or "nothing"
    remarks = "".join(f"; {count} x {name}" for name, count in counts.remarks.items() if count)
    return (
        f"{counts.bytes} bytes: {told['decoded']} records; rejected: {rejected}; "
        f"{counts.resync_bytes} bytes skipped{remarks}{f'; {wrong}' if wrong else ''}"
    )


def show_list(formats: dict[str, Format], as_json: bool) -> None:
    """The table of protocols."""
    if as_json:
        rows = [
            {"protocol": name, "aliases": list(f.aliases), "says": f.says, "settings": f.settings}
            for name, f in formats.items()
        ]
        click.echo(json.dumps(rows))
        return
    for name, found in formats.items():
        settings = " ".join(f"{key}={value}" for key, value in found.settings.items())
        aliases = f" (also: {', '.join(found.aliases)})" if found.aliases else ""
        click.echo(f"{name}{aliases}: {found.says}" + (f"  [--set {settings}]" if settings else ""))
