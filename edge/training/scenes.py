"""What the model sees while it learns: 320x256 pictures put together from clips, rendered worlds and pasted objects.

Infrared frames are 320x256 as they are; visible ones are crops at native pixels, or whole frames at half size. What is looked
at later is never shrunk: the halved ones only lend the infrared its missing near birds and airplanes.
One integer seeds a picture, so a training set is a list of integers:

    pick a source (infrared, visible, rendered) and a class → cut → perhaps mosaic of four → paste small objects
    → text overlay → polarity, brightness, blur, noise, compression → mirror
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Picture, Pool, load_pool

SIZE_PX = (320, 256)
SOURCE_SHARES = {"ir": 0.48, "visible": 0.38, "rendered": 0.14}
CLASS_SHARES = (0.26, 0.28, 0.23, 0.23)  # drones first, but no class rare: the others are what drones are mistaken for
MOSAIC_SHARE = 0.05  # whole pictures: what surrounds an object tells its class as much as its shape does
PASTE_SHARE, OVERLAY_SHARE, MAGNIFY_SHARE = 0.1, 0.15, 0.12
HALVED_SHARE = 0.45  # of visible pictures: near airplanes and birds, of which the infrared clips have hardly any
KEPT_SHARE = 0.45  # an object cut off by more than this is no longer labelled
SMALLEST_PX = 3.0
FAINTEST = 20.0  # grey levels: an object that stands out less from its sky is not worth pasting elsewhere
Difference = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cutting:
    """An object lifted off a smooth background: what it adds to the grey levels beneath it, (h, w, 3)."""

    difference: Difference
    class_number: int
    box: tuple[float, float, float, float]  # of the object inside the cutting: x, y, width, height


class Scenes:
    """All sources, opened; `picture(number)` is always the same picture."""

    def __init__(self, cache: Path, seed: int) -> None:
        self._seed = seed
        self._pools = {name: load_pool(cache / f"{name}.npy") for name in SOURCE_SHARES}
        self._frames = {name: frames_by_class(pool) for name, pool in self._pools.items() if name != "rendered"}
        self._cuttings = {name: collect_cuttings(self._pools[name], seed) for name in self._frames}

    def picture(self, number: int) -> tuple[Picture, Boxes]:
        """RGB uint8 (256, 320, 3) and boxes in its pixels."""
        chance = np.random.default_rng([self._seed, number])
        source = str(chance.choice(list(SOURCE_SHARES), p=list(SOURCE_SHARES.values())))
        if chance.random() < MOSAIC_SHARE:
            picture, boxes = mosaic([self._piece(source, chance) for _ in range(4)], chance)
        else:
            picture, boxes = self._cut(source, chance)
        if source != "rendered" and chance.random() < PASTE_SHARE:
            cuttings = self._cuttings[source]
            picture, boxes = paste(
                picture, boxes, [cuttings[i] for i in chance.integers(len(cuttings), size=3)], chance
            )
        if source != "rendered" and chance.random() < OVERLAY_SHARE:
            picture = overlay(picture, boxes, chance)
        picture = weather(picture, source, chance)
        if chance.random() < 0.5:
            picture = picture[:, ::-1]
            boxes = boxes.copy()
            boxes[:, 1] = SIZE_PX[0] - boxes[:, 1] - boxes[:, 3]
        return np.ascontiguousarray(picture[..., ::-1]), inside(boxes, SIZE_PX)

    def _piece(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        """A picture for a quarter of a mosaic: one whose objects fit into a quarter, if there is one in five."""
        for _ in range(5):
            picture, boxes = self._cut(source, chance)
            if not len(boxes) or (boxes[:, 3].max() < 0.3 * SIZE_PX[0] and boxes[:, 4].max() < 0.3 * SIZE_PX[1]):
                break
        return picture, boxes

    def _cut(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        pool = self._pools[source]
        if source == "rendered":
            index = int(chance.integers(len(pool.boxes)))
            return np.array(pool.pictures[index]), loosen(pool.boxes[index])
        clips = self._frames[source][int(chance.choice(len(CLASSES), p=CLASS_SHARES))]
        frames = clips[chance.integers(len(clips))]
        index = int(frames[chance.integers(len(frames))])
        if source == "ir":
            return magnify(cv2.cvtColor(np.array(pool.pictures[index]), cv2.COLOR_GRAY2BGR), pool.boxes[index], chance)
        if chance.random() < HALVED_SHARE:
            return halved(pool.pictures[index], pool.boxes[index], chance)
        return native_crop(pool.pictures[index], pool.boxes[index], chance)


def frames_by_class(pool: Pool) -> list[list[npt.NDArray[np.intp]]]:
    """Per class the clips, per clip its frames: sampling by class, then by clip, keeps long and common ones in bounds."""
    clips = [np.flatnonzero(pool.group == clip) for clip in range(len(pool.group_class))]
    return [[clips[c] for c in np.flatnonzero(pool.group_class == k) if len(clips[c])] for k in range(len(CLASSES))]


def loosen(boxes: Boxes) -> Boxes:
    """Rendered boxes are exact; people draw them loose. One model can learn but one custom: the people's."""
    grown = boxes.copy()
    grown[:, 3:] = boxes[:, 3:] * 1.25 + 3
    grown[:, 1:3] -= (grown[:, 3:] - boxes[:, 3:]) / 2
    return grown


def halved(frame: Picture, boxes: Boxes, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """A whole visible frame at half its size, mostly grey: what an infrared camera of fewer pixels would show by day."""
    picture = cv2.resize(frame, SIZE_PX, interpolation=cv2.INTER_AREA)
    if chance.random() < 0.75:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(picture, np.uint8), boxes * np.array([1, 0.5, 0.5, 0.5, 0.5], np.float32)


def native_crop(frame: Picture, boxes: Boxes, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """A 320x256 piece of a larger frame: mostly with an object anywhere in it, one in eight anywhere at all."""
    height, width = frame.shape[:2]
    if len(boxes) and chance.random() < 0.875:
        _, x, y, w, h = boxes[chance.integers(len(boxes))]
        left = x + w / 2 - chance.uniform(0.05, 0.95) * SIZE_PX[0]
        top = y + h / 2 - chance.uniform(0.05, 0.95) * SIZE_PX[1]
    else:
        left, top = chance.uniform(0, width - SIZE_PX[0]), chance.uniform(0, height - SIZE_PX[1])
    left, top = int(np.clip(left, 0, width - SIZE_PX[0])), int(np.clip(top, 0, height - SIZE_PX[1]))
    piece = np.array(frame[top : top + SIZE_PX[1], left : left + SIZE_PX[0]])
    return piece, boxes - np.array([0, left, top, 0, 0], np.float32)


def magnify(frame: Picture, boxes: Boxes, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """Infrared frames: a few with other classes are magnified around the object, up to 3 times; never shrunk.

    Drones were filmed near and far, birds and airplanes from afar only: magnified they stand for the near ones,
    so that large does not mean drone."""
    limit = 1.25 if not len(boxes) or (boxes[:, 0] == 0).any() else 3.0
    if not len(boxes) or chance.random() >= MAGNIFY_SHARE:
        return frame, boxes
    _, x, y, w, h = boxes[chance.integers(len(boxes))]
    factor = float(chance.uniform(1.0, min(limit, 0.6 * SIZE_PX[0] / w, 0.6 * SIZE_PX[1] / h) + 0.01))
    left = float(np.clip(factor * (x + w / 2) - chance.uniform(0.2, 0.8) * SIZE_PX[0], 0, SIZE_PX[0] * (factor - 1)))
    top = float(np.clip(factor * (y + h / 2) - chance.uniform(0.2, 0.8) * SIZE_PX[1], 0, SIZE_PX[1] * (factor - 1)))
    picture = cv2.warpAffine(frame, np.array([[factor, 0, -left], [0, factor, -top]]), SIZE_PX, flags=cv2.INTER_CUBIC)
    moved = boxes.copy()
    moved[:, 1:] *= factor
    return np.asarray(picture, np.uint8), moved - np.array([0, left, top, 0, 0], np.float32)


def overlay(picture: Picture, boxes: Boxes, chance: np.random.Generator) -> Picture:
    """Text and frames as cameras burn them into the picture, mostly along its rim; never over an object."""
    picture = picture.copy()
    for _ in range(int(chance.integers(1, 7))):
        words = "".join(chance.choice(list("ABCDEFGHIKLMNORSTVWXZ0123456789:.()- %"), int(chance.integers(2, 11))))
        scale, tone = float(chance.uniform(0.3, 0.6)), int(chance.choice([255, 230, 200, 20]))
        (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        left = int(chance.integers(0, max(1, SIZE_PX[0] - width)))
        row = float(chance.choice([chance.uniform(0, 0.15), chance.uniform(0.85, 1), chance.uniform(0, 1)]))
        bottom = int(np.clip(row * SIZE_PX[1], height + 3, SIZE_PX[1] - 4))
        near = (boxes[:, 1] < left + width + 8) & (left - 8 < boxes[:, 1] + boxes[:, 3])
        near &= (boxes[:, 2] < bottom + 8) & (bottom - height - 8 < boxes[:, 2] + boxes[:, 4])
        if near.any():
            continue
        if chance.random() < 0.3:
            cv2.rectangle(picture, (left, bottom - height - 3), (left + width, bottom + 3), (tone,) * 3, 1)
        if chance.random() < 0.8:
            cv2.putText(picture, words, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, (tone,) * 3, 1, cv2.LINE_AA)
    return picture


def mosaic(pieces: list[tuple[Picture, Boxes]], chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """Four quarters of 160x128, each cut at native pixels out of its own picture around an object."""
    width, height = SIZE_PX[0] // 2, SIZE_PX[1] // 2
    picture = np.empty((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    gathered = []
    for number, (piece, boxes) in enumerate(pieces):
        seen = inside(boxes, SIZE_PX)
        _, x, y, w, h = seen[chance.integers(len(seen))] if len(seen) else (0, *chance.uniform(0, 256, 2), 0, 0)
        left = int(np.clip(x + w / 2 - chance.uniform(0.2, 0.8) * width, 0, SIZE_PX[0] - width))
        top = int(np.clip(y + h / 2 - chance.uniform(0.2, 0.8) * height, 0, SIZE_PX[1] - height))
        right_half, lower_half = number % 2 * width, number // 2 * height
        quarter = piece[top : top + height, left : left + width]
        picture[lower_half : lower_half + height, right_half : right_half + width] = quarter
        kept = inside(seen - np.array([0, left, top, 0, 0], np.float32), (width, height))
        gathered.append(kept + np.array([0, right_half, lower_half, 0, 0], np.float32))
    return picture, np.concatenate(gathered)


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


def collect_cuttings(pool: Pool, seed: int, wanted: int = 600) -> list[Cutting]:
    """Objects on smooth sky, lifted off it, the same number of each class as far as they last."""
    chance = np.random.default_rng([seed, 77])
    found: list[list[Cutting]] = [[] for _ in CLASSES]
    for index in chance.permutation(len(pool.boxes)):
        boxes = pool.boxes[index]
        if len(boxes) != 1 or len(found[int(boxes[0, 0])]) >= wanted // len(CLASSES):
            continue
        cutting = lift(pool.pictures[index], boxes[0])
        if cutting:
            found[cutting.class_number].append(cutting)
        if sum(map(len, found)) >= wanted:
            break
    return [cutting for kind in found for cutting in kind]


def lift(frame: Picture, box: npt.NDArray[np.float32]) -> Cutting | None:
    """The object's difference to the sky around it, fading out at the rim; None where the rim is not smooth."""
    class_number, x, y, w, h = (float(v) for v in box)
    margin = 3
    left, top = int(x) - margin, int(y) - margin
    right, bottom = int(x + w) + margin + 1, int(y + h) + margin + 1
    if (
        left < 0
        or top < 0
        or bottom > frame.shape[0]
        or right > frame.shape[1]
        or not 5 <= min(w, h) <= max(w, h) <= 110
    ):
        return None
    patch = np.asarray(frame[top:bottom, left:right], np.float32)
    patch = np.repeat(patch[..., None], 3, axis=2) if patch.ndim == 2 else patch
    rim = np.concatenate(
        [patch[:2].reshape(-1, 3), patch[-2:].reshape(-1, 3), patch[:, :2].reshape(-1, 3), patch[:, -2:].reshape(-1, 3)]
    )
    if rim.std(axis=0).max() > 6:
        return None
    fade = np.zeros(patch.shape[:2], np.float32)
    fade[2:-2, 2:-2] = 1
    fade = cv2.blur(fade, (3, 3))[..., None]
    difference = (patch - np.median(rim, axis=0)) * fade
    if np.abs(difference).max() < FAINTEST:
        return None
    return Cutting(difference, int(class_number), (x - left, y - top, w, h))


def paste(
    picture: Picture, boxes: Boxes, cuttings: list[Cutting], chance: np.random.Generator
) -> tuple[Picture, Boxes]:
    """Add up to three objects, smaller or as large as they were, where nothing else stands."""
    picture = picture.copy()
    for cutting in cuttings[: int(chance.integers(1, 4))]:
        factor = float(chance.uniform(0.6, 1.05))
        if factor * min(cutting.box[2:]) < 5:
            continue
        difference = cv2.resize(cutting.difference, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        height, width = difference.shape[:2]
        if height >= SIZE_PX[1] or width >= SIZE_PX[0]:
            continue
        left, top = int(chance.integers(0, SIZE_PX[0] - width)), int(chance.integers(0, SIZE_PX[1] - height))
        near = (boxes[:, 1] < left + width + 4) & (left - 4 < boxes[:, 1] + boxes[:, 3])
        near &= (boxes[:, 2] < top + height + 4) & (top - 4 < boxes[:, 2] + boxes[:, 4])
        under = picture[top : top + height, left : left + width]
        if near.any() or under.std(axis=(0, 1)).max() > 25:
            continue
        if chance.random() < 0.5:
            difference = difference[:, ::-1]
            offset = cutting.difference.shape[1] - cutting.box[0] - cutting.box[2]
        else:
            offset = cutting.box[0]
        strength = float(chance.uniform(0.6, 1.2))
        picture[top : top + height, left : left + width] = np.clip(under + difference * strength, 0, 255)
        x, y, w, h = (factor * v for v in (offset, *cutting.box[1:]))
        boxes = np.concatenate([boxes, np.array([[cutting.class_number, left + x, top + y, w, h]], np.float32)])
    return picture, boxes


def weather(picture: Picture, source: str, chance: np.random.Generator) -> Picture:
    """Polarity, colour, brightness, blur, noise and compression, as cameras and links differ."""
    if source == "ir" and chance.random() < 0.1:
        picture = 255 - picture
    if source != "ir" and chance.random() < 0.2:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance.random() < 0.5:
        gain, lift_by, gamma = chance.uniform(0.65, 1.35), chance.uniform(-30, 30), chance.uniform(0.75, 1.35)
        tint = chance.uniform(0.92, 1.08, 3) if source != "ir" else np.ones(3)
        levels = np.linspace(0, 1, 256)[:, None] ** gamma * 255
        table = np.clip((levels - 128) * gain + 128 + lift_by, 0, 255) * tint
        picture = cv2.LUT(picture, np.clip(table, 0, 255).astype(np.uint8)[:, None, :])
    if chance.random() < 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.4, 1.1)))
    if chance.random() < 0.3:
        noise = chance.standard_normal((*picture.shape[:2], 1), np.float32) * float(chance.uniform(1, 7))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if chance.random() < 0.25:
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(35, 92))])
        picture = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(picture, np.uint8)
