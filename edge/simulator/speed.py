"""How fast scenarios are made: `python -m edge.simulator.speed [--json]`. A benchmark, no test: machines differ.

    one post      60 s of 20 objects and six sensors, without pictures, written as a recording with its truth      aim 3 s
    many posts    12 posts before the same 60 objects, 60 s each
    a storm       50 drones, 500 birds and 2,000 false echoes a scan, 60 s

Processor seconds, so that other work on the machine mostly drops out; the best of three for the first, one run for the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator

from edge.simulator.posts import post_of
from edge.simulator.run import readings
from edge.simulator.scenario import LIBRARY, Scenario, read_scenario
from edge.simulator.truth import truth_lines

SECONDS = 60.0
POSTS = 12


def one_post(scenario: Scenario) -> int:
    """Bytes made: readings and truth."""
    made = sum(len(reading.data) for reading in readings(scenario, seconds=SECONDS, video=False))
    truth = truth_lines(scenario.world, scenario.site.origin, scenario.clock.start_ns, SECONDS)
    return made + sum(map(len, truth))


def timed(work: Callable[[], int], rounds: int) -> tuple[float, int]:
    best_s, made = float("inf"), 0
    for _ in range(rounds):
        began_s = time.process_time()
        made = work()
        best_s = min(best_s, time.process_time() - began_s)
    return best_s, made


def figures() -> Iterator[dict[str, object]]:
    six = read_scenario(LIBRARY / "six-sensors.toml")
    sixty = read_scenario(LIBRARY / "sixty-objects.toml")
    storm = read_scenario(LIBRARY / "fifty-drones-in-a-storm-of-echoes.toml")
    for name, work, rounds in (
        ("one post, 20 objects, 6 sensors", lambda: one_post(six), 3),
        (f"{POSTS} posts, 60 objects", lambda: sum(one_post(post_of(sixty, n)) for n in range(POSTS)), 1),
        ("50 drones, 500 birds, 2000 false echoes a scan", lambda: one_post(storm), 1),
    ):
        took_s, made = timed(work, rounds)
        yield {"name": name, "simulated_s": SECONDS, "cpu_s": round(took_s, 2), "made_mb": round(made / 1e6, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge.simulator.speed", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a line each for programs")
    as_json = parser.parse_args().json
    for told in figures():
        print(
            json.dumps(told) if as_json else f"{told['name']}: {told['cpu_s']} s of a processor, {told['made_mb']} MB"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
