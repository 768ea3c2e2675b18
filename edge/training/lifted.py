"""Filmed objects lifted off their skies and laid into other frames: every class under every day's light.

    frame − plane fitted to the box's surroundings = what the object adds ─▶ scaled, mirrored ─▶ + another frame

Each filmed day shows few classes, so a day's sky tells the class of what flies in it; what is laid in from another clip does
not. Only objects before a smooth sky are lifted. What they add counts in proportion to the light where they are laid (visible)
or to what is left up to white (infrared). No source: our own; the idea is copy-paste, Ghiasi et al. (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Picture, Pool
from edge.training.drawn_boxes import keep_margin
from edge.training.painting import touches

SMOOTH = 7.0  # grey levels: standard deviation around an object up to which its sky is smooth
FAINTEST = 12.0  # grey levels an object adds or takes somewhere
LARGEST_PX = 150
RIM_PX = 2
SCALES, GAINS = (0.7, 1.4), (0.6, 1.3)
SMALLEST_SCALED_PX = 7.0  # what would be smaller is laid in as it is
LOWEST = 0.85  # of the frame's height: drones are seldom filmed on the ground

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lifted:
    """One object without its sky."""

    added: npt.NDArray[np.float16]  # (height, width, channels), grey levels, fading towards the rim
    box: npt.NDArray[np.float32]  # class, x, y, width, height, within `added`
    light: float  # mean grey level of the sky it was before


class Lifts:
    """All objects of a pool that can be lifted, by class and clip."""

    def __init__(self, pool: Pool, spectrum: str) -> None:
        self._spectrum = spectrum
        self._clips: list[list[list[Lifted]]] = [[] for _ in CLASSES]
        for clip, kind in enumerate(pool.group_class):
            lifted = [
                one
                for index in np.flatnonzero(pool.group == clip)
                for box in pool.boxes[index]
                if int(box[0]) == kind and (one := lift(pool.pictures[index], box, pool.boxes[index]))
            ]
            if lifted:
                self._clips[kind].append(lifted)

    def lay(self, picture: Picture, boxes: Boxes, chance: np.random.Generator) -> Boxes:
        """One object more in a frame, in place; the boxes with its own, unless it would touch another."""
        clips = self._clips[chance.integers(len(CLASSES))]
        if not clips:
            return boxes
        clip = clips[chance.integers(len(clips))]
        one = clip[chance.integers(len(clip))]
        scale = float(np.exp(chance.uniform(*np.log(SCALES))))
        scale = 1.0 if one.box[3:].max() * scale < SMALLEST_SCALED_PX else scale
        added, box = scaled(one, scale, mirrored=chance.random() < 0.5)
        box = keep_margin(box, scale, self._spectrum)
        (height, width), (rows, columns) = added.shape[:2], picture.shape[:2]
        if width >= columns or height >= rows:
            return boxes
        x, y = int(chance.integers(0, columns - width)), int(chance.uniform(0, LOWEST) * (rows - height))
        box[0, 1:3] += (x, y)
        if any(touches(box[0], other) for other in boxes):
            return boxes
        behind = picture[y : y + height, x : x + width].astype(np.float32)
        gain = chance.uniform(*GAINS) * fitting(float(behind.mean()), one.light, self._spectrum)
        picture[y : y + height, x : x + width] = np.clip(behind + gain * added, 0, 255).astype(np.uint8)
        return np.concatenate([boxes, box]).astype(np.float32)


def lift(picture: Picture, box: Values, all_boxes: Boxes) -> Lifted | None:
    """What an object adds to its sky; None where the sky is rough, the object faint, large, cut off or not alone."""
    _, x, y, w, h = (float(value) for value in box)
    margin = max(3.0, 0.25 * max(w, h))
    left, top, right, bottom = (
        int(x - margin),
        int(y - margin),
        int(np.ceil(x + w + margin)),
        int(np.ceil(y + h + margin)),
    )
    rows, columns = picture.shape[:2]
    if left < 0 or top < 0 or right > columns or bottom > rows or max(w, h) > LARGEST_PX:
        return None
    if sum(touches(box, other) for other in all_boxes) > 1:  # itself is one
        return None
    patch = np.asarray(picture[top:bottom, left:right], np.float32).reshape(bottom - top, right - left, -1)
    sky, spread = plane_through_rim(patch)
    added = patch - sky
    if spread > SMOOTH or np.abs(added).max() < FAINTEST:
        return None
    soft = np.zeros(patch.shape[:2], np.float32)
    edge = max(1, int(0.6 * margin))
    soft[edge:-edge, edge:-edge] = 1
    soft = np.asarray(cv2.GaussianBlur(soft, (0, 0), max(0.8, 0.25 * margin)), np.float32)
    inner = np.array([box[0], x - left, y - top, w, h], np.float32)
    return Lifted((added * soft[..., None]).astype(np.float16), inner, float(sky.mean()))


def plane_through_rim(patch: Values) -> tuple[Values, float]:
    """The sky behind a patch, a plane by least squares through its rim, and how rough the rim is, grey levels."""
    rim = np.ones(patch.shape[:2], bool)
    rim[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    terms = np.stack([x, y, np.ones_like(x)], axis=-1)
    plane = np.linalg.lstsq(terms[rim], patch[rim], rcond=None)[0]
    return np.asarray(terms @ plane, np.float32), float(patch[rim].std(axis=0).mean())


def scaled(one: Lifted, scale: float, mirrored: bool) -> tuple[Values, Boxes]:
    added = one.added.astype(np.float32)
    width, height = max(3, round(added.shape[1] * scale)), max(3, round(added.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    added = np.asarray(cv2.resize(added, (width, height), interpolation=how), np.float32).reshape(height, width, -1)
    box = one.box[None].copy()
    box[:, 1:] *= scale
    if mirrored:
        added = added[:, ::-1]
        box[:, 1] = width - box[:, 1] - box[:, 3]
    return added, box


def fitting(light: float, before: float, spectrum: str) -> float:
    """By how much more an object adds where the light is another than before which it was filmed."""
    if spectrum == "ir":
        return float(np.clip(max(255 - light, 30.0) / max(255 - before, 30.0), 0.5, 1.5))
    return float(np.clip(light / max(before, 20.0), 0.3, 1.7))
