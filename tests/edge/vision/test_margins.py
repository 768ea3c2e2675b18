"""How much larger than the object a model draws its boxes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_stream import encode

from edge.training.drawn_boxes import MARGIN_PX
from edge.vision.canary import PICTURES
from edge.vision.decoder import PacketDecoder
from edge.vision.detector import ModelError, load_detector, margins_of
from edge.vision.margins import ENTRY, Margins, has_colour


def test_the_model_that_ships_tells_the_margins_it_was_taught() -> None:
    assert load_detector().margins == Margins(MARGIN_PX["visible"], MARGIN_PX["ir"])


def test_a_picture_without_colour_has_the_infrared_margin() -> None:
    margins = Margins(20.0, 9.5)
    grey = np.full((256, 320, 3), 90, np.uint8)
    sky = grey + np.array([30, 10, 0], np.uint8)
    assert (margins.of(grey), margins.of(sky)) == (9.5, 20.0)


def test_grey_that_an_encoder_rounded_is_still_infrared_and_the_model_decides_alike() -> None:
    """FFmpeg's conversion makes 127 of the 128 that neither colour channel should leave."""
    shown = cv2.imread(str(PICTURES / "infrared.png"))
    (sent,) = PacketDecoder().decode(encode([shown])[0], 0)
    rounded = sent.bgr()
    apart = float((rounded.max(axis=2).astype(float) - rounded.min(axis=2)).mean())
    assert 1.0 < apart < 3.3
    assert not has_colour(rounded)
    assert has_colour(np.clip(np.add(shown, [4, 0, 0]), 0, 255).astype(np.uint8))
    look = load_detector().look
    assert [box.class_name for box in look(rounded)] == [box.class_name for box in look(shown)]
    found, rounded_found = look(shown)[0], look(rounded)[0]
    assert rounded_found.confidence == pytest.approx(found.confidence, abs=0.1)


def test_a_model_that_tells_none_draws_close() -> None:
    assert margins_of(Path("a.onnx"), {}) == Margins(0.0, 0.0)


@pytest.mark.parametrize(
    "told", ["wide", 3, {"visible": 20}, {"visible": -1, "infrared": 9}, {"visible": 1e9, "infrared": 9}]
)
def test_a_damaged_entry_gets_one_clear_error(told: object) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: box_margin_px in the metadata is not ours"):
        margins_of(Path("a.onnx"), {ENTRY: json.dumps(told)})
