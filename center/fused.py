"""One picture of many posts, told once a second to pages and to anyone with the read-only role.

    tracks of posts that send tracks only ────────────────────┐ counted
    detections of the others ──▶ tracking.py, one tracker ────┤ counted ──▶ joined by object
    tracks of those others ───────────────────────────────────┘ counted where that tracker has no object of theirs, else named

A post's track takes part while it is confirmed or coasting in space, its post is heard, its time is within 5 s of the center's
(one whose clock is wrong is shown by itself), and its covariance is one. It stands aside for an object of the tracker's that
is made of its post's detections too; so nothing counts twice, and what the tracker does not have yet, or never will, is there:
after 10 s as unconfirmed, for a post's own false track is such an object; so is a true one that a lying post speaks against.
The arithmetic is `fusion/track_fusion.py`'s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from center.detected import DetectedObject, DetectedPicture
from center.picture import Picture
from center.received import FUSED
from fusion.frames import ecef_to_enu_rotation, ecef_to_geodetic, geodetic_to_ecef
from fusion.messages import UPPER, covariance_of, rounded_covariance
from fusion.track_fusion import FusedObject, Report, ReportKey, TrackFusion
from fusion.types import CLASSES, FloatArray
from fusion.wire import (
    VERSION,
    ClaimMessage,
    FusedTrackMessage,
    FusedTracksMessage,
    MemberMessage,
    SiteMessage,
    TrackMessage,
    rfc3339,
)

SAME_TIME_NS = 5_000_000_000
UNCONFIRMED_NS = 10_000_000_000  # a tracker that began anew has its objects again within half of that
LEAST_VARIANCE, LARGEST_VARIANCE = 1e-6, 1e10  # m² or (m/s)²: a millimetre, a hundred kilometres


class Told(NamedTuple):
    """A post's track as the center knows it now."""

    site: SiteMessage
    key: ReportKey
    track: TrackMessage
    time_ns: int


class FusedPicture:
    """Which tracks of all posts are one object. Looks must not overlap."""

    def __init__(self) -> None:
        self.fusion = TrackFusion()
        self.newest = FusedTracksMessage(VERSION, rfc3339(0), ())
        self._unseen_ns: dict[int, int] = {}  # objects that the tracker should have too and has not, and since when

    def look(self, tracks: list[Told], now_ns: int, detected: DetectedPicture | None = None) -> FusedTracksMessage:
        """The fused picture at a time, UTC of the center. detected: what the tracker of all posts' detections sees."""
        if detected is not None and abs(detected.time_ns - now_ns) > SAME_TIME_NS:
            detected = None  # the clock was set since: where its objects were then tells nothing of now
        in_time = (report_of(told) for told in tracks if abs(told.time_ns - now_ns) <= SAME_TIME_NS)
        reports = [report for report in in_time if is_covariance(report.covariance)]
        claims: dict[ReportKey, tuple[ClaimMessage, ...]] = {}
        for one in detected.objects if detected else ():
            report = report_of_detected(one, detected)
            reports.append(report)
            claims[report.key] = one.claims
        found = self.fusion.look(reports, now_ns)
        heard = frozenset(detected.heard) if detected else frozenset()
        unseen = [one.number for one in found if {key[0] for key in one.members} <= heard]
        self._unseen_ns = {number: min(self._unseen_ns.get(number, now_ns), now_ns) for number in unseen}
        unconfirmed = {number for number in unseen if now_ns - self._unseen_ns[number] >= UNCONFIRMED_NS}
        told = tuple(fused_message(one, claims, one.number in unconfirmed) for one in found)
        self.newest = FusedTracksMessage(VERSION, rfc3339(now_ns), told)
        return self.newest


def tracks_to_fuse(picture: Picture, monotonic_ns: int) -> list[Told]:
    """What takes part, each with its post."""
    heard = {
        site_id: site.site
        for site_id, site in picture.sites.items()
        if site.site is not None and not picture.is_silent(site_id, monotonic_ns)
    }
    return [
        Told(site, key, now.track, now.time_ns)
        for key, now in picture.tracks.items()
        if (site := heard.get(key[0])) is not None
        and now.track.direction is None
        and now.track.status in ("confirmed", "coasting")
    ]


def report_of(told: Told) -> Report:
    """A post's track in ECEF axes; its velocity and covariance stand in the frame of the post."""
    track = told.track
    to_ecef = ecef_to_enu_rotation(told.site.latitude_deg, told.site.longitude_deg).T
    place = geodetic_to_ecef(track.latitude_deg, track.longitude_deg, track.height_m)
    state = np.concatenate([place, to_ecef @ np.array(track.velocity_enu_m_s)])
    return Report(
        told.key,
        told.time_ns,
        state,
        turned(to_ecef, covariance_of(track)),
        track.existence_probability,
        tuple(track.classes.get(name, 0.0) for name in CLASSES),
    )


def report_of_detected(one: DetectedObject, picture: DetectedPicture) -> Report:
    """An object of the tracker's as if a post called "fused" told of it; no post may be called so."""
    covariance = np.zeros((6, 6))
    covariance[UPPER] = one.covariance
    covariance = covariance + np.triu(covariance, 1).T
    key = (FUSED, picture.run_id, one.number)
    state, heard = np.array(one.state), frozenset(picture.heard)
    return Report(key, picture.time_ns, state, covariance, one.existence_probability, one.classes, heard)


def is_covariance(P: FloatArray) -> bool:
    """Whether it says of every direction how sure it is, within what a track can be: a post may send anything."""
    spread = np.linalg.eigvalsh(P)
    return bool(spread[0] > LEAST_VARIANCE and spread[-1] < LARGEST_VARIANCE)


def fused_message(
    one: FusedObject, claims: dict[ReportKey, tuple[ClaimMessage, ...]], unconfirmed: bool
) -> FusedTrackMessage:
    """An object as told: degrees, WGS-84, velocity and covariance in east, north and up of its own place."""
    place = ecef_to_geodetic(one.state[:3])
    to_enu = ecef_to_enu_rotation(place.latitude_deg, place.longitude_deg)
    velocity = to_enu @ one.state[3:]
    return FusedTrackMessage(
        fused_number=one.number,
        time=rfc3339(one.time_ns),
        latitude_deg=round(place.latitude_deg, 7),
        longitude_deg=round(place.longitude_deg, 7),
        height_m=round(place.height_m or 0.0, 2),
        velocity_enu_m_s=(round(float(velocity[0]), 2), round(float(velocity[1]), 2), round(float(velocity[2]), 2)),
        covariance=rounded_covariance(turned(to_enu, one.covariance)),
        existence_probability=round(one.existence_probability, 4),
        classes={name: round(value, 4) for name, value in zip(CLASSES, one.classes, strict=True)},
        members=tuple(MemberMessage(*key) for key in one.members if key[0] != FUSED),
        by_detections=any(key[0] == FUSED for key in one.members),
        claims=tuple(claim for key in one.members for claim in claims.get(key, ())),
        unconfirmed=unconfirmed,
    )


def turned(rotation: FloatArray, covariance: FloatArray) -> FloatArray:
    """A covariance of position and velocity, (6, 6), in other axes."""
    both = np.kron(np.eye(2), rotation)
    return np.asarray(both @ covariance @ both.T)
