"""One message as it came from a post: read, checked, or refused with a reason that is counted.

    topic    sarhad/v1/<site_id>/<name>        one of `fusion.wire.UP_TOPICS`
    payload  JSON of that name's type in `fusion.wire`, at most MAX_PAYLOAD_BYTES

Reasons: "topic" (not one of ours), "oversized", "malformed" (not the JSON of its type, or a number out of its range),
"version", "site_mismatch" (a post speaks for another one), "overload" (the store is behind; the post sends again),
"unstorable" (the store does not take even its envelope).

A message whose envelope is right but whose body is not is kept and acknowledged, else its post would send it for ever;
it is not shown. One of another version is not acknowledged: the post keeps it until the center understands it.
Alerts, evidence and media are kept by their envelope; their bodies are not read here. Nor are those of sensors and scans,
which are for the tracker's process and are not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from fusion.wire import (
    TOPIC_ROOT,
    UP_TOPICS,
    VERSION,
    ClaimMessage,
    DetectionsMessage,
    GroupMessage,
    HealthMessage,
    SiteMessage,
    TrackMessage,
    TracksMessage,
    parse_rfc3339,
)

HIGHEST_VARIANCE = 1e12  # m² or (m/s)²: a thousand kilometres
HIGHEST_SPEED_M_S = 1e5
HIGHEST_HEIGHT_M = 1e7
MAX_PAYLOAD_BYTES = 1_048_576  # 1 MiB: some thousand tracks in one message
MAX_MEMBERS = 10_000  # of a group: as many as there may be tracks
MAX_SEQUENCE = 2**53 - 1  # what JSON readers in browsers keep exactly
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")  # of a site or a run; fits a topic and an address
FOR_THE_TRACKER = ("sensors", "scans")
FUSED = "fused"  # sarhad/v1/fused/... is the center's own
LATEST_NS = 2**63 - 1  # in the year 2262: what the store holds as a whole number
UPPER_TRIANGLE_LENGTH = 21  # of a 6 x 6 matrix
DIAGONAL = (0, 6, 11, 15, 18, 20)  # the variances in it


class Envelope(msgspec.Struct, frozen=True):
    """What every message in the sequence carries."""

    version: int
    site_id: str
    run_id: str
    sequence: int = 0


Message: TypeAlias = SiteMessage | TracksMessage | DetectionsMessage | HealthMessage | Envelope

DECODERS: dict[str, msgspec.json.Decoder[Message]] = {
    "site": msgspec.json.Decoder(SiteMessage),
    "tracks": msgspec.json.Decoder(TracksMessage),
    "detections": msgspec.json.Decoder(DetectionsMessage),
    "health": msgspec.json.Decoder(HealthMessage),
    "sensors": msgspec.json.Decoder(Envelope),
    "scans": msgspec.json.Decoder(Envelope),
    "alerts": msgspec.json.Decoder(Envelope),
    "evidence": msgspec.json.Decoder(Envelope),
    "media": msgspec.json.Decoder(Envelope),
}
ENVELOPES: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope)


class Refused(Exception):
    """A message that cannot be taken. `reason` is one of a few short words that are counted."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason, self.text = reason, text


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is kept. message None: its body could not be read, `fault` says why."""

    name: str  # the topic's last part
    site_id: str
    run_id: str
    sequence: int  # 0: outside the sequence
    received_ns: int  # UTC, at the center
    payload: bytes
    message: Message | None
    fault: str | None = None
    event_number: int = 0  # its place in everything this center received; grows for ever


def read(topic: str, payload: bytes, received_ns: int) -> Received:
    """One message from the broker. Raises Refused."""
    site_id, name = split_topic(topic)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Refused("oversized", f"{topic}: {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are taken")
    envelope = read_envelope(topic, payload, site_id)
    message: Message | None
    try:
        message, fault = DECODERS[name].decode(payload), None
        check(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if envelope.sequence == 0:
            raise Refused("malformed", f"{topic}: {error}") from error
        message, fault = None, f"malformed: {error}"
    return Received(name, site_id, envelope.run_id, envelope.sequence, received_ns, payload, message, fault)


def split_topic(topic: str) -> tuple[str, str]:
    """The site and the name in a topic. Raises Refused."""
    root, site_id, name = topic[: len(TOPIC_ROOT)], *topic[len(TOPIC_ROOT) + 1 :].partition("/")[::2]
    if root != TOPIC_ROOT or name not in UP_TOPICS or site_id == FUSED or not NAME.fullmatch(site_id):
        raise Refused("topic", f"{topic!r} is not {TOPIC_ROOT}/<site_id>/ with one of {', '.join(UP_TOPICS)}")
    return site_id, name


def read_envelope(topic: str, payload: bytes, site_id: str) -> Envelope:
    """What says whose message this is and which one. Raises Refused."""
    try:
        envelope = ENVELOPES.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused("malformed", f"{topic}: {error}") from error
    if envelope.version != VERSION:
        raise Refused("version", f"{topic}: version is {envelope.version}; this center speaks {VERSION}")
    if envelope.site_id != site_id:
        raise Refused("site_mismatch", f"{topic}: the message says it is from {envelope.site_id!r}")
    if not NAME.fullmatch(envelope.run_id):
        raise Refused("malformed", f"{topic}: run_id is {envelope.run_id[:140]!r}; expected {NAME.pattern}")
    lowest = 0 if topic.rpartition("/")[2] in ("health", "site", *FOR_THE_TRACKER) else 1
    if not lowest <= envelope.sequence <= MAX_SEQUENCE:
        raise Refused("malformed", f"{topic}: sequence is {envelope.sequence}; expected {lowest} to {MAX_SEQUENCE}")
    return envelope


def check(message: Message) -> None:
    """Whether the numbers lie where they can be. Raises ValueError, naming the field."""
    if isinstance(message, TracksMessage):
        check_time(message.as_of)
        for track in message.tracks:
            check_track(track)
        for claim in message.claims:
            check_claim(claim)
        for group in message.groups:
            check_group(group)
    elif isinstance(message, DetectionsMessage):
        check_time(message.time)
    elif isinstance(message, SiteMessage):
        check_time(message.time)
        check_place(message.latitude_deg, message.longitude_deg)
        for sensor in message.sensors:
            check_place(sensor.latitude_deg, sensor.longitude_deg)
    elif isinstance(message, HealthMessage):
        check_time(message.time)


def check_track(track: TrackMessage) -> None:
    check_time(track.time)
    check_time(track.last_detection)
    check_place(track.latitude_deg, track.longitude_deg)
    if not 0 < track.track_number <= MAX_SEQUENCE or not 0 <= track.revision <= MAX_SEQUENCE:
        raise ValueError(f"track_number {track.track_number}, revision {track.revision}: out of range")
    if len(track.covariance) != UPPER_TRIANGLE_LENGTH:
        raise ValueError(f"covariance has {len(track.covariance)} numbers; expected {UPPER_TRIANGLE_LENGTH}")
    if not all(abs(number) <= HIGHEST_VARIANCE for number in track.covariance):
        raise ValueError(f"covariance is {track.covariance}; expected numbers within ± {HIGHEST_VARIANCE:g}")
    if not all(track.covariance[i] >= 0.0 for i in DIAGONAL):
        raise ValueError(f"covariance is {track.covariance}; expected no variance below 0")
    check_within("height_m", (track.height_m,), HIGHEST_HEIGHT_M)
    check_within("velocity_enu_m_s", track.velocity_enu_m_s, HIGHEST_SPEED_M_S)
    for chance in (track.existence_probability, *track.classes.values()):
        if not 0.0 <= chance <= 1.0:
            raise ValueError(f"existence_probability and classes: {chance} is no probability")
    for claim in track.claims:
        check_claim(claim)


def check_group(group: GroupMessage) -> None:
    check_time(group.time)
    if not 0 < group.group_number <= MAX_SEQUENCE or not 0 <= group.revision <= MAX_SEQUENCE:
        raise ValueError(f"group_number {group.group_number}, revision {group.revision}: out of range")
    if len(group.members) > MAX_MEMBERS or len(set(group.members)) < len(group.members):
        raise ValueError(f"{len(group.members)} members; expected at most {MAX_MEMBERS}, each once")
    if not 0 <= group.count[0] <= group.count[1] <= 2 * MAX_MEMBERS:
        raise ValueError(f"count is {group.count}; expected the least and the most that may be there")


def check_within(field: str, numbers: tuple[float, ...], highest: float) -> None:
    if not all(abs(number) <= highest for number in numbers):
        raise ValueError(f"{field} is {numbers}; expected numbers within ± {highest:g}")


def check_claim(claim: ClaimMessage) -> None:
    check_time(claim.time)
    if claim.latitude_deg is not None and claim.longitude_deg is not None:
        check_place(claim.latitude_deg, claim.longitude_deg)
    if claim.operator_latitude_deg is not None and claim.operator_longitude_deg is not None:
        check_place(claim.operator_latitude_deg, claim.operator_longitude_deg)


def check_time(text: str) -> None:
    if not 0 <= parse_rfc3339(text) <= LATEST_NS:
        raise ValueError(f"time {text}: expected 1970 to 2262")


def check_place(latitude_deg: float, longitude_deg: float) -> None:
    if not (-90.0 <= latitude_deg <= 90.0 and -180.0 <= longitude_deg <= 180.0):
        raise ValueError(f"latitude_deg {latitude_deg}, longitude_deg {longitude_deg}: not on the Earth")
