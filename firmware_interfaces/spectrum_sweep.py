"""Spectrum sweeps: hackrf_sweep and rtl_power lines, tinySA scans. Which bands that drones use are occupied, how strongly.

    2026-03-14, 09:26:53.140000, 2400000000, 2405000000, 1000000.00, 20, -70.72, -67.25, ...     hackrf_sweep, rtl_power
    scan 2400000000 2480000000 5 2          the command as tinySA repeats it, then a line a point: -8.950000e+01 0.000
    {x..x..x..}                             tinySA's scanraw: 'x' and u16 little-endian a point; dBm = raw / 32 - offset

One CSV sweep is all lines of one time, in any order; it ends where the next begins. rtl_power may say nan. "-:.0" is a
firmware's misprint of -10.0. HackRF and RTL-SDR are not calibrated: their dB are dBm only after `power_offset_db` was measured
with a known source; tinySA measures dBm.

    power   |      __            what stands `above_floor_db` over the floor is occupied; the floor is the level that
            |     |  |    |      three quarters of the sweep lie above (a lower quartile), so a wide emitter does not
            |_____|  |____|__    lift it; gaps of two bins are closed

Wi-Fi and much else transmit in the same bands: a presence says that something transmits, never that it is a drone.

Sources: hackrf_sweep(1), rtl_power(1); tinySA wiki, USB interface. tinySA was not seen on a wire by us.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firmware_interfaces.decoder import Counts, Found, Framed, FramedStream, Rejected, diagnose
from fusion.types import FloatArray, Presence, Reading, Sensor

SYNC = re.compile(rb"\{x|[^\r\n{}]")
LINE_END = re.compile(rb"[\r\n]|\{x")
SWEEP_LINE = re.compile(rb"\d{4}-\d\d-\d\d,\s*\d\d:\d\d:\d\d(?:\.\d+)?,")
COMMAND = re.compile(rb"(?:ch> )?(scan|scanraw) (\d{3,11}) (\d{3,11}) (\d{1,5})(?: .*)?")
POINT = re.compile(rb"(-?[\d:]\d*\.\d+(?:e[+-]\d\d)?)(?: \S+)*")
MAX_LINE_BYTES = 8192
MAX_POINTS = 6000  # kept of a sweep, eight bytes each; all of HackRF's range by 1 MHz; a longer sweep is told in parts
HIGHEST_HZ = 100e9
DRONE_BANDS_MHZ = (  # where remote control, video and telemetry links of drones are found
    (433.05, 434.79), (863.0, 870.0), (902.0, 928.0), (1080.0, 1360.0), (2400.0, 2483.5), (5150.0, 5250.0), (5650.0, 5925.0),
)  # fmt: skip
CLOSED_GAP_BINS = 2
AGAIN_NS = 10_000_000_000  # a band that stays occupied is told again so often
WEAKER_DB = 6.0  # and sooner when it becomes so much stronger


def questions(texts: Sequence[str]) -> tuple[bytes, ...]:
    """A tinySA's commands as they go out. Raises ValueError for one that is none."""
    for text in texts:
        if not text.isascii() or (found := COMMAND.fullmatch(text.encode())) is None or text.startswith("ch> "):
            raise ValueError(
                f'ask: "{text}", expected "scanraw START STOP POINTS" or "scan START STOP POINTS 2", in Hz'
            )
        if int(found[2]) >= int(found[3]):
            raise ValueError(
                f'ask: "{text}" starts at {int(found[2])} Hz, expected below its stop at {int(found[3])} Hz'
            )
    return tuple(text.encode() + b"\r" for text in texts)


@dataclass(frozen=True, slots=True)
class Segment:
    """One line of CSV."""

    stamp: str  # the host's local time, as written
    low_hz: float
    bin_hz: float
    powers_db: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of spectrum that is occupied."""

    low_hz: float
    high_hz: float
    power_db: float  # of its strongest bin


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look at the spectrum."""

    source: str  # "csv", "scan", "scanraw"
    number: int  # from 0, of all that this reader has told
    stamp: str
    segments: int
    frequencies_hz: FloatArray  # shape (n,), middle of each bin; empty where nobody said
    powers_db: FloatArray  # shape (n,)
    raw_offset_db: float | None = None  # of scanraw


@dataclass(frozen=True, slots=True)
class ScanBegins:
    """A tinySA repeats the command to scan."""


Piece = Segment | Sweep | ScanBegins | None


class Sweeps:
    """Bytes in, sweeps out, of all three forms."""

    def __init__(self, raw_offset_db: float = 174.0, start_mhz: float = 0.0, stop_mhz: float = 0.0) -> None:
        """`raw_offset_db` is 174 for a tinySA Ultra, 128 for a basic one; start and stop are those of scanraw, where
        its command is not repeated on the line."""
        self.counts = Counts()
        self._raw_offset_db = raw_offset_db
        self._range_hz = (start_mhz * 1e6, stop_mhz * 1e6)
        self._stamp: str | None = None
        self._began, self._bytes = 0, 0  # of the sweep that is gathered: where, and of how many bytes
        self._lows_hz: set[float] = set()
        self._frequencies_hz, self._powers_db = array("f"), array("f")
        self._scan, self._scan_began = array("f"), 0
        self._scan_points = 0  # still to come, of a tinySA text scan; 0: none is under way
        self.stream: FramedStream[Piece] = FramedStream(SYNC, 2, self._piece_at, self.counts)

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line or sweep."""
        return self.stream.kept_bytes + 8 * len(self._powers_db) + 4 * len(self._scan)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Sweep]]:
        """The sweeps that these bytes complete."""
        return self._sweeps(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Sweep]]:
        """The last sweep, too, though nobody knows whether it is whole."""
        found: list[Framed[Piece]] = []
        if self.stream.kept_bytes:
            self.counts.bytes -= 1  # the line end is ours
            found += self.stream.feed(b"\n", 0)
        sweeps = self._sweeps([*found, *self.stream.finish()])
        if self._powers_db:
            sweeps.append(Framed(self._counted(self._taken()), self._began, self._bytes))
        return sweeps

    def _sweeps(self, found: list[Framed[Piece]]) -> list[Framed[Sweep]]:
        sweeps: list[Framed[Sweep]] = []
        for framed in found:
            piece = framed.message
            if isinstance(piece, Sweep):
                size = framed.offset + framed.consumed - self._scan_began if piece.source == "scan" else framed.consumed
                began = framed.offset + framed.consumed - size
                sweeps.append(Framed(self._counted(piece), began, size))
            elif isinstance(piece, ScanBegins):
                self._scan_began = framed.offset
            elif isinstance(piece, Segment):
                began, size = self._began, self._bytes
                if (whole := self._join(piece)) is not None:
                    sweeps.append(Framed(self._counted(whole), began, size))
                    self._bytes = 0
                self._began = self._began if self._bytes else framed.offset
                self._bytes += framed.consumed
        return sweeps

    def _counted(self, sweep: Sweep) -> Sweep:
        number = sum(self.counts.decoded.values())
        self.counts.decoded[sweep.source] += 1
        return replace(sweep, number=number)

    def _join(self, segment: Segment) -> Sweep | None:
        """Put a segment to its sweep; the sweep before it, where this one begins another."""
        is_new = segment.stamp != self._stamp or segment.low_hz in self._lows_hz
        is_full = len(self._powers_db) + len(segment.powers_db) > MAX_POINTS
        whole = self._taken() if (is_new or is_full) and self._powers_db else None
        self._stamp = segment.stamp
        self._lows_hz.add(segment.low_hz)
        for place, power in enumerate(segment.powers_db):
            if not math.isnan(power):
                self._frequencies_hz.append((segment.low_hz + (place + 0.5) * segment.bin_hz) / 1e3)
                self._powers_db.append(power)
        return whole

    def _taken(self) -> Sweep:
        """What was gathered, by growing frequency."""
        frequencies_hz = np.array(self._frequencies_hz, float) * 1e3
        order = np.argsort(frequencies_hz, kind="stable")
        sweep = Sweep(
            "csv",
            0,
            self._stamp or "",
            len(self._lows_hz),
            frequencies_hz[order],
            np.array(self._powers_db, float)[order],
        )
        self._lows_hz = set()
        self._frequencies_hz, self._powers_db = array("f"), array("f")
        return sweep

    def _piece_at(self, buffer: bytearray, start: int) -> Found[Piece] | None:
        if buffer[start : start + 1] == b"{":
            return self._raw_at(buffer, start)
        end = LINE_END.search(buffer, start, start + MAX_LINE_BYTES)
        if end is None:
            if len(buffer) - start >= MAX_LINE_BYTES:
                raise Rejected("length", f"a line is longer than {MAX_LINE_BYTES} bytes")
            return None
        try:
            piece = self._line(bytes(buffer[start : end.start()]).strip())
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            piece = None
        return Found(piece, end.start() - start, 2)

    def _raw_at(self, buffer: bytearray, start: int) -> Found[Piece] | None:
        """scanraw: three bytes a point, then "}"."""
        place = start + 1
        while place < len(buffer) and buffer[place] == 0x78 and place - start <= 3 * MAX_POINTS:
            place += 3
        if place >= len(buffer):
            return None
        count = (place - start - 1) // 3
        if buffer[place] != 0x7D or count < 2:
            raise Rejected("cut", f"after {count} points comes neither x nor }}")
        raw = np.frombuffer(bytes(buffer[start + 1 : place]), np.uint8).reshape(-1, 3)
        powers_db = (raw[:, 1] + raw[:, 2] * 256.0) / 32.0 - self._raw_offset_db
        return Found(Sweep("scanraw", 0, "", 1, self._evenly(count), powers_db, self._raw_offset_db), place + 1 - start)

    def _evenly(self, count: int) -> FloatArray:
        low_hz, high_hz = self._range_hz
        return np.asarray(np.linspace(low_hz, high_hz, count) if high_hz > low_hz > 0.0 else np.zeros(0), np.float64)

    def _line(self, line: bytes) -> Piece:
        """A segment, or the sweep that a scan's last line completes. Raises Rejected."""
        if SWEEP_LINE.match(line):
            return segment(line)
        if (found := COMMAND.fullmatch(line)) is not None:
            self._range_hz = (float(found[2]), float(found[3]))
            self._scan = array("f")
            self._scan_points = min(int(found[4]), MAX_POINTS) if found[1] == b"scan" else 0
            return ScanBegins()
        if self._scan_points and (point := POINT.fullmatch(line)) is not None:
            self._scan.append(float(point[1].replace(b":", b"10")))
            if len(self._scan) == self._scan_points:
                powers_db = np.array(self._scan, float)
                self._scan, self._scan_points = array("f"), 0
                return Sweep("scan", 0, "", 1, self._evenly(len(powers_db)), powers_db)
        elif not line.startswith(b"ch>"):
            self.counts.remarks["line of text"] += 1
        return None


def segment(line: bytes) -> Segment:
    """One line of CSV. Raises Rejected."""
    date, time, *fields = (field.strip() for field in line.decode("ascii", "replace").split(","))
    try:
        low_hz, high_hz, bin_hz, _, *powers_db = (float(field) for field in fields)
    except ValueError as error:
        raise Rejected("field", "a field is no number") from error
    if not 0.0 <= low_hz < high_hz <= HIGHEST_HZ or not 0.0 < bin_hz <= high_hz - low_hz + 1.0:
        raise Rejected("range", f"from {low_hz:g} to {high_hz:g} Hz by {bin_hz:g} Hz")
    expected = (high_hz - low_hz) / bin_hz
    if not powers_db or abs(len(powers_db) - expected) > 2.0:  # rtl_power says its last bin twice
        raise Rejected("length", f"{len(powers_db)} values, expected {expected:.0f}")
    if not all(math.isnan(power) or abs(power) < 400.0 for power in powers_db):
        raise Rejected("range", "a power that is none")
    return Segment(f"{date}T{time}", low_hz, bin_hz, tuple(powers_db))


def occupied(sweep: Sweep, above_floor_db: float) -> list[Band]:
    """The stretches that stand out of a sweep's floor."""
    powers_db, frequencies_hz = sweep.powers_db, sweep.frequencies_hz
    if len(powers_db) < 4 or len(frequencies_hz) != len(powers_db):
        return []
    floor_db = float(np.quantile(powers_db, 0.25))
    above = np.flatnonzero(powers_db >= floor_db + above_floor_db)
    if len(above) == 0:
        return []
    half_hz = float(np.median(np.diff(frequencies_hz))) / 2.0
    runs = np.split(above, np.flatnonzero(np.diff(above) > CLOSED_GAP_BINS + 1) + 1)
    return [
        Band(frequencies_hz[run[0]] - half_hz, frequencies_hz[run[-1]] + half_hz, float(powers_db[run].max()))
        for run in runs
    ]


def drone_band_mhz(band: Band) -> tuple[float, float] | None:
    """The first band that drones use, of those it touches."""
    low_mhz, high_mhz = band.low_hz / 1e6, band.high_hz / 1e6
    return next((known for known in DRONE_BANDS_MHZ if low_mhz < known[1] and high_mhz > known[0]), None)


class Decoder:
    """Readings in; a presence for each band of drones that becomes occupied, and again while it stays so."""

    def __init__(
        self,
        sensor: Sensor,
        above_floor_db: float = 15.0,
        power_offset_db: float = 0.0,
        raw_offset_db: float = 174.0,
        start_mhz: float = 0.0,
        stop_mhz: float = 0.0,
    ) -> None:
        self._sensor, self._above_floor_db, self._power_offset_db = sensor, above_floor_db, power_offset_db
        self._sweeps = Sweeps(raw_offset_db, start_mhz, stop_mhz)
        self.counts: Counts = self._sweeps.counts
        self._told: dict[tuple[float, float], tuple[int, float]] = {}  # by band: when, how strong

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line or sweep."""
        return self._sweeps.kept_bytes

    def feed(self, reading: Reading) -> list[Presence]:
        """The presences that this reading completes."""
        time_ns = reading.received_ns - self._sensor.latency_ns
        told: list[Presence] = []
        for framed in self._sweeps.feed(reading.data, reading.monotonic_ns):
            told += self._presences(framed.message, time_ns)
        return told

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose(self.counts, "sweep", "expected hackrf_sweep or rtl_power lines, or a tinySA's answers")

    def _presences(self, sweep: Sweep, time_ns: int) -> list[Presence]:
        strongest: dict[tuple[float, float], Band] = {}
        for band in occupied(sweep, self._above_floor_db):
            known = drone_band_mhz(band)
            if known is not None and (known not in strongest or strongest[known].power_db < band.power_db):
                strongest[known] = band
        return [
            self._presence(sweep, known, band, time_ns)
            for known, band in strongest.items()
            if self._is_news(known, band.power_db, time_ns)
        ]

    def _is_news(self, known: tuple[float, float], power_db: float, time_ns: int) -> bool:
        before = self._told.get(known)
        if before is not None and 0 <= time_ns - before[0] < AGAIN_NS and power_db < before[1] + WEAKER_DB:
            return False
        self._told[known] = (time_ns, power_db)
        return True

    def _presence(self, sweep: Sweep, known: tuple[float, float], band: Band, time_ns: int) -> Presence:
        middle_hz, width_mhz = (band.low_hz + band.high_hz) / 2.0, (band.high_hz - band.low_hz) / 1e6
        is_calibrated = sweep.source != "csv" or self._power_offset_db != 0.0
        power = f"{band.power_db + self._power_offset_db:.0f} {'dBm' if is_calibrated else 'dB, not calibrated'}"
        text = (
            f"{middle_hz / 1e6:.1f} MHz, {width_mhz:.1f} MHz wide, {power}, in the band {known[0]:g}–{known[1]:g} MHz"
        )
        return Presence(
            self._sensor.sensor_id, time_ns, "spectrum", band.power_db + self._power_offset_db, middle_hz, text
        )


def record(sweep: Sweep, above_floor_db: float = 15.0) -> dict[str, Any]:
    """A sweep as plain data."""
    powers_db = [round(float(power), 5) for power in sweep.powers_db]
    ends = [round(float(hz)) for hz in sweep.frequencies_hz[[0, -1]]] if len(sweep.frequencies_hz) else [None, None]
    if sweep.source == "scanraw":
        scan = {"points": len(powers_db), "scale_dbm": sweep.raw_offset_db, "dbm": powers_db}
        return {**scan, "start_hz": ends[0], "stop_hz": ends[1]}
    if sweep.source == "scan":
        return {"dbm": powers_db, "start_hz": ends[0], "stop_hz": ends[1]}
    bands = [
        {"low_hz": round(b.low_hz), "high_hz": round(b.high_hz), "power_db": round(b.power_db, 2)}
        for b in occupied(sweep, above_floor_db)
    ]
    counts = {"segments": sweep.segments, "bins": len(powers_db)}
    return {"sweep": sweep.number, "timestamp": sweep.stamp, **counts, "occupied": bands}


def encode_sweep(stamp: str, low_hz: int, bin_hz: int, powers_db: list[float]) -> bytes:
    """One line as hackrf_sweep writes it."""
    values = ", ".join(f"{power:.2f}" for power in powers_db)
    return f"{stamp}, {low_hz}, {low_hz + bin_hz * len(powers_db)}, {bin_hz:.2f}, 20, {values}\n".encode()


def encode_raw(powers_dbm: list[float], raw_offset_db: float = 174.0) -> bytes:
    """A tinySA's answer to scanraw."""
    points = (b"x" + round((power + raw_offset_db) * 32.0).to_bytes(2, "little") for power in powers_dbm)
    return b"{" + b"".join(points) + b"}"
