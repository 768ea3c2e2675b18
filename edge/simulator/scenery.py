"""What a border post's camera sees: sky, clouds, ridges, trees, and small things that fly.

The background is painted once per camera; a frame costs one copy and a few small patches::

    y=0 ┌──────────────────────────┐
        │  sky, clouds     ─x─     │   sprites: anti-aliased, at sub-pixel positions
        │      ~ ridge, far, hazy ~│   horizon_px
        │ ~~~ ridge, near, trees ~~│
        └──────────────────────────┘

Sensor noise comes from a small pool of ready fields, each larger than the picture: the frame's number chooses the field and
where it is laid, so that the same seed and the same sprites always give the same picture, and no two frames of an hour
have the same noise, as in no living camera. The shapes themselves stand in `silhouettes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from edge.simulator import silhouettes

Picture = npt.NDArray[np.uint8]  # (height, width, 3), BGR
Layer = npt.NDArray[np.float32]
Noise = npt.NDArray[np.int16]

NOISE_POOL = 6  # ready fields of noise
NOISE_SPARE_PX = (
    61,
    67,
)  # by which a field is wider and higher than the picture: primes, so that its places recur late
FINEST_BLUR_PX = 0.45  # 1-sigma of a good lens on a good day; a sharper edge than this is no photograph


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing in the picture.

    `heading_rad` 0 flies away from the camera, π/2 to the right. `phase` in 0..1 is where wings or rotors are
    in their cycle. `width_px` is what its largest dimension covers when seen square on.
    """

    class_name: str  # drone, fixed_wing, airplane, helicopter, bird
    x_px: float
    y_px: float
    width_px: float
    heading_rad: float = 0.0
    phase: float = 0.0
    elevation_rad: float = 0.25  # how far above the camera it stands, seen from the camera
    contrast: float = 1.0  # 1 as near, 0 lost in the haze
    blur_px: float = 0.6  # 1-sigma, lens and motion together


@dataclass(frozen=True, slots=True)
class Look:
    """The tones of one spectrum at one hour, BGR 0..255."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    cloud: tuple[float, float, float]
    ridge: tuple[float, float, float]
    dark: tuple[float, float, float]  # of a sprite: its shaded (visible) or cold (infrared) parts
    light: tuple[float, float, float]
    noise_sigma: float


LOOKS = {
    ("visible", "day"): Look(
        (205, 165, 120), (228, 216, 200), (240, 240, 238), (62, 78, 70), (38, 40, 42), (175, 175, 172), 2.2
    ),
    ("visible", "dusk"): Look(
        (120, 92, 78), (128, 160, 205), (118, 120, 140), (30, 32, 34), (20, 20, 22), (92, 90, 92), 4.0
    ),
    ("visible", "night"): Look((22, 16, 14), (30, 26, 24), (26, 24, 24), (8, 8, 8), (10, 10, 10), (24, 24, 24), 6.0),
    ("infrared", "day"): Look(
        (58, 58, 58), (104, 104, 104), (96, 96, 96), (150, 150, 150), (128, 128, 128), (242, 242, 242), 2.4
    ),
    ("infrared", "dusk"): Look(
        (34, 34, 34), (72, 72, 72), (62, 62, 62), (112, 112, 112), (104, 104, 104), (248, 248, 248), 3.2
    ),
    ("infrared", "night"): Look(
        (20, 20, 20), (56, 56, 56), (46, 46, 46), (84, 84, 84), (90, 90, 90), (250, 250, 250), 3.6
    ),
}  # infrared is white-hot: a clear sky is the coldest thing in the picture


class Scenery:
    """One camera's world, seeded."""

    def __init__(
        self,
        size_px: tuple[int, int],
        seed: int,
        *,
        spectrum: Literal["visible", "infrared"] = "visible",
        light: Literal["day", "dusk", "night"] = "day",
        horizon_px: float | None = None,
        cloudiness: float = 0.5,
        trees: bool = True,
        white_hot: bool = True,
        noise_sigma: float | None = None,
    ) -> None:
        self.size_px = size_px
        self._look = LOOKS[spectrum, light]
        self._spectrum = spectrum
        self._white_hot = white_hot or spectrum == "visible"
        chance = np.random.default_rng(seed)
        horizon_px = 0.82 * size_px[1] if horizon_px is None else horizon_px
        background = paint_sky(size_px, horizon_px, self._look, cloudiness, chance)
        paint_ridges(background, horizon_px, self._look, trees, chance)
        self._background = background if self._white_hot else 255 - background
        sigma = self._look.noise_sigma if noise_sigma is None else noise_sigma
        larger_px = (size_px[0] + NOISE_SPARE_PX[0], size_px[1] + NOISE_SPARE_PX[1])
        self._noises = [np.rint(grain(larger_px, sigma, chance)).astype(np.int16) for _ in range(NOISE_POOL)]
        self._still = to_picture(self._background)

    def render(self, sprites: Sequence[Sprite], frame_number: int) -> Picture:
        """The picture with these sprites, farther ones first; uint8 BGR, shape (height, width, 3)."""
        noise = self._noise(frame_number)
        picture = np.asarray(cv2.add(self._still, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)  # saturates
        drawn: list[tuple[slice, slice]] = []
        for sprite in sorted(sprites, key=lambda s: s.width_px):
            self._draw(sprite, picture, noise, drawn)
        return picture

    def _noise(self, frame_number: int) -> Noise:
        width, height = self.size_px
        x, y = (frame_number * step % spare for step, spare in zip((23, 29), NOISE_SPARE_PX, strict=True))
        field = self._noises[frame_number * 5 % NOISE_POOL]  # a step of 5: no two neighbours from one field
        return field[y : y + height, x : x + width]

    def _draw(self, sprite: Sprite, picture: Picture, noise: Noise, drawn: list[tuple[slice, slice]]) -> None:
        patch = cut(sprite, self._spectrum)
        if patch is None:
            return
        x, y, alpha, ink = patch
        rows, columns, inner = overlap(x, y, alpha.shape, self.size_px)
        if rows is None or columns is None:
            return
        alpha, ink = alpha[inner], ink[inner]
        crosses = any(
            rows.start < r.stop and r.start < rows.stop and columns.start < c.stop and c.start < columns.stop
            for r, c in drawn
        )
        behind = picture[rows, columns].astype(np.float32) if crosses else self._background[rows, columns]
        dark, light = (np.asarray(tone, np.float32) for tone in (self._look.dark, self._look.light))
        if not self._white_hot:
            dark, light = 255 - dark, 255 - light
        alpha = alpha[..., None] * sprite.contrast
        tone = dark + ink[..., None] * (light - dark)
        mixed = behind * (1 - alpha) + tone * alpha
        picture[rows, columns] = to_picture(mixed if crosses else mixed + noise[rows, columns, None])
        drawn.append((rows, columns))


def box_of(sprite: Sprite) -> tuple[float, float, float, float]:
    """The sprite's true box, px: x, y of the top left corner, width, height; with the lens's blur around it."""
    left, top, right, bottom = silhouettes.extent(
        sprite.class_name, sprite.heading_rad, sprite.elevation_rad, sprite.phase
    )
    margin_px = 0.8 * max(sprite.blur_px, FINEST_BLUR_PX) + 0.5
    x_px = sprite.x_px + left * sprite.width_px - margin_px
    y_px = sprite.y_px + top * sprite.width_px - margin_px
    return (
        x_px,
        y_px,
        (right - left) * sprite.width_px + 2 * margin_px,
        (bottom - top) * sprite.width_px + 2 * margin_px,
    )


def cut(sprite: Sprite, spectrum: str) -> tuple[int, int, Layer, Layer] | None:
    """The sprite's patch: its place x, y in the picture, opacity and ink (0 dark .. 1 light), each (h, w)."""
    if sprite.width_px <= 0 or sprite.contrast <= 0:
        return None
    half_px = int(np.ceil(0.75 * sprite.width_px + 3 * sprite.blur_px + 2))
    x0, y0 = int(np.floor(sprite.x_px)) - half_px, int(np.floor(sprite.y_px)) - half_px
    side_px = 2 * half_px + 1
    finer = 6 if sprite.width_px < 30 else 3 if sprite.width_px < 90 else 2  # drawn this much finer, then averaged
    opacity = np.zeros((side_px * finer, side_px * finer), np.uint8)
    ink = np.zeros_like(opacity)
    origin = np.array([sprite.x_px - x0, sprite.y_px - y0]) * finer
    for part in silhouettes.parts(sprite.class_name, sprite.heading_rad, sprite.elevation_rad, sprite.phase):
        points = np.round((origin + part.outline * sprite.width_px * finer) * 16).astype(np.int32)
        tone = part.heat if spectrum == "infrared" else part.light
        cv2.fillPoly(opacity, [points], round(255 * part.opacity), cv2.LINE_8, 4)
        cv2.fillPoly(ink, [points], round(255 * tone), cv2.LINE_8, 4)
    soft = cv2.resize(opacity.astype(np.float32) / 255, (side_px, side_px), interpolation=cv2.INTER_AREA)
    inked = opacity.astype(np.float32) * ink / 65025
    inked = cv2.resize(inked, (side_px, side_px), interpolation=cv2.INTER_AREA)
    sigma_px = max(sprite.blur_px, FINEST_BLUR_PX)
    soft, inked = (cv2.GaussianBlur(layer, (0, 0), sigma_px) for layer in (soft, inked))
    return x0, y0, soft, inked / np.maximum(soft, 1e-4)


def overlap(
    x: int, y: int, shape: tuple[int, ...], size_px: tuple[int, int]
) -> tuple[slice | None, slice | None, tuple[slice, slice]]:
    """Where a patch meets the picture: rows and columns of the picture, and the same part of the patch."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + shape[1], size_px[0]), min(y + shape[0], size_px[1])
    if left >= right or top >= bottom:
        return None, None, (slice(0), slice(0))
    return slice(top, bottom), slice(left, right), (slice(top - y, bottom - y), slice(left - x, right - x))


def paint_sky(
    size_px: tuple[int, int], horizon_px: float, look: Look, cloudiness: float, chance: np.random.Generator
) -> Layer:
    """A gradient down to the horizon, and soft clouds, flatter the lower they stand."""
    width, height = size_px
    down = np.clip(np.arange(height, dtype=np.float32) / max(horizon_px, 1.0), 0, 1) ** 1.4
    zenith, horizon, cloud = (np.asarray(tone, np.float32) for tone in (look.zenith, look.horizon, look.cloud))
    sky = np.repeat((zenith + down[:, None, None] * (horizon - zenith)), width, axis=1).astype(np.float32)
    if cloudiness <= 0:
        return sky
    billow = billows(size_px, (5, 4), 5, chance)
    cover = np.clip((billow - (0.85 - 0.75 * cloudiness)) * 2.6, 0, 0.9)[..., None]
    shade = 0.80 + 0.25 * billows(size_px, (7, 6), 4, chance)[..., None]
    return np.asarray(sky * (1 - cover) + cloud * shade * cover, np.float32)


def paint_ridges(picture: Layer, horizon_px: float, look: Look, trees: bool, chance: np.random.Generator) -> None:
    """Ridge lines from far to near: each lower, darker, rougher; the nearest may carry trees."""
    height, width = picture.shape[:2]
    ridge, haze = np.asarray(look.ridge, np.float32), np.asarray(look.horizon, np.float32)
    texture = billows((width, height), (40, 60), 4, chance)[..., None] - 0.5
    ridge_count = 4
    for number in range(ridge_count):
        near = (number + 1) / ridge_count
        rough = fractal_line(width, chance) * (0.060 - 0.025 * near) * height
        crest = horizon_px + (near - 0.55) * 0.16 * height + rough
        if trees and number == ridge_count - 1:
            crest -= tree_line(width, height, chance)
        below = np.clip(np.arange(height, dtype=np.float32)[:, None] - crest[None, :] + 0.5, 0, 1)[..., None]
        tone = haze + (ridge - haze) * (0.25 + 0.75 * near) + texture * (12 + 45 * near)
        picture[:] = picture * (1 - below) + np.clip(tone, 4, 250) * below


def tree_line(width: int, height: int, chance: np.random.Generator) -> Layer:
    """Heights of a row of tree tops along the nearest crest, px."""
    line = np.zeros(width, np.float32)
    columns = np.arange(width, dtype=np.float32)
    for _ in range(int(chance.integers(0, max(2, width // 14)))):
        centre, tall = chance.uniform(0, width), chance.uniform(0.015, 0.07) * height
        broad = tall * chance.uniform(0.18, 0.5)
        line = np.maximum(line, tall * np.clip(1 - np.abs(columns - centre) / broad, 0, 1) ** 0.7)
    return line + chance.normal(0, 0.6, width).astype(np.float32) * (line > 0)


def fractal_line(width: int, chance: np.random.Generator) -> Layer:
    """A rough line, mean 0, about ±1, falling in roughness by octaves."""
    line = np.zeros(width, np.float32)
    for octave in range(7):
        knots = chance.normal(0, 0.62**octave, 3 + 2**octave).astype(np.float32)
        line += cv2.resize(knots[None], (width, 1), interpolation=cv2.INTER_CUBIC if octave < 4 else cv2.INTER_LINEAR)[
            0
        ]
    return line - line.mean()


def billows(size_px: tuple[int, int], cells: tuple[int, int], octaves: int, chance: np.random.Generator) -> Layer:
    """Cloud noise 0..1, (height, width): octaves of smoothed chance, each half as strong and twice as fine."""
    total = np.zeros((size_px[1], size_px[0]), np.float32)
    for octave in range(octaves):
        shape = (min(cells[1] * 2**octave, size_px[1]), min(cells[0] * 2**octave, size_px[0]))
        knots = chance.random(shape, np.float32)
        total += cv2.resize(knots, size_px, interpolation=cv2.INTER_CUBIC) * 0.5 ** (octave + 1)
    low, high = np.percentile(total[::4, ::4], (1, 99))
    return np.asarray(np.clip((total - low) / (high - low), 0, 1), np.float32)


def grain(size_px: tuple[int, int], sigma: float, chance: np.random.Generator) -> Layer:
    """Sensor noise, grey levels, (height, width)."""
    return chance.standard_normal((size_px[1], size_px[0]), np.float32) * sigma


def to_picture(layer: Layer) -> Picture:
    return np.clip(layer + 0.5, 0, 255).astype(np.uint8)
