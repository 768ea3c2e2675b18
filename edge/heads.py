"""Pan-tilt heads: what a direction is in each protocol's bytes, and how a site file's head is opened.

A head's base stands nearly level; its zero looks along the sensor's `orientation`, heading first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

from edge.site_types import SensorEntry, Site
from edge.slewing import Slewing, Wish
from firmware_interfaces import onvif, pelco_d, visca
from fusion.frames import wrap_angle
from fusion.types import Track
from fusion.wire import CueMessage
from hardware.onvif_camera import OnvifCamera
from hardware.pan_tilt import PanTilt
from hardware.serial_port import SerialPort
from hardware.udp_device import UdpDevice

LONGEST_WISH_S = 600.0  # an operator who has gone home must not keep a camera from what comes


@dataclass(frozen=True, slots=True)
class Head:
    """One head's language. go_to: degrees from its zero, right and up, to frames."""

    ask: tuple[bytes, ...]
    stop: bytes
    go_to: Callable[[float, float], tuple[bytes, ...]]


def head_of(entry: SensorEntry) -> Head:
    """The language of a sensor whose protocol is one of heads."""
    assert entry.head is not None
    address, options = entry.head.address, entry.protocol_options
    if entry.protocol == "onvif":
        return onvif_head(str(entry.device.options["profile"]), options)
    if entry.protocol == "visca":
        pan_steps, tilt_steps = float(options["pan_steps_per_deg"]), float(options["tilt_steps_per_deg"])
        return Head(
            (visca.ask_position(address),),
            visca.stop(address),
            lambda pan_deg, up_deg: (visca.go_to(address, round(pan_deg * pan_steps), round(up_deg * tilt_steps)),),
        )
    tilt_sign = int(options.get("tilt_sign", 1))
    return Head(
        (pelco_d.ask_pan(address), pelco_d.ask_tilt(address)),
        pelco_d.stop(address),
        lambda pan_deg, up_deg: (
            pelco_d.go_to_pan(address, pan_deg),
            pelco_d.go_to_tilt(address, up_deg, tilt_sign),
        ),
    )


def onvif_head(profile: str, options: Mapping[str, Any]) -> Head:
    """A head whose positions are shares of its range."""
    pan_unit_deg, tilt_unit_deg = float(options.get("pan_deg_per_unit", 180.0)), float(options["tilt_deg_per_unit"])
    zero_deg = float(options.get("tilt_at_zero_deg", 0.0))
    return Head(
        (onvif.get_status(profile),),
        onvif.stop(profile),
        lambda pan_deg, up_deg: (onvif.go_to(profile, pan_deg / pan_unit_deg, (up_deg - zero_deg) / tilt_unit_deg),),
    )


def signed(camera: OnvifCamera, message: bytes) -> bytes:
    """A message in its envelope, with a nonce and the time of now."""
    created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return onvif.envelope(message, camera.user or "", camera.password(), os.urandom(16), created)


def driver_of_head(entry: SensorEntry) -> PanTilt:
    """The head on its port, not yet opened."""
    head, options = head_of(entry), dict(entry.device.options)
    if entry.device.driver == "onvif_camera":
        camera = OnvifCamera(**options)  # type: ignore[arg-type]
        return PanTilt(camera, head.ask, head.stop, frame=partial(signed, camera))
    if entry.device.driver == "udp_device":
        numbered = visca.Numbered()
        return PanTilt(UdpDevice(**options), head.ask, head.stop, numbered.count_anew, numbered)  # type: ignore[arg-type]
    return PanTilt(SerialPort(**options), head.ask, head.stop)  # type: ignore[arg-type]


def frames_towards(entry: SensorEntry, azimuth_rad: float, elevation_rad: float) -> tuple[bytes, ...]:
    """What turns the head there."""
    base = entry.sensor.orientation
    pan_deg = math.degrees(float(wrap_angle(azimuth_rad - base.heading_rad)))
    return head_of(entry).go_to(pan_deg, math.degrees(elevation_rad - base.pitch_rad))


class Heads:
    """All heads of a site, each turned to where its camera should look."""

    def __init__(
        self,
        site: Site,
        driver: Callable[[str], object],
        tracks_at: Callable[[int], Sequence[Track]],
    ) -> None:
        cameras = {entry.sensor.sensor_id: entry for entry in site.sensors}
        self._driver, self._tracks_at = driver, tracks_at
        self._slewing: list[tuple[SensorEntry, Slewing]] = []
        for entry in site.sensors:
            if entry.head is not None:
                camera = cameras[entry.head.carries]
                self._slewing.append((entry, Slewing(entry.head, camera.sensor, view_of(camera))))

    def turn(self, now_ns: int) -> None:
        """Have each head look where it should look now; one that need not is left alone, and then stops by itself."""
        for entry, slewing in self._slewing:
            assert entry.head is not None
            look = slewing.look(tuple(self._tracks_at(now_ns + round(entry.head.lag_s * 1e9))), now_ns)
            port = self._driver(entry.sensor.sensor_id)
            if look is not None and isinstance(port, PanTilt):
                port.command(frames_towards(entry, look.azimuth_rad, look.elevation_rad))

    def cue(self, cue: CueMessage, now_ns: int) -> bool:
        """A wish as it came over the wire; False where there is no such head, or the wish is none."""
        seconds = min(cue.seconds, LONGEST_WISH_S)
        if not (seconds > 0.0 and (cue.track_number is not None or cue.azimuth_deg is not None)):
            return self.wish(cue.sensor_id, None)
        angles = (cue.azimuth_deg, cue.elevation_deg)
        if not all(angle is None or (math.isfinite(angle) and abs(angle) <= 360.0) for angle in angles):
            return False
        azimuth_rad, elevation_rad = (None if angle is None else math.radians(angle) for angle in angles)
        until_ns = now_ns + round(seconds * 1e9)
        return self.wish(cue.sensor_id, Wish(until_ns, cue.track_number, azimuth_rad, elevation_rad))

    def wish(self, sensor_id: str, wish: Wish | None) -> bool:
        """An operator's wish for the head, or the camera on it; False where there is no such head."""
        for entry, slewing in self._slewing:
            if entry.head is not None and sensor_id in (entry.sensor.sensor_id, entry.head.carries):
                slewing.wish(wish)
                return True
        return False


def view_of(camera: SensorEntry) -> tuple[float, float]:
    """How wide and high a camera's picture is, rad."""
    assert camera.lens is not None
    sizes, focals = camera.lens.size_px, camera.lens.focal_px
    return 2.0 * math.atan(sizes[0] / 2.0 / focals[0]), 2.0 * math.atan(sizes[1] / 2.0 / focals[1])
