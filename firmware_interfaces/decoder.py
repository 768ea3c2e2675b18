"""What every decoder is: readings in, facts out; and how a byte stream is cut into frames.

A decoder never raises on bytes. What it cannot use it counts, by reason, in its `Counts`. Its answer never depends on how
the bytes were cut into readings. It keeps at most `MAX_KEPT_BYTES` of an unfinished frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fusion.types import Fact, Reading

MAX_KEPT_BYTES = 65_536  # a port that babbles must not fill the memory


class Rejected(Exception):
    """A frame that cannot be used. `reason` is one of a few short words that are counted; `text` says what was found."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason, self.text = reason, text


@dataclass(slots=True)
class Counts:
    """What a decoder has seen: the only way to tell a wrong baud (many bytes, no frames) from a dead sensor."""

    bytes: int = 0
    decoded: Counter[str] = field(default_factory=Counter)  # frames by type
    rejected: Counter[str] = field(
        default_factory=Counter
    )  # frames by reason: "checksum", "length", "range", "unknown"
    resync_bytes: int = 0  # bytes skipped while looking for the next frame


class Decoder(Protocol):
    """Turns one sensor's readings into facts."""

    counts: Counts

    def feed(self, reading: Reading) -> Sequence[Fact]:
        """The facts that this reading completes."""

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do, in one line; None when all is well."""


# (buffer, start) -> length of the frame that starts there; 0: not yet known; -1: no frame starts there
FrameLength = Callable[[bytes, int], int]
