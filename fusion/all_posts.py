"""One tracker on the detections of all posts: a tile of the Earth each, every sensor with its own position and level.

    post ── sensors, scans ──▶ admitted? ──▶ each tile that the sensor reaches ──▶ Tracker ──┐
                                  │                                                          ▼
                                  └── refused, counted by post and reason    hand_over.py: one number an object

The algorithm is the post's (`tracker.py`); late scans rewind as there. What many posts make different is here:

- A sensor feeds every tile that it reaches, and the seam around it; a scan's points are turned into each tile's frame.
- A post harms only itself. Its scans count where their times can be true, its sensors where their numbers can be and near its
  origin; it has no more of the tiles, and of the trackers' time, than an honest post needs, and no more transmitters. Where
  all posts want too many tiles, one that only posts with more tiles feed gives way to a post with fewer.
- What it measures is believed as far as its sensors' accuracies say.
- A tile whose sensors change begins a new tracker and works in what came in the last seconds: its tracks are soon there again.
  Sensors count from their first scan: one that sends nothing changes nothing.
- Where the center's clock was set back, all trackers begin anew: one that knows a later time would wait until then.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from fusion.admission import LONGEST_TEXT, check_sensors
from fusion.frames import LocalFrame, ecef_to_enu_rotation, geodetic_to_ecef
from fusion.hand_over import SEAM_M, HandOver, Numbered, Sighted
from fusion.posts import Looks, Post, refusal, refusal_of_claim
from fusion.scan_messages import (
    ScansMessage,
    SensorDescription,
    SensorsMessage,
    claim_of,
    scan_of,
    sensor_of,
)
from fusion.tiles import Tile, depth_m, middle_of, tiles_near
from fusion.tracker import Tracker
from fusion.types import Claim, Detection, FloatArray, Geodetic, Position, Scan, Sensor, Track, TrackerSettings

REACH_M = 15_000.0  # of a sensor that does not tell its coverage
FARTHEST_REACH_M = 60_000.0  # what is measured farther off stays out of the tiles there
FARTHEST_CLAIM_M = 45_000.0  # from a tile's middle: its corner and the seam
MOST_CLOCK_ERROR_S = 10.0  # as at a post; more would make every measurement mean nothing
MOST_POSTS, MOST_TILES = 500, 200  # posts in all; with a tracker
REDESCRIBED_NS = 60_000_000_000  # between two changes of a post's sensors; twice as long each time, up to
RAREST_NS = 3_600_000_000_000  # after as long without one, it begins again
SET_BACK_NS = 1_000_000_000  # received so much earlier than what was worked in before: the center's clock was set back
MOST_TILES_OF_POST = 16  # a radar of 60 km at a corner reaches so many
WARM_NS = 8_000_000_000  # a new tracker works in what came in so long before
MOST_WARM = 2_000  # scans and claims
IDLE_NS = 60_000_000_000  # a tile of which nothing has come for so long is given up


class Arrived(NamedTuple):
    message: ScansMessage
    received_ns: int


class TileTracker:
    """The tracker of one tile."""

    def __init__(self, tile: Tile, settings: TrackerSettings) -> None:
        self.tile, self._settings = tile, settings
        self.frame = LocalFrame(middle_of(tile))
        self.to_ecef = ecef_to_enu_rotation(self.frame.origin.latitude_deg, self.frame.origin.longitude_deg).T
        self.began = 0  # trackers so far
        self.sensors: dict[str, Sensor] = {}
        self.heard_ns = 0
        self.feeders: dict[str, int] = {}  # posts, and when a scan of each came last
        self._lately: deque[tuple[Scan | Claim, int]] = deque(maxlen=MOST_WARM)
        self._clock_errors_s: dict[str, float] = {}  # by post
        self._begin()

    def set_sensors(self, sensors: dict[str, Sensor]) -> None:
        """Other sensors mean another tracker; it works in what came lately."""
        if sensors == self.sensors:
            return
        self.sensors = sensors
        self._begin()

    def apply(self, facts: list[Scan | Claim], received_ns: int) -> None:
        """Work in what came together."""
        self.heard_ns = received_ns
        self._lately.extend((fact, received_ns) for fact in facts)
        while self._lately and received_ns - self._lately[0][1] > WARM_NS:
            self._lately.popleft()
        self._tracker.apply_all(facts, received_ns)

    def note_clock_error(self, site_id: str, clock_error_s: float) -> None:
        """A post's clock may be so wrong."""
        if self._clock_errors_s.get(site_id) != clock_error_s:
            self._clock_errors_s[site_id] = clock_error_s
            self._tell_clock_error(site_id)

    def _tell_clock_error(self, site_id: str) -> None:
        of_post = [name for name in self.sensors if name.startswith(f"{site_id}/")]
        self._tracker.note_clock_error(self._clock_errors_s[site_id], of_post)

    def sighted(self, now_ns: int) -> list[Sighted]:
        """Its tracks in space at a time, in ECEF axes, those in the seam too."""
        self._tracker.tick(now_ns)
        return [
            one
            for track in self._tracker.tracks_at(now_ns)
            if track.direction is None and (one := self._in_ecef(track)).depth_m > -SEAM_M
        ]

    def _in_ecef(self, track: Track) -> Sighted:
        state, covariance = track.state, track.covariance
        place = self.frame.enu_to_geodetic(state[:3])
        assert place.height_m is not None
        both = np.kron(np.eye(2), self.to_ecef)
        ecef = np.concatenate(
            [geodetic_to_ecef(place.latitude_deg, place.longitude_deg, place.height_m), self.to_ecef @ state[3:]]
        )
        depth = depth_m(self.tile, place.latitude_deg, place.longitude_deg)
        return Sighted((self.tile, self.began, track.track_number), depth, ecef, both @ covariance @ both.T, track)

    def _begin(self) -> None:
        self.began += 1
        self._tracker = Tracker(self.sensors.values(), self._settings, self.frame, farthest_claim_m=FARTHEST_CLAIM_M)
        for site_id in self._clock_errors_s:
            self._tell_clock_error(site_id)
        if self._lately:
            self._tracker.apply_all([fact for fact, _ in self._lately], self._lately[-1][1])


class Shares:
    """How many tiles each post has that fed any lately; of one that several feed each has a part."""

    def __init__(self, tiles: Iterable[TileTracker], now_ns: int) -> None:
        fed_by = {
            one.tile: [site_id for site_id, at_ns in one.feeders.items() if abs(now_ns - at_ns) <= IDLE_NS]
            for one in tiles
        }
        self.of_post: dict[str, float] = {}
        for feeders in fed_by.values():
            for site_id in feeders:
                self.of_post[site_id] = self.of_post.get(site_id, 0.0) + 1.0 / len(feeders)
        # of each tile, that of the post which has the fewest of those that feed it
        self.least = {
            where: min((self.of_post[site_id] for site_id in feeders), default=math.inf)
            for where, feeders in fed_by.items()
        }
        self.richest = max(sorted(self.least), key=lambda where: self.least[where])


@dataclass(slots=True)
class AllPosts:
    """The picture of all posts that send their detections."""

    settings: TrackerSettings = field(default_factory=TrackerSettings)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # scans and claims, by post and reason
    worked_in: int = 0  # scans and claims
    _posts: dict[str, Post] = field(default_factory=dict)
    _pending: dict[str, SensorsMessage] = field(default_factory=dict)  # sensors that wait
    _tiles: dict[Tile, TileTracker] = field(default_factory=dict)
    _numbers: HandOver = field(default_factory=HandOver)
    _newest_ns: int = 0  # when what was worked in last was received
    _shares: Shares | None = None  # of the tiles as they are; None: to be counted

    def describe(self, message: SensorsMessage, received_ns: int) -> None:
        """A post's sensors. Raises ValueError, naming the number that cannot be.

        Those of a post that has changed them a moment ago wait, and until then nothing of it is worked in.
        """
        check_sensors(message)
        known = self._posts.get(message.site_id)
        origin = Geodetic(message.latitude_deg, message.longitude_deg, message.height_m)
        sensors = {one.sensor_id: one for one in message.sensors}
        self._pending.pop(message.site_id, None)
        pause_ns = REDESCRIBED_NS
        if known is not None:
            if known.sensors == sensors and known.origin == origin:
                return
            if 0 <= received_ns - known.described_ns < known.pause_ns:
                self._pending[message.site_id] = message
                return
            if 0 <= received_ns - known.described_ns < RAREST_NS:
                pause_ns = min(2 * known.pause_ns, RAREST_NS)
        elif len(self._posts) >= MOST_POSTS:
            raise ValueError(f"{MOST_POSTS} posts are known already")
        frame = LocalFrame(origin)
        bare = {sensor_id: sensor_of(one, frame, sensor_id) for sensor_id, one in sensors.items()}
        post = Post(origin, frame, sensors, received_ns, pause_ns, bare, tiles_of(message.sensors))
        if known is not None:
            post.looks = {sensor_id: looks for sensor_id, looks in known.looks.items() if sensor_id in sensors}
        self._posts[message.site_id] = post

    def take(self, arrived: list[Arrived]) -> None:
        """Work in what came together, of whichever posts, received no earlier than what came before."""
        self._begin_anew_where_time_went_back(arrived)
        self._shares = None
        by_tile: dict[Tile, list[Scan | Claim]] = {}
        changed: set[Tile] = set()
        clock_errors_s: dict[tuple[Tile, str], float] = {}
        for message, received_ns in arrived:
            if message.site_id in self._pending:
                self.describe(self._pending[message.site_id], received_ns)
            post = self._posts.get(message.site_id)
            if post is None or message.site_id in self._pending:
                reason = "its sensors are not known" if post is None else "its sensors change too often"
                self.refused[message.site_id, reason] += len(message.scans) + len(message.claims)
                continue
            post.refill(received_ns)
            before = set(post.announced)
            admitted: list[tuple[TileTracker, Scan | Claim]] = []
            admitted += self._scans(message, post, received_ns)
            changed |= {tile for sensor_id in post.announced - before for tile in post.tiles[sensor_id]}
            admitted += self._claims(message, post, received_ns)
            for tile, fact in admitted:
                by_tile.setdefault(tile.tile, []).append(fact)
                clock_errors_s[tile.tile, message.site_id] = min(max(message.clock_error_s, 0.0), MOST_CLOCK_ERROR_S)
        for where in sorted(changed & self._tiles.keys()):
            self._tiles[where].set_sensors(self._sensors_of(self._tiles[where]))
        for (where, site_id), clock_error_s in sorted(clock_errors_s.items()):
            if where in self._tiles:
                self._tiles[where].note_clock_error(site_id, clock_error_s)
        for where in sorted(by_tile.keys() & self._tiles.keys()):  # one that has just given way has no tracker
            self._tiles[where].apply(by_tile[where], max(received_ns for _, received_ns in arrived))

    def look(self, now_ns: int) -> tuple[Numbered, ...]:
        """All objects in space now."""
        for where in [where for where, tile in self._tiles.items() if abs(now_ns - tile.heard_ns) > IDLE_NS]:
            del self._tiles[where]
        sighted = [one for where in sorted(self._tiles) for one in self._tiles[where].sighted(now_ns)]
        return self._numbers.look(sighted, now_ns)

    @property
    def tile_count(self) -> int:
        return len(self._tiles)

    def heard(self, now_ns: int) -> tuple[str, ...]:
        """The posts whose detections the picture holds."""
        return tuple(sorted(name for name, post in self._posts.items() if post.is_heard(now_ns)))

    def forget(self, site_id: str) -> None:
        """Nothing has come of a post for so long that another may take its place."""
        self._posts.pop(site_id, None)
        self._pending.pop(site_id, None)
        for key in [key for key in self.refused if key[0] == site_id]:
            del self.refused[key]

    def _begin_anew_where_time_went_back(self, arrived: list[Arrived]) -> None:
        times_ns = [received_ns for _, received_ns in arrived] or [self._newest_ns]
        if min(times_ns) < self._newest_ns - SET_BACK_NS:
            self._tiles.clear()
        self._newest_ns = max(times_ns)

    def _scans(self, message: ScansMessage, post: Post, received_ns: int) -> list[tuple[TileTracker, Scan]]:
        found: list[tuple[TileTracker, Scan]] = []
        for told in message.scans:
            if (reason := refusal(told, post, received_ns)) is not None:
                self.refused[message.site_id, reason] += 1
                continue
            self.worked_in += 1
            post.looks.setdefault(told.sensor_id, Looks(received_ns)).add(received_ns)
            post.announced.add(told.sensor_id)
            scan = scan_of(told, post.bare[told.sensor_id])
            found += [
                (tile, scan_in(scan, f"{message.site_id}/{told.sensor_id}", post, tile))
                for tile in self._begun(post.tiles[told.sensor_id], message.site_id, received_ns)
            ]
        return found

    def _claims(self, message: ScansMessage, post: Post, received_ns: int) -> list[tuple[TileTracker, Claim]]:
        found: list[tuple[TileTracker, Claim]] = []
        for told in message.claims:
            if (reason := refusal_of_claim(told, post, received_ns)) is not None:
                self.refused[message.site_id, reason] += 1
                continue
            self.worked_in += 1
            claim = claim_of(told, f"{message.site_id}/{told.sensor_id}")
            claim = replace(claim, text=None if claim.text is None else claim.text[:LONGEST_TEXT])
            if claim.position is not None:
                near = tiles_near(claim.position.latitude_deg, claim.position.longitude_deg, SEAM_M)
                known = [self._tiles[tile] for tile in near if tile in self._tiles]
                if known and not post.has_room_for((claim.sensor_id, claim.transmitter), received_ns):
                    self.refused[message.site_id, "of too many transmitters"] += 1
                    continue
                found += [(tile, claim) for tile in known]
        return found

    def _begun(self, tiles: list[Tile], site_id: str, now_ns: int) -> list[TileTracker]:
        """The trackers of these tiles, which a post feeds, begun where they are not yet."""
        found = []
        for where in tiles:
            if where not in self._tiles:
                if len(self._tiles) >= MOST_TILES and not self._gives_way(site_id, now_ns):
                    self.refused[site_id, "of tiles for which there is no room"] += 1
                    continue
                tile = self._tiles[where] = TileTracker(where, self.settings)
                tile.heard_ns = now_ns
                tile.set_sensors(self._sensors_of(tile))
            self._tiles[where].feeders[site_id] = now_ns
            found.append(self._tiles[where])
        return found

    def _gives_way(self, site_id: str, now_ns: int) -> bool:
        """Whether a tile was given up for one of this post: one that only posts feed that have more tiles."""
        if self._shares is None:
            self._shares = Shares(self._tiles.values(), now_ns)
        where = self._shares.richest
        if self._shares.least[where] <= self._shares.of_post.get(site_id, 0.0) + 1.0:
            return False
        del self._tiles[where]
        self._shares = None
        return True

    def _sensors_of(self, tile: TileTracker) -> dict[str, Sensor]:
        """All sensors that feed a tile and have sent a scan, in its frame, by name."""
        names = {
            f"{site_id}/{sensor_id}": one
            for site_id, post in self._posts.items()
            for sensor_id, one in post.sensors.items()
            if sensor_id in post.looks and tile.tile in post.tiles[sensor_id]
        }
        return {name: sensor_of(names[name], tile.frame, name) for name in sorted(names)}


def tiles_of(sensors: tuple[SensorDescription, ...]) -> dict[str, list[Tile]]:
    """The tiles that each sensor of a post feeds; of too many those that the sensors lie nearest to."""
    near = {one.sensor_id: tiles_near(one.latitude_deg, one.longitude_deg, reach_m(one) + SEAM_M) for one in sensors}
    deepest: dict[Tile, float] = {}
    for one in sensors:
        for tile in near[one.sensor_id]:
            depth = depth_m(tile, one.latitude_deg, one.longitude_deg)
            deepest[tile] = max(depth, deepest.get(tile, depth))
    kept = set(sorted(deepest, key=lambda tile: (-deepest[tile], tile))[:MOST_TILES_OF_POST])
    return {sensor_id: [tile for tile in tiles if tile in kept] for sensor_id, tiles in near.items()}


def scan_in(scan: Scan, name: str, post: Post, tile: TileTracker) -> Scan:
    """A post's scan as a tile's: its sensor's name there, its points in the tile's frame. Polar needs no turning."""
    if not any(isinstance(one.measurement, Position) for one in scan.detections):
        return replace(scan, sensor_id=name)
    turn = tile.frame.level_to_enu(post.origin)
    shift_m = tile.frame.geodetic_to_enu(post.origin)
    return replace(scan, sensor_id=name, detections=tuple(moved_point(one, turn, shift_m) for one in scan.detections))


def moved_point(detection: Detection, turn: FloatArray, shift_m: FloatArray) -> Detection:
    """A detection whose point stands in another frame. One in the plane is taken at the height of its post's origin."""
    point = detection.measurement
    if not isinstance(point, Position) or len(point.covariance_m2) != (3 if point.up_m is None else 6):
        return detection
    size = 2 if point.up_m is None else 3
    upper = np.triu_indices(size)
    C: FloatArray = np.zeros((size, size))
    C[upper] = point.covariance_m2
    C = turn[:size, :size] @ (C + np.triu(C, 1).T) @ turn[:size, :size].T
    east_m, north_m, up_m = (turn @ [point.east_m, point.north_m, point.up_m or 0.0] + shift_m).tolist()
    there = Position(east_m, north_m, None if point.up_m is None else up_m, tuple(C[upper].tolist()))
    return replace(detection, measurement=there)


def reach_m(sensor: SensorDescription) -> float:
    """How far a sensor may see."""
    return min(REACH_M if sensor.slant_range_m is None else sensor.slant_range_m[1], FARTHEST_REACH_M)
