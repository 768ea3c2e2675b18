"""One site, one file: a post's TOML, read once, checked whole, explained in words.

Degrees, metres and seconds, as a person with a compass writes them; inside, radians and nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from fusion.camera import Lens
from fusion.types import Geodetic, Sensor, TrackerSettings


class SiteFileError(Exception):
    """One line: file, place, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """The driver's name and its options, as written: {"path": "/dev/ttyUSB0", "baud": 921600}."""

    driver: str
    options: dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class CommandPort:
    """A second port over which a sensor is started; the file's lines are sent again after every reconnect."""

    path: str
    baud: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which detector a camera uses. path None: the one that ships."""

    path: str | None
    sha256: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class SensorEntry:
    """One [[sensor]] of a site file."""

    sensor: Sensor
    device: DeviceSettings
    protocol: str
    protocol_options: dict[str, str | int | float | bool]
    command: CommandPort | None
    lens: Lens | None
    model: ModelSettings | None
    transmits: str | None  # what it radiates and under which permit, in words


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    host: str
    port: int
    certificate: str | None
    key: str | None
    authority: str | None
    outbox_path: str
    keep_hours: float


@dataclass(frozen=True, slots=True)
class Site:
    """A whole post."""

    site_id: str
    origin: Geodetic
    geoid_height_m: float | None
    broker: BrokerSettings
    tracker: TrackerSettings
    sensors: tuple[SensorEntry, ...]
    text: str  # the file as it was read; recordings carry it
    sha256: str
