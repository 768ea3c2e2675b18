"""Detections of one camera linked from picture to picture: what an object is, many looks say better than one.

    boxes ─▶ predict (Kalman, camera's own motion taken off) ─▶ link the sure ones ─▶ link the unsure ones ─▶ votes
                                                                                  └▶ sure and unlinked: begin

Sure boxes choose first; unsure ones may only go on with a tracklet that was surely seen twice and was there in the last
picture, and begin none: a faint object is followed, while a glint stays nothing. Source: Zhang et al. (2022), "ByteTrack",
section 3; small boxes seldom overlap from one picture to the next, so the distance between centres against its own
uncertainty stands for their overlap.

Each look votes with its class scores, so an unsure look says little; the sum of a tracklet's votes, sharpened or softened by a
temperature and normalised, is the probability of its classes. Neighbouring pictures show the same view, so more of them make
it steadier, not surer; and they are added, not multiplied, because one look that is quite sure and quite wrong would outvote
a hundred. Sources: Kittler et al. (1998), "On combining classifiers", on the sum rule; Guo et al. (2017), "On calibration of
modern neural networks", section 4.2.

Nothing here asks the time or chance: the same boxes at the same times give the same tracklets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from edge.vision.detector import Box

SURE = 0.25  # confidence from which a box may begin a tracklet
UNSURE = 0.08  # and from which it may go on with one
FORGOTTEN_S = 1.5  # unseen for so long, a tracklet ends: the same object later is a new one
STEADY = 2  # sure looks from which a tracklet is believed and vouches for its unsure boxes: one alone is often a glint
UNSTEADY_PICTURES = 3  # unseen in so many pictures, a tracklet that is not steady ends
GATE = 13.8  # squared normalised distance: 99.9 % of two dimensions
SIZE_FACTOR = 2.5  # an object does not grow or shrink by more between two pictures
AGILITY = 6.0  # acceleration, sigma, in box sides per second squared: a drone turns within about a second
SPEED_SIGMA = 4.0  # of a first sight, in box sides per second
CENTRE_SIGMA = 0.15  # of a box's centre, in box sides, plus one pixel
SIZE_WEIGHT = 0.3  # how fast a tracklet's size follows its boxes
FAINTEST_SHARE = 1e-3  # of a class among a tracklet's votes: nothing is ruled out
TEMPERATURE = 1.0

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """One box and what its tracklet makes of it; number 0: it belongs to none."""

    box: Box
    number: int
    classes: tuple[tuple[str, float], ...]  # (class, probability), adding up to 1
    vouched: bool  # its tracklet is steady
    speed_px_s: tuple[float, float] = (0.0, 0.0)  # through the picture, the camera's own motion included


@dataclass(slots=True)
class Tracklet:
    number: int
    time_s: float
    centre: Vector  # (2,), px
    speed: Vector  # (2,), px/s
    spread: Vector  # (2, 2), covariance of place and speed, the same across and down
    side_px: float
    last_seen_s: float
    sure_looks: int = 1
    unseen_pictures: int = 0  # since the last look
    votes: dict[str, float] = field(default_factory=dict)  # class -> sum of scores

    @property
    def is_steady(self) -> bool:
        return self.sure_looks >= STEADY

    @property
    def goes_on_unsurely(self) -> bool:
        """Whether it is followed so closely that a box that says little by itself is likely its own."""
        return self.is_steady and self.unseen_pictures <= 1

    @property
    def is_over(self) -> bool:
        unseen_s = self.time_s - self.last_seen_s
        return unseen_s > FORGOTTEN_S or (not self.is_steady and self.unseen_pictures > UNSTEADY_PICTURES)


class ImageTracks:
    """One camera's tracklets."""

    def __init__(self, class_names: Sequence[str], temperature: float = TEMPERATURE) -> None:
        self._class_names, self._temperature = tuple(class_names), temperature
        self._tracklets: list[Tracklet] = []
        self._count = 0
        self._time_s: float | None = None  # of the last picture

    def follow(self, time_s: float, boxes: Sequence[Box], shift_px: tuple[float, float] = (0.0, 0.0)) -> list[Seen]:
        """The boxes of the next picture, each with its tracklet; shift_px: how far the scenery moved since the last."""
        for tracklet in self._tracklets:
            predict(tracklet, time_s, shift_px)
        self._tracklets = [t for t in self._tracklets if not t.is_over]
        owners: dict[int, Tracklet] = {}
        free = list(self._tracklets)
        for lowest, highest in ((SURE, math.inf), (UNSURE, SURE)):
            chosen = [i for i, box in enumerate(boxes) if lowest <= box.confidence < highest]
            may_go_on = [t for t in free if lowest >= SURE or t.goes_on_unsurely]
            for index, tracklet in link(may_go_on, chosen, boxes):
                owners[index] = tracklet
                free.remove(tracklet)
        for index, box in enumerate(boxes):
            if index in owners:
                update(owners[index], box, time_s)
            elif box.confidence >= SURE:
                self._count += 1
                owners[index] = begin(self._count, box, time_s)
                self._tracklets.append(owners[index])
            if index in owners:
                vote(owners[index], box, self._class_names)
        scenery_px_s = (0.0, 0.0)
        if self._time_s is not None and time_s > self._time_s:
            scenery_px_s = (shift_px[0] / (time_s - self._time_s), shift_px[1] / (time_s - self._time_s))
        self._time_s = time_s
        return [self._seen(box, owners.get(index), scenery_px_s) for index, box in enumerate(boxes)]

    def classes_of(self, number: int) -> tuple[tuple[str, float], ...]:
        """What a tracklet that is still followed is, as far as it was seen."""
        return self._classes(next(t for t in self._tracklets if t.number == number))

    def _classes(self, tracklet: Tracklet) -> tuple[tuple[str, float], ...]:
        return probabilities(tracklet.votes, self._class_names, self._temperature)

    def _seen(self, box: Box, tracklet: Tracklet | None, scenery_px_s: tuple[float, float]) -> Seen:
        if tracklet is None:
            alone = scores_of(box, self._class_names)
            return Seen(box, 0, probabilities(alone, self._class_names, self._temperature), False, scenery_px_s)
        across, down = (tracklet.speed + scenery_px_s).tolist()
        return Seen(box, tracklet.number, self._classes(tracklet), tracklet.is_steady, (across, down))


def predict(tracklet: Tracklet, time_s: float, shift_px: tuple[float, float]) -> None:
    """Move it to this time and with the scenery. Model: white-noise acceleration, Bar-Shalom et al. (2001), 6.2.2."""
    step_s = max(0.0, time_s - tracklet.time_s)
    tracklet.centre = tracklet.centre + np.array(shift_px) + step_s * tracklet.speed
    forward = np.array([[1.0, step_s], [0.0, 1.0]])
    push = np.array([step_s**2 / 2, step_s]) * AGILITY * tracklet.side_px
    tracklet.spread = forward @ tracklet.spread @ forward.T + np.outer(push, push)
    tracklet.time_s = time_s
    tracklet.unseen_pictures += 1


def begin(number: int, box: Box, time_s: float) -> Tracklet:
    centre, side_px = centre_of(box), side_of(box)
    spread = np.diag([centre_variance(side_px), (SPEED_SIGMA * side_px) ** 2])
    return Tracklet(number, time_s, centre, np.zeros(2), spread, side_px, time_s)


def update(tracklet: Tracklet, box: Box, time_s: float) -> None:
    innovation = centre_of(box) - tracklet.centre
    gain = tracklet.spread[:, 0] / (tracklet.spread[0, 0] + centre_variance(tracklet.side_px))
    tracklet.centre = tracklet.centre + gain[0] * innovation
    tracklet.speed = tracklet.speed + gain[1] * innovation
    tracklet.spread = tracklet.spread - np.outer(gain, tracklet.spread[0])
    tracklet.side_px += SIZE_WEIGHT * (side_of(box) - tracklet.side_px)
    tracklet.last_seen_s, tracklet.unseen_pictures = time_s, 0
    tracklet.sure_looks += box.confidence >= SURE


def link(tracklets: Sequence[Tracklet], chosen: Sequence[int], boxes: Sequence[Box]) -> list[tuple[int, Tracklet]]:
    """Pairs of box and tracklet with the least sum of squared distances, none beyond the gate."""
    if not tracklets or not chosen:
        return []
    cost = np.array([[distance(tracklet, boxes[index]) for tracklet in tracklets] for index in chosen])
    rows, columns = linear_sum_assignment(np.minimum(cost, 2 * GATE))
    return [
        (chosen[row], tracklets[column]) for row, column in zip(rows, columns, strict=True) if cost[row, column] <= GATE
    ]


def distance(tracklet: Tracklet, box: Box) -> float:
    """Squared distance in sigmas, of place and of size; infinite where the sizes cannot be one object's."""
    ratio = abs(math.log(side_of(box) / tracklet.side_px))
    if ratio > math.log(SIZE_FACTOR):
        return math.inf
    variance = tracklet.spread[0, 0] + centre_variance(tracklet.side_px)
    return float(np.sum((centre_of(box) - tracklet.centre) ** 2) / variance) + ratio


def vote(tracklet: Tracklet, box: Box, class_names: Sequence[str]) -> None:
    """A look counts by its scores: what was hardly seen hardly says what it is."""
    for name, score in scores_of(box, class_names).items():
        tracklet.votes[name] = tracklet.votes.get(name, 0.0) + score


def scores_of(box: Box, class_names: Sequence[str]) -> dict[str, float]:
    """The box's score for each class; a detector that tells only the likeliest leaves the rest to the others."""
    if len(box.class_scores) == len(class_names):
        return dict(zip(class_names, box.class_scores, strict=True))
    rest = (1.0 - box.confidence) / max(1, len(class_names) - 1)
    return {name: box.confidence if name == box.class_name else rest for name in class_names}


def probabilities(
    votes: dict[str, float], class_names: Sequence[str], temperature: float
) -> tuple[tuple[str, float], ...]:
    """Of each class, from the sum of the votes; adding up to 1."""
    raised = np.exp(log_shares([votes.get(name, 0.0) for name in class_names]) / temperature)
    return tuple((name, round(float(p), 4)) for name, p in zip(class_names, raised / raised.sum(), strict=True))


def log_shares(votes: Sequence[float]) -> Vector:
    """Logarithms of each class's share of the votes, (classes,)."""
    told = np.asarray(votes, np.float64)
    return np.asarray(np.log(np.maximum(told / max(float(told.sum()), 1e-9), FAINTEST_SHARE)))


def centre_of(box: Box) -> Vector:
    return np.array([box.x_px + box.width_px / 2, box.y_px + box.height_px / 2])


def side_of(box: Box) -> float:
    return math.sqrt(box.width_px * box.height_px)


def centre_variance(side_px: float) -> float:
    return (CENTRE_SIGMA * side_px + 1.0) ** 2
