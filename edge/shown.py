"""What sensors report, as the map and the camera views show it: for orientation only, without covariance. Pure."""

from __future__ import annotations

import math

from fusion import wire
from fusion.frames import LocalFrame, body_to_level, polar_to_enu
from fusion.types import Detection, Look, Polar, Position, Presence, RangeRate, RemoteTrack


def detection_message(detection: Detection, frame: LocalFrame) -> wire.DetectionMessage:
    """A detection as the map shows it; no covariance, since nothing is computed from it."""
    measurement = detection.measurement
    shared = {
        "confidence": round(detection.confidence, 3),
        "classes": {name: round(p, 3) for name, p in detection.classes} or None,
        "box_px": detection.box_px,
        "angular_size_deg": None
        if detection.angular_size_rad is None
        else wire.significant(math.degrees(detection.angular_size_rad), 3),
    }
    if isinstance(measurement, Polar):
        return wire.DetectionMessage(
            azimuth_deg=round(math.degrees(measurement.azimuth_rad) % 360.0, 3),
            elevation_deg=None
            if measurement.elevation_rad is None
            else round(math.degrees(measurement.elevation_rad), 3),
            slant_range_m=None if measurement.slant_range_m is None else round(measurement.slant_range_m, 2),
            range_rate_m_s=None if measurement.range_rate_m_s is None else round(measurement.range_rate_m_s, 2),
            **shared,
        )
    if isinstance(measurement, RangeRate):
        return wire.DetectionMessage(range_rate_m_s=round(measurement.range_rate_m_s, 2), **shared)
    assert isinstance(measurement, Position)
    place = frame.enu_to_geodetic((measurement.east_m, measurement.north_m, measurement.up_m or 0.0))
    return wire.DetectionMessage(
        latitude_deg=round(place.latitude_deg, 7),
        longitude_deg=round(place.longitude_deg, 7),
        height_m=None if measurement.up_m is None else round(place.height_m or 0.0, 2),
        **shared,
    )


def looked_message(look: Look) -> wire.LookedMessage:
    """A part of a camera's picture as the page draws it."""
    (left, right), (low, high) = look.azimuth_rad, look.elevation_rad
    turn = body_to_level(look.orientation)
    corners = [turn @ polar_to_enu(az, el, 1.0) for az, el in ((left, high), (right, high), (right, low), (left, low))]
    azimuths = (round(math.degrees(math.atan2(east, north)) % 360.0, 2) for east, north, _ in corners)
    elevations = (round(math.degrees(math.asin(max(-1.0, min(1.0, float(up))))), 2) for *_, up in corners)
    return wire.LookedMessage(tuple(azimuths), tuple(elevations))


def remote_message(track: RemoteTrack) -> wire.DetectionMessage:
    """Another system's track as the map shows it."""
    place = track.position
    return wire.DetectionMessage(
        latitude_deg=round(place.latitude_deg, 7),
        longitude_deg=round(place.longitude_deg, 7),
        height_m=None if place.height_m is None else round(place.height_m, 2),
    )


def presence_message(presence: Presence) -> wire.DetectionMessage:
    """Something that is there, without a place."""
    return wire.DetectionMessage(
        presence=presence.kind,
        text=presence.text or None,
        power_dbm=None if presence.power_dbm is None else round(presence.power_dbm, 1),
        frequency_hz=None if presence.frequency_hz is None else round(presence.frequency_hz),
    )
