"""From which confidence a class should be believed, by spectrum; in a file's answer all are moved so that it is 0.25.

    confidence of a file's box ─▶ its logarithm of odds, moved by its class's point ─▶ 0.25 means the same in every class

A box's confidence is multiplied by its class's share, and what a model was shown seldom, far or faint it tells less surely:
the confidences from which classes are best believed differ by a factor of eight. Who counts what is sure by 0.25 would hear
of drones too often and of helicopters too seldom. Within one class and spectrum the order of boxes stays, and so does average
precision.

Entry `operating_points` of the model's metadata, JSON: {"visible": {class: confidence}, "infrared": {...}}; found on clips
held apart (`edge/training/operating.py`). Live, tracklets vote by shares and confidences stay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.vision.spectrum import SPECTRA, Spectrum

ENTRY = "operating_points"  # of a model file's metadata
BELIEVED = 0.25  # what every class's point becomes


@dataclass(frozen=True, slots=True)
class OperatingPoints:
    """Of each spectrum's classes; a class without one stays as it is."""

    visible: Mapping[str, float] = field(default_factory=dict)
    infrared: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, written: str | None) -> OperatingPoints:
        """Of a model file's entry. Raises ValueError, TypeError or KeyError where it is none of ours."""
        if written is None:
            return cls()
        told = json.loads(written)
        both = [{str(name): float(point) for name, point in dict(told[spectrum]).items()} for spectrum in SPECTRA]
        if not all(0.001 <= point <= 0.999 for points in both for point in points.values()):
            raise ValueError(f"found {both}, expected confidences from 0.001 to 0.999")
        return cls(*both)

    def believed(self, confidence: float, class_name: str, spectrum: Spectrum) -> float:
        """This confidence in this class, moved so that its point is 0.25."""
        point = (self.visible if spectrum == "visible" else self.infrared).get(class_name)
        if point is None or not 0.0 < confidence < 1.0:
            return confidence
        return 1.0 / (1.0 + math.exp(log_odds(point) - log_odds(BELIEVED) - log_odds(confidence)))


def log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
