"""By how much a model's scores were moved, so that glances at nothing begin fewer tracks; many looks are no glance.

    tracklet of a file ─▶ each box's confidence, its logarithm of odds moved back ─▶ `whole_clip.py`

Entry `score_shift` of the model's metadata, JSON: {"visible": x, "infrared": x}, in logarithms of odds; written when the
model is exported (`edge/training/export.py`, `spectra.py`). Live, scores stay moved: there each glance may begin a track.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from edge.vision.spectrum import Spectrum

ENTRY = "score_shift"  # of a model file's metadata
LARGEST = 5.0


@dataclass(frozen=True, slots=True)
class ScoreShift:
    """Of each half's scores."""

    visible: float = 0.0
    infrared: float = 0.0

    @classmethod
    def read(cls, written: str | None) -> ScoreShift:
        """Of a model file's entry. Raises ValueError, TypeError or KeyError where it is none of ours."""
        if written is None:
            return cls()
        told = json.loads(written)
        both = float(told["visible"]), float(told["infrared"])
        if not all(abs(shift) <= LARGEST for shift in both):
            raise ValueError(f"found {both}, expected two within {LARGEST:g} of 0")
        return cls(*both)

    def of(self, spectrum: Spectrum) -> float:
        """In a picture of it."""
        return self.visible if spectrum == "visible" else self.infrared


def moved_back(confidence: float, shift: float) -> float:
    """As it was before the scores were moved."""
    if not 0.0 < confidence < 1.0 or shift == 0.0:
        return confidence
    return 1.0 / (1.0 + (1.0 / confidence - 1.0) * math.exp(shift))
