"""What a camera's detector found: one reading is one picture that was looked at, one scan.

A reading of "<camera>/vision" is JSON:

    {"access_unit_ns": monotonic ns of the camera's reading that was looked at, "sensor_id": the camera,
     "size_px": [w, h], "looked": [[x, y, w, h], ...], "model_sha256": ..., "provider": ...,
     "detections": [{"class": ..., "confidence": 0..1, "x": ..., "y": ..., "w": ..., "h": ..., "classes": {...}}, ...],
     "margin_px": by how much boxes are larger than what they show, "trouble": "" or what is wrong with the picture,
     "turn": null or how the camera is turned (`camera_turn.py`)}

Pixels, x and y of the top-left corner. A detection is a bearing: azimuth and elevation of the box's middle, no range.

A detection may also have "classes": {class: probability, ...}, adding up to 1: what it is, by all looks of its tracklet in
the picture. Then each has its probability times the confidence, else the class that it names has the confidence; "unknown"
has the rest. A class that we do not know is "unknown". That is a plain reading of the confidence, which is not calibrated;
the tracker weighs it over time. With "tracklet", the number of that, above 0, the newest stands in place of the earlier ones
of the same number; after 1.5 s without one the number may be another's.

It may have "speed_px_s": [across, down], how fast its tracklet moves through the picture; with a lens that tells its rolling
shutter's readout (`fusion/camera.py`), the direction is that at the picture's time.

Boxes are drawn larger than what they show, by "margin_px" where the detector tells: it is taken off before the box's width is
an angular size. A third of the box is left at least, for the box of a far object is a few pixels out.

A picture that does not show what is there now gives no scan: neither what is in it nor what is missing says anything. One
that is blurred or covered gives its detections, and misses nothing. One that is unlike what the detector was trained on gives
both; how well it is looked at, nobody has measured. Each is told once, when it begins and when it ends.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from firmware_interfaces.camera_turn import CameraTurn
from firmware_interfaces.decoder import Counts, Rejected
from firmware_interfaces.mounting import Mounting
from fusion.camera import Lens, angle_between, pixel_to_direction, row_time_s
from fusion.types import (
    CLASSES,
    MOST_TRACKLETS,
    Detection,
    FloatArray,
    Limits,
    Look,
    Pointing,
    Reading,
    Scan,
    Sensor,
    Status,
)

MAX_READING_BYTES = 1_000_000
MAX_DETECTIONS = 500  # more in one picture is a detector gone mad
MAX_REGIONS = 256
MAX_CLASSES = 1000  # models of a thousand classes exist
FASTEST_PX_S = 1e5  # an insect before a narrow lens
ROUNDED = 0.01  # probabilities are written with few digits
EDGE_POINTS = 9  # along each side of a region; a distorted side is a curve
LEAST_EXTENT = 1 / 3  # of a box that its object fills at least; a margin takes no more
LARGEST_MARGIN_PX = 1000.0
SAME_ASPECT = 0.01  # 1920x1080 and 1280x720 are the same picture in another size
SHOWS_NOTHING = {
    "frozen": "the picture stands still: restart the camera; if it stays so, look for what feeds its stream",
    "looped": "the same film comes again and again: someone may feed the stream; check the camera and its network",
    "black": "the picture is black: lens cap, iris, or a night without infrared light",
    "over-exposed": "the picture is all white: sun or a lamp in the lens, a laser, or a wrong exposure setting",
}
SHOWS_LESS = {
    "covered": "the picture has lost its contrast: a cloth, snow or webs on the lens, or fog; look and clean it",
    "blurred": "the picture has lost its fine detail: focus it, dry or clean the lens",
}
SHOWS_OTHER = {
    "drifted scores": "the detector is less sure or surer here than with nearly all it was trained on: look at what it finds",
    "drifted sizes": "what is found here is smaller or larger than nearly all that the detector was trained on",
    "drifted pictures": "the pictures are darker, brighter or flatter than nearly all that the detector was trained on",
}
TROUBLES = SHOWS_NOTHING | SHOWS_LESS | SHOWS_OTHER


class Decoder:
    """Readings of the detector in, scans of the camera and the health of its picture out."""

    def __init__(
        self, sensor: Sensor, lens: Lens, min_confidence: float = 0.0, classes: Mapping[str, str] | None = None
    ) -> None:
        """classes: what the model's classes are called here; those left out keep their names."""
        self._classes = classes or {}
        self._sensor, self._lens, self._min_confidence = sensor, lens, min_confidence
        self._mounting = Mounting(sensor)
        self._range_m: Limits = (0.0, math.inf) if sensor.coverage is None else sensor.coverage.slant_range_m
        self._fault: str | None = None
        self._trouble = ""
        self._turn = CameraTurn(sensor)
        self.counts = Counts()

    @property
    def kept_bytes(self) -> int:
        """Nothing is kept: a reading is whole."""
        return 0

    def feed(self, reading: Reading) -> list[Scan | Status | Pointing]:
        """Where the camera pointed, the picture's health where it changes, and the scan that this reading tells of."""
        self.counts.bytes += len(reading.data)
        try:
            found = parse(reading.data)
            trouble = trouble_of(found)
            scan = self._scan(found, reading)
            pointing = None if found.get("turn") is None else self._turn.heard(found["turn"], scan.time_ns)
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            self._fault = str(rejected)
            return []
        self.counts.decoded["look"] += 1
        self._fault = None
        facts: list[Scan | Status | Pointing] = [] if pointing is None else [pointing]
        facts += [] if trouble == self._trouble else [self._status(trouble, scan.time_ns)]
        self._trouble = trouble
        if trouble in SHOWS_NOTHING:
            return facts
        return [*facts, replace(scan, looked=()) if trouble in SHOWS_LESS else scan]

    def diagnosis(self) -> str | None:
        """What is wrong with the last reading, or with how the camera hangs."""
        if self._fault is not None:
            return f"the detector's last reading was refused: {self._fault}"
        return self._turn.diagnosis()

    def _status(self, trouble: str, time_ns: int) -> Status:
        level = "ok" if not trouble else "fault" if trouble in SHOWS_NOTHING else "warning"
        return Status(self._sensor.sensor_id, time_ns, level, TROUBLES.get(trouble, ""))

    def _scan(self, found: dict[str, Any], reading: Reading) -> Scan:
        scale = self._scale(found)
        age_ns = reading.monotonic_ns - int(numbers([found.get("access_unit_ns")], 1)[0])
        looked = tuple(self._look(box(region) * scale) for region in rows(found, "looked", MAX_REGIONS))
        margin_px = margin_of(found)
        detections = [self._detection(row, scale, margin_px) for row in rows(found, "detections", MAX_DETECTIONS)]
        return Scan(
            self._sensor.sensor_id,
            reading.received_ns - age_ns - self._sensor.latency_ns,
            looked,
            tuple(detection for detection in detections if detection.confidence >= self._min_confidence),
        )

    def _scale(self, found: dict[str, Any]) -> FloatArray:
        """From the picture's pixels to the lens's, as (x, y, x, y): a smaller stream shows the same view."""
        width, height = numbers(found.get("size_px"), 2)
        lens_width, lens_height = self._lens.size_px
        if width <= 0 or height <= 0 or abs(width * lens_height / (height * lens_width) - 1.0) > SAME_ASPECT:
            raise Rejected("size", f"pictures are {width:g} x {height:g}, the lens is for {lens_width} x {lens_height}")
        return np.array([lens_width / width, lens_height / height] * 2)

    def _detection(self, row: Any, scale: FloatArray, margin_px: float) -> Detection:
        if not isinstance(row, dict):
            raise Rejected("field", "a detection is no object")
        original = box([row.get(name) for name in "xywh"])
        (confidence,) = numbers([row.get("confidence")], 1)
        if not 0.0 <= confidence <= 1.0:
            raise Rejected("range", f"confidence is {confidence:g}, expected 0..1")
        x, y, width, height = original * scale
        late_s = row_time_s(self._lens, y + height / 2)
        x, y = np.array([x, y]) - late_s * scale[:2] * self._speed(row)
        middle = np.array([x + width / 2, y + height / 2])
        shown = np.maximum(original[2:] - margin_px, LEAST_EXTENT * original[2:]) * scale[2:]
        across, down = np.diag(shown / 2)
        center, left, right, top, bottom = pixel_to_direction(
            self._lens, np.array([middle, middle - across, middle + across, middle - down, middle + down])
        )
        left_px, top_px, width_px, height_px = (float(v) for v in original)
        return Detection(
            self._mounting.level(*azimuth_elevation(center)),
            confidence,
            classes_of(renamed(votes_of(row), self._classes), confidence),
            (left_px, top_px, width_px, height_px),
            max(angle_between(left, right), angle_between(top, bottom)),
            tracklet=tracklet_of(row),
        )

    @staticmethod
    def _speed(row: dict[str, Any]) -> FloatArray:
        """Across and down the picture, pixels a second, shape (2,); a detector that links nothing tells none."""
        speed = np.array(numbers(row.get("speed_px_s", (0.0, 0.0)), 2), float)
        if not (np.abs(speed) < FASTEST_PX_S).all():
            raise Rejected("range", f"speed_px_s is {speed.tolist()}, expected less than {FASTEST_PX_S:g} either way")
        return speed

    def _look(self, region: FloatArray) -> Look:
        """The largest range of azimuth and elevation that lies inside a region of the picture."""
        x, y, width, height = region
        along = np.linspace(0.0, 1.0, EDGE_POINTS)
        ones = np.ones(EDGE_POINTS)
        sides = {
            "left": (x * ones, y + height * along),
            "right": ((x + width) * ones, y + height * along),
            "top": (x + width * along, y * ones),
            "bottom": (x + width * along, (y + height) * ones),
        }
        azimuth, elevation = {}, {}
        for name, (xs, ys) in sides.items():
            direction = pixel_to_direction(self._lens, np.stack([xs, ys], axis=-1))
            azimuth[name] = np.arctan2(direction[:, 0], direction[:, 1])
            elevation[name] = np.arcsin(np.clip(direction[:, 2], -1.0, 1.0))
        return Look(
            self._sensor.orientation,
            (float(azimuth["left"].max()), float(azimuth["right"].min())),
            (float(elevation["bottom"].max()), float(elevation["top"].min())),
            self._range_m,
        )


def parse(data: bytes) -> dict[str, Any]:
    """The reading's object. Raises Rejected."""
    if len(data) > MAX_READING_BYTES:
        raise Rejected("length", f"{len(data)} bytes, highest allowed is {MAX_READING_BYTES}")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Rejected("json", "not JSON") from error
    if not isinstance(found, dict):
        raise Rejected("json", "not an object")
    return found


def trouble_of(found: dict[str, Any]) -> str:
    """What is wrong with the picture. Raises Rejected."""
    told = found.get("trouble", "")
    if not isinstance(told, str) or (told != "" and told not in TROUBLES):
        raise Rejected("field", f"trouble is {str(told)[:40]!r}, expected one of {', '.join(TROUBLES)}")
    return told


def margin_of(found: dict[str, Any]) -> float:
    """By how much the boxes are larger than what they show, px. Raises Rejected."""
    (margin_px,) = numbers([found.get("margin_px", 0.0)], 1)
    if not 0.0 <= margin_px <= LARGEST_MARGIN_PX:
        raise Rejected("range", f"margin_px is {margin_px:g}, expected 0 to {LARGEST_MARGIN_PX:g}")
    return margin_px


def rows(found: dict[str, Any], name: str, most: int) -> list[Any]:
    """A list of the object. Raises Rejected."""
    value = found.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise Rejected("field", f"{name} is no list of at most {most}")
    return value


def numbers(value: Any, count: int) -> tuple[float, ...]:
    """So many finite numbers. Raises Rejected."""
    if not isinstance(value, Iterable) or isinstance(value, str | dict):
        raise Rejected("field", f"expected {count} numbers")
    found = tuple(value)
    if len(found) != count or not all(isinstance(v, int | float) and abs(v) < 1e19 for v in found):
        raise Rejected("field", f"expected {count} numbers")
    return found


def box(value: Any) -> FloatArray:
    """x, y, width, height in pixels, shape (4,). Raises Rejected."""
    found = np.array(numbers(value, 4), float)
    if not (np.abs(found) < 1e5).all() or found[2] <= 0.0 or found[3] <= 0.0:
        raise Rejected("range", "a box lies outside all pictures or has no area")
    return found


def azimuth_elevation(direction: FloatArray) -> tuple[float, float]:
    """From the boresight, positive to the right; from the plane of x and y, positive up. Body axes, shape (3,)."""
    x, y, z = (float(v) for v in direction)
    return math.atan2(x, y), math.atan2(z, math.hypot(x, y))


def votes_of(row: dict[str, Any]) -> dict[str, float]:
    """What a detection is, given that it is something: its tracklet's classes, else the one it names. Raises Rejected."""
    votes = row.get("classes")
    if not votes:
        return {str(row.get("class")): 1.0}
    if not isinstance(votes, dict) or len(votes) > MAX_CLASSES:
        raise Rejected("field", f"classes is no object of at most {MAX_CLASSES} probabilities")
    shares = numbers(votes.values(), len(votes))
    if min(shares) < 0.0 or abs(sum(shares) - 1.0) > ROUNDED:
        raise Rejected("range", f"the probabilities of classes add up to {sum(shares):g}, expected 1")
    return dict(zip(votes, shares, strict=True))


def tracklet_of(row: dict[str, Any]) -> int:
    """The number of its tracklet, where its classes are told by all looks of that; else 0. Raises Rejected."""
    number = row.get("tracklet", 0) if row.get("classes") else 0
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MOST_TRACKLETS:
        raise Rejected("range", f"tracklet is {number}, expected 0 to {MOST_TRACKLETS}")
    return number


def renamed(votes: dict[str, float], classes: Mapping[str, str]) -> dict[str, float]:
    """Votes by our classes; several of a model's classes may be one of ours."""
    ours: dict[str, float] = {}
    for name, share in votes.items():
        meant = classes.get(name, name)
        ours[meant] = ours.get(meant, 0.0) + share
    return ours


def classes_of(votes: dict[str, float], confidence: float) -> tuple[tuple[str, float], ...]:
    """Probabilities of the classes that have any, in the order of CLASSES, adding up to 1."""
    known = [(name, confidence * votes[name]) for name in CLASSES if name != "unknown" and votes.get(name, 0.0) > 0.0]
    return (*known, ("unknown", 1.0 - math.fsum(probability for _, probability in known)))
