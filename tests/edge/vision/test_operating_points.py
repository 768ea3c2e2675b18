"""Confidences of a file's boxes, moved so that 0.25 means the same in every class."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edge.vision.detector import ModelError, entry_of
from edge.vision.operating_points import ENTRY, OperatingPoints

POINTS = OperatingPoints({"drone": 0.2}, {"drone": 0.45, "helicopter": 0.06})


def odds(confidence: float) -> float:
    return math.log(confidence / (1.0 - confidence))


def test_a_classs_point_becomes_a_quarter_and_odds_keep_their_distances() -> None:
    assert POINTS.believed(0.45, "drone", "infrared") == pytest.approx(0.25)
    assert POINTS.believed(0.06, "helicopter", "infrared") == pytest.approx(0.25)
    moved = [odds(POINTS.believed(confidence, "drone", "infrared")) for confidence in (0.02, 0.3, 0.97)]
    assert moved == pytest.approx([odds(c) + odds(0.25) - odds(0.45) for c in (0.02, 0.3, 0.97)])


def test_each_spectrum_has_its_own_and_a_class_without_a_point_stays() -> None:
    assert POINTS.believed(0.2, "drone", "visible") == pytest.approx(0.25)
    assert POINTS.believed(0.1, "helicopter", "visible") == 0.1
    assert OperatingPoints().believed(0.1, "drone", "visible") == 0.1
    assert [POINTS.believed(c, "drone", "visible") for c in (0.0, 1.0)] == [0.0, 1.0]


def test_what_is_written_in_a_model_is_read() -> None:
    written = json.dumps({"visible": {"drone": 0.2}, "infrared": {"drone": 0.45, "helicopter": 0.06}})
    assert OperatingPoints.read(written) == POINTS
    assert OperatingPoints.read(None) == OperatingPoints()


@pytest.mark.parametrize(
    "told",
    [
        "none",
        3,
        {"visible": {}},
        {"visible": {"drone": 0.0}, "infrared": {}},
        {"visible": {}, "infrared": {"bird": "x"}},
    ],
)
def test_a_damaged_entry_gets_one_clear_error(told: object) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: operating_points in the metadata is not ours"):
        entry_of(Path("a.onnx"), {ENTRY: json.dumps(told)}, ENTRY, OperatingPoints.read, "confidences by class")
