"""Cutting a stream into frames: what is kept, skipped, given up, counted."""

from __future__ import annotations

import re

from firmware_interfaces.decoder import (
    MAX_FRAME_TIME_NS,
    MAX_KEPT_BYTES,
    Counts,
    Found,
    FramedStream,
    Rejected,
    diagnose,
)

SECOND_NS = 1_000_000_000


def stream() -> tuple[FramedStream[bytes], Counts]:
    """An invented protocol: AA BB, length of what follows, content, and a last byte that must be 7E."""

    def frame_at(buffer: bytearray, start: int) -> Found[bytes] | None:
        if len(buffer) - start < 3:
            return None
        end = start + 3 + buffer[start + 2]
        if len(buffer) < end:
            return None
        if buffer[end - 1] != 0x7E:
            raise Rejected("checksum", "the last byte is not 7E")
        return Found(bytes(buffer[start + 3 : end - 1]), end - start)

    counts = Counts()
    return FramedStream(re.compile(b"\xaa\xbb"), 2, frame_at, counts), counts


def frame(content: bytes) -> bytes:
    return b"\xaa\xbb" + bytes((len(content) + 1,)) + content + b"\x7e"


def contents(found: list) -> list[bytes]:
    return [framed.message for framed in found]


def test_frames_come_out_with_the_place_where_they_stood() -> None:
    cut, counts = stream()
    found = cut.feed(b"xy" + frame(b"one") + frame(b"two") + b"z", 0)
    assert [(framed.message, framed.offset) for framed in found] == [(b"one", 2), (b"two", 9)]
    assert cut.finish() == []
    assert (counts.bytes, counts.resync_bytes, dict(counts.rejected)) == (17, 3, {})


def test_a_refused_frame_costs_one_byte_and_a_good_one_inside_it_is_found() -> None:
    cut, counts = stream()
    damaged = b"\xaa\xbb\x14"  # claims 20 bytes, which swallow the next frames
    found = cut.feed(damaged + frame(b"one") + frame(b"two") + frame(b"three"), 0)
    assert contents(found) == [b"one", b"two", b"three"]
    assert counts.rejected == {"checksum": 1}
    assert counts.resync_bytes == 3


def test_an_unfinished_frame_is_given_up_after_its_time_and_the_one_behind_it_comes_out() -> None:
    cut, counts = stream()
    assert cut.feed(b"\xaa\xbb\xff" + frame(b"behind"), 0) == []
    assert cut.feed(b"", MAX_FRAME_TIME_NS) == []
    assert contents(cut.feed(b"", MAX_FRAME_TIME_NS + 1)) == [b"behind"]
    assert counts.rejected == {"stale": 1}


def test_the_wait_counts_from_the_frame_s_own_first_byte() -> None:
    cut, _ = stream()
    assert contents(cut.feed(frame(b"one")[:-1], 0)) == []
    assert contents(cut.feed(frame(b"one")[-1:] + frame(b"two")[:4], SECOND_NS)) == [b"one"]
    assert contents(cut.feed(frame(b"two")[4:], SECOND_NS + MAX_FRAME_TIME_NS)) == [b"two"]


def test_what_is_kept_has_a_limit() -> None:
    counts = Counts()
    greedy: FramedStream[bytes] = FramedStream(re.compile(b"\xaa"), 1, lambda buffer, start: None, counts)
    for _ in range(20):
        greedy.feed(b"\xaa" * 10_000, 0)
        assert greedy.kept_bytes < MAX_KEPT_BYTES
    assert counts.rejected["length"] > 0


def test_many_bytes_without_a_frame_are_told_with_what_to_do() -> None:
    told = diagnose(Counts(bytes=10_000), "XR-9 report")
    assert told is not None
    assert "10000 bytes and no XR-9 report" in told
    assert "baud" in told
    assert diagnose(Counts(bytes=100), "XR-9 report") is None


def test_failing_checksums_are_told_above_a_rate() -> None:
    counts = Counts(bytes=100_000)
    counts.decoded["report"], counts.rejected["checksum"] = 1000, 30
    assert diagnose(counts, "XR-9 report") is None
    counts.rejected["checksum"] = 100
    assert "100 of 1100" in (diagnose(counts, "XR-9 report") or "")
