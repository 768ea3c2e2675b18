"""Ranges of sequence numbers behave as the set they stand for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from center.ranges import SequenceRanges

numbers = st.lists(st.integers(1, 60), max_size=80)


@given(numbers)
def test_ranges_hold_what_was_added_in_any_order(added):
    ranges = SequenceRanges()
    seen: set[int] = set()
    for number in added:
        assert ranges.add(number) == (number not in seen)
        seen.add(number)
    assert {number for first, last in ranges.ranges() for number in range(first, last + 1)} == seen
    assert ranges.count() == len(seen)
    assert [number for number in range(1, 61) if number in ranges] == sorted(seen)


@given(numbers)
def test_ranges_are_as_few_as_can_be_and_the_missing_ones_lie_between(added):
    ranges = SequenceRanges()
    for number in added:
        ranges.add(number)
    found = ranges.ranges()
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
    missing = {number for first, last in ranges.missing() for number in range(first, last + 1)}
    assert missing == set(range(1, max(added, default=0) + 1)) - set(added)


@given(numbers, numbers)
def test_what_changes_is_told_before_it_does(held, added):
    ranges = SequenceRanges()
    for number in held:
        ranges.add(number)
    before = set(ranges.ranges())
    gone, come = ranges.changed_by(added)
    assert set(ranges.ranges()) == before
    for number in added:
        ranges.add(number)
    assert (gone, come) == (before - set(ranges.ranges()), set(ranges.ranges()) - before)


def test_a_run_without_losses_is_one_range():
    ranges = SequenceRanges()
    for number in range(1, 10_001):
        ranges.add(number)
    assert ranges.ranges() == [(1, 10_000)]
    assert ranges.range_of(5_000) == (1, 10_000)
