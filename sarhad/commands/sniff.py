"""`sarhad sniff PORT_OR_FILE`: find out what speaks there, and what to write into the site file."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("where", metavar="PORT_OR_FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(where: str, as_json: bool) -> None:
    """Name the protocol and its messages by framing and checksum, in under ten seconds.

    PORT_OR_FILE is a file of bytes or a sniffer's capture, a serial port (its bauds are tried), or the number of a UDP port.
    A post that uses the port must not run. Exit code 1 where nothing is understood, 2 where there is nothing to open.
    """
    from edge.sniffer import site_lines, sniff
    from hardware.device import DeviceLost

    try:
        found = sniff(where)
    except (DeviceLost, OSError) as error:
        text = str(error) if isinstance(error, DeviceLost) else f"{where}: {error.strerror or error}"
        click.echo(f"{text}; expected a file, a serial port or the number of a UDP port", err=True)
        raise SystemExit(2) from None
    guess = found.guess
    lines = [] if guess is None else site_lines(found)
    if as_json:
        told = {
            "protocol": "unknown" if guess is None else found.protocol or guess.name,
            "format": None if guess is None else guess.name,
            "share": None if guess is None else round(guess.share, 3),
            "messages": {} if guess is None else guess.messages,
            "settings": {} if guess is None else guess.settings,
            "remark": None if guess is None else guess.remark,
            "baud": found.baud,
            "bytes": found.heard_bytes,
            "site_lines": lines,
        }
        click.echo(json.dumps(told))
    elif guess is None:
        told_of = "no bytes: is it powered and started?" if not found.heard_bytes else f"{found.heard_bytes} bytes"
        click.echo(f"{where}: unknown; {told_of}")
    else:
        at = f" at {found.baud} baud" if found.baud else ""
        click.echo(f"{where}: {found.protocol or guess.name}{at}: {guess.says}")
        messages = ", ".join(f"{count} x {name}" for name, count in guess.messages.items())
        click.echo(f"{guess.share:.0%} understood: {messages}")
        if guess.remark:
            click.echo(guess.remark)
        click.echo("\nFor the site file:\n")
        click.echo("\n".join(lines))
    raise SystemExit(0 if guess is not None else 1)
