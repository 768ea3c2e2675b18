"""What the model sees while it learns: 320x256 pictures of clips and of rendered worlds, little changed.

    rendered ─────────────────────────┐
    infrared frame, whole ────────────┼─▶ scale ─▶ brightness ─▶ mirror
    visible frame, whole at half size ┤
    visible frame, a window of it ────┘

A source by its share, a class with equal chances, one of its clips, one of its frames: rare classes are what drones are
mistaken for. The frames stay as they were filmed. Composing new ones (objects laid over other backgrounds, text, blur, noise,
compression) was tried and left out: it cost most of the pictures a run can see, and found fewer infrared drones.
Visible frames at half size show their birds and airplanes as large as the infrared ones are. One integer seeds a picture,
so a training set is a list of integers.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Picture, Pool, load_pool

SIZE_PX = (320, 256)
SOURCE_SHARES = {"ir": 0.32, "halved": 0.08, "visible": 0.38, "rendered": 0.22}
POOLS = ("ir", "visible", "rendered")
SCALED_SHARE, SCALES = 0.6, (0.8, 1.25)
RELIT_SHARE, GAINS, LIFTS = 0.5, (0.8, 1.25), (-20.0, 20.0)  # lifts in grey levels
NEAR_SHARE = 0.85  # of windows: with an object somewhere in them; the rest anywhere at all
LOOSER = 1.2  # visible boxes: how loosely they are drawn differs by day; one too tight is a miss on a loose day
RIM = 114  # grey level around a picture that was made smaller
KEPT_SHARE = 0.45  # an object cut off by more than this is no longer labelled
SMALLEST_PX = 3.0


class Scenes:
    """All sources, opened; `picture(number)` is always the same picture."""

    def __init__(self, cache: Path, seed: int) -> None:
        self._seed = seed
        self._pools = {name: load_pool(cache / f"{name}.npy") for name in POOLS}
        self._frames = {name: frames_by_class(self._pools[name]) for name in ("ir", "visible")}

    def picture(self, number: int) -> tuple[Picture, Boxes]:
        """RGB uint8 (256, 320, 3) and boxes in its pixels."""
        chance = np.random.default_rng([self._seed, number])
        source = str(chance.choice(list(SOURCE_SHARES), p=list(SOURCE_SHARES.values())))
        picture, boxes = self._rendered(chance) if source == "rendered" else self._filmed(source, chance)
        scale = float(np.exp(chance.uniform(*np.log(SCALES)))) if chance.random() < SCALED_SHARE else 1.0
        picture, boxes = window(picture, boxes, scale, chance)
        if chance.random() < RELIT_SHARE:
            picture = relit(picture, chance)
        if chance.random() < 0.5:
            picture = picture[:, ::-1]
            boxes[:, 1] = SIZE_PX[0] - boxes[:, 1] - boxes[:, 3]
        return np.ascontiguousarray(picture[..., ::-1]), inside(boxes, SIZE_PX)

    def _rendered(self, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        pool = self._pools["rendered"]
        index = int(chance.integers(len(pool.boxes)))
        return np.array(pool.pictures[index]), loosen(pool.boxes[index])

    def _filmed(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        """A frame as it was filmed, or at half its size; each class alike, each of its clips alike."""
        name = "ir" if source == "ir" else "visible"
        clips = self._frames[name][chance.integers(len(CLASSES))]
        frames = clips[chance.integers(len(clips))]
        index = int(frames[chance.integers(len(frames))])
        picture, boxes = coloured(self._pools[name].pictures[index]), self._pools[name].boxes[index].copy()
        if name == "visible":
            boxes = grown(boxes, LOOSER, 0.0)
        if source == "halved":
            picture = np.asarray(cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8)
            boxes[:, 1:] *= 0.5
        return picture, boxes


def frames_by_class(pool: Pool) -> list[list[npt.NDArray[np.intp]]]:
    """Per class the clips, per clip its frames: sampling by class, then by clip, keeps long and common ones in bounds."""
    clips = [np.flatnonzero(pool.group == clip) for clip in range(len(pool.group_class))]
    return [[clips[c] for c in np.flatnonzero(pool.group_class == k) if len(clips[c])] for k in range(len(CLASSES))]


def coloured(frame: Picture) -> Picture:
    """Three channels, also of a grey frame; a copy."""
    return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else np.array(frame)


def window(frame: Picture, boxes: Boxes, scale: float, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """A 320x256 piece of a frame at this scale, of a larger one mostly with an object in it; beyond the frame it is grey."""
    height, width = frame.shape[:2]
    room = np.array([scale * width - SIZE_PX[0], scale * height - SIZE_PX[1]])
    if width > SIZE_PX[0] and len(boxes) and chance.random() < NEAR_SHARE:
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
        picture = cv2.warpAffine(frame, move, SIZE_PX, flags=cv2.INTER_LINEAR, borderValue=(RIM, RIM, RIM))
    moved = boxes.copy()
    moved[:, 1:] *= scale
    moved[:, 1:3] -= np.array([left, top], np.float32)
    return np.asarray(picture, np.uint8), moved


def relit(picture: Picture, chance: np.random.Generator) -> Picture:
    """Another gain and level."""
    levels = (np.arange(256.0) - 128) * chance.uniform(*GAINS) + 128 + chance.uniform(*LIFTS)
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)


def loosen(boxes: Boxes) -> Boxes:
    """Rendered boxes are exact; people draw them loose. One model can learn but one custom: the people's."""
    return grown(boxes, 1.25, 3.0)


def grown(boxes: Boxes, factor: float, more_px: float) -> Boxes:
    """Larger boxes with the same middles."""
    larger = boxes.copy()
    larger[:, 3:] = boxes[:, 3:] * factor + more_px
    larger[:, 1:3] -= (larger[:, 3:] - boxes[:, 3:]) / 2
    return larger


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
