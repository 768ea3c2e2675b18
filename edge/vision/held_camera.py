"""A camera that should stand still: its landmarks, and now and then another try by the picture by which it was aligned.

    first minute ── the picture's corners are found ──▶ turns against the alignment, from then on
           └── they are not: night, fog, snow ──▶ its own landmarks ──▶ turns against how it hung when they were learned
                                                         │ each half hour of clear sight, beside them
                                                         └──▶ the picture's corners again: once they are found they take over

A post that starts at night would otherwise not know until its next start what had turned the camera before.
"""

from __future__ import annotations

from edge.vision.landmark_lock import LandmarkLock, Turn
from edge.vision.landmarks import Grey
from fusion.camera import Lens
from fusion.types import Orientation

TRY_EVERY_S = 1800.0


class HeldCamera:
    """One camera. `lock` is what tells its turns now."""

    def __init__(
        self, lens: Lens, mounting: Orientation, mounting_sigma_rad: float, aligned: Grey | None = None
    ) -> None:
        """aligned: as `LandmarkLock` takes it."""
        self._lens, self._mounting, self._sigma_rad, self._aligned = lens, mounting, mounting_sigma_rad, aligned
        self.lock = self._another()
        self._trial: LandmarkLock | None = None
        self._tried_s: float | None = None  # when it was tried last; None while landmarks are being learned

    def see(self, time_s: float, grey: Grey | None) -> Turn | None:
        """As `LandmarkLock.see`."""
        turn = self.lock.see(time_s, grey)
        if grey is not None and self._aligned is not None:
            self._try(time_s, grey)
        return turn

    def _try(self, time_s: float, grey: Grey) -> None:
        if not self.lock.is_learned or self.lock.by_alignment:
            self._trial = self._tried_s = None
            return
        if self._tried_s is None:
            self._tried_s = time_s
        if self._trial is None and time_s - self._tried_s >= TRY_EVERY_S:
            self._trial, self._tried_s = self._another(), time_s
        if self._trial is None:
            return
        self._trial.see(time_s, grey)
        if not self._trial.by_alignment:  # its minute has passed, and the picture's corners were not found
            self._trial = None
        elif self._trial.is_learned:
            self.lock, self._trial = self._trial, None

    def _another(self) -> LandmarkLock:
        return LandmarkLock(self._lens, self._mounting, self._sigma_rad, self._aligned)
