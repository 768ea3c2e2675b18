"""`python -m edge.vision`: the vision process. Its parent is `edge.vision.client`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, ModelError
from edge.vision.spectrum import SPECTRA

NICENESS = 5  # where cores are few, a look may wait, a radar's frame may not


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m edge.vision", description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--confidence", type=float, default=CONFIDENCE)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--spectrum", choices=SPECTRA)
    arguments = parser.parse_args()
    os.nice(NICENESS)
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get between the results
    from edge.vision.process import run

    try:
        run(arguments.model, arguments.confidence, arguments.threads, sys.stdin.buffer, results, arguments.spectrum)
    except ModelError as wrong:
        print(f"vision: {wrong}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0  # the parent is gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
