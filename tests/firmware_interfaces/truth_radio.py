"""Truth of the captures of radio: Remote ID and DroneID broadcasts, directions, spectra, wireless sensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def frames(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """Broadcasts, in order, each with the number of its packet."""
    yield from truth["frames"] if isinstance(truth, dict) else truth
