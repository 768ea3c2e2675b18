"""How well a model sees the scenes the demo's camera sends: worlds, sizes and noise that were not trained on."""

from __future__ import annotations

import numpy as np

from edge.simulator.scenery import Scenery, Sprite
from edge.training.clips import Picture
from edge.training.rendered import through_encoder
from edge.vision.detector import Box, Detector

SIZE_PX = (1280, 720)
DRONES_PX, BIRDS_PX = (12.0, 40.0), (10.0, 30.0)
NOTICED = 0.25
FIRST_SEED = 50_000


def measure(detector: Detector, worlds: int = 12, frames: int = 4) -> dict[str, float]:
    """Share of drones found as drones, of birds called drones, and boxes on nothing per frame."""
    found: list[bool] = []
    called_drone: list[bool] = []
    nothing: list[int] = []
    for seed in range(FIRST_SEED, FIRST_SEED + worlds):
        for sprites, picture in zip(*pictures_of(seed, frames), strict=True):
            boxes = [box for box in detector.look(picture) if box.confidence >= NOTICED]
            for sprite in sprites:
                is_drone = any(box.class_name == "drone" and on(box, sprite) for box in boxes)
                (found if sprite.class_name == "drone" else called_drone).append(is_drone)
            nothing.append(sum(not any(on(box, sprite) for sprite in sprites) for box in boxes))
    return {
        "drones_found": round(float(np.mean(found)), 3),
        "birds_called_drone": round(float(np.mean(called_drone)), 3),
        "boxes_on_nothing_per_frame": round(float(np.mean(nothing)), 3),
    }


def pictures_of(seed: int, frames: int = 4) -> tuple[list[list[Sprite]], list[Picture]]:
    """What flies in each frame of a world, and the frames as the demo's camera sends them."""
    chance = np.random.default_rng(seed)
    light = "dusk" if seed % 4 == 3 else "day"
    scenery = Scenery(SIZE_PX, seed, light=light, cloudiness=float(chance.uniform(0, 1)))
    flights = [scatter(chance) for _ in range(frames)]
    return flights, through_encoder([scenery.render(sprites, number) for number, sprites in enumerate(flights)], 23)


def scatter(chance: np.random.Generator) -> list[Sprite]:
    """Two drones and two birds in the sky, apart from each other."""
    sprites = []
    for number, kind in enumerate(("drone", "bird", "drone", "bird")):
        low, high = DRONES_PX if kind == "drone" else BIRDS_PX
        sprites.append(
            Sprite(
                kind,
                x_px=float(100 + 300 * number + chance.uniform(0, 180)),
                y_px=float(chance.uniform(60, 400)),
                width_px=float(chance.uniform(low, high)),
                heading_rad=float(chance.uniform(0, 2 * np.pi)),
                phase=float(chance.random()),
                elevation_rad=float(chance.uniform(0.05, 0.6)),
            )
        )
    return sprites


def on(box: Box, sprite: Sprite) -> bool:
    """Whether a box's centre lies on the sprite, or within 8 px."""
    across = box.x_px + box.width_px / 2 - sprite.x_px
    down = box.y_px + box.height_px / 2 - sprite.y_px
    return bool(np.hypot(across, down) <= max(8.0, 0.4 * sprite.width_px))
