"""KrakenSDR: direction of arrival of a radio signal, five antennas in a circle, one CSV line a block and channel.

    epoch ms, direction, confidence, power dB, frequency Hz, "UCA", latency ms, station, lat, lon, GPS heading,
    compass heading, where the heading is from, R, R, R, R, then 360 values of the spectrum over the unit circle's angle

The direction is 360 minus the unit circle's angle: degrees clockwise from the array's own north, 0 to 360. The maker says
that its documents may name the other sense of turning: calibrate each array with a known emitter. Its heading comes from
the site file, where it was surveyed, not from the line. A linear array ("ULA") cannot tell front from back: not used.

A direction is of whatever was loudest on that frequency; it has no range and no elevation, and reflections bend it. The
signal is younger by the line's own latency than its arrival here.

The receiver keeps its newest lines on a page, http://...:8081/DOA_value.html; its output format must be "Kraken App".

Source: krakensdr_doa (the Kraken App CSV format); KrakenRF's wiki. Not seen on a wire by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_interfaces.decoder import Counts, Rejected, diagnose
from firmware_interfaces.mounting import Mounting
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.scan_times import ScanTimes
from firmware_interfaces.text_lines import TextLines
from fusion.types import Detection, Reading, Scan, Sensor

MAX_LINE_BYTES = 8192  # 360 values of up to a dozen characters, and the fields before them
SPECTRUM_AT, SPECTRUM_VALUES = 17, 360
FIRST_PERIOD_NS = 500_000_000
MAX_LATENCY_MS = 10_000.0
MAX_CONFIDENCE = 99.0  # as the receiver counts: peak over mean


@dataclass(frozen=True, slots=True)
class Bearing:
    """One line."""

    time_ms: int
    direction_deg: float  # clockwise from the array's north
    confidence: float
    power_db: float  # not calibrated
    frequency_hz: float
    array: str  # "UCA", "ULA"
    latency_ms: float
    station: str
    latitude_deg: float
    longitude_deg: float
    heading_deg: float  # of the array's north, as the receiver has it
    spectrum_peak: int | None  # index of the strongest of the 360 values


class Lines(TextLines[Bearing]):
    """Bytes in, understood lines out."""

    def __init__(self) -> None:
        super().__init__(parse, lambda line: line.array, MAX_LINE_BYTES)


def parse(line: bytes) -> Bearing:
    """One line. Raises Rejected."""
    fields = [field.strip() for field in line.decode("ascii", "replace").split(",")]
    if len(fields) < SPECTRUM_AT:
        raise Rejected("length", f"a line of {len(fields)} fields, expected {SPECTRUM_AT + SPECTRUM_VALUES}")
    numbers = [_number(fields[place]) for place in (0, 1, 2, 3, 4, 6, 8, 9, 10, 11)]
    time_ms, direction, confidence, power, frequency, latency, latitude, longitude, gps_heading, compass = numbers
    if fields[5] not in ("UCA", "ULA"):
        raise Rejected("field", f'array "{fields[5][:8]}"')
    if not 0.0 <= direction <= 360.0 or not 0.0 <= latency <= MAX_LATENCY_MS or frequency <= 0.0:
        raise Rejected("range", f"direction {direction:g}, latency {latency:g} ms, frequency {frequency:g} Hz")
    spectrum = fields[SPECTRUM_AT : SPECTRUM_AT + SPECTRUM_VALUES]
    if spectrum and len(spectrum) < SPECTRUM_VALUES:
        raise Rejected("length", f"a spectrum of {len(spectrum)} values, expected {SPECTRUM_VALUES}")
    return Bearing(
        time_ms=int(time_ms),
        direction_deg=direction,
        confidence=confidence,
        power_db=power,
        frequency_hz=frequency,
        array=fields[5],
        latency_ms=latency,
        station=clean_text(fields[7].encode("ascii", "replace")[:40]) or "",
        latitude_deg=latitude,
        longitude_deg=longitude,
        heading_deg=compass if fields[12] == "Compass" else gps_heading,
        spectrum_peak=int(np.argmax([_number(value) for value in spectrum])) if spectrum else None,
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("inf")
    if not abs(value) < 1e15:
        raise Rejected("field", "a field is no number")
    return value


class Decoder:
    """Readings in; a scan of one direction a line out. No miss counts: silence of an emitter means nothing."""

    def __init__(self, sensor: Sensor, direction_sign: int = 1, min_confidence: float = 0.0) -> None:
        """`direction_sign` is -1 where a calibration shows that the array turns the other way round."""
        self._sensor, self._mounting = sensor, Mounting(sensor)
        self._sign, self._min_confidence = direction_sign, min_confidence
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._lines = Lines()
        self.counts: Counts = self._lines.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Scan]:
        """The scans that this reading completes."""
        used: list[Bearing] = []
        for framed in self._lines.feed(reading.data, reading.monotonic_ns):
            bearing = framed.message
            if bearing.array != "UCA":
                self.counts.remarks["linear array"] += 1
            elif bearing.confidence < self._min_confidence:
                self.counts.remarks["confidence too low"] += 1
            else:
                used.append(bearing)
        if not used:
            return []
        made_ns = reading.received_ns - round(used[-1].latency_ms * 1e6)
        times_ns = self._times.of([None] * len(used), made_ns)
        return [self._scan(bearing, time_ns) for bearing, time_ns in zip(used, times_ns, strict=True)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "KrakenSDR line")) is not None:
            return told
        if self.counts.remarks["linear array"] > 0:
            return "a linear array cannot tell front from back, so it is not used: set the antennas in a circle (UCA)"
        return None

    def _scan(self, bearing: Bearing, time_ns: int) -> Scan:
        azimuth_rad = np.radians(np.array([self._sign * bearing.direction_deg]))
        (polar,) = self._mounting.level_all(azimuth_rad, np.zeros(1))
        confidence = min(max(bearing.confidence, 0.0), MAX_CONFIDENCE) / MAX_CONFIDENCE
        detection = Detection(polar, confidence, power_db=bearing.power_db)
        return Scan(self._sensor.sensor_id, time_ns, None, (detection,))


def record(bearing: Bearing) -> dict[str, Any]:
    """A line as plain data; the true bearing counts the receiver's own heading as right."""
    return {
        "t_ms": bearing.time_ms,
        "max_doa_field": bearing.direction_deg,
        "confidence": bearing.confidence,
        "power_db": bearing.power_db,
        "peak_index": round(360.0 - bearing.direction_deg) % 360,  # the direction on the unit circle
        "spectrum_peak": bearing.spectrum_peak,
        "compass_relative_to_array_deg": bearing.direction_deg % 360.0,
        "true_bearing_deg": (bearing.heading_deg + bearing.direction_deg) % 360.0,
        "freq_hz": bearing.frequency_hz,
        "array": bearing.array,
        "latency_ms": bearing.latency_ms,
        "station": bearing.station,
        "lat": bearing.latitude_deg,
        "lon": bearing.longitude_deg,
        "heading_deg": bearing.heading_deg,
    }


def encode(bearing: Bearing) -> bytes:
    """A line as the receiver writes it, with a spectrum of one peak."""
    peak = bearing.spectrum_peak or 0
    spectrum = ", ".join("9.00" if place == peak else "0.10" for place in range(SPECTRUM_VALUES))
    head = (
        f"{bearing.time_ms}, {bearing.direction_deg:g}, {bearing.confidence:.2f}, {bearing.power_db:.2f}, "
        f"{bearing.frequency_hz:.0f}, {bearing.array}, {bearing.latency_ms:g}, {bearing.station}, "
        f"{bearing.latitude_deg}, {bearing.longitude_deg}, {bearing.heading_deg}, {bearing.heading_deg}, GPS, R, R, R, R, "
    )
    return f"{head}{spectrum}\n".encode()
