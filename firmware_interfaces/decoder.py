"""What every decoder is: readings in, facts out; and how a byte stream is cut into frames.

A decoder never raises on bytes. What it cannot use it counts, by reason, in its `Counts`. What it reads never depends on
how the bytes were cut into readings; when it was, it has from the readings that completed it. It keeps at most
`MAX_KEPT_BYTES` of an unfinished frame.

    noise | sync header ... checksum | sync hea          one stream
    ^^^^^                              ^^^^^^^^
    skipped, counted                   kept until the rest comes, or for MAX_FRAME_TIME_NS

A declared length is believed only when bounds and checksum bear it out. Otherwise ONE byte is given up, never the whole
declared length: the next good frame may start inside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from fusion.types import Fact, Reading

MAX_KEPT_BYTES = 65_536  # a port that babbles must not fill the memory
MAX_FRAME_TIME_NS = 1_000_000_000  # the slowest frame of ours (1029 bytes of RTCM at 9600 baud) takes 1.07 s with gaps

Message = TypeVar("Message")


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
    remarks: Counter[str] = field(default_factory=Counter)  # oddities of frames that were used all the same


MISSED = "frame missed"  # of the remarks: frames that never came, by the numbers of those that did
MAX_NAMES = 64  # a device says some twenty kinds of things; names that come off the wire must not fill the memory
OTHER = "other"


def count_by_name(counter: Counter[str], name: str, other: str = OTHER) -> None:
    """Count one more under a name that came off the wire; under `other` once there are MAX_NAMES names."""
    counter[name if name in counter or len(counter) < MAX_NAMES else other] += 1


class Decoder(Protocol):
    """Turns one sensor's readings into facts."""

    counts: Counts

    def feed(self, reading: Reading) -> Sequence[Fact]:
        """The facts that this reading completes."""

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do, in one line; None when all is well."""


@runtime_checkable
class Doubting(Protocol):
    """A reader that can tell that what it reads is probably read in a wrong way."""

    def diagnosis(self) -> str | None:
        """What is wrong and what to do, in one line; None when all is well."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Message]):
    """A whole frame at the place asked about."""

    message: Message
    consumed: int  # bytes after which the search goes on
    padding: int = 0  # bytes after those that may be skipped without a word


# (buffer, start) -> the frame that starts there; None: more bytes are needed. Raises Rejected: no frame starts there.
FrameAt: TypeAlias = Callable[[bytearray, int], "Found[Message] | None"]


@dataclass(frozen=True, slots=True)
class Framed(Generic[Message]):
    """A message and where its first byte stood in the stream."""

    message: Message
    offset: int
    consumed: int


class FramedStream(Generic[Message]):
    """Cuts one byte stream into messages. Pure: time comes in with the bytes.

    `sync` matches the bytes that can begin a frame, none of them longer than `longest_sync`.
    """

    def __init__(
        self,
        sync: re.Pattern[bytes],
        longest_sync: int,
        frame_at: FrameAt[Message],
        counts: Counts,
        max_frame_time_ns: int = MAX_FRAME_TIME_NS,
    ) -> None:
        self._sync, self._longest_sync, self._frame_at = sync, longest_sync, frame_at
        self._counts, self._max_frame_time_ns = counts, max_frame_time_ns
        self._kept = bytearray()
        self._waiting = False  # a frame has begun at the first kept byte and is not complete
        self._since_ns = 0  # when that wait began
        self._padding = 0
        self._offset = 0  # of the first kept byte, in the whole stream

    @property
    def kept_bytes(self) -> int:
        """How much of the stream waits for its rest."""
        return len(self._kept)

    def offset_of(self, place: int) -> int:
        """Where in the whole stream a place of the buffer stands that `frame_at` is asked about."""
        return self._offset + place

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Message]]:
        """The messages that these bytes complete."""
        found: list[Framed[Message]] = []
        if self._waiting and monotonic_ns - self._since_ns > self._max_frame_time_ns:
            self._abandon("stale")
            self._scan(found, monotonic_ns)
        self._counts.bytes += len(data)
        self._kept += data
        if data:
            self._scan(found, monotonic_ns)
        return found

    def finish(self) -> list[Framed[Message]]:
        """The messages behind an unfinished frame, when nothing more will come."""
        found: list[Framed[Message]] = []
        while self._waiting:
            self._abandon("cut")
            self._scan(found, self._since_ns)
        self._skip(len(self._kept))
        return found

    def _scan(self, found: list[Framed[Message]], monotonic_ns: int) -> None:
        """Take every whole frame out of the kept bytes; leave an unfinished one at their beginning."""
        place, was_waiting = 0, self._waiting
        self._waiting = False
        while (match := self._sync.search(self._kept, place)) is not None:
            place = self._pass_over(place, match.start())
            try:
                frame = self._frame_at(self._kept, place)
                if frame is None and len(self._kept) - place >= MAX_KEPT_BYTES:
                    raise Rejected("length", f"a frame is longer than {MAX_KEPT_BYTES} bytes")
            except Rejected as rejected:
                self._counts.rejected[rejected.reason] += 1
                place = self._pass_over(place, place + 1)
                continue
            if frame is None:
                self._waiting = True
                break
            found.append(Framed(frame.message, self._offset + place, frame.consumed))
            place += frame.consumed
            self._padding = frame.padding
        if not self._waiting:  # the last bytes may be the first of a sync
            place = self._pass_over(place, max(place, len(self._kept) - self._longest_sync + 1))
        if self._waiting and not (was_waiting and place == 0):
            self._since_ns = monotonic_ns
        del self._kept[:place]
        self._offset += place

    def _pass_over(self, place: int, to: int) -> int:
        """Count what lies between two places as skipped, padding excepted."""
        skipped = to - place
        padding = min(skipped, self._padding)
        self._padding -= padding
        self._counts.resync_bytes += skipped - padding
        return to

    def _abandon(self, reason: str) -> None:
        self._counts.rejected[reason] += 1
        self._waiting = False
        self._skip(1)

    def _skip(self, count: int) -> None:
        self._pass_over(0, count)
        del self._kept[:count]
        self._offset += count


MIN_BYTES_TO_JUDGE = 4096  # a second of a slow port, a few frames of a fast one


def diagnose(
    counts: Counts, what: str, remedy: str = "check baud, wiring and the protocol in the site file"
) -> str | None:
    """The faults that every framed protocol can have, in one line: nothing decoded, or checksums failing too often."""
    frames = sum(counts.decoded.values())
    if frames == 0 and counts.bytes >= MIN_BYTES_TO_JUDGE:
        return f"{counts.bytes} bytes and no {what}: {remedy}"
    failed = counts.rejected["checksum"]
    if counts.bytes >= MIN_BYTES_TO_JUDGE and failed > 0.05 * (frames + failed):
        return (
            f"{failed} of {frames + failed} frames fail their checksum: noise on the line, "
            "two programs reading one port, or bytes changed on the way"
        )
    return None


def diagnose_unchecked(counts: Counts, what: str, remedy: str) -> str | None:
    """The same for protocols without checksum, where noise looks like a message now and then."""
    refused, read = sum(counts.rejected.values()), sum(counts.decoded.values())
    if counts.bytes >= MIN_BYTES_TO_JUDGE and refused > read:
        return f"{refused} messages refused beside {read} {what}s: {remedy}"
    return diagnose(counts, what, remedy)
