"""Two models in one file, one for each spectrum: infrared pictures are grey, and what is warm is not what is dark.

    images ─▶ do the colours differ? ─┬─ yes ─▶ the visible model ──┬─▶ output0
                                      └─ no ──▶ the infrared model ─┘

    python -m edge.training.spectra --visible A.onnx --infrared B.onnx --out MODEL.onnx

How much they must differ is an input, `grey`, that need not be told; who looks at regions tells by it what the picture is.
Only the chosen half is computed, so a picture costs what one model costs. The names of layers and weights begin with the half
they belong to; the metadata are the visible model's, with both models' `training`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from edge.training.clips import data_folder
from edge.vision.detector import GREY_INPUT
from edge.vision.score_shift import ENTRY

GREY = 3.3 / 255  # mean difference between a place's strongest and weakest colour, of 1: the limit where none is told


def join(visible: Path, infrared: Path, out: Path) -> None:
    """Write the file that chooses."""
    halves = {name: onnx.load(str(path)) for name, path in (("visible", visible), ("infrared", infrared))}
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["strongest"], axes=[1]),
        helper.make_node("ReduceMin", ["images"], ["weakest"], axes=[1]),
        helper.make_node("Sub", ["strongest", "weakest"], ["apart"]),
        helper.make_node("ReduceMean", ["apart"], ["colour"], keepdims=0),
        helper.make_node("Greater", ["colour", GREY_INPUT], ["is_visible"]),
        helper.make_node(
            "If",
            ["is_visible"],
            ["output0"],
            then_branch=branch(halves["visible"], "visible"),
            else_branch=branch(halves["infrared"], "infrared"),
        ),
    ]
    whole = halves["visible"].graph
    graph = helper.make_graph(
        nodes,
        "spectra",
        [*whole.input, helper.make_tensor_value_info(GREY_INPUT, TensorProto.FLOAT, [])],
        list(whole.output),
        [numpy_helper.from_array(np.array(GREY, np.float32), GREY_INPUT)],
    )
    model = helper.make_model(graph, opset_imports=halves["visible"].opset_import)
    model.ir_version = halves["visible"].ir_version
    metadata = {entry.key: entry.value for entry in halves["visible"].metadata_props}
    training = {name: training_of(half) for name, half in halves.items()}
    metadata["training"] = json.dumps(training)
    metadata[ENTRY] = json.dumps({name: part.get("score_shift", 0.0) for name, part in training.items()})
    for key, value in sorted(metadata.items()):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def branch(model: onnx.ModelProto, name: str) -> onnx.GraphProto:
    """A model's graph without an input of its own: it reads the picture from around it."""
    graph = compose.add_prefix_graph(model.graph, f"{name}/")
    for node in graph.node:
        node.input[:] = ["images" if one == f"{name}/images" else one for one in node.input]
    del graph.input[:], graph.value_info[:]
    output = helper.make_tensor_value_info(graph.output[0].name, TensorProto.FLOAT, None)
    del graph.output[:]
    graph.output.append(output)
    return graph


def training_of(model: onnx.ModelProto) -> Any:
    return json.loads(next(entry.value for entry in model.metadata_props if entry.key == "training"))


def main() -> None:
    from edge.training.__main__ import finish

    parser = argparse.ArgumentParser(prog="python -m edge.training.spectra", description=__doc__)
    for name in ("visible", "infrared", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data_folder(), help="the Svanström folder")
    parser.add_argument("--every", type=int, default=5, help="evaluate on every n-th frame")
    arguments = parser.parse_args()
    join(arguments.visible, arguments.infrared, arguments.out)
    finish(arguments.out, arguments.data, arguments.every)


if __name__ == "__main__":
    main()
