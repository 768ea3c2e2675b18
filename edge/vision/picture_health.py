"""Whether a camera's picture shows what is before it now: still, looped, black, over-exposed, covered or blurred video.

    half-size grey ─▶ signs (histogram, fine and coarse edges) ─▶ conditions ─▶ hold for a while ─▶ one word, or ""
                  └─▶ step from the picture before, from the still one, from its twin of a while ago

Sensor noise and leaves make any two pictures of a living camera differ; what an encoder makes of one picture again and
again differs by a few grey levels at key frames only. A loop is told by its twins: pictures that are closer to one of
seconds ago than to their neighbours, these moved along with the scenery where the camera pans. Blur takes fine edges and
leaves coarse ones; a cloth or fog takes contrast. Both are held against what this camera used to show, which is learned
anew when it has been turned.

Limits, measured on clips of 10 s: a sky without structure cannot be told from a cloth in front of it; a loop that is
encoded anew, out of step with its key frames, is found only where noise survives the encoder; a clock that runs in the
picture hides both standstill and loop; a drone painted into living video is not seen here. A pan whose scenery is too faint
or too quick for `camera_motion.py`, to and fro, may still be called a loop.
The same pictures at the same times give the same words.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

JUDGED_EVERY_S = 0.08  # ten times a second, whatever the frame rate: steps mean the same, and cost is bounded
GAP_S = 0.5  # a sign may be missing for so long and yet last
CLEAR_AFTER_S = 2.0  # a fault is over when its sign has been gone for so long

BLACK_MEAN, BLACK_TOP = 20.0, 40.0  # grey levels, of all and of the brightest hundredth; darkest healthy clip: 42, 75
BRIGHT_LEVEL, BRIGHT_SHARE = 245, 0.6  # the sun fills less; brightest healthy clip: 0.31
STILL_LEVELS = 12  # the most that key frames change a still picture, at a good bit rate
STILL_STEP = 2.0  # the same for the median of steps; healthy: from 3 on
STILL_S, STILL_STEPS = 5.0, 8
FLAT, FLAT_SHARE = 8.0, 0.25  # standard deviation, and of what it was
BLUR_SHARE = 0.45  # of the fine edges, of what it was: a Gaussian blur of 2 px leaves 0.25 to 0.45
BLUR_LEAST = 0.15  # blurred from the first picture on; healthy clips: from 0.24 on
COARSE = 4.0  # Laplacian at an eighth of the size; with less there is nothing to be sharp
LEARN_UP, LEARN_DOWN = 0.1, 0.0002  # a picture: references rise in a second and sink in 8 min
TURNED_SHARE = 0.15  # of the width or height: then the scene is another one
PAN_SHARE = 0.01  # a picture; less is a drone that flies, or noise

TWIN_POINTS = (24, 16)  # sampled, not averaged: noise is what tells pictures apart
TWIN_MEMORY = 600  # pictures, a minute
TWIN_AGE_S = 1.0
TWIN_RATIO = 0.5  # of the usual step between neighbours; healthy: 0.9 and more, where there is any step
ALIVE_STEP = 0.1  # grey levels; below it the encoder has taken the noise away
TWIN_S, TWIN_SHARE, TWIN_LEAST = 4.0, 0.6, 20

AFTER_S = {"black": 5.0, "over-exposed": 10.0, "frozen": 0.0, "looped": 0.0, "covered": 30.0, "blurred": 15.0}

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Signs:
    """What one picture shows by itself."""

    mean: float
    top: float  # grey level that a hundredth exceeds
    bright_share: float
    contrast: float  # standard deviation
    detail: float  # fine edges by coarse ones
    coarse: float


def signs_of(grey: Grey) -> Signs:
    """grey: a picture at half its size."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel() / grey.size
    levels = np.arange(256)
    mean = float(counts @ levels)
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    coarse = edges(small)
    return Signs(
        mean,
        float(np.searchsorted(np.cumsum(counts), 0.99)),
        float(counts[BRIGHT_LEVEL:].sum()),
        float(np.sqrt(max(0.0, counts @ (levels - mean) ** 2))),
        edges(grey) / max(coarse, 0.01),
        coarse,
    )


def edges(grey: npt.NDArray[np.uint8]) -> float:
    return float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))[1][0, 0])


class PictureHealth:
    """One camera's memory."""

    def __init__(self) -> None:
        self._lasting = {fault: Lasting(after_s) for fault, after_s in AFTER_S.items()}
        self._shape: tuple[int, ...] | None = None
        self._begin()

    def _begin(self) -> None:
        self._judged_s: float | None = None
        self._word, self._is_ill = "", False
        self._usual_contrast, self._usual_detail = Usual(), Usual()
        self._turned = (0.0, 0.0)  # since what is usual was forgotten, shares of the picture
        self._moved = (0.0, 0.0)  # since the last picture that was judged, px
        self._stillness, self._twins = Stillness(), Twins()

    def see(self, monotonic_ns: int, grey: Grey, shift_px: tuple[float, float] = (0.0, 0.0)) -> str:
        """Take the next picture, at half its size, and how far its scenery moved; what is wrong, "" where nothing is."""
        if grey.shape != self._shape:
            self._shape = grey.shape
            self._begin()
        self._turn(shift_px, grey.shape)
        self._moved = (self._moved[0] + shift_px[0], self._moved[1] + shift_px[1])
        now_s = monotonic_ns / 1e9
        if self._judged_s is None or not 0.0 <= now_s - self._judged_s < JUDGED_EVERY_S:
            self._judged_s = now_s
            self._word = self._judge(now_s, grey)
        return self._word

    def _judge(self, now_s: float, grey: Grey) -> str:
        signs = signs_of(grey)
        black = signs.mean < BLACK_MEAN and signs.top < BLACK_TOP
        white = signs.bright_share > BRIGHT_SHARE
        is_still, repeats = self._stillness.see(now_s, grey), self._twins.see(now_s, grey, self._moved)
        self._moved = (0.0, 0.0)
        holds = {
            "black": black,
            "over-exposed": white,
            "frozen": is_still and not black and not white,
            "looped": repeats and not black and not white,
            "covered": signs.contrast < min(FLAT, FLAT_SHARE * self._usual_contrast.value),
            "blurred": signs.coarse > COARSE and signs.detail < max(BLUR_LEAST, BLUR_SHARE * self._usual_detail.value),
        }
        self._is_ill = any(holds.values())
        if not self._is_ill:
            self._usual_contrast.learn(signs.contrast)
            if signs.coarse > COARSE:
                self._usual_detail.learn(signs.detail)
        lasts = [fault for fault, lasting in self._lasting.items() if lasting.see(now_s, holds[fault])]
        return lasts[0] if lasts else ""

    def _turn(self, shift_px: tuple[float, float], shape: tuple[int, ...]) -> None:
        """Forget what was usual when the camera has been turned to another scene."""
        across, down = shift_px[0] / shape[1], shift_px[1] / shape[0]
        if self._is_ill or max(abs(across), abs(down)) < PAN_SHARE:
            return
        self._turned = (self._turned[0] + across, self._turned[1] + down)
        if max(abs(self._turned[0]), abs(self._turned[1])) > TURNED_SHARE:
            self._turned = (0.0, 0.0)
            self._usual_contrast, self._usual_detail = Usual(), Usual()


class Usual:
    """What a sign used to be: quick to rise, slow to sink, so that a fault is held against better days."""

    def __init__(self) -> None:
        self.value = 0.0

    def learn(self, value: float) -> None:
        self.value += (LEARN_UP if value > self.value else LEARN_DOWN) * (value - self.value)


class Lasting:
    """A fault that is told when its sign has lasted, and taken back when it has been gone for a while."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: float | None = None  # the sign holds
        self._last_s: float | None = None  # it held last
        self._is_told = False

    def see(self, now_s: float, holds: bool) -> bool:
        if holds:
            self._since_s = now_s if self._since_s is None else self._since_s
            self._last_s = now_s
            self._is_told = self._is_told or now_s - self._since_s >= self._after_s
        else:
            if self._last_s is None or now_s - self._last_s > GAP_S:
                self._since_s = None
            self._is_told = self._is_told and self._last_s is not None and now_s - self._last_s < CLEAR_AFTER_S
        return self._is_told


class Stillness:
    """Whether the picture has not changed for `STILL_S` by more than an encoder changes it."""

    def __init__(self) -> None:
        self._still: Grey | None = None  # all since are like it
        self._since_s = 0.0
        self._last: Grey | None = None
        self._steps: deque[float] = deque(maxlen=30)

    def see(self, now_s: float, grey: Grey) -> bool:
        if self._last is not None:
            self._steps.append(largest_change(grey, self._last))
        self._last = grey
        if self._still is None or largest_change(grey, self._still) > STILL_LEVELS:
            self._still, self._since_s = grey, now_s
            self._steps.clear()
        is_long = now_s - self._since_s >= STILL_S and len(self._steps) >= STILL_STEPS
        return is_long and float(np.median(self._steps)) <= STILL_STEP


def largest_change(grey: Grey, other: Grey) -> float:
    return cv2.minMaxLoc(cv2.absdiff(grey, other))[1]


class Twins:
    """Whether pictures come again.

    The step between neighbours is taken along with the scenery: so it stays noise while the camera pans, and a camera that
    pans back to where it was differs from its older picture by as much.
    """

    def __init__(self) -> None:
        self._past = np.zeros((TWIN_MEMORY, TWIN_POINTS[0] * TWIN_POINTS[1]), np.int16)
        self._times_s = np.full(TWIN_MEMORY, np.inf)
        self._count = 0
        self._last: Grey | None = None
        self._steps: deque[float] = deque(maxlen=10)
        self._had_twin: deque[tuple[float, bool]] = deque()

    def see(self, now_s: float, grey: Grey, moved_px: tuple[float, float] = (0.0, 0.0)) -> bool:
        """moved_px: right and down, how far the scenery moved since the picture given before."""
        points = sampled(grey)
        if self._last is not None:
            # what moves before a still camera may be taken for a pan: then the scenery itself has stepped less
            self._steps.append(min(step_along(grey, self._last, moved_px), step_along(grey, self._last, (0.0, 0.0))))
            usual = float(np.median(self._steps))
            self._had_twin.append((now_s, usual >= ALIVE_STEP and self._nearest(now_s, points) <= TWIN_RATIO * usual))
        self._last = grey
        self._past[self._count % TWIN_MEMORY], self._times_s[self._count % TWIN_MEMORY] = points, now_s
        self._count += 1
        while self._had_twin and now_s - self._had_twin[0][0] > TWIN_S:
            self._had_twin.popleft()
        share = sum(had for _, had in self._had_twin) / max(1, len(self._had_twin))
        return len(self._had_twin) >= TWIN_LEAST and share >= TWIN_SHARE

    def _nearest(self, now_s: float, points: npt.NDArray[np.int16]) -> float:
        """The mean difference to the most like picture that is old enough, grey levels."""
        old = self._past[now_s - self._times_s > TWIN_AGE_S]
        return float(np.abs(old - points).mean(axis=1).min()) if len(old) else np.inf


def step_along(grey: Grey, last: Grey, moved_px: tuple[float, float]) -> float:
    """The mean difference of two neighbours where both show the same scenery, grey levels."""
    across, down = (round(each) for each in moved_px)
    rows, columns = grid(grey.shape)
    rows = rows[(rows >= down) & (rows - down < grey.shape[0])]
    columns = columns[(columns >= across) & (columns - across < grey.shape[1])]
    if not len(rows) or not len(columns):
        return 0.0
    now, before = grey[np.ix_(rows, columns)], last[np.ix_(rows - down, columns - across)]
    return float(np.abs(now.astype(np.int16) - before).mean())


def sampled(grey: Grey) -> npt.NDArray[np.int16]:
    """Grey levels at a fixed grid, shape (384,)."""
    return grey[np.ix_(*grid(grey.shape))].astype(np.int16).ravel()


def grid(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the sampled points."""
    rows, columns = (np.linspace(0, side - 1, n).astype(np.intp) for side, n in zip(shape, TWIN_POINTS, strict=True))
    return rows, columns
