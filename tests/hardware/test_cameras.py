"""The drivers that stand on OpenCV, as far as they can be tried without a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.device import DeviceLost
from hardware.jetson_camera import JetsonCamera
from hardware.usb_camera import UsbCamera, to_jpeg


def test_pictures_come_as_jpegs_and_the_end_is_a_loss(make_film):
    film = make_film("a.avi", "mjpeg")
    camera = UsbCamera(str(film.path))
    camera.open()
    for _ in range(20):
        delivery = camera.read(1.0)
        assert cv2.imdecode(np.frombuffer(delivery.data, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
    with pytest.raises(DeviceLost, match="gives no pictures any more"):
        camera.read(1.0)
    camera.close()
    camera.close()


def test_a_better_quality_keeps_more_of_the_picture():
    noise = np.random.default_rng(5).integers(0, 255, (64, 64, 3), dtype=np.uint8)

    def error(quality: int) -> float:
        back = cv2.imdecode(np.frombuffer(to_jpeg(noise, quality), np.uint8), cv2.IMREAD_COLOR)
        return float(np.abs(back.astype(int) - noise).mean())

    assert error(95) < error(50)


def test_a_camera_that_is_not_there_says_what_to_look_at(tmp_path):
    with pytest.raises(DeviceLost, match="is it plugged in"):
        UsbCamera(str(tmp_path / "video9")).open()
    with pytest.raises(DeviceLost, match="camera 63 cannot be opened"):
        UsbCamera("63").open()


def test_the_jetson_pipeline_names_connector_size_and_rate():
    text = JetsonCamera(1, 1280, 720, 10.0).pipeline()
    assert text.startswith(
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=10/1 !"
    )
    assert text.endswith("appsink max-buffers=2 drop=true sync=false")


def test_an_opencv_without_gstreamer_is_told_as_such(monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "getCameraBackends", lambda: [cv2.CAP_V4L2])
    with pytest.raises(DeviceLost, match="this OpenCV has no GStreamer"):
        JetsonCamera().open()
