"""Did the tracker get worse? A paired bootstrap of two runs over the same scenarios.

Each scenario gives blocks of ten moments with their mean squared GOSPA. Scenarios are drawn with replacement, and blocks
within them, the same ones for both runs; what is judged is the mean over scenarios of log(RMS now / RMS before). Blocks keep
together what is correlated in time, pairing takes out how hard a scenario is.

Source: Efron, Tibshirani, An Introduction to the Bootstrap (1993), sections 6.4 and 8.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 1000
CONFIDENCE = 0.99  # one-sided: a scoreboard is run often, and should not cry wolf
WORTH_MENTIONING = 1.005  # a ratio nearer to one is no regression, however sure


@dataclass(frozen=True, slots=True)
class Change:
    """RMS GOSPA now over before, as a mean over scenarios, with its band."""

    ratio: float
    low: float
    high: float
    scenarios: int

    @property
    def is_worse(self) -> bool:
        return self.low > 1.0 and self.ratio > WORTH_MENTIONING


def blocks_of(squared: Sequence[float], moments: int = 10) -> list[float]:
    """Mean squared GOSPA of each block of so many moments."""
    return [float(np.mean(squared[k : k + moments])) for k in range(0, len(squared), moments)]


def change(now: Mapping[str, Sequence[float]], before: Mapping[str, Sequence[float]], seed: int = 1) -> Change | None:
    """Of the scenarios both runs have with as many blocks; None where there are none."""
    common = [name for name in sorted(now) if len(before.get(name, ())) == len(now[name]) > 0]
    if not common:
        return None
    random = np.random.default_rng(seed)
    pairs = [(np.asarray(now[name]), np.asarray(before[name])) for name in common]
    drawn = []
    for _ in range(DRAWS):
        logs = []
        for k in random.integers(0, len(pairs), len(pairs)):
            a, b = pairs[k]
            chosen = random.integers(0, len(a), len(a))
            logs.append(log_ratio(a[chosen], b[chosen]))
        drawn.append(np.mean(logs))
    low, high = np.exp(np.quantile(drawn, [1.0 - CONFIDENCE, CONFIDENCE]))
    return Change(float(np.exp(np.mean([log_ratio(a, b) for a, b in pairs]))), float(low), float(high), len(common))


def log_ratio(now: np.ndarray, before: np.ndarray) -> float:
    return float(0.5 * np.log(max(float(now.mean()), 1e-12) / max(float(before.mean()), 1e-12)))
