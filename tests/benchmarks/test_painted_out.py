from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.empty_sky import watch
from benchmarks.painted_out import FRAMES_PER_S, emptied
from edge.training.clips import Clip
from edge.vision.detector import load_detector


def test_a_painted_out_clip_shows_its_sky_and_nothing_is_confirmed_there(tmp_path: Path) -> None:
    video, labels = tmp_path / "IR_DRONE_900.avi", tmp_path / "IR_DRONE_900.csv"
    sky = cv2.GaussianBlur(np.random.default_rng(3).uniform(60, 120, (128, 160)), (0, 0), 12).astype(np.uint8)
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 30, (160, 128))
    lines = ["frame,class,x,y,w,h"]
    for number in range(45):
        frame = cv2.cvtColor(sky, cv2.COLOR_GRAY2BGR)
        x = 20 + 2 * number
        cv2.rectangle(frame, (x + 3, 53), (x + 11, 59), (250, 250, 250), -1)
        lines.append(f"{number},drone,{x},50,15,13")
        writer.write(frame)
    writer.release()
    labels.write_text("\n".join(lines) + "\n")
    clip = Clip("IR_DRONE_900", "val", "ir", "drone", "2020-01-01T00:00:00", 45, video, labels)
    frames = emptied(clip, 3)
    pictures = [picture for _, picture in frames]
    assert len(pictures) == 15
    assert max(float(np.abs(p[..., 0].astype(int) - sky).max()) for p in pictures) < 30  # the object added 130 and more
    shown = [(round(1e9 * number / FRAMES_PER_S), picture) for number, picture in frames]
    counts = watch(shown, (160, 128), "ir", load_detector(confidence=0.08), tmp_path / "site.toml")
    assert counts["confirmed as drone"] == 0
    assert counts["confirmed tracks"] <= counts["tracks"]
