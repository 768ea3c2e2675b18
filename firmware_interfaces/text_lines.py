"""Lines of text: one message a line, with whatever a device prints between them.

A line ends with LF; it may be cut, or be text for people. It is taken or refused whole: a part of it is no better.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected

Message = TypeVar("Message")
ANY = re.compile(rb"[\s\S]")
SYNC = re.compile(rb"[^\r\n]")


class TextLines(Generic[Message]):
    """Bytes in, understood lines out.

    `parse` gives a line's message, None where it is text for people, or raises Rejected; `kind_of` names a message for
    the counts. Empty lines are passed over, or with `keeps_blank` parsed as the others are.
    """

    def __init__(
        self,
        parse: Callable[[bytes], Message | None],
        kind_of: Callable[[Message], str],
        max_line_bytes: int,
        max_frame_time_ns: int = 10 * MAX_FRAME_TIME_NS,
        keeps_blank: bool = False,
    ) -> None:
        self.counts = Counts()
        self._end_bytes = 1 if keeps_blank else 0  # the line's end is part of a line, or lies between two
        self._parse, self._kind_of, self._max_line_bytes = parse, kind_of, max_line_bytes
        self.stream: FramedStream[Message | None] = FramedStream(
            ANY if keeps_blank else SYNC, 1, self._frame_at, self.counts, max_frame_time_ns
        )

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Message]]:
        """The lines that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Message]]:
        """A last line that lacks its end is taken as it stands."""
        if not self.stream.kept_bytes:
            return []
        self.counts.bytes -= 1  # the line end is ours
        return self._counted([*self.stream.feed(b"\n", 0), *self.stream.finish()])

    def _counted(self, found: list[Framed[Message | None]]) -> list[Framed[Message]]:
        lines = [Framed(f.message, f.offset, f.consumed) for f in found if f.message is not None]
        for framed in lines:
            self.counts.decoded[self._kind_of(framed.message)] += 1
        return lines

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Message | None] | None:
        end = buffer.find(b"\n", start, start + self._max_line_bytes)
        if end < 0:
            if len(buffer) - start >= self._max_line_bytes:
                raise Rejected("length", f"a line is longer than {self._max_line_bytes} bytes")
            return None
        size = end - start + self._end_bytes
        try:
            return Found(self._parse(bytes(buffer[start:end])), size, 1)
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            return Found(None, size, 1)
