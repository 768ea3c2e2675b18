"""Slew to cue: where a narrow camera on a pan-tilt head should look next. Pure: time, tracks and wishes come in.

    operator's wish ──▶ the likeliest, nearest drone ──▶ predicted to when the head will be there ──▶ azimuth, elevation

A track that is less sure than the picture is wide is searched for: one picture after the other along rings around the expected
direction, as far as two sigmas reach, then again from the middle.

            4 3             each step is four fifths of the picture, so that a target on a rim is not missed
          5 0 2   ring 1    a step lasts `DWELL_S`: the head settles and the detector looks a few times
           6 1

A private zone is a box of azimuth and elevation in which the camera never rests: a target inside, or so near that the picture
would reach in, is not looked at. On its way the head may sweep over one; what it sees meanwhile is not asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.site_types import HeadSettings, PrivateZone
from fusion.frames import wrap_angle
from fusion.types import Sensor, Track

STAY_S = 6.0  # another target must wait so long, or the head would only travel
DWELL_S = 1.2
SEARCH_SIGMAS = 2.0
STEP_SHARE = 0.8  # of the picture
LARGEST_SEARCH_RINGS = 4  # 61 pictures: more takes longer than a drone stays
DRONE = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator wants to see, until when: a direction, or a track."""

    until_ns: int
    track_number: int | None = None
    azimuth_rad: float | None = None
    elevation_rad: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Where to look, and why."""

    azimuth_rad: float
    elevation_rad: float
    track_number: int | None
    is_search: bool


class Slewing:
    """One head. sensor: the camera on it; view_rad: the picture's width and height."""

    def __init__(self, settings: HeadSettings, sensor: Sensor, view_rad: tuple[float, float]) -> None:
        self._settings, self._sensor, self._view_rad = settings, sensor, view_rad
        self._target: int | None = None
        self._since_ns = self._stepped_ns = 0
        self._step = 0
        self._wish: Wish | None = None

    def wish(self, wish: Wish | None) -> None:
        """An operator's wish goes before everything but the private zones; None takes it back."""
        self._wish = wish

    def look(self, tracks: Sequence[Track], now_ns: int) -> Look | None:
        """Where to look now, of tracks predicted to when the head will be there; None: nowhere, the head may rest."""
        if self._wish is not None and now_ns > self._wish.until_ns:
            self._wish = None
        if self._wish is not None and self._wish.azimuth_rad is not None:
            wanted = Look(self._wish.azimuth_rad, self._wish.elevation_rad or 0.0, None, False)
            return wanted if self._is_allowed(wanted) else None
        track = self._choose(tracks, now_ns)
        return None if track is None else self._towards(track, now_ns)

    def _choose(self, tracks: Sequence[Track], now_ns: int) -> Track | None:
        allowed = [track for track in tracks if self._is_allowed(self._aim(track))]
        by_number = {track.track_number: track for track in allowed}
        if self._wish is not None and self._wish.track_number is not None:
            return self._take(by_number.get(self._wish.track_number), now_ns)
        current = by_number.get(self._target or 0)
        if current is not None and is_drone(current) and now_ns - self._since_ns < STAY_S * 1e9:
            return current
        drones = [track for track in allowed if is_drone(track)]
        nearest = min(drones, key=lambda one: (self._away_m(one), one.track_number), default=None)
        return self._take(nearest, now_ns)

    def _take(self, track: Track | None, now_ns: int) -> Track | None:
        number = None if track is None else track.track_number
        if number != self._target:
            self._target, self._since_ns, self._stepped_ns, self._step = number, now_ns, now_ns, 0
        elif now_ns - self._since_ns >= STAY_S * 1e9:
            self._since_ns = now_ns
        return track

    def _towards(self, track: Track, now_ns: int) -> Look | None:
        aim = self._aim(track)
        rings = self._rings(track)
        if rings == 0:
            self._step = 0
            return aim
        if now_ns - self._stepped_ns >= DWELL_S * 1e9:
            self._stepped_ns, self._step = now_ns, self._step + 1
        spots = search_pattern(rings)
        for skipped in range(len(spots)):
            right, up = spots[(self._step + skipped) % len(spots)]
            azimuth = aim.azimuth_rad + right * STEP_SHARE * self._view_rad[0] / max(math.cos(aim.elevation_rad), 0.2)
            elevation = aim.elevation_rad + up * STEP_SHARE * self._view_rad[1]
            look = Look(float(wrap_angle(azimuth)), elevation, track.track_number, True)
            if self._is_allowed(look):
                return look
        return None

    def _rings(self, track: Track) -> int:
        """How many rings of pictures two sigmas reach beyond the middle one."""
        offset, away_m = self._offset(track), self._away_m(track)
        across = np.eye(3) - np.outer(offset, offset) / away_m**2
        spread_m = math.sqrt(max(float(np.linalg.eigvalsh(across @ track.covariance[:3, :3] @ across)[-1]), 0.0))
        half_rad = min(self._view_rad) / 2.0
        reach_rad = SEARCH_SIGMAS * math.hypot(math.atan2(spread_m, away_m), self._sensor.mounting_sigma_rad)
        if reach_rad <= half_rad:
            return 0
        return min(LARGEST_SEARCH_RINGS, math.ceil((reach_rad - half_rad) / (STEP_SHARE * 2.0 * half_rad)))

    def _offset(self, track: Track) -> np.ndarray:
        level_to_enu = np.array(self._sensor.level_to_enu, float).reshape(3, 3)
        return np.asarray(level_to_enu.T @ (track.state[:3] - np.array(self._sensor.position_enu_m)))

    def _away_m(self, track: Track) -> float:
        return max(float(np.linalg.norm(self._offset(track))), 1.0)

    def _aim(self, track: Track) -> Look:
        if track.direction is not None and track.direction.sensor_id == self._sensor.sensor_id:
            return Look(track.direction.azimuth_rad, track.direction.elevation_rad or 0.0, track.track_number, False)
        east, north, up = (float(value) for value in self._offset(track))
        return Look(math.atan2(east, north), math.atan2(up, math.hypot(east, north)), track.track_number, False)

    def _is_allowed(self, look: Look) -> bool:
        low, high = self._settings.tilt_limits_rad
        is_reached = low <= look.elevation_rad <= high
        return is_reached and not any(reaches_into(zone, look, self._view_rad) for zone in self._settings.private_zones)


def is_drone(track: Track) -> bool:
    return track.status in ("confirmed", "coasting") and dict(track.classes).get("drone", 0.0) >= DRONE


def reaches_into(zone: PrivateZone, look: Look, view_rad: tuple[float, float]) -> bool:
    """Whether a picture in this direction would show any of the zone."""
    left, right = zone.azimuth_rad
    half_width, half_height = view_rad[0] / 2.0 / max(math.cos(look.elevation_rad), 0.2), view_rad[1] / 2.0
    width = (right - left) % (2.0 * math.pi)
    away = float(wrap_angle(look.azimuth_rad - (left + width / 2.0)))
    low, high = zone.elevation_rad
    is_beside = abs(away) > width / 2.0 + half_width
    return not is_beside and low - half_height < look.elevation_rad < high + half_height


def search_pattern(rings: int) -> list[tuple[float, float]]:
    """Steps right and up of the middle and of so many hexagonal rings around it, in the order they are looked at."""
    spots = [(0.0, 0.0)]
    for ring in range(1, rings + 1):
        corners = [(ring * math.sin(a * math.pi / 3.0), ring * math.cos(a * math.pi / 3.0)) for a in range(6)]
        for number, (x, y) in enumerate(corners):
            next_x, next_y = corners[(number + 1) % 6]
            spots += [(x + (next_x - x) * i / ring, y + (next_y - y) * i / ring) for i in range(ring)]
    return spots
