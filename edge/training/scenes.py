"""What the model sees while it learns: 320x256 pictures of clips and of rendered worlds.

    rendered ────────────────────────────────────────────────────────────────────┐
    infrared frame, objects painted out ▶ clouds ─▶ words ───────────────────────┤
    infrared frame, whole ─────────────┬▶ objects of other clips, silhouettes, ──┴─▶ scale ─▶ light ─▶ mirror
    visible frame, whole at half size ─┤  words
    visible frame, a window of it ─────┘

A source by its share, a class, one of its clips, one of its frames: rare classes are what drones are mistaken for. Each filmed
day shows few classes in few sizes under one light, so a day would tell the class. Therefore objects are laid in from other
clips, silhouettes of every class are drawn, and visible frames are shown in the exposure, white balance and saturation of
other days. Words, since cameras write into their pictures. Of infrared, a fifth shows nothing that flies, clouds above all,
which are warm and were called drones. Visible frames at half size show their birds and airplanes as large as the infrared ones
are. One integer seeds a picture, so a training set is a list of integers.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.simulator.scenery import Sprite, box_of, cut, overlap, to_picture
from edge.training.clips import CLASSES, Boxes, Picture, Pool, load_pool
from edge.training.drawn_boxes import as_people_draw, inside, keep_margin
from edge.training.lifted import Lifts
from edge.training.light import blurred, noisy, relit
from edge.training.painting import touches, without_objects

SIZE_PX = (320, 256)
SOURCE_SHARES = {
    "both": {"ir": 0.3, "halved": 0.08, "visible": 0.32, "rendered": 0.3},
    "infrared": {"ir": 0.67, "empty": 0.2, "rendered": 0.13},
    "visible": {"visible": 0.68, "halved": 0.12, "rendered": 0.2},
}
POOLS = {"both": ("ir", "visible", "rendered"), "infrared": ("ir", "rendered"), "visible": ("visible", "rendered")}
CLASS_SHARES = {"ir": (0.3, 0.22, 0.26, 0.22), "visible": (0.27, 0.23, 0.23, 0.27)}  # of filmed frames
SCALED_SHARE, SCALES = {"ir": 0.6, "visible": 0.8}, {"ir": (0.7, 1.4), "visible": (0.65, 1.5)}
LARGEST_PX = 200.0  # of an object after scaling: distances are binned up to 224
RELIT_SHARE, BLURRED_SHARE, NOISY_SHARE = {"ir": 0.6, "visible": 0.7}, 0.15, {"ir": 0.2, "visible": 0.15}
NEAR_SHARE = 0.85  # of windows: with an object somewhere in them; the rest anywhere at all
RIM = 114  # grey level around a picture that was made smaller
LAID_SHARE, LAID_MOST = (
    {"ir": 0.6, "visible": 0.5},
    {"ir": 3, "visible": 2},
)  # filmed frames with objects of other clips
DRAWN_SHARE, DRAWN_MOST = (
    {"ir": 0.3, "visible": 0.2},
    2,
)  # of filmed frames: with silhouettes drawn into them, one to so many
WRITTEN_SHARE, WRITTEN_MOST = {"ir": 0.25, "visible": 0.15}, 6  # of filmed frames: with words in them, one to so many
EMPTY_TRIED = 3  # frames, of which the roughest is shown without its objects: rough ones have clouds
CLOUDED_SHARE = 0.5  # of empty frames: with clouds laid over what they show
LETTERS = tuple("ABCDEFGHIKLMNOPRSTUVWXZ0123456789.:()%/-+ ")
FIXED_WINGS = 0.12  # of the drones drawn
DRAWN_PX = {"ir": (9.0, 60.0), "visible": (14.0, 110.0)}  # how wide, of every class alike


class Scenes:
    """All sources, opened; `picture(number)` is always the same picture."""

    def __init__(self, cache: Path, seed: int, spectrum: str = "both") -> None:
        self._seed, self._spectrum = seed, spectrum
        self._pools = {name: load_pool(cache / f"{name}.npy") for name in POOLS[spectrum]}
        filmed = [name for name in self._pools if name != "rendered"]
        self._frames = {name: frames_by_class(self._pools[name]) for name in filmed}
        self._lifts = {name: Lifts(self._pools[name], name) for name in filmed}

    def picture(self, number: int) -> tuple[Picture, Boxes]:
        """RGB uint8 (256, 320, 3) and boxes in its pixels."""
        chance = np.random.default_rng([self._seed, number])
        shares = SOURCE_SHARES[self._spectrum]
        source = str(chance.choice(list(shares), p=list(shares.values())))
        name = "ir" if source in {"ir", "empty"} or self._spectrum == "infrared" else "visible"
        if source == "rendered":
            picture, boxes = self._rendered(name, chance)
        elif source == "empty":
            picture, boxes = self._empty(chance), np.zeros((0, 5), np.float32)
        else:
            picture, boxes = self._filmed(source, chance)
        scale = scale_for(boxes, name, chance)
        picture, boxes = window(picture, boxes, scale, chance)
        boxes = keep_margin(boxes, scale, name)
        if chance.random() < RELIT_SHARE[name]:
            picture = relit(picture, name, chance)
        if chance.random() < BLURRED_SHARE:
            picture = blurred(picture, chance)
        if chance.random() < NOISY_SHARE[name]:
            picture = noisy(picture, name, chance)
        if chance.random() < 0.5:
            picture = picture[:, ::-1]
            boxes[:, 1] = SIZE_PX[0] - boxes[:, 1] - boxes[:, 3]
        return np.ascontiguousarray(picture[..., ::-1]), inside(boxes, SIZE_PX)

    def _rendered(self, name: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        pool = self._pools["rendered"]
        index = int(chance.integers(len(pool.boxes)))
        picture = np.array(pool.pictures[index])
        if name == "ir":
            picture = coloured(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8))
        return picture, as_people_draw(pool.boxes[index], name)

    def _empty(self, chance: np.random.Generator) -> Picture:
        """An infrared frame without its objects, in which nothing flies: clouds are warm, too."""
        pool = self._pools["ir"]
        index = max(chance.integers(len(pool.boxes), size=EMPTY_TRIED), key=lambda one: roughness(pool.pictures[one]))
        picture = without_objects(pool, int(index))
        if chance.random() < CLOUDED_SHARE:
            picture = clouded(picture, chance)
        if chance.random() < WRITTEN_SHARE["ir"]:
            write(picture, np.zeros((0, 5), np.float32), chance)
        return picture

    def _filmed(self, source: str, chance: np.random.Generator) -> tuple[Picture, Boxes]:
        """A frame with more in it than was filmed, or that at half its size; each clip of a class alike."""
        name = "ir" if source == "ir" else "visible"
        clips = self._frames[name][chance.choice(len(CLASSES), p=CLASS_SHARES[name])]
        frames = clips[chance.integers(len(clips))]
        index = int(frames[chance.integers(len(frames))])
        picture, boxes = coloured(self._pools[name].pictures[index]), self._pools[name].boxes[index].copy()
        if chance.random() < LAID_SHARE[name]:
            for _ in range(chance.integers(1, LAID_MOST[name] + 1)):
                boxes = self._lifts[name].lay(picture, boxes, chance)
        if chance.random() < DRAWN_SHARE[name]:
            for _ in range(chance.integers(1, DRAWN_MOST + 1)):
                boxes = draw(picture, boxes, name, chance)
        if chance.random() < WRITTEN_SHARE[name]:
            write(picture, boxes, chance)
        if source == "halved":
            picture = np.asarray(cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8)
            boxes[:, 1:] *= 0.5
            boxes = keep_margin(boxes, 0.5, name)
        return picture, boxes


def scale_for(boxes: Boxes, spectrum: str, chance: np.random.Generator) -> float:
    """At which a frame is shown: mostly another than its own, none at which its largest object would be too large."""
    scale = (
        float(np.exp(chance.uniform(*np.log(SCALES[spectrum])))) if chance.random() < SCALED_SHARE[spectrum] else 1.0
    )
    largest = float(np.sqrt(boxes[:, 3] * boxes[:, 4]).max()) if len(boxes) else 0.0
    return min(scale, LARGEST_PX / largest) if largest else scale


def frames_by_class(pool: Pool) -> list[list[npt.NDArray[np.intp]]]:
    """Per class the clips, per clip its frames: sampling by class, then by clip, keeps long and common ones in bounds."""
    clips = [np.flatnonzero(pool.group == clip) for clip in range(len(pool.group_class))]
    return [[clips[c] for c in np.flatnonzero(pool.group_class == k) if len(clips[c])] for k in range(len(CLASSES))]


def coloured(frame: Picture) -> Picture:
    """Three channels, also of a grey frame; a copy."""
    return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else np.array(frame)


def draw(picture: Picture, boxes: Boxes, spectrum: str, chance: np.random.Generator) -> Boxes:
    """One silhouette more in a filmed frame, in place; the boxes with its own, unless it would touch another.

    Each filmed day shows few classes, and most of them in one size: drawn, every class stands in every sky in every size.
    """
    height, width = picture.shape[:2]
    kind = CLASSES[chance.integers(len(CLASSES))]
    sprite = Sprite(
        "fixed_wing" if kind == "drone" and chance.random() < FIXED_WINGS else kind,
        x_px=float(chance.uniform(0.02, 0.98) * width),
        y_px=float(chance.uniform(0.02, 0.75) * height),
        width_px=float(np.exp(chance.uniform(*np.log(DRAWN_PX[spectrum])))),
        heading_rad=float(chance.uniform(0, 2 * np.pi)),
        phase=float(chance.random()),
        elevation_rad=float(chance.uniform(0.0, 0.7)),
        contrast=float(chance.uniform(0.6, 1.0)),
        blur_px=float(chance.uniform(0.6, 1.5)),
    )
    box = as_people_draw(np.array([[CLASSES.index(kind), *box_of(sprite)]], np.float32), spectrum)
    if any(touches(box[0], other) for other in boxes):
        return boxes
    patch = cut(sprite, "infrared" if spectrum == "ir" else "visible")
    if patch is None:
        return boxes
    rows, columns, inner = overlap(*patch[:2], patch[2].shape, (width, height))
    if rows is None or columns is None:
        return boxes
    alpha, ink = (layer[inner][..., None] for layer in patch[2:])
    behind = picture[rows, columns].astype(np.float32)
    if spectrum == "ir":
        tone = float(behind.mean()) + chance.uniform(80, 230) * (0.5 + 0.5 * ink)  # warm, and soon white
    else:
        dark = chance.uniform(130, 190) if chance.random() < 0.2 else chance.uniform(15, 90)
        tone = 0.85 * (dark + ink * chance.uniform(40, 140)) + 0.15 * behind
    alpha = alpha * sprite.contrast
    picture[rows, columns] = to_picture(behind * (1 - alpha) + np.minimum(tone, 255) * alpha)
    return np.concatenate([boxes, box])


def roughness(frame: Picture) -> float:
    """How much a frame's upper half changes from place to place, some 8 px apart, in grey levels."""
    upper = np.asarray(frame[: len(frame) // 2], np.float32)
    small = cv2.resize(upper, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return float((small - cv2.GaussianBlur(small, (0, 0), 4)).std())


def clouded(picture: Picture, chance: np.random.Generator) -> Picture:
    """Clouds over a frame, warmer than the sky behind: noise of several octaves, above a level."""
    height, width = picture.shape[:2]
    noise = np.zeros((height, width), np.float32)
    rows, columns = chance.integers(2, 7), chance.integers(2, 9)
    for octave in range(5):
        grid = chance.normal(size=(rows << octave, columns << octave)).astype(np.float32)
        noise += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.55**octave
    level, soft = chance.uniform(0.3, 1.6), chance.uniform(0.3, 1.2)
    warm = np.clip((noise - level) / soft, 0, 1) * chance.uniform(25, 160)
    return to_picture(np.minimum(picture.astype(np.float32) + warm[..., None], 255))


def write(picture: Picture, boxes: Boxes, chance: np.random.Generator) -> None:
    """Words as cameras write them over their pictures, in place: they are nothing that flies."""
    height, width = picture.shape[:2]
    for _ in range(chance.integers(1, WRITTEN_MOST + 1)):
        words = "".join(chance.choice(LETTERS, chance.integers(2, 12)))
        size = float(chance.uniform(0.3, 0.55)) * width / SIZE_PX[0]
        (across, up), down = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        x, y = int(chance.uniform(0, width - across)), int(chance.uniform(up, height))
        if not any(touches(np.array([0, x, y - up, across, up + down], np.float32), box) for box in boxes):
            tone = (float(chance.choice([0, 160, 220, 255])),) * 3
            cv2.putText(picture, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, tone, 1, cv2.LINE_AA)


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
