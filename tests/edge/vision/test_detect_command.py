import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from camera_stream import flight
from click.testing import CliRunner, Result

from edge.vision.detector import load_detector
from edge.vision.drawing import COLOURS, LOOKED_COLOUR
from sarhad.commands.detect import command


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "flight.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 640, 384, "yuv420p"
        for picture in flight((640, 384), 12):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def detect(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_every_frame_is_a_line_in_order(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "detections.jsonl"
    result = detect(video, "--out", out)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(12))
    assert [line["time_s"] for line in lines] == pytest.approx([n / 10 for n in range(12)])
    for detection in (d for line in lines for d in line["detections"]):
        assert set(detection) == {"class", "confidence", "x", "y", "w", "h"}
        assert 0 <= detection["x"] <= 640
        assert 0 <= detection["y"] <= 384
    surest = [max(line["detections"], key=lambda d: d["confidence"], default=None) for line in lines]
    assert sum(d is not None and abs(d["x"] + d["w"] / 2 - 60 - 8 * n) < 10 for n, d in enumerate(surest)) >= 10


def test_confidence_bounds_what_is_written(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "detections.jsonl"
    assert detect(video, "--out", out, "--confidence", "0.3").exit_code == 0
    found = [d for line in out.read_text().splitlines() for d in json.loads(line)["detections"]]
    assert all(d["confidence"] >= 0.3 for d in found)


def test_a_higher_bound_leaves_out_and_changes_nothing(video: Path, tmp_path: Path) -> None:
    """The bound is of what is told, after all frames and the class's point: not of what the detector saw in one."""
    told = {}
    for bound in ("0.02", "0.25"):
        assert detect(video, "--out", tmp_path / bound, "--confidence", bound).exit_code == 0
        told[bound] = [json.loads(line)["detections"] for line in (tmp_path / bound).read_text().splitlines()]
    assert told["0.25"] == [[d for d in found if d["confidence"] >= 0.25] for found in told["0.02"]]


def wrong(result: Result, *words: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr


def test_wrong_input_gets_one_line_and_exit_code_2(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "detections.jsonl"
    text = tmp_path / "notes.txt"
    text.write_text("no video at all\n" * 100)
    wrong(detect(tmp_path / "none.mp4", "--out", out), "none.mp4", "no such file")
    wrong(detect(text, "--out", out), "notes.txt", "found no video", "expected")
    wrong(detect(video, "--out", tmp_path / "none" / "out.jsonl"), "found no folder")
    wrong(detect(video, "--out", tmp_path), "Is a directory; expected a file that can be written")
    wrong(detect(video, "--out", out, "--model", text), "notes.txt", ".onnx")
    wrong(detect(video, "--out", out, "--view", tmp_path / "none" / "view.mp4"), "found no folder")
    wrong(detect(video, "--out", out, "--view", tmp_path / "view.avi"), "found the ending .avi", ".mp4 or", ".mkv")
    mine = tmp_path / "pictures" / "000007.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    wrong(detect(video, "--out", out, "--view", mine.parent), "pictures", "000007.png", "new or empty folder")
    assert mine.read_bytes() == b"mine"
    wrong(detect(video, "--out", out, "--budget", "2", "--single-frames"), "--budget", "--single-frames")
    assert not out.exists()


def test_single_frames_are_what_the_detector_sees(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "detections.jsonl"
    detect(video, "--out", out, "--confidence", "0.25", "--best-class", "--single-frames")
    detector = load_detector(confidence=0.25)
    with av.open(str(video)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="bgr24")
    first = json.loads(out.read_text().splitlines()[0])["detections"]
    assert [(d["class"], d["confidence"]) for d in first] == [
        (b.class_name, b.confidence) for b in detector.look(picture)
    ]


def test_an_object_is_of_one_class_through_the_whole_video(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "detections.jsonl"
    assert detect(video, "--out", out, "--confidence", "0.1", "--best-class").exit_code == 0
    lines = [json.loads(line)["detections"] for line in out.read_text().splitlines()]
    on_it = [d for n, line in enumerate(lines) for d in line if abs(d["x"] + d["w"] / 2 - 60 - 8 * n) < 10]
    assert len(on_it) >= 10
    assert len({d["class"] for d in on_it}) == 1


def test_a_view_shows_what_was_found_and_where_was_looked(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    out, view = tmp_path / "detections.jsonl", tmp_path / "frames"
    result = detect(video, "--out", out, "--budget", "1", "--view", view)
    assert result.exit_code == 0, result.output
    assert "frames: what was found, drawn" in result.stderr
    pictures = [cv2.imread(str(path)) for path in sorted(view.iterdir())]
    lines = [json.loads(line)["detections"] for line in out.read_text().splitlines()]
    assert len(pictures) == len(lines) == 12
    seen_in = 0
    for picture, detections in zip(pictures, lines, strict=True):
        assert (picture == np.array(LOOKED_COLOUR)).all(axis=2).sum() >= 320  # a side of a region, not the whole rim
        sure = [d for d in detections if d["confidence"] >= 0.25]
        for best in sure[:1]:
            colour = np.array(COLOURS[best["class"]])
            left, below = round(best["x"]) - 3, round(best["y"] + best["h"] / 2)
            assert (picture[below, left - 1 : left + 2] == colour).all(axis=1).any()
            seen_in += 1
        if not sure:
            assert not any((picture == np.array(colour)).all(axis=2).any() for colour in COLOURS.values())
    assert seen_in >= 3  # with one region a frame, the object is found when the sweep or its motion gets there


def test_a_view_can_be_a_video_of_the_same_length_and_times(video: Path, tmp_path: Path) -> None:
    view = tmp_path / "view.mp4"
    assert detect(video, "--out", tmp_path / "d.jsonl", "--view", view, "--no-browser").exit_code == 0
    with av.open(str(view)) as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height, len(frames)) == (640, 384, 12)
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(12)], abs=2e-3)
    picture = frames[5].to_ndarray(format="bgr24").astype(int)
    assert ((picture[..., 2] - picture[..., :2].max(axis=2)) > 80).sum() > 40  # something is framed in red
