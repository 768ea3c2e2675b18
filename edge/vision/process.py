"""The vision process: packets in on stdin, results out on stdout.

    stdin ─▶ reader thread ─▶ queue ─▶ decode what the newest picture needs ─▶ look at it ─▶ follow ─▶ stdout

Looked at is only the newest picture that is there when the last look is done, camera after camera; decoded is what that
picture is built on, so what waits before a later key frame is passed over. A machine that is too slow for the whole budget, or
on which a camera's pictures overtake each other, looks at fewer regions, so that an answer comes in time: it looks less,
never late. Results cue the next picture: what was
seen a moment ago is looked at again, even when it hovers.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import cv2
import msgspec
import numpy as np

from edge.vision.canary import failed_canary, has_canaries
from edge.vision.decoder import Decoded, PacketDecoder, codec_of, is_key
from edge.vision.detector import CONFIDENCE, Box, Detector, Picture, Region, load_detector, spectrum_shown
from edge.vision.following import Following, cues_of, lowest_confidence
from edge.vision.held_camera import HeldCamera
from edge.vision.landmarks import Grey
from edge.vision.messages import (
    ALIVE,
    LARGEST_MESSAGE,
    LENGTH,
    Packet,
    Result,
    Settings,
    TurnFound,
    View,
    frame_message,
    to_found,
    to_regions,
    to_tuples,
    to_turn,
)
from edge.vision.picture_health import PictureHealth
from edge.vision.regions import BUDGET, REGION_PX, Outlook, half_grey
from edge.vision.spectrum import Spectrum

MOST_WAITING = 1024  # messages, half a minute of a 30 Hz camera; then the pipe backs up and the parent drops
MOST_WAITING_BYTES = 32 << 20  # JPEG packets may have 300 kB; as much again is in the hands of the decoder
SIGN_EVERY = 10  # packets decoded at a stretch: a slow box needs seconds for them, and its parent ends who is silent
LOOK_S = 0.4  # a look should take no longer; the tracker rewinds by some seconds, an alert should not wait for one
PACE_WEIGHT = 0.3  # how fast the measured cost of a region follows the last look's
FEWEST_REGIONS = 3  # one where something is expected, one where something moves, one of the sweep
CALM_LOOKS = 150  # ten seconds or so in which no picture was overtaken: then one region more is tried

SHOWS_NOTHING = ("black", "over-exposed", "frozen", "looped")  # of now

Incoming = Packet | Settings | View


@dataclass(slots=True)
class Pace:
    """How many regions of its budget a camera goes without, so that it keeps up with its own pictures."""

    spared: int = 0
    calm: int = 0  # looks since a picture was last overtaken

    def looked(self, overtaken: int) -> None:
        """One look is done; since the one before, so many pictures were overtaken by younger ones."""
        if overtaken:
            self.spared, self.calm = self.spared + 1, 0
        elif (calm := self.calm + 1) == CALM_LOOKS:
            self.spared, self.calm = max(self.spared - 1, 0), 0
        else:
            self.calm = calm

    def affordable(self, budget: int) -> int:
        self.spared = min(self.spared, max(budget - FEWEST_REGIONS, 0))
        return budget - self.spared


@dataclass(slots=True)
class Camera:
    """What the process keeps of one camera."""

    decoder: PacketDecoder = field(default_factory=PacketDecoder)
    outlook: Outlook = field(default_factory=Outlook)
    following: Following | None = None
    health: PictureHealth = field(default_factory=PictureHealth)
    held: HeldCamera | None = None  # of one that should stand still
    codec_name: str | None = None
    look_count: int = 0
    newest: Decoded | None = None
    arrived_s: float = 0.0
    cues: list[Region] = field(default_factory=list)
    seen: list[Region] = field(default_factory=list)
    skipped_count: int = 0
    pace: Pace = field(default_factory=Pace)


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

    def take_all(self, messages: Sequence[Incoming], live: Callable[[], None] = lambda: None) -> None:
        """Decode all that has come, but for what a later key frame makes needless; `live` is told now and then."""
        begin_at = self._last_keys(messages)
        taken_count = 0
        for index, message in enumerate(messages):
            if isinstance(message, Packet) and index < begin_at.get(message.sensor_id, 0):
                self._camera(message.sensor_id).skipped_count += 1
                continue
            self.take(message)
            taken_count += 1
            if taken_count % SIGN_EVERY == 0:
                live()

    def take(self, message: Incoming) -> None:
        """Decode a packet, or follow a setting."""
        if isinstance(message, Settings):
            self._follow(message)
            return
        if isinstance(message, View):
            self._camera(message.sensor_id).held = held_by(message)
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
        trouble = camera.health.see(decoded.monotonic_ns, grey, shift_px)
        turn = self._turn(camera, decoded.monotonic_ns, None if trouble in SHOWS_NOTHING else grey)
        skipped, camera.skipped_count = camera.skipped_count, 0
        camera.pace.looked(skipped)
        camera.outlook.budget = camera.pace.affordable(self._affordable())
        regions = camera.outlook.choose(grey, decoded.size_px, [*camera.cues, *camera.seen], shift_px)
        boxes = self._timed_look(picture, regions)
        seen = camera.following.tell(decoded.monotonic_ns, picture, boxes, self._confidence, trouble)
        camera.seen = cues_of(seen)
        camera.look_count += 1
        return Result(
            access_unit_ns=decoded.monotonic_ns,
            sensor_id=sensor_id,
            size_px=decoded.size_px,
            looked=to_tuples(regions),
            model_sha256=self._detector.model_sha256,
            provider=self._detector.provider,
            detections=to_found(seen),
            margin_px=self._detector.margins.of(spectrum_shown(self._detector, picture)),
            latency_ms=round((self._clock_s() - camera.arrived_s) * 1e3, 1),
            skipped_pictures=skipped,
            damaged_packets=camera.decoder.damaged_count,
            look=camera.look_count - 1,
            trouble=trouble or camera.following.drift.word,
            turn=turn,
        )

    @staticmethod
    def _turn(camera: Camera, monotonic_ns: int, grey: Grey | None) -> TurnFound | None:
        if camera.held is None:
            return None
        lock, turn = camera.held.lock, camera.held.see(monotonic_ns / 1e9, grey)
        return to_turn(lock, turn)

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


def held_by(view: View) -> HeldCamera:
    """A file of the alignment that is no picture counts as none."""
    data = np.frombuffer(view.aligned_picture, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    aligned = None if picture is None else half_grey(np.asarray(picture, np.uint8))
    return HeldCamera(view.lens, view.mounting, view.mounting_sigma_rad, aligned)


def run(
    model: Path,
    confidence: float,
    threads: int,
    source: BinaryIO,
    sink: BinaryIO,
    spectrum: Spectrum | None = None,
) -> None:
    """Serve until the input ends."""
    cv2.setNumThreads(1)
    detector = load_detector(model, lowest_confidence(confidence), threads=threads)
    detector.look(np.zeros((REGION_PX[1], REGION_PX[0], 3), np.uint8))  # the first run allocates
    if has_canaries(model) and (failure := failed_canary(detector)):
        send(sink, msgspec.json.encode({"ready": False, "reason": failure}))
        return
    detector.spectrum = spectrum  # of the camera, not of the canaries
    send(
        sink, msgspec.json.encode({"ready": True, "model_sha256": detector.model_sha256, "provider": detector.provider})
    )
    waiting = Waiting()
    threading.Thread(target=read_messages, args=(source, waiting), daemon=True).start()
    eyes = Eyes(detector, confidence)
    while True:
        messages = waiting.take_all()
        eyes.take_all([message for message in messages if message is not None], lambda: send(sink, ALIVE))
        results = eyes.look()
        for result in results:
            send(sink, msgspec.json.encode(result))
        if not results:
            send(sink, ALIVE)
        if None in messages:
            return


class Waiting:
    """Messages that have been read and not yet taken, bounded in number and bytes; None is the input's end."""

    def __init__(self) -> None:
        self._messages: list[Incoming | None] = []
        self._size = 0
        self._changed = threading.Condition()

    def put(self, message: Incoming | None, size: int = 0) -> None:
        """Add one of so many bytes; waits until it has room."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(size))
            self._messages.append(message)
            self._size += size
            self._changed.notify_all()

    def take_all(self) -> list[Incoming | None]:
        """All that has come; waits for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages)
            messages, self._messages, self._size = self._messages, [], 0
            self._changed.notify_all()
            return messages

    def _has_room(self, size: int) -> bool:
        full = len(self._messages) >= MOST_WAITING or self._size + size > MOST_WAITING_BYTES
        return not self._messages or not full


def read_messages(source: BinaryIO, waiting: Waiting) -> None:
    """Cut the input into messages; its end, or a length that cannot be, ends the process."""
    decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if length > LARGEST_MESSAGE or len(body := source.read(length)) < length:
            break
        try:
            waiting.put(decoder.decode(body), length)
        except msgspec.DecodeError as garbled:
            print(
                f"vision: found a message that is none ({garbled}), expected Packet, View or Settings", file=sys.stderr
            )
    waiting.put(None)


def send(sink: BinaryIO, body: bytes) -> None:
    sink.write(frame_message(body))
    sink.flush()
