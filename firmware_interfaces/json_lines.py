"""JSON lines: one object a line, with whatever a device prints between them.

A line ends with LF; it may be cut, or be text for people. It is taken or refused whole: a part of it is no better.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected

Message = TypeVar("Message")
SYNC = re.compile(rb"[^\r\n]")


class JsonLines(Generic[Message]):
    """Bytes in, understood lines out.

    `parse` gives a line's message, None where it is text for people, or raises Rejected; `kind_of` names a message for
    the counts.
    """

    def __init__(
        self,
        parse: Callable[[bytes], Message | None],
        kind_of: Callable[[Message], str],
        max_line_bytes: int,
        max_frame_time_ns: int = 10 * MAX_FRAME_TIME_NS,
    ) -> None:
        self.counts = Counts()
        self._parse, self._kind_of, self._max_line_bytes = parse, kind_of, max_line_bytes
        self.stream: FramedStream[Message | None] = FramedStream(
            SYNC, 1, self._frame_at, self.counts, max_frame_time_ns
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
        try:
            return Found(self._parse(bytes(buffer[start:end])), end - start, 1)
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            return Found(None, end - start, 1)


def read_json(text: bytes) -> tuple[Any, bool]:
    """A JSON value, and whether a key came twice in one of its objects: the first value is kept. Raises Rejected."""
    is_repeated = False

    def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_repeated
        out = dict(reversed(pairs))
        is_repeated = is_repeated or len(out) < len(pairs)
        return out

    try:
        return json.loads(text, object_pairs_hook=first_of_each), is_repeated
    except (ValueError, RecursionError) as error:
        raise Rejected("json", "a line is cut, or no JSON") from error


def number(value: Any) -> float | None:
    """A finite number of reasonable size; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)
