from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.training.clips import Clip
from edge.training.contact_sheet import ENLARGED, NOTHING, as_page, as_picture, cut, gather, mistakes_of
from edge.vision.detector import Box, Picture, Region
from edge.vision.margins import Margins
from edge.vision.score_shift import ScoreShift

BOX_PX = 12.0


def box(x: float, y: float, confidence: float = 0.5, name: str = "drone") -> Box:
    return Box(name, confidence, x, y, BOX_PX, BOX_PX)


def label(number: int, x: float, y: float) -> np.ndarray:
    return np.array([[number, x, y, BOX_PX, BOX_PX]], np.float32)


def told(truth: np.ndarray, boxes: list[Box]) -> list[tuple[str, str]]:
    return sorted((there, name) for there, name, _, _ in mistakes_of(truth, boxes))


def test_what_is_right_is_no_mistake_and_what_is_wrong_is_told_as_what_it_is() -> None:
    assert told(label(0, 50, 50), [box(51, 50)]) == []
    assert told(label(1, 50, 50), [box(51, 50)]) == [("bird", "drone")]
    assert told(label(1, 50, 50), []) == [("bird", NOTHING)]
    assert told(label(1, 50, 50), [box(150, 50)]) == [("bird", NOTHING), (NOTHING, "drone")]
    assert told(label(0, 50, 50), [box(50, 50, 0.9), box(52, 50, 0.4)]) == [(NOTHING, "drone")]


def test_a_case_shows_the_pixels_around_the_object_enlarged() -> None:
    picture = np.zeros((256, 320, 3), np.uint8)
    picture[50:62, 100:112] = (10, 200, 30)
    shown = cut(picture, label(0, 100, 50)[0], None)
    middle = shown.shape[0] // 2
    assert tuple(shown[middle, middle]) == (10, 200, 30)
    assert (
        abs(int((shown == (10, 200, 30)).all(axis=2).sum()) - (12 * ENLARGED) ** 2) < 5 * 12 * ENLARGED
    )  # less the frame
    assert cut(picture, label(0, 0, 0)[0], box(1, 1)).shape == shown.shape  # at the rim, too


class OneBox:
    """Sees one drone, wherever it is asked."""

    confidence, model_sha256, provider, temperature = 0.25, "0" * 64, "made up", 1.0
    usual, margins, closer_look = None, Margins(), None
    wing_beats, score_shift, spectrum = None, ScoreShift(), None
    class_names = ("drone", "bird", "airplane", "helicopter")

    def look(
        self, image_bgr: Picture, regions: Sequence[Region] | None = None, *, every_class: bool = False
    ) -> list[Box]:
        return [box(40, 40, 0.3 + 0.01 * float(image_bgr[0, 0, 0] > 100))]


def test_a_sheet_counts_all_and_shows_each_clips_worst(tmp_path: Path) -> None:
    clips = []
    for name in ("IR_BIRD_900", "IR_BIRD_901"):
        writer = cv2.VideoWriter(str(tmp_path / f"{name}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (160, 128))
        for number in range(4):
            writer.write(np.full((128, 160, 3), 60 * number, np.uint8))
        writer.release()
        labels = tmp_path / f"{name}.csv"
        labels.write_text("frame,class,x,y,w,h\n" + "".join(f"{n},bird,40,40,12,12\n" for n in range(4)))
        clips.append(Clip(name, "val", "ir", "bird", "2020-01-01T00:00:00", 4, tmp_path / f"{name}.avi", labels))
    sheet = gather(OneBox(), clips, 1)
    assert [sheet.title(kind) for kind in sheet.kinds()] == ["ir: bird called drone, 8 of 8, 2 clips"]
    worst = sheet.mistakes["ir", "bird", "drone"].worst
    assert {case.clip: case.badness for case in worst.values()} == {"IR_BIRD_900": 0.31, "IR_BIRD_901": 0.31}
    page = as_page(sheet, "a <model>")
    assert page.count("<figure>") == 2
    assert "a &lt;model&gt;" in page
    assert as_picture(sheet).shape[1] > 1000
