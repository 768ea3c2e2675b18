"""A Jetson's CSI camera: a GStreamer pipeline through OpenCV, as JPEGs.

    nvarguscamerasrc -> nvvidconv -> jpeg by nvjpegenc -> appsink

The hardware encodes; the bytes of the encoder come through. It needs an OpenCV built with GStreamer, which JetPack's own is
and the one from the package registry is not. UNTESTED: no Jetson has run this yet; only the pipeline's text and the
refusal without GStreamer are tested.
"""

from __future__ import annotations

from typing import Any

from hardware.device import Delivery, DeviceLost


class JetsonCamera:
    """Driver `jetson_camera`. index: of the CSI connector."""

    def __init__(
        self, index: int = 0, width_px: int = 1920, height_px: int = 1080, fps: float = 30, quality: int = 90
    ) -> None:
        self.index, self.width_px, self.height_px, self.fps, self.quality = index, width_px, height_px, fps, quality
        self._capture: Any = None

    def pipeline(self) -> str:
        """The GStreamer pipeline in GStreamer's own notation."""
        return (
            f"nvarguscamerasrc sensor-id={self.index}"
            f" ! video/x-raw(memory:NVMM),width={self.width_px},height={self.height_px},framerate={round(self.fps)}/1"
            f" ! nvvidconv ! video/x-raw(memory:NVMM),format=I420 ! nvjpegenc quality={self.quality}"
            " ! image/jpeg ! appsink max-buffers=2 drop=true sync=false"
        )

    def open(self) -> None:
        """Raises DeviceLost, saying so where OpenCV lacks GStreamer."""
        import cv2

        self.close()
        if cv2.CAP_GSTREAMER not in cv2.videoio_registry.getCameraBackends():
            raise DeviceLost("this OpenCV has no GStreamer; use JetPack's own OpenCV instead of the packaged one")
        self._capture = cv2.VideoCapture(self.pipeline(), cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            self.close()
            raise DeviceLost(
                f"CSI camera {self.index} cannot be opened; is the ribbon cable in, nvargus-daemon running?"
            )

    def read(self, timeout_s: float) -> Delivery | None:
        """The next picture as a JPEG. Raises DeviceLost."""
        if self._capture is None:
            raise DeviceLost(f"CSI camera {self.index} is not open")
        is_read, encoded = self._capture.read()
        if not is_read:
            raise DeviceLost(f"CSI camera {self.index} gives no pictures any more")
        return Delivery(bytes(encoded))

    def close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()
