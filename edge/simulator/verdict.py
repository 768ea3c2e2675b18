"""An outcome held against its expectation: what failed, each in one line that says what was found and what was expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge.simulator.expect import Expectation, ObjectExpectation, expectation_of
from edge.simulator.outcome import Followed, Outcome, play
from edge.simulator.scenario import Scenario

TOLD_OF = ("ok", "waiting")  # states of a sensor that is well, or was not heard yet
SELDOM = 0.1  # a class that so few of an object's seconds say is not what it is called
SEVERAL = 3  # messages: one alone may be a slip of the moment


@dataclass(frozen=True, slots=True)
class Verdict:
    """One scenario's."""

    name: str
    failures: tuple[str, ...]
    outcome: Outcome


def judge(scenario: Scenario, seed: int | None = None) -> Verdict:
    """Play it and compare. Raises ScenarioError."""
    expected = expectation_of(scenario)
    outcome = play(scenario, {one.object_id: one.within_m for one in expected.objects}, seed)
    failures = [
        *objects_failed(expected, outcome),
        *groups_failed(expected, outcome),
        *counts_failed(expected, outcome),
    ]
    failures += [*claims_failed(expected, outcome), *post_failed(expected, outcome)]
    return Verdict(scenario.name, tuple(failures), outcome)


def objects_failed(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    for one in expected.objects:
        found = outcome.objects.get(one.object_id, Followed())
        yield from (f"{one.object_id}: {text}" for text in object_failed(one, found))


def object_failed(one: ObjectExpectation, found: Followed) -> Iterator[str]:
    seconds = [s for s in found.tracked_s if one.from_s <= s < one.until_s]
    if not one.is_tracked:
        if len(seconds) > SEVERAL:
            yield f"tracked for {len(seconds)} s; expected never"
        return
    if not seconds:
        if one.share > 0.0:
            yield f"never tracked; expected within {one.by_s:g} s"
        return
    if (first_s := seconds[0] - one.from_s) > one.by_s:
        yield f"first tracked after {first_s:g} s; expected within {one.by_s:g} s"
    due = max(1.0, one.until_s - one.from_s - one.by_s)
    kept = sum(s >= one.from_s + one.by_s for s in seconds) / due
    if kept < one.share:
        yield f"tracked for {kept:.0%} of its seconds; expected {one.share:.0%}"
    yield from class_failed(one, found)
    if one.numbers_at_most is not None and len(found.numbers) > one.numbers_at_most:
        yield f"went through {len(found.numbers)} track numbers; expected at most {one.numbers_at_most}"


def class_failed(one: ObjectExpectation, found: Followed) -> Iterator[str]:
    judged = [
        name for s, name in zip(found.tracked_s, found.called, strict=True) if one.called_from_s <= s < one.until_s
    ]
    called = Counter(judged)
    if one.called is not None and judged and (most := called.most_common(1)[0][0]) != one.called:
        yield f"called {most} ({called[one.called] / len(judged):.0%} {one.called}); expected {one.called}"
    if one.not_called is not None and (share := called[one.not_called] / max(1, len(judged))) > SELDOM:
        yield f"called {one.not_called} for {share:.0%} of its seconds; expected at most {SELDOM:.0%}"


def groups_failed(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    for one in expected.groups:
        told = [
            group
            for object_id in one.objects
            for s, group in zip(outcome.objects[object_id].tracked_s, outcome.objects[object_id].groups, strict=True)
            if s >= one.by_s
        ]
        found = Counter(group for group in told if group is not None)
        share = max(found.values(), default=0) / max(1, len(told))
        if share < one.share:
            yield f"{', '.join(one.objects)}: told as one group for {share:.0%}; expected {one.share:.0%}"
        seconds = outcome.counts.get(found.most_common(1)[0][0], {}) if found else {}
        right = [low <= len(one.objects) <= high for s, (low, high) in seconds.items() if s >= one.by_s]
        if sum(right) < one.counted * max(1, len(right)):
            yield f"{', '.join(one.objects)}: counted right in {sum(right)} of {len(right)} s; expected {one.counted:.0%}"
    for object_id in expected.never_grouped:
        grouped = sum(group is not None for group in outcome.objects[object_id].groups)
        if grouped > SEVERAL:
            yield f"{object_id}: told as part of a group for {grouped} s; expected never"


def counts_failed(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    for words, found, most in (
        ("tracks called drone where no drone was", outcome.false_drones(), expected.false_drones_at_most),
        ("confirmed tracks of nothing", outcome.false_tracks(), expected.false_tracks_at_most),
        ("tracks called drone", outcome.drones(), expected.drones_at_most),
        ("tracks retracted", sorted(outcome.retracted), expected.retracted_at_most),
    ):
        if most is not None and len(found) > most:
            yield f"{len(found)} {words} (numbers {', '.join(map(str, found[:8]))}); expected at most {most}"


def claims_failed(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    for must, serials in (("agrees", expected.agrees), ("contradicts", expected.contradicted)):
        for serial in serials:
            found = outcome.claims.get(serial)
            if found is None or found[must] < SEVERAL:
                told = "was not heard" if found is None else f"was told {dict(sorted(found.items()))}"
                yield f"claim {serial} {told}; expected that it {must}"
    for never, serials in (("agrees", expected.never_agrees), ("contradicts", expected.never_contradicted)):
        for serial, found in sorted(outcome.claims.items()):
            if serial.startswith(tuple(serials)) and serials and found[never] >= SEVERAL:
                yield f"claim {serial} {never} in {found[never]} messages; expected never"


def post_failed(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    for sensor_id in expected.troubled:
        if all(state in TOLD_OF for state in outcome.states[sensor_id]):
            yield f"{sensor_id} was never reported as not well; expected so"
    for sensor_id in expected.healthy:
        if ill := sorted(state for state in outcome.states[sensor_id] if state not in TOLD_OF):
            yield f"{sensor_id} was reported as {', '.join(ill)}; expected as well all the time"
    if expected.own_position is not None and outcome.own_position[expected.own_position] < SEVERAL:
        yield f"the post's own position was never reported as {expected.own_position}; expected so"
