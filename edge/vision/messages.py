"""What the vision process and its parent say to each other over a pipe.

Every message is four bytes of length, big-endian, then so many bytes. To the process: msgpack, `Packet`, `View` or `Settings`.
From it: JSON, first `{"ready": true, …}`, then a `Result` for each picture looked at; or `{"ready": false, "reason": …}`,
where a canary fails. A result goes through the door and into the recording as it is, so it says all that is needed to look
again: which access unit, where, which model.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from edge.vision.detector import Region
from edge.vision.image_tracks import Seen
from edge.vision.landmark_lock import LandmarkLock, Turn
from fusion.camera import Lens
from fusion.types import Orientation

LENGTH = struct.Struct(">I")
ALIVE = b'{"alive":true}'  # said instead of a result when packets have come but no picture to look at
LARGEST_MESSAGE = 16 << 20  # bytes; a packet of 8 MB and its cues fit, a garbled length does not


class Packet(msgspec.Struct, tag="packet", frozen=True):
    """One access unit of a camera, and where the parent expects something in its picture."""

    sensor_id: str
    monotonic_ns: int
    data: bytes
    cues: list[tuple[int, int, int, int]] = []
    after_loss: bool = False  # packets before this one were left out
    is_past: bool = False  # only for what is built on it: a younger packet of this camera follows at once


class View(msgspec.Struct, tag="view", frozen=True):
    """A camera that should stand still, so that its landmarks tell how it hangs: its lens and mounting by the site file."""

    sensor_id: str
    lens: Lens
    mounting: Orientation
    mounting_sigma_rad: float
    aligned_picture: bytes = b""  # by which it was aligned, as a file; empty: none


class Settings(msgspec.Struct, tag="settings", frozen=True):
    """How to look from now on."""

    confidence: float | None = None
    budget: int | None = None  # regions a picture


class Found(msgspec.Struct, frozen=True, rename={"class_name": "class"}):
    """One detection, pixels of the whole picture, x and y of the top left corner."""

    class_name: str  # the likeliest
    confidence: float
    x: float
    y: float
    w: float
    h: float
    classes: dict[str, float] = {}  # what it is, given that it is one of them: by all looks of its tracklet
    tracklet: int = 0  # number within this camera's `looks`; 0: not linked
    speed_px_s: tuple[float, float] = (0.0, 0.0)  # across and down the picture


class TurnFound(msgspec.Struct, frozen=True):
    """How a fixed camera hangs against how it hung; without a turn where its landmarks do not tell."""

    is_learned: bool  # what its landmarks are
    landmarks: int
    agreeing: int
    right_rad: float | None = None
    up_rad: float | None = None
    roll_rad: float | None = None  # right side down
    sigma_rad: tuple[float, float, float] | None = None  # of each
    by_alignment: bool | None = None  # against how it hung in the picture by which it was aligned; null: there is none


class Result(msgspec.Struct, frozen=True, omit_defaults=False):
    """One look of one camera."""

    access_unit_ns: int  # monotonic_ns of the camera's reading
    sensor_id: str
    size_px: tuple[int, int]
    looked: list[tuple[int, int, int, int]]
    model_sha256: str
    provider: str
    detections: list[Found]
    latency_ms: float | None = None  # from the packet's arrival in the process to this answer
    skipped_pictures: int = 0  # since the last look: decoded, but an even newer one was there
    damaged_packets: int = 0  # of this camera since the process began
    look: int = 0  # number of this camera's looks before this one, since the process began
    margin_px: float = 0.0  # by which the boxes are larger than what they show
    trouble: str = ""  # of the picture: a word of `picture_health`; else of `drift`
    turn: TurnFound | None = None  # None: a camera that may turn


def to_found(seen: Sequence[Seen]) -> list[Found]:
    return [
        Found(
            max(one.classes, key=lambda vote: vote[1])[0],
            one.box.confidence,
            one.box.x_px,
            one.box.y_px,
            one.box.width_px,
            one.box.height_px,
            dict(one.classes),
            one.number,
            (round(one.speed_px_s[0], 1), round(one.speed_px_s[1], 1)),
        )
        for one in seen
    ]


def to_turn(lock: LandmarkLock, turn: Turn | None) -> TurnFound:
    told = TurnFound(lock.is_learned, lock.landmarks, lock.agreeing, by_alignment=lock.by_alignment)
    if turn is None:
        return told
    right, up, roll = (round(angle, 7) for angle in (turn.right_rad, turn.up_rad, turn.roll_rad))
    sigma = tuple(round(each, 7) for each in turn.sigma_rad)
    return msgspec.structs.replace(told, right_rad=right, up_rad=up, roll_rad=roll, sigma_rad=sigma)


def to_tuples(regions: Sequence[Region]) -> list[tuple[int, int, int, int]]:
    return [(r.x_px, r.y_px, r.width_px, r.height_px) for r in regions]


def to_regions(tuples: Sequence[tuple[int, int, int, int]]) -> list[Region]:
    return [Region(*rectangle) for rectangle in tuples]


def frame_message(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body
