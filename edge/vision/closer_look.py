"""A closer look at what a tracklet shows: up to eight of its looks side by side, without sky, size and light.

The detector saw few days at training, and each day's light, sky and sizes told it the class. Here none of these is left
(`patches.py`), so shape tells, and how it changes from look to look. Both count the same, the share of a tracklet's votes and
what is told here: their geometric mean is the probability of its classes.

A patch is kept every so often; when there are more than eight, every other is dropped and the pace halved, so that they show
the tracklet's whole life. Only visible pictures are looked at so: of infrared ones, objects of five pixels, such a
network told nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge.vision.detector import Detector, Picture, spectrum_shown
from edge.vision.image_tracks import FORGOTTEN_S, Seen, log_shares
from edge.vision.patches import Patch, patch_of

MOST_PATCHES, FEWEST_PATCHES = 8, 3
EVERY_S = 0.2  # at first
MOST_A_PICTURE = 4  # tracklets looked at in one picture, 2 ms of a core each; the others are next
WEIGHT = 0.5  # of the closer look against the votes of all looks, in logarithms


@dataclass(slots=True)
class Kept:
    """What is kept of one tracklet."""

    patches: list[Patch] = field(default_factory=list)
    every_s: float = EVERY_S
    last_kept_s: float = -np.inf
    last_seen_s: float = 0.0
    told: npt.NDArray[np.float64] | None = None  # logarithms of the classes' probabilities

    def take(self, time_s: float, patch: Patch) -> None:
        self.patches.append(patch)
        self.last_kept_s = time_s
        if len(self.patches) > MOST_PATCHES:
            self.patches = self.patches[::2]
            self.every_s *= 2


class CloserLooks:
    """One camera's tracklets, looked at closer."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self._network, self._margins = detector, detector.closer_look, detector.margins
        self._kept: dict[int, Kept] = {}

    def see(self, time_s: float, picture_bgr: Picture, linked: Sequence[Seen]) -> list[Seen]:
        """The same, their classes by both; of tracklets that are steady, in visible pictures."""
        network, margin_px = self._network, self._margins.visible_px
        if network is None or (linked and spectrum_shown(self._detector, picture_bgr) == "infrared"):
            return list(linked)
        self._kept = {n: kept for n, kept in self._kept.items() if time_s - kept.last_seen_s <= FORGOTTEN_S}
        steady = [one for one in linked if one.number and one.vouched]
        for one in steady:
            self._kept.setdefault(one.number, Kept()).last_seen_s = time_s
        due = [one for one in steady if time_s - self._kept[one.number].last_kept_s >= self._kept[one.number].every_s]
        for one in sorted(due, key=lambda one: (self._kept[one.number].last_kept_s, one.number))[:MOST_A_PICTURE]:
            kept = self._kept[one.number]
            kept.take(time_s, patch_of(picture_bgr, one.box, margin_px))
            if len(kept.patches) >= FEWEST_PATCHES:
                kept.told = network.log_probabilities(kept.patches)
        return [self._by_both(one) if one.number and one.vouched else one for one in linked]

    def _by_both(self, one: Seen) -> Seen:
        told = self._kept[one.number].told
        return one if told is None else replace(one, classes=by_both(one.classes, told))


def by_both(voted: Sequence[tuple[str, float]], told: npt.NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    """The geometric mean of both, adding up to 1."""
    mixed = (1 - WEIGHT) * log_shares([share for _, share in voted]) + WEIGHT * told
    raised = np.exp(mixed - mixed.max())
    return tuple((name, round(float(p), 4)) for (name, _), p in zip(voted, raised / raised.sum(), strict=True))
