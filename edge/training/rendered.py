"""Rendered training scenes: many worlds, many small objects in each, through a real H.264 encoder.

Each world is one `Scenery` of 1280x720; a few frames of it are encoded and decoded as a camera's would be, and
320x256 crops at native pixels are cut around objects and out of empty sky and ground.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from edge.simulator.scenery import Scenery, Sprite, box_of
from edge.training.clips import CLASSES, Boxes, Picture, save_pool

WORLD_PX = (1280, 720)
CROP_PX = (320, 256)
FRAMES, CROPS, OBJECTS = 4, 6, 16  # frames a world, crops a frame, objects a frame
FAINTEST = 5.0  # grey levels an object must change its box by, on average, to be worth a label
SHARES = {"drone": 0.38, "fixed_wing": 0.07, "bird": 0.29, "airplane": 0.12, "helicopter": 0.14}
WIDTHS_PX = {"drone": (8, 75), "fixed_wing": (11, 80), "bird": (8, 60), "airplane": (11, 120), "helicopter": (11, 140)}


def build_rendered_pool(pictures: Path, worlds: int, seed: int) -> None:
    """Write `worlds` worlds' crops as one coloured array with an index beside it."""
    partial = pictures.with_suffix(".partial")
    count = worlds * FRAMES * CROPS
    array = np.lib.format.open_memmap(partial, "w+", np.uint8, (count, CROP_PX[1], CROP_PX[0], 3))
    boxes: list[Boxes] = []
    group: list[int] = []
    for world in range(worlds):
        for crop, labels in render_world(np.random.default_rng([seed, world])):
            array[len(boxes)] = crop
            boxes.append(labels)
            group.append(world)
    array.flush()
    save_pool(pictures.with_suffix(".npz"), boxes, group, [-1] * worlds)
    partial.rename(pictures)


def render_world(chance: np.random.Generator) -> list[tuple[Picture, Boxes]]:
    infrared = chance.random() < 0.25
    scenery = Scenery(
        WORLD_PX,
        int(chance.integers(1 << 31)),
        spectrum="infrared" if infrared else "visible",
        light="day" if chance.random() < 0.75 else "dusk",
        horizon_px=float(chance.uniform(0.45, 1.25) * WORLD_PX[1]),
        cloudiness=float(chance.uniform(0, 1)),
        trees=bool(chance.random() < 0.7),
        white_hot=bool(chance.random() < 0.85),
        noise_sigma=float(chance.uniform(0.5, 5.0)),
    )
    frames, truths = [], []
    for number in range(FRAMES):
        sprites = scatter(chance)
        frames.append(scenery.render(sprites, number))
        truths.append(labels_of(sprites, frames[-1], scenery.render([], number)))
    crops = []
    for picture, boxes in zip(through_encoder(frames, int(chance.integers(16, 34))), truths, strict=True):
        for _ in range(CROPS):
            crops.append(crop_of(picture, boxes, chance))
    return crops


def scatter(chance: np.random.Generator) -> list[Sprite]:
    """Objects of all kinds and sizes that do not touch each other."""
    sprites: list[Sprite] = []
    while len(sprites) < OBJECTS:
        kind = str(chance.choice(list(SHARES), p=list(SHARES.values())))
        low, high = WIDTHS_PX[kind]
        sprite = Sprite(
            class_name=kind,
            x_px=float(chance.uniform(0, WORLD_PX[0])),
            y_px=float(chance.uniform(0, WORLD_PX[1])),
            width_px=float(low * (high / low) ** (chance.random() ** 1.25)),
            heading_rad=float(chance.uniform(0, 2 * np.pi)),
            phase=float(chance.random()),
            elevation_rad=float(chance.uniform(0.0, 0.9)),
            contrast=float(chance.uniform(0.45, 1.0)),
            blur_px=float(chance.uniform(0.45, 1.2)),
        )
        clearance = [
            np.hypot(sprite.x_px - s.x_px, sprite.y_px - s.y_px) - 0.7 * (sprite.width_px + s.width_px) for s in sprites
        ]
        if min(clearance, default=1.0) > 0:
            sprites.append(sprite)
    return sprites


def labels_of(sprites: list[Sprite], picture: Picture, empty: Picture) -> Boxes:
    """Boxes of those that can be seen at all."""
    change = np.abs(picture.astype(np.int16) - empty).mean(axis=2)
    rows = []
    for sprite in sprites:
        x, y, w, h = box_of(sprite)
        inside = change[max(0, int(y)) : int(y + h) + 1, max(0, int(x)) : int(x + w) + 1]
        if inside.size and inside.mean() >= FAINTEST:
            name = "drone" if sprite.class_name == "fixed_wing" else sprite.class_name
            rows.append([CLASSES.index(name), x, y, w, h])
    return np.array(rows, np.float32).reshape(-1, 5)


def crop_of(picture: Picture, boxes: Boxes, chance: np.random.Generator) -> tuple[Picture, Boxes]:
    """A 320x256 crop, three in four with an object somewhere in it; boxes are left as they lie, in the crop's pixels."""
    if len(boxes) and chance.random() < 0.75:
        _, x, y, w, h = boxes[chance.integers(len(boxes))]
        left = x + w / 2 - chance.uniform(0.1, 0.9) * CROP_PX[0]
        top = y + h / 2 - chance.uniform(0.1, 0.9) * CROP_PX[1]
    else:
        left, top = chance.uniform(0, WORLD_PX[0] - CROP_PX[0]), chance.uniform(0, WORLD_PX[1] - CROP_PX[1])
    left, top = int(np.clip(left, 0, WORLD_PX[0] - CROP_PX[0])), int(np.clip(top, 0, WORLD_PX[1] - CROP_PX[1]))
    moved = boxes - np.array([0, left, top, 0, 0], np.float32)
    return picture[top : top + CROP_PX[1], left : left + CROP_PX[0]], moved


def through_encoder(frames: list[Picture], crf: int) -> list[Picture]:
    """What is left of the frames after H.264 at this quality (0 best .. 51 worst)."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt, encoder.framerate = "yuv420p", 30
    encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency", "threads": "1"}
    decoder = av.CodecContext.create("h264", "r")
    pictures = []
    for frame in [*frames, None]:
        packets = encoder.encode(None if frame is None else av.VideoFrame.from_ndarray(frame, format="bgr24"))
        for packet in packets:
            pictures += [decoded.to_ndarray(format="bgr24") for decoded in decoder.decode(packet)]
    pictures += [decoded.to_ndarray(format="bgr24") for decoded in decoder.decode(None)]
    return pictures
