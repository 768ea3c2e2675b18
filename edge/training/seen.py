"""What a model saw at training, so that a camera whose pictures are other ones can say so (`edge/vision/drift.py`).

    python -m edge.training.seen --model MODEL.onnx [--data DIR]    writes the entry into the file

Of each training clip, and of each rendered world, the middle of its pictures' brightness and contrast and of its boxes'
scores and sides; one histogram of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edge.training import demo_scenes
from edge.training.clips import Clip, Picture, data_folder, read_clips, read_frames
from edge.vision.detector import Detector, load_detector
from edge.vision.image_tracks import SURE
from edge.vision.regions import half_grey
from edge.vision.usual import EDGES, ENTRY, histograms_of

EVERY = 50  # frames: six looks a clip; neighbours show the same
WORLDS = 40  # a tenth of the clips, as of the pictures it was trained on
FEWEST_BOXES = 3


def seen_at_training(detector: Detector, clips: Iterable[Clip], worlds: int = WORLDS) -> str:
    """The entry for a model's file; the detector should report from `SURE` on."""
    middles: dict[str, list[float]] = {name: [] for name in EDGES}
    for pictures in streams(clips, worlds):
        looks = [look(detector, picture) for picture in pictures]
        boxes = [box for _, of_picture in looks for box in of_picture]
        if looks:
            middles["brightness"].append(float(np.median([light[0] for light, _ in looks])))
            middles["contrast"].append(float(np.median([light[1] for light, _ in looks])))
        if len(boxes) >= FEWEST_BOXES:
            middles["score"].append(float(np.median([score for score, _ in boxes])))
            middles["side_px"].append(float(np.median([side for _, side in boxes])))
    return histograms_of(middles)


def streams(clips: Iterable[Clip], worlds: int) -> Iterator[list[Picture]]:
    """Pictures of each clip and of each world."""
    for clip in clips:
        yield [picture for _, picture in read_frames(clip.video, EVERY)]
    for seed in range(worlds):
        yield demo_scenes.pictures_of(seed)[1]


def look(detector: Detector, picture: Picture) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """Brightness and contrast, and score and side in pixels of each sure box."""
    grey = half_grey(picture)[::2, ::2]
    boxes = [box for box in detector.look(picture) if box.confidence >= SURE]
    return (float(grey.mean()), float(grey.std())), [
        (box.confidence, float(np.sqrt(box.width_px * box.height_px))) for box in boxes
    ]


def main() -> None:
    from edge.training.metadata import describe

    parser = argparse.ArgumentParser(prog="python -m edge.training.seen", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    arguments = parser.parse_args()
    told = seen_at_training(load_detector(arguments.model, SURE), read_clips(arguments.data, "train"))
    describe(arguments.model, **{ENTRY: told})
    print(told)


if __name__ == "__main__":
    main()
