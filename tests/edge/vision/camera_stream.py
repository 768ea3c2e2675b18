"""Rendered scenes as a camera would send them: encoded for real by FFmpeg's encoders."""

from fractions import Fraction

import av
import numpy as np

from edge.simulator.scenery import Scenery, Sprite

FRAMES_PER_S = 10


def encode(
    pictures: list[np.ndarray], codec: str = "libx264", key_every: int = 250, b_frames: int = 0, crf: int = 23
) -> list[bytes]:
    """One access unit a picture, in the order a camera sends them."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = pictures[0].shape[:2]
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAMES_PER_S), FRAMES_PER_S
    if codec != "mjpeg":
        encoder.max_b_frames, encoder.gop_size = b_frames, key_every
        encoder.options = {"preset": "ultrafast", "crf": str(crf), "threads": "1", "x265-params": "log-level=none"}
        if not b_frames:
            encoder.options |= {"tune": "zerolatency"}
        else:
            encoder.options |= {"x264-params": f"bframes={b_frames}:b-adapt=0"}
    packets = []
    for number, picture in enumerate([*pictures, None]):
        frame = None
        if picture is not None:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=encoder.pix_fmt)
            frame.pts = number
        packets += [(packet.pts, bytes(packet)) for packet in encoder.encode(frame)]
    return [data for _, data in packets]


def flight(size_px: tuple[int, int], frames: int, seed: int = 4, width_px: float = 24.0) -> list[np.ndarray]:
    """A drone that crosses the sky at 8 px a frame."""
    scenery = Scenery(size_px, seed, cloudiness=0.3)
    y_px = 0.35 * size_px[1]
    return [scenery.render([Sprite("drone", 60.0 + 8 * n, y_px, width_px, 1.0)], n) for n in range(frames)]
