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
import msgspec
import numpy as np

from edge.pipeline import Pipeline
from edge.site_file import read_site
from edge.training.clips import CLASSES, Clip, Picture, Pool, data_folder, read_frames, read_labels
from edge.training.evaluate import clips_of
from edge.training.painting import without_objects
from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, Detector, load_detector
from edge.vision.following import Following, lowest_confidence
from edge.vision.messages import Result, to_found
from edge.vision.regions import half_grey
from fusion import wire
from fusion.types import CLOCK, VISION_SUFFIX, Reading

FRAMES_PER_S = 30
BEGIN_NS = 1_700_000_000_000_000_000
SITE = """
[site]
id = "empty-sky"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 200.0 }}
geoid_height_m = 48.6
[[sensor]]
id = "camera"
device = {{ driver = "video_file", path = "clip.mp4" }}
protocol = "yolo"
position = {{ east_m = 0.0, north_m = 0.0, up_m = 3.0 }}
orientation = {{ heading_deg = 0.0, pitch_deg = 10.0 }}
lens = {{ size_px = [{width}, {height}], focal_px = [{focal}, {focal}], center_px = [{x}, {y}] }}
"""
FIELD_OF_VIEW_PX = {"ir": 730.0, "visible": 1100.0}  # focal lengths: 24 degrees, and 32, about what those cameras had
COUNTED = ("tracklets", "steady tracklets", "tracks", "confirmed tracks", "confirmed as drone")


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


def watch(clip: Clip, detector: Detector, every: int, site_path: Path) -> tuple[Counter[str], float]:
    """What was found in a clip where nothing is, and the seconds that it lasts."""
    frames = emptied(clip, every)
    height, width = frames[0][1].shape[:2]
    focal = FIELD_OF_VIEW_PX[clip.modality]
    site_path.write_text(SITE.format(width=width, height=height, focal=focal, x=width / 2, y=height / 2))
    pipeline, following = Pipeline(read_site(site_path), "run", "benchmark"), Following(detector)
    looks: Counter[int] = Counter()
    told: dict[int, list[wire.TrackMessage]] = defaultdict(list)
    for look, (number, picture) in enumerate(frames):
        time_ns = round(1e9 * number / FRAMES_PER_S)
        following.see(half_grey(picture))
        seen = following.tell(time_ns, detector.look(picture), CONFIDENCE)
        looks.update(one.number for one in seen if one.number)
        result = Result(
            access_unit_ns=time_ns,
            sensor_id="camera",
            size_px=(width, height),
            looked=[(0, 0, width, height)],
            model_sha256=detector.model_sha256,
            provider=detector.provider,
            detections=to_found(seen),
            look=look,
        )
        for sensor_id, data in (("camera" + VISION_SUFFIX, msgspec.json.encode(result)), (CLOCK, b"")):
            for message in pipeline.feed(Reading(sensor_id, BEGIN_NS + time_ns, time_ns + 1, None, None, data)):
                if message.topic.endswith("tracks"):
                    for track in msgspec.json.decode(message.payload, type=wire.TracksMessage).tracks:
                        told[track.track_number].append(track)
    confirmed = [[t for t in tracks if t.status in ("confirmed", "coasting")] for tracks in told.values()]
    counts = Counter(
        {
            "tracklets": len(looks),
            "steady tracklets": sum(count >= 3 for count in looks.values()),
            "tracks": len(told),
            "confirmed tracks": sum(bool(tracks) for tracks in confirmed),
            "confirmed as drone": sum(any(is_drone(track) for track in tracks) for tracks in confirmed),
        }
    )
    return counts, len(frames) * every / FRAMES_PER_S


def is_drone(track: wire.TrackMessage) -> bool:
    return max(track.classes, key=lambda name: track.classes[name]) == "drone"


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
            counts, seconds = watch(clip, detector, arguments.every, Path(folder) / "site.toml")
            found[clip.modality] += counts
            hours[clip.modality] += seconds / 3600
            print(clip.name, dict(counts), file=sys.stderr)
    table = {
        modality: {"hours": round(hours[modality], 3)}
        | {f"{name} an hour": round(found[modality][name] / hours[modality], 1) for name in COUNTED}
        for modality in sorted(hours)
    }
    print(json.dumps(table, indent=2) if arguments.json else as_table(table))
    return 1 if any(counts["confirmed as drone"] for counts in found.values()) else 0


def as_table(table: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(table.values())))
    lines = ["real clips, objects painted out, daylight, <= 200 m", "", "| | " + " | ".join(columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    lines += [f"| {modality} | " + " | ".join(f"{row[c]:g}" for c in columns) + " |" for modality, row in table.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
