"""`sarhad detect VIDEO --out detections.jsonl`: what is found in every frame of a video, a JSON line each.

What an object is, all frames that show it decide together, so the lines are written after the last frame; with
`--single-frames` each frame stands alone and is written at once. `--view` draws what was found, and where was looked, into
a copy of the video, in a second pass over it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO

import click

if TYPE_CHECKING:
    from edge.vision.detector import Box, Detector, Region

STORED_CONFIDENCE = 0.02  # for precision-recall curves one keeps the unsure too; 0.25 is where the post takes notice
TEXT_AS_VIDEO = {"tty"}  # FFmpeg draws any text file as a terminal's picture
PROGRESS_EVERY = 100  # frames
SPECTRA = ("visible", "infrared")


@click.command(name="detect")
@click.argument("video", type=click.Path(path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Another model: .onnx, .pt or .engine.")
@click.option("--confidence", type=click.FloatRange(0.0, 1.0), default=STORED_CONFIDENCE, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--backend", type=click.Choice(["onnxruntime", "ultralytics"]), help="What runs an .onnx model.")
@click.option("--best-class", is_flag=True, help="One detection an object, not one for each class it may be.")
@click.option("--single-frames", is_flag=True, help="Each frame by itself, not linked with its neighbours.")
@click.option("--spectrum", type=click.Choice(SPECTRA), help="Of all frames; left out: each one's colours tell.")
@click.option("--budget", type=click.IntRange(min=1), help="Look at so many regions a frame, chosen as a post does.")
@click.option(
    "--view",
    type=click.Path(path_type=Path),
    help="An annotated copy: NAME.mp4, NAME.mkv, or a new folder for PNG files.",
)
@click.option("--no-browser", is_flag=True, help="Write the view, do not open it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the JSON lines go.")
def command(
    video: Path,
    model: Path | None,
    confidence: float,
    threads: int,
    backend: str | None,
    best_class: bool,
    single_frames: bool,
    spectrum: Literal["visible", "infrared"] | None,
    budget: int | None,
    view: Path | None,
    no_browser: bool,
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
        seen_from = confidence if single_frames else min(confidence, STORED_CONFIDENCE)  # the unsure link, too
        detector = load_detector(model or SHIPPED_MODEL, seen_from, threads=threads, backend=backend, spectrum=spectrum)
    except ModelError as wrong:
        refuse(str(wrong))
    if not video.is_file():
        refuse(f"{video}: no such file; expected a video")
    for place in (out, view):
        if place and not place.parent.is_dir():
            refuse(f"{place}: found no folder {place.parent}, expected one to write into")
    if view:
        check(view)
    if single_frames and budget:
        refuse("--budget: found --single-frames, too; regions are chosen by the frames before")
    frames = frames_of(video)
    first = next(frames, None)
    if first is None:
        refuse(f"{video}: found no frame that can be decoded, expected a video")
    try:
        lines = out.open("w")
    except OSError as wrong:
        refuse(f"{out}: {wrong.strerror or wrong}; expected a file that can be written")
    look = single_looks if single_frames else linked_looks
    with lines:
        told = []
        for told_of_frame in look(counted(chain([first], frames)), detector, confidence, not best_class, budget):
            write_line(lines, len(told), told_of_frame)
            told.append(told_of_frame)
    if sys.stderr.isatty():
        click.echo(err=True)
    click.echo(f"{video}: {len(told)} frames, model {detector.model_sha256[:12]}, {detector.provider}", err=True)
    if view:
        draw_all(view, video, told, show=not no_browser)


Frame = tuple[float | None, Any]  # time since the first, s; BGR picture


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one frame."""

    time_s: float | None
    boxes: list[Box]
    looked: list[Region]


def linked_looks(
    frames: Iterable[Frame], detector: Detector, least: float, every_class: bool, budget: int | None
) -> Iterator[Told]:
    """One a frame, after the last has been looked at."""
    from edge.vision.whole_clip import in_hindsight, look_as_a_post, look_at_all

    times: list[float | None] = []
    shown = noted(frames, times)
    looks = list(look_at_all(detector, shown) if budget is None else look_as_a_post(detector, shown, budget))
    boxes = in_hindsight(looks, least, detector.operating_points, every_class)
    yield from map(Told, times, boxes, (look.looked for look in looks))


def single_looks(
    frames: Iterable[Frame], detector: Detector, least: float, every_class: bool, budget: int | None
) -> Iterator[Told]:
    """One a frame, at once; the whole of it, there is nothing to choose regions by."""
    for time_s, picture in frames:
        boxes = [box for box in detector.look(picture, every_class=every_class) if box.confidence >= least]
        yield Told(time_s, boxes, [whole(picture)])


def check(view: Path) -> None:
    from sarhad.viewing import check_view

    try:
        check_view(view)
    except ValueError as wrong:
        refuse(f"--view {view}: {wrong}")


def draw_all(view: Path, video: Path, told: Sequence[Told], show: bool) -> None:
    """Write the annotated copy, of what the post would take notice of; opened where there is a screen."""
    import webbrowser

    from edge.vision.detector import CONFIDENCE
    from sarhad.screen import has_screen
    from sarhad.viewing import write_view

    drawable = (
        (frame[0], frame[1], likeliest([box for box in one.boxes if box.confidence >= CONFIDENCE]), one.looked)
        for frame, one in zip(frames_of(video), told, strict=False)
    )
    try:
        write_view(view, drawable)
    except (OSError, ValueError) as wrong:
        refuse(f"{view}: {wrong}; expected NAME.mp4 or a folder that can be written")
    click.echo(f"{view}: what was found, drawn", err=True)
    if show and has_screen():
        webbrowser.open(view.resolve().as_uri())


def likeliest(boxes: Iterable[Box]) -> list[Box]:
    """One box an object: of boxes at one place, the surest."""
    best: dict[tuple[float, float, float, float], Box] = {}
    for box in boxes:
        place = (box.x_px, box.y_px, box.width_px, box.height_px)
        if place not in best or box.confidence > best[place].confidence:
            best[place] = box
    return list(best.values())


def whole(picture: Any) -> Region:
    from edge.vision.detector import Region

    return Region(0, 0, picture.shape[1], picture.shape[0])


def write_line(lines: TextIO, number: int, told: Told) -> None:
    found = [as_json(box) for box in told.boxes]
    lines.write(json.dumps({"frame": number, "time_s": told.time_s, "detections": found}) + "\n")


def noted(frames: Iterable[Frame], times: list[float | None]) -> Iterator[Frame]:
    """The frames; their times are noted on the way."""
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
