"""Posts before the same sky, through their own pipelines, as one picture: better than each, and no object twice."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from center.fused import FusedPicture, Told
from edge.pipeline import Pipeline
from edge.simulator import posts
from edge.simulator.run import SECOND_NS, readings
from edge.simulator.scenario import LIBRARY, read_scenario
from edge.simulator.world import Timeline
from edge.sources import recorded
from fusion.all_posts import AllPosts, Arrived
from fusion.frames import LocalFrame, ecef_to_geodetic
from fusion.gospa import gospa
from fusion.scan_messages import ScansMessage, SensorsMessage
from fusion.types import Geodetic
from fusion.wire import SiteMessage, TracksMessage, parse_rfc3339

POSTS, APART_M, SECONDS, SETTLED_S = 3, 100.0, 30, 10
STALE_NS = 3 * SECOND_NS


@dataclass
class PostRun:
    """What one post said, by the time it said it."""

    site: SiteMessage
    sensors: SensorsMessage
    said: list[tuple[int, TracksMessage]]
    measured: list[Arrived]


def run_post(scenario) -> PostRun:
    broker = dataclasses.replace(scenario.site.broker, send_detections=True)
    pipeline = Pipeline(dataclasses.replace(scenario.site, broker=broker), scenario.site.site_id, "simulated")
    site = msgspec.json.decode(pipeline.opening(scenario.clock.start_ns).payload, type=SiteMessage)
    [described] = pipeline.sensors(scenario.clock.start_ns)
    said, measured = [], []

    async def play():
        async for reading in recorded(readings(scenario, None, SECONDS, video=False), speed=None):
            for outgoing in pipeline.feed(reading):
                if outgoing.topic == "tracks":
                    said.append((reading.received_ns, msgspec.json.decode(outgoing.payload, type=TracksMessage)))
                elif outgoing.topic == "scans":
                    measured.append(
                        Arrived(msgspec.json.decode(outgoing.payload, type=ScansMessage), reading.received_ns)
                    )

    asyncio.run(play())
    return PostRun(site, msgspec.json.decode(described.payload, type=SensorsMessage), said, measured)


def told_at(run: PostRun, now_ns: int) -> list[Told]:
    """The post's tracks as a center knows them at a time."""
    newest = {
        track.track_number: track for said_ns, message in run.said if said_ns <= now_ns for track in message.tracks
    }
    return [
        Told(run.site, (run.site.site_id, run.site.run_id, number), track, parse_rfc3339(track.time))
        for number, track in newest.items()
        if track.status in ("confirmed", "coasting")
        and track.direction is None
        and now_ns - parse_rfc3339(track.time) < STALE_NS
    ]


@pytest.fixture(scope="module", name="scenario")
def fixture_scenario():
    return read_scenario(LIBRARY / "two-that-cross.toml")


@pytest.fixture(scope="module", name="runs")
def fixture_runs(scenario):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posts, "POST_EVERY_M", APART_M)
        return [run_post(posts.post_of(scenario, number)) for number in range(POSTS)]


def placer(scenario):
    """Where a told track stands at a time, in the first post's frame."""
    frame = LocalFrame(scenario.site.origin)

    def place(track, track_ns: int, now_ns: int):
        point = Geodetic(track.latitude_deg, track.longitude_deg, track.height_m)
        return frame.geodetic_to_enu(point) + np.array(track.velocity_enu_m_s) * (now_ns - track_ns) / SECOND_NS

    return place


def test_three_posts_see_two_crossing_drones_as_two_and_better_than_each_alone(scenario, runs):
    place, timeline, fused = placer(scenario), Timeline(scenario.world, 1.0), FusedPicture()

    errors, numbers = defaultdict(list), set()
    for second in range(1, SECONDS):
        now_ns = scenario.clock.start_ns + second * SECOND_NS
        told = [told_at(run, now_ns) for run in runs]
        found = fused.look([one for of_post in told for one in of_post], now_ns).tracks
        if second < SETTLED_S:
            continue
        truth = timeline.at(second).position_enu_m
        numbers |= {one.fused_number for one in found}
        pictures = {n: [place(one.track, one.time_ns, now_ns) for one in of_post] for n, of_post in enumerate(told)}
        pictures["fused"] = [place(one, now_ns, now_ns) for one in found]
        for name, places in pictures.items():
            errors[name].append(gospa(truth, np.array(places).reshape(-1, 3), 50.0).total)
    rms = {name: float(np.sqrt(np.mean(values))) for name, values in errors.items()}
    assert len(numbers) == 2  # through the crossing, too
    assert {len(one.members) for one in found} == {POSTS}
    assert rms["fused"] < min(rms[n] for n in range(POSTS)), rms


def test_the_tracker_on_two_posts_detections_is_better_than_each_alone_and_than_their_tracks_joined(scenario, runs):
    runs, frame, place = runs[:2], LocalFrame(scenario.site.origin), placer(scenario)
    timeline, fused, tracker = Timeline(scenario.world, 1.0), FusedPicture(), AllPosts()
    for run in runs:
        tracker.describe(run.sensors, scenario.clock.start_ns)
    waiting = sorted((arrived for run in runs for arrived in run.measured), key=lambda one: one.received_ns)
    errors, numbers = defaultdict(list), set()
    for tick in range(1, 10 * SECONDS):
        now_ns = scenario.clock.start_ns + tick * SECOND_NS // 10
        tracker.take([arrived for arrived in waiting if now_ns - SECOND_NS // 10 < arrived.received_ns <= now_ns])
        found = tracker.look(now_ns)
        if tick % 10:
            continue
        told = [told_at(run, now_ns) for run in runs]
        joined = fused.look([one for of_post in told for one in of_post], now_ns).tracks
        if tick < 10 * SETTLED_S:
            continue
        numbers |= {one.number for one in found}
        truth = timeline.at(tick // 10).position_enu_m
        pictures = {n: [place(one.track, one.time_ns, now_ns) for one in of_post] for n, of_post in enumerate(told)}
        pictures["joined"] = [place(one, now_ns, now_ns) for one in joined]
        pictures["detections"] = [frame.geodetic_to_enu(ecef_to_geodetic(one.sighted.state[:3])) for one in found]
        for name, places in pictures.items():
            errors[name].append(gospa(truth, np.array(places).reshape(-1, 3), 50.0).total)
    rms = {name: float(np.sqrt(np.mean(values))) for name, values in errors.items()}
    assert rms["detections"] <= min(rms.values()), rms
    assert len(numbers) == 2
    assert tracker.heard(now_ns) == tuple(sorted(run.site.site_id for run in runs))
