"""How large people draw their boxes, and boxes moved, scaled and cut off.

On every day, in every class, a labelled side is about the object's own extent plus a margin that depends on the picture, not
on the object: who labels leaves so many pixels of the screen around what is there. Labelled side, px, fitted by clips of the
training days, those of the val days in brackets (geometric means of both sides; extent: what stands out of a smooth sky by
30 % of its most; one frame in 50):

                  infrared, 320x256                          visible, 640x512
    drone         0.8 extent + 10   (0.8 extent + 11)        0.8 extent + 22   (1.1 extent + 19)
    bird          0.3 extent + 12   (0.9 extent + 10)        0.9 extent + 22   (1.0 extent + 19)
    airplane      1.2 extent + 8    (1.5 extent + 7)         0.6 extent + 25   (1.1 extent + 23)
    helicopter    1.3 extent + 9                             1.4 extent + 19   (0.9 extent + 19)

So a far object's box is several times as large as the object, a near one's hardly larger, and a frame shown at another scale
keeps its margin. Boxes scaled along with their frames are of sizes that nobody draws.
"""

from __future__ import annotations

import numpy as np

from edge.training.clips import Boxes

MARGIN_PX = {"ir": 9.5, "visible": 20.0}
SLOPE = {"ir": 0.95, "visible": 1.0}
LEAST_MARGIN = 0.6  # a box is never drawn smaller than this share of the margin
KEPT_SHARE = 0.45  # an object cut off by more than this is no longer labelled
SMALLEST_PX = 3.0


def as_people_draw(exact: Boxes, spectrum: str) -> Boxes:
    """Boxes as loose as the labelled ones, of exact ones."""
    return resized(exact, SLOPE[spectrum] * exact[:, 3:] + MARGIN_PX[spectrum])


def keep_margin(scaled: Boxes, scale: float, spectrum: str) -> Boxes:
    """Boxes as people would draw them in a frame at this scale, of labelled ones that were scaled along."""
    sides = scaled[:, 3:] + (1 - scale) * MARGIN_PX[spectrum]
    return resized(scaled, np.maximum(sides, LEAST_MARGIN * MARGIN_PX[spectrum] if scale < 1 else 0.7 * scaled[:, 3:]))


def resized(boxes: Boxes, sides: Boxes) -> Boxes:
    """Boxes with other sides and the same middles."""
    other = boxes.copy()
    other[:, 3:] = sides
    other[:, 1:3] -= (sides - boxes[:, 3:]) / 2
    return other


def inside(boxes: Boxes, size_px: tuple[int, int]) -> Boxes:
    """Boxes clipped to the picture; those mostly outside it are dropped."""
    if not len(boxes):
        return boxes.reshape(-1, 5)
    left, top = np.maximum(boxes[:, 1], 0), np.maximum(boxes[:, 2], 0)
    right = np.minimum(boxes[:, 1] + boxes[:, 3], size_px[0])
    bottom = np.minimum(boxes[:, 2] + boxes[:, 4], size_px[1])
    width, height = right - left, bottom - top
    share = np.maximum(width, 0) * np.maximum(height, 0) / np.maximum(boxes[:, 3] * boxes[:, 4], 1e-6)
    good = (share >= KEPT_SHARE) & (width >= SMALLEST_PX) & (height >= SMALLEST_PX)
    return np.stack([boxes[:, 0], left, top, width, height], axis=1)[good].astype(np.float32)
