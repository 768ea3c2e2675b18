"""How well a model sees: figures on clips of days it was not trained on.

    python -m edge.training.evaluate --model MODEL.onnx [--split val|apart|train] [--every N] [--json OUT.json]

By modality and class: average precision at IoU 0.5 (all points, scores from 0.02), recall with the centre within
8 px at confidence 0.25; one box for each class an object may be. Over all: mean of the four classes, false alarms of
class drone per minute on clips without one, clips whose confidence-weighted majority class is right. All of these twice:
each frame by itself, and `linked`, as `sarhad detect` writes it: each object's class by all frames that show it (of which
only every n-th was looked at).

And detection probability by pixels on target: the chance that an object whose box has this geometric mean of its sides
is found (centre within 8 px, any class) in one frame at confidence 0.25. The clips are daylight, up to 200 m; night and
beyond are not measured by them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.training.clips import CLASSES, Boxes, Clip, Picture, data_folder, read_clips, read_frames, read_labels
from edge.vision.detector import Box, Detector, load_detector
from edge.vision.image_tracks import Seen
from edge.vision.whole_clip import Look, in_hindsight, look_at_all

NOTICED = 0.25  # confidence at which the post takes notice
SCORED = 0.02  # confidence from which the precision-recall curve is drawn
CENTRE_PX, IOU = 8.0, 0.5
FRAMES_PER_S = 30.0
SIZE_BANDS_PX = (8, 11, 14, 18, 24, 32, 48, 64)  # lower ends; the last is open
FEWEST = 50  # objects in a band, below which its share says nothing


@dataclass(slots=True)
class Tally:
    """What was counted for one modality and class."""

    positives: int = 0
    near: int = 0
    scored: list[tuple[float, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Tallies:
    """All that was counted over clips."""

    by_kind: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_size: list[tuple[float, bool]] = field(default_factory=list)  # size px, found at all
    alarms: int = 0
    frames_without_drone: int = 0
    clips_right: list[bool] = field(default_factory=list)


def evaluate(detector: Detector, clips: list[Clip], every: int) -> dict[str, Any]:
    """Look at every n-th frame of the clips; the figures."""
    alone, linked = Tallies(), Tallies()
    for number, clip in enumerate(clips):
        labels = read_labels(clip.labels)
        frames, looks = look_at_clip(detector, clip, every)
        truths = [labels.get(frame, np.zeros((0, 5), np.float32)) for frame in frames]
        has_drone = any((boxes[:, 0] == 0).any() for boxes in labels.values())
        count(alone, clip, truths, [of_every_class(look.seen, detector.class_names) for look in looks], has_drone)
        count(linked, clip, truths, in_hindsight(looks, SCORED, detector.operating_points), has_drone)
        if number % 10 == 9:
            print(f"{number + 1} of {len(clips)} clips", file=sys.stderr)
    result = {"clips": len(clips), "every": every} | figures(alone) | {"linked": figures(linked)}
    return result | {"detection_probability": detection_probability(alone.by_size)}


def look_at_clip(detector: Detector, clip: Clip, every: int) -> tuple[list[int], list[Look]]:
    """The numbers of the frames looked at, and the looks."""
    frames: list[int] = []

    def timed() -> Iterator[tuple[float, Picture]]:
        for frame, picture in read_frames(clip.video, every):
            frames.append(frame)
            yield frame / FRAMES_PER_S, picture

    return frames, list(look_at_all(detector, timed()))


def of_every_class(seen: list[Seen], class_names: Sequence[str]) -> list[Box]:
    """A box for each class that an object may be by this frame alone."""
    return [
        replace(one.box, class_name=name, confidence=score)
        for one in seen
        for name, score in zip(class_names, one.box.class_scores, strict=True)
        if score >= SCORED
    ]


def count(tallies: Tallies, clip: Clip, truths: list[Boxes], told: list[list[Box]], has_drone: bool) -> None:
    """Add one clip's frames."""
    votes = dict.fromkeys(CLASSES, 0.0)
    for truth, found in zip(truths, told, strict=True):
        noticed = [box for box in found if box.confidence >= NOTICED]
        for box in noticed:
            votes[box.class_name] += box.confidence
        for class_number, name in enumerate(CLASSES):
            tally = tallies.by_kind[clip.modality, name]
            own = truth[truth[:, 0] == class_number]
            tally.positives += len(own)
            tally.scored += match([b for b in found if b.class_name == name], own)
            tally.near += sum(near(own, [b for b in noticed if b.class_name == name]))
        sizes = np.sqrt(truth[:, 3] * truth[:, 4])
        tallies.by_size += list(zip(sizes.tolist(), near(truth, noticed), strict=True))
        if not has_drone:
            tallies.frames_without_drone += 1
            tallies.alarms += sum(box.class_name == "drone" for box in noticed)
    tallies.clips_right.append(max(votes.values()) > 0 and max(votes, key=lambda name: votes[name]) == clip.class_name)


def match(found: list[Box], truth: Boxes) -> list[tuple[float, bool]]:
    """Each detection's confidence and whether it is a true one; the surest choose first, each object once."""
    outcomes, free = [], set(range(len(truth)))
    for box in sorted(found, key=lambda b: -b.confidence):
        overlaps = {index: iou(box, truth[index]) for index in free}
        best = max(overlaps, key=lambda index: overlaps[index], default=None)
        good = best is not None and overlaps[best] >= IOU
        if good and best is not None:
            free.remove(best)
        outcomes.append((box.confidence, good))
    return outcomes


def near(truth: Boxes, found: list[Box]) -> list[bool]:
    """For each object, whether a detection's centre lies within CENTRE_PX of its own."""
    centres = np.array([(b.x_px + b.width_px / 2, b.y_px + b.height_px / 2) for b in found]).reshape(-1, 2)
    wanted = truth[:, 1:3] + truth[:, 3:5] / 2
    return [bool((np.hypot(*(centres - centre).T) <= CENTRE_PX).any()) for centre in wanted]


def iou(box: Box, truth: npt.NDArray[np.float32]) -> float:
    _, x, y, w, h = (float(value) for value in truth)
    across = min(box.x_px + box.width_px, x + w) - max(box.x_px, x)
    down = min(box.y_px + box.height_px, y + h) - max(box.y_px, y)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (box.width_px * box.height_px + w * h - across * down)


def average_precision(scored: list[tuple[float, bool]], positives: int) -> float | None:
    """Area under the precision-recall curve, all points; None where there was nothing to find."""
    if positives == 0:
        return None
    hits = np.cumsum([good for _, good in sorted(scored, key=lambda s: -s[0])], dtype=float)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.sum(np.diff(np.r_[0.0, hits / positives]) * precision))


def figures(tallies: Tallies) -> dict[str, Any]:
    precisions, recalls = {}, {}
    for (modality, name), tally in sorted(tallies.by_kind.items()):
        if tally.positives:
            precisions[f"{modality} {name}"] = rounded(average_precision(tally.scored, tally.positives))
            recalls[f"{modality} {name}"] = rounded(tally.near / tally.positives)
    over_both = []
    for name in CLASSES:
        parts = [tally for (_, kind), tally in tallies.by_kind.items() if kind == name]
        over_both.append(average_precision([s for p in parts for s in p.scored], sum(p.positives for p in parts)))
    minutes = tallies.frames_without_drone / FRAMES_PER_S / 60
    return {
        "ap50": precisions,
        "centre_recall": recalls,
        "map50_four_classes": rounded(float(np.mean([p for p in over_both if p is not None]))),
        "drone_false_alarms_per_minute_on_other_clips": rounded(tallies.alarms / minutes) if minutes else None,
        "clips_with_right_majority_class": rounded(float(np.mean(tallies.clips_right))),
    }


def detection_probability(by_size: list[tuple[float, bool]]) -> list[list[float]]:
    """[[px, probability], …] for the bands with enough objects, never falling as objects grow."""
    table: list[list[float]] = []
    for low, high in zip(SIZE_BANDS_PX, [*SIZE_BANDS_PX[1:], float("inf")], strict=True):
        outcomes = [good for size, good in by_size if low <= size < high]
        if len(outcomes) >= FEWEST:
            share = max(float(np.mean(outcomes)), table[-1][1] if table else 0.0)
            table.append([low, round(share, 2)])
    return table


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def clips_of(data: Path, split: str) -> list[Clip]:
    """Of val, of the training clips, or of those training clips that were held apart."""
    clips = read_clips(data, "val" if split == "val" else "train")
    return clips if split == "val" else [clip for clip in clips if clip.is_apart == (split == "apart")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--split", choices=["val", "apart", "train"], default="val")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    detector = load_detector(arguments.model, SCORED)
    result = evaluate(detector, clips_of(arguments.data, arguments.split), arguments.every)
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
