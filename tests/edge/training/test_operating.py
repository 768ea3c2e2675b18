"""From which confidence a class should be believed, found on clips."""

from __future__ import annotations

import numpy as np
import pytest

from edge.training.operating import found, point
from edge.vision.detector import Box


def test_a_point_lies_where_finding_and_false_alarms_balance() -> None:
    """Ten objects: nine found at 0.3 to 0.5, the tenth at 0.05 below twenty false ones at 0.19: what parts them is between."""
    outcomes = [(0.5 - 0.025 * n, True) for n in range(9)] + [(0.19, False)] * 20 + [(0.05, True)]
    assert point(outcomes, 10) == pytest.approx(np.sqrt(0.3 * 0.19), abs=0.001)


def test_the_middle_of_a_plateau_is_taken() -> None:
    """Twenty objects found at 0.4, another at 0.1, and twenty false ones at 0.02."""
    outcomes = [(0.4, True)] * 20 + [(0.1, True)] + [(0.02, False)] * 20
    assert point(outcomes, 21) == pytest.approx(np.sqrt(0.4 * 0.02), abs=0.001)


def test_an_object_counts_once_for_the_surest_box_near_it() -> None:
    truth = np.array([[0, 100, 100, 20, 20]], np.float32)
    boxes = [Box("drone", 0.3, 101, 101, 20, 20), Box("drone", 0.8, 99, 99, 20, 20), Box("drone", 0.9, 10, 10, 20, 20)]
    assert found(truth, boxes) == [(0.9, False), (0.8, True), (0.3, False)]
    assert found(truth[:0], boxes[:1]) == [(0.3, False)]
