"""Looking again at a recording: the same regions of the same access units, with the same model or another.

Packets go in as they were recorded; a recorded result names its access unit and where it looked. The answer has the
form of a result. With the same model on the same machine it is the same, but for the latency, which is not repeated.
Tracklets begin anew where the vision process did: at look 0.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import msgspec

from edge.vision.decoder import Decoded, PacketDecoder
from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, load_detector, spectrum_shown
from edge.vision.following import Following, lowest_confidence
from edge.vision.messages import Result, to_found, to_regions
from edge.vision.picture_health import PictureHealth
from edge.vision.regions import half_grey
from edge.vision.spectrum import Spectrum

KEPT_PICTURES = 60  # per camera, undecoded to BGR: results come at most 2 s after their packet at 30 Hz


class SecondLook:
    """One model, any number of cameras."""

    def __init__(
        self,
        model: Path = SHIPPED_MODEL,
        confidence: float = CONFIDENCE,
        threads: int = 1,
        spectrum: Spectrum | None = None,
    ) -> None:
        self._detector = load_detector(model, lowest_confidence(confidence), threads=threads, spectrum=spectrum)
        self._confidence = confidence
        self._followings: dict[str, Following] = {}
        self._healths: dict[str, PictureHealth] = {}
        self._decoders: dict[str, PacketDecoder] = {}
        self._pictures: dict[str, OrderedDict[int, Decoded]] = {}

    def take(self, sensor_id: str, monotonic_ns: int, data: bytes) -> None:
        """Decode the next packet of a camera."""
        decoder = self._decoders.setdefault(sensor_id, PacketDecoder())
        pictures = self._pictures.setdefault(sensor_id, OrderedDict())
        for decoded in decoder.decode(data, monotonic_ns):
            pictures[decoded.monotonic_ns] = decoded
            if len(pictures) > KEPT_PICTURES:
                pictures.popitem(last=False)

    def look_again(self, recorded: bytes) -> bytes | None:
        """The result's answer today, as JSON; None where its access unit has not come or is no picture any more."""
        result = msgspec.json.decode(recorded, type=Result)
        decoded = self._pictures.get(result.sensor_id, OrderedDict()).get(result.access_unit_ns)
        if decoded is None:
            return None
        if result.look == 0 or result.sensor_id not in self._followings:
            self._followings[result.sensor_id] = Following(self._detector)
            self._healths[result.sensor_id] = PictureHealth()
        following, picture = self._followings[result.sensor_id], decoded.bgr()
        grey = half_grey(picture)
        trouble = self._healths[result.sensor_id].see(result.access_unit_ns, grey, following.see(grey))
        boxes = self._detector.look(picture, to_regions(result.looked))
        seen = following.tell(result.access_unit_ns, picture, boxes, self._confidence, trouble)
        again = Result(
            access_unit_ns=result.access_unit_ns,
            sensor_id=result.sensor_id,
            size_px=decoded.size_px,
            looked=result.looked,
            model_sha256=self._detector.model_sha256,
            provider=self._detector.provider,
            detections=to_found(seen),
            margin_px=self._detector.margins.of(spectrum_shown(self._detector, picture)),
            skipped_pictures=result.skipped_pictures,
            damaged_packets=result.damaged_packets,
            look=result.look,
            trouble=trouble or following.drift.word,
            turn=result.turn,  # of the pictures, not of what was found in them
        )
        return msgspec.json.encode(again)
