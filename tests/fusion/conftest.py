"""A small world for the tracker's tests: sensors as at a post, objects on straight lines, seeded noise."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from fusion.frames import body_to_level
from fusion.types import (
    Accuracy,
    Coverage,
    Detection,
    DetectionProbability,
    Look,
    Orientation,
    Polar,
    Scan,
    Sensor,
)

START_NS = 1_750_000_000_000_000_000
LEVEL = Orientation(0.0, 0.0, 0.0)

RADAR = Sensor(
    sensor_id="radar",
    position_enu_m=(0.0, 0.0, 4.0),
    orientation=LEVEL,
    accuracy=Accuracy(math.radians(1.5), math.radians(2.0), 0.8, 0.3),
    coverage=Coverage((-math.radians(60), math.radians(60)), (-math.radians(10), math.radians(40)), (2.0, 120.0)),
    detection_probability=DetectionProbability(constant=0.85),
    false_alarms_per_scan=0.4,
)
CAMERA = Sensor(
    sensor_id="camera",
    position_enu_m=(2.0, 0.0, 6.0),
    orientation=LEVEL,
    accuracy=Accuracy(math.radians(0.15), math.radians(0.15)),
    coverage=Coverage((-math.radians(30), math.radians(30)), (-math.radians(15), math.radians(25)), (5.0, 600.0)),
    detection_probability=DetectionProbability(
        by_pixels=((4.0, 0.0), (8.0, 0.35), (16.0, 0.8), (32.0, 0.95)), pixels_per_rad=1650.0, night="none"
    ),
    false_alarms_per_scan=0.2,
)
SECOND_CAMERA = Sensor(
    sensor_id="camera-east",
    position_enu_m=(150.0, 0.0, 6.0),
    orientation=Orientation(-math.radians(35.0), 0.0, 0.0),
    accuracy=CAMERA.accuracy,
    coverage=CAMERA.coverage,
    detection_probability=CAMERA.detection_probability,
    false_alarms_per_scan=0.2,
)


@dataclass
class FlyingObject:
    """On a straight line from its place at the start."""

    position_enu_m: tuple[float, float, float]
    velocity_enu_m_s: tuple[float, float, float]
    class_name: str = "drone"
    width_m: float = 0.35

    def at(self, time_s: float) -> np.ndarray:
        return np.array(self.position_enu_m) + time_s * np.array(self.velocity_enu_m_s)


@dataclass
class World:
    """Objects and sensors; `scans` gives what each sensor reports over time, in order of time."""

    objects: Sequence[FlyingObject]
    rates_hz: dict[str, float]
    sensors: Sequence[Sensor]
    seed: int = 1
    dark: bool = False
    detection_probability: float = 0.9
    false_alarms: float = 0.0
    class_error: float = 0.1
    random: np.random.Generator = field(init=False)

    def scans(self, seconds: float) -> list[Scan]:
        self.random = np.random.default_rng(self.seed)
        moments = sorted(
            (k / self.rates_hz[sensor.sensor_id] + 0.003 * number, number)
            for number, sensor in enumerate(self.sensors)
            for k in range(int(seconds * self.rates_hz[sensor.sensor_id]))
        )
        return [self._scan(self.sensors[number], time_s) for time_s, number in moments]

    def _scan(self, sensor: Sensor, time_s: float) -> Scan:
        coverage = sensor.coverage
        assert coverage is not None
        look = Look(sensor.orientation, coverage.azimuth_rad, coverage.elevation_rad, coverage.slant_range_m)
        is_radar = sensor.accuracy.slant_range_m is not None
        detections = []
        for thing in self.objects:
            if not (self.dark and not is_radar) and self.random.random() < self.detection_probability:
                detection = self._detection(sensor, thing, time_s, is_radar)
                if detection is not None:
                    detections.append(detection)
        for _ in range(self.random.poisson(self.false_alarms)):
            detections.append(self._false_alarm(sensor, coverage, is_radar))
        return Scan(sensor.sensor_id, START_NS + round(time_s * 1e9), (look,), tuple(detections))

    def _detection(self, sensor: Sensor, thing: FlyingObject, time_s: float, is_radar: bool) -> Detection | None:
        d = thing.at(time_s) - np.array(sensor.position_enu_m)
        body = body_to_level(sensor.orientation).T @ d
        r = float(np.linalg.norm(d))
        azimuth, elevation = math.atan2(d[0], d[1]), math.asin(d[2] / r)
        coverage = sensor.coverage
        assert coverage is not None
        inside = (
            coverage.azimuth_rad[0] < math.atan2(body[0], body[1]) < coverage.azimuth_rad[1]
            and coverage.elevation_rad[0] < math.asin(body[2] / r) < coverage.elevation_rad[1]
            and coverage.slant_range_m[0] < r < coverage.slant_range_m[1]
        )
        if not inside:
            return None
        accuracy = sensor.accuracy
        azimuth += accuracy.azimuth_rad * self.random.standard_normal()
        elevation += accuracy.elevation_rad * self.random.standard_normal()
        if is_radar:
            rate = (
                float(d @ np.array(thing.velocity_enu_m_s)) / r
                + accuracy.range_rate_m_s * self.random.standard_normal()
            )
            r += accuracy.slant_range_m * self.random.standard_normal()
            return Detection(self._polar(sensor, azimuth, elevation, r, rate), 0.9)
        name = thing.class_name
        if self.random.random() < self.class_error:
            name = "bird" if name == "drone" else "drone"
        size = thing.width_m / r * (1.0 + 0.1 * self.random.standard_normal())
        return Detection(self._polar(sensor, azimuth, elevation), 0.8, ((name, 0.8),), angular_size_rad=size)

    def _false_alarm(self, sensor: Sensor, coverage: Coverage, is_radar: bool) -> Detection:
        azimuth = sensor.orientation.heading_rad + self.random.uniform(*coverage.azimuth_rad)
        elevation = self.random.uniform(*coverage.elevation_rad)
        if not is_radar:
            return Detection(self._polar(sensor, azimuth, elevation), 0.4, (("drone", 0.4),))
        r = coverage.slant_range_m[1] * math.sqrt(self.random.uniform(0.01, 1.0))
        return Detection(self._polar(sensor, azimuth, elevation, r, self.random.normal(0.0, 5.0)), 0.5)

    def _polar(
        self, sensor: Sensor, azimuth: float, elevation: float, r: float | None = None, rate: float | None = None
    ) -> Polar:
        accuracy = sensor.accuracy
        return Polar(
            azimuth,
            accuracy.azimuth_rad,
            elevation,
            accuracy.elevation_rad,
            r,
            None if r is None else accuracy.slant_range_m,
            rate,
            None if rate is None else accuracy.range_rate_m_s,
        )


@pytest.fixture
def start_ns() -> int:
    return START_NS


@pytest.fixture
def radar() -> Sensor:
    return RADAR


@pytest.fixture
def camera() -> Sensor:
    return CAMERA


@pytest.fixture
def second_camera() -> Sensor:
    return SECOND_CAMERA


@pytest.fixture
def flying_object() -> type[FlyingObject]:
    return FlyingObject


@pytest.fixture
def world() -> Callable[..., World]:
    return World


@pytest.fixture
def benchmark_directory() -> Path:
    """The tracking scenarios, where they are at hand."""
    beside = Path(__file__).parents[2].parent / "shared" / "data" / "tracking"
    path = Path(os.environ.get("SARHAD_TRACKING_DATA", beside))
    if not path.is_dir():
        pytest.skip(f"no tracking scenarios at {path}; set SARHAD_TRACKING_DATA")
    return path
