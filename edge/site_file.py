"""One site, one file: a post's TOML, read once, checked whole, explained in words.

Degrees, metres and seconds, as a person with a compass writes them; inside, radians and nanoseconds. The keys, with
their limits and defaults, stand in `edge/site_tables.py`, `edge/device_options.py` and `edge/protocol_options.py`.
Nothing is opened here but the files that the site file names, and every mistake is one line:

    ridge.toml: sensor "radar-north": device.baud is 9601; expected one of 1200, 2400, ...
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

from edge import site_tables
from edge.radio_law import forbidden
from edge.site_devices import check_host
from edge.site_files import read_terrain
from edge.site_keys import Place, SiteFileError, in_line, read_keys, resolve
from edge.site_sensors import read_sensor, read_switch
from edge.site_types import (
    AlarmSettings,
    BrokerSettings,
    CommandPort,
    DeviceSettings,
    GuardPageSettings,
    LawSettings,
    ModelSettings,
    RecordingSettings,
    SensorEntry,
    Site,
    TerrainSettings,
)
from fusion.frames import LocalFrame
from fusion.kernels import can_compile
from fusion.types import CLASSES, CLOCK, NODE, Geodetic, TrackerSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "BrokerSettings",
    "CommandPort",
    "DeviceSettings",
    "ModelSettings",
    "SensorEntry",
    "Site",
    "SiteFileError",
    "TerrainSettings",
    "parse_site",
    "read_site",
]

PLAIN_PORT, TLS_PORT = 1883, 8883  # MQTT's registered ports
SITE_FILE_BYTES = 1_000_000
SENSOR_COUNT = 256  # more than any post has; a generated file with more is a mistake
RESERVED_SENSORS = (CLOCK, NODE)
RESERVED_SITES = ("fused",)  # the center's own topic stands in the site's place


def read_site(path: Path | str) -> Site:
    """The site of a file; relative paths in it start at its folder. Raises SiteFileError, one line."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(SITE_FILE_BYTES + 1)
    except OSError as error:
        raise SiteFileError(f"{path}: cannot be read ({error.strerror or error}); expected a site file") from error
    if len(data) > SITE_FILE_BYTES:
        raise SiteFileError(f"{path}: is longer than {SITE_FILE_BYTES} bytes; expected a site file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte {data[error.start]:#04x}"
        raise SiteFileError(f"{path}: line {line}: {found} is not UTF-8; expected a text file in UTF-8") from error
    return parse_site(text, str(path), path.resolve().parent)


def parse_site(text: str, name: str, folder: Path | None = None) -> Site:
    """The site of a text; `name` begins every error. Raises SiteFileError, one line.

    folder: where relative paths start. Without it paths stay as written, the files they name are not looked for and
    start lines are empty, as when a site comes out of a recording.
    """
    top = read_keys(parse_toml(text, name), site_tables.TOP, Place(name, "site file"))
    written = read_keys(top["site"], site_tables.SITE, Place(name, "[site]"))
    site_id = read_id(written["id"], RESERVED_SITES, Place(name, "[site]"))
    origin = Geodetic(**read_keys(written["origin"], site_tables.ORIGIN, Place(name, "[site]", "origin.")))
    sensors = read_sensors(top["sensor"], LocalFrame(origin), folder, name)
    return Site(
        site_id=site_id,
        origin=origin,
        geoid_height_m=written["geoid_height_m"],
        broker=read_broker(top["broker"], site_id, folder, Place(name, "[broker]")),
        tracker=read_tracker(top["tracker"], Place(name, "[tracker]")),
        sensors=sensors,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        terrain=read_terrain(written["terrain"], folder, Place(name, "[site]")),
        recording=read_recording_settings(top["recording"], Place(name, "[recording]")),
        law=read_law(top["law"], sensors, name),
        alarm=read_alarm(top["alarm"], folder, Place(name, "[alarm]")),
        guard_page=read_guard_page(top["guard_page"], Place(name, "[guard_page]")),
    )


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The tables of a TOML text; an empty one is told as such."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = f"line {where[1]}, column {where[2]}: " if where else ""
        reason = re.sub(r" \(at .*\)$", "", " ".join(str(error).split()))
        raise SiteFileError(f"{name}: {place}not TOML ({in_line(reason)}); expected key = value") from error
    except RecursionError as error:
        raise SiteFileError(f"{name}: tables stand too deep in one another; expected at most a few") from error
    if not tables:
        raise SiteFileError(f"{name}: is empty; expected [site] and at least one [[sensor]]")
    return tables


def read_id(value: str, reserved: tuple[str, ...], place: Place) -> str:
    """An id that can be a level of an MQTT topic."""
    expected = f"letters, digits, - and _, beginning with a letter or digit, at most {site_tables.ID_LENGTH}"
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{site_tables.ID_LENGTH - 1}}}", value):
        raise place.found("id", value, expected)
    if value in reserved:
        raise place.found("id", value, f"another name; Sarhad itself uses {' and '.join(reserved)}")
    return value


def read_sensors(
    tables: list[dict[str, Any]], frame: LocalFrame, folder: Path | None, name: str
) -> tuple[SensorEntry, ...]:
    """All sensors, each with an id of its own."""
    if not 1 <= len(tables) <= SENSOR_COUNT:
        raise SiteFileError(f"{name}: has {len(tables)} sensors; expected 1 to {SENSOR_COUNT} [[sensor]] tables")
    sensors: dict[str, SensorEntry] = {}
    for number, table in enumerate(tables, start=1):
        place = Place(name, f"sensor number {number}")
        sensor_id = table.get("id")
        if not isinstance(sensor_id, str):
            read_keys({"id": sensor_id} if "id" in table else {}, site_tables.SENSOR[:1], place)
            raise place.missing("id", "a text in quotes")
        read_id(sensor_id, RESERVED_SENSORS, place)
        place = Place(name, f'sensor "{sensor_id}"')
        if sensor_id in sensors:
            raise place.error("id stands twice; expected a name of its own for each sensor")
        sensors[sensor_id] = read_sensor(table, sensor_id, frame, folder, place)
    check_heads(sensors, name)
    return tuple(sensors.values())


def check_heads(sensors: dict[str, SensorEntry], name: str) -> None:
    """Every head carries a camera of this site, and no camera stands on two."""
    carried: set[str] = set()
    for sensor_id, entry in sensors.items():
        if entry.head is None:
            continue
        place = Place(name, f'sensor "{sensor_id}"', "head.")
        camera = sensors.get(entry.head.carries)
        if camera is None or camera.lens is None:
            raise place.found("carries", entry.head.carries, "the id of a camera of this site")
        if entry.head.carries in carried:
            raise place.found("carries", entry.head.carries, "a camera that stands on no other head")
        carried.add(entry.head.carries)


def read_broker(table: Any, site_id: str, folder: Path | None, place: Place) -> BrokerSettings:
    """Where the messages go, and the outbox: beside the site file unless it says where."""
    written = read_keys(table, site_tables.BROKER, place)
    outbox = read_keys(written["outbox"], site_tables.OUTBOX, place.within("outbox"))
    if written["key"] is not None and written["certificate"] is None:
        raise place.missing("certificate", "the certificate that belongs to key")
    paths = {
        name: resolve(written[name], folder) if written[name] else None for name in ("certificate", "key", "authority")
    }
    check_host("host", written["host"], place)
    return BrokerSettings(
        host=written["host"],
        port=written["port"] or (TLS_PORT if paths["certificate"] or paths["authority"] else PLAIN_PORT),
        certificate=paths["certificate"],
        key=paths["key"] or paths["certificate"],
        authority=paths["authority"],
        outbox_path=resolve(outbox["path"] or f"outbox-{site_id}.db", folder),
        keep_hours=outbox["keep_hours"],
        send_detections=written["send_detections"],
    )


def read_law(table: Any, sensors: tuple[SensorEntry, ...], name: str) -> LawSettings:
    """What may be heard and kept; a sensor that may not be there is refused."""
    law = LawSettings(**read_keys(table, site_tables.LAW, Place(name, "[law]")))
    for entry in sensors:
        if (whose := forbidden(law, entry)) is not None:
            place = Place(name, f'sensor "{entry.sensor.sensor_id}"')
            raise place.found(
                "protocol", entry.protocol, f"none that decodes {whose}: [law] decode_broadcasts is false"
            )
    return law


def read_alarm(table: Any, folder: Path | None, place: Place) -> AlarmSettings | None:
    if table is None:
        return None
    written = read_keys(table, site_tables.ALARM, place)
    for name in written["classes"]:
        if name not in CLASSES:
            raise place.found("classes", written["classes"], f"some of {', '.join(CLASSES)}; {name} is none")
    classes, rest = tuple(written["classes"]), (written["probability"], written["hold_s"], written["longest_s"])
    return AlarmSettings(read_switch(written, folder), classes, *rest)


def read_guard_page(table: Any, place: Place) -> GuardPageSettings | None:
    if table is None:
        return None
    written = read_keys(table, site_tables.GUARD_PAGE, place)
    check_host("host", written["host"], place)
    return GuardPageSettings(written["host"], written["port"])


def read_recording_settings(table: Any, place: Place) -> RecordingSettings:
    written = read_keys(table, site_tables.RECORDING, place)
    keep_gb = written["keep_gb"]
    return RecordingSettings(
        part_s=written["part_minutes"] * 60.0,
        keep_bytes=None if keep_gb is None else round(keep_gb * 1e9),
        least_free_bytes=round(written["least_free_gb"] * 1e9),
    )


def read_tracker(table: Any, place: Place) -> TrackerSettings:
    written = read_keys(table, site_tables.TRACKER, place)
    if written["confirm_at"] <= written["drop_below"]:
        expected = f"more than drop_below, which is {written['drop_below']:g}"
        raise place.found("confirm_at", written["confirm_at"], expected)
    if written["compiled"] and not can_compile():
        raise place.found("compiled", True, "false, since numba is not installed: pip install 'sarhad[fast]'")
    return TrackerSettings(**written)
