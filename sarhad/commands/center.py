"""`sarhad center`: the central service. Posts' messages in over MQTT, the store, the API, the live map."""

from __future__ import annotations

import socket
from pathlib import Path

import click


@click.command()
@click.argument("settings_file", metavar="CENTER.toml", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port instead; 0 picks a free one.")
def command(settings_file: Path, port: int | None) -> None:
    """Run the center: take in what posts publish, keep it, and show it on a live map.

    Prints the address of the map once it answers. SIGINT or SIGTERM stops it; what was acknowledged is committed.
    """
    import logging
    from dataclasses import replace

    from center.app import serve
    from center.settings import SettingsError, read_settings
    from center.store import StoreError
    from sarhad.center_watch import watch_center

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = read_settings(settings_file)
    except SettingsError as error:
        raise WrongInput(str(error)) from error
    if port is not None:
        settings = replace(settings, listen_port=port)
    listener = listening(settings_file, settings.listen_host, settings.listen_port)
    watch_center(*listener.getsockname()[:2])
    try:
        serve(settings, listener)
    except SettingsError as error:
        raise WrongInput(f"{settings_file}: {error}") from error
    except StoreError as error:
        raise WrongInput(str(error)) from error


def listening(settings_file: Path, host: str, port: int) -> socket.socket:
    from center.app import listen

    try:
        return listen(host, port)
    except OSError as error:
        found = f"[listen] port {port} of {host}"
        raise WrongInput(
            f"{settings_file}: {found} cannot be used: {error.strerror}; choose another with --port"
        ) from error


class WrongInput(click.ClickException):
    """One line on stderr."""

    exit_code = 2
