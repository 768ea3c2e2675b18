"""A shipped ONNX file made trainable again: normalisations that were folded into their convolutions are unfolded.

A fused convolution puts out y = W x + b. The same with a normalisation behind it is

    gamma (W x - m) / sqrt(v + eps) + beta     with  m, v the mean and variance of W x,  gamma = sqrt(v + eps),  beta = b + m

so the model sees as before, and its normalisations work on pictures' own statistics when it is trained further. m and v
are measured on training pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper


def load_fused(model: Any, onnx_path: Path) -> dict[str, torch.Tensor]:
    """The file's weights by the names that the model's own fused layers have. Raises ValueError where one is missing."""
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(str(onnx_path)).graph.initializer}
    wanted = {n: p for n, p in model.named_parameters() if "dfl" not in n}
    missing = [n for n, p in wanted.items() if n not in stored or stored[n].shape != tuple(p.shape)]
    if missing:
        raise ValueError(
            f"{onnx_path}: found no weights for {missing[0]} ({len(missing)} in all), expected this model's"
        )
    return {name: torch.from_numpy(stored[name].copy()) for name in wanted}


def trained_as(onnx_path: Path) -> dict[str, Any]:
    """How the file says that it was trained."""
    entries = {entry.key: entry.value for entry in onnx.load(str(onnx_path)).metadata_props}
    return dict(json.loads(entries["training"]))


@torch.no_grad()
def unfuse(onnx_path: Path, build: Callable[[], Any], pictures: Iterable[torch.Tensor]) -> Any:
    """A trainable model that sees as the file does; pictures: batches of training pictures, 0..1."""
    fused, whole = build().eval(), build().eval()
    fused.fuse(verbose=False)
    for name, weights in load_fused(fused, onnx_path).items():
        fused.get_parameter(name).copy_(weights)
    sums = watch_outputs(fused, whole)
    for batch in pictures:
        fused(batch)
    modules = dict(whole.named_modules())
    for name, parameter in fused.named_parameters():
        owner = name.rsplit(".", 2)[0]
        if "dfl" in name or hasattr(modules.get(owner), "bn"):
            continue
        whole.get_parameter(name).copy_(parameter)
    for name, (count, total, squares) in sums.items():
        conv, folded = modules[name], dict(fused.named_modules())[name].conv
        mean, bias = total / count, folded.bias
        variance = (squares / count - mean**2).clamp(min=1e-6)
        conv.conv.weight.copy_(folded.weight)
        conv.bn.running_mean.copy_(mean - bias)
        conv.bn.running_var.copy_(variance)
        conv.bn.weight.copy_((variance + conv.bn.eps).sqrt())
        conv.bn.bias.copy_(mean)
    return whole


def watch_outputs(fused: Any, whole: Any) -> dict[str, list[Any]]:
    """Count, sum and sum of squares, per channel, of what each convolution that had a normalisation puts out."""
    sums: dict[str, list[Any]] = {}
    with_norm = {name for name, module in whole.named_modules() if hasattr(module, "bn") and hasattr(module, "conv")}
    for name, module in fused.named_modules():
        if name not in with_norm:
            continue

        def add(_: Any, __: Any, output: torch.Tensor, name: str = name) -> None:
            before = sums.setdefault(name, [0, 0.0, 0.0])
            before[0] += output.numel() // output.shape[1]
            before[1] = before[1] + output.sum(dim=(0, 2, 3))
            before[2] = before[2] + (output**2).sum(dim=(0, 2, 3))

        module.conv.register_forward_hook(add)
    return sums
