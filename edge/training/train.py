"""The training loop: ultralytics' model and loss, everything else in sight.

AdamW, linear warm-up, cosine to 1 %, gradients clipped, and an exponential mean of the weights, which is what is kept.
The course is set by the number of pictures; a limit in minutes bends the cosine so that it ends in time, at the price
of a run that cannot be repeated exactly. A checkpoint is written every few minutes and is usable at any time.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from edge.training import torch_setup

torch_setup.prepare()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402
from ultralytics.utils.loss import v8DetectionLoss  # noqa: E402

from edge.training.clips import CLASSES  # noqa: E402
from edge.training.scenes import SIZE_PX, Scenes  # noqa: E402
from edge.training.unfuse import trained_as, unfuse  # noqa: E402

MODEL_YAML = Path(__file__).with_name("eyes.yaml")
GAINS = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)  # ultralytics' own
CHECKPOINT_EVERY_S = 120.0
UNFOLDED_ON = 8  # batches


@dataclass(frozen=True, slots=True)
class Course:
    """One run of training."""

    images: int = 60_000
    minutes: float = math.inf
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 200  # batches
    mean_of: int = 400  # batches the kept weights are a mean of
    seed: int = 1


class Pictures(Dataset[Any]):
    """The numbered pictures of a `Scenes`, opened in the worker that uses them."""

    def __init__(self, cache: Path, seed: int, count: int) -> None:
        self._cache, self._seed, self._count = cache, seed, count
        self._scenes: Scenes | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self._scenes is None:
            cv2.setNumThreads(1)
            self._scenes = Scenes(self._cache, self._seed)
        picture, boxes = self._scenes.picture(number)
        centres = boxes.copy()
        centres[:, 1:3] += boxes[:, 3:5] / 2
        centres[:, 1:] /= np.array([*SIZE_PX, *SIZE_PX], np.float32)
        return torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(centres)


def collate(items: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Pictures stacked, boxes in one list with the number of the picture they belong to."""
    boxes = torch.cat([labels for _, labels in items])
    owner = torch.cat([torch.full((len(labels),), float(number)) for number, (_, labels) in enumerate(items)])
    return {"img": torch.stack([p for p, _ in items]), "batch_idx": owner, "cls": boxes[:, :1], "bboxes": boxes[:, 1:]}


def build_model(seed: int) -> Any:
    torch.manual_seed(seed)
    model = DetectionModel(str(MODEL_YAML), ch=3, nc=len(CLASSES), verbose=False)
    model.args = GAINS
    model.names = dict(enumerate(CLASSES))
    return model.to(memory_format=torch.channels_last)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Only the kernels of convolutions decay, not biases nor normalisation."""
    kernels = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    rest = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def train(cache: Path, out: Path, course: Course, begin_at: Path | None = None) -> Path:
    """Train from random weights, or go on from a checkpoint's; returns the last checkpoint, out/checkpoint.pt."""
    model = build_model(course.seed).train()
    earlier = begin(model, begin_at, cache, course) if begin_at else []
    mean = copy.deepcopy(model).eval()
    criterion = v8DetectionLoss(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, course.weight_decay), course.learning_rate, (0.9, 0.99))
    begun = saved = time.monotonic()
    log = (out / "training.jsonl").open("w")
    sums = np.zeros(3)
    batch_number = 0
    for batch_number, batch in enumerate(batches(cache, course), start=1):
        progress = max(batch_number * course.batch / course.images, (time.monotonic() - begun) / 60 / course.minutes)
        if progress >= 1:
            break
        rate = learning_rate(course, batch_number, progress)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch["img"] = batch["img"].to(memory_format=torch.channels_last).float() / 255
        losses, parts = criterion(model(batch["img"]), batch)
        optimizer.zero_grad()
        losses.sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0 * course.batch)
        optimizer.step()
        follow(mean, model, 1 - math.exp(-batch_number / 100), course.mean_of)
        sums += [float(part) for part in parts.values()]
        if batch_number % 50 == 0:
            minutes, means = (time.monotonic() - begun) / 60, [round(float(s) / 50, 3) for s in sums]
            line = {"images": batch_number * course.batch, "minutes": round(minutes, 2), "rate": rate, "losses": means}
            log.write(json.dumps(line) + "\n")
            log.flush()
            sums[:] = 0
        if time.monotonic() - saved > CHECKPOINT_EVERY_S:
            save(out, mean, course, batch_number * course.batch, earlier)
            saved = time.monotonic()
    log.close()
    return save(out, mean, course, batch_number * course.batch, earlier)


def begin(model: Any, begin_at: Path, cache: Path, course: Course) -> list[dict[str, Any]]:
    """Give the model the weights of a checkpoint or of a shipped ONNX file; the parts they were trained in."""
    if begin_at.suffix == ".onnx":
        first = itertools.islice(batches(cache, replace(course, images=UNFOLDED_ON * course.batch)), UNFOLDED_ON)
        pictures = [batch["img"].float() / 255 for batch in first]
        model.load_state_dict(unfuse(begin_at, lambda: build_model(course.seed), pictures).state_dict())
        before = trained_as(begin_at)
    else:
        before = torch.load(begin_at, map_location="cpu", weights_only=True)
        model.load_state_dict(before["weights"])
    return [*before.get("earlier", []), {"course": before["course"], "images": before["images"]}]


def batches(cache: Path, course: Course) -> Iterator[dict[str, torch.Tensor]]:
    pictures = Pictures(cache, course.seed, course.images)
    yield from DataLoader(pictures, course.batch, num_workers=1, prefetch_factor=6, collate_fn=collate)


def learning_rate(course: Course, batch_number: int, progress: float) -> float:
    warm = min(1.0, batch_number / course.warm_up)
    return course.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.no_grad()
def follow(mean: nn.Module, model: nn.Module, ramp: float, mean_of: int) -> None:
    """Move the mean a little towards the model: more at first, then by one part in `mean_of`."""
    keep = ramp * (1 - 1 / mean_of)
    new = model.state_dict()
    for name, value in mean.state_dict().items():
        if value.dtype.is_floating_point:
            value.mul_(keep).add_(new[name], alpha=1 - keep)
        else:
            value.copy_(new[name])


def save(out: Path, mean: nn.Module, course: Course, images: int, earlier: list[dict[str, Any]]) -> Path:
    """Write the mean weights and the course so far; whole or not at all."""
    path = out / "checkpoint.pt"
    partial = path.with_suffix(".partial")
    torch.save({"weights": mean.state_dict(), "course": asdict(course), "images": images, "earlier": earlier}, partial)
    partial.rename(path)
    return path
