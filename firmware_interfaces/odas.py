"""ODAS: directions of sound from a microphone array, tracked (port 9000) or potential (port 9001).

    {
        "timeStamp": 41890,                          counts hops of the array (8 ms or so), not time
        "src": [ { "id": 12, "tag": "dynamic", "x": 0.590, "y": 0.679, "z": 0.430, "activity": 0.660 }, ... ]
    }{ ...                                           several lines an object, one behind the other with nothing between

ODAS connects to us. x, y, z is a unit vector in the array's own frame, as its microphones are measured in ODAS's
configuration: x right, y forward along the boresight, z up is expected here. id 0 is an empty slot. There is no range, and
nothing tells what makes the sound: a voice or a car is a direction as well. Potential sources ("E" instead of an id) are
read and not used: most of them are nothing.

Source: ODAS (introlab/odas), sinks of SSL and SST. Not seen on a wire by us.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose
from firmware_interfaces.json_lines import number, read_json
from firmware_interfaces.mounting import Mounting
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.scan_times import ScanTimes
from fusion.types import Detection, Reading, Scan, Sensor

MAX_OBJECT_BYTES = 16_384
MAX_SOURCES = 64
SYNC = re.compile(rb"\{")
MARK = re.compile(rb'["{}]')
TEXT_END = re.compile(rb'[\\"]')
AGAIN = re.compile(rb'\{\s*"timeStamp"')  # an object begins so, and never another inside it
FIRST_PERIOD_NS = 8_000_000
LENGTH_TOLERANCE = 0.1  # of a unit vector printed with three digits


@dataclass(frozen=True, slots=True)
class Source:
    """One direction."""

    number: int | None  # ODAS's own; None: potential only
    tag: str
    x: float
    y: float
    z: float
    activity: float  # 0..1; of a potential source its energy


@dataclass(frozen=True, slots=True)
class Look:
    """One object: all that is heard at one hop."""

    time_stamp: int
    sources: tuple[Source, ...]  # empty slots left out


class Looks:
    """Bytes in, objects out."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.stream: FramedStream[Look] = FramedStream(SYNC, 1, _object_at, self.counts)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Look]]:
        """The objects that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Look]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Look]]) -> list[Framed[Look]]:
        self.counts.decoded["look"] += len(found)
        return found


def _object_at(buffer: bytearray, start: int) -> Found[Look] | None:
    """The object that begins here: to the brace that closes it, texts passed over."""
    limit = start + MAX_OBJECT_BYTES
    if (again := AGAIN.search(buffer, start + 1, limit)) is not None:
        limit = again.start()
    depth, place = 0, start
    while (mark := MARK.search(buffer, place, limit)) is not None:
        byte, place = buffer[mark.start()], mark.end()
        if byte == 0x22:
            place = _behind_text(buffer, place, limit)
            continue
        depth += 1 if byte == 0x7B else -1
        if depth == 0:
            return Found(parse(bytes(buffer[start:place])), place - start, 2)  # and a line end
    if again is not None:
        raise Rejected("cut", "the next object begins inside this one")
    if len(buffer) >= limit:
        raise Rejected("length", f"an object is longer than {MAX_OBJECT_BYTES} bytes")
    return None


def _behind_text(buffer: bytearray, place: int, limit: int) -> int:
    while (end := TEXT_END.search(buffer, place, limit)) is not None:
        if buffer[end.start()] == 0x22:
            return end.end()
        place = end.end() + 1
    return limit


def parse(text: bytes) -> Look:
    """One object. Raises Rejected."""
    found, _ = read_json(text)
    stamp = number(found.get("timeStamp")) if isinstance(found, dict) else None
    sources = found.get("src") if isinstance(found, dict) else None
    if stamp is None or not isinstance(sources, list) or len(sources) > MAX_SOURCES:
        raise Rejected("field", "an object without timeStamp and src")
    heard = [_source(entry) for entry in sources]
    return Look(int(stamp), tuple(source for source in heard if source is not None))


def _source(entry: Any) -> Source | None:
    """A direction; None: an empty slot. Raises Rejected."""
    if not isinstance(entry, dict):
        raise Rejected("field", "a source that is no object")
    x, y, z = (number(entry.get(axis)) for axis in "xyz")
    rating = number(entry.get("activity", entry.get("E")))
    own = number(entry.get("id")) if "id" in entry else None
    if x is None or y is None or z is None or rating is None or ("id" in entry and own is None):
        raise Rejected("field", "a source without x, y, z and activity")
    if own == 0 or x == y == z == 0.0:
        return None
    if abs(math.sqrt(x * x + y * y + z * z) - 1.0) > LENGTH_TOLERANCE:
        raise Rejected("range", "a direction that is no unit vector")
    tag = entry.get("tag")
    text = clean_text(tag.encode("ascii", "replace")[:40]) if isinstance(tag, str) else None
    return Source(None if own is None else int(own), text or "", x, y, z, rating)


class Decoder:
    """Readings in; a scan an object out, with the tracked sources that are active."""

    def __init__(self, sensor: Sensor, min_activity: float = 0.3) -> None:
        self._sensor, self._mounting, self._min_activity = sensor, Mounting(sensor), min_activity
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._looks = Looks()
        self.counts: Counts = self._looks.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished object."""
        return self._looks.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Scan]:
        """The scans that this reading completes."""
        looks = [framed.message for framed in self._looks.feed(reading.data, reading.monotonic_ns)]
        times_ns = self._times.of([look.time_stamp for look in looks], reading.received_ns)
        return [self._scan(look, time_ns) for look, time_ns in zip(looks, times_ns, strict=True)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "ODAS object", "set its sink's format to json")) is not None:
            return told
        if self.counts.remarks["potential source"] > 0 and self.counts.remarks["tracked source"] == 0:
            return "potential sources only: connect the tracked ones (SST, usually port 9000)"
        return None

    def _scan(self, look: Look, time_ns: int) -> Scan:
        tracked = [source for source in look.sources if source.number is not None]
        self.counts.remarks["tracked source"] += len(tracked)
        self.counts.remarks["potential source"] += len(look.sources) - len(tracked)
        heard = [source for source in tracked if source.activity >= self._min_activity]
        axes = np.array([(source.x, source.y, source.z) for source in heard], float).reshape(-1, 3)
        azimuth_rad = np.arctan2(axes[:, 0], axes[:, 1])
        elevation_rad = np.arctan2(axes[:, 2], np.hypot(axes[:, 0], axes[:, 1]))
        polars = self._mounting.level_all(azimuth_rad, elevation_rad)
        ratings = [min(max(source.activity, 0.0), 1.0) for source in heard]
        found = tuple(Detection(polar, rating) for polar, rating in zip(polars, ratings, strict=True))
        return Scan(self._sensor.sensor_id, time_ns, None, found)


def record(look: Look) -> dict[str, Any]:
    """An object as plain data; empty slots left out."""
    tracked = [source for source in look.sources if source.number is not None]
    potential = [source for source in look.sources if source.number is None]
    told: dict[str, Any] = {
        "timeStamp": look.time_stamp,
        "active": [
            {"id": s.number, "tag": s.tag, "x": s.x, "y": s.y, "z": s.z, "activity": s.activity} for s in tracked
        ],
    }
    if potential:
        told["potential"] = [{"x": s.x, "y": s.y, "z": s.z, "E": s.activity} for s in potential]
    return told


def encode(look: Look, slots: int = 4) -> bytes:
    """An object as ODAS prints it."""
    rows = [
        f'        {{ "id": {s.number}, "tag": "{s.tag}", "x": {s.x:.3f}, "y": {s.y:.3f}, "z": {s.z:.3f}, '
        f'"activity": {s.activity:.3f} }}'
        for s in look.sources
    ]
    empty = '        { "id": 0, "tag": "", "x": 0.000, "y": 0.000, "z": 0.000, "activity": 0.000 }'
    rows += [empty] * (slots - len(rows))
    return (f'{{\n    "timeStamp": {look.time_stamp},\n    "src": [\n' + ",\n".join(rows) + "\n    ]\n}\n").encode()
