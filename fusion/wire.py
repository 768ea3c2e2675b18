"""The messages that posts and center exchange over MQTT: the wire format, in one place.

    sarhad/v1/<site_id>/{site,tracks,detections,health,sensors,scans,alerts,evidence,media}   up, written by the post alone
    sarhad/v1/<site_id>/{ack,cosign,cue,config,request}                                       down, written by the center alone
    sarhad/v1/fused/{tracks,alerts}                                                           the fused picture, read only

The wire speaks degrees, metres, seconds, WGS-84 and RFC 3339. Every message in the sequence carries `version`, `site_id`,
`run_id` and `sequence`: one count for each (site, run), starting at 1. Health, last will, `sensors` and `scans` (their types:
`scan_messages.py`) stand outside it (sequence 0).
The center acknowledges ranges of it after its commit; only that empties the post's outbox.

Numbers are rounded to what they mean, so that a message is short and the same everywhere: positions to 1e-7 deg and 1 cm,
covariances to six significant digits (they stay positive definite: `tests/fusion/test_wire.py`).
"""

from __future__ import annotations

from datetime import datetime, timezone

import msgspec
import numpy as np

VERSION = 1
TOPIC_ROOT = "sarhad/v1"
UP_TOPICS = ("site", "tracks", "detections", "health", "sensors", "scans", "alerts", "evidence", "media")
DOWN_TOPICS = ("ack", "cosign", "cue", "config", "request")


def topic(site_id: str, name: str) -> str:
    """The full topic of one of a site's streams."""
    return f"{TOPIC_ROOT}/{site_id}/{name}"


def rfc3339(time_ns: int) -> str:
    """UTC with microseconds, such as 2026-03-02T10:15:30.123456Z."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds of what `rfc3339` wrote. Raises ValueError on anything else."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000


class ClaimMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a target says of itself, as received, and how it stands to our measurements."""

    sensor_id: str
    time: str
    protocol: str
    transmitter: str
    agreement: str  # "agrees", "contradicts", "not_testable"
    authenticated: bool
    identity: str | None = None
    identity_type: str | None = None
    category: str | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    height_m: float | None = None
    horizontal_sigma_m: float | None = None
    vertical_sigma_m: float | None = None
    velocity_enu_m_s: tuple[float, float, float | None] | None = None
    operator_latitude_deg: float | None = None
    operator_longitude_deg: float | None = None
    operator_id: str | None = None
    status: str | None = None
    text: str | None = None
    power_dbm: float | None = None
    distance_sigma: float | None = None


class DirectionMessage(msgspec.Struct, frozen=True):
    """A track of which only the direction is known, as seen from one sensor."""

    sensor_id: str
    azimuth_deg: float
    azimuth_sigma_deg: float
    elevation_deg: float | None
    elevation_sigma_deg: float | None
    slant_range_m: tuple[float, float]  # 90 % interval


class ExplanationMessage(msgspec.Struct, frozen=True):
    sensor_id: str
    time: str
    considered: tuple[tuple[int, float], ...]
    chosen: int | None
    dissenting: tuple[str, ...]
    should_have_seen: tuple[str, ...]


class GroupMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tracks that move together."""

    group_number: int
    revision: int
    time: str
    members: tuple[int, ...]  # track numbers; none when it has ended
    count: tuple[int, int]  # 90 % interval of how many of those seen in it are there
    event: str  # "formed", "changed", "merged", "split", "ended"
    others: tuple[int, ...] = ()  # the groups it took in, was split from, or went over into


class TrackMessage(msgspec.Struct, frozen=True):
    """One track. covariance: upper triangle by rows of the 6 x 6 matrix over ENU position (m) and velocity (m/s)."""

    track_number: int
    revision: int
    time: str
    status: str
    reason: str | None
    latitude_deg: float
    longitude_deg: float
    height_m: float
    velocity_enu_m_s: tuple[float, float, float]
    covariance: tuple[float, ...]
    existence_probability: float
    classes: dict[str, float]
    claims: tuple[ClaimMessage, ...]
    sensor_ids: tuple[str, ...]
    last_detection: str
    direction: DirectionMessage | None
    explanation: ExplanationMessage | None
    group_number: int | None = None  # the group that it flies in


class TracksMessage(msgspec.Struct, frozen=True):
    """What one fact or tick changed. as_of: the newest reading that went into it."""

    version: int
    site_id: str
    run_id: str
    sequence: int
    as_of: str
    tracks: tuple[TrackMessage, ...]
    claims: tuple[ClaimMessage, ...]
    groups: tuple[GroupMessage, ...] = ()  # those that changed


class MemberMessage(msgspec.Struct, frozen=True):
    """A post's track that is part of a fused object."""

    site_id: str
    run_id: str
    track_number: int


class FusedTrackMessage(msgspec.Struct, frozen=True):
    """One object as all posts together see it; velocity and covariance in east, north and up of its own place."""

    fused_number: int  # outlives the hand-over from post to post
    time: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    velocity_enu_m_s: tuple[float, float, float]
    covariance: tuple[float, ...]
    existence_probability: float
    classes: dict[str, float]
    members: tuple[MemberMessage, ...]
    by_detections: bool = False  # from the detections of posts that send them, besides the tracks of the others
    claims: tuple[
        ClaimMessage, ...
    ] = ()  # beside what was measured there; sensor_id: the post's name, a stroke, the sensor's
    unconfirmed: bool = False  # for 10 s the detections of all its posts, taken together, have shown no object there


class FusedTracksMessage(msgspec.Struct, frozen=True):
    """The picture of all posts at one time, whole. From the center; not retained, outside every sequence."""

    version: int
    time: str
    tracks: tuple[FusedTrackMessage, ...]


class DetectionMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    azimuth_deg: float | None = None
    elevation_deg: float | None = None
    slant_range_m: float | None = None
    range_rate_m_s: float | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    height_m: float | None = None
    confidence: float | None = None
    classes: dict[str, float] | None = None
    box_px: tuple[float, float, float, float] | None = None
    angular_size_deg: float | None = None  # widest extent as seen from the sensor
    presence: str | None = None  # "spectrum", "motion", "door", ...: something is there, nobody knows where
    text: str | None = None  # what the sensor says of it
    power_dbm: float | None = None
    frequency_hz: float | None = None


class LookedMessage(msgspec.Struct, frozen=True):
    """A part of a camera's picture that was looked at: its corners, clockwise from the left upper one, from true north and the
    level."""

    azimuth_deg: tuple[float, float, float, float]
    elevation_deg: tuple[float, float, float, float]


class DetectionsMessage(msgspec.Struct, frozen=True):
    """The newest scan of one sensor, at most once a second each; of a camera with where it looked."""

    version: int
    site_id: str
    run_id: str
    sequence: int
    sensor_id: str
    time: str
    detections: tuple[DetectionMessage, ...]
    looked: tuple[LookedMessage, ...] = ()


class SensorMessage(msgspec.Struct, frozen=True):
    """One sensor as the map shows it; limits in degrees and metres, in the sensor's body frame."""

    sensor_id: str
    protocol: str
    driver: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    heading_deg: float
    pitch_deg: float
    roll_deg: float
    is_aligned: bool
    azimuth_deg: tuple[float, float] | None
    elevation_deg: tuple[float, float] | None
    slant_range_m: tuple[float, float] | None


class SiteMessage(msgspec.Struct, frozen=True):
    """A post: who and where it is and what it sees with. Retained."""

    version: int
    site_id: str
    run_id: str
    sequence: int
    time: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    sensors: tuple[SensorMessage, ...]
    site_sha256: str
    software: str


class SensorHealthMessage(msgspec.Struct, frozen=True):
    sensor_id: str
    state: str  # "waiting" (never heard), "ok", "silent", "lost", "degraded"
    text: str  # what is wrong and what to do; empty when all is well
    last_reading: str | None
    readings: int
    bytes: int
    scans: int
    detections: int
    decoded: dict[str, int]  # frames by type
    rejected: dict[str, int]  # frames by reason
    dropped: int  # readings that did not fit through the door
    can_see: bool  # a detection is possible right now
    sees: bool = True  # it is meant to see; False: it hears claims, or gives the post's own position
    noticed: str = ""  # the last thing that it noticed without knowing where: a door, a fence, an occupied band
    noticed_at: str | None = None


class OwnPositionMessage(msgspec.Struct, frozen=True):
    sensor_id: str
    time: str
    fix: str
    latitude_deg: float | None
    longitude_deg: float | None
    height_m: float | None
    horizontal_sigma_m: float | None
    satellites_used: int | None
    distance_from_survey_m: float | None
    jammed: bool | None
    spoofed: bool | None


class HealthMessage(msgspec.Struct, frozen=True):
    """How the post is. Outside the sequence; the last will is the same topic with state "gone"."""

    version: int
    site_id: str
    run_id: str
    time: str
    state: str  # "ok", "degraded", "blind", "gone"
    text: str
    sensors: tuple[SensorHealthMessage, ...]
    own_positions: tuple[OwnPositionMessage, ...]
    clock_trusted: bool
    outbox_pending: int
    memory_mb: dict[str, float]  # resident, by process: "edge", "vision"
    temperature_c: float | None
    disk_free_mb: float | None
    late_scans: int
    too_old_scans: int
    ignored_scans: int = 0  # of sensors the tracker does not know, or from the future
    clock_error_s: float | None = None  # the clock is at most so wrong; None: nobody can say
    disk_temperature_c: float | None = None
    disk_worn: float | None = None  # share of its life that is spent; 1 and more: beyond what its maker states
    on_battery: bool | None = None
    battery: float | None = None  # share of its charge
    clock_offset_s: float = 0.0  # the clock now minus this run's times: what it was stepped by since the start
    outbox_dropped: dict[str, int] = {}  # messages that will never come, by topic: too old, or no room for them
    outbox_thinned: int = 0  # messages of tracks' positions only that will never come, for want of room
    scans_dropped: int = 0  # messages of scans, a tenth of a second each, that the link did not take


class CueMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator wants a camera on a pan-tilt head to look at: a track, or a direction; neither takes it back."""

    version: int
    sensor_id: str  # the camera's or its head's
    seconds: float = 0.0  # for so long; then the post chooses again
    track_number: int | None = None
    azimuth_deg: float | None = None
    elevation_deg: float | None = None


class AckMessage(msgspec.Struct, frozen=True):
    """What the center has committed of one run: closed ranges of sequence numbers."""

    version: int
    run_id: str
    ranges: tuple[tuple[int, int], ...]


def encode(message: msgspec.Struct) -> bytes:
    """Canonical JSON: fields in the order of the type, no spaces."""
    return msgspec.json.encode(message, enc_hook=plain_number)


def plain_number(value: object) -> float:
    """A number of numpy's as Python's own. Raises TypeError on anything else."""
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"a message holds {value!r}, which is no number, text, list or struct")


def significant(value: float, digits: int = 6) -> float:
    """The number rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")
