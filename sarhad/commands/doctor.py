"""`sarhad doctor SITE.toml`: open everything a post is made of, and say pass or fail and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("site_file", metavar="SITE.toml", type=click.Path(path_type=Path))
@click.option(
    "--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1, 600.0), help="How long to listen."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(site_file: Path, seconds: float, as_json: bool) -> None:
    """Try a post for real: devices, decoders, broker, disk, clock, model.

    The post's own service must not run: a port has one user. Exit code 1 where anything fails, 2 where the file is wrong.
    """
    from dataclasses import asdict

    from edge.doctor import examine
    from edge.finding import FAIL
    from edge.site_file import SiteFileError, read_site
    from sarhad.running import one_thread

    one_thread()
    try:
        site = read_site(site_file)
    except SiteFileError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    findings = []
    for finding in examine(site, seconds):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.state}  {finding.about}: {finding.seen}")
            if finding.todo:
                click.echo(f"      {finding.todo}")
    failed = sum(finding.state == FAIL for finding in findings)
    if as_json:
        click.echo(
            json.dumps({"site_id": site.site_id, "failed": failed, "findings": [asdict(one) for one in findings]})
        )
    else:
        click.echo(f"{len(findings) - failed} of {len(findings)} good" + (f", {failed} failed" if failed else ""))
    raise SystemExit(1 if failed else 0)
