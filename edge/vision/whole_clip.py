"""A whole video looked at: what an object is, told for every frame by all frames that show it.

    every picture ─▶ detector, all of it at native pixels ─▶ tracklets ─▶ after the last: each box, for each class it may be

A box's confidence for a class is the mean confidence of its tracklet's boxes, times the tracklet's probability of the class:
whether something flies there is one question for the whole tracklet, and all of its frames answer it. Where a model's scores
were moved down for fewer tracks of a glance, a tracklet's are moved back (`score_shift.py`): it is more than a glance. At last
each class is moved so that 0.25 means the same in all of them (`operating_points.py`). That is for files; live, a tracklet
knows only what it has seen so far.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge.vision.detector import CONFIDENCE, Box, Detector, Picture, Region, spectrum_shown
from edge.vision.following import Following, cues_of
from edge.vision.image_tracks import Seen
from edge.vision.operating_points import OperatingPoints
from edge.vision.regions import Outlook, half_grey
from edge.vision.score_shift import moved_back
from edge.vision.spectrum import Spectrum

FRAME_S = 1 / 30  # between frames of a file that does not tell


@dataclass(frozen=True, slots=True)
class Look:
    """At one frame: where, and the linked boxes, from the detector's confidence on."""

    looked: list[Region]
    spectrum: Spectrum
    seen: list[Seen]


def look_at_all(detector: Detector, frames: Iterable[tuple[float | None, Picture]]) -> Iterator[Look]:
    """At the whole of each frame, in order."""
    following = Following(detector)
    for number, (time_s, picture) in enumerate(frames):
        following.see(half_grey(picture))
        seen = following.link(nanoseconds(number, time_s), picture, detector.look(picture))
        spectrum = spectrum_shown(detector, picture)
        shift = detector.score_shift.of(spectrum)
        seen = [replace(one, box=as_before(one.box, shift)) if one.number else one for one in seen]
        yield Look([Region(0, 0, picture.shape[1], picture.shape[0])], spectrum, seen)


def as_before(box: Box, shift: float) -> Box:
    """The box, its confidence as it was before scores were moved; its class scores vote by their shares and stay."""
    return replace(box, confidence=moved_back(box.confidence, shift))


def look_as_a_post(detector: Detector, frames: Iterable[tuple[float | None, Picture]], budget: int) -> Iterator[Look]:
    """At at most `budget` regions of each frame, chosen as a post does."""
    following, outlook = Following(detector), Outlook(budget)
    cues: list[Region] = []
    for number, (time_s, picture) in enumerate(frames):
        grey = half_grey(picture)
        shift_px = following.see(grey)
        regions = outlook.choose(grey, (picture.shape[1], picture.shape[0]), cues, shift_px)
        seen = following.link(nanoseconds(number, time_s), picture, detector.look(picture, regions))
        told = [one for one in seen if one.box.confidence >= CONFIDENCE or one.vouched]
        cues = cues_of(told)
        yield Look(regions, spectrum_shown(detector, picture), seen)


def nanoseconds(number: int, time_s: float | None) -> int:
    return round(1e9 * (number * FRAME_S if time_s is None else time_s))


def in_hindsight(
    looks: Sequence[Look], least: float, points: OperatingPoints, every_class: bool = True
) -> list[list[Box]]:
    """The boxes of each frame by all that their tracklets have seen, surest first; those below `least` are left out.

    every_class: one for each class an object may be; else one, of the class that is surest once all are moved."""
    last: dict[int, tuple[tuple[str, float], ...]] = {}
    confidences: dict[int, list[float]] = defaultdict(list)
    for look in looks:
        for one in look.seen:
            last[one.number] = one.classes
            confidences[one.number].append(one.box.confidence)
    mean = {number: sum(values) / len(values) for number, values in confidences.items()}
    told = []
    for look in looks:
        boxes: list[Box] = []
        for one in look.seen:
            linked = one.number > 0
            confidence = mean[one.number] if linked else one.box.confidence
            of_each = [
                (round(points.believed(confidence * probability, name, look.spectrum), 4), name)
                for name, probability in (last[one.number] if linked else one.classes)
            ]
            of_each.sort(key=lambda told: -told[0])
            boxes += [
                replace(one.box, class_name=name, confidence=believed)
                for believed, name in (of_each if every_class else of_each[:1])
            ]
        told.append(sorted((box for box in boxes if box.confidence >= least), key=lambda box: -box.confidence))
    return told
