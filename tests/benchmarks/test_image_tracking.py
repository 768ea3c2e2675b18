"""What the benchmark of image tracks counts with: numbers of labelled objects, TrackEval's form, our own answers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.image_tracking import Frame, Numbered, Ours, as_sequence, overlaps
from edge.vision.detector import Box


def rows(*middles: tuple[float, float], side: float = 20.0) -> np.ndarray:
    return np.array([(x - side / 2, y - side / 2, side, side) for x, y in middles]).reshape(-1, 4)


def test_labelled_objects_keep_their_numbers_when_their_rows_change_places() -> None:
    numbered = Numbered()
    assert numbered.next(rows((50, 50), (200, 50)))[1] == [0, 1]
    assert numbered.next(rows((205, 52), (54, 50)))[1] == [1, 0]
    assert numbered.next(rows((120, 120), (58, 50)))[1] == [2, 0]  # one gone, one new
    assert numbered.next(rows((58, 50), side=70.0))[1] == [3]  # a cut to another scene: nothing grows so fast


def test_a_sequence_counts_from_zero_without_gaps_and_tells_overlaps() -> None:
    truths = [(rows((50, 50)), [7]), (rows((54, 50)), [7])]
    told = [(rows((50, 50), (90, 90)), [3, 12]), (rows((64, 50)), [12])]
    data = as_sequence(truths, told)
    assert (data["num_gt_ids"], data["num_tracker_ids"], data["num_gt_dets"], data["num_tracker_dets"]) == (1, 2, 2, 3)
    assert [ids.tolist() for ids in data["tracker_ids"]] == [[0, 1], [1]]
    assert data["similarity_scores"][0] == pytest.approx(np.array([[1.0, 0.0]]))
    assert data["similarity_scores"][1] == pytest.approx(np.array([[1 / 3]]))
    assert overlaps(rows(), rows((1, 1))).shape == (0, 1)


def test_ours_answers_with_the_boxes_that_belong_to_a_tracklet() -> None:
    ours, nothing = Ours(), (rows(), [])
    picture = np.zeros((128, 160, 3), np.uint8)
    sure, faint = Box("drone", 0.6, 40, 40, 20, 20), Box("bird", 0.1, 120, 80, 9, 9)
    for _ in range(3):
        boxes, numbers = ours.follow(Frame(nothing, [sure, faint], picture))
        assert (boxes.tolist(), numbers) == ([[40, 40, 20, 20]], [1])
