"""Pictures in another light, out of focus, noisy: as another camera would have taken them on another day."""

from __future__ import annotations

import cv2
import numpy as np

from edge.training.clips import Picture

GAMMA = 0.35, 0.4  # infrared, visible; of its logarithm, either way
GAINS, LIFT = (0.7, 1.35), 30.0  # infrared; lift in grey levels, either way
EXPOSURES, BALANCE, SATURATIONS = (
    (0.65, 1.5),
    0.12,
    (0.4, 1.5),
)  # visible; balance: of each colour's logarithm, either way
BLUR_PX, NOISE = (0.4, 1.0), (2.0, 7.0)  # sigmas; noise in grey levels


def relit(picture: Picture, spectrum: str, chance: np.random.Generator) -> Picture:
    """Another gamma, gain and level; of visible pictures also another white balance and saturation."""
    levels = np.arange(256.0) / 255
    if spectrum == "ir":
        gain, lift, gamma = (
            chance.uniform(*GAINS),
            chance.uniform(-LIFT, LIFT),
            np.exp(chance.uniform(-GAMMA[0], GAMMA[0])),
        )
        changed = (255 * levels**gamma - 128) * gain + 128 + lift
        return np.asarray(cv2.LUT(picture, np.clip(changed, 0, 255).astype(np.uint8)), np.uint8)
    gamma, exposure = np.exp(chance.uniform(-GAMMA[1], GAMMA[1])), np.exp(chance.uniform(*np.log(EXPOSURES)))
    balance = np.exp(chance.uniform(-BALANCE, BALANCE, 3))
    table = np.clip(255 * exposure * levels[:, None] ** gamma * balance, 0, 255).astype(np.uint8)
    picture = np.asarray(cv2.LUT(picture, table[None]), np.uint8)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    saturation = float(chance.uniform(*SATURATIONS))
    return np.asarray(cv2.addWeighted(picture, saturation, grey, 1 - saturation, 0), np.uint8)


def blurred(picture: Picture, chance: np.random.Generator) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(*BLUR_PX))), np.uint8)


def noisy(picture: Picture, spectrum: str, chance: np.random.Generator) -> Picture:
    """White noise, of an infrared picture the same in all three channels."""
    channels = 1 if spectrum == "ir" else 3
    noise = chance.normal(0, chance.uniform(*NOISE), (*picture.shape[:2], channels))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
