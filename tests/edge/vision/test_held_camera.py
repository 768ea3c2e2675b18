"""From encoded pictures of a swaying camera to directions on the ground: the whole path of a landmark lock."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from camera_stream import encode

sys.path.insert(0, str(Path(__file__).parent))
from made_views import LENS, MOUNTING, SIZE_PX, View, sway

from edge.pipeline import Pipeline
from edge.site_file import Site, parse_site
from edge.sources import view_of
from edge.vision import held_camera
from edge.vision.detector import Box
from edge.vision.held_camera import HeldCamera
from edge.vision.landmark_lock import LEARN_S
from edge.vision.landmarks import project
from edge.vision.margins import Margins
from edge.vision.messages import Packet
from edge.vision.process import Eyes, held_by
from edge.vision.score_shift import ScoreShift
from fusion.frames import body_to_level, enu_to_polar, turn_about
from fusion.types import VISION_SUFFIX, Reading

S = 1_000_000_000
LOOKS_HZ = 2.0
SITE = f"""
[site]
id = "ridge"
origin = {{ latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }}
[[sensor]]
id = "camera"
device = {{ driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream" }}
protocol = "yolo"
position = {{ east_m = 0.0, north_m = 0.0, up_m = 5.0 }}
orientation = {{ heading_deg = {math.degrees(MOUNTING.heading_rad)}, pitch_deg = 4.0, roll_deg = 0.0 }}
mounting_sigma_deg = 0.3
accuracy = {{ azimuth_deg = 0.02, elevation_deg = 0.02 }}
lens = {{ size_px = {list(SIZE_PX)}, focal_px = {list(LENS.focal_px)}, center_px = {list(LENS.center_px)} }}
"""
AHEAD = np.array([0.1, 1.0, 0.05]) / np.linalg.norm(
    [0.1, 1.0, 0.05]
)  # where a drone hovers, in axes of the unturned camera


class FoundThere:
    """A detector that finds one drone where it really is in the picture."""

    confidence, model_sha256, provider, class_names = 0.25, "0" * 64, "none", ("drone",)
    usual, margins, closer_look, temperature = None, Margins(), None, 1.0
    wing_beats, score_shift, spectrum = None, ScoreShift(), None
    at_px = (0.0, 0.0)

    def look(self, _picture: object, _regions: object = None, *, every_class: bool = False) -> list[Box]:
        x, y = self.at_px
        return [Box("drone", 0.9, x - 10.0, y - 5.0, 20.0, 10.0)]


class Post:
    """One camera's vision, and the pipeline behind it; with and without what the landmarks say."""

    def __init__(self, site: Site) -> None:
        self.detector = FoundThere()
        self.eyes = Eyes(self.detector)  # type: ignore[arg-type]
        view = view_of(site.sensors[0], site)
        assert view is not None
        self.eyes.take(msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=type(view)))  # as over the pipe
        self.held, self.loose = Pipeline(site, "run", "test"), Pipeline(site, "run", "test")

    def see(self, view: View, time_s: float, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Azimuth and elevation that either pipeline gives the tracker, degrees, shape (2,) each."""
        right, up, roll = turn
        self.detector.at_px = tuple(project(LENS, AHEAD[None] @ turn_about([-up, -roll, right]).T)[0].tolist())
        (data,) = encode([view.picture(turn, 6.0 * time_s)], "mjpeg")
        now_ns = round(time_s * S)
        self.eyes.take(Packet("camera", now_ns, data))
        (result,) = self.eyes.look()
        return (
            self._placed(self.held, msgspec.json.encode(result), now_ns),
            self._placed(self.loose, msgspec.json.encode(msgspec.structs.replace(result, turn=None)), now_ns),
        )

    @staticmethod
    def _placed(line: Pipeline, result: bytes, now_ns: int) -> np.ndarray:
        told = line.feed(Reading("camera" + VISION_SUFFIX, now_ns, now_ns, None, None, result))
        shown = [msgspec.json.decode(message.payload) for message in told if message.topic == "detections"]
        if not shown:
            return np.array([np.nan, np.nan])  # the map gets one a second
        return np.array([shown[0]["detections"][0]["azimuth_deg"], shown[0]["detections"][0]["elevation_deg"]])


def text_of(line: Pipeline) -> str:
    return line.watch.sensor_messages()[0].text


def test_a_swaying_camera_s_directions_stand_still_and_a_knocked_one_is_set_right_and_told() -> None:
    post, view = Post(parse_site(SITE, "ridge.toml")), View()
    for number in range(round(LEARN_S * LOOKS_HZ) + 4):
        held, loose = post.see(view, 1.0 + number / LOOKS_HZ, sway(number / LOOKS_HZ))
        if number < LEARN_S * LOOKS_HZ - 2:
            assert held == pytest.approx(loose, nan_ok=True)  # nothing is corrected before landmarks are known
    begin_s = LEARN_S + 10.0
    still = [post.see(view, begin_s + number, sway(begin_s + number)) for number in range(16)]
    held, loose = np.array([one for one, _ in still]), np.array([other for _, other in still])
    assert np.nanstd(loose, axis=0).min() > 0.15
    assert np.nanstd(held, axis=0).max() < 0.02
    assert np.nanmean(held, axis=0) == pytest.approx(straight(), abs=0.06)

    knock, begin_s = np.radians([1.5, -0.5, 0.0]), begin_s + 20.0
    moved = [post.see(view, begin_s + number, sway(begin_s + number) + knock) for number in range(70)]
    assert np.nanmean([one for one, _ in moved], axis=0) == pytest.approx(straight(), abs=0.1)
    assert np.nanmean([other for _, other in moved], axis=0)[0] < straight()[0] - 1.3
    assert "turned by 1.5 degrees right and 0.5 degrees down" in text_of(post.held)
    assert text_of(post.loose) == ""
    assert post.held.moving["camera"].pointing(round((begin_s + 69.0) * S))[0].heading_rad == pytest.approx(  # for cues
        MOUNTING.heading_rad + math.radians(1.5), abs=math.radians(0.9)
    )


def straight() -> np.ndarray:
    """Azimuth and elevation of the drone by the mounting, degrees."""
    azimuth, elevation, _ = enu_to_polar(body_to_level(MOUNTING) @ AHEAD)
    return np.degrees([azimuth, elevation])


def test_a_camera_on_a_head_has_no_landmarks() -> None:
    head = """[[sensor]]
id = "head"
device = { driver = "serial_port", path = "/dev/ttyUSB9", baud = 9600 }
protocol = "pelco_d"
orientation = { heading_deg = 30.0 }
head = { carries = "camera" }
"""
    site = parse_site(SITE + head, "ridge.toml")
    assert view_of(site.sensors[0], site) is None


def test_a_file_of_the_alignment_that_is_no_picture_counts_as_none() -> None:
    site = parse_site(SITE, "ridge.toml")
    view = view_of(site.sensors[0], site)
    assert view is not None
    assert held_by(msgspec.structs.replace(view, aligned_picture=b"no picture")).see(0.0, View().grey()) is None
    shown = held_by(msgspec.structs.replace(view, aligned_picture=encode([View().picture()], "mjpeg")[0]))
    shown.see(0.0, View().grey())
    assert shown.lock.by_alignment is True


def test_a_camera_that_was_started_at_night_is_held_by_its_alignment_once_there_is_light(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_camera, "TRY_EVERY_S", 20.0)
    day, moved, random = View(), np.radians([1.2, 0.4, 0.0]), np.random.default_rng(1)
    camera = HeldCamera(LENS, MOUNTING, math.radians(0.3), day.grey())
    night = [random.normal(20.0, 4.0, day.grey().shape).clip(0, 255).astype(np.uint8) for _ in range(3)]
    for second in range(70):
        assert camera.see(float(second), night[second % 3]) is None
    assert camera.lock.by_alignment is False
    zeros = []
    for second in range(70, 290):
        turn = sway(float(second)) + moved
        told = camera.see(float(second), day.grey(turn, 6.0 * second))
        if told is not None:
            zeros.append(np.array([told.right_rad, told.up_rad]) - turn[:2])
        if camera.lock.by_alignment and camera.lock.is_learned:
            break
    assert (camera.lock.is_learned, camera.lock.by_alignment) == (True, True)
    assert np.abs(np.median(zeros, axis=0) + moved[:2]).max() < math.radians(
        0.1
    )  # until then, how it hung in the morning
    told = camera.see(290.0, day.grey(sway(290.0) + moved, 6.0 * 290.0))
    assert told is not None
    assert (
        np.abs([told.right_rad, told.up_rad] - (sway(290.0) + moved)[:2]).max() < math.radians(0.06) + 0.02 * moved[0]
    )
