"""A checkpoint made into the file that ships: ONNX, any height and width that are multiples of 32, any batch.

Input `images` (batch, 3, height, width), RGB 0..1; output (batch, 4 + classes, places): box centre x, y, width, height
in pixels, then a probability per class. Names, the data's days and the table of detection probabilities go into the
file's metadata, so that one file says all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge.training import torch_setup

torch_setup.prepare()

import torch  # noqa: E402

from edge.training.clips import CLASSES  # noqa: E402
from edge.training.drawn_boxes import MARGIN_PX  # noqa: E402
from edge.training.metadata import describe  # noqa: E402
from edge.training.train import build_model  # noqa: E402

OPSET = 17  # understood by ONNX Runtime 1.12 and younger, and by OpenVINO
NAME = "sarhad-eyes-1"


def load_checkpoint(path: Path) -> tuple[Any, dict[str, Any]]:
    """The model with its kept weights, layers fused for use, and what is known of its training."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model = build_model(seed=0)
    model.load_state_dict(checkpoint["weights"])
    training = {key: checkpoint[key] for key in ("course", "images", "earlier") if key in checkpoint}
    return model.float().eval(), training


def export(checkpoint: Path, onnx_path: Path, score_shift: float = 0.0) -> None:
    """Write the ONNX file, and beside it weights that ultralytics opens (`.pt`).

    score_shift: moves every score's logarithm of odds; 0.25 is where a post takes notice, and no loss knows that."""
    model, training = load_checkpoint(checkpoint)
    if score_shift:
        training |= {"score_shift": score_shift}
        for scores in model.model[-1].cv3:
            scores[-1].bias.data += score_shift
    torch.save({"model": model, "train_args": {}, "date": None}, onnx_path.with_suffix(".pt"))
    model = model.fuse(verbose=False)
    head = model.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    sides = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 256, 320),),
        str(onnx_path),
        opset_version=OPSET,
        input_names=["images"],
        output_names=["output0"],
        dynamic_axes={"images": sides, "output0": {0: "batch", 2: "places"}},
        dynamo=False,
    )
    describe(
        onnx_path,
        names=str(dict(enumerate(CLASSES))),  # as ultralytics writes and reads them
        stride="32",
        task="detect",
        batch="1",
        imgsz="[256, 320]",
        description=f"{NAME}: drone, bird, airplane, helicopter; visible and infrared",
        box_margin_px=json.dumps({"visible": MARGIN_PX["visible"], "infrared": MARGIN_PX["ir"]}),
        score_shift=json.dumps({"visible": score_shift, "infrared": score_shift}),
        license="AGPL-3.0-or-later",
        training=json.dumps(training),
    )
