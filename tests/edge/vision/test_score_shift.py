"""Scores that were moved for fewer glances, moved back for what many looks have seen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from edge.vision.detector import Box, ModelError, entry_of, load_detector
from edge.vision.margins import Margins
from edge.vision.patches import Patch
from edge.vision.score_shift import ENTRY, ScoreShift, moved_back
from edge.vision.whole_clip import look_at_all

GREY, COLOURED = np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), (120, 90, 60), np.uint8)


def odds(confidence: float) -> float:
    return math.log(confidence / (1 - confidence))


def test_odds_are_moved_back_by_as_much_as_they_were_moved() -> None:
    for confidence in (0.02, 0.3, 0.9):
        assert odds(moved_back(confidence, -0.4)) == pytest.approx(odds(confidence) + 0.4)
    assert [moved_back(c, -0.4) for c in (0.0, 1.0)] == [0.0, 1.0]
    assert moved_back(0.3, 0.0) == 0.3


def test_each_half_has_its_own_shift() -> None:
    shift = ScoreShift(-0.4, 0.1)
    assert (shift.of("visible"), shift.of("infrared")) == (-0.4, 0.1)
    assert ScoreShift.read(None) == ScoreShift(0.0, 0.0)


def test_the_model_that_ships_tells_the_shift_it_was_exported_with() -> None:
    assert load_detector().score_shift == ScoreShift(-0.4, 0.0)


@pytest.mark.parametrize(
    "told", [{"visible": -0.4}, {"visible": 9, "infrared": 0}, {"visible": 10**400, "infrared": 0}, [1, 2]]
)
def test_a_damaged_entry_gets_one_clear_error(told: object) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: score_shift in the metadata is not ours"):
        entry_of(Path("a.onnx"), {ENTRY: json.dumps(told)}, ENTRY, ScoreShift.read, "logarithms")


class Eyes:
    """Sees one drone, and a glance of something in the first picture."""

    confidence, model_sha256, provider, temperature = 0.02, "", "", 1.0
    class_names = ("drone", "bird")
    usual, margins, closer_look = None, Margins(), None
    wing_beats, score_shift, spectrum = None, ScoreShift(-0.4, 0.0), None

    def __init__(self) -> None:
        self.looks = 0

    def look(self, picture: Patch, regions: object = None, *, every_class: bool = False) -> list[Box]:
        self.looks += 1
        glance = [Box("drone", 0.1, 2, 2, 8, 8, (0.1, 0.0))] if self.looks == 1 else []
        return [Box("drone", 0.3, 30, 30, 20, 20, (0.3, 0.1)), *glance]


@pytest.mark.parametrize(("picture", "wanted"), [(COLOURED, moved_back(0.3, -0.4)), (GREY, 0.3)])
def test_a_files_tracklets_are_as_sure_as_before_scores_were_moved_and_glances_are_not(
    picture: Patch, wanted: float
) -> None:
    looks = list(look_at_all(Eyes(), [(n / 30, picture) for n in range(4)]))  # type: ignore[arg-type]
    assert [one.box.confidence for look in looks for one in look.seen if one.number] == [pytest.approx(wanted)] * 4
    assert [one.box.confidence for look in looks for one in look.seen if not one.number] == [0.1]
