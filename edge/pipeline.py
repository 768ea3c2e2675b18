"""Readings in, messages out: decoders, tracker and the post's one sequence of messages.

    Reading ──▶ decoder ──▶ Scan, Claim ──▶ tracker ──▶ TracksMessage
                   │             └── where the site file says so ──▶ ScansMessage, for the center's tracker
                   └──────▶ OwnPosition, Status, counts ──▶ health

Nothing here knows whether a reading is live, recorded or simulated, and nothing asks the time: the clock's ticks are
readings too. The same readings in the same order give the same messages, byte for byte.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import msgspec

from edge.gathered_scans import GatheredScans
from edge.moving_cameras import MovingCamera
from edge.radio_law import without_operator
from edge.sensors import decoders_of, is_camera
from edge.shown import detection_message, looked_message, presence_message, remote_message
from edge.site_file import SensorEntry, Site
from edge.watch import PostWatch
from fusion import wire
from fusion.frames import LocalFrame
from fusion.groups import GroupBook
from fusion.messages import claim_message, group_message, track_message
from fusion.tracker import Tracker
from fusion.types import (
    CLOCK,
    NODE,
    Claim,
    Fact,
    Pointing,
    Presence,
    Reading,
    RemoteTrack,
    Scan,
    Track,
    Update,
)

MAX_REMOTE_TRACKS = 2000  # of one system between two messages
LARGEST_CLOCK_ERROR_S = 10.0  # more would make every measurement mean nothing
DETECTIONS_PERIOD_NS = 1_000_000_000  # the map shows raw detections for orientation only
MOST_LOOKED = 32  # regions of one picture
MOST_PRESENCES = 5  # of one sensor in any second: a text may carry a level that is another each time


class Outgoing(NamedTuple):
    """A message on its way: the stream it belongs to, its place in the sequence (0: outside it), its bytes."""

    topic: str
    sequence: int
    payload: bytes


class Pipeline:
    """One run of one post."""

    def __init__(self, site: Site, run_id: str, software: str) -> None:
        self.site, self.run_id = site, run_id
        self.frame = LocalFrame(site.origin)
        self.decoders = decoders_of(site)
        self.tracker = Tracker([entry.sensor for entry in site.sensors], site.tracker, self.frame)
        self.groups = GroupBook()
        self._gathered = GatheredScans(site, run_id) if site.broker.send_detections else None
        self.watch = PostWatch(site, self.frame, self.decoders)
        on_heads = {entry.sensor.sensor_id: entry.head.carries for entry in site.sensors if entry.head}
        self.moving = {
            entry.sensor.sensor_id: MovingCamera(entry.sensor, entry.sensor.sensor_id in on_heads.values())
            for entry in site.sensors
            if is_camera(entry)
        }
        self._told_of = {head: self.moving[camera] for head, camera in on_heads.items()}  # who says where it points
        self._told_of |= {name: camera for name, camera in self.moving.items() if not camera.on_head}
        self._software = software
        self._sequence = 0
        self._detections_published_ns: dict[str, int] = {}
        self._present: dict[str, Presence] = {}  # the last one told, by sensor
        self._presences_ns: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=MOST_PRESENCES))
        self._remote: dict[str, dict[int, RemoteTrack]] = {}  # by sensor and number, since the last message

    def opening(self, started_ns: int) -> Outgoing:
        """The first message of a run: who and where this post is."""
        return self._outgoing(
            "site", site_message(self.site, self.run_id, self._next(), started_ns, self.frame, self._software)
        )

    def sensors(self, started_ns: int) -> list[Outgoing]:
        """What a tracker of all posts' detections must know of this post's sensors; nothing where none are sent."""
        if self._gathered is None:
            return []
        return [Outgoing("sensors", 0, wire.encode(self._gathered.described(started_ns, self.frame)))]

    def feed(self, reading: Reading) -> list[Outgoing]:
        """What one reading makes known."""
        self.watch.saw(reading)
        if reading.sensor_id == CLOCK:
            if reading.data:
                self._note_clock_error()
                return []
            self.watch.note_jumps(self.tracker.jumps())
            self.watch.note_noises(self.tracker.noises())
            return [*self._tracks(self.tracker.tick(reading.received_ns), reading), *self._scans(reading.received_ns)]
        if reading.sensor_id == NODE or (decoder := self.decoders.get(reading.sensor_id)) is None:
            return []
        outgoing: list[Outgoing] = []
        for fact in self._facts(decoder.feed(self.watch.as_sent(reading)), reading.received_ns):
            self.watch.learned(fact)
            if isinstance(fact, Scan | Claim):
                update = self.tracker.apply(fact, reading.received_ns)
                self.watch.applied(fact, update)
                outgoing += self._tracks(update, reading)
                if self._gathered is not None:
                    self._gathered.take(fact)
            if isinstance(fact, Scan):
                outgoing += self._detections(fact)
            if isinstance(fact, RemoteTrack):
                outgoing += self._remote_tracks(fact)
            if isinstance(fact, Presence):
                outgoing += self._presence(fact, reading.monotonic_ns)
        return outgoing

    def tracks_at(self, time_ns: int) -> Iterable[Track]:
        """The picture predicted to a time, for cueing cameras."""
        return self.tracker.tracks_at(time_ns)

    def _facts(self, heard: Iterable[Fact], received_ns: int) -> Iterator[Fact]:
        """What was heard, as the law lets it be kept and as the post knows it."""
        for fact in heard:
            yield from self._placed(fact if self.site.law.keep_operators else without_operator(fact), received_ns)

    def _placed(self, fact: Fact, received_ns: int) -> Iterable[Fact]:
        """The fact by what the post knows beside it, or what it lets be known. All else as it is.

        A camera's scans by where it pointed, once its head has told that. A claim by when it was heard, while the post's clock
        may be anything: then the sender's time says nothing of its age.
        """
        if isinstance(fact, Pointing) and (camera := self._told_of.get(fact.sensor_id)) is not None:
            return fact, *camera.heard(fact)
        if isinstance(fact, Claim) and self.watch.clock_doubted:
            latency_ns = self.watch.sensors[fact.sensor_id].entry.sensor.latency_ns
            return (replace(fact, time_ns=received_ns - latency_ns),)
        if isinstance(fact, Scan) and (camera := self.moving.get(fact.sensor_id)) is not None:
            return camera.saw(fact)
        return (fact,)

    def _note_clock_error(self) -> None:
        self.tracker.note_clock_error(self._clock_error_s())

    def _clock_error_s(self) -> float:
        """What the kernel says of its clock, but never less than the site file states.

        While nothing keeps the clock, what the kernel said last is of use to others only: this post's sensors share it."""
        return self._bounded_s(0.0 if self.watch.undisciplined_ns is not None else self.watch.clock_error_s)

    def _bounded_s(self, said_s: float | None) -> float:
        return min(max(self.site.tracker.clock_error_s, said_s or 0.0), LARGEST_CLOCK_ERROR_S)

    def _scans(self, now_ns: int) -> list[Outgoing]:
        if self._gathered is None:
            return []
        error_s = self._bounded_s(self.watch.clock_error_s) + self.watch.clock_drift_s()
        told = self._gathered.told(now_ns, min(error_s, LARGEST_CLOCK_ERROR_S))
        return [Outgoing("scans", 0, wire.encode(message)) for message in told]

    def _tracks(self, update: Update, reading: Reading) -> list[Outgoing]:
        groups = self.groups.changes(update.tracks, reading.received_ns)
        if not update.tracks and not update.claims and not groups:
            return []
        message = wire.TracksMessage(
            version=wire.VERSION,
            site_id=self.site.site_id,
            run_id=self.run_id,
            sequence=self._next(),
            as_of=wire.rfc3339(reading.received_ns),
            tracks=tuple(
                track_message(track, self.frame, self.groups.group_of(track.track_number)) for track in update.tracks
            ),
            claims=tuple(claim_message(claim) for claim in update.claims),
            groups=tuple(group_message(group) for group in groups),
        )
        return [self._outgoing("tracks", message)]

    def _detections(self, scan: Scan) -> list[Outgoing]:
        last_ns = self._detections_published_ns.get(scan.sensor_id)
        if not scan.detections or (last_ns is not None and scan.time_ns - last_ns < DETECTIONS_PERIOD_NS):
            return []
        found = tuple(detection_message(detection, self.frame) for detection in scan.detections)
        looked = scan.looked or () if scan.sensor_id in self.moving else ()
        return [self._shown(scan.sensor_id, scan.time_ns, found, tuple(map(looked_message, looked[:MOST_LOOKED])))]

    def _remote_tracks(self, track: RemoteTrack) -> list[Outgoing]:
        """Another system's tracks are shown as it tells them, once a second, and never fused."""
        told = self._remote.setdefault(track.sensor_id, {})
        if track.remote_track_number in told or len(told) < MAX_REMOTE_TRACKS:
            told[track.remote_track_number] = track
        last_ns = self._detections_published_ns.get(track.sensor_id)
        if last_ns is not None and 0 <= track.time_ns - last_ns < DETECTIONS_PERIOD_NS:
            return []
        self._remote[track.sensor_id] = {}
        return [self._shown(track.sensor_id, track.time_ns, tuple(map(remote_message, told.values())))]

    def _presence(self, presence: Presence, monotonic_ns: int) -> list[Outgoing]:
        """What is there without a place is told at once when it is new, and once a second while it goes on.

        A thin link and the outbox must last: of one sensor no more than `MOST_PRESENCES` in any second, however new.
        """
        before = self._present.get(presence.sensor_id)
        is_same = before is not None and (before.kind, before.text) == (presence.kind, presence.text)
        if is_same and before is not None and 0 <= presence.time_ns - before.time_ns < DETECTIONS_PERIOD_NS:
            return []
        told_ns = self._presences_ns[presence.sensor_id]
        if len(told_ns) == MOST_PRESENCES and monotonic_ns - told_ns[0] < DETECTIONS_PERIOD_NS:
            return []
        told_ns.append(monotonic_ns)
        self._present[presence.sensor_id] = presence
        return [self._shown(presence.sensor_id, presence.time_ns, (presence_message(presence),))]

    def _shown(
        self,
        sensor_id: str,
        time_ns: int,
        found: tuple[wire.DetectionMessage, ...],
        looked: tuple[wire.LookedMessage, ...] = (),
    ) -> Outgoing:
        """What the map shows for orientation."""
        self._detections_published_ns[sensor_id] = time_ns
        message = wire.DetectionsMessage(
            version=wire.VERSION,
            site_id=self.site.site_id,
            run_id=self.run_id,
            sequence=self._next(),
            sensor_id=sensor_id,
            time=wire.rfc3339(time_ns),
            detections=found,
            looked=looked,
        )
        return self._outgoing("detections", message)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _outgoing(self, name: str, message: msgspec.Struct) -> Outgoing:
        return Outgoing(name, self._sequence, wire.encode(message))


def site_message(
    site: Site, run_id: str, sequence: int, started_ns: int, frame: LocalFrame, software: str
) -> wire.SiteMessage:
    """The post as the map draws it."""
    assert site.origin.height_m is not None
    return wire.SiteMessage(
        version=wire.VERSION,
        site_id=site.site_id,
        run_id=run_id,
        sequence=sequence,
        time=wire.rfc3339(started_ns),
        latitude_deg=site.origin.latitude_deg,
        longitude_deg=site.origin.longitude_deg,
        height_m=site.origin.height_m,
        sensors=tuple(sensor_message(entry, frame) for entry in site.sensors),
        site_sha256=site.sha256,
        software=software,
    )


def sensor_message(entry: SensorEntry, frame: LocalFrame) -> wire.SensorMessage:
    """One sensor with its place and coverage, in degrees and metres."""
    sensor = entry.sensor
    place = frame.enu_to_geodetic(sensor.position_enu_m)
    coverage = sensor.coverage
    return wire.SensorMessage(
        sensor_id=sensor.sensor_id,
        protocol=entry.protocol,
        driver=entry.device.driver,
        latitude_deg=round(place.latitude_deg, 7),
        longitude_deg=round(place.longitude_deg, 7),
        height_m=round(place.height_m or 0.0, 2),
        heading_deg=round(math.degrees(sensor.orientation.heading_rad), 3),
        pitch_deg=round(math.degrees(sensor.orientation.pitch_rad), 3),
        roll_deg=round(math.degrees(sensor.orientation.roll_rad), 3),
        is_aligned=sensor.is_aligned,
        azimuth_deg=degrees_pair(coverage.azimuth_rad) if coverage else None,
        elevation_deg=degrees_pair(coverage.elevation_rad) if coverage else None,
        slant_range_m=coverage.slant_range_m if coverage else None,
    )


def degrees_pair(limits_rad: tuple[float, float]) -> tuple[float, float]:
    return round(math.degrees(limits_rad[0]), 3), round(math.degrees(limits_rad[1]), 3)
