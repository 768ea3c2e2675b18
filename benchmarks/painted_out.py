"""False tracks where nothing flies: real clips with their objects painted out, daylight, <= 200 m.

    clips, objects covered by what lies behind ─▶ detector, tracklets ─▶ decoder ─▶ tracker, as on a post ─▶ tracks an hour

    python benchmarks/painted_out.py [--split val|apart|train] [--every 3] [--clips N] [--json]

Each clip of the Svanström data ($SARHAD_VISION_DATA) is a camera of its own that sees an empty sky for about ten seconds, ten
times a second, whole pictures, with the settings of a site file that says nothing special. What is there but not labelled (a
bird far away) counts as a false track, too; so do traces that painting leaves. Counted are tracklets that began and that
became steady, tracks that the post published, that it confirmed, and that it confirmed and called a drone. Exit code 1 where
one of those is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np

from benchmarks.empty_sky import as_table, hourly, watch
from edge.training.clips import CLASSES, Clip, Picture, Pool, data_folder, read_frames, read_labels
from edge.training.evaluate import clips_of
from edge.training.painting import without_objects
from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, load_detector
from edge.vision.following import lowest_confidence

FRAMES_PER_S = 30
TITLE = "real clips, objects painted out, daylight, <= 200 m"


def emptied(clip: Clip, every: int) -> list[tuple[int, Picture]]:
    """Every n-th frame without its objects."""
    labels = read_labels(clip.labels)
    frames = list(read_frames(clip.video, every))
    shape = frames[0][1].shape
    frames = [(number, picture) for number, picture in frames if picture.shape == shape]
    boxes = [labels.get(number, np.zeros((0, 5), np.float32)) for number, _ in frames]
    pictures = np.stack([picture for _, picture in frames])
    pool = Pool(pictures, boxes, np.zeros(len(frames), np.int32), np.array([CLASSES.index(clip.class_name)], np.int32))
    return [(number, without_objects(pool, index)) for index, (number, _) in enumerate(frames)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--split", choices=["val", "apart", "train"], default="val")
    parser.add_argument("--every", type=int, default=3, help="frames from look to look")
    parser.add_argument("--clips", type=int, help="only so many, evenly spread")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detector = load_detector(arguments.model, lowest_confidence(CONFIDENCE))
    clips = clips_of(arguments.data, arguments.split)
    if arguments.clips:
        clips = [clips[int(n)] for n in np.linspace(0, len(clips) - 1, arguments.clips)]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    hours: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            frames = emptied(clip, arguments.every)
            size_px = (frames[0][1].shape[1], frames[0][1].shape[0])
            shown = ((round(1e9 * number / FRAMES_PER_S), picture) for number, picture in frames)
            counts = watch(shown, size_px, clip.modality, detector, Path(folder) / "site.toml")
            found[clip.modality] += counts
            hours[clip.modality] += len(frames) * arguments.every / FRAMES_PER_S / 3600
            print(clip.name, dict(counts), file=sys.stderr)
    table = hourly(found, hours)
    print(json.dumps(table, indent=2) if arguments.json else as_table(TITLE, table))
    return 1 if any(counts["confirmed as drone"] for counts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
