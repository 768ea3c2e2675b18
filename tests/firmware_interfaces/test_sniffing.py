"""Bytes of nobody are unknown; our own streams are known. Captures of real devices: test_captures.py."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_interfaces.sniffing import identify


@pytest.mark.parametrize("length", [0, 1, 2, 12, 60, 500, 4096, 65_536, 300_000])
def test_noise_is_unknown(length: int) -> None:
    for seed in range(3 if length < 10_000 else 1):
        assert identify(random.Random(length + seed).randbytes(length)) is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 400))
@example(seed=91, length=85)  # an ASTERIX block behind 15 bytes, by its length
def test_short_noise_is_unknown_too(seed: int, length: int) -> None:
    """Noise: bytes by chance. What hypothesis itself would make up holds words of the source, and is none."""
    assert identify(random.Random(seed).randbytes(length)) is None


@pytest.mark.parametrize(
    "data",
    [
        bytes(5000),
        b"\xff" * 5000,
        b"U" * 5000,
        b"\n" * 5000,
        b"boot: hello, this is a console\r\nlogin: \r\n" * 50,
        b'{"temperature": 21.5, "unit": "C"}\n' * 50,
        b'{"heartbeat":""}\n' * 50,  # a sniffer board's has words
        b"time,east,north\n2026-03-01,1.5,2.5\n" * 50,
        b"\x7fELF\x02\x01\x01" + bytes(3000),
    ],
)
def test_what_no_device_of_ours_says_is_unknown(data: bytes) -> None:
    assert identify(data) is None


def test_a_stream_of_ours_is_known(stream_case: object) -> None:
    guess = identify(stream_case.stream)  # type: ignore[attr-defined]
    assert guess is not None
    assert guess.share > 0.8  # padding explains nothing
    assert sum(guess.messages.values()) > 0
