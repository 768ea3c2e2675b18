"""`sarhad check SITE.toml`: the site as it was understood, in words, with what to know before trusting it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge.site_file import BrokerSettings, SensorEntry, Site


@click.command()
@click.argument("site_file", metavar="SITE.toml", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(site_file: Path, as_json: bool) -> None:
    """Explain a site file: sensors, where they look, how far they should see. Opens no device, but
    a model that the site names.

    Exit code 2 and one line where the file is wrong.
    """
    from edge.site_file import SiteFileError, read_site
    from edge.site_files import check_certificates
    from edge.site_models import check_models
    from edge.site_words import site_warnings

    try:
        site = read_site(site_file)
        check_certificates(site, str(site_file))
        warnings = [*site_warnings(site), *check_models(site, str(site_file))]
    except SiteFileError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    click.echo(json.dumps(site_record(site, warnings), ensure_ascii=False) if as_json else site_text(site, warnings))


def site_text(site: Site, warnings: Sequence[str]) -> str:
    """The whole site, for a person."""
    origin = site.origin
    broker, outbox = site.broker, site.broker.outbox_path
    lines = [
        f"Site {site.site_id} at {origin.latitude_deg:.5f}°, {origin.longitude_deg:.5f}°, {origin.height_m:g} m above WGS-84",
        f"Messages go to {broker.host}:{broker.port}, {security(broker)}; kept {broker.keep_hours:g} h in {outbox}",
        "",
        *table(site),
    ]
    for entry in site.sensors:
        lines += ["", *sensor_lines(entry)]
    lines += ["", f"Warnings: {len(warnings)}", *(f"  - {warning}" for warning in warnings)]
    return "\n".join(lines)


def security(broker: BrokerSettings) -> str:
    if not broker.is_tls:
        return "without encryption"
    return "TLS with this post's certificate" if broker.certificate else "TLS without a certificate of this post's own"


def table(site: Site) -> list[str]:
    """The sensors in columns."""
    from edge.site_words import measures_directions

    rows: list[tuple[str, ...]] = [("sensor", "protocol", "driver", "east m", "north m", "up m", "heading")]
    for entry in site.sensors:
        sensor = entry.sensor
        place = tuple(f"{metre:.1f}" for metre in sensor.position_enu_m)
        heading = f"{degrees(sensor.orientation.heading_rad):g}°" if measures_directions(entry) else "-"
        rows.append((sensor.sensor_id, entry.protocol, entry.device.driver, *place, heading))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def sensor_lines(entry: SensorEntry) -> list[str]:
    """One sensor, for a person."""
    from edge.protocol_options import PROTOCOLS
    from edge.site_words import device_words, expected_words, looks

    lines = [
        f"{entry.sensor.sensor_id}: {PROTOCOLS[entry.protocol].words}",
        f"  over {device_words(entry)}",
        f"  {looks(entry)}",
        *(f"  {line}" for line in expected_words(entry)),
    ]
    if entry.command is not None:
        lines.append(f"  started with {len(entry.command.lines)} lines over {entry.command.path}")
    lines.append(f"  transmits {entry.transmits}" if entry.transmits else "  states no transmission")
    return lines


def degrees(angle_rad: float) -> float:
    import math

    return round(math.degrees(angle_rad), 3)


def site_record(site: Site, warnings: Sequence[str]) -> dict[str, Any]:
    """The same, for a program."""
    return {
        "site_id": site.site_id,
        "sha256": site.sha256,
        "latitude_deg": site.origin.latitude_deg,
        "longitude_deg": site.origin.longitude_deg,
        "height_m": site.origin.height_m,
        "broker": {"host": site.broker.host, "port": site.broker.port, "tls": site.broker.is_tls},
        "outbox": {"path": site.broker.outbox_path, "keep_hours": site.broker.keep_hours},
        "sensors": [sensor_record(entry) for entry in site.sensors],
        "warnings": list(warnings),
    }


def sensor_record(entry: SensorEntry) -> dict[str, Any]:
    """One sensor, for a program."""
    from dataclasses import asdict

    from edge.expected_range import expected_ranges
    from edge.site_words import looks, shown_options

    sensor = entry.sensor
    expected = expected_ranges(entry)
    return {
        "sensor_id": sensor.sensor_id,
        "protocol": entry.protocol,
        "driver": entry.device.driver,
        "options": shown_options(entry),
        "position_enu_m": sensor.position_enu_m,
        "heading_deg": degrees(sensor.orientation.heading_rad),
        "pitch_deg": degrees(sensor.orientation.pitch_rad),
        "roll_deg": degrees(sensor.orientation.roll_rad),
        "is_aligned": sensor.is_aligned,
        "looks": looks(entry),
        "expected_ranges": None if expected is None else [asdict(one) for one in expected],
        "transmits": entry.transmits,
    }
