"""`sarhad post SITE.toml`: one box does it all."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("site_file", metavar="SITE.toml", type=click.Path(path_type=Path))
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535), help="Port of the map.")
@click.option("--record", type=click.Path(path_type=Path), help="Folder for recordings, one folder a run.")
def command(site_file: Path, port: int, record: Path | None) -> None:
    """Run edge, broker and center of a post on this box, on loopback only, until stopped.

    Parts that end are started again. Exit code 2 where the site file is wrong, names files that cannot be used, or its
    broker is another box.
    """
    from edge.site_file import SiteFileError, read_site
    from sarhad.post import PostFailed, check_local, is_listening, run_post
    from sarhad.supervised import CannotRun

    try:
        site = read_site(site_file)
        check_local(site, str(site_file))
    except SiteFileError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    if is_listening(port):
        click.echo(f"--port is {port}, which another program uses; expected a free port", err=True)
        raise SystemExit(2)
    try:
        run_post(site, site_file, port, record, lambda text: click.echo(text, err=True))
    except PostFailed as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except CannotRun as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
