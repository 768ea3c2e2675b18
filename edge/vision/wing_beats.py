"""How much an infrared tracklet's shape changes from look to look: wings beat, what flies on rotors or jets keeps its shape.

    steady tracklet ─▶ ten shapes a second (`shapes.py`) ─▶ 24 of them together, the mean of all such ─▶ the bird's odds

Each day's light, sizes and skies told the detector the class; how a shape changes depends on none of them, and on no path, so
that a camera may pan. What is told is the logarithm of how much likelier these looks are of a bird than of anything else. It
adds to the logarithm of the votes' share: two sources, each counted once. A bird that glides keeps its shape, too, so
steadiness says little against one (`AGAINST`). Looks too rare (`SLOWEST_S`, of a slow camera or machine) tell nothing.
Source: Bishop (2006), "Pattern recognition and machine learning", section 1.5.4, on combining models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.vision.detector import Detector, Picture, spectrum_shown
from edge.vision.image_tracks import FORGOTTEN_S, Seen, log_shares
from edge.vision.patches import Patch, patch_of
from edge.vision.shapes import Shape, WingBeats, shape_of, unsteadiness

EVERY_S = 0.085  # between looks kept, at least: ten a second, also of a camera that shows as many and not quite evenly
WINDOW, SHARED, FEWEST = 24, 4, 10  # looks told together; of those, also told with the next; before so many, nothing is
SLOWEST_S = 0.14  # from look to look, on average: of rarer ones steady flight changes as much as wings do, for it turns
GAP_S = 0.5  # after which looks are gathered anew
MOST_A_PICTURE = (
    8  # tracklets looked at in one picture, 0.2 ms of a core each; the others wait, lest all looks be too rare
)
AGAINST, FOR = -1.0, 6.0  # logarithms: how much is believed at most


@dataclass(slots=True)
class Kept:
    """What is kept of one tracklet."""

    shapes: list[Shape] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)  # of these
    last_seen_s: float = 0.0
    windows: int = 0  # told before
    told_before: float = 0.0  # by all of these together
    told: float | None = None  # by all

    @property
    def last_kept_s(self) -> float:
        return self.times_s[-1] if self.times_s else -np.inf

    @property
    def turn(self) -> tuple[bool, int, int]:
        """The smallest is next: of whom nothing is told yet, then of whom least is; whose looks are begun before others'."""
        return self.told is not None, self.windows, -len(self.shapes)

    def take(self, time_s: float, patch: Patch, beats: WingBeats) -> None:
        if time_s - self.last_kept_s > GAP_S:
            self.shapes, self.times_s = [], []
        self.shapes.append(shape_of(patch))
        self.times_s.append(time_s)
        if len(self.shapes) < FEWEST:
            return
        is_full = len(self.shapes) == WINDOW
        if self.times_s[-1] - self.times_s[0] <= SLOWEST_S * (len(self.times_s) - 1):
            now = beats.told(unsteadiness(self.shapes))
            self.told = (self.told_before + now) / (self.windows + 1)
            if is_full:
                self.windows, self.told_before = self.windows + 1, self.told_before + now
        if is_full:
            self.shapes, self.times_s = self.shapes[-SHARED:], self.times_s[-SHARED:]


class Beating:
    """One infrared camera's tracklets, each with how its shape changes."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._beats, self._margin_px = detector.wing_beats, detector.margins.infrared_px
        self._bird = detector.class_names.index("bird") if "bird" in detector.class_names else None
        self._kept: dict[int, Kept] = {}

    def see(self, time_s: float, picture_bgr: Picture, linked: Sequence[Seen]) -> list[Seen]:
        """The same, their classes by the wings, too; of tracklets that are steady, in infrared pictures."""
        beats, bird = self._beats, self._bird
        if beats is None or bird is None or (linked and spectrum_shown(self._detector, picture_bgr) == "visible"):
            return list(linked)
        self._kept = {n: kept for n, kept in self._kept.items() if time_s - kept.last_seen_s <= FORGOTTEN_S}
        steady = [one for one in linked if one.number and one.vouched]
        for one in steady:
            self._kept.setdefault(one.number, Kept()).last_seen_s = time_s
        due = [one for one in steady if time_s - self._kept[one.number].last_kept_s >= EVERY_S]
        for one in sorted(due, key=lambda one: (self._kept[one.number].turn, one.number))[:MOST_A_PICTURE]:
            self._kept[one.number].take(time_s, patch_of(picture_bgr, one.box, self._margin_px), beats)
        told = {number: kept.told for number, kept in self._kept.items()}
        return [
            replace(one, classes=with_odds(one.classes, bird, odds))
            if one.vouched and (odds := told.get(one.number)) is not None
            else one
            for one in linked
        ]


def with_odds(voted: Sequence[tuple[str, float]], bird: int, odds: float) -> tuple[tuple[str, float], ...]:
    """The votes' shares, the bird's times these odds, adding up to 1."""
    mixed = log_shares([share for _, share in voted])
    mixed[bird] += min(max(odds, AGAINST), FOR)
    raised = np.exp(mixed - mixed.max())
    return tuple((name, round(float(p), 4)) for (name, _), p in zip(voted, raised / raised.sum(), strict=True))
