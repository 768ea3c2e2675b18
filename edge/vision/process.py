"""The vision process: packets in on stdin, results out on stdout.

    stdin ─▶ reader thread ─▶ queue ─▶ decode what the newest picture needs ─▶ look at it ─▶ follow ─▶ stdout

Looked at is only the newest picture that is there when the last look is done, camera after camera; decoded is what that
picture is built on, so what waits before a later key frame is passed over. A machine that is too slow for the whole budget
looks at fewer regions, so that an answer comes in time: it looks less, never late. Results cue the next picture: what was
seen a moment ago is looked at again, even when it hovers.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.vision.decoder import Decoded, PacketDecoder, codec_of, is_key
from edge.vision.detector import CONFIDENCE, Box, Detector, Picture, Region, load_detector
from edge.vision.following import Following, lowest_confidence
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
from edge.vision.regions import BUDGET, REGION_PX, Outlook, half_grey

QUEUED_MESSAGES = 1024  # half a minute of a 30 Hz camera; then the pipe backs up and the parent drops
OWN_CUES = 4  # detections of the last look that are looked at again first
LOOK_S = 0.4  # a look should take no longer; the tracker rewinds by some seconds, an alert should not wait for one
PACE_WEIGHT = 0.3  # how fast the measured cost of a region follows the last look's
FEWEST_REGIONS = 3  # one where something is expected, one where something moves, one of the sweep

Incoming = Packet | Settings


@dataclass(slots=True)
class Camera:
    """What the process keeps of one camera."""

    decoder: PacketDecoder = field(default_factory=PacketDecoder)
    outlook: Outlook = field(default_factory=Outlook)
    following: Following | None = None
    codec_name: str | None = None
    look_count: int = 0
    newest: Decoded | None = None
    arrived_s: float = 0.0
    cues: list[Region] = field(default_factory=list)
    seen: list[Region] = field(default_factory=list)
    skipped_count: int = 0


class Eyes:
    """All cameras and one model. Asks the clock only how long a look took: for the next one's budget, and to report it."""

    def __init__(
        self, detector: Detector, confidence: float = CONFIDENCE, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock_s = clock_s
        self._detector, self._confidence = detector, confidence
        detector.confidence = lowest_confidence(confidence)
        self._cameras: dict[str, Camera] = {}
        self._budget = BUDGET
        self._region_s: float | None = None  # what one region cost lately

    def take_all(self, messages: Sequence[Incoming]) -> None:
        """Decode all that has come, but for what a later key frame makes needless."""
        begin_at = self._last_keys(messages)
        for index, message in enumerate(messages):
            if isinstance(message, Packet) and index < begin_at.get(message.sensor_id, 0):
                self._camera(message.sensor_id).skipped_count += 1
            else:
                self.take(message)

    def take(self, message: Incoming) -> None:
        """Decode a packet, or follow a setting."""
        if isinstance(message, Settings):
            self._follow(message)
            return
        camera = self._camera(message.sensor_id)
        if message.after_loss:
            camera.decoder.restart()
        camera.cues = to_regions(message.cues)
        for decoded in camera.decoder.decode(message.data, message.monotonic_ns):
            if message.is_past:
                continue
            camera.skipped_count += camera.newest is not None
            camera.newest, camera.arrived_s = decoded, self._clock_s()

    def look(self) -> list[Result]:
        """One look at the newest picture of every camera that has one."""
        return [self._look(sensor_id, camera) for sensor_id, camera in self._cameras.items() if camera.newest]

    def _camera(self, sensor_id: str) -> Camera:
        if sensor_id not in self._cameras:
            self._cameras[sensor_id] = Camera(following=Following(self._detector))
        return self._cameras[sensor_id]

    def _last_keys(self, messages: Sequence[Incoming]) -> dict[str, int]:
        """Of each camera, the last message with which its stream can begin."""
        keys: dict[str, int] = {}
        for index, message in enumerate(messages):
            if isinstance(message, Packet):
                camera = self._camera(message.sensor_id)
                camera.codec_name = codec_of(message.data) or camera.codec_name
                if is_key(message.data, camera.codec_name):
                    keys[message.sensor_id] = index
        return keys

    def _follow(self, settings: Settings) -> None:
        if settings.confidence is not None:
            self._confidence = settings.confidence
            self._detector.confidence = lowest_confidence(settings.confidence)
        if settings.budget is not None:
            self._budget = max(1, settings.budget)

    def _look(self, sensor_id: str, camera: Camera) -> Result:
        decoded, camera.newest = camera.newest, None
        assert decoded is not None
        assert camera.following is not None
        picture = decoded.bgr()
        grey = half_grey(picture)
        shift_px = camera.following.see(grey)
        camera.outlook.budget = self._affordable()
        regions = camera.outlook.choose(grey, decoded.size_px, [*camera.cues, *camera.seen], shift_px)
        boxes = self._timed_look(picture, regions)
        seen = camera.following.tell(decoded.monotonic_ns, boxes, self._confidence)
        camera.seen = [around(one.box) for one in seen[:OWN_CUES]]
        skipped, camera.skipped_count = camera.skipped_count, 0
        camera.look_count += 1
        return Result(
            access_unit_ns=decoded.monotonic_ns,
            sensor_id=sensor_id,
            size_px=decoded.size_px,
            looked=to_tuples(regions),
            model_sha256=self._detector.model_sha256,
            provider=self._detector.provider,
            detections=to_found(seen),
            latency_ms=round((self._clock_s() - camera.arrived_s) * 1e3, 1),
            skipped_pictures=skipped,
            damaged_packets=camera.decoder.damaged_count,
            look=camera.look_count - 1,
        )

    def _affordable(self) -> int:
        """How many regions a look may have, by what they cost lately."""
        if self._region_s is None:
            return self._budget
        return min(self._budget, max(FEWEST_REGIONS, int(LOOK_S / self._region_s)))

    def _timed_look(self, picture: Picture, regions: Sequence[Region]) -> list[Box]:
        begun_s = self._clock_s()
        boxes = self._detector.look(picture, regions)
        area_px = sum(region.width_px * region.height_px for region in regions)
        cost_s = (self._clock_s() - begun_s) / max(1.0, area_px / (REGION_PX[0] * REGION_PX[1]))
        self._region_s = cost_s if self._region_s is None else self._region_s + PACE_WEIGHT * (cost_s - self._region_s)
        return boxes


def around(box: Box) -> Region:
    return Region(int(box.x_px), int(box.y_px), int(box.width_px) + 1, int(box.height_px) + 1)


def run(model: Path, confidence: float, threads: int, source: BinaryIO, sink: BinaryIO) -> None:
    """Serve until the input ends."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    detector = load_detector(model, lowest_confidence(confidence), threads=threads)
    detector.look(np.zeros((REGION_PX[1], REGION_PX[0], 3), np.uint8))  # the first run allocates
    send(
        sink, msgspec.json.encode({"ready": True, "model_sha256": detector.model_sha256, "provider": detector.provider})
    )
    waiting: queue.Queue[Incoming | None] = queue.Queue(QUEUED_MESSAGES)
    threading.Thread(target=read_messages, args=(source, waiting), daemon=True).start()
    eyes = Eyes(detector, confidence)
    while True:
        messages = drain(waiting)
        eyes.take_all([message for message in messages if message is not None])
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
