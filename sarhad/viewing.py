"""Annotated pictures written out: a video where the name ends in .mp4 or .mkv, else a folder of numbered PNG files.

frame, boxes, regions ─▶ drawn ─▶ H.264 at the frames' own times, or 000000.png, 000001.png, …
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np

from edge.vision.detector import Box, Picture, Region
from edge.vision.drawing import drawn

VIDEO_NAMES = {".mp4", ".mkv"}
TICKS_A_S = 1000
PICTURE_NAMES = {".png", ".jpg", ".jpeg"}
USUAL_STEP = 33  # ticks from frame to frame, where a file does not tell
QUALITY = "18"  # CRF: small objects and thin lines stay what they are


def check_view(out: Path) -> None:
    """Raises ValueError, in one line, where a view of that name cannot be told, or would mix with pictures that are there."""
    if out.is_dir():
        if pictures := sorted(path.name for path in out.iterdir() if path.suffix.lower() in PICTURE_NAMES):
            raise ValueError(f"found pictures in it ({pictures[0]}), expected a new or empty folder")
    elif out.suffix and out.suffix.lower() not in VIDEO_NAMES:
        names = " or ".join(f"NAME{name}" for name in sorted(VIDEO_NAMES, reverse=True))
        raise ValueError(f"found the ending {out.suffix}, expected {names}, or a folder's name without a point")


def write_view(out: Path, frames: Iterable[tuple[float | None, Picture, Sequence[Box], Sequence[Region]]]) -> None:
    """Write every frame with its boxes and the regions looked at; time in s.

    Raises OSError where it cannot be written, ValueError as `check_view` does.
    """
    check_view(out)
    with VideoView(out) if out.suffix.lower() in VIDEO_NAMES else FolderView(out) as view:
        for time_s, picture, boxes, looked in frames:
            view.show(time_s, drawn(picture, boxes, looked))


class FolderView:
    """PNG files in a folder, which is made."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        folder.mkdir(exist_ok=True)

    def __enter__(self) -> FolderView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        pass

    def show(self, time_s: float | None, picture: Picture) -> None:
        packed = cv2.imencode(".png", picture)[1]
        (self._folder / f"{self._count:06}.png").write_bytes(packed.tobytes())
        self._count += 1


class VideoView:
    """A video of the first picture's size, made even; pictures of other sizes are scaled to it."""

    def __init__(self, path: Path) -> None:
        self._container: Any = av.open(str(path), "w")
        self._stream: Any = None
        self._tick = -1

    def __enter__(self) -> VideoView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def show(self, time_s: float | None, picture: Picture) -> None:
        if self._stream is None:
            self._stream = self._container.add_stream(
                "libx264", rate=30, options={"crf": QUALITY, "preset": "veryfast"}
            )
            self._stream.width, self._stream.height = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
            self._stream.pix_fmt, self._stream.codec_context.time_base = "yuv420p", Fraction(1, TICKS_A_S)
            self._stream.codec_context.thread_count = 1
        size_px = (self._stream.width, self._stream.height)
        if (picture.shape[1], picture.shape[0]) != size_px:
            picture = np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
        self._tick = self._tick + USUAL_STEP if time_s is None else max(self._tick + 1, round(TICKS_A_S * time_s))
        frame.pts, frame.time_base = self._tick, Fraction(1, TICKS_A_S)
        self._container.mux(self._stream.encode(frame))
