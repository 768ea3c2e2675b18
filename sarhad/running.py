"""Starting and stopping a node from the command line: signals, log lines, exit codes."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

WRONG_INPUT = 2
MAY_PASS = (errno.ENOSPC, errno.EIO, errno.EROFS)  # a full disk, or one that is not there yet


def one_thread() -> None:
    """One thread for every numeric library: the order of additions decides the last digits. Call before numpy is imported."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def wrong_input(text: str) -> int:
    click.echo(text, err=True)
    return WRONG_INPUT


def log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")


async def until_signalled(node: Any, seconds: float | None = None) -> dict[str, Any]:
    """Run a node until SIGINT, SIGTERM or so many seconds; returns its summary."""
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, node.stop)
    if seconds is not None:
        loop.call_later(seconds, node.stop)
    summary: dict[str, Any] = await node.run()
    return summary


def cannot_start(site_path: Path, error: Exception) -> int:
    """One line on stderr; 2 where a file that was named is wrong, 1 where trying again later may help."""
    named = getattr(error, "filename", None)
    reason = getattr(error, "strerror", None) or str(error)
    click.echo(f"{site_path}: {f'{named}: ' if named else ''}{reason}", err=True)
    return 1 if getattr(error, "errno", None) in MAY_PASS else WRONG_INPUT


def ended_by(site_path: Path, error: Exception) -> int:
    """One line on stderr for what ended a node that had started: its files were right, so it may be started again."""
    cannot_start(site_path, error)
    return 1


def run_node(site_path: Path, record_directory: Path | None, publish: bool, pid: int) -> int:
    """The edge service of one site file."""
    from edge.node import Node
    from edge.outbox_file import OutboxBusy, OutboxError
    from edge.site_file import SiteFileError, read_site

    log_to_stderr()
    try:
        site = read_site(site_path)
    except SiteFileError as error:
        return wrong_input(str(error))

    async def run(node: Node) -> dict[str, Any]:
        while True:
            click.echo(json.dumps({"site_id": site.site_id, "run_id": node.run_id, "pid": pid}))
            sys.stdout.flush()
            summary = await until_signalled(node)
            if not node.wants_new_run:
                return summary
            click.echo(json.dumps(summary))
            node = Node(site, record_directory, publish=publish)

    try:
        first = Node(site, record_directory, publish=publish)
    except OutboxBusy as error:
        click.echo(f"{site_path}: {error}", err=True)
        return 1
    except (OutboxError, OSError) as error:  # files that the site names: outbox, certificates, recordings
        return cannot_start(site_path, error)
    try:
        done = asyncio.run(run(first))
    except (OutboxError, OSError) as error:
        return ended_by(site_path, error)
    click.echo(json.dumps(done))
    return 0


def record_to(site_path: Path, out: Path, seconds: float | None) -> int:
    """Record without publishing."""
    from edge.node import Node
    from edge.site_file import SiteFileError, read_site

    log_to_stderr()
    try:
        site = read_site(site_path)
    except SiteFileError as error:
        return wrong_input(str(error))
    if not out.parent.is_dir():
        return wrong_input(f"{out}: folder {out.parent} does not exist; expected an existing folder to record into")
    if out.exists():
        return wrong_input(f"{out}: exists already; expected a new file, since a recording is never written over")

    try:
        node = Node(site, record_path=out, publish=False)
    except OSError as error:
        return cannot_start(site_path, error)
    try:
        done = asyncio.run(until_signalled(node, seconds))
    except OSError as error:
        return ended_by(site_path, error)
    click.echo(json.dumps({"recording": str(out), **done}))
    return 0


def replay_recording(
    recording: Path,
    site_path: Path | None,
    speed: float | None,
    recompute: bool,
    model: Path | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Replay and say what came out."""
    from edge.replay import replay
    from edge.site_file import SiteFileError, read_site
    from edge.vision.detector import ModelError
    from evidence.recording import RecordingDamaged, WrongFile

    if out and out.resolve() == recording.resolve().parent:
        return wrong_input(f"{out}: is the recording's own folder; expected another, so that its own answer is kept")
    try:
        site = read_site(site_path) if site_path else None
        result = asyncio.run(replay(recording, site, speed, recompute, model, out))
    except (SiteFileError, ModelError) as error:
        return wrong_input(str(error))
    except (WrongFile, RecordingDamaged) as error:
        return wrong_input(f"{recording}: {error}")
    except OSError as error:
        return wrong_input(
            f"{error.filename or recording}: {error.strerror}; expected a readable recording and a writable folder"
        )
    done = {
        "readings": result.readings,
        "scans": result.scans,
        "messages": result.messages,
        "digest": result.digest,
        "trouble": result.trouble,
    }
    if as_json:
        click.echo(json.dumps(done))
    else:
        where = f"; {out}/tracks.jsonl" if out else ""
        click.echo(f"{result.readings} readings, {result.scans} scans, {result.messages} messages{where}")
    if result.trouble:
        click.echo(f"{recording}: {result.trouble}", err=True)
    return 1 if result.is_damaged else 0
