"""Clips without their objects: what lies behind them, or a guess from their surroundings.

Most cameras stood still: another frame of the same clip shows what lies behind an object. Where it does not fit (the
camera panned), the object is painted over from around it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import Picture, Pool

MARGIN_PX = 3
SAME_RIM = 5.0  # grey levels, mean difference: two frames that show the same place
Values = npt.NDArray[np.float32]


def without_objects(pool: Pool, index: int) -> Picture:
    """A frame, in three channels, in which every object is covered by what lies behind it or by its surroundings."""
    frame = np.repeat(pool.pictures[index][..., None], 3, axis=2) if pool.pictures[index].ndim == 2 else None
    picture = np.array(pool.pictures[index]) if frame is None else frame
    for box in pool.boxes[index]:
        place, behind = surroundings(box, picture.shape), background_of(pool, index, box)
        if place is not None and behind is not None:
            picture[place] = behind.astype(np.uint8)
        else:
            paint_over(picture, box)
    return picture


def paint_over(picture: Picture, box: Values) -> None:
    """Fill a box from its surroundings, in place. Method: Telea (2004), as OpenCV has it."""
    x, y, w, h = (int(v) for v in box[1:])
    reach = 8
    top, left = max(0, y - reach), max(0, x - reach)
    piece = picture[top : y + h + reach, left : x + w + reach]
    mask = np.zeros(piece.shape[:2], np.uint8)
    mask[max(0, y - 1 - top) : y + h + 2 - top, max(0, x - 1 - left) : x + w + 2 - left] = 1
    piece[:] = cv2.inpaint(np.ascontiguousarray(piece), mask, 3, cv2.INPAINT_TELEA)


def background_of(pool: Pool, index: int, box: Values) -> Values | None:
    """What another frame of the clip shows at this place, nothing standing there, the rim the same; None if none does."""
    place = surroundings(box, pool.pictures[index].shape)
    if place is None:
        return None
    rim = rim_of(in_colour(pool.pictures[index][place]))
    frames = np.flatnonzero(pool.group == pool.group[index])
    for other in sorted(frames, key=lambda frame: -abs(int(frame) - index))[:6]:
        if other == index or any(touches(standing, box) for standing in pool.boxes[other]):
            continue
        patch = in_colour(pool.pictures[other][place])
        if np.abs(rim_of(patch) - rim).mean() < SAME_RIM:
            return patch
    return None


def surroundings(box: Values, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The box with a margin, as rows and columns; None where that leaves the frame."""
    x, y, w, h = (float(v) for v in box[1:])
    left, top = int(x) - MARGIN_PX, int(y) - MARGIN_PX
    right, bottom = int(x + w) + MARGIN_PX + 1, int(y + h) + MARGIN_PX + 1
    if left < 0 or top < 0 or bottom > shape[0] or right > shape[1]:
        return None
    return slice(top, bottom), slice(left, right)


def touches(one: Values, other: Values) -> bool:
    """Whether two boxes are nearer to each other than two margins."""
    gap = 2 * MARGIN_PX
    across = one[1] < other[1] + other[3] + gap and other[1] < one[1] + one[3] + gap
    return bool(across and one[2] < other[2] + other[4] + gap and other[2] < one[2] + one[4] + gap)


def rim_of(patch: Values) -> Values:
    """The outermost two rows and columns, (n, 3)."""
    sides = (patch[:2], patch[-2:], patch[:, :2], patch[:, -2:])
    return np.concatenate([side.reshape(-1, 3) for side in sides])


def in_colour(patch: Picture) -> Values:
    values = np.asarray(patch, np.float32)
    return np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values
