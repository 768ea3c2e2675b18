import pytest

from edge.vision.detector import Box
from edge.vision.image_tracks import Seen
from edge.vision.whole_clip import in_hindsight

UNSURE, SURE = (("drone", 0.4), ("bird", 0.6)), (("drone", 0.9), ("bird", 0.1))


def seen(confidence: float, classes: tuple[tuple[str, float], ...], number: int = 1) -> Seen:
    return Seen(Box("bird", confidence, 10, 10, 20, 20), number, classes, True)


def test_each_box_of_a_tracklet_is_as_sure_as_all_of_them_together() -> None:
    told = in_hindsight([[seen(0.2, UNSURE)], [seen(0.6, SURE)]], 0.02)
    for boxes in told:
        assert [(box.class_name, box.confidence) for box in boxes] == [
            ("drone", pytest.approx(0.4 * 0.9)),
            ("bird", pytest.approx(0.4 * 0.1)),
        ]


def test_a_box_without_a_tracklet_is_as_sure_as_it_was() -> None:
    told = in_hindsight([[seen(0.5, UNSURE, 0)], [seen(0.1, SURE, 0)]], 0.02, every_class=False)
    assert [(box.class_name, box.confidence) for boxes in told for box in boxes] == [
        ("bird", pytest.approx(0.5 * 0.6)),
        ("drone", pytest.approx(0.1 * 0.9)),
    ]


def test_what_is_too_unsure_is_left_out() -> None:
    assert [len(boxes) for boxes in in_hindsight([[seen(0.2, UNSURE)], [seen(0.6, SURE)]], 0.1)] == [1, 1]
