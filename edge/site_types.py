"""What a site file holds once it is read: the words `edge/site_file.py` gives and the rest of the node uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fusion.camera import Lens
from fusion.types import Geodetic, Sensor, TrackerSettings


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """The driver's name and all its options, defaults filled in: {"path": "/dev/ttyUSB0", "baud": 921600, ...}.

    Options that were left out and have no default are absent. Relative paths are already joined to the site's folder.
    """

    driver: str
    options: dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class CommandPort:
    """A second port over which a sensor is started; the file's lines are sent again after every reconnect."""

    path: str
    baud: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SwitchSettings:
    """Something that is switched on and off: a file of the kernel's, or a channel of a serial relay board."""

    switch: str  # "kernel_file", "serial_relay"
    path: str
    on: str
    off: str
    channel: int


@dataclass(frozen=True, slots=True)
class PowerSettings:
    """A switch in a sensor's supply, and when it is used."""

    switch: SwitchSettings
    off_s: float
    after_s: float


@dataclass(frozen=True, slots=True)
class PrivateZone:
    """A box of directions in which no camera rests; azimuth from true north, clockwise from its first limit."""

    azimuth_rad: tuple[float, float]
    elevation_rad: tuple[float, float]


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """A pan-tilt head: the camera on it, and how it may be turned."""

    carries: str
    address: int
    lag_s: float
    tilt_limits_rad: tuple[float, float]
    private_zones: tuple[PrivateZone, ...]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which detector a camera uses. path None: the one that ships. spectrum None: each picture's colours tell."""

    path: str | None
    sha256: str | None
    confidence: float
    spectrum: Literal["visible", "infrared"] | None = None


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
    power: PowerSettings | None = None
    head: HeadSettings | None = None
    aligned_picture: str | None = None  # the file


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the post's messages go; over TLS where a certificate or an authority is given."""

    host: str
    port: int
    certificate: str | None
    key: str | None
    authority: str | None
    outbox_path: str
    keep_hours: float
    send_detections: bool = False

    @property
    def is_tls(self) -> bool:
        return self.certificate is not None or self.authority is not None


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """How recordings are cut into parts, and what is left of the disk."""

    part_s: float = 3600.0
    keep_bytes: int | None = None
    least_free_bytes: int = 2_000_000_000


@dataclass(frozen=True, slots=True)
class LawSettings:
    """What may be heard and kept here. decode_broadcasts None: the site file does not say."""

    decode_broadcasts: bool | None = None
    keep_operators: bool = True


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """A buzzer or light at the post, and what switches it on."""

    switch: SwitchSettings
    classes: tuple[str, ...]
    probability: float
    hold_s: float
    longest_s: float | None = None  # one object keeps it on; None: as long as it is there


@dataclass(frozen=True, slots=True)
class GuardPageSettings:
    """Where the guards' page is served."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TerrainSettings:
    """The ground's heights: a file, the datum they are counted from, and the file's hash."""

    path: str
    datum: str
    sha256: str


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
    terrain: TerrainSettings | None = None
    recording: RecordingSettings = RecordingSettings()
    law: LawSettings = LawSettings()
    alarm: AlarmSettings | None = None
    guard_page: GuardPageSettings | None = None
