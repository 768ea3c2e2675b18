"""A camera at a mounting: objects projected through its lens, painted, and encoded as H.264 access units.

    body (x right, y forward, z up) ──▶ optical axes (x right, y down, z forward) ──▶ lens ──▶ pixels ──▶ x264

One access unit a frame, Annex B, with its parameter sets in front of every key frame, no B-frames: what an IP camera
sends when it is set up for low latency. The decoder on the other side needs nothing but these bytes. A lens with a readout
time shows each object where it was when its row was exposed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import av
import cv2
import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.faults import holding
from edge.simulator.mount import mount_of
from edge.simulator.scenario import Scenario
from edge.simulator.scenery import Picture, Scenery, Sprite
from edge.simulator.world import Sighting, visible_to
from edge.site_file import SensorEntry
from edge.site_keys import Key, Place, read_keys
from fusion.camera import Lens, row_time_s
from fusion.types import FloatArray

BODY_TO_OPTICAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
NEAREST_M = 1.0  # what is closer, or behind, is not painted
BLINDED_GREY = 250  # glare
SMALLEST_PX = 0.5  # a tenth of a grey level: no picture shows it

KEYS = (
    Key("rate_hz", "number", "frames a second", 10.0, above=0.0, at_most=60.0),
    Key("latency_s", "number", "from exposure to the network", 0.08, at_least=0.0, at_most=5.0),
    Key("jitter_s", "number", "mean of what comes on top of the latency", 0.0, at_least=0.0, at_most=5.0),
    Key("infrared", "yes_no", "a camera that sees heat", False),
    Key("detector", "table", "how well a detector does, for runs without pictures: looks.py", None),
    Key("quality_crf", "integer", "x264's rate factor: lower is finer", 22, at_least=0, at_most=51),
    Key("key_frame_s", "number", "between key frames", 1.0, above=0.0, at_most=60.0),
    Key("horizon_px", "number", "row of the horizon; left out: as the mounting gives it", None),
    Key("trees", "yes_no", "along the nearest crest", True),
    Key("exposure_s", "number", "longer smears what moves", 0.004, at_least=0.0, at_most=1.0),
)


class Camera:
    def __init__(self, scenario: Scenario, entry: SensorEntry, simulate: Mapping[str, Any], seed: int, place: Place):
        if entry.lens is None:
            raise place.missing("lens", "a lens: a simulated camera projects through it")
        scene = scenario.scene
        self._mount, rest = mount_of(entry.sensor, simulate, seed, scene.gusts, scenario.faults, place)
        values = read_keys(rest, KEYS, place)
        self.sensor_id = entry.sensor.sensor_id
        self.rate_hz, self.latency_s, self.jitter_s = values["rate_hz"], values["latency_s"], values["jitter_s"]
        self._lens, self._world, self._scene = entry.lens, scenario.world, scene
        self._exposure_s, self._faults = values["exposure_s"], scenario.faults
        self._spectrum = "infrared" if values["infrared"] else "visible"
        horizon_px = values["horizon_px"]
        if horizon_px is None:
            horizon_px = entry.lens.center_px[1] + entry.lens.focal_px[1] * math.tan(entry.sensor.orientation.pitch_rad)
        self._horizon_px, self._trees = float(horizon_px), values["trees"]
        self._painted_from = int(chance_of(seed, self.sensor_id).integers(1 << 31))
        self._encoded = 0
        self._encoder = Encoder(entry.lens.size_px, self.rate_hz, values["quality_crf"], values["key_frame_s"])

    @cached_property
    def scenery(self) -> Scenery:
        """Painted when the first picture is wanted: that takes a good part of a second."""
        return Scenery(
            self._lens.size_px,
            self._painted_from,
            spectrum=self._spectrum,  # type: ignore[arg-type]  # one of two
            light=self._scene.light,  # type: ignore[arg-type]  # one of its choices, checked by its Key
            horizon_px=self._horizon_px,
            cloudiness=self._scene.cloudiness,
            trees=self._trees,
        )

    def emit(self, number: int, time_s: float, time_ns: int) -> bytes:
        """The access unit of this frame."""
        self._encoded += 1  # a looped film repeats its pictures, and yet its stream goes on
        return self._encoder.encode(self.picture(number, time_s), self._encoded - 1)

    def picture(self, number: int, time_s: float) -> Picture:
        if holding(self._faults, self.sensor_id, "blinded", time_s) is not None:
            return np.full((self._lens.size_px[1], self._lens.size_px[0], 3), BLINDED_GREY, np.uint8)
        return self.scenery.render(self.sprites(time_s), number)

    def sprites(self, time_s: float) -> list[Sprite]:
        """What stands in the picture at a time, in pixels; some of it may be beyond its edges."""
        there = [sighting for sighting in self._world.at(time_s) if visible_to(sighting.object, self.sensor_id)]
        seen = self._world.is_seen(
            self._mount.position_enu_m, np.array([s.position_enu_m for s in there]).reshape(-1, 3)
        )
        found = (self._sprite(sighting, time_s) for sighting, is_seen in zip(there, seen, strict=True) if is_seen)
        return [sprite for sprite in found if sprite is not None]

    def _sprite(self, sighting: Sighting, time_s: float) -> Sprite | None:
        body = self._mount.to_body(sighting.position_enu_m, time_s)
        if body[1] < NEAREST_M:
            return None
        away_m = float(np.linalg.norm(body))
        width_px = self._lens.focal_px[0] * sighting.object.size_m / away_m
        if width_px < SMALLEST_PX:
            return None
        x_px, y_px = project(self._lens, body)
        if self._lens.readout_s:  # it is painted where it was when its row was exposed
            late_s = row_time_s(self._lens, y_px)
            there_m = sighting.position_enu_m + late_s * sighting.velocity_enu_m_s
            x_px, y_px = project(self._lens, self._mount.to_body(there_m, time_s + late_s))
        line = sighting.position_enu_m - self._mount.position_enu_m
        azimuth_rad = math.atan2(line[0], line[1])
        across_m_s = np.linalg.norm(np.cross(line / away_m, sighting.velocity_enu_m_s))
        smear_px = self._lens.focal_px[0] * across_m_s / away_m * self._exposure_s / math.sqrt(12)
        return Sprite(
            sighting.object.shape,
            x_px,
            y_px,
            width_px,
            heading_rad=sighting.heading_rad - azimuth_rad,
            phase=sighting.cycle,
            elevation_rad=math.atan2(line[2], math.hypot(line[0], line[1])),
            contrast=float(self._scene.contrast(away_m)),
            blur_px=math.hypot(0.6, smear_px),
        )


def project(lens: Lens, body_m: FloatArray) -> tuple[float, float]:
    """The pixel of a point in body axes, m, shape (3,), in front of the lens; distortion included."""
    matrix = np.array(
        [[lens.focal_px[0], 0.0, lens.center_px[0]], [0.0, lens.focal_px[1], lens.center_px[1]], [0.0, 0.0, 1.0]]
    )
    point = (BODY_TO_OPTICAL @ body_m).reshape(1, 1, 3)
    pixel, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), matrix, np.asarray(lens.distortion))
    return float(pixel[0, 0, 0]), float(pixel[0, 0, 1])


class Encoder:
    """Pictures in, access units out, one for one."""

    def __init__(self, size_px: tuple[int, int], rate_hz: float, quality_crf: int, key_frame_s: float) -> None:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width, codec.height = size_px
        codec.pix_fmt = "yuv420p"
        rate = Fraction(rate_hz).limit_denominator(1000)
        codec.framerate, codec.time_base = rate, 1 / rate
        codec.gop_size = max(1, round(key_frame_s * rate_hz))
        codec.thread_count = 1  # the same pictures give the same bytes, and the other core is for the post
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": str(quality_crf),
            "x264-params": "bframes=0:scenecut=0:repeat-headers=1:annexb=1",
        }
        self._codec = codec

    def encode(self, picture: Picture, number: int) -> bytes:
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts = number
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))
