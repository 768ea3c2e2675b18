"""A sensor of one's own, way 1: JSON lines. Print one object a line; docs/own-sensor-json.md is the tutorial.

    {"kind": "detections", "number": 17, "detections": [{"azimuth_deg": 12.5, "slant_range_m": 84.0, "class": "drone"}]}
    {"kind": "presence", "presence": "fence", "text": "zone 3"}
    {"kind": "status", "level": "warning", "text": "battery 20 %"}

A line is taken whole or refused with the reason counted: a key that is not of the schema, one that comes twice, a number out
of its limits. `number` counts looks, so that lost ones are noticed. Lines that do not begin with "{" are text for people.

The schema is `docs/sensor-line.schema.json`, made from the types here: python -m firmware_interfaces.sensor_json
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from firmware_interfaces import own_sensor
from firmware_interfaces.decoder import MISSED, Counts, Rejected, diagnose
from firmware_interfaces.json_lines import read_json
from firmware_interfaces.own_sensor import Facts, Said
from firmware_interfaces.scan_times import LARGEST_GAP
from firmware_interfaces.text_lines import TextLines
from fusion.types import Fact, Reading, Sensor

MAX_LINE_BYTES = 16_384
Text = Annotated[str, Meta(max_length=own_sensor.MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f]*$")]


class DetectionLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"kind": "class"}):
    """One thing that a look found."""

    azimuth_deg: Annotated[
        float, Meta(ge=-180, le=360, description="from the sensor's boresight, positive to the right")
    ]
    elevation_deg: Annotated[float, Meta(ge=-90, le=90, description="from its horizontal plane, up")] | None = None
    slant_range_m: Annotated[float, Meta(gt=0, le=100_000, description="straight distance")] | None = None
    range_rate_m_s: Annotated[float, Meta(ge=-1000, le=1000, description="positive = receding")] | None = None
    power_db: Annotated[float, Meta(ge=-400, le=400, description="signal-to-noise ratio")] | None = None
    confidence: Annotated[float, Meta(ge=0, le=1, description="as the sensor rates itself")] = 0.5
    kind: Literal["unknown", "drone", "bird", "airplane", "helicopter"] = "unknown"


class DetectionsLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="detections"):
    """One look; an empty list says that it found nothing."""

    detections: Annotated[tuple[DetectionLine, ...], Meta(max_length=own_sensor.MAX_DETECTIONS)]
    number: Annotated[int, Meta(ge=0, le=2**53, description="counts the looks")] | None = None


class PresenceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="presence"):
    """Something is there, nobody knows where."""

    presence: Annotated[str, Meta(pattern="^[a-z_]{1,24}$", description="motion, door, fence, seismic, ...")]
    text: Text = ""
    power_dbm: Annotated[float, Meta(ge=-400, le=400)] | None = None
    frequency_hz: Annotated[float, Meta(gt=0, le=1e12)] | None = None


class StatusLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="status"):
    """How the sensor is."""

    level: Literal["ok", "warning", "fault"]
    text: Text = ""


AnyLine = DetectionsLine | PresenceLine | StatusLine
Numbered = tuple[Said, int | None]


class Lines(TextLines[Numbered]):
    """Bytes in, understood lines out; other lines are text."""

    def __init__(self) -> None:
        super().__init__(parse, lambda line: type(line[0]).__name__.lower(), MAX_LINE_BYTES)


def parse(line: bytes) -> Numbered | None:
    """What a line says; None: it is text for people. Raises Rejected, with the place and what was expected."""
    text = line.strip()
    if not text.startswith(b"{"):
        return None
    _, is_repeated = read_json(text)
    if is_repeated:
        raise Rejected("field", "a key comes twice")
    try:
        said: AnyLine = msgspec.json.decode(text, type=AnyLine)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Rejected("field", str(error)) from error
    if isinstance(said, DetectionsLine):
        found = (own_sensor.Found(**msgspec.structs.asdict(detection)) for detection in said.detections)
        return own_sensor.Detections(tuple(found)), said.number
    if isinstance(said, PresenceLine):
        return own_sensor.Presence(said.presence, said.text, said.power_dbm, said.frequency_hz), None
    return own_sensor.Status(said.level, said.text), None


class Decoder:
    """Readings in, facts out."""

    def __init__(self, sensor: Sensor) -> None:
        self._facts, self._lines = Facts(sensor), Lines()
        self._last_number: int | None = None
        self.counts: Counts = self._lines.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        lines = self._lines.feed(reading.data, reading.monotonic_ns)
        for framed in lines:
            self._count_missed(framed.message[1])
        return self._facts.of([framed.message for framed in lines], reading)

    def _count_missed(self, number: int | None) -> None:
        """Gaps in the looks' numbers; a large one, or a step back, is a sensor that started anew."""
        if number is None:
            return
        if self._last_number is not None and 0 < (gap := number - self._last_number - 1) < LARGEST_GAP:
            self.counts.remarks[MISSED] += gap
        self._last_number = number

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "line of the schema")) is not None:
            return told
        refused = sum(self.counts.rejected.values())
        if refused > 0.05 * (refused + sum(self.counts.decoded.values())):
            return f"{refused} lines are refused: hold one against docs/sensor-line.schema.json"
        if (missed := self.counts.remarks[MISSED]) > 0.05 * self.counts.decoded["detections"]:
            return f"{missed} looks are missing by their numbers: the line is too slow, or bytes are lost"
        return self._facts.diagnosis()


def record(line: Numbered) -> dict[str, Any]:
    """A line as plain data, in the schema's names; what it does not say is left out."""
    said, number = line
    if isinstance(said, own_sensor.Detections):
        found = [
            {
                "class" if name == "kind" else name: getattr(one, name)
                for name in FIELDS
                if getattr(one, name) is not None
            }
            for one in said.found
        ]
        return {"kind": "detections", **({} if number is None else {"number": number}), "detections": found}
    if isinstance(said, own_sensor.Status):
        return {"kind": "status", "level": said.level, "text": said.text}
    others = {"text": said.text, "power_dbm": said.power_dbm, "frequency_hz": said.frequency_hz}
    told = {name: value for name, value in others.items() if value is not None}
    return {"kind": "presence", "presence": said.kind, **told}


FIELDS = ("azimuth_deg", "elevation_deg", "slant_range_m", "range_rate_m_s", "power_db", "confidence", "kind")


def encode(line: Numbered) -> bytes:
    """A line as a sensor prints it."""
    return json.dumps(record(line)).encode() + b"\n"


def schema() -> str:
    """The published JSON Schema."""
    told = {"title": "One line of a sensor of one's own", **msgspec.json.schema(AnyLine)}
    return json.dumps(told, indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
