import numpy as np
import pytest

from edge.training.evaluate import average_precision, detection_probability, iou, match, near
from edge.vision.detector import Box

TRUTH = np.array([[0, 10, 10, 20, 10], [0, 100, 50, 20, 10]], np.float32)


def box(x: float, y: float, confidence: float) -> Box:
    return Box("drone", confidence, x, y, 20, 10)


def test_each_object_is_found_once_and_by_the_surest() -> None:
    outcomes = match([box(11, 10, 0.6), box(10, 10, 0.9), box(300, 10, 0.7)], TRUTH)
    assert outcomes == [(0.9, True), (0.7, False), (0.6, False)]


def test_average_precision_by_hand() -> None:
    # sure and right, sure and wrong, unsure and right: precision 1 up to recall 0.5, then 2/3
    assert average_precision([(0.9, True), (0.8, False), (0.7, True)], 2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision([], 3) == 0.0
    assert average_precision([], 0) is None


def test_near_needs_the_centre_within_eight_pixels() -> None:
    assert near(TRUTH, [box(17, 10, 0.5)]) == [True, False]
    assert near(TRUTH, [box(19, 10, 0.5)]) == [False, False]
    assert near(TRUTH, []) == [False, False]


def test_overlap_of_equal_boxes_is_one_and_of_distant_ones_zero() -> None:
    assert iou(box(10, 10, 0.5), TRUTH[0]) == pytest.approx(1.0)
    assert iou(box(10, 30, 0.5), TRUTH[0]) == 0.0


def test_the_table_of_probabilities_never_falls_and_leaves_out_thin_bands() -> None:
    seen = (
        [(9.0, n < 20) for n in range(60)] + [(15.0, n < 50) for n in range(60)] + [(20.0, n < 40) for n in range(60)]
    )
    table = detection_probability([*seen, (40.0, True)])
    assert table == [[8, 0.33], [14, 0.83], [18, 0.83]]
