"""The canaries pass where the detector works, and fail where it does not."""

import io
import json
from collections.abc import Sequence

import numpy as np
import pytest

from edge.vision import canary
from edge.vision.canary import EXPECTED, failed_canary, has_canaries, words
from edge.vision.detector import SHIPPED_MODEL, Box, Detector, Picture, load_detector
from edge.vision.messages import LENGTH
from edge.vision.process import run


class Spoiled:
    """A detector that is given something else than the picture."""

    def __init__(self, how: str) -> None:
        self._detector, self._how = load_detector(), how

    def look(self, image_bgr: Picture, regions: Sequence[object] | None = None, **more: object) -> list[Box]:
        spoiled = {"black": np.zeros_like(image_bgr), "turned": np.ascontiguousarray(image_bgr[::-1])}[self._how]
        return self._detector.look(spoiled)


def test_the_model_that_ships_passes() -> None:
    assert failed_canary(load_detector()) is None


@pytest.mark.parametrize("how", ["black", "turned"])
def test_a_detector_that_sees_something_else_fails_and_says_what_it_found(how: str) -> None:
    detector: Detector = Spoiled(how)  # type: ignore[assignment]
    told = failed_canary(detector)
    assert told is not None
    assert f"expected {words(EXPECTED['visible.png'][:1])}" in told


def test_the_vision_process_does_not_begin_with_a_failing_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "EXPECTED", {"visible.png": (Box("bird", 0.9, 10.0, 10.0, 20.0, 20.0),)})
    sink = io.BytesIO()
    run(SHIPPED_MODEL, 0.25, 1, io.BytesIO(), sink)
    hello = json.loads(sink.getvalue()[LENGTH.size :])
    assert hello["ready"] is False
    assert "expected bird 0.90 at (10, 10)" in hello["reason"]


def test_a_model_of_ones_own_has_no_canaries() -> None:
    assert has_canaries(SHIPPED_MODEL)
    assert not has_canaries(SHIPPED_MODEL.with_name("theirs.onnx"))
