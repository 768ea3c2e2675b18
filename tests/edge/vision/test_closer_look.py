"""A closer look at what a tracklet shows."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edge.vision.closer_look import (
    EVERY_S,
    FEWEST_PATCHES,
    MOST_A_PICTURE,
    MOST_PATCHES,
    CloserLooks,
    Kept,
    by_both,
)
from edge.vision.detector import SHIPPED_MODEL, Box, ModelError, closer_look_of, load_detector
from edge.vision.image_tracks import Seen
from edge.vision.margins import Margins
from edge.vision.patches import ENTRY, PATCH_PX, VIEW_PX, Patch, middle_of, of_one_contrast, patch_of, without_sky

MARGIN_PX = 20.0
CLASSES = (("drone", 0.4), ("bird", 0.3), ("airplane", 0.2), ("helicopter", 0.1))


def sky(size_px: tuple[int, int] = (640, 512)) -> Patch:
    """A coloured sky, brighter below and to the right."""
    y, x = np.mgrid[0 : size_px[1], 0 : size_px[0]].astype(np.float32)
    grey = 100 + 0.06 * x + 0.08 * y
    return np.clip(np.stack([grey + 30, grey + 10, grey], axis=-1), 0, 255).astype(np.uint8)


def with_disc(x: float, y: float, radius: int) -> Patch:
    picture = sky()
    cv2.circle(picture, (round(x), round(y)), radius, (40, 40, 40), -1)
    return picture


def boxed(x: float, y: float, radius: float, confidence: float = 0.6) -> Box:
    side = 2 * radius + MARGIN_PX
    return Box("drone", confidence, x - side / 2, y - side / 2, side, side)


def view(picture: Patch, box: Box) -> np.ndarray:
    return of_one_contrast(without_sky(middle_of(patch_of(picture, box, MARGIN_PX))[None]))[0, 0]


@pytest.mark.parametrize("radius", [6, 20, 60])
def test_an_object_stands_in_the_middle_of_its_view_whatever_its_size(radius: int) -> None:
    dark = view(with_disc(300, 220, radius), boxed(300.5, 220.5, radius)) < -0.5
    rows, columns = np.nonzero(dark)
    assert abs(rows.mean() - (VIEW_PX - 1) / 2) < 1.0
    assert abs(columns.mean() - (VIEW_PX - 1) / 2) < 1.0
    assert 0.25 < np.sqrt(dark.mean()) < 0.75  # a few pixels either way matter for a small one


def test_neither_the_sky_s_light_nor_its_slope_is_left_in_a_view() -> None:
    picture = with_disc(300, 220, 12).astype(np.float32)
    darker = np.round(0.5 * picture).astype(np.uint8)
    one, other = (view(np.asarray(p, np.uint8), boxed(300, 220, 12)) for p in (picture, darker))
    assert np.abs(one - other).max() < 0.25
    assert np.abs(without_sky(middle_of(patch_of(sky(), boxed(300, 220, 12), MARGIN_PX))[None])).max() < 2.0  # rounding


def test_a_box_at_the_rim_has_a_whole_patch() -> None:
    for x, y in ((0, 0), (640, 512), (639, 3)):
        assert patch_of(sky(), boxed(x, y, 15), MARGIN_PX).shape == (PATCH_PX, PATCH_PX)


def test_beyond_the_picture_its_last_pixels_go_on_and_are_never_made_grey_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box as large as the picture reaches three times as far."""
    chance = np.random.default_rng(5)
    sizes: list[int] = []
    to_grey = cv2.cvtColor
    for _ in range(50):
        picture = chance.integers(0, 255, (*chance.integers(1, 90, 2), 3), np.uint8)
        x, y, side = chance.uniform(-50, 120), chance.uniform(-50, 120), chance.uniform(1, 90)
        rows, columns = (np.clip(np.arange(-600, size + 600), 0, size - 1) for size in picture.shape[:2])
        wanted = patch_of(picture[rows][:, columns], boxed(x + 600, y + 600, side), MARGIN_PX)
        monkeypatch.setattr(cv2, "cvtColor", lambda seen, code: sizes.append(seen.size) or to_grey(seen, code))
        found = patch_of(picture, boxed(x, y, side), MARGIN_PX)
        monkeypatch.undo()
        assert np.abs(found.astype(int) - wanted).max() <= 1  # places are rounded otherwise so far out
        assert sizes.pop() <= picture.size


def test_the_patches_kept_show_the_whole_life_of_a_tracklet() -> None:
    kept, times = Kept(), []
    for step in range(600):
        time_s = step / 30
        if time_s - kept.last_kept_s >= kept.every_s:
            kept.take(time_s, np.full((1, 1), len(times), np.uint8))
            times.append(time_s)
    assert len(kept.patches) <= MOST_PATCHES
    assert len(times) < 40
    shown_s = [times[patch.item()] for patch in kept.patches]
    assert shown_s[0] == 0.0
    assert shown_s[-1] > 20.0 - 2 * kept.every_s
    gaps_s = np.diff(shown_s)
    assert gaps_s.max() < 1.5 * gaps_s.min()


def test_votes_and_closer_look_count_the_same() -> None:
    told = np.log([0.1, 0.2, 0.3, 0.4])
    both = by_both(CLASSES, told)
    wanted = np.sqrt([share for _, share in CLASSES] * np.exp(told))
    assert [name for name, _ in both] == [name for name, _ in CLASSES]
    assert [share for _, share in both] == pytest.approx(wanted / wanted.sum(), abs=1e-3)


class Sure:
    """A network that is sure of a bird."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def log_probabilities(self, patches: list[Patch]) -> np.ndarray:
        self.asked.append(len(patches))
        return np.log([0.01, 0.97, 0.01, 0.01])


class WithSure:
    margins, spectrum = Margins(20.0, 9.5), None

    def __init__(self) -> None:
        self.closer_look = Sure()


def looks(picture: Patch, number: int, vouched: bool = True) -> list[Seen]:
    camera = CloserLooks(WithSure())  # type: ignore[arg-type]
    seen = [Seen(boxed(300, 220, 12), number, CLASSES, vouched)]
    return [camera.see(step * EVERY_S * 1.01, picture, seen)[0] for step in range(6)]


def test_a_steady_tracklet_is_what_both_say_from_the_third_patch_on() -> None:
    told = [max(one.classes, key=lambda vote: vote[1])[0] for one in looks(sky(), 3)]
    assert told == ["drone"] * (FEWEST_PATCHES - 1) + ["bird"] * (7 - FEWEST_PATCHES)


def test_what_is_linked_to_none_or_not_steady_or_grey_keeps_its_votes() -> None:
    grey = np.full((512, 640, 3), 90, np.uint8)
    for picture, number, vouched in ((sky(), 0, True), (sky(), 3, False), (grey, 3, True)):
        assert all(one.classes == CLASSES for one in looks(picture, number, vouched))


def test_the_network_that_ships_tells_probabilities_and_the_same_again() -> None:
    network = load_detector().closer_look
    assert network is not None
    patches = [patch_of(with_disc(300 + n, 220, 12), boxed(300 + n, 220, 12), MARGIN_PX) for n in range(5)]
    told = network.log_probabilities(patches)
    assert np.exp(told).sum() == pytest.approx(1.0, abs=1e-4)
    assert (told == network.log_probabilities(patches)).all()


@pytest.mark.parametrize("written", ["?", base64.b64encode(b"no network").decode()])
def test_a_damaged_entry_gets_one_clear_error(written: str) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: closer_look in the metadata is no network"):
        closer_look_of(Path("a.onnx"), {ENTRY: written}, 4)


def test_a_network_of_other_classes_is_refused_at_the_start() -> None:
    session = onnxruntime.InferenceSession(str(SHIPPED_MODEL), providers=["CPUExecutionProvider"])
    entry = session.get_modelmeta().custom_metadata_map[ENTRY]
    assert closer_look_of(Path("a.onnx"), {ENTRY: entry}, 4) is not None
    with pytest.raises(
        ModelError, match=r"a\.onnx: closer_look in the metadata tells 4 classes; expected the model's 3"
    ):
        closer_look_of(Path("a.onnx"), {ENTRY: entry}, 3)


def test_of_many_tracklets_a_few_are_looked_at_in_each_picture_and_all_in_turn() -> None:
    detector = WithSure()
    camera = CloserLooks(detector)  # type: ignore[arg-type]
    seen = [Seen(boxed(300, 220, 12), number, CLASSES, True) for number in range(1, 11)]
    named, asked = [], 0
    for step in range(30):
        named = [max(one.classes, key=lambda vote: vote[1])[0] for one in camera.see(step * EVERY_S, sky(), seen)]
        assert len(detector.closer_look.asked) - asked <= MOST_A_PICTURE
        asked = len(detector.closer_look.asked)
    assert named == ["bird"] * 10
