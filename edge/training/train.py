"""The training loop: ultralytics' model and loss, everything else in sight.

AdamW, linear warm-up, a constant rate, then half a cosine down to 1 %, gradients clipped, and an exponential mean of the
weights, which is what is kept. The course is set by the number of pictures; a limit in minutes bends it so that it ends in
time, at the price of a run that cannot be repeated exactly. A checkpoint is written every few minutes and is usable at any
time. Processors with bfloat16 instructions use them: 1.6 times as many pictures a second.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from edge.training import torch_setup

torch_setup.prepare()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402
from ultralytics.utils.loss import v8DetectionLoss  # noqa: E402

from edge.training.clips import CLASSES, Boxes, Picture  # noqa: E402
from edge.training.scenes import SIZE_PX, Scenes  # noqa: E402

MODEL_YAML = Path(__file__).with_name("eyes.yaml")
GAINS = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)  # ultralytics' own
CHECKPOINT_EVERY_S = 120.0


@dataclass(frozen=True, slots=True)
class Course:
    """One run of training."""

    images: int = 40_000
    minutes: float = math.inf
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 60  # batches
    falls_from: float = 0.6  # share of the course with a constant rate
    mean_of: int = 200  # batches the kept weights are a mean of
    seed: int = 1
    spectrum: str = "both"  # or one alone


def batches(cache: Path, course: Course) -> Iterator[dict[str, torch.Tensor]]:
    """The numbered pictures, batch after batch."""
    scenes = Scenes(cache, course.seed, course.spectrum)
    for first in range(0, course.images, course.batch):
        yield collate([scenes.picture(number) for number in range(first, first + course.batch)])


def collate(items: list[tuple[Picture, Boxes]]) -> dict[str, torch.Tensor]:
    """Pictures stacked, boxes in one list (centres and sides, of the picture's) with the number of their picture."""
    pictures = torch.from_numpy(np.stack([picture for picture, _ in items])).permute(0, 3, 1, 2)
    boxes = np.concatenate([boxes for _, boxes in items])
    boxes[:, 1:3] += boxes[:, 3:5] / 2
    boxes[:, 1:] /= np.array([*SIZE_PX, *SIZE_PX], np.float32)
    owners = np.repeat(np.arange(len(items), dtype=np.float32), [len(boxes) for _, boxes in items])
    rows = torch.from_numpy(boxes)
    return {"img": pictures, "batch_idx": torch.from_numpy(owners), "cls": rows[:, :1], "bboxes": rows[:, 1:]}


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
    cv2.setNumThreads(1)
    model, earlier = build_model(course.seed).train(), []
    if begin_at:
        before = torch.load(begin_at, map_location="cpu", weights_only=True)
        model.load_state_dict(before["weights"])
        earlier = [*before.get("earlier", []), {"course": before["course"], "images": before["images"]}]
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
        losses, parts = criterion(look(model, batch["img"]), batch)
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


def look(model: Any, pictures: torch.Tensor) -> Any:
    """The model's output, in 32 bits, so that the loss is exact."""
    in_16_bits = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    with torch.autocast("cpu", torch.bfloat16, enabled=in_16_bits):
        output = model(pictures)
    return in_32_bits(output)


def in_32_bits(output: Any) -> Any:
    if isinstance(output, dict):
        return {name: in_32_bits(value) for name, value in output.items()}
    if isinstance(output, list | tuple):
        return [in_32_bits(value) for value in output]
    return output.float() if torch.is_tensor(output) and output.is_floating_point() else output


def learning_rate(course: Course, batch_number: int, progress: float) -> float:
    """Of a batch; progress: share of the course that is over."""
    warm = min(1.0, batch_number / course.warm_up)
    fallen = max(0.0, progress - course.falls_from) / (1 - course.falls_from)
    return course.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fallen)))


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
