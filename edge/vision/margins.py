"""How much larger than the object a model draws its boxes: who labels leaves some pixels of the screen around what is there.

    box ─ margin = extent: in a far drone's box of 26 px stands a drone of 6

Entry `box_margin_px` of the model's metadata, JSON: {"visible": px, "infrared": px}, of a picture's own pixels; fitted by
`edge/training/drawn_boxes.py`. A model without it draws its boxes close.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.vision.spectrum import Spectrum

ENTRY = "box_margin_px"  # of a model file's metadata
LARGEST_PX = 100.0


@dataclass(frozen=True, slots=True)
class Margins:
    """By how many pixels the sides of a box are longer than what they show."""

    visible_px: float = 0.0
    infrared_px: float = 0.0

    @classmethod
    def read(cls, written: str | None) -> Margins:
        """Of a model file's entry. Raises ValueError, TypeError or KeyError where it is none of ours."""
        if written is None:
            return cls()
        told = json.loads(written)
        both = float(told["visible"]), float(told["infrared"])
        if not all(0.0 <= margin <= LARGEST_PX for margin in both):
            raise ValueError(f"found {both}, expected two from 0 to {LARGEST_PX:g}")
        return cls(*both)

    def of(self, spectrum: Spectrum) -> float:
        """In a picture of it."""
        return self.visible_px if spectrum == "visible" else self.infrared_px
