"""A USB camera through OpenCV, as JPEGs.

The camera is asked for motion JPEG; OpenCV hands out pixels all the same, so each picture is encoded again before the door:
what is recorded is what was looked at. device_ns stays None: the driver's time stamps do not come through OpenCV.

No USB camera has been at the other end yet; the tests point it at a video file, which OpenCV opens the same way.
"""

from __future__ import annotations

from typing import Any

from hardware.device import Delivery, DeviceLost

MISSES = 3  # reads in a row that give no picture: the camera has gone


class UsbCamera:
    """Driver `usb_camera`. index_or_path: a device's number or path; size and rate are asked of it, and may be refused."""

    def __init__(
        self,
        index_or_path: str | int,
        width_px: int | None = None,
        height_px: int | None = None,
        fps: float | None = None,
        quality: int = 90,
    ) -> None:
        if not 1 <= quality <= 100:
            raise ValueError(f"quality is {quality}; expected 1 to 100")
        self.path = int(index_or_path) if isinstance(index_or_path, str) and index_or_path.isdigit() else index_or_path
        self.width_px, self.height_px, self.fps, self.quality = width_px, height_px, fps, quality
        self._capture: Any = None

    def open(self) -> None:
        """Raises DeviceLost."""
        import cv2

        self.close()
        is_device = isinstance(self.path, int) or self.path.startswith("/dev/")
        self._capture = cv2.VideoCapture(self.path, cv2.CAP_V4L2 if is_device else cv2.CAP_ANY)
        if not self._capture.isOpened():
            self.close()
            raise DeviceLost(f"camera {self.path} cannot be opened; is it plugged in, and the user in group `video`?")
        if is_device:
            self._ask_for(cv2)

    def read(self, timeout_s: float) -> Delivery | None:
        """The next picture as a JPEG; waits for it as long as OpenCV does (10 s for V4L2). Raises DeviceLost."""
        if self._capture is None:
            raise DeviceLost(f"camera {self.path} is not open")
        for _ in range(MISSES):
            is_read, image = self._capture.read()
            if is_read:
                return Delivery(to_jpeg(image, self.quality))
        raise DeviceLost(f"camera {self.path} gives no pictures any more")

    def close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _ask_for(self, cv2: Any) -> None:
        """Settings the camera may refuse: then it sends what it can."""
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old picture is worse than none
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, self.width_px),
            (cv2.CAP_PROP_FRAME_HEIGHT, self.height_px),
            (cv2.CAP_PROP_FPS, self.fps),
        ):
            if value is not None:
                self._capture.set(setting, value)


def to_jpeg(image: Any, quality: int) -> bytes:
    """A BGR image, uint8 (height, width, 3), as a JPEG."""
    import cv2

    is_done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_done:
        raise DeviceLost(f"an image of shape {image.shape} cannot be encoded")
    return bytes(jpeg)
