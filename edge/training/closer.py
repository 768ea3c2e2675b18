"""The network of the closer look: what several views of one object show, without sky, size and light.

    patches of labelled boxes, every third frame of visible clips ─┬▶ two to six of one clip ─▶ turned, scaled, blurred,
    silhouettes of edge/simulator ─────────────────────────────────┘  inverted, before clouds and noise ─▶ four convolutions
                                                                      ─▶ mean and spread over the views ─▶ classes

    python -m edge.training.closer --out CLOSER.onnx [--without 2020-03-20,2020-03-22] [--into MODEL.onnx]

Classes alike, clips of a class alike; a quarter are silhouettes, so that what the demo paints is told as well. The clips held
apart, and those of days left out with `--without`, train nothing; how many of them are named rightly is told at the end.
A run is repeatable: its length is a number of batches. `--into` writes the network into a model file's metadata. 46 000
weights; 0.2 s of a core a batch.
"""

from __future__ import annotations

import argparse
import base64
import io
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.training import torch_setup

torch_setup.prepare()

import torch  # noqa: E402
from torch import nn  # noqa: E402

from edge.simulator.scenery import Sprite, box_of, cut, overlap, to_picture  # noqa: E402
from edge.training.clips import CLASSES, Clip, data_folder, read_clips, read_frames, read_labels  # noqa: E402
from edge.training.drawn_boxes import MARGIN_PX, as_people_draw  # noqa: E402
from edge.training.export import OPSET  # noqa: E402
from edge.training.metadata import describe  # noqa: E402
from edge.training.scenes import FIXED_WINGS  # noqa: E402
from edge.vision.detector import Box  # noqa: E402
from edge.vision.patches import (  # noqa: E402
    ENTRY,
    PATCH_PX,
    SHOWN,
    VIEW_PX,
    Patch,
    Values,
    middle_of,
    of_one_contrast,
    patch_of,
    without_sky,
)

EVERY = 3  # frames
WINDOW = 45  # patches of a clip, 4.5 s, from which one example's are taken
BATCH, BATCHES, VIEWS = 48, 550, (2, 6)
LEARNING_RATE, WARM_UP, WEIGHT_DECAY, SMOOTHING, DROPPED = 3e-3, 20, 0.05, 0.05, 0.3
WIDTHS = (16, 32, 48, 64)
SCALE, EACH_SCALE = 0.35, 0.08  # of the logarithm, either way: of all views of an example, of each
TURN_RAD, MOVE_PX = 0.3, 1.6  # either way
BLURRED, INVERTED = 0.4, 0.15  # shares of examples
CLOUDS, NOISE = 0.5, 0.4  # at most, of the view's contrast
DRAWN_SHARE, DRAWN_OBJECTS, DRAWN_VIEWS = 0.25, 40, 8  # of examples; objects of each class, views of each
DRAWN_PX, BESIDE_PX = (12.0, 110.0), 60  # how wide; of the sky around
SHOWN_APART = 8  # views of each clip that the clips left out are told by


class Shapes:
    """Patches of clips, each with its class and clip."""

    def __init__(self, clips: list[Clip]) -> None:
        patches: list[Patch] = []
        rows: list[tuple[int, int]] = []
        for number, clip in enumerate(clips):
            labels = read_labels(clip.labels)
            for frame, picture in read_frames(clip.video, EVERY):
                for kind, x, y, w, h in labels.get(frame, np.zeros((0, 5))).tolist():
                    box = Box(CLASSES[int(kind)], 1.0, x, y, w, h)
                    patches.append(patch_of(picture, box, MARGIN_PX["visible"]))
                    rows.append((number, int(kind)))
        self.clips, self.patches, self.rows = clips, np.array(patches), np.array(rows)

    def of(self, chosen: list[int]) -> list[list[npt.NDArray[np.intp]]]:
        """By class and clip the numbers of the patches, of these clips alone."""
        return [
            [found for clip in chosen if len(found := np.flatnonzero((self.rows == (clip, kind)).all(axis=1)))]
            for kind in range(len(CLASSES))
        ]


def silhouettes(chance: np.random.Generator) -> list[list[npt.NDArray[np.uint8]]]:
    """By class so many objects, of each so many patches: it turns a little, and its rotors or wings move."""
    return [[silhouette(kind, chance) for _ in range(DRAWN_OBJECTS)] for kind in CLASSES]


def silhouette(kind: str, chance: np.random.Generator) -> npt.NDArray[np.uint8]:
    look = "fixed_wing" if kind == "drone" and chance.random() < FIXED_WINGS else kind
    width_px = float(np.exp(chance.uniform(*np.log(DRAWN_PX))))
    side = round(2 * width_px) + BESIDE_PX
    heading, elevation = chance.uniform(0, 2 * np.pi), chance.uniform(0.0, 0.7)
    sky, dark, light = chance.uniform(110, 220), chance.uniform(15, 90), chance.uniform(40, 140)
    blur_px, contrast, patches = chance.uniform(0.6, 1.5), chance.uniform(0.6, 1.0), []
    while len(patches) < DRAWN_VIEWS:
        sprite = Sprite(
            look,
            x_px=side / 2 + float(chance.uniform(-2, 2)),
            y_px=side / 2 + float(chance.uniform(-2, 2)),
            width_px=width_px,
            heading_rad=float(heading + chance.normal(0, 0.15)),
            phase=float(chance.random()),
            elevation_rad=float(elevation),
            contrast=float(contrast),
            blur_px=float(blur_px),
        )
        left, top, alpha, ink = cut(sprite, "visible") or (0, 0, None, None)
        if alpha is None or ink is None:
            continue
        rows, columns, inner = overlap(left, top, alpha.shape, (side, side))
        picture = np.full((side, side), sky, np.float32)
        if rows is not None and columns is not None:
            there = alpha[inner] * sprite.contrast
            tone = 0.85 * (dark + ink[inner] * light) + 0.15 * sky
            picture[rows, columns] = sky * (1 - there) + np.minimum(tone, 255) * there
        drawn_box = as_people_draw(np.array([[0, *box_of(sprite)]], np.float32), "visible")[0, 1:].tolist()
        coloured = np.repeat(to_picture(picture)[..., None], 3, axis=2)
        patches.append(patch_of(coloured, Box(kind, 1.0, *drawn_box), MARGIN_PX["visible"]))
    return np.array(patches)


class Network(nn.Module):
    """Views of objects, so many of each in a row, to classes."""

    def __init__(self) -> None:
        super().__init__()
        inner: list[nn.Module] = []
        for before, after, stride in zip((1, *WIDTHS), WIDTHS, (1, 2, 2, 1), strict=False):
            inner += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.inner, self.drop = nn.Sequential(*inner), nn.Dropout(DROPPED)
        self.last = nn.Linear(2 * WIDTHS[-1], len(CLASSES))

    def forward(self, views: torch.Tensor, each: int) -> torch.Tensor:
        found = self.inner(views).amax((2, 3)).view(-1, each, WIDTHS[-1])
        return self.told(found.mean(1), (found - found.mean(1, keepdim=True)).square().mean(1))

    def told(self, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(torch.cat([mean, (variance + 1e-6).sqrt()], -1))).log_softmax(-1)


class OneObject(nn.Module):
    """The network as it ships: any number of views of one object to the logarithms of its classes' probabilities."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        found = self.network.inner(views).amax((2, 3))
        told: torch.Tensor = self.network.told(found.mean(0), (found - found.mean(0)).square().mean(0))
        return told


def example(patches: npt.NDArray[np.uint8], chance: np.random.Generator) -> Values:
    """Views of one object as another camera would have had them, (n, VIEW_PX, VIEW_PX)."""
    scale = np.exp(chance.uniform(-SCALE, SCALE) + chance.uniform(-EACH_SCALE, EACH_SCALE, len(patches)))
    turn, side = chance.uniform(-TURN_RAD, TURN_RAD), chance.choice([-1.0, 1.0])
    turned = np.array([[math.cos(turn) * side, -math.sin(turn)], [math.sin(turn) * side, math.cos(turn)]])
    turned *= VIEW_PX / (PATCH_PX * SHOWN)
    views = np.stack(
        [middle_of(p, turned / s, chance.uniform(-MOVE_PX, MOVE_PX, 2)) for p, s in zip(patches, scale, strict=True)]
    )
    if chance.random() < BLURRED:
        sigma_px = float(chance.uniform(0.3, 0.8))
        views = np.stack([cv2.GaussianBlur(view, (0, 0), sigma_px) for view in views])
    views = without_sky(views.astype(np.float32))
    contrast = np.sqrt(np.mean(views**2, axis=(1, 2), keepdims=True))
    views = views + contrast * CLOUDS * chance.random() ** 2 * np.stack([clouds(chance) for _ in views])
    views = views + contrast * NOISE * chance.random() ** 2 * chance.normal(size=views.shape)
    return np.asarray(-views if chance.random() < INVERTED else views, np.float32)


def clouds(chance: np.random.Generator) -> Values:
    """Noise of three octaves."""
    layers = [(3, 1.0), (6, 0.6), (12, 0.4)]
    return np.asarray(
        sum(
            weight * cv2.resize(chance.normal(size=(n, n)), (VIEW_PX, VIEW_PX), interpolation=cv2.INTER_CUBIC)
            for n, weight in layers
        ),
        np.float32,
    )


def train(shapes: Shapes, chosen: list[int], batches: int, seed: int) -> Network:
    """From random weights."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    chance, by_kind = np.random.default_rng(seed), shapes.of(chosen)
    bank = silhouettes(chance)
    network = Network().train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    criterion = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    for number in range(1, batches + 1):
        each = int(chance.integers(VIEWS[0], VIEWS[1] + 1))
        kinds = chance.choice(len(CLASSES), BATCH)
        views = np.concatenate(
            [
                example(
                    chance.choice(bank[k][chance.integers(DRAWN_OBJECTS)], each, replace=False)
                    if chance.random() < DRAWN_SHARE
                    else shapes.patches[drawn(by_kind[k], each, chance)],
                    chance,
                )
                for k in kinds
            ]
        )
        rate = min(1.0, number / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * number / batches)))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        loss = criterion(network(torch.from_numpy(of_one_contrast(views)), each), torch.from_numpy(kinds))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % 50 == 0:
            print(f"{number} of {batches}: loss {loss.item():.2f}", flush=True)
    return network.eval()


def drawn(clips: list[npt.NDArray[np.intp]], each: int, chance: np.random.Generator) -> npt.NDArray[np.intp]:
    """So many patches of one clip, near in time."""
    clip = clips[chance.integers(len(clips))]
    begin = chance.integers(max(1, len(clip) - WINDOW + 1))
    near = clip[begin : begin + WINDOW]
    return np.asarray(chance.choice(near, each, replace=len(near) < each), np.intp)


def named(shapes: Shapes, clips: list[int], network: Network) -> dict[str, str]:
    """Of each day and class, how many of these clips are named rightly."""
    right: dict[str, list[bool]] = {}
    for kind, found in enumerate(shapes.of(clips)):
        for numbers in found:
            spread = numbers[np.linspace(0, len(numbers) - 1, SHOWN_APART).astype(int)]
            views = of_one_contrast(without_sky(np.stack([middle_of(shapes.patches[n]) for n in spread])))
            with torch.no_grad():
                told = int(network(torch.from_numpy(views), len(views)).argmax())
            clip = shapes.clips[int(shapes.rows[numbers[0], 0])]
            right.setdefault(f"{clip.day} {CLASSES[kind]}", []).append(told == kind)
    return {name: f"{sum(each)} of {len(each)}" for name, each in sorted(right.items())}


def to_onnx(network: Network) -> bytes:
    written = io.BytesIO()
    torch.onnx.export(
        OneObject(network).eval(),
        (torch.zeros(8, 1, VIEW_PX, VIEW_PX),),
        written,
        opset_version=OPSET,
        input_names=["views"],
        output_names=["told"],
        dynamic_axes={"views": {0: "looks"}},
        dynamo=False,
    )
    return written.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.closer", description=__doc__)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--out", type=Path, required=True, help="the network, ONNX")
    parser.add_argument("--without", default="", help="days that train nothing, by commas")
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, help="a model whose metadata gets the network")
    arguments: Any = parser.parse_args()
    cv2.setNumThreads(1)
    shapes = Shapes([clip for clip in read_clips(arguments.data, "train") if clip.modality == "visible"])
    without = arguments.without.split(",")
    out_of_it = [n for n, clip in enumerate(shapes.clips) if clip.is_apart or clip.day in without]
    network = train(
        shapes, [n for n in range(len(shapes.clips)) if n not in out_of_it], arguments.batches, arguments.seed
    )
    print(named(shapes, out_of_it, network))
    onnx = to_onnx(network)
    arguments.out.write_bytes(onnx)
    if arguments.into:
        describe(arguments.into, **{ENTRY: base64.b64encode(onnx).decode()})


if __name__ == "__main__":
    main()
