"""A checkpoint made of the file that ships."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the `train` extra is not installed")
pytest.importorskip("ultralytics", reason="the `train` extra is not installed")

import onnx
from onnx import numpy_helper

from edge.training.restored import half_of
from edge.vision.detector import SHIPPED_MODEL


@pytest.mark.parametrize(
    ("spectrum", "attribute", "moved"), [("visible", "then_branch", -0.4), ("infrared", "else_branch", 0.0)]
)
def test_scores_that_were_moved_at_the_export_are_as_trained(spectrum: str, attribute: str, moved: float) -> None:
    choice = next(node for node in onnx.load(str(SHIPPED_MODEL)).graph.node if node.op_type == "If")
    branch = next(one.g for one in choice.attribute if one.name == attribute)
    shipped = {one.name.removeprefix(f"{spectrum}/"): numpy_helper.to_array(one) for one in branch.initializer}
    weights, training = half_of(SHIPPED_MODEL, spectrum)
    assert "score_shift" not in training  # the next export would not know of it
    scores = [name for name in weights if ".cv3." in name and name.endswith(".2.bias")]
    assert len(scores) == 2  # a head for each stride
    for name, weight in weights.items():
        wanted = shipped[name] - moved if name in scores else shipped[name]
        assert weight.numpy() == pytest.approx(wanted, abs=1e-6)
