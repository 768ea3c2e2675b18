import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from camera_stream import flight

from edge.training.clips import data_folder, read_clips, read_frames
from edge.vision.detector import Box, ModelError, load_detector, usual_of
from edge.vision.drift import LOOKS, OBJECTS, PICTURES, Drift
from edge.vision.following import Following
from edge.vision.image_tracks import Seen
from edge.vision.regions import half_grey
from edge.vision.usual import EDGES, ENTRY, Usual, histograms_of

CHANCE = np.random.default_rng(5)
USUAL = Usual.read(
    histograms_of(
        {
            "score": CHANCE.uniform(0.35, 0.8, 400).tolist(),
            "side_px": np.exp(CHANCE.uniform(np.log(11), np.log(60), 400)).tolist(),
            "brightness": CHANCE.uniform(60, 150, 400).tolist(),
            "contrast": CHANCE.uniform(10, 60, 400).tolist(),
        }
    )
)


ODD = json.dumps({name: [1] * (len(edges) - 1) for name, edges in EDGES.items()}).replace("[1,", "[%s,", 1)


def seen(number: int, score: float = 0.6, side_px: float = 20.0) -> Seen:
    return Seen(Box("drone", score, 50.0, 50.0, side_px, side_px), number, (("drone", 1.0),), True)


def after(objects: Sequence[Seen] = (), grey: np.ndarray | None = None, seconds: float = 75.0) -> Drift:
    """What a camera that shows this picture and finds these objects remembers."""
    drift = Drift(USUAL)
    for one in objects:
        drift.find(0.0, [one])
    for step in range(int(seconds * 15) if grey is not None else 0):
        drift.see(step / 15, grey)
    return drift


def picture(mean: float, sigma: float) -> np.ndarray:
    return np.clip(np.random.default_rng(1).normal(mean, sigma, (64, 80)), 0, 255).astype(np.uint8)


def test_what_is_like_training_has_not_drifted() -> None:
    objects = [seen(n // 5, 0.4 + 0.01 * (n % 30), 12.0 + n % 40) for n in range(200)]
    assert after(objects, picture(100, 30)).word == ""


def test_each_quantity_that_leaves_what_was_seen_is_told() -> None:
    assert after([seen(n // 5, score=0.27) for n in range(100)]).word == "drifted scores"
    assert after([seen(n // 5, side_px=300.0) for n in range(100)]).word == "drifted sizes"
    assert after([seen(n // 5, side_px=5.0) for n in range(100)]).word == "drifted sizes"
    assert after(grey=picture(8, 3)).word == "drifted pictures"
    assert after(grey=picture(235, 20)).word == "drifted pictures"
    assert after(grey=picture(100, 1.5)).word == "drifted pictures"


def test_few_objects_and_short_times_say_nothing() -> None:
    assert after([seen(7, score=0.27) for _ in range(5000)]).word == ""  # one that hovers
    assert after([seen(n, side_px=300.0) for n in range(11)]).word == ""
    assert after(grey=picture(8, 3), seconds=30.0).word == ""


def test_a_drift_is_over_when_newer_objects_and_pictures_are_as_usual() -> None:
    drift = after([seen(n // 5, side_px=300.0) for n in range(100)], picture(8, 3))
    assert drift.word
    for n in range(1000, 1100):
        drift.find(0.0, [seen(n // 3)])
    for step in range(15 * 75):
        drift.see(75 + step / 15, picture(100, 30))
    assert drift.word == ""


@pytest.mark.parametrize("begun", [5, 70])
def test_a_black_or_covered_picture_is_another_fault_and_no_drift_after_it(begun: int) -> None:
    """Nothing is told before a cloth has been there for half a minute; then what was seen of it is left out as well."""
    following = Following(load_detector())
    following.drift = Drift(USUAL)
    for step in range(300):
        following.see(picture(8, 3) if begun <= step < 200 else picture(100, 30))
        following.tell(
            step * 500_000_000, np.zeros((40, 50, 3), np.uint8), [], 0.25, "covered" if begun + 64 <= step < 200 else ""
        )
        assert following.drift.word == ""


def test_objects_of_yesterday_say_nothing_of_now() -> None:
    drift = after([seen(n // 5, side_px=300.0) for n in range(100)])
    assert drift.word == "drifted sizes"
    drift.find(5 * 3600.0, [])
    assert drift.word == ""


def test_memory_is_bounded() -> None:
    drift = after([seen(n // 20) for n in range(5000)], picture(100, 30), seconds=300.0)
    assert len(drift._objects) == len(drift._begun_s) == OBJECTS
    assert max(len(looks) for looks in drift._objects.values()) == LOOKS
    assert len(drift._pictures) == PICTURES


def test_a_model_that_does_not_tell_never_drifts() -> None:
    drift = Drift(Usual.read(None))
    for n in range(100):
        drift.find(0.0, [seen(n, score=0.26, side_px=400.0)])
    assert drift.word == ""


@pytest.mark.parametrize(
    "written",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({name: [1] for name in EDGES}),
        json.dumps(dict.fromkeys(EDGES, 0)),
        ODD % "NaN",
        ODD % "Infinity",
    ],
)
def test_a_damaged_entry_gets_one_clear_error(written: str) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx: seen_at_training in the metadata is not ours"):
        usual_of(Path("a.onnx"), {ENTRY: written})


def test_the_model_that_ships_tells_and_the_demos_camera_is_as_usual() -> None:
    detector = load_detector()
    assert detector.usual is not None
    drift = Following(detector).drift
    for n, shown in enumerate(flight((640, 384), 12) * 12):
        drift.see(n / 2, half_grey(shown))
    assert drift.word == ""
    for n in range(96):
        drift.see(100 + n / 2, picture(4, 2))
    assert drift.word == "drifted pictures"


@pytest.mark.skipif(not (data_folder() / "clips.csv").exists(), reason="needs the Svanström clips (SARHAD_VISION_DATA)")
@pytest.mark.parametrize("modality", ["ir", "visible"])
def test_days_that_were_not_trained_on_raise_no_alarm(modality: str) -> None:
    """Every other clip of the val days, one after the other, as one camera would show them."""
    detector = load_detector(confidence=0.25)
    following, time_s = Following(detector), 0.0
    for clip in [clip for clip in read_clips(data_folder(), "val") if clip.modality == modality][::2]:
        for _, shown in read_frames(clip.video, every=60):
            time_s += 2.0
            grey = half_grey(shown)
            following.see(grey)
            following.tell(round(time_s * 1e9), shown, detector.look(shown), 0.25)
            assert following.drift.word == "", clip.name
