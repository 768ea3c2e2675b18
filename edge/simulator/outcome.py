"""A scenario through the pipeline, and what a user would have seen of it: once a second, beside the truth.

    readings ─▶ the one door ─▶ pipeline ─▶ wire messages ─▶ the picture at every whole second ─▶ who tracks whom

What is judged are the messages a center would have got, nothing inside the tracker. Which track stands for which object is one
assignment a second, nearest first (Hungarian).
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.pipeline import Outgoing, Pipeline
from edge.simulator.run import SECOND_NS, readings
from edge.simulator.scenario import Scenario
from edge.simulator.world import Moment, Timeline
from edge.sources import recorded
from fusion.frames import LocalFrame, enu_to_polar, wrap_angle
from fusion.types import FloatArray, Geodetic
from fusion.wire import ClaimMessage, TrackMessage, TracksMessage, parse_rfc3339

STALE_S = 5.0  # an older word says nothing of now
WITHIN_M = 20.0  # where a scenario does not say how near is near
FALSE_WITHIN_M = 40.0  # a track so near to an object is not one of nothing
FALSE_SECONDS = 2  # less is a flicker that a person does not see
DIRECTION_SLACK_RAD = math.radians(1.0)
FAR = 1e6


@dataclass(slots=True)
class Followed:
    """One object's seconds."""

    tracked_s: list[int] = field(default_factory=list)
    numbers: Counter[int] = field(default_factory=Counter)  # seconds by track number
    called: list[str] = field(default_factory=list)  # the likeliest class of its track in each tracked second
    groups: list[int | None] = field(default_factory=list)  # the group of its track in each tracked second


@dataclass(slots=True)
class Seconds:
    """One track's confirmed seconds."""

    all: int = 0
    of_nothing: int = 0
    as_drone: int = 0
    as_drone_without: int = 0  # called drone, and no drone there


@dataclass(slots=True)
class Outcome:
    """What came of a scenario."""

    objects: dict[str, Followed] = field(default_factory=lambda: defaultdict(Followed))
    tracks: dict[int, Seconds] = field(default_factory=lambda: defaultdict(Seconds))
    claims: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # serial -> agreement
    states: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # sensor -> health
    counts: dict[int, dict[int, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))  # group -> second
    own_position: Counter[str] = field(default_factory=Counter)
    retracted: set[int] = field(default_factory=set)
    readings: int = 0
    scans: int = 0

    def false_drones(self) -> list[int]:
        """Track numbers that were called a drone, for the most part where no drone was."""
        return [
            number
            for number, seconds in sorted(self.tracks.items())
            if seconds.as_drone_without >= FALSE_SECONDS and seconds.as_drone_without > seconds.as_drone / 2
        ]

    def false_tracks(self) -> list[int]:
        return [n for n, s in sorted(self.tracks.items()) if s.of_nothing >= FALSE_SECONDS and s.of_nothing > s.all / 2]

    def drones(self) -> list[int]:
        return [n for n, s in sorted(self.tracks.items()) if s.as_drone >= FALSE_SECONDS]


@dataclass(frozen=True, slots=True)
class Shown:
    """A track in the picture of one second."""

    number: int
    group: int | None
    class_name: str
    position_enu_m: FloatArray | None
    sigma_m: float
    direction: tuple[str, float, float, float] | None  # sensor, azimuth, elevation or nan, allowed angle


class Observer:
    """Takes messages as they come and looks once a second."""

    def __init__(self, scenario: Scenario, pipeline: Pipeline, within_m: dict[str, float]) -> None:
        self._scenario, self._pipeline, self._within_m = scenario, pipeline, within_m
        self._frame: LocalFrame = pipeline.frame
        self._timeline = Timeline(scenario.world, 1.0)
        self._newest: dict[int, TrackMessage] = {}
        self._decoder = msgspec.json.Decoder(TracksMessage)
        self._eyes = {entry.sensor.sensor_id: entry.sensor.position_enu_m for entry in scenario.site.sensors}
        self._counts: dict[int, tuple[int, int]] = {}
        self.outcome = Outcome()

    def take(self, outgoing: Iterable[Outgoing]) -> None:
        for message in outgoing:
            if message.topic != "tracks":
                continue
            told = self._decoder.decode(message.payload)
            for group in told.groups:
                self._counts[group.group_number] = group.count
            for track in told.tracks:
                self._newest[track.track_number] = track
                if track.status == "dropped" and track.reason == "retracted":
                    self.outcome.retracted.add(track.track_number)
                self._claims(track.claims)
            self._claims(told.claims)

    def _claims(self, claims: tuple[ClaimMessage, ...]) -> None:
        for claim in claims:
            if claim.identity is not None:
                self.outcome.claims[claim.identity][claim.agreement] += 1

    def look(self, second: int) -> None:
        """The picture of this second beside the truth."""
        now_ns = self._scenario.clock.start_ns + second * SECOND_NS
        self._newest = {
            n: t for n, t in self._newest.items()
            if t.status != "dropped" and now_ns - parse_rfc3339(t.time) < STALE_S * SECOND_NS
        }  # fmt: skip
        believed = [t for t in self._newest.values() if t.status in ("confirmed", "coasting")]
        shown = [self._shown(track, now_ns) for track in sorted(believed, key=lambda track: track.track_number)]
        moment = self._timeline.at(second)
        there = [i for i, thing in enumerate(self._scenario.world.objects) if thing.is_real and moment.exists[i]]
        cost = self._cost(shown, moment, there)
        self._follow(second, shown, there, cost)
        for number, count in self._counts.items():
            self.outcome.counts[number][second] = count
        self._blame(shown, there, cost)
        self._health()

    def _shown(self, track: TrackMessage, now_ns: int) -> Shown:
        class_name = max(track.classes, key=lambda name: track.classes[name]) if track.classes else "unknown"
        if track.direction is not None:
            told = track.direction
            sigma = max(told.azimuth_sigma_deg, told.elevation_sigma_deg or 0.0)
            allowed = 3 * math.radians(sigma) + DIRECTION_SLACK_RAD
            elevation = math.nan if told.elevation_deg is None else math.radians(told.elevation_deg)
            seen_from = told.sensor_id, math.radians(told.azimuth_deg), elevation, allowed
            return Shown(track.track_number, track.group_number, class_name, None, 0.0, seen_from)
        age_s = (now_ns - parse_rfc3339(track.time)) / SECOND_NS
        point = self._frame.geodetic_to_enu(Geodetic(track.latitude_deg, track.longitude_deg, track.height_m))
        sigma_m = math.sqrt(max(track.covariance[0], track.covariance[6], 0.0))
        point = point + np.asarray(track.velocity_enu_m_s) * age_s
        return Shown(track.track_number, track.group_number, class_name, point, sigma_m, None)

    def _cost(self, shown: list[Shown], moment: Moment, there: list[int]) -> FloatArray:
        """How far each track stands from each object, against what is near: (tracks, objects), 1 is just near."""
        objects = self._scenario.world.objects
        places = moment.position_enu_m[there]
        near_m = np.array([self._within_m.get(objects[i].object_id, WITHIN_M) for i in there])
        cost = np.full((len(shown), len(there)), FAR)
        for row, track in enumerate(shown):
            if track.position_enu_m is not None:
                cost[row] = np.linalg.norm(places - track.position_enu_m, axis=1) / near_m
            elif track.direction is not None and there:
                sensor_id, azimuth, elevation, allowed = track.direction
                lines = [enu_to_polar(place - np.asarray(self._eyes[sensor_id])) for place in places]
                for column, (at_azimuth, at_elevation, _) in enumerate(lines):
                    off = abs(float(wrap_angle(at_azimuth - azimuth)))
                    if not math.isnan(elevation):
                        off = max(off, abs(at_elevation - elevation))
                    cost[row, column] = off / allowed
        return cost

    def _follow(self, second: int, shown: list[Shown], there: list[int], cost: FloatArray) -> None:
        for row, column in zip(*linear_sum_assignment(np.minimum(cost, 10.0)), strict=True):
            if cost[row, column] <= 1.0:
                followed = self.outcome.objects[self._scenario.world.objects[there[column]].object_id]
                followed.tracked_s.append(second)
                followed.numbers[shown[row].number] += 1
                followed.called.append(shown[row].class_name)
                followed.groups.append(shown[row].group)

    def _blame(self, shown: list[Shown], there: list[int], cost: FloatArray) -> None:
        """Tracks that stand where no object, or no drone, is: farther than twice what is near, and than 3 sigma."""
        objects = self._scenario.world.objects
        is_drone = np.array([objects[i].class_name == "drone" for i in there], bool)
        for row, track in enumerate(shown):
            limit = max(FALSE_WITHIN_M, 3 * track.sigma_m) / WITHIN_M if track.direction is None else 2.0
            seconds = self.outcome.tracks[track.number]
            called_drone = track.class_name == "drone"
            seconds.all += 1
            seconds.of_nothing += not (cost[row] <= limit).any()
            seconds.as_drone += called_drone
            seconds.as_drone_without += called_drone and not (cost[row][is_drone] <= limit).any()

    def _health(self) -> None:
        watch = self._pipeline.watch
        for sensor in watch.sensors.values():
            self.outcome.states[sensor.entry.sensor.sensor_id][sensor.state(watch.now_ns)] += 1
        for fact in watch.own_positions.values():
            for name, is_so in (("jammed", fact.jammed), ("spoofed", fact.spoofed)):
                self.outcome.own_position[name] += bool(is_so)


def play(scenario: Scenario, within_m: dict[str, float] | None = None, seed: int | None = None) -> Outcome:
    """The scenario for its whole duration, without pictures. Raises ScenarioError."""
    return asyncio.run(played(scenario, within_m or {}, seed))


async def played(scenario: Scenario, within_m: dict[str, float], seed: int | None) -> Outcome:
    pipeline = Pipeline(scenario.site, f"simulated-{scenario.name}", "simulated")
    observer = Observer(scenario, pipeline, within_m)
    second = 1
    pipeline.opening(scenario.clock.start_ns)
    made = readings(scenario, seed, scenario.duration_s, video=False)
    async for reading in recorded(made, speed=None):
        while second < scenario.duration_s and reading.monotonic_ns > second * SECOND_NS:
            observer.look(second)
            second += 1
        observer.take(pipeline.feed(reading))
    observer.outcome.readings = pipeline.watch.readings
    observer.outcome.scans = sum(sensor.scans for sensor in pipeline.watch.sensors.values())
    return observer.outcome
