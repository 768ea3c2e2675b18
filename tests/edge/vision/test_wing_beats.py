"""What an infrared tracklet's changing shape says of wings."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.vision import shapes, wing_beats
from edge.vision.detector import Box, ModelError, entry_of, load_detector
from edge.vision.image_tracks import Seen
from edge.vision.margins import Margins
from edge.vision.patches import PATCH_PX, Patch
from edge.vision.shapes import ENTRY, WingBeats, shape_of, unsteadiness
from edge.vision.wing_beats import AGAINST, FEWEST, FOR, MOST_A_PICTURE, SHARED, WINDOW, Beating, Kept, with_odds

CLASSES = (("drone", 0.4), ("bird", 0.3), ("airplane", 0.2), ("helicopter", 0.1))
STEP_S = 0.1
BIRD, STEADY = "bird", "steady"


def blob(half_length: float, half_width: float, turn_deg: float = 0.0, light: int = 200, sky: int = 60) -> Patch:
    """A warm ellipse in the middle of a patch."""
    patch = np.full((PATCH_PX, PATCH_PX), sky, np.uint8)
    middle = (PATCH_PX / 2 - 0.5, PATCH_PX / 2 - 0.5)
    cv2.ellipse(patch, (middle, (2 * half_length, 2 * half_width), turn_deg), light, -1)
    return np.asarray(cv2.GaussianBlur(patch, (0, 0), 1.0), np.uint8)


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, 90.0, 120.0])
def test_a_shape_tells_how_long_it_is_and_which_way_it_lies(turn_deg: float) -> None:
    length, axis, _, _ = shape_of(blob(9, 3, turn_deg))
    assert length > 0.4
    assert abs(np.angle(np.exp(2j * (axis - np.radians(turn_deg))))) < 0.15
    assert shape_of(blob(5, 5))[0] < 0.1


def test_a_shape_does_not_tell_how_bright_sky_or_object_are() -> None:
    one, darker = shape_of(blob(8, 3)), shape_of(blob(8, 3, light=120, sky=20))
    assert one[:3] == pytest.approx(darker[:3], abs=0.05)
    assert one[3] > darker[3]


def test_nothing_in_a_patch_is_no_error() -> None:
    assert np.isfinite(shape_of(np.full((PATCH_PX, PATCH_PX), 80, np.uint8))).all()


def test_what_keeps_its_shape_is_steady_and_wings_are_not() -> None:
    steady = unsteadiness([shape_of(blob(8, 3, 5.0))] * WINDOW)
    beating = unsteadiness([shape_of(blob(5 + 4 * np.sin(2 * n), 3, 40 * np.sin(n))) for n in range(WINDOW)])
    changes = [0, 1, 3, 4, 5]  # of length and its turning, of size
    assert steady[changes] == pytest.approx(0.0, abs=1e-9)
    assert (beating[changes] > 0.05).all()
    assert steady[2] > beating[2]  # which way it lies, together


@lru_cache
def shipped() -> WingBeats:
    beats = load_detector().wing_beats
    assert beats is not None
    return beats


def test_the_weights_that_ship_call_wings_a_bird_and_a_steady_shape_none() -> None:
    beating = [
        shape_of(blob(5 + 4 * np.sin(2 * n), 3, 40 * np.sin(n), light=150 + 20 * (n % 3))) for n in range(WINDOW)
    ]
    assert shipped().told(unsteadiness(beating)) > 1.0
    assert shipped().told(unsteadiness([shape_of(blob(8, 3, 5.0))] * WINDOW)) < -1.0


def test_what_is_written_is_read_again() -> None:
    again = WingBeats.read(shipped().written())
    assert again is not None
    assert again.written() == shipped().written()
    assert WingBeats.read(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.0] * 7},
        {"spread": [0.0] * 8},
        {"weights": [float("nan")] * 8},
        {"bias": "?"},
        {"bias": float("nan")},
        {"bias": 10**400},
        {"mean": None},
    ],
)
def test_a_damaged_entry_gets_one_clear_error(change: dict[str, object]) -> None:
    written = json.dumps(json.loads(shipped().written()) | change)
    with pytest.raises(ModelError, match=r"a\.onnx: wing_beats in the metadata is not ours .*; expected weights"):
        entry_of(Path("a.onnx"), {ENTRY: written}, ENTRY, WingBeats.read, "weights")


def test_odds_multiply_the_birds_share_and_no_other() -> None:
    told = dict(with_odds(CLASSES, 1, 1.0))
    assert sum(told.values()) == pytest.approx(1.0, abs=1e-3)
    assert told["bird"] / told["drone"] == pytest.approx(np.e * 0.3 / 0.4, rel=1e-3)
    assert told["airplane"] / told["drone"] == pytest.approx(0.5, rel=1e-2)
    assert with_odds(CLASSES, 1, 99.0) == with_odds(CLASSES, 1, FOR)
    assert with_odds(CLASSES, 1, -99.0) == with_odds(CLASSES, 1, AGAINST)  # a bird may glide


def made() -> WingBeats:
    """Weights that tell the mean of the first number alone."""
    return WingBeats(np.zeros(8), np.ones(8), np.r_[1.0, np.zeros(7)], 0.0)


def test_windows_count_alike_and_the_first_looks_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([(float(n % 2), 0.0, 0.0, 0.0) if n < WINDOW else (0.0,) * 4 for n in range(3 * WINDOW)])
    monkeypatch.setattr(wing_beats, "shape_of", lambda patch: next(looks))
    kept, told = Kept(), []
    for step in range(3 * WINDOW):
        kept.take(step * STEP_S, blob(5, 5), made())
        told.append(kept.told)
    assert told[: FEWEST - 1] == [None] * (FEWEST - 1)
    assert told[WINDOW - 1] == pytest.approx(0.5)
    assert told[WINDOW] is not None
    assert told[-1] is not None
    assert 0.15 < told[-1] < 0.35  # two of three windows saw little
    assert len(kept.shapes) < WINDOW


def told_at(paces_s: list[float]) -> float | None:
    """What is told of wings that are looked at so far apart."""
    kept, time_s = Kept(), 0.0
    for step, pace_s in enumerate(paces_s):
        kept.take(time_s, blob(5 + 4 * np.sin(2 * step), 3, 40 * np.sin(step)), shipped())
        time_s += pace_s
    return kept.told


def test_looks_too_rare_tell_nothing_for_steady_flight_changes_as_much_between_them() -> None:
    assert told_at([0.2] * 3 * WINDOW) is None
    assert told_at([0.1] * WINDOW) is not None
    missed_now_and_then = [0.2 if step % 4 == 0 else 0.1 for step in range(WINDOW)]
    assert told_at(missed_now_and_then) is not None
    slower_at_last = [0.1] * WINDOW + [0.5] * 3 * WINDOW
    assert told_at(slower_at_last) == pytest.approx(told_at([0.1] * (WINDOW + SHARED)), abs=1.0)


def test_of_a_camera_of_ten_pictures_a_second_each_look_counts_though_they_come_unevenly() -> None:
    camera, late_s = Beating(Eyes(shipped())), np.random.default_rng(3).uniform(0, 0.01, 30)  # type: ignore[arg-type]
    seen = Seen(Box("drone", 0.6, 147, 107, 26, 26), 3, CLASSES, True)
    looks = [camera.see(n * STEP_S + late_s[n], picture(n, BIRD), [seen])[0] for n in range(FEWEST)]
    assert looks[FEWEST - 2].classes == CLASSES
    assert looks[FEWEST - 1].classes != CLASSES


class Eyes:
    margins, spectrum = Margins(20.0, 9.5), None
    class_names = ("drone", "bird", "airplane", "helicopter")

    def __init__(self, beats: WingBeats | None) -> None:
        self.wing_beats = beats


def picture(step: int, kind: str, colour: bool = False) -> Patch:
    wide = np.full((256, 320, 3), 60, np.uint8)
    half_length = 6 + 4 * np.sin(2 * step) if kind == BIRD else 8.0
    cv2.ellipse(
        wide, ((160.0, 120.0), (2 * half_length, 6.0), 60 * np.sin(step) if kind == BIRD else 0.0), (200,) * 3, -1
    )
    if colour:
        wide[..., 0] += 30
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), 1.0), np.uint8)


def looked_at(kind: str, colour: bool = False, number: int = 3, vouched: bool = True, beats: bool = True) -> list[Seen]:
    camera = Beating(Eyes(shipped() if beats else None))  # type: ignore[arg-type]
    seen = Seen(Box("drone", 0.6, 147, 107, 26, 26), number, CLASSES, vouched)
    return [camera.see(n * STEP_S, picture(n, kind, colour), [seen])[0] for n in range(30)]


def test_a_tracklet_that_beats_its_wings_becomes_a_bird_and_a_steady_one_does_not() -> None:
    beating, steady = looked_at(BIRD), looked_at(STEADY)
    assert beating[FEWEST - 2].classes == CLASSES
    assert dict(beating[-1].classes)["bird"] > 0.6
    assert dict(steady[-1].classes)["bird"] < 0.3
    assert dict(steady[-1].classes)["drone"] > 0.4


def test_what_is_in_colour_or_of_none_or_not_steady_or_another_models_keeps_its_votes() -> None:
    for kept in (
        looked_at(BIRD, colour=True),
        looked_at(BIRD, number=0),
        looked_at(BIRD, vouched=False),
        looked_at(BIRD, beats=False),
    ):
        assert all(one.classes == CLASSES for one in kept)


def test_of_a_flock_a_few_are_looked_at_in_each_picture_and_all_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(wing_beats, "shape_of", lambda patch: asked.append(1) or (0.0, 0.0, 0.0, 0.0))
    camera = Beating(Eyes(shipped()))  # type: ignore[arg-type]
    flock = [Seen(Box("bird", 0.6, 147, 107, 26, 26), n, CLASSES, True) for n in range(1, 3 * MOST_A_PICTURE)]
    told: list[Seen] = []
    for step in range(3 * FEWEST + 3):
        before = len(asked)
        told = camera.see(step * STEP_S, picture(0, STEADY), flock)
        assert len(asked) - before <= MOST_A_PICTURE
    assert all(one.classes != CLASSES for one in told)


def test_the_same_looks_tell_the_same() -> None:
    assert looked_at(BIRD) == looked_at(BIRD)
    assert shapes.shape_of(blob(8, 3, 20.0)) == shapes.shape_of(blob(8, 3, 20.0))
