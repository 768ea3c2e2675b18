"""Truth of the captures of radio: Remote ID and DroneID broadcasts, directions, spectra, wireless sensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def frames(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """Broadcasts, in order, each with the number of its packet."""
    yield from truth["frames"] if isinstance(truth, dict) else truth


def directions(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """Bearings of radio and of sound, in order."""
    yield from truth


def transmissions_differ(truth: list[Record], found: list[Record], shares_truth: bool) -> Iterator[str]:
    """Wireless sensors: one event however often it was sent, and the first line as it was said."""
    (told,) = truth
    news = [record for record in found if not record["is_repeated"]]
    if len(found) != told["lines"]:
        yield f"{len(found)} lines, expected {told['lines']}"
    if len(news) != told["distinct_transmissions_after_dedup"]:
        yield f"{len(news)} transmissions, expected {told['distinct_transmissions_after_dedup']}"
    expected = {name: value for name, value in told["event"].items() if name != "note"}
    if news[0]["event"] != {**news[0]["event"], **expected}:
        yield f"event is {news[0]['event']}, expected {expected}"
    if news[0]["said"] != told["first"]:
        yield f"the first line says {news[0]['said']}, expected {told['first']}"


def transmissions(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """One object tells of the whole file."""
    yield truth


def sweeps(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """Sweeps in order, or the one scan of a file."""
    yield from truth if isinstance(truth, list) else [truth]


def sweeps_differ(truth: list[Record], found: list[Record], shares_truth: bool) -> Iterator[str]:
    """Powers of scans; of sweeps their counts, and that what the truth put into them stands among the occupied bands."""
    if len(truth) != len(found):
        yield f"{len(found)} sweeps, expected {len(truth)}"
    for expected, ours in zip(truth, found, strict=False):
        for name in ("sweep", "timestamp", "segments", "bins", "points", "dbm", "scale_dbm"):
            if name in expected and expected[name] != ours.get(name):
                yield f"{name} is {ours.get(name)}, expected {expected[name]}"
        for name in ("hopper_mhz", "wideband_centre_mhz"):
            if name in expected and not is_occupied(ours["occupied"], expected[name] * 1e6):
                yield f"{name} {expected[name]} is in none of {ours['occupied']}"


def is_occupied(bands: list[Record], frequency_hz: float) -> bool:
    """Whether a band holds a frequency; a narrow one's bin may begin there."""
    return any(band["low_hz"] <= frequency_hz <= band["high_hz"] for band in bands)
