"""The words Sarhad is made of: readings, facts, sensors and tracks.

Data goes through three forms. A device delivers a `Reading` (bytes, stamped). A decoder turns readings into facts:
`Scan | Claim | OwnPosition | Pointing | Presence | RemoteTrack | Status`. The tracker turns scans and claims into `Track`s.

Frames
    level   East, North, Up at the sensor, true north, horizontal there. `Polar` is given in it.
    ENU     the level frame of the site's origin; states and `Position` are given in it.
    body    the sensor's own axes: x right, y forward along the boresight, z up.

Angles are radians, clockwise from north for azimuth. Times are integer nanoseconds, UTC. Every sigma is 1-sigma.
Unknown is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
TrackKey: TypeAlias = tuple[int, str, int]  # a row's birth: time_ns, sensor_id and place among the scan's births
Limits: TypeAlias = tuple[float, float]  # lowest, highest

CLOCK = "clock"  # sensor_id of the clock's own readings: empty ones are ticks, the others events as JSON
NODE = "node"  # sensor_id of what the node says of its devices: lost, back, dropped, as JSON
ASKED = "#asked"  # source of a reading that holds only the node's own questions; no address or MQTT topic has a #
VISION_SUFFIX = "/vision"  # a camera's detector is a sensor of its own: "camera-north/vision"

CLASSES = ("drone", "bird", "airplane", "helicopter", "unknown")
MOST_TRACKLETS = 2**53  # the highest number of one: what all readers of JSON keep whole


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device delivered, untouched, stamped on arrival."""

    sensor_id: str
    received_ns: int  # UTC: the wall clock at the node's start plus monotonic time since
    monotonic_ns: int  # never steps back; strictly growing within one sensor and run
    device_ns: int | None  # the device's own time stamp, in its own epoch
    source: str | None  # the address it came from, where there is one; ASKED
    data: bytes


# What sensors measure


@dataclass(frozen=True, slots=True)
class Polar:
    """A direction, with range and range rate where the sensor gives them; level frame at the sensor."""

    azimuth_rad: float
    azimuth_sigma_rad: float
    elevation_rad: float | None = None
    elevation_sigma_rad: float | None = None
    slant_range_m: float | None = None
    slant_range_sigma_m: float | None = None
    range_rate_m_s: float | None = None  # positive = receding
    range_rate_sigma_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class RangeRate:
    """How fast something comes or goes, from a sensor that measures no direction."""

    range_rate_m_s: float  # positive = receding
    range_rate_sigma_m_s: float
    slant_range_m: float | None = None
    slant_range_sigma_m: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A point in the tracker's ENU frame; up is None where the sensor works in the plane.

    covariance_m2 is the upper triangle, row by row: (EE, EN, EU, NN, NU, UU), or (EE, EN, NN) without up.
    """

    east_m: float
    north_m: float
    up_m: float | None
    covariance_m2: tuple[float, ...]


Measurement: TypeAlias = Polar | RangeRate | Position


@dataclass(frozen=True, slots=True)
class Detection:
    """A sensor's finding that something may be there."""

    measurement: Measurement
    confidence: float  # 0..1, as the sensor rates itself
    classes: tuple[tuple[str, float], ...] = ()  # (class, probability); empty: the sensor does not tell classes
    box_px: tuple[float, float, float, float] | None = None  # x, y of the top-left corner, width, height
    angular_size_rad: float | None = None  # widest extent as seen from the sensor
    power_db: float | None = None  # signal-to-noise ratio, or received power as the sensor scales it
    tracklet: int = 0  # the sensor's own link of looks, all of which tell `classes`; 0: none


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a body is turned: heading clockwise from true north, pitch up, roll right side down, in that order."""

    heading_rad: float
    pitch_rad: float
    roll_rad: float


@dataclass(frozen=True, slots=True)
class Look:
    """A part of space that was looked at, in the body frame of `orientation`.

    Azimuth is counted from the boresight, positive to the right; elevation from the plane of x and y.
    """

    orientation: Orientation
    azimuth_rad: Limits
    elevation_rad: Limits
    slant_range_m: Limits


# Facts: what decoders give


@dataclass(frozen=True, slots=True)
class Scan:
    """One look of one sensor at one time; may be empty. A miss counts only inside `looked`; None: no miss counts."""

    sensor_id: str
    time_ns: int  # when it was true, latency taken off
    looked: tuple[Look, ...] | None
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Geodetic:
    """A point on WGS-84; height above the ellipsoid."""

    latitude_deg: float
    longitude_deg: float
    height_m: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a target says of itself. It may be false; nothing in it is a measurement of ours."""

    sensor_id: str
    time_ns: int
    protocol: str  # "open_drone_id", "ads_b", ...
    transmitter: str  # radio address, or the bridge's key for it; never a placeholder
    identity: str | None
    identity_type: str | None  # "serial", "registration", "utm", "session", "icao"
    category: str | None  # "multirotor", "airplane", ... as claimed
    position: Geodetic | None
    horizontal_sigma_m: float | None
    vertical_sigma_m: float | None
    velocity_enu_m_s: tuple[float, float, float | None] | None
    speed_sigma_m_s: float | None
    operator_position: Geodetic | None
    operator_id: str | None
    status: str | None  # "ground", "airborne", "emergency", ... as claimed
    text: str | None  # self-description, as sent
    authenticated: bool
    power_dbm: float | None  # received


@dataclass(frozen=True, slots=True)
class OwnPosition:
    """Where the post's own receiver says it is, and what it says of time."""

    sensor_id: str
    time_ns: int
    position: Geodetic | None
    altitude_msl_m: float | None
    horizontal_sigma_m: float | None
    fix: str  # "none", "2d", "3d", "differential", "rtk_float", "rtk_fixed", "dead_reckoning", "unknown"
    satellites_used: int | None
    utc_ns: int | None  # the receiver's time, where it gives one with date
    jammed: bool | None
    spoofed: bool | None


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where a sensor points that moves, or that is held against what stands still."""

    sensor_id: str
    time_ns: int
    orientation: Orientation
    sigma_rad: float = 0.0  # of a direction, either way


@dataclass(frozen=True, slots=True)
class Presence:
    """Something is there; no position."""

    sensor_id: str
    time_ns: int
    kind: str  # "spectrum", "motion", "door", "acoustic", ...
    power_dbm: float | None
    frequency_hz: float | None
    text: str


@dataclass(frozen=True, slots=True)
class RemoteTrack:
    """Another system's track; never fused as if it were independent detections."""

    sensor_id: str
    time_ns: int
    remote_track_number: int
    position: Geodetic
    horizontal_sigma_m: float | None
    velocity_enu_m_s: tuple[float, float, float | None] | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a sensor says of its own state."""

    sensor_id: str
    time_ns: int
    level: str  # "ok", "warning", "fault"
    text: str


Fact: TypeAlias = Scan | Claim | OwnPosition | Pointing | Presence | RemoteTrack | Status


# Sensors, as the tracker knows them


@dataclass(frozen=True, slots=True)
class Accuracy:
    """1-sigma errors of one measurement; None where the sensor does not measure it."""

    azimuth_rad: float | None = None
    elevation_rad: float | None = None
    slant_range_m: float | None = None
    range_rate_m_s: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where a sensor can see, in its body frame."""

    azimuth_rad: Limits
    elevation_rad: Limits
    slant_range_m: Limits


@dataclass(frozen=True, slots=True)
class DetectionProbability:
    """Chance to detect a present object in one scan: a constant, or a table by pixels on target.

    `by_pixels` is ((pixels, probability), ...), growing, read with straight lines between its points.
    """

    constant: float | None = None
    by_pixels: tuple[tuple[float, float], ...] | None = None
    pixels_per_rad: float | None = None  # the lens's focal length in pixels; needed with by_pixels
    night: str | None = None  # "same", "none" or None: not measured


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where and how a sensor is mounted, and how well it sees."""

    sensor_id: str
    position_enu_m: tuple[float, float, float]
    orientation: Orientation
    accuracy: Accuracy
    latency_ns: int = 0
    position_sigma_m: float = 0.0
    mounting_sigma_rad: float = 0.0  # of each of heading, pitch and roll
    is_aligned: bool = True  # uncalibrated sensors count ± 5° and are shown so
    coverage: Coverage | None = None
    detection_probability: DetectionProbability | None = None  # None: its silence means nothing
    false_alarms_per_scan: float | None = None
    azimuth_bias_rad: float = 0.0  # measured minus true; taken off by the decoder
    slant_range_bias_m: float = 0.0
    level_to_enu: tuple[float, ...] = (
        1.0,
        0.0,
        0.0,
        0.0,
        1.0,
        0.0,
        0.0,
        0.0,
        1.0,
    )  # 3 x 3 by rows; 50 km off, level differs


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What a site may set of the tracker."""

    acceleration_m_s2: float = 3.0  # 1-sigma manoeuvre a drone may fly
    gate_probability: float = 0.99
    confirm_at: float = 0.90  # existence probability
    drop_below: float = 0.01
    rewind_s: float = 4.0  # how far back a late scan is still worked in
    clock_error_s: float = 0.0  # the site's clock error bound; enters the measurement noise
    clock_drift_ppm: float = 20.0  # by which that grows, for other posts, while nothing disciplines the clock
    compiled: bool = False  # arithmetic by numba: the same tracks but for the last digits; see fusion/kernels.py


# Tracks


@dataclass(frozen=True, slots=True)
class ClaimAgreement:
    """A claim beside a track, and whether the measurements bear it out."""

    claim: Claim
    agreement: str  # "agrees", "contradicts", "not_testable"
    distance_sigma: float | None  # Mahalanobis distance between claim and track, with both covariances


@dataclass(frozen=True, slots=True)
class Direction:
    """What a track that is known as a direction only can honestly say of itself."""

    sensor_id: str
    azimuth_rad: float
    azimuth_sigma_rad: float
    elevation_rad: float | None
    elevation_sigma_rad: float | None
    slant_range_m: Limits  # 90 % interval


class Explanation(msgspec.Struct, frozen=True, gc=False):  # thousands a scan, and none in a cycle
    """Why a track is as it is after an update: what was considered, chosen, against, and silent."""

    sensor_id: str
    time_ns: int
    considered: tuple[tuple[int, float], ...]  # (detection's index in the scan, normalised innovation squared)
    chosen: int | None
    dissenting: tuple[str, ...]  # receivers whose claims contradict the track
    should_have_seen: tuple[str, ...]  # sensors that looked there and reported nothing


class Track(msgspec.Struct, frozen=True, gc=False):  # thousands a scan, and none in a cycle
    """Our estimate of one object over time. Known outside by (site_id, run_id, track_number)."""

    track_number: int  # given at first publication, never changed or reused
    revision: int  # grows with every published form of this track
    time_ns: int
    state: FloatArray  # (6,) east, north, up in m, and their velocities in m/s, ENU
    covariance: FloatArray  # (6, 6)
    existence_probability: float
    status: str  # "tentative", "confirmed", "coasting", "dropped"
    reason: str | None  # why it was dropped: "unseen", "retracted", "merged"
    classes: tuple[tuple[str, float], ...]  # (class, probability), adding up to 1
    claims: tuple[ClaimAgreement, ...]
    sensor_ids: tuple[str, ...]  # that have seen it in the last seconds
    last_detection_ns: int
    direction: Direction | None  # given while the range is not observable
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Group:
    """Tracks that move together. Known outside by (site_id, run_id, group_number)."""

    group_number: int  # given when it forms, never reused
    revision: int
    time_ns: int
    members: tuple[int, ...]  # track numbers, growing; none when it has ended
    count: tuple[int, int]  # 90 % interval of how many of those seen in it are there
    event: str  # "formed", "changed", "merged" (others became part), "split" (from another), "ended"
    others: tuple[int, ...]  # the groups it took in, was split from, or went over into


@dataclass(frozen=True, slots=True)
class Update:
    """What one fact or tick changed."""

    tracks: tuple[Track, ...]  # published ones that changed, dropped ones included
    claims: tuple[ClaimAgreement, ...]  # claims that changed and belong to no track
    late_ns: int = 0  # how much older the fact was than the youngest one before it
    rewound: bool = False
    too_old: bool = False  # older than the rewind window: counted, not used
