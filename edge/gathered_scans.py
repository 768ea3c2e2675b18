"""Detections for the center's own tracker: what came in between two ticks of the clock, as one message. Pure.

    Scan, Claim ──▶ take ──▶ gathered ── tick (ten a second) ──▶ ScansMessage

They are told as the post's own tracker gets them: latency and biases taken off, operators left out where the law says so. Live
data: outside the sequence and the outbox. A message has a bound, and what is beyond it comes in a message of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.site_file import Site
from fusion import wire
from fusion.frames import LocalFrame
from fusion.scan_messages import (
    ScanMessage,
    ScansMessage,
    SensorsMessage,
    heard_message,
    scan_message,
    sensor_description,
)
from fusion.types import Claim, Scan

MESSAGE_DETECTIONS = 1000  # in one message: some 200 kB, of the 1 MiB that a center takes
MESSAGE_SCANS = 500
MESSAGE_CLAIMS = 500


class GatheredScans:
    """What a post measured since the last message."""

    def __init__(self, site: Site, run_id: str) -> None:
        self._site, self._run_id = site, run_id
        self._sensors = {entry.sensor.sensor_id: entry.sensor for entry in site.sensors}
        self._scans: list[ScanMessage] = []
        self._claims: list[wire.ClaimMessage] = []

    def described(self, time_ns: int, frame: LocalFrame) -> SensorsMessage:
        """The sensors that the scans will be of."""
        origin = self._site.origin
        return SensorsMessage(
            version=wire.VERSION,
            site_id=self._site.site_id,
            run_id=self._run_id,
            time=wire.rfc3339(time_ns),
            latitude_deg=origin.latitude_deg,
            longitude_deg=origin.longitude_deg,
            height_m=origin.height_m or 0.0,
            sensors=tuple(sensor_description(sensor, frame) for sensor in self._sensors.values()),
        )

    def take(self, fact: Scan | Claim) -> None:
        if isinstance(fact, Claim):
            self._claims.append(heard_message(fact))
        else:
            self._scans.append(scan_message(fact, self._sensors[fact.sensor_id]))

    def told(self, now_ns: int, clock_error_s: float) -> Iterator[ScansMessage]:
        """All that was gathered, which then is forgotten."""
        scans, claims = self._scans, self._claims
        self._scans, self._claims = [], []
        parts = cut(scans)
        while parts or claims:
            yield ScansMessage(
                version=wire.VERSION,
                site_id=self._site.site_id,
                run_id=self._run_id,
                as_of=wire.rfc3339(now_ns),
                scans=tuple(parts.pop(0)) if parts else (),
                claims=tuple(claims[:MESSAGE_CLAIMS]),
                clock_error_s=wire.significant(clock_error_s, 3),
            )
            claims = claims[MESSAGE_CLAIMS:]


def cut(scans: list[ScanMessage]) -> list[list[ScanMessage]]:
    """Runs of scans, each of which fits a message."""
    parts: list[list[ScanMessage]] = []
    room = 0
    for scan in scans:
        if not parts or len(parts[-1]) >= MESSAGE_SCANS or len(scan.detections) > room:
            parts.append([])
            room = MESSAGE_DETECTIONS
        parts[-1].append(scan)
        room -= len(scan.detections)
    return parts
