"""How much larger than the object a model draws its boxes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.training.drawn_boxes import MARGIN_PX
from edge.vision.detector import ModelError, load_detector, margins_of
from edge.vision.margins import ENTRY, Margins


def test_the_model_that_ships_tells_the_margins_it_was_taught() -> None:
    assert load_detector().margins == Margins(MARGIN_PX["visible"], MARGIN_PX["ir"])


def test_each_spectrum_has_its_own() -> None:
    margins = Margins(20.0, 9.5)
    assert (margins.of("infrared"), margins.of("visible")) == (9.5, 20.0)


def test_a_model_that_tells_none_draws_close() -> None:
    assert margins_of(Path("a.onnx"), {}) == Margins(0.0, 0.0)


@pytest.mark.parametrize(
    "told", ["wide", 3, {"visible": 20}, {"visible": -1, "infrared": 9}, {"visible": 1e9, "infrared": 9}]
)
def test_a_damaged_entry_gets_one_clear_error(told: object) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: box_margin_px in the metadata is not ours"):
        margins_of(Path("a.onnx"), {ENTRY: json.dumps(told)})
