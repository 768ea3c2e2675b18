from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fusion import rewind
from fusion.rewind import History

SECOND = 10**9


class Diary:
    """A state that remembers every fact in the order it was worked in."""

    def __init__(self) -> None:
        self.facts: list[int] = []

    def copy(self) -> Diary:
        other = Diary()
        other.facts = list(self.facts)
        return other


def feed(arrivals: list[int], rewind_ns: int = 4 * SECOND) -> tuple[Diary, History[Diary, int], int]:
    """Facts named by their times arrive in this order; returns the diary, the history and how many were too old."""
    diary = Diary()
    history: History[Diary, int] = History(diary, rewind_ns)
    too_old = 0
    for number, time_ns in enumerate(arrivals):
        if history.is_too_old(time_ns):
            too_old += 1
            continue
        place = (time_ns, "s", number)
        late = history.newest is not None and place < history.newest
        history.add(place, time_ns)
        facts = [(place, time_ns)]
        if late:
            resumed = history.resume(place)
            diary, facts = resumed.state, resumed.facts
        for at, fact in facts:
            diary.facts.append(fact)
            history.worked_in(at, diary)
    return diary, history, too_old


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 4 * SECOND), min_size=1, max_size=60))
def test_inside_the_window_any_order_of_arrival_ends_in_order_of_time(arrivals: list[int]) -> None:
    diary, _, too_old = feed(arrivals)
    assert too_old == 0
    assert diary.facts == sorted(arrivals)


def test_facts_before_the_window_are_refused() -> None:
    diary, _, too_old = feed([0, 10 * SECOND, 5 * SECOND, 7 * SECOND])
    assert too_old == 1
    assert diary.facts == [0, 7 * SECOND, 10 * SECOND]


def test_only_the_window_is_kept() -> None:
    _, history, _ = feed([k * SECOND // 10 for k in range(1000)])
    assert len(history._facts) <= 10 * 5
    assert len(history._snapshots) <= 4 * SECOND // rewind.SNAPSHOT_EVERY_NS + 2


def test_a_late_fact_replays_no_more_than_lateness_and_one_snapshot_apart() -> None:
    _, history, _ = feed([k * SECOND // 100 for k in range(1000)])
    place = (int(9.5 * SECOND), "s", 10_000)
    history.add(place, place[0])
    assert len(history.resume(place).facts) <= 50 + 25 + 2


def test_a_slow_sensor_has_a_snapshot_of_every_fifth_fact() -> None:
    _, history, _ = feed([k * SECOND for k in range(15)], rewind_ns=20 * SECOND)
    assert [len(diary.facts) for diary in history._snapshots] == [0, 5, 10, 15]
