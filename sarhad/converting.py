"""Logs of others as a recording of ours: what a site's sensors delivered, with the clock's ticks between.

    SENSOR=FILE, ... ── the form that each file has (foreign_logs.py, detection_tables.py)
                     ── by time ──▶ readings + ten ticks a second ──▶ OUT.mcap with the site file in it

The recording says that it was converted, from which files (SHA-256) and how their times were come by; its clock counts as
untrusted. The same files and the same site make the same readings.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.sensors import is_camera
from edge.site_file import SensorEntry, Site
from edge.software import platform_versions, software
from evidence.recording import RecordingHeader, RecordingWriter
from firmware_interfaces.pcap import is_capture
from fusion.frames import LocalFrame
from fusion.types import CLOCK, Reading
from hardware.clock import TICK_NS, ClockEvent
from sarhad.detection_tables import table_of
from sarhad.foreign_logs import (
    BITS_A_BYTE,
    Delivered,
    WrongLog,
    datagrams_of,
    is_stamped,
    paced_of,
    radio_packets_of,
    stamped_of,
)
from sarhad.utc import LATEST_NS

CONVERTED = "sarhad.converted"
MAX_BYTES = 2**28  # of one file, which is held in memory
LONGEST_DAYS = 2  # of one recording, held in memory as well; times further apart are mostly of different clocks
DAY_NS = 86_400 * 10**9
UNTRUSTED = ClockEvent("untrusted", "converted: times are those of the logs")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, the sensor that it is of, and the port it was sent to, where they are said."""

    path: Path
    sensor_id: str | None = None
    port: int | None = None

    @classmethod
    def of(cls, text: str) -> Source:
        """FILE, SENSOR=FILE or SENSOR@PORT=FILE. Raises WrongLog."""
        said, equals, path = text.partition("=")
        if not equals:
            return cls(Path(text))
        sensor_id, at, port = said.partition("@")
        if at and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise WrongLog(f"{text}: port is {port!r}; expected 1 to 65535")
        return cls(Path(path), sensor_id, int(port) if at else None)


@dataclass(frozen=True, slots=True)
class Pace:
    """How bytes alone are timed: from when, and how fast or over how long."""

    start_ns: int | None = None
    baud: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one file."""

    source: Source
    form: str
    sha256: str
    delivered: Sequence[Delivered]


def read_source(source: Source, site: Site, pace: Pace) -> Converted:
    """One file in the form that it has. Raises WrongLog, OSError."""
    if source.path.stat().st_size > MAX_BYTES:
        raise WrongLog(f"{source.path}: larger than {MAX_BYTES} bytes; expected it in parts")
    data = source.path.read_bytes()
    try:
        form, delivered = parts_of(source, data, site, pace)
    except WrongLog as error:
        raise WrongLog(f"{source.path}: {error}") from error
    if not delivered:
        raise WrongLog(f"{source.path}: nothing in it; expected {form}")
    return Converted(source, form, hashlib.sha256(data).hexdigest(), delivered)


def parts_of(source: Source, data: bytes, site: Site, pace: Pace) -> tuple[str, list[Delivered]]:
    """The form and what was delivered. Raises WrongLog."""
    if source.sensor_id is None:
        if not is_capture(data):
            raise WrongLog("its sensor is not said; expected SENSOR=FILE, or a capture of UDP")
        return "UDP datagrams", datagrams_of(data, ports_of(site))
    entry = entry_of(source.sensor_id, site)
    if entry.protocol == "radio_frames":
        if not is_capture(data):
            raise WrongLog(f"begins with {data[:4].hex() or 'nothing'}; expected a capture of radio frames")
        return "radio frames", radio_packets_of(data, source.sensor_id)
    if is_capture(data):
        port = source.port or entry.device.options.get("port")
        if not isinstance(port, int):
            raise WrongLog(f"{source.sensor_id} listens on no port; expected {source.sensor_id}@PORT=FILE")
        return "UDP datagrams", datagrams_of(data, {port: source.sensor_id})
    if source.path.suffix.lower() == ".csv" and entry.protocol == "sensor_json":
        try:
            return "a table", table_of(data.decode("utf-8-sig"), entry.sensor, LocalFrame(site.origin))
        except UnicodeDecodeError as error:
            raise WrongLog(f"{error}; expected text in UTF-8") from error
    if is_stamped(data):
        return "stamped bytes", stamped_of(data, source.sensor_id)
    start_ns, rate = pace_of(entry, len(data), pace)
    return f"bytes alone, paced at {rate:.0f} a second", list(paced_of(data, source.sensor_id, start_ns, rate))


def entry_of(sensor_id: str, site: Site) -> SensorEntry:
    """Raises WrongLog where the site has no such sensor, or where its readings are pictures."""
    entry = next((entry for entry in site.sensors if entry.sensor.sensor_id == sensor_id), None)
    if entry is None:
        known = ", ".join(entry.sensor.sensor_id for entry in site.sensors)
        raise WrongLog(f"sensor is {sensor_id!r}; the site has {known}")
    if is_camera(entry):
        raise WrongLog(f"{sensor_id} is a camera; expected a sensor of bytes (record films by their video_file driver)")
    return entry


def ports_of(site: Site) -> dict[int, str]:
    """Which sensor listens for datagrams on which port."""
    listening = [entry for entry in site.sensors if entry.device.driver == "udp_listener"]
    return {int(entry.device.options["port"]): entry.sensor.sensor_id for entry in listening}


def pace_of(entry: SensorEntry, size: int, pace: Pace) -> tuple[int, float]:
    """Start and bytes a second. Raises WrongLog where either is not known."""
    if pace.start_ns is None:
        raise WrongLog("holds bytes alone, without times; expected --start")
    if pace.seconds is not None:
        return pace.start_ns, max(size, 1) / pace.seconds
    baud = pace.baud or entry.device.options.get("baud")
    if not baud:
        raise WrongLog("holds bytes alone, and its line has no baud; expected --seconds or --baud")
    rate = float(baud) / BITS_A_BYTE
    if size / rate > LONGEST_DAYS * DAY_NS / 1e9:
        raise WrongLog(f"takes {size / rate / 86_400:.1f} days at {baud} baud; expected at most {LONGEST_DAYS}")
    return pace.start_ns, rate


def readings_of(converted: Sequence[Converted]) -> Iterator[Reading]:
    """All in order of time, with the clock's ticks from the first to the last. Raises WrongLog."""
    start_ns = min(each.delivered[0].time_ns for each in converted)
    end_ns = max(each.delivered[-1].time_ns for each in converted)
    if end_ns - start_ns > LONGEST_DAYS * DAY_NS:
        days = (end_ns - start_ns) / DAY_NS
        raise WrongLog(f"times span {days:.1f} days; expected at most {LONGEST_DAYS}, by one clock")
    if end_ns >= LATEST_NS:
        raise WrongLog(f"times reach {end_ns / 1e9:.0f} s after 1970; expected less than {LATEST_NS / 1e9:.0f}")
    ticks = (Delivered(time_ns, CLOCK, b"") for time_ns in range(start_ns, end_ns + 1, TICK_NS))
    first = [Delivered(start_ns, CLOCK, UNTRUSTED.to_json())]
    last_ns = -1
    streams = (each.delivered for each in converted)
    for each in heapq.merge(first, ticks, *streams, key=lambda delivered: delivered.time_ns):
        last_ns = max(each.time_ns - start_ns, last_ns + 1)
        yield Reading(each.sensor_id, start_ns + last_ns, last_ns, None, each.source, each.data)


def write_converted(converted: Sequence[Converted], site: Site, out: BinaryIO) -> int:
    """Write the recording; returns how many readings of sensors it holds. Raises WrongLog."""
    readings = readings_of(converted)
    names = hashlib.sha256("".join(sorted(each.sha256 for each in converted)).encode()).hexdigest()
    header = RecordingHeader(
        site_id=site.site_id,
        run_id=f"converted-{names[:12]}",
        started_ns=min(each.delivered[0].time_ns for each in converted),
        site_text=site.text,
        site_sha256=hashlib.sha256(site.text.encode()).hexdigest(),
        models={},
        software=software(),
        platform=platform_versions(),
    )
    channels = {
        entry.sensor.sensor_id: {"protocol": entry.protocol, "driver": entry.device.driver} for entry in site.sensors
    }
    writer = RecordingWriter(out, header, channels)
    notes = {
        f"{k}: {each.source.path.name}": f"{each.form}; sha256 {each.sha256}" for k, each in enumerate(converted, 1)
    }
    writer.note(CONVERTED, notes)
    for reading in readings:
        writer.write(reading)
    writer.close({})
    return sum(len(each.delivered) for each in converted)
