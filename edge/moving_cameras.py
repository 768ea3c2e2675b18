"""Cameras that turn: what they found, placed by where they pointed when the picture was taken. Pure.

Of a camera on a pan-tilt head its head tells; of one that should stand still its landmarks do (`vision/landmark_lock.py`).

A camera's decoder knows one mounting. What a scan says is turned back into the camera's own axes by that mounting, and out
again by the head's pointing at the scan's time, straight between the two nearest tellings:

    level = body(pointing at the time) · body(mounting)ᵀ · level as decoded

A head tells five times a second, so a picture mostly is here before the telling after it: its scan waits for that one, as a
head that stood at the last telling may have begun to turn since. Between two tellings that lie far apart the camera was
turning, and the direction is so much less sure. Where a head falls silent, its last telling counts for a moment longer, as
unsure as a mounting that nobody measured. A picture from a time of which a head tells nothing says nothing of where; one of a
camera that should stand still counts as the site file has it.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from dataclasses import replace

from fusion.frames import body_to_level, polar_to_enu, wrap_angle
from fusion.types import Detection, Orientation, Pointing, Polar, Scan, Sensor

KEPT = 100  # tellings: 20 s at five a second
OLDEST_NS = 1_500_000_000  # a telling so old says nothing of now
LONGEST_WAIT_NS = 600_000_000  # three questions that were not answered: the head has fallen silent
MOST_WAITING = 60  # scans: more than a camera takes pictures in that time
TURNING_SHARE = 1.0 / math.sqrt(12.0)  # 1-sigma of a place anywhere on the way that it turned between two tellings
SILENT_RAD = math.radians(5.0)  # 1-sigma of a head that fell silent, as of a mounting that nobody measured


class MovingCamera:
    """One camera."""

    def __init__(self, sensor: Sensor, on_head: bool = True) -> None:
        self._sensor, self.on_head = sensor, on_head
        self._told: deque[Pointing] = deque(maxlen=KEPT)
        self._waiting: deque[Scan] = deque()  # for the telling after them
        self.unplaced = 0  # scans of whose time a head told nothing

    def heard(self, pointing: Pointing) -> list[Scan]:
        """Take in a telling; the scans that waited for it, placed.

        Tellings come in the order of their times; one that does not is left out. Of one time the last counts: a Pelco-D head
        tells pan and tilt one after the other, and the second knows both.
        """
        if self._told and pointing.time_ns == self._told[-1].time_ns:
            self._told[-1] = pointing
        elif not self._told or pointing.time_ns > self._told[-1].time_ns:
            self._told.append(pointing)
        return self._ready()

    def saw(self, scan: Scan) -> list[Scan]:
        """Take in a scan; those that can be placed now, as seen from where the camera pointed."""
        self._waiting.append(scan)
        return self._ready()

    def _ready(self) -> list[Scan]:
        """What need not wait any longer, without what nobody knows the place of."""
        ready = []
        while self._waiting and not self._waits(self._waiting[0]):
            placed = self._placed(self._waiting.popleft())
            if placed is not None:
                ready.append(placed)
        return ready

    def _waits(self, scan: Scan) -> bool:
        if not self.on_head or len(self._waiting) > MOST_WAITING:
            return False
        newest_ns = max(other.time_ns for other in self._waiting)
        is_told = bool(self._told) and self._told[-1].time_ns >= scan.time_ns
        return not is_told and newest_ns - scan.time_ns < LONGEST_WAIT_NS

    def pointing(self, time_ns: int) -> tuple[Orientation, float] | None:
        """Where the head pointed and how sure that is, 1-sigma in rad; None where it told nothing near that time."""
        times_ns = [told.time_ns for told in self._told]
        after = bisect.bisect_right(times_ns, time_ns)
        if after == 0:
            return None
        first = self._told[after - 1]
        if after == len(self._told):
            if time_ns - first.time_ns > OLDEST_NS:
                return None
            is_silent = self.on_head and time_ns > first.time_ns
            return first.orientation, math.hypot(first.sigma_rad, SILENT_RAD if is_silent else 0.0)
        second = self._told[after]
        if second.time_ns - first.time_ns > 2 * OLDEST_NS:
            return None
        share = (time_ns - first.time_ns) / (second.time_ns - first.time_ns)
        turn = float(wrap_angle(second.orientation.heading_rad - first.orientation.heading_rad))
        lift = second.orientation.pitch_rad - first.orientation.pitch_rad
        between = Orientation(
            first.orientation.heading_rad + share * turn,
            first.orientation.pitch_rad + share * lift,
            first.orientation.roll_rad,
        )
        told_rad = max(first.sigma_rad, second.sigma_rad)
        return between, math.hypot(told_rad, TURNING_SHARE * math.hypot(turn, lift) * (share > 0.0))

    def _placed(self, scan: Scan) -> Scan | None:
        """The scan as seen from where the head pointed; None where nobody knows."""
        found = self.pointing(scan.time_ns)
        if found is None and not self.on_head:
            return scan
        if found is None:
            self.unplaced += 1
            return None
        orientation, sigma_rad = found
        turned = body_to_level(orientation) @ body_to_level(self._sensor.orientation).T
        looked = None if scan.looked is None else tuple(replace(look, orientation=orientation) for look in scan.looked)
        detections = tuple(self._turned(detection, turned, sigma_rad) for detection in scan.detections)
        return Scan(scan.sensor_id, scan.time_ns, looked, detections)

    @staticmethod
    def _turned(detection: Detection, turned: object, sigma_rad: float) -> Detection:
        polar = detection.measurement
        if not isinstance(polar, Polar):
            return detection
        east, north, up = turned @ polar_to_enu(polar.azimuth_rad, polar.elevation_rad or 0.0, 1.0)  # type: ignore[operator]
        elevation = math.asin(max(-1.0, min(1.0, float(up))))
        measurement = replace(
            polar,
            azimuth_rad=math.atan2(float(east), float(north)),
            azimuth_sigma_rad=math.hypot(polar.azimuth_sigma_rad, sigma_rad / max(math.cos(elevation), 0.2)),
            elevation_rad=None if polar.elevation_rad is None else elevation,
            elevation_sigma_rad=None
            if polar.elevation_sigma_rad is None
            else math.hypot(polar.elevation_sigma_rad, sigma_rad),
        )
        return replace(detection, measurement=measurement)
