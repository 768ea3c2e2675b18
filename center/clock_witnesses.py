"""Whether the center's clock can be right, by the posts whose clocks are disciplined: one that leapt must not tell an age.

health of a post, its clock trusted ──▶ within a day of the time of receipt? ──▶ one voice, for an hour
more voices against than for ──▶ the center's clock is in doubt, and nothing is deleted for its age
"""

from __future__ import annotations

from collections import OrderedDict

from center.received import Received
from fusion.wire import HealthMessage, parse_rfc3339

APART_NS = 86_400_000_000_000  # far beyond what a time zone or a late message explains
VOICE_S = 3600.0
MOST_VOICES = 1_000


class ClockWitnesses:
    """The newest word of each post. Times of the center come in as arguments (monotonic, s)."""

    def __init__(self) -> None:
        self._voices: OrderedDict[str, tuple[bool, float]] = OrderedDict()  # whether it agrees, and when it was heard

    def hear(self, received: Received, monotonic_s: float) -> None:
        """Take in any message."""
        message = received.message
        if isinstance(message, HealthMessage) and message.state != "gone" and message.clock_trusted:
            agrees = abs(parse_rfc3339(message.time) - received.received_ns) <= APART_NS
            self._voices[received.site_id] = agrees, monotonic_s
            self._voices.move_to_end(received.site_id)
            while len(self._voices) > MOST_VOICES:
                self._voices.popitem(last=False)

    def doubt(self, monotonic_s: float) -> bool:
        """Whether more posts are against the center's clock than for it."""
        voices = [agrees for agrees, heard_s in list(self._voices.values()) if monotonic_s - heard_s <= VOICE_S]
        return voices.count(False) > voices.count(True)
