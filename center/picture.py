"""What is going on now, over all posts: tracks, claims, sites, health, and what an empty map means.

A track stays while its post goes on without dropping it and has updated it in the last KEPT_NS, by the post's own clock:
so a post whose clock is wrong, or whose backlog comes late, is shown rightly. When a post falls silent its tracks are
marked stale after SILENT_NS, and go after GONE_NS, by the center's clock.

Only the current run of a post counts: the one its newest health message is of, or else the one with the newest time.
Times of the center come in as arguments (monotonic nanoseconds); nothing here asks a clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from typing import Any, TypeAlias

from center.received import Received
from fusion.wire import (
    ClaimMessage,
    DetectionsMessage,
    GroupMessage,
    HealthMessage,
    SensorHealthMessage,
    SiteMessage,
    TrackMessage,
    TracksMessage,
    parse_rfc3339,
)

SECOND_NS = 1_000_000_000
KEPT_NS = 10 * SECOND_NS  # a confirmed track that is not updated for so long has been lost on the way
CLAIM_KEPT_NS = 15 * SECOND_NS  # Remote ID speaks every 1 to 3 s, with losses
SILENT_NS = 5 * SECOND_NS  # health comes once a second
GONE_NS = 60 * SECOND_NS
MAX_SITES = 1_000
MAX_TRACKS = 10_000  # now, in all; of the post that has most, the oldest give way
MAX_CLAIMS = 10_000
MAX_MEMBERS_OF_A_POST = 20_000  # in all its groups; those told of longest ago give way
TRAIL_LENGTH = 120
TRAIL_STEP_NS = SECOND_NS // 2

TrackKey: TypeAlias = tuple[str, str, int]  # site_id, run_id, track_number
GroupKey: TypeAlias = tuple[str, str, int]  # site_id, run_id, group_number
ClaimKey: TypeAlias = tuple[str, str, str]  # site_id, sensor_id, transmitter
TrailPoint: TypeAlias = tuple[float, float]  # longitude_deg, latitude_deg, as GeoJSON orders them


@dataclass(slots=True)
class TrackNow:
    """A track in its newest form, and where it has been."""

    site_id: str
    run_id: str
    track: TrackMessage
    time_ns: int
    received_ns: int
    trail: deque[TrailPoint] = field(default_factory=lambda: deque(maxlen=TRAIL_LENGTH))
    trail_ns: int = 0

    def extend_trail(self) -> None:
        if self.track.direction is None and self.time_ns - self.trail_ns >= TRAIL_STEP_NS:
            self.trail.append((self.track.longitude_deg, self.track.latitude_deg))
            self.trail_ns = self.time_ns


@dataclass(slots=True)
class ClaimNow:
    """A claim that belongs to no track."""

    site_id: str
    run_id: str
    claim: ClaimMessage
    time_ns: int
    received_ns: int


@dataclass(slots=True)
class SiteNow:
    """A post as last heard."""

    site_id: str
    run_id: str = ""
    site: SiteMessage | None = None
    health: HealthMessage | None = None
    newest_ns: int = 0  # of the post's own clock, within its current run
    heard_ns: int = 0  # the center's monotonic clock
    received_ns: int = 0  # UTC of the last message
    latency_ms: float | None = None  # from the newest reading in the last tracks message to its receipt here
    detections: dict[str, DetectionsMessage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether a post can see, in words and in parts."""

    state: str  # "sees", "partly", "blind", "hears" (only claims), "silent", "gone", "unknown"
    text: str
    seeing: tuple[str, ...]  # sensor ids
    not_seeing: tuple[str, ...]


class Picture:
    """Everything now. Belongs to one thread."""

    def __init__(self) -> None:
        self.sites: dict[str, SiteNow] = {}
        self.tracks: dict[TrackKey, TrackNow] = {}
        self.claims: dict[ClaimKey, ClaimNow] = {}
        self.groups: dict[GroupKey, GroupMessage] = {}  # those that fly now

    def apply(self, received: Received, monotonic_ns: int) -> None:
        """Work one message in, heard at a time of the center's clock."""
        site = self.sites.get(received.site_id)
        if site is None:
            if len(self.sites) >= MAX_SITES:
                return
            site = self.sites[received.site_id] = SiteNow(received.site_id)
        if not self._is_of_current_run(site, received):
            return
        site.received_ns = max(site.received_ns, received.received_ns)
        site.newest_ns = max(site.newest_ns, time_of(received))
        site.heard_ns = monotonic_ns
        message = received.message
        if isinstance(message, TracksMessage):
            site.latency_ms = round((received.received_ns - parse_rfc3339(message.as_of)) / 1e6, 1)
            self._apply_tracks(received, message)
        elif isinstance(message, HealthMessage):
            site.health = message
        elif isinstance(message, SiteMessage):
            site.site = message
        elif isinstance(message, DetectionsMessage) and len(site.detections) < MAX_SITES:
            site.detections[message.sensor_id] = message

    def expire(self, monotonic_ns: int) -> None:
        """Take out what is too old to be shown as now."""
        for key, track in list(self.tracks.items()):
            if self._is_past(track.site_id, track.time_ns, KEPT_NS, monotonic_ns):
                del self.tracks[key]
        for claim_key, claim in list(self.claims.items()):
            if self._is_past(claim.site_id, claim.time_ns, CLAIM_KEPT_NS, monotonic_ns):
                del self.claims[claim_key]
        for site_id, run_id, number in [
            key for key, group in self.groups.items() if not any((*key[:2], n) in self.tracks for n in group.members)
        ]:
            del self.groups[site_id, run_id, number]

    def forget_posts(self, heard_before_ns: int) -> None:
        """Take out the posts that were last heard before a time of the center's monotonic clock."""
        for site_id in [name for name, site in self.sites.items() if site.heard_ns < heard_before_ns]:
            self._forget_run(self.sites.pop(site_id))

    def is_silent(self, site_id: str, monotonic_ns: int) -> bool:
        """Whether a post has not been heard for a while: what it said last is stale."""
        site = self.sites.get(site_id)
        return site is None or monotonic_ns - site.heard_ns > SILENT_NS

    def sight(self, site_id: str, monotonic_ns: int) -> Sight:
        """Whether this post can see: what an empty map means there."""
        site = self.sites.get(site_id)
        if site is None:
            return Sight("unknown", f"{site_id} has never reported", (), ())
        return sight_of(site, self.is_silent(site_id, monotonic_ns))

    def summary(self, monotonic_ns: int) -> str:
        """One line for an empty map, and for a full one."""
        if not self.sites:
            return "no post has reported"
        count = len(self.tracks)
        seen = "nothing seen" if not count else f"{count} track{'s' if count > 1 else ''}"
        return "; ".join([seen, *(self.sight(site_id, monotonic_ns).text for site_id in sorted(self.sites))])

    def _is_of_current_run(self, site: SiteNow, received: Received) -> bool:
        """Whether a message speaks of the post as it is now; a health message of another run begins that run."""
        if site.run_id == received.run_id:
            return True
        message = received.message
        is_alive = isinstance(message, HealthMessage) and message.state != "gone"
        begins = not site.run_id or is_alive or (site.health is None and time_of(received) > site.newest_ns)
        if begins:
            self._forget_run(site)
            site.run_id = received.run_id
        return begins

    def _forget_run(self, site: SiteNow) -> None:
        self.tracks = {key: track for key, track in self.tracks.items() if track.site_id != site.site_id}
        self.claims = {key: claim for key, claim in self.claims.items() if claim.site_id != site.site_id}
        self.groups = {key: group for key, group in self.groups.items() if key[0] != site.site_id}
        site.detections.clear()
        site.newest_ns, site.latency_ms = 0, None

    def _apply_tracks(self, received: Received, message: TracksMessage) -> None:
        for track in message.tracks:
            self._apply_track(received, track)
        for claim in message.claims:
            key = (received.site_id, claim.sensor_id, claim.transmitter)
            known, time_ns = self.claims.pop(key, None), parse_rfc3339(claim.time)
            is_newer = known is None or time_ns >= known.time_ns
            now = ClaimNow(received.site_id, received.run_id, claim, time_ns, received.received_ns)
            self.claims[key] = now if is_newer or known is None else known
        for group in message.groups:
            self._apply_group((received.site_id, received.run_id, group.group_number), group)
        drop_surplus(self.tracks, MAX_TRACKS)
        drop_surplus(self.claims, MAX_CLAIMS)

    def _apply_track(self, received: Received, track: TrackMessage) -> None:
        key = (received.site_id, received.run_id, track.track_number)
        now = self.tracks.get(key)
        if now is not None and now.track.revision > track.revision:
            return  # an older form, come late
        if track.status == "dropped":
            self.tracks.pop(key, None)
            return
        if now is None:
            now = self.tracks[key] = TrackNow(received.site_id, received.run_id, track, 0, 0)
        now.track, now.time_ns, now.received_ns = track, parse_rfc3339(track.time), received.received_ns
        now.extend_trail()
        for claim in track.claims:
            alone = self.claims.get((received.site_id, claim.sensor_id, claim.transmitter))
            if alone is not None and alone.time_ns <= parse_rfc3339(claim.time):
                del self.claims[(received.site_id, claim.sensor_id, claim.transmitter)]

    def _apply_group(self, key: GroupKey, group: GroupMessage) -> None:
        known = self.groups.get(key)
        if known is not None and known.revision > group.revision:
            return
        if group.event == "ended":
            self.groups.pop(key, None)
            return
        self.groups.pop(key, None)
        self.groups[key] = group  # the newest stand last
        of_post = [one for one in self.groups if one[0] == key[0]]
        members = sum(len(self.groups[one].members) for one in of_post)
        for one in of_post:
            if members <= MAX_MEMBERS_OF_A_POST:
                break
            members -= len(self.groups.pop(one).members)

    def _is_past(self, site_id: str, time_ns: int, kept_ns: int, monotonic_ns: int) -> bool:
        site = self.sites[site_id]
        return monotonic_ns - site.heard_ns >= GONE_NS or site.newest_ns - time_ns > kept_ns


def sight_of(site: SiteNow, is_silent: bool) -> Sight:
    """Whether a post can see, from its newest health. Sensors that are not meant to see count for nothing here."""
    health, name = site.health, site.site_id
    if health is None:
        return Sight("silent" if is_silent else "unknown", f"{name} has not yet said what it can see", (), ())
    eyes = [sensor for sensor in health.sensors if sensor.sees]
    seeing = tuple(sensor.sensor_id for sensor in eyes if sensor.can_see)
    not_seeing = tuple(sensor.sensor_id for sensor in eyes if not sensor.can_see)
    if health.state == "gone":
        return Sight("gone", f"{name} is gone: {health.text or 'it left the broker'}", (), seeing + not_seeing)
    if is_silent:
        return Sight("silent", f"{name} is silent: what it sees is not known", (), seeing + not_seeing)
    if not eyes and health.sensors:
        return Sight("hears", f"{name} hears only what broadcasts", (), ())
    reasons = "; ".join(fault_of(sensor) for sensor in eyes if not sensor.can_see)
    if not seeing or health.state == "blind":
        text = f"{name} is blind: {reasons or health.text or 'no sensor can see'}"
        return Sight("blind", text, (), seeing + not_seeing)
    states = [f"{sensor.sensor_id} {sensor.state}" for sensor in eyes if sensor.can_see]
    text = f"{name} can see: {', '.join(states)}"
    if not not_seeing:
        return Sight("sees", text, seeing, ())
    return Sight("partly", f"{text}; cannot see: {reasons}", seeing, not_seeing)


def fault_of(sensor: SensorHealthMessage) -> str:
    return f"{sensor.sensor_id} {sensor.state}{': ' * bool(sensor.text)}{sensor.text}"


def time_of(received: Received) -> int:
    """The post's own time of a message, ns; 0 where it gives none."""
    message = received.message
    if isinstance(message, TracksMessage):
        return parse_rfc3339(message.as_of)
    if isinstance(message, SiteMessage | DetectionsMessage | HealthMessage):
        return parse_rfc3339(message.time)
    return 0


def drop_surplus(things: dict[Any, Any], limit: int) -> None:
    """Keep `limit`: one after the other the oldest by receipt goes of the post that has most, by name where two have."""
    if len(things) <= limit:
        return
    of_post: dict[str, deque[Any]] = {}
    for key in sorted(things, key=lambda key: things[key].received_ns):
        of_post.setdefault(key[0], deque()).append(key)
    counts = [(-len(keys), site_id) for site_id, keys in of_post.items()]
    heapify(counts)
    for _ in range(len(things) - limit):
        count, site_id = counts[0]
        del things[of_post[site_id].popleft()]
        heapreplace(counts, (count + 1, site_id))
