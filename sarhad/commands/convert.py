"""`sarhad convert --site SITE.toml SENSOR=FILE ... OUT.mcap`: logs of others as a recording; ours for Foxglove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click


@click.command(name="convert")
@click.argument("sources", nargs=-1, required=True, metavar="SENSOR=FILE...")
@click.argument("out", metavar="OUT.mcap", type=click.Path(path_type=Path))
@click.option("--site", "site_path", type=click.Path(path_type=Path), help="Whose sensors these are.")
@click.option("--start", help="When bytes without times begin: RFC 3339, or seconds since 1970.")
@click.option("--seconds", type=click.FloatRange(0.001, 172_800.0), help="How long bytes without times took.")
@click.option("--baud", type=click.IntRange(50, 10_000_000), help="Their line's pace; left out: the site file's.")
@click.option("--foxglove", is_flag=True, help="The other way: one recording of ours, IN.mcap, for Foxglove to draw.")
def command(
    sources: tuple[str, ...],
    out: Path,
    site_path: Path | None,
    start: str | None,
    seconds: float | None,
    baud: int | None,
    foxglove: bool,
) -> None:
    """Make a recording OUT of logs, each SENSOR=FILE with a sensor of the site; all of them by one clock.

    \b
    pcap, pcapng    radio frames for a sensor of protocol radio_frames; else UDP datagrams to the sensor's port,
                    SENSOR@PORT=FILE to another one, FILE alone to every sensor that listens
    CSV             of a sensor_json sensor: time and azimuth_deg (elevation_deg, slant_range_m, range_rate_m_s,
                    power_db, confidence, class), or time, latitude_deg, longitude_deg, height_m
    stamped bytes   lines of a time and bytes in hexadecimal
    bytes alone     a serial log; --start, and --seconds or the line's baud, make its times

    \b
    What came out works like any recording: info, replay, score, cut, merge.
    With --foxglove, OUT holds what the post made of IN.mcap, in Foxglove's messages; it cannot be replayed.
    """
    if foxglove:
        if len(sources) != 1 or (site_path, start, seconds, baud) != (None, None, None, None):
            refuse("--foxglove takes one recording and OUT.mcap; expected no other option")
        for_foxglove(Path(sources[0]), out)
    elif site_path is None:
        refuse("--site is missing; expected the site file that has the sensors, or --foxglove")
    else:
        from_logs(sources, out, site_path, start, seconds, baud)


def from_logs(
    sources: tuple[str, ...], out: Path, site_path: Path, start: str | None, seconds: float | None, baud: int | None
) -> None:
    """Logs into a recording."""
    from edge.site_file import SiteFileError, read_site
    from sarhad.converting import Pace, Source, read_source, write_converted
    from sarhad.editing import written
    from sarhad.foreign_logs import WrongLog

    try:
        site = read_site(site_path)
        pace = Pace(None if start is None else _started_ns(start), baud, seconds)
        converted = [read_source(Source.of(text), site, pace) for text in sources]
        count = written([], out, lambda _, target: write_converted(converted, site, target))
    except (SiteFileError, WrongLog) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or site_path}: {error.strerror}; expected a readable file")
    for each in converted:
        click.echo(f"{each.source.path}: {each.form}, {len(each.delivered)} deliveries")
    click.echo(f"{out}: {count} readings")


def for_foxglove(recording: Path, out: Path) -> None:
    """A recording into a file for Foxglove."""
    from sarhad.running import one_thread

    one_thread()
    from edge.site_file import SiteFileError
    from sarhad.editing import written
    from sarhad.foxglove import write_foxglove

    try:
        count = written([recording], out, lambda streams, target: write_foxglove(streams[0], target, recording.name))
    except SiteFileError as error:
        refuse(str(error))
    click.echo(f"{out}: {count} messages for Foxglove")


def _started_ns(start: str) -> int:
    from sarhad.utc import utc_ns

    try:
        return utc_ns(start)
    except ValueError as error:
        refuse(f"--start: {error}; expected RFC 3339 or seconds since 1970")


def refuse(line: str) -> NoReturn:
    click.echo(f"sarhad convert: {line}", err=True)
    sys.exit(2)
