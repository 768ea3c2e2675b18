"""Where to look in the next picture, when looking everywhere costs too much.

    cues ───────────────┐                    predicted tracks, of any sensor, and what was seen a moment ago
    motion ─────────────┼──▶ budget ──▶ regions of 320x256 at native pixels
    sweep, tile by tile ┘                    so that what hovers is found too

Motion is the difference to the picture three looks ago, at half size: small things that fly are lost by no more than
one or two frames in a hundred, where the camera stands still. Where it pans or shakes, the older picture is first moved
to where its scenery is now. What always moves (leaves, flags) loses its claim.
The same pictures, shifts and cues give the same regions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.detector import Picture, Region

REGION_PX = (320, 256)
HALF = 0.5  # motion is looked for at this scale
BUDGET = 6  # regions a picture: about half of 1280x720, 60 to 90 ms of one core
CHANGE_SIGMAS = 5.0  # a pixel has changed when its difference is this far above the picture's own noise
SMALLEST_CHANGE = 9.0  # grey levels, even in a picture without noise
NOISIEST = 6.0  # grey levels at half size; a larger mean difference is a change of scene
SMALLEST_BLOB = 30  # pixels at half size after joining, which makes 25 of one: two neighbours, an object of about 4 px
BLOBS = 40  # of the strongest changes, more are not considered
WHOLE_SCENE = 0.25  # more than this changed: the camera moved or the light did, so motion says nothing
COMPARED_WITH = 3  # looks ago; a slow far drone needs time to leave its own place
CELL_PX = 16  # of the map of what always moves, at half size
BUSY_SHARE = 0.06  # how fast that map learns, per look

Grey = npt.NDArray[np.uint8]


class Outlook:
    """One camera's memory of what moved and where it has looked."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._past: deque[tuple[Grey, float, float]] = deque(maxlen=COMPARED_WITH)  # with how far it has moved since
        self._busy: npt.NDArray[np.float32] | None = None
        self._next_tile = 0
        self._turn = 0  # of the cues, where they do not all fit

    def choose(
        self, grey: Grey, size_px: tuple[int, int], cues: Sequence[Region] = (), shift_px: tuple[float, float] = (0, 0)
    ) -> list[Region]:
        """Regions of a picture of this size, cues first, one of the sweep last; all of it where the budget allows.

        Where not all fit, cues take turns, and the strongest motion has a region of its own.

        grey: the picture at half its size (`half_grey`); shift_px: how far the scenery moved in it since the last."""
        blobs = self._moving(grey, shift_px)
        if len(tiles(size_px)) <= self.budget:
            return [Region(0, 0, *size_px)]
        room = max(1, self.budget - 1)
        for_cues = room - 1 if blobs and room > 1 else room
        chosen = cover(self._in_turn(cues, for_cues), for_cues, [], size_px)
        chosen = cover([*blobs[:1], *cues, *blobs], room, chosen, size_px)
        if self.budget > 1 or not chosen:
            sweep = self._sweep(size_px)
            chosen += [] if sweep in chosen else [sweep]
        return chosen

    def _in_turn(self, cues: Sequence[Region], room: int) -> list[Region]:
        """The cues, beginning with those that had no room last time."""
        if len(cues) <= room:
            return list(cues)
        first = self._turn % len(cues)
        self._turn = first + room
        return [*cues[first:], *cues[:first]]

    def _sweep(self, size_px: tuple[int, int]) -> Region:
        """The next tile of a slow round over the whole picture."""
        every = tiles(size_px)
        tile = every[self._next_tile % len(every)]
        self._next_tile = (self._next_tile + 1) % len(every)
        return tile

    def _moving(self, grey: Grey, shift_px: tuple[float, float]) -> list[Region]:
        """What changed, strongest first, in pixels of the whole picture."""
        if self._past and self._past[-1][0].shape != grey.shape:
            self._past.clear()
            self._busy = None
        across, down = shift_px
        self._past = deque(((past, x + across, y + down) for past, x, y in self._past), COMPARED_WITH)
        oldest = self._past[0] if len(self._past) == COMPARED_WITH else None
        self._past.append((grey, 0.0, 0.0))
        if oldest is None:
            return []
        changed, difference = changed_pixels(grey, *moved(*oldest))
        calm = 1 - self._learn_busy(changed)
        if changed.mean() > WHOLE_SCENE:
            return []
        return blobs_of(changed, difference, calm)

    def _learn_busy(self, changed: Grey) -> npt.NDArray[np.float32]:
        """The share of looks in which each cell has moved lately, before this one; (rows, columns) of cells."""
        rows, columns = (-(-side // CELL_PX) for side in changed.shape)
        padded = np.zeros((rows * CELL_PX, columns * CELL_PX), np.uint8)
        padded[: changed.shape[0], : changed.shape[1]] = changed
        in_rows = padded.reshape(rows, CELL_PX, -1).max(axis=1)  # one axis after the other: six times quicker than both
        moved = in_rows.reshape(rows, columns, CELL_PX).max(axis=2).astype(np.float32)
        before = np.zeros_like(moved) if self._busy is None else self._busy
        self._busy = before + BUSY_SHARE * (moved - before)
        return before


def half_grey(picture: Picture) -> Grey:
    half = cv2.resize(picture, None, fx=HALF, fy=HALF, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(half, cv2.COLOR_BGR2GRAY), np.uint8)


def moved(past: Grey, across_px: float, down_px: float) -> tuple[Grey, Grey]:
    """An older picture where its scenery is now, and 1 where it shows anything there."""
    if across_px == 0.0 and down_px == 0.0:
        return past, np.ones_like(past)
    move = np.array([[1, 0, across_px], [0, 1, down_px]])
    size = (past.shape[1], past.shape[0])
    there = cv2.erode(cv2.warpAffine(np.ones_like(past), move, size), np.ones((3, 3), np.uint8), borderValue=0)
    return np.asarray(cv2.warpAffine(past, move, size), np.uint8), np.asarray(there, np.uint8)


def changed_pixels(grey: Grey, past: Grey, there: Grey) -> tuple[Grey, Grey]:
    """1 where the picture changed by more than its noise, joined over small gaps; and by how much."""
    difference = cv2.absdiff(grey, past) * there
    noise = min(float(difference[::4, ::4].mean()) * 1.25, NOISIEST)  # of a normal law the mean is 0.8 sigma
    changed = (difference > max(SMALLEST_CHANGE, CHANGE_SIGMAS * noise)).astype(np.uint8)
    return np.asarray(cv2.dilate(changed, np.ones((5, 5), np.uint8)), np.uint8), np.asarray(difference, np.uint8)


def blobs_of(changed: Grey, difference: Grey, calm: npt.NDArray[np.float32]) -> list[Region]:
    """Changed places as rectangles at native size, strongest first; strength is the difference, less where it is busy."""
    # on one thread OpenCV's own choice of algorithm takes three times as long as this one
    count, _, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(changed, 8, cv2.CV_32S, cv2.CCL_GRANA)
    ranked = []
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        if area < SMALLEST_BLOB:
            continue
        peak = float(difference[y : y + h, x : x + w].max())
        calmness = float(calm[int(centres[number][1]) // CELL_PX, int(centres[number][0]) // CELL_PX])
        ranked.append((-peak * calmness, y, x, Region(2 * x, 2 * y, 2 * w, 2 * h)))
    return [region for *_, region in sorted(ranked, key=lambda entry: entry[:3])[:BLOBS]]


def cover(wanted: Sequence[Region], room: int, chosen: list[Region], size_px: tuple[int, int]) -> list[Region]:
    """The chosen regions and, while there is room, more that show what those do not."""
    chosen = list(chosen)
    for rectangle in wanted:
        for region in regions_around(rectangle, size_px):
            if len(chosen) < room and not any(covers(other, rectangle) for other in chosen):
                chosen.append(region)
    return chosen


def regions_around(wanted: Region, size_px: tuple[int, int]) -> list[Region]:
    """Regions of the standard size that show all of a rectangle, moved inside the picture; several where it is larger."""
    width, height = min(REGION_PX[0], size_px[0]), min(REGION_PX[1], size_px[1])
    lefts = starts(wanted.x_px, wanted.width_px, width, size_px[0])
    tops = starts(wanted.y_px, wanted.height_px, height, size_px[1])
    return [Region(left, top, width, height) for top in tops for left in lefts]


def starts(at: int, length: int, side: int, limit: int) -> list[int]:
    """Where windows of one side begin so that they cover a stretch: one centred on it, or several one after the other."""
    if length <= side:
        return [min(max(at + length // 2 - side // 2, 0), limit - side)]
    count = -(-length // side)
    firsts = (at + round(number * (length - side) / (count - 1)) for number in range(count))
    return sorted({min(max(first, 0), limit - side) for first in firsts})


def covers(region: Region, wanted: Region) -> bool:
    """Whether a region shows all of a rectangle."""
    return (
        region.x_px <= wanted.x_px
        and region.y_px <= wanted.y_px
        and region.x_px + region.width_px >= wanted.x_px + wanted.width_px
        and region.y_px + region.height_px >= wanted.y_px + wanted.height_px
    )


def tiles(size_px: tuple[int, int]) -> list[Region]:
    """The whole picture in regions of the standard size, evenly spread, rows first."""
    width, height = min(REGION_PX[0], size_px[0]), min(REGION_PX[1], size_px[1])
    lefts = starts(0, size_px[0], width, size_px[0])
    tops = starts(0, size_px[1], height, size_px[1])
    return [Region(left, top, width, height) for top in tops for left in lefts]
