"""A checkpoint made of a file that ships, to go on from: its convolutions have their normalisation folded in.

    ONNX half ─▶ kernels at their first sizes ─▶ shown training pictures ─▶ normalisations that undo what they do on these

    python -m edge.training.restored --model MODEL.onnx --spectrum infrared --cache DIR/cache --out CHECKPOINT.pt

A kernel W with bias b becomes k·W, of the spread of random weights, and a normalisation by the mean and variance of k·W·x over
the pictures with the scale and shift that give W·x + b again. The answers are the same, but that scores moved at the export
(`score_shift`) are as trained; training can go on as if the normalisations had been kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from ultralytics.nn.modules.conv import Conv

from edge.training.scenes import Scenes
from edge.training.train import build_model, collate

SHOWN, BATCH = 384, 16  # pictures
SEED = 99


def restore(onnx_path: Path, spectrum: str, cache: Path) -> dict[str, Any]:
    """The checkpoint of one half, as `train.save` writes it."""
    weights, training = half_of(onnx_path, spectrum)
    model = build_model(seed=0).eval()
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, Conv)}
    folded = {
        name: Folded(module, weights.pop(f"{name}.conv.weight"), weights.pop(f"{name}.conv.bias"))
        for name, module in convolutions.items()
    }
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)
        scenes = Scenes(cache, SEED, spectrum)
        for first in range(0, SHOWN, BATCH):
            batch = collate([scenes.picture(number) for number in range(first, first + BATCH)])
            model(batch["img"].float() / 255)
        for one in folded.values():
            one.settle()
    return {"weights": model.state_dict(), **training}


class Folded:
    """One convolution whose normalisation is looked for: while pictures are shown it answers as the file does."""

    def __init__(self, module: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._norm, self._bias = module.bn, bias
        usual = (3 * weight[0].numel()) ** -0.5  # of He's uniform law, as torch begins
        self._factor = usual / weight.flatten(1).std(1).clamp(min=1e-4)
        module.conv.weight.data.copy_(weight * self._factor.view(-1, 1, 1, 1))
        self._count, self._sum, self._squares = 0, torch.zeros_like(bias).double(), torch.zeros_like(bias).double()
        self._norm.forward = self._watch

    def _watch(self, values: torch.Tensor) -> torch.Tensor:
        self._sum += values.double().sum((0, 2, 3))
        self._squares += (values.double() ** 2).sum((0, 2, 3))
        self._count += values[:, 0].numel()
        return values / self._factor.view(1, -1, 1, 1) + self._bias.view(1, -1, 1, 1)

    def settle(self) -> None:
        del self._norm.forward
        mean = self._sum / self._count
        variance = self._squares / self._count - mean**2
        self._norm.running_mean.copy_(mean)
        self._norm.running_var.copy_(variance)
        self._norm.weight.copy_(torch.sqrt(variance + self._norm.eps) / self._factor)
        self._norm.bias.copy_(self._bias + mean / self._factor)


def half_of(onnx_path: Path, spectrum: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights by the model's own names, and what is known of their training."""
    model = onnx.load(str(onnx_path))
    choice = next(node for node in model.graph.node if node.op_type == "If")
    branch = next(
        one.g for one in choice.attribute if one.name == ("then_branch" if spectrum == "visible" else "else_branch")
    )
    weights = {
        one.name.removeprefix(f"{spectrum}/"): torch.from_numpy(numpy_helper.to_array(one).copy())
        for one in branch.initializer
    }
    training = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "training"))[spectrum]
    shift = training.pop("score_shift", 0.0)
    for name in weights:
        if ".cv3." in name and name.endswith(".2.bias"):  # of each head's scores, as `export.py` moves them
            weights[name] -= shift
    return {name: weight for name, weight in weights.items() if name.startswith("model.")}, training


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.restored", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--spectrum", choices=["infrared", "visible"], required=True)
    parser.add_argument("--cache", type=Path, required=True, help="the pools of an earlier run, DIR/cache")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.save(restore(arguments.model, arguments.spectrum, arguments.cache), arguments.out)


if __name__ == "__main__":
    main()
