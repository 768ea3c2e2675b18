"""How far the scenery moved in a picture since the last one: a camera that pans, or shakes in the wind.

Phase correlation of the two pictures, small, grey and faded out at the rim: the peak of the inverse transform of their
normalised cross-power spectrum lies at the shift. Source: Kuglin, Hines (1975), as OpenCV has it (`phaseCorrelate`).
Roll and zoom are not seen. An empty sky has nothing to correlate: then the peak is low, and the scenery counts as still.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

LONGEST_SIDE_PX = 320  # of the pictures compared; a shift is found to about a tenth of their pixels
FAINTEST_PEAK = 0.12  # of 1: below it the two pictures share too little
STILL_PX = 0.25  # of the pictures compared: less is noise

Grey = npt.NDArray[np.uint8]
STANDS_STILL = (0.0, 0.0)


class CameraMotion:
    """One camera's last picture, small."""

    def __init__(self) -> None:
        self._last: npt.NDArray[np.float32] | None = None
        self._fade: npt.NDArray[np.float32] | None = None

    def shift(self, grey: Grey) -> tuple[float, float]:
        """Right and down, in pixels of `grey`, from the picture given before; (0, 0) where that cannot be told."""
        factor = max(1, -(-max(grey.shape) // LONGEST_SIDE_PX))
        small = cv2.resize(grey, (grey.shape[1] // factor, grey.shape[0] // factor), interpolation=cv2.INTER_AREA)
        now, last = np.asarray(small, np.float32), self._last
        self._last = now
        if last is None or last.shape != now.shape:
            self._fade = np.asarray(cv2.createHanningWindow((now.shape[1], now.shape[0]), cv2.CV_32F), np.float32)
            return STANDS_STILL
        assert self._fade is not None
        (across, down), peak = cv2.phaseCorrelate(last - last.mean(), now - now.mean(), self._fade)
        if peak < FAINTEST_PEAK or max(abs(across), abs(down)) < STILL_PX:
            return STANDS_STILL
        return (round(across * factor, 2), round(down * factor, 2))
