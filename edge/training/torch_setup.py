"""torch and ultralytics made ready: offline, one thread, and with a working `nms` where torchvision was built for CUDA.

Beside a CPU torch, the torchvision wheel of the package registry does not import: its compiled half wants CUDA.
Its operators are then declared here from Python, with ultralytics' own non-maximum suppression behind them.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

_KEPT: list[Any] = []  # a torch library lives only as long as its object


def prepare(threads: int = 1) -> None:
    """Set the environment and repair torchvision; call before anything imports torch or ultralytics."""
    os.environ.update(YOLO_OFFLINE="True", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="False")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve their neighbours on a small box
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        torch = importlib.import_module("torch")
    except ImportError as missing:
        raise SystemExit("training needs torch and ultralytics: install the `train` extra") from missing
    torch.set_num_threads(threads)
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        repair_torchvision(torch)


def repair_torchvision(torch: Any) -> None:
    library = torch.library.Library("torchvision", "DEF")
    _KEPT.append(library)

    def suppress(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        nms = importlib.import_module("ultralytics.utils.nms").TorchNMS.nms
        return nms(boxes, scores, iou_threshold)

    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, suppress, "CPU")
    importlib.import_module("torchvision")
    for module in ("torchvision.extension", "torchvision.ops.boxes"):
        importlib.import_module(module)._assert_has_ops = lambda: None  # type: ignore[attr-defined]
