"""False and honest claims over many seeds: `python benchmarks/claims.py [--seeds N]`. Simulated.

    scenario of the library ─┬─▶ pipeline ──────────────────▶ agreement of each serial's claims, tracks second by second
                             └─▶ pipeline without the claims ▶ the same tracks, or how many sigmas they have moved

A lie is flagged when its claims contradict in three messages or more; an honest flight is flagged falsely when one of its
own does so. A lie that stands where no sensor looks cannot be tested and is counted apart.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.pipeline import Pipeline
from edge.simulator.run import readings
from edge.simulator.scenario import LIBRARY, Scenario, read_scenario
from edge.sources import recorded
from fusion.types import Reading
from fusion.wire import TracksMessage

HONEST = ("honest-remote-id", "remote-id-stale", "remote-id-lost")
LIES = ("remote-id-lie", "ghost-to-distract", "ghost-fleet")
SAME_SHARE = 0.9
SEVERAL = 3  # messages, as in the library's expectations
TARGET_SIGMA, TARGET_FALSE_FLAGS = 3.0, 1 / 20


@dataclass(slots=True)
class Run:
    """What one run told."""

    claims: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tracks: dict[tuple[int, str], tuple[tuple[float, float, float], float]] = field(default_factory=dict)


def run(scenario: Scenario, seed: int, with_claims: bool) -> Run:
    """Through the pipeline; by (track number, time) the place, deg and m, and the position's 1-sigma, m."""
    receivers = {entry.sensor.sensor_id for entry in scenario.site.sensors if entry.protocol == "open_drone_id"}
    pipeline, told = Pipeline(scenario.site, "claims", "simulated"), Run()
    decoder = msgspec.json.Decoder(TracksMessage)

    async def play() -> None:
        made = readings(scenario, seed, scenario.duration_s, video=False)
        async for reading in recorded(kept(made, set() if with_claims else receivers), speed=None):
            for outgoing in pipeline.feed(reading):
                if outgoing.topic == "tracks":
                    note(told, decoder.decode(outgoing.payload))

    asyncio.run(play())
    return told


def kept(made: Iterator[Reading], without: set[str]) -> Iterator[Reading]:
    return (reading for reading in made if reading.sensor_id not in without)


def note(told: Run, message: TracksMessage) -> None:
    for track in message.tracks:
        place = (track.latitude_deg, track.longitude_deg, track.height_m)
        told.tracks[track.track_number, track.time] = (
            place,
            float(np.sqrt(min(track.covariance[0], track.covariance[6]))),
        )
        for claim in track.claims:
            told.claims[claim.identity or ""][claim.agreement] += 1
    for claim in message.claims:
        told.claims[claim.identity or ""][claim.agreement] += 1


def moved_sigma(one: Run, other: Run) -> float:
    """The farthest that a track of one run stands from the same track at the same time of the other, in its sigmas.

    Infinite where one of them has less than nine tenths of the other's: then lies begin, end or rename tracks.
    """
    farthest = 0.0
    both = one.tracks.keys() & other.tracks.keys()
    if len(both) < SAME_SHARE * max(len(one.tracks), len(other.tracks), 1):
        return np.inf
    for key in both:
        (place, sigma_m), (there, _) = one.tracks[key], other.tracks[key]
        east = (place[1] - there[1]) * 111_320.0 * np.cos(np.radians(place[0]))
        away_m = float(np.linalg.norm([(place[0] - there[0]) * 110_540.0, east, place[2] - there[2]]))
        farthest = max(farthest, away_m / max(sigma_m, 0.01))
    return farthest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(1, parser.parse_args().seeds + 1)
    flights = flagged = untested = honest = accused = 0
    farthest = 0.0
    for name in (*HONEST, *LIES):
        scenario = read_scenario(LIBRARY / f"{name}.toml")
        for seed in seeds:
            told = run(scenario, seed, with_claims=True)
            if name in HONEST:
                honest += len(told.claims)
                accused += sum(one["contradicts"] >= SEVERAL for one in told.claims.values())
                continue
            flights += len(told.claims)
            flagged += sum(one["contradicts"] >= SEVERAL for one in told.claims.values())
            untested += sum(set(one) <= {"not_testable"} for one in told.claims.values())
            farthest = max(farthest, moved_sigma(told, run(scenario, seed, with_claims=False)))
    print(f"simulated; {len(seeds)} seeds of {', '.join((*HONEST, *LIES))}")
    print(
        f"lies flagged: {flagged} of {flights - untested} that a sensor could test; {untested} stood where none looks"
    )
    print(f"honest flights flagged: {accused} of {honest}; target at most {TARGET_FALSE_FLAGS:.0%}")
    print(f"farthest that a lie moved a measured track: {farthest:.2f} sigma; target at most {TARGET_SIGMA:g}")
    return int(flagged < flights - untested or accused > honest * TARGET_FALSE_FLAGS or farthest > TARGET_SIGMA)


if __name__ == "__main__":
    sys.exit(main())
