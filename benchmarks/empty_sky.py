"""What a camera's post makes of pictures in which nothing that matters flies: counted, and as figures an hour.

    pictures ─▶ detector, tracklets ─▶ decoder ─▶ tracker, as on a post ─▶ Counter: began, was confirmed, was called drone

Whole pictures, with the settings of a site file that says nothing special. Counted are tracklets that began and that became
steady, tracks that the post published, that it confirmed, and that it confirmed and called a drone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from edge.pipeline import Pipeline
from edge.simulator.scenery import Picture
from edge.site_file import read_site
from edge.vision.detector import CONFIDENCE, Detector
from edge.vision.following import Following
from edge.vision.messages import Result, to_found
from edge.vision.regions import half_grey
from fusion import wire
from fusion.types import CLOCK, VISION_SUFFIX, Reading

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
FIELD_OF_VIEW_PX = {
    "ir": 730.0,
    "visible": 1100.0,
}  # focal lengths: 24 degrees, and 32, about what the clips' cameras had
COUNTED = ("tracklets", "steady tracklets", "tracks", "confirmed tracks", "confirmed as drone")


def watch(
    shown: Iterable[tuple[int, Picture]], size_px: tuple[int, int], modality: str, detector: Detector, site_path: Path
) -> Counter[str]:
    """What a post finds in these pictures of one camera, each with its time in ns from the first."""
    (width, height), focal = size_px, FIELD_OF_VIEW_PX[modality]
    site_path.write_text(SITE.format(width=width, height=height, focal=focal, x=width / 2, y=height / 2))
    pipeline, following = Pipeline(read_site(site_path), "run", "benchmark"), Following(detector)
    looks: Counter[int] = Counter()
    told: dict[int, list[wire.TrackMessage]] = defaultdict(list)
    for look, (time_ns, picture) in enumerate(shown):
        following.see(half_grey(picture))
        seen = following.tell(time_ns, picture, detector.look(picture), CONFIDENCE)
        looks.update(one.number for one in seen if one.number)
        result = Result(
            access_unit_ns=time_ns,
            sensor_id="camera",
            size_px=size_px,
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
    return Counter(
        {
            "tracklets": len(looks),
            "steady tracklets": sum(count >= 3 for count in looks.values()),
            "tracks": len(told),
            "confirmed tracks": sum(bool(tracks) for tracks in confirmed),
            "confirmed as drone": sum(any(is_drone(track) for track in tracks) for tracks in confirmed),
        }
    )


def is_drone(track: wire.TrackMessage) -> bool:
    return max(track.classes, key=lambda name: track.classes[name]) == "drone"


def hourly(found: Mapping[str, Counter[str]], hours: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """A row for each kind: its hours, and each count an hour."""
    return {
        kind: {"hours": round(hours[kind], 3)}
        | {f"{name} an hour": round(found[kind][name] / hours[kind], 1) for name in COUNTED}
        for kind in sorted(hours)
    }


def as_table(title: str, table: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(table.values())))
    lines = [title, "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {kind} | " + " | ".join(f"{row[c]:g}" for c in columns) + " |" for kind, row in table.items()]
    return "\n".join(lines)
