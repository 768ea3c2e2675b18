"""A camera with a rolling shutter, from what it shows to the direction that the tracker is given."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edge.simulator import run
from edge.simulator.mount import Mount
from edge.vision.detector import Box
from edge.vision.image_tracks import ImageTracks
from edge.vision.messages import Result, to_found
from firmware_interfaces.yolo import Decoder
from fusion.frames import polar_to_enu
from fusion.types import Reading

RATE_HZ, SIDE_PX = 20, 12.0


def directions(scan):
    found = [(d.measurement.azimuth_rad, d.measurement.elevation_rad) for d in scan.detections]
    return [polar_to_enu(azimuth, elevation, 1.0) for azimuth, elevation in found]


@pytest.mark.parametrize("is_told", [True, False])
def test_directions_are_true_at_the_pictures_time_where_the_site_file_tells_the_readout(demo, is_told):
    entry = next(entry for entry in demo.site.sensors if entry.protocol == "yolo")
    rolling = replace(entry, lens=replace(entry.lens, readout_s=0.1), sensor=replace(entry.sensor, latency_ns=0))
    camera, tracks = run.sensor_of(demo, rolling, demo.seed), ImageTracks(("drone",))
    decoder, mount = Decoder(rolling.sensor, rolling.lens if is_told else entry.lens), Mount(entry.sensor)
    errors_deg = []
    for number in range(8 * RATE_HZ):
        time_s = number / RATE_HZ
        sprites = [s for s in camera.sprites(time_s) if 0 < s.x_px < 1280 and 0 < s.y_px < 720]
        half = SIDE_PX / 2
        boxes = [Box("drone", 0.9, s.x_px - half, s.y_px - half, SIDE_PX, SIDE_PX, (0.9,)) for s in sprites]
        found = to_found(tracks.follow(time_s, boxes))
        time_ns = 10**18 + round(time_s * 1e9)
        result = Result(time_ns, rolling.sensor.sensor_id, (1280, 720), [], "0" * 64, "", found)
        reading = Reading("camera/vision", time_ns, time_ns, None, None, msgspec.json.encode(result))
        (scan,) = [fact for fact in decoder.feed(reading) if hasattr(fact, "detections")]
        truth = [s.position_enu_m - mount.position_enu_m for s in demo.world.at(time_s)]
        truth = [line / np.linalg.norm(line) for line in truth]
        if time_s >= 2.0:  # tracklets know their speeds
            errors_deg += [
                min(math.degrees(np.linalg.norm(direction - line)) for line in truth) for direction in directions(scan)
            ]
    assert len(errors_deg) > 100
    worst_deg = np.quantile(errors_deg, 0.9)
    assert worst_deg < 0.03 if is_told else worst_deg > 0.1
