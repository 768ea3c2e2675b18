from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.looking import COUNTED_FROM, SCENE_PX, Course, figures, follow, missed, scenes
from edge.training.clips import Clip
from edge.vision.detector import Box


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    video, labels = tmp_path / "IR_DRONE_900.avi", tmp_path / "IR_DRONE_900.csv"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 30, (320, 256))
    for number in range(4):
        frame = np.full((256, 320, 3), 60, np.uint8)
        cv2.rectangle(frame, (100 + number, 80), (112 + number, 90), (250, 250, 250), -1)
        writer.write(frame)
    writer.release()
    labels.write_text("frame,class,x,y,w,h\n" + "".join(f"{n},drone,{98 + n},78,17,15\n" for n in range(4)))
    return Clip("IR_DRONE_900", "val", "ir", "drone", "2020-01-01T00:00:00", 4, video, labels)


def test_a_scene_shows_the_object_once_at_its_own_size_and_where_its_box_is(clip: Clip) -> None:
    ((first, boxes), (second, _)) = scenes(clip, 2)
    assert first.shape == second.shape == (SCENE_PX[1], SCENE_PX[0], 3)
    _, x, y, w, h = boxes[0]
    assert (w, h) == (17, 15)
    assert (x, y) == (98 + 800, 78 + 412)
    warm = first[..., 0] > 150
    assert 100 < warm.sum() < 200  # 13 x 11
    assert warm[int(y) : int(y + h), int(x) : int(x + w)].sum() == warm.sum()
    assert np.ptp(first.astype(int), axis=2).max() < 10  # grey, so that the infrared half looks
    assert (first[:300] != second[:300]).mean() > 0.3  # a camera's noise, also around the clip


def test_the_first_looks_cost_but_do_not_count() -> None:
    boxes = np.array([[0, 10, 10, 20, 20]], np.float32)
    shown = [(np.zeros((64, 64, 3), np.uint8), boxes)] * (COUNTED_FROM + 2)
    sure, unsure = Box("bird", 0.5, 11, 11, 18, 18), Box("drone", 0.1, 40, 40, 5, 5)
    course = Course()
    told = [[]] * (COUNTED_FROM + 1) + [[sure, unsure]]
    follow(course, lambda pictures: iter([(boxes, 3) for boxes in told]), None, shown)
    assert course.found == [False, True]
    assert figures(course)["recall"] == 0.5
    assert figures(course)["regions"] == 3.0
    assert figures(course)["outside_the_network"] is None


def test_each_bound_is_told_where_it_is_missed() -> None:
    ours = {"recall": 0.7, "cpu_ms_median": 50.0, "outside_the_network": 0.2}
    every = {"recall": 0.72, "cpu_ms_median": 250.0, "outside_the_network": 0.05}
    table = {"as a post": ours, "every tile": every, "ultralytics predict": {"recall": 0.71, "cpu_ms_median": 400.0}}
    assert missed(table) == []
    assert len(missed(table | {"ultralytics predict": {"recall": 0.74, "cpu_ms_median": 190.0}})) == 2
    assert len(missed(table | {"as a post": ours | {"recall": 0.68, "outside_the_network": 0.3}})) == 2
    assert len(missed(table | {"as a post": ours | {"cpu_ms_median": 110.0}})) == 2
    assert missed({"as a post": ours, "every tile": every}) == []
