"""Labelled clips of the Svanström data set, and a pool of their frames on disk.

The folder holds `clips.csv`, and per split `clips/<name>.mp4` with `labels/<name>.csv` (frame,class,x,y,w,h; pixels,
top left, frames from 0). Splits are by recording day: clips of one day share their backgrounds, so a random split
would test on what was trained on. Source: Svanström et al., "A Dataset for Multi-Sensor Drone Detection", 2021.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

CLASSES = ("drone", "bird", "airplane", "helicopter")  # the order of the model's outputs
APART_DAY, APART_FROM = (
    "2020-03-25",
    "14:00",
)  # the one part of a training day that shows all four classes in both kinds
Boxes = npt.NDArray[np.float32]  # (n, 5): class number, x, y, width, height, px
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clip:
    name: str
    split: str
    modality: str  # ir or visible
    class_name: str
    created: str  # of the file: YYYY-MM-DDTHH:MM:SS
    frame_count: int
    video: Path
    labels: Path

    @property
    def day(self) -> str:
        return self.created[:10]

    @property
    def is_apart(self) -> bool:
        """Never trained on: training clips that choose between models and calibrate them, so that VAL need not."""
        return self.split == "train" and self.day == APART_DAY and self.created[11:16] >= APART_FROM


def data_folder() -> Path:
    """Where the clips are: $SARHAD_VISION_DATA, or beside the checkout."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "svanstrom"
    return Path(os.environ.get("SARHAD_VISION_DATA", beside))


def read_clips(folder: Path, split: str) -> list[Clip]:
    """The split's clips, in the table's order. Raises FileNotFoundError where the table is missing."""
    with (folder / "clips.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split]
    return [
        Clip(
            name=row["clip"],
            split=split,
            modality=row["modality"],
            class_name=row["class"],
            created=row["created"],
            frame_count=int(row["frames"]),
            video=folder / split / "clips" / f"{row['clip']}.mp4",
            labels=folder / split / "labels" / f"{row['clip']}.csv",
        )
        for row in rows
    ]


def read_labels(path: Path) -> dict[int, Boxes]:
    """Boxes by frame; a frame that is not in it has no object."""
    frames: dict[int, list[list[float]]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            box = [float(CLASSES.index(row["class"])), *(float(row[key]) for key in "xywh")]
            frames.setdefault(int(row["frame"]), []).append(box)
    return {frame: np.array(boxes, np.float32) for frame, boxes in frames.items()}


def read_frames(video: Path, every: int = 1) -> Iterator[tuple[int, Picture]]:
    """Every n-th frame of a clip with its number, BGR, native size."""
    capture = cv2.VideoCapture(str(video))
    number = 0
    while capture.grab():
        if number % every == 0:
            good, picture = capture.retrieve()
            if good:
                yield number, picture
        number += 1
    capture.release()


@dataclass(frozen=True, slots=True)
class Pool:
    """Frames in one array on disk, with their boxes; grey ones are (n, h, w), coloured ones (n, h, w, 3)."""

    pictures: npt.NDArray[np.uint8]
    boxes: list[Boxes]
    group: npt.NDArray[np.int32]  # clip or scene each frame is from
    group_class: npt.NDArray[np.int32]  # main class of each clip; -1: mixed


def save_pool(path: Path, boxes: list[Boxes], group: list[int], group_class: list[int]) -> None:
    """Write the index beside the pictures; the last thing written, so that a half-made pool is not taken for whole."""
    lengths = np.array([len(b) for b in boxes], np.int32)
    flat = np.concatenate([b.reshape(-1, 5) for b in boxes]).astype(np.float32)
    np.savez(
        path, lengths=lengths, flat=flat, group=np.array(group, np.int32), group_class=np.array(group_class, np.int32)
    )


def load_pool(pictures: Path) -> Pool:
    index = np.load(pictures.with_suffix(".npz"))
    ends = np.cumsum(index["lengths"])
    boxes = [index["flat"][end - length : end] for end, length in zip(ends, index["lengths"], strict=True)]
    return Pool(np.load(pictures, mmap_mode="r"), boxes, index["group"], index["group_class"])


def build_pool(pictures: Path, clips: list[Clip], frames_per_clip: int) -> None:
    """Decode evenly spread frames of every clip into one array at native size."""
    grey = clips[0].modality == "ir"
    shape = (256, 320) if grey else (512, 640, 3)
    partial = pictures.with_suffix(".partial")
    array = np.lib.format.open_memmap(partial, "w+", np.uint8, (len(clips) * frames_per_clip, *shape))
    boxes: list[Boxes] = []
    group: list[int] = []
    for number, clip in enumerate(clips):
        labels = read_labels(clip.labels)
        wanted = {int(f) for f in np.linspace(0, clip.frame_count - 1, frames_per_clip)}
        for frame, picture in read_frames(clip.video):
            if frame in wanted and picture.shape[:2] == shape[:2]:
                array[len(boxes)] = picture[..., 0] if grey else picture
                boxes.append(labels.get(frame, np.zeros((0, 5), np.float32)))
                group.append(number)
    array.flush()
    save_pool(pictures.with_suffix(".npz"), boxes, group, [CLASSES.index(clip.class_name) for clip in clips])
    partial.rename(pictures)
