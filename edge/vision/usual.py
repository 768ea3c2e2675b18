"""What a model saw at training, as its file tells: histograms of the training clips' middles.

Entry `seen_at_training` of the metadata, JSON: {"score": [counts], "side_px": …, "brightness": …, "contrast": …}; a count is
of clips whose middle box or picture lies in that bin of `EDGES`. Written by `edge/training/seen.py`, used by `drift.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ENTRY = "seen_at_training"  # of a model file's metadata
EDGES: Mapping[str, npt.NDArray[np.float64]] = {
    "score": np.linspace(0.25, 1.0, 31),  # of boxes of which the post takes notice
    "side_px": np.geomspace(4.0, 512.0, 29),  # two bins a factor of 1.41
    "brightness": np.linspace(0.0, 256.0, 33),
    "contrast": np.geomspace(1.0, 128.0, 29),
}
TAIL = 0.02  # share of the training clips on either side that is taken for odd
MARGIN_BINS = {"score": 0, "side_px": 2, "brightness": 2, "contrast": 4}  # beyond that: days and lenses differ a little


@dataclass(frozen=True, slots=True)
class Usual:
    """From where to where the middles of nearly all training clips lay, with a margin."""

    limits: Mapping[str, tuple[float, float]]

    @classmethod
    def read(cls, written: str | None) -> Usual | None:
        """Of a model file's entry; None where there is none. Raises ValueError where it is none of ours."""
        if written is None:
            return None
        histograms = json.loads(written)
        return cls({name: limits_of(name, np.array(histograms[name], float)) for name in EDGES})


def histograms_of(middles: Mapping[str, Sequence[float]]) -> str:
    """The entry for these middles, one of each training clip."""
    return json.dumps(
        {
            name: np.histogram(np.clip(middles[name], edges[0], edges[-1]), edges)[0].tolist()
            for name, edges in EDGES.items()
        }
    )


def limits_of(name: str, counts: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The outermost bins left when a tail is cut off on either side, with their margin."""
    edges, margin = EDGES[name], MARGIN_BINS[name]
    if counts.shape != (len(edges) - 1,) or not np.isfinite(counts).all() or counts.sum() <= 0 or (counts < 0).any():
        raise ValueError(
            f"{name}: found counts of shape {counts.shape}, expected {len(edges) - 1} bins of numbers with some in them"
        )
    below = np.cumsum(counts) / counts.sum()
    low, high = int(np.argmax(below > TAIL)), int(np.argmax(below >= 1 - TAIL))
    return float(edges[max(0, low - margin)]), float(edges[min(len(edges) - 1, high + 1 + margin)])
