"""Whether what a camera shows and what its detector finds is still like what the detector was trained on.

    pictures ─▶ brightness, contrast, twice a second ─┐
                                                      ├─▶ the middle of a good minute, of the last objects ──▶ beyond what
    objects  ─▶ score, side; the last 32 of them ─────┘   training showed in all but a few clips? ─▶ one word, or ""

A model's file holds, for each of these, a histogram of the training clips' middles (`usual.py`). One camera sees far less than
all clips did, so its spread says nothing; what counts is whether its middle lies where hardly any clip's did. Objects count by
their looks up to a few, so that neither one that hovers for an hour nor a hundred glints of one look speak for all.

Pictures that do not show what is there now are left out, with those just before them: a cloth over the lens is another fault.
Objects of hours ago say nothing of now either.

The same pictures and boxes at the same times give the same words. Memory is bounded.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.vision.image_tracks import SURE, Seen
from edge.vision.usual import Usual

WORDS = {
    "score": "drifted scores",
    "side_px": "drifted sizes",
    "brightness": "drifted pictures",
    "contrast": "drifted pictures",
}
PICTURE_EVERY_S = 0.5
PICTURES, FEWEST_PICTURES = (
    150,
    130,
)  # a good minute: more than twice as long as any other fault lasts before it is told, 32 s
OBJECTS, FEWEST_OBJECTS = 32, 12
OBJECT_LASTS_S = 4 * 3600.0
LOOKS = 10  # of one object that count


class Drift:
    """One camera's memory."""

    def __init__(self, usual: Usual | None) -> None:
        """usual: None where the model does not tell; then nothing is ever odd."""
        self._usual = usual
        self._pictures: deque[tuple[float, float]] = deque(maxlen=PICTURES)  # brightness, contrast
        self._pictured_s: float | None = None
        self._objects: OrderedDict[int, list[tuple[float, float]]] = OrderedDict()  # by tracklet: scores, sides
        self._begun_s: dict[int, float] = {}  # when each was found first

    def see(self, time_s: float, grey: npt.NDArray[np.uint8]) -> None:
        """Take the next picture."""
        if self._pictured_s is not None and 0.0 <= time_s - self._pictured_s < PICTURE_EVERY_S:
            return
        self._pictured_s = time_s
        sampled = grey[::2, ::2]
        self._pictures.append((float(sampled.mean()), float(sampled.std())))

    def doubt(self) -> None:
        """The picture does not show what is there now: those that led to it may not either."""
        self._pictures.clear()

    def find(self, time_s: float, seen: Sequence[Seen]) -> None:
        """Take what was found in it."""
        for one in seen:
            if one.number == 0 or one.box.confidence < SURE:
                continue
            self._begun_s.setdefault(one.number, time_s)
            looks = self._objects.setdefault(one.number, [])
            if len(looks) < LOOKS:
                looks.append((one.box.confidence, float(np.sqrt(one.box.width_px * one.box.height_px))))
        while self._objects and (
            len(self._objects) > OBJECTS or time_s - self._begun_s[next(iter(self._objects))] > OBJECT_LASTS_S
        ):
            number, _ = self._objects.popitem(last=False)
            del self._begun_s[number]

    @property
    def word(self) -> str:
        """What has drifted, "" where nothing has; the first of `WORDS`, where more has."""
        if self._usual is None:
            return ""
        for name, middle in self._middles().items():
            low, high = self._usual.limits[name]
            if not low <= middle <= high:
                return WORDS[name]
        return ""

    def _middles(self) -> dict[str, float]:
        """The middles of what has been seen often enough."""
        middles: dict[str, float] = {}
        if len(self._objects) >= FEWEST_OBJECTS:
            looks = np.array([look for object_looks in self._objects.values() for look in object_looks])
            middles |= dict(zip(("score", "side_px"), np.median(looks, axis=0).tolist(), strict=True))
        if len(self._pictures) >= FEWEST_PICTURES:
            middles |= dict(zip(("brightness", "contrast"), np.median(self._pictures, axis=0).tolist(), strict=True))
        return middles
