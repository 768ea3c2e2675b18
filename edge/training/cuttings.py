"""Objects lifted off their background, and backgrounds without their objects.

Most cameras stood still: another frame of the same clip shows what lies behind an object. Where it does not fit (the
camera panned), a smooth rim will do, and else the object stays where it is. What an object adds to the grey levels
beneath it is a `Cutting`; laid over another sky it is bright or dark against it as it was against its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Picture, Pool

PER_CLIP = 14  # cuttings kept of one clip: neighbours look the same
MARGIN_PX = 3
LARGEST_PX = 200
SMOOTH = 9.0  # grey levels, sigma: a rim without trees or clouds' edges
SAME_RIM = 5.0  # grey levels, mean difference: two frames that show the same place
FAINTEST = 12.0  # grey levels: an object that stands out less is not worth laying elsewhere
ROUGHEST = 28.0  # grey levels, sigma, of what an object is laid on: mostly sky, sometimes a tree line
FACTORS = (0.6, 1.5)  # of an object's size, when it is laid elsewhere
SMALLEST_PX = 5.0
TRIES = 12
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What an object adds to the grey levels beneath it, (h, w, 3)."""

    difference: Values
    class_number: int
    box: tuple[float, float, float, float]  # of the object inside the cutting: x, y, width, height


def collect_cuttings(pool: Pool, seed: int) -> list[list[list[Cutting]]]:
    """Per class, per clip, its cuttings; clips of which none can be lifted are left out."""
    chance = np.random.default_rng([seed, 77])
    found: list[list[list[Cutting]]] = [[] for _ in CLASSES]
    for clip in range(len(pool.group_class)):
        by_class: list[list[Cutting]] = [[] for _ in CLASSES]
        for index in chance.permutation(np.flatnonzero(pool.group == clip)):
            for box in pool.boxes[index]:
                cutting = lift(pool, int(index), box)
                if cutting and len(by_class[cutting.class_number]) < PER_CLIP:
                    by_class[cutting.class_number].append(cutting)
        for kind, cuttings in zip(found, by_class, strict=True):
            if cuttings:
                kind.append(cuttings)
    return found


def lift(pool: Pool, index: int, box: Values) -> Cutting | None:
    """The object's difference to what lies behind it, fading out at the rim; None where nobody knows what that is."""
    class_number, x, y, w, h = (float(v) for v in box)
    place = surroundings(box, pool.pictures[index].shape)
    if place is None or not SMALLEST_PX <= min(w, h) <= max(w, h) <= LARGEST_PX:
        return None
    if any(touches(other, box) for other in pool.boxes[index] if not np.array_equal(other, box)):
        return None
    patch = in_colour(pool.pictures[index][place])
    behind = background_of(pool, index, box)
    if behind is None:
        rim = rim_of(patch)
        if rim.std(axis=0).max() > SMOOTH:
            return None
        behind = np.broadcast_to(np.median(rim, axis=0), patch.shape)
    fade = np.zeros(patch.shape[:2], np.float32)
    fade[2:-2, 2:-2] = 1
    difference = (patch - behind) * cv2.blur(fade, (3, 3))[..., None]
    if np.abs(difference).max() < FAINTEST:
        return None
    return Cutting(difference.astype(np.float32), int(class_number), (x - place[1].start, y - place[0].start, w, h))


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


def lay(cuttings: list[Cutting], picture: Picture, shrink: float, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """Add objects, somewhat smaller, larger, fainter or stronger than they were, apart from each other.

    Small and far ones of one class, near and large ones of another: where classes were filmed at sizes of their own,
    the factor brings them together, so that size alone does not tell the class."""
    picture = picture.copy()
    boxes = np.zeros((0, 5), np.float32)
    for cutting in cuttings:
        factor = shrink * float(np.exp(chance.uniform(*np.log(FACTORS))))
        if factor * min(cutting.box[2:]) < SMALLEST_PX:
            factor = 1.0
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        difference = cv2.resize(cutting.difference, None, fx=factor, fy=factor, interpolation=how)
        x, y, w, h = (factor * v for v in cutting.box)
        if chance.random() < 0.5:
            difference, x = difference[:, ::-1], difference.shape[1] - x - w
        at = free_place(picture, boxes, difference.shape, chance)
        if at is None:
            continue
        left, top = at
        under = picture[top : top + difference.shape[0], left : left + difference.shape[1]]
        under[:] = np.clip(under + difference * float(chance.uniform(0.6, 1.3)), 0, 255)
        boxes = np.concatenate([boxes, np.array([[cutting.class_number, left + x, top + y, w, h]], np.float32)])
    return picture, boxes


def free_place(
    picture: Picture, boxes: Boxes, shape: tuple[int, ...], chance: np.random.Generator
) -> tuple[int, int] | None:
    """Left and top of a place that is smooth enough and where nothing stands yet; None if none was found."""
    height, width = shape[:2]
    if height >= picture.shape[0] or width >= picture.shape[1]:
        return None
    for _ in range(TRIES):
        left = int(chance.integers(0, picture.shape[1] - width))
        top = int(chance.integers(0, picture.shape[0] - height))
        place = np.array([0, left - 4, top - 4, width + 8, height + 8], np.float32)
        under = picture[top : top + height, left : left + width]
        if not any(touches(box, place) for box in boxes) and under.std(axis=(0, 1)).max() < ROUGHEST:
            return left, top
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
