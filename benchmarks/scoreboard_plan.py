"""What a run of the scoreboard shall do, and what each of its rows says of itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from benchmarks.finished_runs import FinishedRuns
from benchmarks.scoreboard_page import Coverage

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = (sys.version, np.__version__, scipy.__version__)  # of what runs our tracker, and scores all of them


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: scenario kinds with seeds, and the peers' patience."""

    kinds: tuple[str, ...]
    seeds: tuple[int, ...]
    plane_runs: int
    consistency_seeds: int
    limit_s: float  # processor time of a peer on one scenario
    peers_python: str | None
    with_peers: tuple[str, ...]  # kinds
    is_quick: bool
    until_s: float  # monotonic; nothing starts later
    finished: FinishedRuns
    library: Path | None = None  # what the scenario library told; None: it is played here
    coverage: Coverage = field(default_factory=Coverage)


def measured_now(plan: Plan) -> dict[str, Any]:
    return {"measured_at": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", "commit": plan.coverage.commit}
