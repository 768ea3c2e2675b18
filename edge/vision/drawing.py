"""A picture with what was seen in it: boxes with class and confidence, and the regions that were looked at.

    thin grey: a region that was looked at · thick, a colour for each class: an object, "drone 0.87" above it

A box is drawn outside the object's pixels, so that what is small is not hidden by its own frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.vision.detector import Box, Picture, Region

COLOURS = {  # BGR, told apart by brightness too
    "drone": (60, 60, 255),
    "bird": (80, 220, 80),
    "airplane": (255, 190, 60),
    "helicopter": (60, 220, 255),
}
OTHER_COLOUR = (255, 80, 255)
LOOKED_COLOUR = (170, 170, 170)
GAP_PX = 3  # between an object's box and its frame
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


def drawn(picture: Picture, boxes: Sequence[Box], looked: Sequence[Region] = ()) -> Picture:
    """A copy of a picture, BGR, with boxes and regions drawn into it; a region that is the whole picture is its rim."""
    canvas = np.array(picture)
    for region in looked:
        corner = (region.x_px + region.width_px - 1, region.y_px + region.height_px - 1)
        cv2.rectangle(canvas, (region.x_px, region.y_px), corner, LOOKED_COLOUR, 1)
    for box in sorted(boxes, key=lambda one: one.confidence):
        draw_box(canvas, box)
    return canvas


def draw_box(canvas: Picture, box: Box) -> None:
    """Frame and words of one object, in place; the words stay inside the picture."""
    colour = COLOURS.get(box.class_name, OTHER_COLOUR)
    left, top = round(box.x_px) - GAP_PX, round(box.y_px) - GAP_PX
    right, bottom = round(box.x_px + box.width_px) + GAP_PX, round(box.y_px + box.height_px) + GAP_PX
    cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2)
    words = f"{box.class_name} {box.confidence:.2f}"
    (width, height), _ = cv2.getTextSize(words, FONT, FONT_SCALE, 1)
    x = max(0, min(left, canvas.shape[1] - width))
    y = top - 4 if top - 4 - height >= 0 else min(bottom + height + 4, canvas.shape[0] - 1)
    for tone, thickness in (((0, 0, 0), 3), (colour, 1)):  # dark rim: readable before any sky
        cv2.putText(canvas, words, (x, y), FONT, FONT_SCALE, tone, thickness, cv2.LINE_AA)
