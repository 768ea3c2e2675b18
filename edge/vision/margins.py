"""How much larger than the object a model draws its boxes: who labels leaves some pixels of the screen around what is there.

    box ─ margin = extent: in a far drone's box of 26 px stands a drone of 6

Entry `box_margin_px` of the model's metadata, JSON: {"visible": px, "infrared": px}, of a picture's own pixels; fitted by
`edge/training/drawn_boxes.py`. A model without it draws its boxes close.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ENTRY = "box_margin_px"  # of a model file's metadata
LARGEST_PX = 100.0
# grey levels between a place's strongest and weakest colour, on average, up to which a picture is infrared: an encoder that
# rounds both colour channels of grey down by one step makes 3.2 of it (ITU-R BT.601); a clip's palest visible frame has 4.0
GREY = 3.3
GREY_INPUT = "grey"  # of a model of two halves: the same limit, of 1, where whoever looks tells none
EVERY_PX = 8  # places so far apart tell the colour of a picture


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

    def of(self, picture_bgr: npt.NDArray[np.uint8]) -> float:
        """In this picture; the model itself decides alike."""
        return self.visible_px if has_colour(picture_bgr) else self.infrared_px


def has_colour(picture_bgr: npt.NDArray[np.uint8]) -> bool:
    """A picture without colour is an infrared one."""
    blue, green, red = (picture_bgr[::EVERY_PX, ::EVERY_PX, channel] for channel in range(3))
    strongest, weakest = np.maximum(np.maximum(blue, green), red), np.minimum(np.minimum(blue, green), red)
    return float((strongest - weakest).mean()) > GREY
