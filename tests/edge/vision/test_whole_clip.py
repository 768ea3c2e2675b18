import pytest

from edge.vision.detector import Box, Region
from edge.vision.image_tracks import Seen
from edge.vision.operating_points import OperatingPoints
from edge.vision.spectrum import Spectrum
from edge.vision.whole_clip import Look, in_hindsight

UNSURE, SURE = (("drone", 0.4), ("bird", 0.6)), (("drone", 0.9), ("bird", 0.1))


def seen(confidence: float, classes: tuple[tuple[str, float], ...], number: int = 1) -> Seen:
    return Seen(Box("bird", confidence, 10, 10, 20, 20), number, classes, True)


def look(*seen: Seen, spectrum: Spectrum = "visible") -> Look:
    return Look([Region(0, 0, 320, 256)], spectrum, list(seen))


NONE = OperatingPoints()


def test_each_box_of_a_tracklet_is_as_sure_as_all_of_them_together() -> None:
    told = in_hindsight([look(seen(0.2, UNSURE)), look(seen(0.6, SURE))], 0.02, NONE)
    for boxes in told:
        assert [(box.class_name, box.confidence) for box in boxes] == [
            ("drone", pytest.approx(0.4 * 0.9)),
            ("bird", pytest.approx(0.4 * 0.1)),
        ]


def test_a_box_without_a_tracklet_is_as_sure_as_it_was() -> None:
    told = in_hindsight([look(seen(0.5, UNSURE, 0)), look(seen(0.1, SURE, 0))], 0.02, NONE, every_class=False)
    assert [(box.class_name, box.confidence) for boxes in told for box in boxes] == [
        ("bird", pytest.approx(0.5 * 0.6)),
        ("drone", pytest.approx(0.1 * 0.9)),
    ]


def test_the_one_class_that_is_told_is_the_surest_of_those_that_every_class_tells() -> None:
    points, looks = OperatingPoints({"drone": 0.5, "bird": 0.1}), [look(seen(0.5, (("drone", 0.6), ("bird", 0.4))))]
    (every,), (best,) = (in_hindsight(looks, 0.02, points, every_class=wanted) for wanted in (True, False))
    assert [box.class_name for box in every] == ["bird", "drone"]
    assert best == every[:1]


def test_what_is_too_unsure_is_left_out() -> None:
    told = in_hindsight([look(seen(0.2, UNSURE)), look(seen(0.6, SURE))], 0.1, NONE)
    assert [len(boxes) for boxes in told] == [1, 1]


def test_each_class_is_moved_so_that_its_point_is_a_quarter_in_the_spectrum_of_its_frame() -> None:
    points = OperatingPoints({"drone": 0.36}, {"bird": 0.04})
    visible, infrared = in_hindsight(
        [look(seen(0.2, UNSURE)), look(seen(0.6, SURE), spectrum="infrared")], 0.02, points
    )
    assert {box.class_name: box.confidence for box in visible} == {
        "drone": pytest.approx(0.25),
        "bird": pytest.approx(0.04),
    }
    assert {box.class_name: box.confidence for box in infrared} == {
        "drone": pytest.approx(0.36),
        "bird": pytest.approx(0.25),
    }
