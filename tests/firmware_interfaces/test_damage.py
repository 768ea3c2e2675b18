"""What holds for every decoder: its answer does not depend on the cut of the bytes, and no bytes harm it."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import decoders as fuzzing
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_interfaces.decoder import MAX_KEPT_BYTES
from fusion.types import Reading, Scan

MakeReading = Callable[..., Reading]
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def feed_all(decoder: Any, pieces: list[bytes], make_reading: MakeReading) -> list[Any]:
    return [fact for piece in pieces for fact in decoder.feed(make_reading(piece))]


def told(facts: list[Any]) -> list[Any]:
    """The facts without the times of scans: those follow from when each frame was complete, so from the cut."""
    times_ns = [fact.time_ns for fact in facts if isinstance(fact, Scan)]
    assert all(before < after for before, after in itertools.pairwise(times_ns))
    return [replace(fact, time_ns=0) if isinstance(fact, Scan) else fact for fact in facts]


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[place : place + size] for place in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_facts_do_not_depend_on_how_the_bytes_were_cut(stream_case: Any, size: int, make_reading: MakeReading) -> None:
    whole, cut = stream_case.make(), stream_case.make()
    expected = told(feed_all(whole, [stream_case.stream], make_reading))
    assert expected
    assert told(feed_all(cut, pieces_of(stream_case.stream, size), make_reading)) == expected
    assert cut.counts == whole.counts


@RELAXED
@given(
    cuts=st.lists(st.integers(0, 1_000_000), max_size=12),
    size=st.sampled_from((0, 7, 16, 61)),  # 0: cut there, else everywhere, inside every header
    damage=st.integers(0, 1_000_000),
    byte=st.integers(0, 255),
)
def test_facts_of_a_damaged_stream_do_not_depend_on_the_cut_either(
    stream_case: Any, cuts: list[int], size: int, damage: int, byte: int, make_reading: MakeReading
) -> None:
    place = damage % len(stream_case.stream)
    stream = stream_case.stream[:place] + bytes((byte,)) * (damage % 3) + stream_case.stream[place + damage % 2 :]
    bounds = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    pieces = pieces_of(stream, size) if size else [stream[a:b] for a, b in itertools.pairwise(bounds)]
    whole, cut = stream_case.make(), stream_case.make()
    assert told(feed_all(cut, pieces, make_reading)) == told(feed_all(whole, [stream], make_reading))
    assert cut.counts == whole.counts


def test_a_sound_stream_has_nothing_rejected_and_nothing_to_diagnose(
    stream_case: Any, make_reading: MakeReading
) -> None:
    decoder = stream_case.make()
    feed_all(decoder, [stream_case.stream.removeprefix(b"noise\xd3\x00")], make_reading)
    assert not decoder.counts.rejected
    assert "expands" in str(stream_case) or decoder.diagnosis() is None


@RELAXED
@given(data=st.binary(max_size=3000))
def test_no_bytes_raise(case: Any, data: bytes, make_reading: MakeReading) -> None:
    decoder = case.make()
    decoder.feed(make_reading(data))
    assert decoder.kept_bytes <= MAX_KEPT_BYTES
    decoder.diagnosis()


@RELAXED
@given(place=st.integers(0, 1_000_000), junk=st.binary(max_size=40), cut=st.integers(0, 60))
def test_damage_inside_sound_frames_never_raises_and_the_rest_comes_out(
    stream_case: Any, place: int, junk: bytes, cut: int, make_reading: MakeReading
) -> None:
    at = place % len(stream_case.stream)
    decoder = stream_case.make()
    decoder.feed(make_reading(stream_case.stream[:at] + junk + stream_case.stream[at + cut :]))
    before = sum(decoder.counts.decoded.values())
    # what the damage left unfinished is given up after a second, and the next stream is read whole
    decoder.feed(make_reading(stream_case.stream, 5_000_000_000))
    decoder.feed(make_reading(b"", 9_000_000_000))
    clean = stream_case.make()
    clean.feed(make_reading(stream_case.stream))
    assert sum(decoder.counts.decoded.values()) - before >= sum(clean.counts.decoded.values()) - 1


FINDINGS = sorted(path for path in (Path(__file__).parent / "findings").glob("*/*") if path.is_file())


@pytest.mark.parametrize("finding", FINDINGS, ids=[f"{path.parent.name}/{path.name[-8:]}" for path in FINDINGS])
def test_what_fuzzing_once_found_is_harmless(
    all_cases: tuple[Any, ...], finding: Path, make_reading: MakeReading
) -> None:
    (case,) = (case for case in all_cases if fuzzing.folder_of(case) == finding.parent.name)
    fuzzing.check(case, make_reading, finding.read_bytes())


def test_a_million_random_bytes_are_gone_through_quickly(case: Any, make_reading: MakeReading) -> None:
    data = random.Random(20260817).randbytes(1_000_000)
    decoder = case.make()
    began = time.process_time()
    for piece in pieces_of(data, 4096):
        decoder.feed(make_reading(piece))
        assert decoder.kept_bytes <= MAX_KEPT_BYTES
    assert time.process_time() - began < 2.0
    assert decoder.counts.bytes == len(data)
    # a random magic word is too rare to be seen here; a random 16-bit checksum is right once in 65536 candidates
    assert sum(decoder.counts.decoded.values()) <= 3
    assert decoder.diagnosis() is not None


def test_the_same_reading_twice_gives_the_same_facts(case: Any, make_reading: MakeReading) -> None:
    first, second = case.make(), case.make()
    assert first.feed(make_reading(case.stream)) == second.feed(make_reading(case.stream))
