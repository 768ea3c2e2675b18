"""A camera on a mast, rendered: ground that stands still, clouds that drift, and a camera that sways or was turned.

The world is painted once, larger than the picture, as the camera would see it with the same focal length and a larger chip.
A turned camera sees it through the homography K R K^-1. The horizon of the world is where the camera's level is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge.simulator.scenery import LOOKS, paint_ridges, paint_sky
from edge.vision.regions import half_grey
from fusion.camera import Lens
from fusion.frames import turn_about
from fusion.types import FloatArray, Orientation

SIZE_PX = (960, 540)
FOCAL_PX = 1100.0
LENS = Lens(SIZE_PX, (FOCAL_PX, FOCAL_PX), ((SIZE_PX[0] - 1) / 2, (SIZE_PX[1] - 1) / 2), (0.0,) * 5)
SPARE_PX = 220  # of the world on each side
PITCH_RAD = math.radians(4.0)
HORIZON_PX = LENS.center_px[1] + FOCAL_PX * math.tan(PITCH_RAD)  # row of the level
MOUNTING = Orientation(0.4, PITCH_RAD, 0.0)
BODY_TO_OPTICAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass
class View:
    """What is before one camera, in one light."""

    seed: int = 3
    light: str = "day"
    cloudiness: float = 0.8
    ground: bool = True
    has_noise: bool = True  # the chip's own

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)
        self._sky, self._ground, self._through = painted(self.seed, self.light, self.cloudiness, self.ground)
        self._noise_sigma = LOOKS["visible", self.light].noise_sigma if self.has_noise else 0.0

    def picture(self, turn: FloatArray | None = None, clouds_px: float = 0.0) -> np.ndarray:
        """BGR, as the camera sees it turned by (right, up, right side down), rad, the clouds so far to the left."""
        width = self._ground.shape[1]
        first = round(clouds_px) % width
        world = self._ground + self._through * self._sky[:, first : first + width]
        right, up, roll = np.zeros(3) if turn is None else turn
        turned = BODY_TO_OPTICAL @ turn_about(np.array([-up, -roll, right])) @ BODY_TO_OPTICAL.T
        of_world, of_camera = (
            np.array([[FOCAL_PX, 0.0, LENS.center_px[0] + s], [0.0, FOCAL_PX, LENS.center_px[1] + s], [0, 0, 1.0]])
            for s in (SPARE_PX, 0)
        )
        through = of_camera @ turned @ np.linalg.inv(of_world)
        seen = cv2.warpPerspective(world, through, SIZE_PX, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        seen += self._chance.standard_normal(seen.shape, np.float32) * self._noise_sigma
        return cv2.merge([np.clip(seen + 0.5, 0, 255).astype(np.uint8)] * 3)

    def grey(self, turn: FloatArray | None = None, clouds_px: float = 0.0) -> np.ndarray:
        """The same as the lock gets it."""
        return half_grey(self.picture(turn, clouds_px))


@lru_cache(maxsize=16)
def painted(seed: int, light: str, cloudiness: float, has_ground: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sky, twice as wide; ground; and how much of the sky shows through it."""
    look = LOOKS["visible", light]
    width, height = (side + 2 * SPARE_PX for side in SIZE_PX)
    chance = np.random.default_rng(seed)
    sky = grey_of(paint_sky((2 * width, height), HORIZON_PX + SPARE_PX, look, cloudiness, chance))
    empty = [np.full((height, width, 3), level, np.float32) for level in (0.0, 255.0)]
    for layer in empty:
        if has_ground:
            paint_ridges(layer, HORIZON_PX + SPARE_PX, look, True, np.random.default_rng(seed + 1))
    black, white = (grey_of(layer) for layer in empty)
    return sky, black, (white - black) / 255.0


def grey_of(layer: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(layer, cv2.COLOR_BGR2GRAY)


def sway(time_s: float, sigma_deg: float = 0.25) -> FloatArray:
    """Two slow swings in each axis, as `edge/simulator/mount.py` has them."""
    phase = np.array([[0.3, 2.1, 4.0], [1.2, 0.4, 5.1]])
    slower, faster = np.sin(2 * math.pi * time_s / 2.5 * np.array([[1.0], [1.7]]) + phase)
    return math.radians(sigma_deg) * (slower + 0.5 * faster) / math.sqrt(0.625)
