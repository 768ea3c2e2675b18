"""The vision process: packets in on stdin, results out on stdout.

    stdin ─▶ reader thread ─▶ queue ─▶ decode every packet ─▶ the newest picture of each camera ─▶ look ─▶ stdout

Every packet is decoded, for the next needs it; looked at is only the newest picture that is there when the last look
is done, camera after camera. So a slow machine looks less often, never late. Results cue the next picture: what was
seen a moment ago is looked at again, even when it hovers.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.vision.decoder import Decoded, PacketDecoder
from edge.vision.detector import Detector, Region, load_detector
from edge.vision.messages import (
    ALIVE,
    LARGEST_MESSAGE,
    LENGTH,
    Packet,
    Result,
    Settings,
    frame_message,
    to_found,
    to_regions,
    to_tuples,
)
from edge.vision.regions import BUDGET, REGION_PX, Outlook

QUEUED_MESSAGES = 64  # 2 s of a 30 Hz camera; then the pipe backs up and the parent drops
OWN_CUES = 4  # detections of the last look that are looked at again first

Incoming = Packet | Settings


@dataclass(slots=True)
class Camera:
    """What the process keeps of one camera."""

    decoder: PacketDecoder = field(default_factory=PacketDecoder)
    outlook: Outlook = field(default_factory=Outlook)
    newest: Decoded | None = None
    arrived_s: float = 0.0
    cues: list[Region] = field(default_factory=list)
    seen: list[Region] = field(default_factory=list)
    skipped_count: int = 0


class Eyes:
    """All cameras and one model. Holds no pipe and asks no clock but for the latency it reports."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._cameras: dict[str, Camera] = {}
        self._budget = BUDGET

    def take(self, message: Incoming) -> None:
        """Decode a packet, or follow a setting."""
        if isinstance(message, Settings):
            self._follow(message)
            return
        if message.sensor_id not in self._cameras:
            self._cameras[message.sensor_id] = Camera(outlook=Outlook(self._budget))
        camera = self._cameras[message.sensor_id]
        if message.after_loss:
            camera.decoder.restart()
        camera.cues = to_regions(message.cues)
        for decoded in camera.decoder.decode(message.data, message.monotonic_ns):
            camera.skipped_count += camera.newest is not None
            camera.newest, camera.arrived_s = decoded, time.monotonic()

    def look(self) -> list[Result]:
        """One look at the newest picture of every camera that has one."""
        return [self._look(sensor_id, camera) for sensor_id, camera in self._cameras.items() if camera.newest]

    def _follow(self, settings: Settings) -> None:
        if settings.confidence is not None:
            self._detector.confidence = settings.confidence
        if settings.budget is not None:
            self._budget = max(1, settings.budget)
            for camera in self._cameras.values():
                camera.outlook.budget = self._budget

    def _look(self, sensor_id: str, camera: Camera) -> Result:
        decoded, camera.newest = camera.newest, None
        assert decoded is not None
        picture = decoded.bgr()
        regions = camera.outlook.choose(picture, [*camera.cues, *camera.seen])
        boxes = self._detector.look(picture, regions)
        camera.seen = [
            Region(int(b.x_px), int(b.y_px), int(b.width_px) + 1, int(b.height_px) + 1) for b in boxes[:OWN_CUES]
        ]
        skipped, camera.skipped_count = camera.skipped_count, 0
        return Result(
            access_unit_ns=decoded.monotonic_ns,
            sensor_id=sensor_id,
            size_px=decoded.size_px,
            looked=to_tuples(regions),
            model_sha256=self._detector.model_sha256,
            provider=self._detector.provider,
            detections=to_found(boxes),
            latency_ms=round((time.monotonic() - camera.arrived_s) * 1e3, 1),
            skipped_pictures=skipped,
            damaged_packets=camera.decoder.damaged_count,
        )


def run(model: Path, confidence: float, threads: int, source: BinaryIO, sink: BinaryIO) -> None:
    """Serve until the input ends."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    detector = load_detector(model, confidence, threads=threads)
    detector.look(np.zeros((REGION_PX[1], REGION_PX[0], 3), np.uint8))  # the first run allocates
    send(
        sink, msgspec.json.encode({"ready": True, "model_sha256": detector.model_sha256, "provider": detector.provider})
    )
    waiting: queue.Queue[Incoming | None] = queue.Queue(QUEUED_MESSAGES)
    threading.Thread(target=read_messages, args=(source, waiting), daemon=True).start()
    eyes = Eyes(detector)
    while True:
        messages = drain(waiting)
        for message in messages:
            if message is not None:
                eyes.take(message)
        results = eyes.look()
        for result in results:
            send(sink, msgspec.json.encode(result))
        if not results:
            send(sink, ALIVE)
        if None in messages:
            return


def drain(waiting: queue.Queue[Incoming | None]) -> list[Incoming | None]:
    """All that has come; waits for the first."""
    messages = [waiting.get()]
    while not waiting.empty():
        messages.append(waiting.get())
    return messages


def read_messages(source: BinaryIO, waiting: queue.Queue[Incoming | None]) -> None:
    """Cut the input into messages; its end, or a length that cannot be, ends the process."""
    decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if length > LARGEST_MESSAGE or len(body := source.read(length)) < length:
            break
        try:
            waiting.put(decoder.decode(body))
        except msgspec.DecodeError as garbled:
            print(f"vision: found a message that is none ({garbled}), expected Packet or Settings", file=sys.stderr)
    waiting.put(None)


def send(sink: BinaryIO, body: bytes) -> None:
    sink.write(frame_message(body))
    sink.flush()
