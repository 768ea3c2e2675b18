"""What tells a bird by how its shape changes from look to look, fitted on infrared clips.

    labelled boxes, ten a second ─▶ one object's in a row ─▶ shapes ─▶ 24 at a time, how they scatter and change
                                                                       ─▶ logistic regression: a bird, or anything else

    python -m edge.training.wings [--into MODEL.onnx]

Birds and the rest weigh the same, the rest's classes alike; within a class days count by the square root of their clips,
within a day clips alike. Told first is what each recording day would be told by a fit on all others, for only that says what
another day will bring: the area under the curve, and how many of the drones' windows would speak for a bird. Then the fit that
ships, without the clips held apart, which `--into` writes into a model file's metadata. No chance in it: one answer.
Source: Bishop (2006), "Pattern recognition and machine learning", section 4.3.2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import rankdata

from edge.training.clips import CLASSES, Clip, data_folder, read_clips, read_frames, read_labels
from edge.training.drawn_boxes import MARGIN_PX
from edge.vision.detector import Box
from edge.vision.patches import patch_of
from edge.vision.shapes import ENTRY, Shape, WingBeats, shape_of, unsteadiness
from edge.vision.wing_beats import FEWEST, SHARED, WINDOW

EVERY = 3  # frames
LOST = 6  # frames unlabelled, after which an object is another
FARTHEST_SIDES = 3.0  # from one look to the next no object flies farther
PENALTY = 0.005  # of the weights' squares
BIRD = CLASSES.index("bird")
Values = npt.NDArray[np.float64]


@dataclass(slots=True)
class Row:
    """One labelled object's looks."""

    kind: int
    centre: Values
    frame: int
    shapes: list[Shape] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Windows:
    """Of many objects: numbers (n, 8), class, and the clip and day they are from; apart: never trained on."""

    numbers: Values
    kinds: npt.NDArray[np.intp]
    clips: npt.NDArray[np.str_]
    days: npt.NDArray[np.str_]
    apart: npt.NDArray[np.bool_]


def rows_of(clip: Clip) -> list[Row]:
    """The labels name no objects: a box goes on with the nearest of its class."""
    rows: list[Row] = []
    labels = read_labels(clip.labels)
    for frame, picture in read_frames(clip.video, EVERY):
        taken: list[Row] = []
        for kind, x, y, w, h in labels.get(frame, np.zeros((0, 5))).tolist():
            centre, reach = np.array([x + w / 2, y + h / 2]), FARTHEST_SIDES * float(np.sqrt(w * h))
            near = [
                row
                for row in rows
                if row.kind == kind
                and frame - row.frame <= LOST
                and not any(row is one for one in taken)
                and np.hypot(*(row.centre - centre)) < reach
            ]
            row = min(near, key=lambda row: float(np.hypot(*(row.centre - centre))), default=None)
            if row is None:
                row = Row(int(kind), centre, frame)
                rows.append(row)
            row.centre, row.frame = centre, frame
            row.shapes.append(shape_of(patch_of(picture, Box(CLASSES[int(kind)], 1.0, x, y, w, h), MARGIN_PX["ir"])))
            taken.append(row)
    return rows


def windows_of(shapes: Sequence[Shape]) -> list[Values]:
    """As a tracklet's are told, `wing_beats.py`."""
    begins = range(0, len(shapes), WINDOW - SHARED)
    return [unsteadiness(shapes[at : at + WINDOW]) for at in begins if len(shapes[at : at + WINDOW]) >= FEWEST]


def gather(clips: Sequence[Clip]) -> Windows:
    found = [
        (numbers, row.kind, clip.name, clip.day, clip.is_apart)
        for clip in clips
        for row in rows_of(clip)
        for numbers in windows_of(row.shapes)
    ]
    numbers, kinds, names, days, apart = zip(*found, strict=True)
    return Windows(np.array(numbers), np.array(kinds), np.array(names), np.array(days), np.array(apart))


def weights_of(windows: Windows) -> Values:
    """Of each window, adding up to 1."""
    weights = np.zeros(len(windows.kinds))
    for kind in np.unique(windows.kinds):
        of_kind = windows.kinds == kind
        for day in np.unique(windows.days[of_kind]):
            clips = np.unique(windows.clips[of_kind & (windows.days == day)])
            for clip in clips:
                chosen = of_kind & (windows.clips == clip)
                weights[chosen] = 1 / np.sqrt(len(clips)) / chosen.sum()
        weights[of_kind] /= weights[of_kind].sum()
    for half in (windows.kinds == BIRD, windows.kinds != BIRD):
        weights[half] /= 2 * weights[half].sum()
    return weights


def fit(windows: Windows, chosen: npt.NDArray[np.bool_]) -> WingBeats:
    """Logistic regression on these windows."""
    some = Windows(
        windows.numbers[chosen],
        windows.kinds[chosen],
        windows.clips[chosen],
        windows.days[chosen],
        windows.apart[chosen],
    )
    weights, bird = weights_of(some), some.kinds == BIRD
    mean = weights @ some.numbers
    spread = np.sqrt(weights @ (some.numbers - mean) ** 2)
    size = len(mean)

    def loss(free: Values) -> tuple[float, Values]:
        beats = WingBeats(mean, spread, free[:size], float(free[size]))
        terms = beats.terms(some.numbers)
        odds = terms @ beats.weights + beats.bias
        wrong = weights * (1 / (1 + np.exp(-odds)) - bird)
        told = float(
            weights @ np.logaddexp(0, np.where(bird, -odds, odds)) + PENALTY / 2 * beats.weights @ beats.weights
        )
        return told, np.r_[terms.T @ wrong + PENALTY * beats.weights, wrong.sum()]

    found = minimize(loss, np.zeros(size + 1), jac=True, method="L-BFGS-B").x
    return WingBeats(mean, spread, found[:size], float(found[size]))


def other_days(windows: Windows) -> Values:
    """Each window's odds by a fit on all days but its own."""
    odds = np.zeros(len(windows.kinds))
    for day in np.unique(windows.days):
        own = windows.days == day
        beats = fit(windows, ~own)
        odds[own] = [beats.told(numbers) for numbers in windows.numbers[own]]
    return odds


def area_under_curve(odds: Values, bird: npt.NDArray[np.bool_]) -> float:
    """The chance that a bird's odds are above another's (Mann, Whitney, 1947)."""
    positives = int(bird.sum())
    return float((rankdata(odds)[bird].sum() - positives * (positives + 1) / 2) / (positives * (~bird).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.wings", description=__doc__)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--into", type=Path, help="a model whose metadata gets the weights")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    windows = gather([clip for clip in read_clips(arguments.data, "train") if clip.modality == "ir"])
    odds, bird = other_days(windows), windows.kinds == BIRD
    drones = odds[windows.kinds == CLASSES.index("drone")]
    print(f"{len(bird)} windows, days left out: area under the curve {area_under_curve(odds, bird):.2f}", end=", ")
    print(
        f"{np.mean(drones > 0):.3f} of the drones' windows would speak for a bird, {np.mean(drones > 1):.3f} by more than e"
    )
    beats = fit(windows, ~windows.apart)
    print(beats.written())
    if arguments.into:
        from edge.training.metadata import describe

        describe(arguments.into, **{ENTRY: beats.written()})


if __name__ == "__main__":
    main()
