"""What the model sees while it learns: 320x256 pictures of clips, of rendered worlds, and of objects set elsewhere.

The days of the clips are few, and on each the camera stood before one scenery and filmed mostly one class. Whole frames
let the model use what truly goes with a class (grain, gain, height above the tree line) and tempt it to learn the tree
line itself. So most pictures are frames as they were filmed, little changed, and some are composed: an object lifted off its
own background and laid over that of any other clip.

    rendered ──────────────────────────────────────────────┐
    frame of a clip ── window at a scale ──────────────────┼─▶ text overlay ─▶ weather ─▶ mirror
    clip without its objects ── window ── objects laid in ─┘

Infrared frames are 320x256 as they are; visible ones are windows at native pixels, or whole at half size, where they
lend the infrared its missing near birds and airplanes. One integer seeds a picture, so a training set is a list of
integers. Copying small objects: Kisantal et al. (2019), "Augmentation for small object detection".
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Picture, Pool, load_pool
from edge.training.cuttings import Cutting, collect_cuttings, lay, without_objects
from edge.training.weather import overlay, weather

SIZE_PX = (320, 256)
SOURCE_SHARES = {"ir": 0.50, "visible": 0.41, "rendered": 0.09}
CLASS_SHARES = (0.28, 0.26, 0.24, 0.22)  # drones first, but no class rare: the others are what drones are mistaken for
COMPOSED_SHARE, SCALED_SHARE, OVERLAY_SHARE = 0.12, 0.35, 0.1
SCALES = (0.8, 1.25)  # of a window, against native pixels
HALVED_SHARE = 0.2  # of visible pictures
NEAR_SHARE = 0.875  # of windows of frames: with an object somewhere in them; the rest anywhere at all
OBJECT_COUNTS = (0, 1, 1, 2, 2, 3)  # laid into one background; sometimes none: what is empty is to be learnt, too
KEPT_SHARE = 0.45  # an object cut off by more than this is no longer labelled
SMALLEST_PX = 3.0
Matrix = npt.NDArray[np.float64]


class Scenes:
    """All sources, opened; `picture(number)` is always the same picture."""

    def __init__(self, cache: Path, seed: int) -> None:
        self._seed = seed
        self._pools = {name: load_pool(cache / f"{name}.npy") for name in SOURCE_SHARES}
        filmed = {name: pool for name, pool in self._pools.items() if name != "rendered"}
        self._frames = {name: frames_by_class(pool) for name, pool in filmed.items()}
        self._cuttings = {name: collect_cuttings(pool, seed) for name, pool in filmed.items()}

    def picture(self, number: int) -> tuple[Picture, Boxes]:
        """RGB uint8 (256, 320, 3) and boxes in its pixels."""
        chance = np.random.default_rng([self._seed, number])
        source = str(chance.choice(list(SOURCE_SHARES), p=list(SOURCE_SHARES.values())))
        if source == "rendered":
            pool = self._pools[source]
            index = int(chance.integers(len(pool.boxes)))
            picture, boxes = np.array(pool.pictures[index]), loosen(pool.boxes[index])
        elif chance.random() < COMPOSED_SHARE:
            picture, boxes = self._composed(source, chance)
        else:
            picture, boxes = self._filmed(source, chance)
        if source != "rendered" and chance.random() < OVERLAY_SHARE:
            picture = overlay(picture, boxes, chance)
        picture = weather(picture, source, chance)
        if chance.random() < 0.5:
            picture = picture[:, ::-1]
            boxes = boxes.copy()
            boxes[:, 1] = SIZE_PX[0] - boxes[:, 1] - boxes[:, 3]
        return np.ascontiguousarray(picture[..., ::-1]), inside(boxes, SIZE_PX)

    def _filmed(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        """A window of a frame as it was filmed; each class by its share, each of its clips alike."""
        clips = self._frames[source][int(chance.choice(len(CLASSES), p=CLASS_SHARES))]
        frames = clips[chance.integers(len(clips))]
        index = int(frames[chance.integers(len(frames))])
        pool = self._pools[source]
        return window(coloured(pool.pictures[index]), pool.boxes[index], window_scale(source, chance), chance)

    def _composed(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        """Objects of any clips laid over the background of any other."""
        pool = self._pools[source]
        clips = [clip for kind in self._frames[source] for clip in kind]
        frames = clips[chance.integers(len(clips))]
        index = int(frames[chance.integers(len(frames))])
        scale = window_scale(source, chance)
        empty, _ = window(without_objects(pool, index), np.zeros((0, 5), np.float32), scale, chance)
        cuttings = [self._cutting(source, chance) for _ in range(int(chance.choice(OBJECT_COUNTS)))]
        return lay(cuttings, empty, 0.5 if scale == 0.5 else 1.0, chance)

    def _cutting(self, source: str, chance: np.random.Generator) -> Cutting:
        kinds = self._cuttings[source]
        clips = kinds[int(chance.choice(len(CLASSES), p=CLASS_SHARES))] or next(kind for kind in kinds if kind)
        cuttings = clips[chance.integers(len(clips))]
        return cuttings[chance.integers(len(cuttings))]


def frames_by_class(pool: Pool) -> list[list[npt.NDArray[np.intp]]]:
    """Per class the clips, per clip its frames: sampling by class, then by clip, keeps long and common ones in bounds."""
    clips = [np.flatnonzero(pool.group == clip) for clip in range(len(pool.group_class))]
    return [[clips[c] for c in np.flatnonzero(pool.group_class == k) if len(clips[c])] for k in range(len(CLASSES))]


def coloured(frame: Picture) -> Picture:
    """Three channels, also of a grey frame; a copy."""
    return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else np.array(frame)


def window_scale(source: str, chance: np.random.Generator) -> float:
    """How much larger than native pixels the picture shows the frame; 0.5: a whole visible frame."""
    if source == "visible" and chance.random() < HALVED_SHARE:
        return 0.5
    return float(np.exp(chance.uniform(*np.log(SCALES)))) if chance.random() < SCALED_SHARE else 1.0


def window(frame: Picture, boxes: Boxes, scale: float, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """A 320x256 piece of a frame at this scale, mostly with an object somewhere in it; beyond the frame its rim goes on."""
    height, width = frame.shape[:2]
    room = np.array([scale * width - SIZE_PX[0], scale * height - SIZE_PX[1]])
    if len(boxes) and chance.random() < NEAR_SHARE:
        _, x, y, w, h = boxes[chance.integers(len(boxes))]
        corner = scale * np.array([x + w / 2, y + h / 2]) - chance.uniform(0.05, 0.95, 2) * SIZE_PX
    else:
        corner = chance.uniform(0, 1, 2) * room
    left, top = np.clip(corner, np.minimum(room, 0), np.maximum(room, 0))
    if scale == 1.0:
        left, top = round(left), round(top)
        picture = frame[top : top + SIZE_PX[1], left : left + SIZE_PX[0]].copy()
    else:
        move = np.array([[scale, 0, -left], [0, scale, -top]])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(frame, SIZE_PX, interpolation=how) if scale == 0.5 else shown(frame, move)
    moved = boxes.copy()
    moved[:, 1:] *= scale
    moved[:, 1:3] -= np.array([left, top], np.float32)
    return np.asarray(picture, np.uint8), moved


def shown(frame: Picture, move: Matrix) -> Picture:
    picture = cv2.warpAffine(frame, move, SIZE_PX, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(picture, np.uint8)


def loosen(boxes: Boxes) -> Boxes:
    """Rendered boxes are exact; people draw them loose. One model can learn but one custom: the people's."""
    grown = boxes.copy()
    grown[:, 3:] = boxes[:, 3:] * 1.25 + 3
    grown[:, 1:3] -= (grown[:, 3:] - boxes[:, 3:]) / 2
    return grown


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
