"""From which confidence each class should be believed: where, on clips held apart, it is found often and seldom told falsely.

    python -m edge.training.operating --model MODEL.onnx [--data …/svanstrom]       writes the entry into the file

Of each spectrum's boxes of one class, as `sarhad detect` writes them, surest first: the harmonic mean of precision and recall
(F1; found is what lies within 8 px), were all above a threshold believed. Few clips make it a plateau with steps, so the point
is the middle (of the logarithms) of all thresholds within 5 % of the best. A class that the clips do not show has none.
Source: van Rijsbergen (1979), "Information retrieval", chapter 7, on the measure.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Clip, data_folder, read_labels
from edge.training.evaluate import SCORED, clips_of, look_at_clip, near
from edge.vision.detector import Box, Detector, load_detector
from edge.vision.operating_points import ENTRY, OperatingPoints
from edge.vision.spectrum import SPECTRA
from edge.vision.whole_clip import in_hindsight

ENOUGH = 0.95  # of the best F1
SPECTRUM_OF = {"ir": "infrared", "visible": "visible"}  # what the clips' table calls them


def points_of(detector: Detector, clips: list[Clip], every: int) -> dict[str, dict[str, float]]:
    """Of each spectrum's classes that the clips show."""
    outcomes: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    shown: dict[tuple[str, str], int] = defaultdict(int)
    for clip in clips:
        labels, spectrum = read_labels(clip.labels), SPECTRUM_OF[clip.modality]
        frames, looks = look_at_clip(detector, clip, every)
        for frame, boxes in zip(frames, in_hindsight(looks, SCORED, OperatingPoints()), strict=True):
            for number, name in enumerate(CLASSES):
                truth = labels.get(frame, np.zeros((0, 5), np.float32))
                truth = truth[truth[:, 0] == number]
                shown[spectrum, name] += len(truth)
                outcomes[spectrum, name] += found(truth, [box for box in boxes if box.class_name == name])
    return {
        spectrum: {
            name: point(outcomes[spectrum, name], shown[spectrum, name]) for name in CLASSES if shown[spectrum, name]
        }
        for spectrum in SPECTRA
    }


def found(truth: Boxes, boxes: list[Box]) -> list[tuple[float, bool]]:
    """Each box's confidence, and whether it lies at an object that no surer one has found."""
    told, before = [], 0
    ranked = sorted(boxes, key=lambda box: -box.confidence)
    for count, box in enumerate(ranked, start=1):
        now = int(np.sum(near(truth, ranked[:count])))
        told.append((box.confidence, now > before))
        before = now
    return told


def point(outcomes: list[tuple[float, bool]], shown: int) -> float:
    """outcomes: of all boxes of a class; shown: how many objects of it there are."""
    ranked = sorted(outcomes, key=lambda outcome: -outcome[0])
    confidences: npt.NDArray[np.float64] = np.array([confidence for confidence, _ in ranked])
    f1 = 2 * np.cumsum([hit for _, hit in ranked]) / (np.arange(1, len(ranked) + 1) + shown)
    last = np.flatnonzero(np.r_[confidences[1:] < confidences[:-1], True])  # of those that are as sure as each other
    f1, below = f1[last], np.r_[confidences[last][1:], SCORED]
    enough = f1 >= ENOUGH * f1.max()
    return round(float(np.sqrt(confidences[last][enough].max() * below[enough].min())), 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.operating", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--every", type=int, default=1, help="look at one frame in so many")
    arguments = parser.parse_args()
    from edge.training.metadata import describe

    points = points_of(load_detector(arguments.model, SCORED), clips_of(arguments.data, "apart"), arguments.every)
    describe(arguments.model, **{ENTRY: json.dumps(points)})
    print(json.dumps(points, indent=2))


if __name__ == "__main__":
    main()
