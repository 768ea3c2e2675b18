"""From one look to the next: the camera's own motion, tracklets and what they are, which boxes are worth telling, and drift.

Looking live and looking again at a recording both go through here, picture for picture, so both find the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.vision.camera_motion import CameraMotion, Grey
from edge.vision.closer_look import CloserLooks
from edge.vision.detector import Box, Detector, Picture, Region
from edge.vision.drift import Drift
from edge.vision.image_tracks import UNSURE, ImageTracks, Seen
from edge.vision.regions import HALF
from edge.vision.wing_beats import Beating

OWN_CUES = 4  # detections of the last look that are looked at again first


class Following:
    """One camera's memory."""

    def __init__(self, detector: Detector) -> None:
        self._motion, self._tracks = CameraMotion(), ImageTracks(detector.class_names, detector.temperature)
        self._closer, self._beating = CloserLooks(detector), Beating(detector)
        self.drift = Drift(detector.usual)
        self._grey: Grey | None = None
        self.shift_px = (0.0, 0.0)  # of the scenery, from the last picture to this one, in pixels of `grey`

    def see(self, grey: Grey) -> tuple[float, float]:
        """Take the next picture, at half its size; how far the scenery moved."""
        self._grey, self.shift_px = grey, self._motion.shift(grey)
        return self.shift_px

    def link(self, monotonic_ns: int, picture: Picture, boxes: Sequence[Box]) -> list[Seen]:
        """The boxes of this picture, each with its tracklet and what that is."""
        across, down = self.shift_px
        linked = self._tracks.follow(monotonic_ns / 1e9, boxes, (across / HALF, down / HALF))
        closer = self._closer.see(monotonic_ns / 1e9, picture, linked)
        return self._beating.see(monotonic_ns / 1e9, picture, closer)

    def tell(
        self, monotonic_ns: int, picture: Picture, boxes: Sequence[Box], confidence: float, trouble: str = ""
    ) -> list[Seen]:
        """Those that are sure enough, or that a steady tracklet vouches for; surest first.

        trouble: why the picture does not show what is there now; of such a one, drift learns nothing.
        """
        linked = self.link(monotonic_ns, picture, boxes)
        if trouble:
            self.drift.doubt()
        elif self._grey is not None:
            self.drift.see(monotonic_ns / 1e9, self._grey)
            self.drift.find(monotonic_ns / 1e9, linked)
        return [one for one in linked if one.box.confidence >= confidence or one.vouched]


def lowest_confidence(confidence: float) -> float:
    """From where the detector must report, so that tracklets can go on with what alone is too unsure."""
    return min(confidence, UNSURE)


def cues_of(told: Sequence[Seen]) -> list[Region]:
    """Where the next look should look again: around the surest of what was told."""
    return [around(one.box) for one in told[:OWN_CUES]]


def around(box: Box) -> Region:
    return Region(int(box.x_px), int(box.y_px), int(box.width_px) + 1, int(box.height_px) + 1)
