"""The files a site file names: a sensor's start lines, a detector's model, the terrain. Found, hashed, read.

Without a folder (a site file that came out of a recording) nothing is looked for: the files stand on another machine.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from edge import site_tables
from edge.site_keys import Place, read_keys, resolve
from edge.site_types import ModelSettings, Site, TerrainSettings
from fusion.types import CLASSES

ALIGNED_PICTURE_BYTES = 15_000_000  # it goes to the vision process in one message, of 16 MiB at most
START_FILE_BYTES = 1_000_000  # a sensor's start file is a page of text
SECRETS = ("certificate", "key", "authority", "password_file")  # what a device's options may name


def read_lines(path: str, folder: Path | None, place: Place) -> tuple[str, ...]:
    """The lines of a start file, without comments (%, #) and empty ones; none without a folder."""
    if folder is None:
        return ()
    text = read_file(resolve(path, folder), path, "send", place, START_FILE_BYTES).decode("utf-8", "replace")
    lines = tuple(line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "%#")
    if not lines:
        raise place.found("send", path, "a file with lines to send; it holds none")
    return lines


def read_model(table: Any, is_camera: bool, folder: Path | None, place: Place) -> ModelSettings | None:
    """A camera's detector; the file must be there and be the one its hash says."""
    inside = place.within("model")
    written = read_keys(table, site_tables.MODEL, inside)
    if not is_camera:
        if table:
            raise place.found("model", table, "none; only a camera has one")
        return None
    if written["path"] is None and written["sha256"] is not None:
        raise inside.missing("path", "the model file that sha256 belongs to")
    path = None if written["path"] is None else resolve(written["path"], folder)
    check_hash(path, written["path"], written["sha256"], folder, inside)
    return ModelSettings(path, written["sha256"], written["confidence"], written["spectrum"])


def read_aligned_picture(table: Any, is_camera: bool, folder: Path | None, place: Place) -> str | None:
    """The picture by which a camera was aligned; the file must be there, not too large, and be the one its hash says."""
    if table is None:
        return None
    if not is_camera:
        raise place.found("aligned_picture", table, "none; only a camera has one")
    inside = place.within("aligned_picture")
    written = read_keys(table, site_tables.ALIGNED_PICTURE, inside)
    path = resolve(written["path"], folder)
    check_hash(path, written["path"], written["sha256"], folder, inside, ALIGNED_PICTURE_BYTES)
    return path


def check_classes(options: dict[str, Any], place: Place) -> None:
    """Whether a model's classes are mapped to ones that are known here."""
    for name, meant in (options.get("classes") or {}).items():
        if meant not in CLASSES:
            raise place.within("classes").found(name, meant, "one of " + ", ".join(CLASSES))


def read_terrain(table: Any, folder: Path | None, place: Place) -> TerrainSettings | None:
    if table is None:
        return None
    inside = place.within("terrain")
    written = read_keys(table, site_tables.TERRAIN, inside)
    path = resolve(written["path"], folder)
    check_hash(path, written["path"], written["sha256"], folder, inside)
    return TerrainSettings(path, written["datum"], written["sha256"].lower())


def check_certificates(site: Site, name: str) -> None:
    """Whether the certificates, keys and password files that the site names can be read here. Raises SiteFileError.

    Apart from reading the site: a site may also be looked at where its secrets are not, as in a replay.
    """
    broker = Place(name, "[broker]")
    for key in ("certificate", "key", "authority"):
        if path := getattr(site.broker, key):
            read_file(path, path, key, broker, None)
    for entry in site.sensors:
        device = Place(name, f'sensor "{entry.sensor.sensor_id}"', "device.")
        for key in SECRETS:
            if path := entry.device.options.get(key):
                read_file(str(path), str(path), key, device, None)


def check_hash(
    path: str | None,
    written: str | None,
    sha256: str | None,
    folder: Path | None,
    place: Place,
    most_bytes: int | None = None,
) -> None:
    """Whether the named file is there, no larger than it may be, and has the stated SHA-256."""
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise place.found("sha256", sha256, "64 hexadecimal digits")
    if folder is None or path is None:
        return
    found = hashlib.sha256(read_file(path, str(written), "path", place, most_bytes)).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise place.found("sha256", sha256, f"{found}, as {written} has it")


def read_file(path: str, written: str, key: str, place: Place, most_bytes: int | None) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise place.found(key, written, f"a file that can be read ({path}: {reason})") from error
    if most_bytes is not None and len(data) > most_bytes:
        raise place.found(key, written, f"a file of at most {most_bytes} bytes; it has {len(data)}")
    return data
