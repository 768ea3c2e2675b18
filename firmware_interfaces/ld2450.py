"""Hi-Link LD2450 and Ai-Thinker RD-03D: 24 GHz presence radars, up to three targets within 6 to 8 m. A tripwire.

    AA FF 03 00 | three targets of 8 bytes | 55 CC                            a report, about ten a second
                  x | y | speed | resolution                                  each u16, mm, mm, cm/s, mm
    FD FC FB FA | length u16 | command, data | 04 03 02 01                    the answer to a command, on the same line

Numbers are not two's complement: bit 15 set is positive, clear is negative, the other fifteen bits are the value. A
target with x = y = 0 is an empty slot. There is no checksum. x to the right and y forward, seen from the module.

Source: Hi-Link LD2450 serial communication protocol V1.03. Some firmware sends longer reports: the tail is looked for.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected, diagnose
from firmware_interfaces.mounting import Mounting
from firmware_interfaces.scan_times import ScanTimes
from fusion.types import Detection, Reading, Scan, Sensor

HEADER, TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"
ANSWER_HEADER, ANSWER_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
SYNC = re.compile(re.escape(HEADER) + b"|" + re.escape(ANSWER_HEADER))
TARGET = struct.Struct("<4H")
TARGET_COUNT = 3
REPORT_BYTES = len(HEADER) + TARGET_COUNT * TARGET.size + len(TAIL)
MAX_ANSWER_BYTES = 64
CONFIDENCE = 0.5  # the module rates nothing
FIRST_PERIOD_NS = 100_000_000
FARTHEST_MM = 15_000.0  # the module sees 6 to 8 m; reports have no checksum, so what is beyond twice that is damage
FASTEST_CM_S = 2000.0


@dataclass(frozen=True, slots=True)
class Target:
    x_mm: int
    y_mm: int
    speed_cm_s: int  # positive as the module has it
    resolution_mm: int

    @property
    def is_present(self) -> bool:
        """Whether the slot is taken."""
        return self.x_mm != 0 or self.y_mm != 0


Report = tuple[Target, ...]


class Reports:
    """Bytes in, reports out; answers to commands are recognised and counted as a remark."""

    def __init__(self, max_report_bytes: int = 62, max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        if not REPORT_BYTES <= max_report_bytes <= 1024:
            raise ValueError(f"max_report_bytes is {max_report_bytes}, expected {REPORT_BYTES}..1024")
        self.counts = Counts()
        self._max_report_bytes = max_report_bytes
        self.stream: FramedStream[Report | None] = FramedStream(
            SYNC, len(HEADER), self._frame_at, self.counts, max_frame_time_ns
        )

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Report]]:
        """The reports that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Report]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Report | None]]) -> list[Framed[Report]]:
        reports = [Framed(f.message, f.offset, f.consumed) for f in found if f.message is not None]
        self.counts.decoded["report"] += len(reports)
        self.counts.remarks["answer to a command"] += len(found) - len(reports)
        return reports

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Report | None] | None:
        if buffer[start] == ANSWER_HEADER[0]:
            return _answer_at(buffer, start)
        tail = REPORT_BYTES - len(TAIL)
        while True:  # one target's size at a time, until the tail stands where it may
            if len(buffer) < start + tail + len(TAIL):
                return None
            if buffer.find(HEADER, start + 1, start + tail + len(TAIL)) >= 0:
                raise Rejected("cut", "the next report begins inside this one")
            if buffer[start + tail : start + tail + len(TAIL)] == TAIL:
                return Found(parse(bytes(buffer[start : start + REPORT_BYTES])), tail + len(TAIL))
            tail += TARGET.size
            if tail + len(TAIL) > self._max_report_bytes:
                raise Rejected("tail", f"no 55 CC within {self._max_report_bytes} bytes")


def _answer_at(buffer: bytearray, start: int) -> Found[Report | None] | None:
    if len(buffer) < start + 6:
        return None
    length = int.from_bytes(buffer[start + 4 : start + 6], "little")
    if length > MAX_ANSWER_BYTES:
        raise Rejected("length", f"an answer of {length} bytes, highest allowed is {MAX_ANSWER_BYTES}")
    end = start + 6 + length + len(ANSWER_TAIL)
    if len(buffer) < end:
        return None
    if buffer[end - len(ANSWER_TAIL) : end] != ANSWER_TAIL:
        raise Rejected("tail", "an answer does not end with 04 03 02 01")
    return Found(None, end - start)


def parse(report: bytes) -> Report:
    """The three slots of a report, its first 28 bytes whole."""
    slots = (TARGET.unpack_from(report, len(HEADER) + number * TARGET.size) for number in range(TARGET_COUNT))
    return tuple(Target(_signed(x), _signed(y), _signed(speed), resolution) for x, y, speed, resolution in slots)


def _signed(raw: int) -> int:
    return raw & 0x7FFF if raw & 0x8000 else -raw


class Decoder:
    """Readings in, a scan a report out."""

    def __init__(self, sensor: Sensor, speed_sign: int = 1, max_report_bytes: int = 62) -> None:
        """`speed_sign` is 1 where positive means receding, as the manual says, and -1 where the module in hand
        shows the contrary, as some do."""
        self._sensor, self._mounting, self._speed_sign = sensor, Mounting(sensor), speed_sign
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._reports = Reports(max_report_bytes)
        self.counts: Counts = self._reports.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished report."""
        return self._reports.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Scan]:
        """The scans that this reading completes; their times grow strictly, see `scan_times.py`."""
        reports = [framed.message for framed in self._reports.feed(reading.data, reading.monotonic_ns)]
        times_ns = self._times.of([None] * len(reports), reading.received_ns)
        return [self._scan(report, time_ns) for report, time_ns in zip(reports, times_ns, strict=True)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose(self.counts, "LD2450 report", "wrong baud? the module speaks 256000")

    def _scan(self, report: Report, time_ns: int) -> Scan:
        targets = np.array([(t.x_mm, t.y_mm, t.speed_cm_s) for t in report if t.is_present], float).reshape(-1, 3)
        is_possible = (np.hypot(targets[:, 0], targets[:, 1]) <= FARTHEST_MM) & (np.abs(targets[:, 2]) <= FASTEST_CM_S)
        self.counts.remarks["impossible target"] += int((~is_possible).sum())
        targets = targets[is_possible]
        x, y = targets[:, 0] / 1000.0, targets[:, 1] / 1000.0
        measurements = self._mounting.level_all(
            np.arctan2(x, y), np.zeros(len(x)), np.hypot(x, y), self._speed_sign * targets[:, 2] / 100.0
        )
        return Scan(
            self._sensor.sensor_id,
            time_ns,
            self._mounting.looked(),
            tuple(Detection(polar, CONFIDENCE) for polar in measurements),
        )


def encode_report(targets: Sequence[Target]) -> bytes:
    """A report of at most three targets."""
    slots = [(t.x_mm, t.y_mm, t.speed_cm_s, t.resolution_mm) for t in targets[:TARGET_COUNT]]
    raw = b"".join(TARGET.pack(_raw(x), _raw(y), _raw(speed), resolution) for x, y, speed, resolution in slots)
    return HEADER + raw.ljust(TARGET_COUNT * TARGET.size, b"\0") + TAIL


def _raw(value: int) -> int:
    return value | 0x8000 if value > 0 else -value


def record(report: Report) -> dict[str, Any]:
    """A report as plain data."""
    return {
        "targets": [
            {
                "x_mm": target.x_mm,
                "y_mm": target.y_mm,
                "speed_cm_s": target.speed_cm_s,
                "resolution_mm": target.resolution_mm,
                "present": target.is_present,
            }
            for target in report
        ]
    }
