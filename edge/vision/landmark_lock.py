"""How a fixed camera hangs now, by what stands still before it: mast sway, and a camera that somebody has turned.

    picture ─▶ patches below the horizon ─▶ where each is now ─▶ most agree on one rotation? ─▶ turn and its error
                                                                  └─ too few found or agreeing: no turn

    direction now = R(w) · direction then      turned right by w_z, up by -w_x, right side down by -w_y

What is a landmark is found out, not told: of the sharpest corners below the horizon (by the site file's mounting, less its
own uncertainty), those that keep their places among each other for `LEARN_S`. Leaves, water, cars and shadows do not.
Clouds stand above the horizon; and a scene that drifts as a whole is no scene to hold on to, so it is learned anew: within
the minute where it drifts by more than about 10° an hour (less, where nothing sways), within half an hour by more than
1.5°. What drifts more slowly is taken for a turn of the camera, and as unsure as it is large (`slow_drift.py`). The mean of
the turns while it was learned is the zero, for a mast sways about where it stands. Where the picture is at hand by which
the camera was aligned, corners of that are tried first: if they are found again, its moment is the zero, and what turned
the camera since then is known.

Later most of them must agree: what flies through hides one or two, a cloth or the night hides all, and then there is no turn.
One that has faded in the light is cut anew where the others say it is, which makes the zero a little less sure each time; one
that is gone is replaced, after a trial as long as the learning was.

The same pictures at the same times give the same turns. Source of the fit: least squares of small rotations, section 2 of
Arun, Huang, Blostein (1987), with a gate on the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.vision.landmarks import (
    MOST_PATCHES,
    Grey,
    Patch,
    are_of_one_view,
    below_horizon,
    coarse_of,
    corners,
    cut_coarse,
    cut_fine,
    find_coarsely,
    find_finely,
    lens_for,
    project,
)
from edge.vision.slow_drift import SWAY_S, SlowDrift
from fusion.camera import Lens, pixel_to_direction
from fusion.frames import body_to_level, turn_about
from fusion.types import FloatArray, Orientation

LEARN_S, LEARN_LOOKS = 60.0, 40
STEADY = 0.8  # of its looks a landmark has kept its place
WEIGHT = 0.05  # of the newest look in that share
LEAST = 6  # landmarks
COARSE_GATE_PX, GATE_PX = 9.0, 1.2
FOUND_SHARE, AGREEING_SHARE = 0.4, 0.7  # of all landmarks, of those found
MAJORITY = 0.5  # of what is found while it is not known yet what is a landmark
LARGEST_SIGMA_RAD = np.radians(0.2)  # of a turn that is told: fewer or too close together say too little
PIXEL_SIGMA = 0.15  # of a patch's place; no fit is better than that
DRIFT_RAD, DRIFT_OF_SWAY = np.radians(0.05), 0.4  # a scene that moved on by more while it was learned
FADED = 0.75  # likeness of a landmark that is cut anew
UNSTEADY, GONE = 0.5, 0.3
TRIAL_LOOKS = 40


@dataclass(frozen=True, slots=True)
class Turn:
    """How the camera hangs against how it hung; rad, 1-sigma."""

    right_rad: float
    up_rad: float
    roll_rad: float  # right side down
    sigma_rad: tuple[float, float, float]


class LandmarkLock:
    """One camera's landmarks."""

    def __init__(
        self, lens: Lens, mounting: Orientation, mounting_sigma_rad: float, aligned: Grey | None = None
    ) -> None:
        """aligned: the picture by which it was aligned, grey, of any size; one with other sides counts as of another place."""
        self._full_lens, self._aligned = lens, aligned
        self.by_alignment: bool | None = None  # whether the zero is that picture's; None: there is none
        self._to_level, self._below_rad = body_to_level(mounting), max(0.0, mounting_sigma_rad)
        self._shape: tuple[int, ...] | None = None
        self.is_learned = False
        self.landmarks = self.agreeing = 0  # how many there are, and how many said the last turn

    def see(self, time_s: float, grey: Grey | None) -> Turn | None:
        """The turn in the next picture, at half its size; None while there is none to tell.

        grey: None where the picture does not show what is there now."""
        self.agreeing = 0
        if grey is None:
            return None
        if grey.shape != self._shape:
            self._shape = grey.shape
            self._lens = lens_for(self._full_lens, grey.shape)
            self._allowed = below_horizon(self._lens, grey.shape, self._to_level, self._below_rad)
            self._begin(time_s, grey, by_alignment=self._is_of_alignment(grey))
            return None
        coarse = coarse_of(grey)
        found = self._register(grey, coarse)
        if not self.is_learned:
            self._learn(time_s, grey, coarse, found)
            return None
        if found is None:
            return None
        rotation, covariance = found
        self._rotation = rotation
        if self._slow is not None and self._slow.see(time_s, rotation):
            self._begin(time_s, grey)
            return None
        self._renew(time_s, grey, coarse, rotation)
        return self._turn(time_s, rotation, covariance)

    def _is_of_alignment(self, grey: Grey) -> bool:
        """Whether there is a picture of the alignment that can be this one at another size: not cut, not padded."""
        if self._aligned is None:
            return False
        (height, width), (aligned_height, aligned_width) = grey.shape, self._aligned.shape
        return are_of_one_view((width, height), (aligned_width, aligned_height))

    def _begin(self, time_s: float, grey: Grey, by_alignment: bool = False) -> None:
        """Start to learn, from this picture or from that of the alignment."""
        if by_alignment and self._aligned is not None:
            grey = np.asarray(cv2.resize(self._aligned, grey.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        self.is_learned, self.landmarks = False, 0
        self.by_alignment = None if self._aligned is None else by_alignment
        self._patches: list[Patch] = []
        self._rotation = np.zeros(3)
        self._zero, self._zero_variance = np.zeros(3), np.zeros(3)
        self._slow: SlowDrift | None = None  # none by the alignment: what is found again after so long has not drifted
        self._began_s = time_s
        self._turns: list[tuple[float, FloatArray]] = []
        self._add_patches(time_s, grey, coarse_of(grey), np.zeros(3))

    def _add_patches(self, time_s: float, grey: Grey, coarse: Grey, rotation: FloatArray) -> None:
        taken = project(self._lens, self._expected(rotation)) if self._patches else np.zeros((0, 2))
        pixels = corners(grey, self._allowed, taken, MOST_PATCHES - len(self._patches))
        if not len(pixels):
            return
        directions = pixel_to_direction(self._lens, pixels) @ turn_about(rotation)  # back to how it hung
        for pixel, direction in zip(pixels, directions, strict=True):
            self._patches.append(Patch(direction, cut_fine(grey, pixel), cut_coarse(coarse, pixel), time_s))

    def _expected(self, rotation: FloatArray) -> FloatArray:
        """Where the patches' directions are at a rotation, shape (n, 3)."""
        return np.stack([patch.direction for patch in self._patches]) @ turn_about(rotation).T

    # one picture

    def _register(self, grey: Grey, coarse: Grey) -> tuple[FloatArray, FloatArray] | None:
        """The rotation on which most landmarks agree, and its covariance; notes how each patch did."""
        if not self._patches:
            return None
        voters = [n for n, patch in enumerate(self._patches) if patch.is_landmark or not self.is_learned]
        self.landmarks = len(voters) if self.is_learned else 0
        rough = self._rough(coarse, voters)
        if rough is None:
            return None
        numbers, pixels, likenesses = find_finely(grey, self._patches, project(self._lens, self._expected(rough)))
        votes = np.isin(numbers, voters)
        if votes.sum() < max(LEAST, FOUND_SHARE * len(voters)):
            return None
        directions = pixel_to_direction(self._lens, pixels)
        before = np.stack([self._patches[number].direction for number in numbers])
        fitted = self._fit(before, directions, pixels, votes, rough)
        if fitted is None:
            return None
        rotation, covariance, agrees = fitted
        self.agreeing = int((agrees & votes).sum())
        self._note(numbers, agrees, likenesses)
        return rotation, covariance

    def _rough(self, coarse: Grey, voters: list[int]) -> FloatArray | None:
        """The rotation on which most of the coarse finds agree: each find proposes one, without roll."""
        expected = project(self._lens, self._expected(self._rotation))
        chosen, pixels = find_coarsely(coarse, [self._patches[n] for n in voters], expected[voters])
        if len(chosen) < max(LEAST, FOUND_SHARE * len(voters)):
            return None
        before = np.stack([self._patches[voters[n]].direction for n in chosen])
        now = pixel_to_direction(self._lens, pixels)
        best: np.ndarray | None = None
        for proposal in np.cross(before, now):
            near = (
                np.linalg.norm(project(self._lens, before @ turn_about(proposal).T) - pixels, axis=1) < COARSE_GATE_PX
            )
            if best is None or near.sum() > best.sum():
                best = near
        assert best is not None
        if best.sum() < max(LEAST, self._share * len(chosen)):
            return None
        rotation, _ = least_squares(before[best], now[best], np.zeros(3))
        return rotation

    def _fit(
        self, before: FloatArray, now: FloatArray, pixels: FloatArray, votes: np.ndarray, rough: FloatArray
    ) -> tuple[FloatArray, FloatArray, np.ndarray] | None:
        rotation, near = rough, votes
        for _ in range(3):
            rotation, _ = least_squares(before[near], now[near], rotation)
            left = np.linalg.norm(project(self._lens, before @ turn_about(rotation).T) - pixels, axis=1)
            near = votes & (left < GATE_PX)
            if near.sum() < max(LEAST, self._share * votes.sum()):
                return None
        rotation, normal = least_squares(before[near], now[near], rotation)
        left_px = np.linalg.norm(project(self._lens, before[near] @ turn_about(rotation).T) - pixels[near], axis=1)
        sigma_px = max(PIXEL_SIGMA, float(np.sqrt(np.mean(np.square(left_px)) / 2.0)))
        covariance = np.linalg.pinv(normal) * (sigma_px / self._lens.focal_px[0]) ** 2
        if float(np.sqrt(max(covariance[0, 0], covariance[2, 2]))) > LARGEST_SIGMA_RAD:
            return None
        return rotation, covariance, left < GATE_PX

    def _note(self, numbers: list[int], agrees: np.ndarray, likenesses: list[float]) -> None:
        for patch in self._patches:
            patch.looks += 1
        seen = dict(zip(numbers, zip(agrees, likenesses, strict=True), strict=True))
        for number, patch in enumerate(self._patches):
            is_there, likeness = seen.get(number, (False, patch.likeness))
            weight = max(WEIGHT, 1.0 / patch.looks)
            patch.agreed += weight * (float(is_there) - patch.agreed)
            patch.likeness += weight * (likeness - patch.likeness)

    # over the minutes

    @property
    def _share(self) -> float:
        return AGREEING_SHARE if self.is_learned else MAJORITY

    def _learn(self, time_s: float, grey: Grey, coarse: Grey, found: tuple[FloatArray, FloatArray] | None) -> None:
        if found is not None:
            self._rotation = found[0]
            self._turns.append((time_s, found[0]))
        self._patches = [p for p in self._patches if p.looks < TRIAL_LOOKS or p.agreed >= UNSTEADY]
        if time_s - self._began_s < LEARN_S:
            return
        steady = [patch for patch in self._patches if patch.looks >= TRIAL_LOOKS and patch.agreed >= STEADY]
        if len(self._turns) < LEARN_LOOKS or len(steady) < LEAST or self._drifts():
            self._begin(time_s, grey)
            return
        self._patches, self.is_learned, self.landmarks = steady, True, len(steady)
        for patch in steady:
            patch.is_landmark = True
        learned, self._turns = self._turns, []
        if self.by_alignment:
            return
        turns = np.stack([turn for _, turn in learned])
        self._slow = SlowDrift(learned)
        self._zero = np.median(turns, axis=0)
        swings = max(1.0, LEARN_S / SWAY_S)
        self._zero_variance = np.var(turns, axis=0) * (np.pi / 2.0) / swings  # of a median

    def _drifts(self) -> bool:
        """Whether the scene moved on as a whole while it was learned."""
        turns = np.stack([turn for _, turn in self._turns])
        third = len(turns) // 3
        moved = np.abs(np.median(turns[-third:], axis=0) - np.median(turns[:third], axis=0))
        return bool((moved > DRIFT_RAD + DRIFT_OF_SWAY * turns.std(axis=0)).any())

    def _renew(self, time_s: float, grey: Grey, coarse: Grey, rotation: FloatArray) -> None:
        """Cut anew one that has faded, and try others in place of those that are gone."""
        for patch in self._patches:
            is_tried = patch.looks >= TRIAL_LOOKS and time_s - patch.since_s >= LEARN_S
            patch.is_landmark = patch.is_landmark or (is_tried and patch.agreed >= STEADY)
        self._patches = [
            p for p in self._patches if p.looks < TRIAL_LOOKS or p.agreed >= (GONE if p.is_landmark else UNSTEADY)
        ]
        if len(self._patches) < MOST_PATCHES // 2:
            self._add_patches(time_s, grey, coarse, rotation)
        faded = [p for p in self._patches if p.is_landmark and p.likeness < FADED and p.agreed >= STEADY]
        if not faded or self.agreeing < max(LEAST, STEADY * self.landmarks):
            return
        patch = min(faded, key=lambda one: one.likeness)
        (pixel,) = project(self._lens, patch.direction[None] @ turn_about(rotation).T)
        patch.fine, patch.coarse, patch.likeness = cut_fine(grey, pixel), cut_coarse(coarse, pixel), 1.0
        self._zero_variance = self._zero_variance + (PIXEL_SIGMA / self._lens.focal_px[0] / self.landmarks) ** 2

    def _turn(self, time_s: float, rotation: FloatArray, covariance: FloatArray) -> Turn:
        """Against the zero; rotations so small add up."""
        x, y, z = rotation - self._zero
        drift = 0.0 if self._slow is None else self._slow.sigma(time_s)
        sigma = np.sqrt(np.diag(covariance) + self._zero_variance + np.square(drift))
        return Turn(float(z), float(-x), float(-y), (float(sigma[2]), float(sigma[0]), float(sigma[1])))


def least_squares(before: FloatArray, now: FloatArray, start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rotation vector from directions before to directions now, shape (n, 3) each, and the normal matrix.

    Two steps from a start: of now = v + d x v with v = R(start) before, d is found in the two directions across v."""
    rotation, normal = start, np.eye(3)
    for _ in range(2):
        turned = before @ turn_about(rotation).T
        across = np.eye(3)[None] - turned[:, :, None] * turned[:, None, :]  # (n, 3, 3)
        normal = across.sum(axis=0)
        step = np.linalg.pinv(normal) @ np.cross(turned, now).sum(axis=0)
        rotation = combined(step, rotation)
    return rotation, normal


def combined(step: FloatArray, rotation: FloatArray) -> FloatArray:
    """The rotation vector of `rotation` followed by `step`."""
    both = turn_about(step) @ turn_about(rotation)
    angle = float(np.arccos(np.clip((np.trace(both) - 1.0) / 2.0, -1.0, 1.0)))
    axis = np.array([both[2, 1] - both[1, 2], both[0, 2] - both[2, 0], both[1, 0] - both[0, 1]]) / 2.0
    return axis if angle < 1e-6 else axis * angle / max(float(np.sin(angle)), 1e-12)
