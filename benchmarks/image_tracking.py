"""How well boxes are linked from picture to picture, beside ByteTrack and BoT-SORT: real clips, daylight, <= 200 m.

    clips ─▶ our detector, once, every frame ─┬─▶ edge/vision/image_tracks.py ─┐
                                              ├─▶ ByteTrack, as it ships ──────┼─▶ HOTA, IDF1 (TrackEval), by split
                                              └─▶ BoT-SORT, as it ships ───────┘

    python benchmarks/image_tracking.py [--frames 150] [--detections FOLDER] [--json]

The val days of the Svanström clips ($SARHAD_VISION_DATA). All three are given the same boxes, from the confidence at which
ours goes on with a tracklet, and answer with boxes and numbers, whatever their class; BoT-SORT gets the pictures too. The
labels name no objects: those of one frame are linked with those of the next by nearest centres, which 30 labelled frames a
second leave little doubt about. Exit code 1 where ours is below a peer in a split.

Needs the `train` extra (ultralytics), `trackeval` and `lap`; nothing else of Sarhad does.
Sources: Luiten et al. (2021), "HOTA"; Ristani et al. (2016), on IDF1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from edge.training import torch_setup
from edge.training.clips import Clip, Picture, data_folder, read_clips, read_frames, read_labels
from edge.vision.camera_motion import CameraMotion
from edge.vision.detector import SHIPPED_MODEL, Box, load_detector
from edge.vision.image_tracks import UNSURE, ImageTracks
from edge.vision.regions import HALF, half_grey

FRAMES_PER_S = 30.0
SAME_OBJECT_SIDES, SAME_OBJECT_GROWTH = 1.0, 2.0  # from one labelled frame to the next no object flies or grows further
CLASSES = ("drone", "bird", "airplane", "helicopter")
Boxes = npt.NDArray[np.float64]  # (n, 4): x, y, width, height, px
Answer = tuple[Boxes, list[int]]  # boxes of one frame and the numbers of their objects


@dataclass(slots=True)
class Frame:
    """One frame of a clip."""

    truth: Answer
    found: list[Box]
    picture: Picture


def frames_of(clip: Clip, most: int, found: list[list[Box]]) -> Iterator[Frame]:
    """The clip's first frames with their objects, numbered, and what the detector found."""
    labels, numbered = read_labels(clip.labels), Numbered()
    for (number, picture), boxes in zip(itertools.islice(read_frames(clip.video), most), found, strict=True):
        yield Frame(numbered.next(labels.get(number, np.zeros((0, 5)))[:, 1:].astype(float)), boxes, picture)


class Numbered:
    """Labels with the numbers of their objects."""

    def __init__(self) -> None:
        self._last: Boxes = np.zeros((0, 4))
        self._numbers: list[int] = []
        self._count = 0

    def next(self, boxes: Boxes) -> Answer:
        numbers = [-1] * len(boxes)
        if len(boxes) and len(self._last):
            apart = np.hypot(*(middles(boxes)[:, None] - middles(self._last)[None]).transpose(2, 0, 1))
            sides, last = sides_of(boxes)[:, None], sides_of(self._last)[None]
            near = (apart <= SAME_OBJECT_SIDES * last) & (np.abs(np.log(sides / last)) <= np.log(SAME_OBJECT_GROWTH))
            for row, column in zip(*linear_sum_assignment(np.where(near, apart, 1e6)), strict=True):
                numbers[row] = self._numbers[column] if near[row, column] else -1
        for index in [i for i, number in enumerate(numbers) if number < 0]:
            numbers[index], self._count = self._count, self._count + 1
        self._last, self._numbers = boxes, numbers
        return boxes, numbers


def middles(boxes: Boxes) -> Boxes:
    return boxes[:, :2] + boxes[:, 2:] / 2


def sides_of(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Geometric mean of width and height, (n,)."""
    return np.sqrt(boxes[:, 2] * boxes[:, 3])


class Ours:
    def __init__(self) -> None:
        self._tracks, self._motion, self._count = ImageTracks(CLASSES), CameraMotion(), 0

    def follow(self, frame: Frame) -> Answer:
        across, down = self._motion.shift(half_grey(frame.picture))
        seen = self._tracks.follow(self._count / FRAMES_PER_S, frame.found, (across / HALF, down / HALF))
        # as the peers, which answer with what they have surely seen twice, or in the first picture
        linked = [one for one in seen if one.vouched or (one.number and self._count == 0)]
        self._count += 1
        return rows_of([one.box for one in linked])[:, :4], [one.number for one in linked]


class Peer:
    """One of ultralytics' trackers with the settings that it ships."""

    def __init__(self, kind: str) -> None:
        from ultralytics.trackers import BOTSORT, BYTETracker
        from ultralytics.utils import ROOT, YAML

        settings = YAML.load(ROOT / "cfg" / "trackers" / f"{kind}.yaml")
        self._tracker = {"bytetrack": BYTETracker, "botsort": BOTSORT}[kind](SimpleNamespace(**settings))

    def follow(self, frame: Frame) -> Answer:
        from ultralytics.engine.results import Boxes as Results

        rows = rows_of(frame.found)
        corners = np.column_stack([rows[:, :2], rows[:, :2] + rows[:, 2:4], rows[:, 4], np.zeros(len(rows))])
        told = self._tracker.update(Results(corners.astype(np.float32), frame.picture.shape[:2]), frame.picture)
        told = np.asarray(told, float).reshape(-1, 8)
        chosen = told[:, 7].astype(int)  # its answer is about these boxes; its own are smoothed
        return rows[chosen][:, :4], told[:, 4].astype(int).tolist()


def rows_of(boxes: list[Box]) -> Boxes:
    """(n, 5): x, y, width, height, confidence."""
    return np.array([(b.x_px, b.y_px, b.width_px, b.height_px, b.confidence) for b in boxes]).reshape(-1, 5)


def overlaps(some: Boxes, others: Boxes) -> Boxes:
    """Intersection over union, (n, m)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum((some[:, :2] + some[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    return shared / np.maximum(np.prod(some[:, 2:], axis=1)[:, None] + np.prod(others[:, 2:], axis=1) - shared, 1e-9)


def as_sequence(truths: list[Answer], told: list[Answer]) -> dict[str, Any]:
    """One clip as TrackEval's metrics take it: numbers from 0 on, without gaps."""
    data: dict[str, Any] = {"num_timesteps": len(truths)}
    for name, answers in (("gt", truths), ("tracker", told)):
        known = {number: index for index, number in enumerate(sorted({n for _, ns in answers for n in ns}))}
        data[f"{name}_ids"] = [np.array([known[n] for n in numbers], int) for _, numbers in answers]
        data[f"num_{name}_ids"] = len(known)
        data[f"num_{name}_dets"] = sum(len(numbers) for _, numbers in answers)
    data["similarity_scores"] = [overlaps(t[0], a[0]) for t, a in zip(truths, told, strict=True)]
    return data


def look(clips: list[Clip], model: Path, most: int, kept: Path | None) -> dict[str, list[list[Box]]]:
    """What the detector finds in the first frames of each clip; kept in a folder, so that it looks but once."""
    detector = load_detector(model, UNSURE)
    found = {}
    for clip in clips:
        path = kept / f"{clip.name}-{most}-{detector.model_sha256[:12]}.json" if kept else None
        if path and path.exists():
            found[clip.name] = [[Box(*row) for row in frame] for frame in json.loads(path.read_text())]
            continue
        pictures = itertools.islice(read_frames(clip.video), most)
        found[clip.name] = [detector.look(picture) for _, picture in pictures]
        if path:
            rows = [[(b.class_name, *row) for b, row in zip(f, as_rows(f), strict=True)] for f in found[clip.name]]
            path.write_text(json.dumps(rows))
        print(clip.name, file=sys.stderr)
    return found


def as_rows(boxes: list[Box]) -> list[tuple[float, ...]]:
    return [(b.confidence, b.x_px, b.y_px, b.width_px, b.height_px) for b in boxes]


def measure(clips: list[Clip], found: dict[str, list[list[Box]]], most: int) -> dict[str, dict[str, dict[str, float]]]:
    """By split and tracker: HOTA, its parts for detection and association, IDF1, in per cent."""
    from trackeval.metrics import HOTA, Identity

    metrics = {"HOTA": HOTA(), "Identity": Identity({"PRINT_CONFIG": False})}
    results: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for clip in clips:
        trackers = {"ours": Ours(), "ByteTrack": Peer("bytetrack"), "BoT-SORT": Peer("botsort")}
        truths: list[Answer] = []
        told: dict[str, list[Answer]] = defaultdict(list)
        for frame in frames_of(clip, most, found[clip.name]):
            truths.append(frame.truth)
            for name, tracker in trackers.items():
                told[name].append(tracker.follow(frame))
        for name, answers in told.items():
            sequence = as_sequence(truths, answers)
            for metric_name, metric in metrics.items():
                outcome = metric.eval_sequence(sequence)
                for split in ("all", clip.modality, f"{clip.modality} {clip.class_name}"):
                    results[split, name][metric_name][clip.name] = outcome
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for (split, name), outcomes in results.items():
        hota = metrics["HOTA"].combine_sequences(outcomes["HOTA"])
        parts = {part: float(100 * np.mean(hota[part])) for part in ("HOTA", "DetA", "AssA")}
        identity = metrics["Identity"].combine_sequences(outcomes["Identity"])
        table[split][name] = parts | {"IDF1": float(100 * identity["IDF1"])}
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--frames", type=int, default=150, help="of each clip, from its first on")
    parser.add_argument("--detections", type=Path, help="a folder where detections are kept and found again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch_setup.prepare()
    cv2.setNumThreads(1)
    clips = read_clips(arguments.data, "val")
    found = look(clips, arguments.model, arguments.frames, arguments.detections)
    table = measure(clips, found, arguments.frames)
    if arguments.json:
        print(json.dumps(table, indent=2))
    else:
        print(f"real clips, daylight, <= 200 m; {len(clips)} clips, their first {arguments.frames} frames\n")
        print("| split | tracker | HOTA | DetA | AssA | IDF1 |\n|---|---|---|---|---|---|")
        for split, of_split in sorted(table.items()):
            for name, of in of_split.items():
                print(
                    f"| {split} | {name} | "
                    + " | ".join(f"{of[key]:.1f}" for key in ("HOTA", "DetA", "AssA", "IDF1"))
                    + " |"
                )
    below = [
        f"{split}: {key} {of['ours'][key]:.2f}, {name} {of[name][key]:.2f}"
        for split, of in sorted(table.items())
        for key in ("HOTA", "IDF1")
        for name in ("ByteTrack", "BoT-SORT")
        if of["ours"][key] < of[name][key]
    ]
    for line in below:
        print(f"below a peer: {line}", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
