"""Which sequence numbers of a run have come, kept as closed ranges: 1-4, 7-7, 9-120.

A run without losses is one range however long it gets; every gap adds one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]  # first, last; both belong to it


class SequenceRanges:
    """A growing set of whole numbers from 1 on."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges: list[Range] = sorted(ranges)

    def add(self, number: int) -> bool:
        """Put one number in; False when it was there."""
        index = bisect_right(self._ranges, number, key=first_of)
        before = self._ranges[index - 1] if index else None
        after = self._ranges[index] if index < len(self._ranges) else None
        if before and number <= before[1]:
            return False
        joins_before = before is not None and before[1] + 1 == number
        joins_after = after is not None and after[0] - 1 == number
        first = before[0] if before and joins_before else number
        last = after[1] if after and joins_after else number
        self._ranges[index - joins_before : index + joins_after] = [(first, last)]
        return True

    def changed_by(self, numbers: Iterable[int]) -> tuple[set[Range], set[Range]]:
        """Which ranges go and which come when these numbers are put in; nothing is changed yet."""
        numbers = list(numbers)
        near = {one for number in numbers for n in (number - 1, number, number + 1) if (one := self.range_of(n))}
        after = SequenceRanges(near)
        for number in numbers:
            after.add(number)
        return near - set(after._ranges), set(after._ranges) - near

    def __contains__(self, number: int) -> bool:
        return self.range_of(number) is not None

    def range_of(self, number: int) -> Range | None:
        """The range that holds a number; None when it is missing."""
        index = bisect_right(self._ranges, number, key=first_of)
        if index and number <= self._ranges[index - 1][1]:
            return self._ranges[index - 1]
        return None

    def missing(self) -> list[Range]:
        """The gaps from 1 up to the highest number that came."""
        ends = [0, *(last for _, last in self._ranges)]
        starts = [first for first, _ in self._ranges]
        return [(end + 1, start - 1) for end, start in zip(ends, starts, strict=False) if start > end + 1]

    def ranges(self) -> list[Range]:
        return list(self._ranges)

    def count(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)


def first_of(one: Range) -> int:
    return one[0]
