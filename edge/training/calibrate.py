"""The temperature of tracklets' classes: how sure many looks at an object may be of what it is.

Every tracklet of the clips held apart from training that covers labelled objects is one example: the logarithms of the
classes' shares of its looks' votes, and the class it truly is. The temperature is the one that makes the true classes
likeliest (least mean negative logarithm), searched on a grid; the reliability curve says how often the named class was
right, by how sure it was.
Source: Guo et al. (2017), "On calibration of modern neural networks", section 4.2.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Clip, read_labels
from edge.training.evaluate import look_at_clip, near
from edge.vision.detector import Detector
from edge.vision.image_tracks import log_shares, scores_of

GRID = np.exp(np.linspace(np.log(0.2), np.log(5.0), 65))
FEWEST_LOOKS = 3
BINS = (0.0, 0.5, 0.7, 0.85, 0.95, 1.01)


def examples(
    detector: Detector, clips: list[Clip], every: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Log shares of the votes (n, classes) and true class (n,) of the tracklets that cover objects of one class."""
    means, truths = [], []
    for clip in clips:
        labels = read_labels(clip.labels)
        votes: dict[int, list[npt.NDArray[np.float64]]] = defaultdict(list)
        classes: dict[int, Counter[int]] = defaultdict(Counter)
        for frame, look in zip(*look_at_clip(detector, clip, every), strict=True):
            for one in look.seen:
                for truth in labels.get(frame, ()):
                    if one.number and near(truth[None], [one.box])[0]:
                        votes[one.number].append(np.array(list(scores_of(one.box, CLASSES).values())))
                        classes[one.number][int(truth[0])] += 1
        for number, looks in votes.items():
            if len(looks) >= FEWEST_LOOKS:
                means.append(log_shares(list(np.sum(looks, axis=0))))
                truths.append(classes[number].most_common(1)[0][0])
    return np.array(means).reshape(-1, len(CLASSES)), np.array(truths, np.int64)


def fit(means: npt.NDArray[np.float64], truths: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Temperature, the mean negative logarithm before and after, and the reliability curve; classes weigh the same."""
    weights = 1.0 / np.bincount(truths, minlength=len(CLASSES))[truths]
    losses = [loss(means, truths, weights, temperature) for temperature in GRID]
    best = float(GRID[int(np.argmin(losses))])
    probabilities = shares(means, best)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truths
    curve = [
        {
            "sure_from": low,
            "tracklets": int(inside.sum()),
            "mean_sure": mean(sure[inside]),
            "right": mean(right[inside]),
        }
        for low, high in itertools.pairwise(BINS)
        if (inside := (sure >= low) & (sure < high)).any()
    ]
    return {
        "temperature": round(best, 3),
        "tracklets": {name: int((truths == number).sum()) for number, name in enumerate(CLASSES)},
        "loss_uncalibrated": round(loss(means, truths, weights, 1.0), 3),
        "loss": round(min(losses), 3),
        "right": mean(right),
        "reliability": curve,
    }


def loss(
    means: npt.NDArray[np.float64], truths: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], temperature: float
) -> float:
    return float(
        np.average(-np.log(shares(means, temperature)[np.arange(len(truths)), truths] + 1e-12), weights=weights)
    )


def shares(means: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Class probabilities, (n, classes)."""
    raised = np.exp((means - means.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def mean(values: npt.NDArray[Any]) -> float:
    return round(float(np.mean(values)), 3)
