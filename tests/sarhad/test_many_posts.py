"""Three posts before the same sky, through their own pipelines, as one picture: better than each, and no object twice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import msgspec
import numpy as np

from center.fused import FusedPicture, Told
from edge.pipeline import Pipeline
from edge.simulator import posts
from edge.simulator.run import SECOND_NS, readings
from edge.simulator.scenario import LIBRARY, read_scenario
from edge.simulator.world import Timeline
from edge.sources import recorded
from fusion.frames import LocalFrame
from fusion.gospa import gospa
from fusion.types import Geodetic
from fusion.wire import SiteMessage, TracksMessage, parse_rfc3339

POSTS, APART_M, SECONDS, SETTLED_S = 3, 100.0, 30, 10
STALE_NS = 3 * SECOND_NS


@dataclass
class PostRun:
    """What one post said, by the time it said it."""

    site: SiteMessage
    said: list[tuple[int, TracksMessage]]


def run_post(scenario) -> PostRun:
    pipeline = Pipeline(scenario.site, scenario.site.site_id, "simulated")
    site = msgspec.json.decode(pipeline.opening(scenario.clock.start_ns).payload, type=SiteMessage)
    decoder = msgspec.json.Decoder(TracksMessage)

    async def play():
        made = readings(scenario, None, SECONDS, video=False)
        return [
            (reading.received_ns, decoder.decode(outgoing.payload))
            async for reading in recorded(made, speed=None)
            for outgoing in pipeline.feed(reading)
            if outgoing.topic == "tracks"
        ]

    return PostRun(site, asyncio.run(play()))


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


def test_three_posts_see_two_crossing_drones_as_two_and_better_than_each_alone(monkeypatch):
    monkeypatch.setattr(posts, "POST_EVERY_M", APART_M)
    scenario = read_scenario(LIBRARY / "two-that-cross.toml")
    runs = [run_post(posts.post_of(scenario, number)) for number in range(POSTS)]
    frame, timeline, fused = LocalFrame(scenario.site.origin), Timeline(scenario.world, 1.0), FusedPicture()

    def place(track, track_ns: int, now_ns: int):
        point = Geodetic(track.latitude_deg, track.longitude_deg, track.height_m)
        return frame.geodetic_to_enu(point) + np.array(track.velocity_enu_m_s) * (now_ns - track_ns) / SECOND_NS

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
