"""`sarhad detect VIDEO --out detections.jsonl`: what is found in every frame of a video, a JSON line each.

What an object is, all frames that show it decide together, so the lines are written after the last frame; with
`--single-frames` each frame stands alone and is written at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

if TYPE_CHECKING:
    from edge.vision.detector import Box, Detector

STORED_CONFIDENCE = 0.02  # for precision-recall curves one keeps the unsure too; 0.25 is where the post takes notice
TEXT_AS_VIDEO = {"tty"}  # FFmpeg draws any text file as a terminal's picture
PROGRESS_EVERY = 100  # frames


@click.command(name="detect")
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Another model: .onnx, .pt or .engine.")
@click.option("--confidence", type=click.FloatRange(0.0, 1.0), default=STORED_CONFIDENCE, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--backend", type=click.Choice(["onnxruntime", "ultralytics"]), help="What runs an .onnx model.")
@click.option("--best-class", is_flag=True, help="One detection an object, not one for each class it may be.")
@click.option("--single-frames", is_flag=True, help="Each frame by itself, not linked with its neighbours.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the JSON lines go.")
def command(
    video: Path,
    model: Path | None,
    confidence: float,
    threads: int,
    backend: str | None,
    best_class: bool,
    single_frames: bool,
    out: Path,
) -> None:
    """Look at every frame of VIDEO, the whole of it at native pixels, and write what is there to OUT.

    A line a frame, in decode order: {"frame", "time_s", "detections": [{"class", "confidence", "x", "y", "w", "h"}]};
    pixels, x and y of the top left corner. An object is followed through the video, and all frames that show it decide
    what it is. One that may be of several classes is listed once for each, as precision-recall curves need it; the post
    itself takes the likeliest.
    """
    from edge.vision.detector import SHIPPED_MODEL, ModelError, load_detector

    try:
        detector = load_detector(model or SHIPPED_MODEL, confidence, threads=threads, backend=backend)
    except ModelError as wrong:
        refuse(str(wrong))
    if not video.is_file():
        refuse(f"{video}: no such file; expected a video")
    if not out.parent.is_dir():
        refuse(f"{out}: found no folder {out.parent}, expected one to write into")
    frames = frames_of(video)
    first = next(frames, None)
    if first is None:
        refuse(f"{video}: found no frame that can be decoded, expected a video")
    try:
        lines = out.open("w")
    except OSError as wrong:
        refuse(f"{out}: {wrong.strerror or wrong}; expected a file that can be written")
    with lines:
        write = write_single_frames if single_frames else write_linked
        frame_count = write(counted(chain([first], frames)), detector, lines, not best_class)
    if sys.stderr.isatty():
        click.echo(err=True)
    click.echo(f"{video}: {frame_count} frames, model {detector.model_sha256[:12]}, {detector.provider}", err=True)


Frame = tuple[float | None, Any]  # time since the first, s; BGR picture


def write_linked(frames: Iterable[Frame], detector: Detector, lines: TextIO, every_class: bool) -> int:
    """One line a frame, after the last; the number of frames."""
    from edge.vision.whole_clip import in_hindsight, look_at_all

    times: list[float | None] = []
    looks = list(look_at_all(detector, noted(frames, times)))
    for number, boxes in enumerate(in_hindsight(looks, detector.confidence, every_class)):
        write_line(lines, number, times[number], boxes)
    return len(looks)


def write_single_frames(frames: Iterable[Frame], detector: Detector, lines: TextIO, every_class: bool) -> int:
    """One line a frame, at once; the number of frames."""
    number = -1
    for number, (time_s, picture) in enumerate(frames):
        write_line(lines, number, time_s, detector.look(picture, every_class=every_class))
    return number + 1


def write_line(lines: TextIO, number: int, time_s: float | None, boxes: Iterable[Box]) -> None:
    found = [as_json(box) for box in boxes]
    lines.write(json.dumps({"frame": number, "time_s": time_s, "detections": found}) + "\n")


def noted(frames: Iterable[Frame], times: list[float | None]) -> Iterator[Frame]:
    for frame in frames:
        times.append(frame[0])
        yield frame


def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Tells a waiting person how far it is."""
    for count, frame in enumerate(frames, start=1):
        yield frame
        if count % PROGRESS_EVERY == 0 and sys.stderr.isatty():
            click.echo(f"\rframe {count}", nl=False, err=True)


def frames_of(video: Path) -> Iterator[Frame]:
    """Every frame with its time since the first, BGR. A damaged packet costs its own frames."""
    import av

    try:
        container = av.open(str(video))
    except (av.FFmpegError, ValueError) as wrong:
        refuse(f"{video}: found no video ({str(wrong).splitlines()[0]}), expected a file that FFmpeg can open")
    with container:
        if not container.streams.video or container.format.name in TEXT_AS_VIDEO:
            refuse(f"{video}: found no video stream, expected one")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        first_s: float | None = None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                first_s = frame.time if first_s is None else first_s
                time_s = None if frame.time is None or first_s is None else round(frame.time - first_s, 4)
                yield time_s, frame.to_ndarray(format="bgr24")


def as_json(box: Box) -> dict[str, object]:
    return {
        "class": box.class_name,
        "confidence": box.confidence,
        "x": box.x_px,
        "y": box.y_px,
        "w": box.width_px,
        "h": box.height_px,
    }


def refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    raise SystemExit(2)
