"""The post's health, told by what came through the door."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
from made_sites import BROKER, RECEIVER, RIDGE

from edge.pipeline import Pipeline
from edge.site_file import parse_site
from edge.vision.client import VisionProcess
from fusion import wire
from fusion.sensor_noise import Noise
from fusion.types import CLOCK, NODE, VISION_SUFFIX, Reading
from hardware.device import DeviceEvent

SITE = (
    RIDGE
    + BROKER
    + """[[sensor]]
id = "camera"
device = { driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream" }
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 4.0 }
orientation = { heading_deg = 10.0, pitch_deg = 5.0, roll_deg = 0.0 }
lens = { size_px = [640, 480], focal_px = [900.0, 900.0], center_px = [320.0, 240.0], distortion = [0, 0, 0, 0, 0] }
accuracy = { azimuth_deg = 0.2, elevation_deg = 0.2 }
"""
    + RECEIVER
)
S = 1_000_000_000


def pipeline() -> Pipeline:
    return Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")


def tick(at_s: float) -> Reading:
    return Reading(CLOCK, int(at_s * S), int(at_s * S), None, None, b"")


def event(at_s: float, sensor_id: str, name: str, text: str, count: int | None = None) -> Reading:
    told = DeviceEvent(sensor_id, name, text, count=count)
    return Reading(NODE, int(at_s * S), int(at_s * S), None, None, told.to_json())


def packet(at_s: float) -> Reading:
    return Reading("camera", int(at_s * S), int(at_s * S), None, None, b"\xff\xd8 a picture")


def look(at_s: float) -> Reading:
    found = b'{"access_unit_ns":%d,"sensor_id":"camera","size_px":[640,480],"looked":[[0,0,640,480]],' % int(at_s * S)
    found += b'"model_sha256":"00","provider":"CPU","detections":[]}'
    return Reading("camera" + VISION_SUFFIX, int(at_s * S), int(at_s * S), None, None, found)


def health(line: Pipeline, *readings: Reading) -> dict[str, wire.SensorHealthMessage]:
    for reading in readings:
        line.feed(reading)
    return {message.sensor_id: message for message in line.watch.sensor_messages()}


def test_a_camera_sees_once_its_pictures_are_looked_at() -> None:
    line = pipeline()
    assert health(line, packet(1.0), tick(1.1))["camera"].state == "ok"
    assert not health(line)["camera"].can_see
    assert health(line, look(2.0), tick(2.1))["camera"].can_see
    assert line.watch.state() == ("ok", "")


def test_a_camera_whose_detector_never_answers_is_degraded_and_the_post_blind() -> None:
    line = pipeline()
    camera = health(line, *(packet(1.0 + n) for n in range(15)), tick(15.0))["camera"]
    assert (camera.state, camera.can_see) == ("degraded", False)
    assert "detector" in camera.text
    assert line.watch.state()[0] == "blind"


def test_a_detector_that_died_is_told_and_its_return_too() -> None:
    line = pipeline()
    lost = event(3.0, "camera" + VISION_SUFFIX, "lost", "the detector: it ended with exit code -9")
    camera = health(line, packet(1.0), look(2.0), lost)["camera"]
    assert (camera.state, camera.text) == ("degraded", "the detector: it ended with exit code -9")
    back = event(5.0, "camera" + VISION_SUFFIX, "back", "the detector looks again")
    assert health(line, back, packet(5.1), look(5.2))["camera"].state == "ok"


def test_packets_that_were_not_looked_at_are_counted() -> None:
    line = pipeline()
    dropped = event(3.0, "camera" + VISION_SUFFIX, "dropped", "7 packets were not looked at", 7)
    assert health(line, packet(1.0), dropped)["camera"].dropped == 7


def test_an_unplugged_sensor_is_lost_until_its_bytes_come_again() -> None:
    line = pipeline()
    gone = event(2.0, "remote-id", "lost", "unplugged")
    assert health(line, gone)["remote-id"].state == "lost"
    assert health(line, event(4.0, "remote-id", "back", "back after 2.0 s"))["remote-id"].state == "waiting"
    assert health(line, Reading("remote-id", 5 * S, 5 * S, None, None, b"x"))["remote-id"].state == "ok"


def test_an_empty_sky_does_not_degrade_a_post_that_listens_for_broadcasts() -> None:
    line = pipeline()
    silent = event(70.0, "remote-id", "silent", "open, but no bytes for 60.0 s")
    health(line, silent, packet(69.5), look(70.0), tick(70.1))
    assert line.watch.state() == ("ok", "")


def test_a_detector_that_cannot_start_is_reported_and_tried_again(tmp_path: Path) -> None:
    async def run() -> list[str]:
        told: list[str] = []
        twice = asyncio.Event()

        def report(name: str, text: str, count: int | None) -> None:
            told.append(name)

        vision = VisionProcess(tmp_path / "missing.onnx", report=report)

        async def started() -> Any:
            try:
                await vision.start()
            except RuntimeError as error:
                return str(error)

        assert "did not start" in str(await asyncio.wait_for(started(), 60))
        for _ in range(600):
            if vision.restart_count >= 1:
                twice.set()
                break
            await asyncio.sleep(0.1)
        assert twice.is_set()
        await vision.close()
        return told

    assert asyncio.run(run()) == ["lost"]


FENCE = """
[[sensor]]
id = "doors"
device = { driver = "tcp_stream", port = 4330 }
protocol = "rtl_433"
"""


def test_what_has_no_place_on_the_map_stands_on_health() -> None:
    post = Pipeline(parse_site(SITE + FENCE, "ridge.toml"), "run", "software")
    opened = b'{"model": "Honeywell-Security", "id": 815221, "state": "open"}\n'
    post.feed(Reading("doors", 5 * S, 5 * S, None, None, opened))
    (doors,) = [m for m in post.watch.sensor_messages() if m.sensor_id == "doors"]
    assert doors.noticed == "door: Honeywell-Security 815221: open"
    assert doors.noticed_at == "1970-01-01T00:00:05.000000Z"


NO_EVENTS = (
    b"lost",
    b"[]",
    b"3",
    b'{"event":"lost"',
    b'{"colour":1}',
    b'{"event":["lost"],"sensor_id":"camera","text":"gone"}',
    b'{"event":"dropped","sensor_id":"camera","text":"full","duration_s":1e999,"offset_s":1e999}',
    b'{"event":"untrusted","text":"","offset_s":"far"}',
    b'{"event":"lost","sensor_id":"camera","text":"\xff"}',
    b'{"event":"lost","sensor_id":"camera","text":"gone","more":' + b"[" * 100_000,
)


@pytest.mark.parametrize("sensor_id", [NODE, CLOCK])
@pytest.mark.parametrize("data", NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_bytes_that_are_no_event_of_the_node_or_the_clock_are_counted(sensor_id: str, data: bytes) -> None:
    line = pipeline()
    before = health(line, packet(1.0), look(1.0))
    assert health(line, Reading(sensor_id, S, S, None, None, data)) == before
    assert line.watch.events["unreadable"] == 1


def test_a_sensor_that_errs_by_more_than_declared_says_by_how_much_until_it_does_no_more() -> None:
    watch = pipeline().watch
    noise = Noise("camera", "azimuth", math.radians(2.7), math.radians(0.15))
    watch.note_noises((noise, Noise("other", "slant range", 40.0, 1.5)))
    assert (watch.sensors["camera"].complaint(0) or "").startswith("errs by 2.7 degrees in azimuth; declared 0.15: ")
    watch.note_noises(())
    assert watch.sensors["camera"].complaint(0) is None
