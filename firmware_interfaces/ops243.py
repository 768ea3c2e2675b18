"""OmniPreSense OPS241, OPS242, OPS243: Doppler and FMCW radars that say how fast, how far and, within their beam, where.

    3.6                          speed, in the unit that was set         "mps",145,3.6     unit, magnitude, speed
    137.429,3.6                  time since the start (s), speed         "m",12.4          range
    {"unit":"mps","speed":"4.12","magnitude":"212","direction":"inbound","time":105,"tick":135}
    {"unit":"mps","speed":["4.12","-0.43"],"magnitude":["212","31"]}     several at once, strongest first
    {"Product":"OPS243"}                                                 the answer to a command

Numbers may be texts. Of two plain numbers before the last, one with a point is a time, one without a magnitude. Negative
is outbound, unless the module is set otherwise. Zero means nothing was there. The radar measures no direction: what it
sees is somewhere in its beam, so its azimuth and elevation errors are those of the beam (a uniform one of 20 deg has a
sigma of 5.8 deg).

Source: OmniPreSense AN-010 (API interface); user manual UM-003.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_interfaces.decoder import Counts, Framed, Rejected, diagnose_unchecked
from firmware_interfaces.json_lines import read_json
from firmware_interfaces.mounting import Mounting
from firmware_interfaces.scan_times import ScanTimes
from firmware_interfaces.text_lines import TextLines
from fusion.types import Detection, Polar, Reading, Scan, Sensor

MAX_LINE_BYTES = 1024
SPEED_UNITS = {"mps": 1.0, "cmps": 0.01, "mph": 0.44704, "kmph": 1.0 / 3.6, "fps": 0.3048}
RANGE_UNITS = {"m": 1.0, "cm": 0.01, "ft": 0.3048, "in": 0.0254, "yd": 0.9144}
PLAIN = re.compile(r'(?:"([a-z]+)",)?(-?\d+(?:\.\d+)?(?:,-?\d+(?:\.\d+)?){0,2})')
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
CONFIDENCE = 0.5  # the magnitude depends on size and range alike: it rates nothing
FASTEST_M_S = 150.0
FARTHEST_M = 300.0  # its maker states 60 m for a vehicle; lines have no checksum
FIRST_PERIOD_NS = 100_000_000
MAX_AT_ONCE = 9  # O2 to O9


@dataclass(frozen=True, slots=True)
class Report:
    """One line: what is there, strongest first."""

    speeds: tuple[float, ...] = ()  # in `unit`, as the module signs them
    ranges: tuple[float, ...] = ()
    magnitudes: tuple[float, ...] = ()
    unit: str | None = None  # None: the one that was set
    direction: str | None = None  # "inbound", "outbound"
    time_s: float | None = None  # since the module's start
    tick: float | None = None
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the module answers to a command, or says of itself."""

    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line: blank reporting, nothing was there."""


Line = Report | Answer | Blank


class Lines(TextLines[Line]):
    """Bytes in, understood lines out; `keeps_blank` tells empty ones, too."""

    def __init__(self, keeps_blank: bool = False) -> None:
        super().__init__(parse, lambda line: type(line).__name__.lower(), MAX_LINE_BYTES, keeps_blank=keeps_blank)

    def _counted(self, found: list[Framed[Line | None]]) -> list[Framed[Line]]:
        """An empty line is a message without bytes: anything may send those."""
        lines = super()._counted(found)
        return [Framed(f.message, f.offset, 0 if isinstance(f.message, Blank) else f.consumed) for f in lines]


def parse(line: bytes) -> Line | None:
    """What a line says. Raises Rejected."""
    text = line.decode("ascii", "replace").strip()
    if not text:
        return Blank()
    if text.startswith("{"):
        said, _ = read_json(text.encode(), only_finite=True)
        if not isinstance(said, dict):
            raise Rejected("json", "no object")
        return _json(said)
    found = PLAIN.fullmatch(text)
    if found is None:
        raise Rejected("field", "a line that is no report")
    return _plain(found[1], found[2].split(","))


def _plain(unit: str | None, texts: list[str]) -> Report:
    value, before = float(texts[-1]), texts[:-1]
    time_s = next((float(text) for text in before if "." in text), None)
    magnitudes = tuple(float(text) for text in before if "." not in text)
    if unit is not None and unit not in SPEED_UNITS and unit not in RANGE_UNITS:
        raise Rejected("field", f'unit "{unit[:8]}"')
    if unit in RANGE_UNITS:
        return Report((), (value,), magnitudes, unit, time_s=time_s)
    return Report((value,), (), magnitudes, unit, time_s=time_s)


def _json(said: dict[str, Any]) -> Line:
    if not any(name in said for name in ("speed", "range", "DetectedObjectVelocity")):
        is_flat = not any(isinstance(value, dict | list) for value in said.values())
        if not is_flat or not any(name[:1].isupper() for name in said):  # as all names in the module's answers are
            raise Rejected("unknown", "an object that is no report and no answer")
        return Answer(said)
    values = {name: _numbers(said.get(name)) for name in ("speed", "range", "magnitude", "time", "tick")}
    speeds = values["speed"] or _numbers(said.get("DetectedObjectVelocity"))
    unit, direction = said.get("unit"), said.get("direction")
    return Report(
        speeds=speeds,
        ranges=values["range"],
        magnitudes=values["magnitude"],
        unit=unit if isinstance(unit, str) and (unit in SPEED_UNITS or unit in RANGE_UNITS) else None,
        direction=direction if isinstance(direction, str) and direction in ("inbound", "outbound") else None,
        time_s=values["time"][0] if values["time"] else None,
        tick=values["tick"][0] if values["tick"] else None,
        is_array=isinstance(said.get("speed", said.get("range")), list),
    )


def _numbers(value: Any) -> tuple[float, ...]:
    """One number or several, some of them texts. Raises Rejected."""
    if value is None:
        return ()
    entries = value if isinstance(value, list) else [value]
    texts = [
        str(entry) if isinstance(entry, int | float) and not isinstance(entry, bool) else entry for entry in entries
    ]
    if len(texts) > MAX_AT_ONCE or not all(isinstance(t, str) and len(t) < 24 and NUMBER.fullmatch(t) for t in texts):
        raise Rejected("field", "a value that is no number")
    return tuple(float(text) for text in texts)


class Decoder:
    """Readings in; a scan a report out, with what is there somewhere in the beam."""

    def __init__(self, sensor: Sensor, unit: str = "mps", speed_sign: int = 1) -> None:
        """`unit` is the one that was set, for lines that name none; `speed_sign` is -1 where outbound is positive."""
        self._sensor, self._mounting = sensor, Mounting(sensor)
        self._unit, self._speed_sign = unit, speed_sign
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._lines = Lines()
        self.counts: Counts = self._lines.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Scan]:
        """The scans that this reading completes."""
        said = [framed.message for framed in self._lines.feed(reading.data, reading.monotonic_ns)]
        reports = [line for line in said if isinstance(line, Report)]
        times_ns = self._times.of([None] * len(reports), reading.received_ns)
        return [self._scan(report, time_ns) for report, time_ns in zip(reports, times_ns, strict=True)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose_unchecked(self.counts, "OPS243 line", "wrong baud? over UART these modules start with 19200")

    def _scan(self, report: Report, time_ns: int) -> Scan:
        """A line tells speeds or ranges; where it tells both, pairwise."""
        measured = [(self._range_rate(report, n), self._slant_range(report, n)) for n in range(_count(report))]
        found = [pair for pair in measured if pair != (None, None)]
        detections = tuple(Detection(self._polar(*pair), CONFIDENCE) for pair in found)
        return Scan(self._sensor.sensor_id, time_ns, self._mounting.looked(), detections)

    def _polar(self, range_rate_m_s: float | None, slant_range_m: float | None) -> Polar:
        """Somewhere in the beam."""
        ranges = None if slant_range_m is None else np.array([slant_range_m])
        rates = None if range_rate_m_s is None else np.array([range_rate_m_s])
        middle = np.zeros(1)
        return self._mounting.level_all(middle, middle, ranges, rates)[0]

    def _range_rate(self, report: Report, index: int) -> float | None:
        """Positive = receding; the direction's word is believed before the sign. Zero is nothing."""
        if index >= len(report.speeds) or report.speeds[index] == 0.0:
            return None
        factor = SPEED_UNITS.get(report.unit or self._unit, 1.0)
        speed_m_s = report.speeds[index] * factor
        if abs(speed_m_s) > FASTEST_M_S:
            self.counts.remarks["impossible speed"] += 1
            return None
        if report.direction is not None:
            return abs(speed_m_s) if report.direction == "outbound" else -abs(speed_m_s)
        return -self._speed_sign * speed_m_s

    def _slant_range(self, report: Report, index: int) -> float | None:
        if index >= len(report.ranges) or report.ranges[index] <= 0.0:
            return None
        range_m = report.ranges[index] * RANGE_UNITS.get(report.unit or "m", 1.0)
        if range_m > FARTHEST_M:
            self.counts.remarks["impossible range"] += 1
            return None
        return range_m


def _count(report: Report) -> int:
    return max(len(report.speeds), len(report.ranges))


# Records, in the module's own names


def record(line: Line) -> dict[str, Any]:
    """A line as plain data."""
    if isinstance(line, Blank):
        return {"kind": "blank"}
    if isinstance(line, Answer):
        return {"kind": "info", "data": line.said}
    name, values = ("speed", line.speeds) if line.speeds else ("range", line.ranges)
    several: dict[str, Any] = {name: list(values) if line.is_array else values[0] if values else None}
    if line.speeds and line.ranges:
        several["range"] = list(line.ranges) if line.is_array else line.ranges[0]
    if line.magnitudes:
        several["magnitude"] = list(line.magnitudes) if line.is_array else line.magnitudes[0]
    others = {"unit": line.unit, "direction": line.direction, "time_s": line.time_s, "tick": line.tick}
    kind = f"{name}_multi" if line.is_array else name
    return {"kind": kind, **{key: value for key, value in others.items() if value is not None}, **several}


def encode(speed: float, unit: str = "mps", magnitude: int | None = None) -> bytes:
    """A line as the module sends it with units on."""
    before = "" if magnitude is None else f"{magnitude},"
    return f'"{unit}",{before}{speed:g}\r\n'.encode()
