"""`python -m edge.simulator SCENARIO.toml --run-dir DIR --broker-port P`: a simulated post in real time."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from edge.simulator.live import LivePost
from edge.simulator.scenario import ScenarioError, read_scenario


def main() -> int:
    arguments = parse_arguments()
    try:
        post = LivePost(read_scenario(arguments.scenario), arguments.run_dir, arguments.broker_port)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: post.stop())
    post.start()
    try:
        print(json.dumps({"ready": True, "site": str(post.site_path), "truth": str(post.truth_path)}), flush=True)
        post.wait(arguments.seconds)
    finally:
        post.close()
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m edge.simulator", description=__doc__)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True, help="where site file, ports and truth are made")
    parser.add_argument("--broker-port", type=int, required=True, help="of the broker on this machine")
    parser.add_argument("--seconds", type=float, help="stop by itself")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
