"""A pan-tilt head's driver at work, for tests of heads that are simulated on the network."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from fusion.types import Pointing, Reading

WAIT_S = 10.0


class Listener:
    """Decodes what a driver delivers, and waits for what that must say."""

    def __init__(self, decoder: Any) -> None:
        self.facts: list[object] = []
        self._decoder, self._changed = decoder, threading.Condition()

    def deliver(self, reading: Reading) -> bool:
        with self._changed:
            self.facts.extend(self._decoder.feed(reading))
            self._changed.notify_all()
        return True

    def wait_for_facts(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.facts), WAIT_S)

    def wait_until_it_points_to(self, heading_deg: float, within_deg: float) -> None:
        def points_there() -> bool:
            found = [fact.orientation for fact in self.facts if isinstance(fact, Pointing)]
            return bool(found) and math.degrees(found[-1].heading_rad) == pytest.approx(heading_deg, abs=within_deg)

        with self._changed:
            assert self._changed.wait_for(points_there, WAIT_S)
