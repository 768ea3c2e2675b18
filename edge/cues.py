"""Where tracks should appear in a camera's picture: what any sensor found tells the detector where to look."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from edge.site_file import SensorEntry
from edge.vision.regions import Region
from fusion.camera import direction_to_pixel
from fusion.frames import body_to_level
from fusion.types import Track

CUE_SIGMAS = 3.0
LARGEST_CUE_PX = 640.0  # a track less certain than this says nothing about where to look


def cues_of(entry: SensorEntry, tracks: Iterable[Track]) -> Sequence[Region]:
    """Pixel rectangles around the tracks that fall into a camera's picture, the surest first."""
    if entry.lens is None:
        return ()
    cues = [cue for track in tracks if (cue := cue_of(entry, track)) is not None]
    return sorted(cues, key=lambda cue: (cue.width_px * cue.height_px, cue.x_px, cue.y_px))


def cue_of(entry: SensorEntry, track: Track) -> Region | None:
    """The rectangle in which one track is expected, or None where it is out of the picture or too uncertain."""
    lens = entry.lens
    assert lens is not None
    sensor = entry.sensor
    offset_m = track.state[:3] - np.array(sensor.position_enu_m)
    slant_range_m = float(np.linalg.norm(offset_m))
    if slant_range_m < 1.0:
        return None
    body = body_to_level(sensor.orientation).T @ offset_m
    pixel = direction_to_pixel(lens, body / slant_range_m)
    if pixel is None:
        return None
    across = (
        np.eye(3) - np.outer(offset_m, offset_m) / slant_range_m**2
    )  # only errors across the line of sight shift a pixel
    spread_m = math.sqrt(float(np.linalg.eigvalsh(across @ track.covariance[:3, :3] @ across)[-1]))
    mounting_px = sensor.mounting_sigma_rad * lens.focal_px[0]
    half_px = CUE_SIGMAS * (lens.focal_px[0] * spread_m / slant_range_m + mounting_px) + 16.0
    if half_px > LARGEST_CUE_PX:
        return None
    x_px, y_px = float(pixel[0]), float(pixel[1])
    width_px, height_px = lens.size_px
    if not (-half_px < x_px < width_px + half_px and -half_px < y_px < height_px + half_px):
        return None
    left, top = max(0, int(x_px - half_px)), max(0, int(y_px - half_px))
    right, bottom = min(width_px, int(x_px + half_px)), min(height_px, int(y_px + half_px))
    return Region(left, top, right - left, bottom - top) if right > left and bottom > top else None
