"""A buzzer or a light at the post: on while a confirmed track that is likely a drone is there, and some seconds longer.

    tracks ──▶ AlarmOutput.saw ──▶ a thread of its own ──▶ switch (relay board, kernel's file)

The guards must not wait for a center. Where `longest_s` is set, no one track holds it on anew for longer: guards who have
been told should not have to pull a plug. The next drone sounds again, and one that was lost and found under another number.
Switching takes its time (a serial port is opened), so it never happens in the node's loop. A switch that fails is told in the
post's health and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from edge.site_types import AlarmSettings
from fusion.types import Track
from hardware.device import DeviceLost
from hardware.relay import Switch

RETRY_S = 5.0

log = logging.getLogger("sarhad.edge")


class AlarmOutput:
    """Drives one switch from the tracks that are seen."""

    def __init__(
        self, switch: Switch, settings: AlarmSettings, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._switch, self._settings, self._monotonic_s = switch, settings, monotonic_s
        self.trouble: str | None = None
        self._until_s = -1.0
        self._since_s: dict[int, float] = {}  # when each track that is there first alarmed
        self._is_on: bool | None = None  # None: not known
        self._changed = threading.Condition()
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
        self._thread.start()

    def saw(self, tracks: Iterable[Track]) -> None:
        """Tracks as of now; never waits."""
        now_s, there = self._monotonic_s(), tuple(tracks)
        present = {track.track_number for track in there}
        self._since_s = {number: since_s for number, since_s in self._since_s.items() if number in present}
        alarming = [self._since_s.setdefault(track.track_number, now_s) for track in there if self.is_alarming(track)]
        longest_s = self._settings.longest_s
        if any(longest_s is None or now_s - since_s <= longest_s for since_s in alarming):
            with self._changed:
                self._until_s = now_s + self._settings.hold_s
                self._changed.notify_all()

    def is_alarming(self, track: Track) -> bool:
        """Believed, and one of the classes that matter here, likely enough."""
        if track.status not in ("confirmed", "coasting"):
            return False
        return sum(p for name, p in track.classes if name in self._settings.classes) >= self._settings.probability

    def close(self) -> None:
        """Switch off and end."""
        with self._changed:
            self._is_running = False
            self._changed.notify_all()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                left_s = self._until_s - self._monotonic_s()
                is_wanted, is_running = left_s > 0.0 and self._is_running, self._is_running
                if is_running and is_wanted == self._is_on:
                    self._changed.wait(left_s if is_wanted else None)
                    continue
            if self._set(is_wanted):
                self._is_on = is_wanted
            if not is_running:
                return
            if self._is_on != is_wanted:
                with self._changed:
                    self._changed.wait(RETRY_S)

    def _set(self, is_on: bool) -> bool:
        try:
            self._switch.set(is_on)
        except DeviceLost as error:
            self._fail(str(error))
            return False
        except Exception as error:  # a switch's fault must not end the alarm unseen
            self._fail(f"{type(error).__name__}: {error}")
            return False
        if self.trouble is not None:
            log.warning("alarm: works again")
        self.trouble = None
        return True

    def _fail(self, why: str) -> None:
        if self.trouble is None:
            log.warning("alarm: %s; retrying", why)
        self.trouble = f"the alarm output does not work: {why}"
