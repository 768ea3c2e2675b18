"""Captures of real and synthetic devices against values that independent decoders found in them.

Walks whatever lies at $SARHAD_SENSOR_DATA (default: ../shared/data/sensors beside the checkout): a folder a protocol,
NAME beside NAME.expected.json, `pairs.json` for captures that share a truth. No file is known by name here.

Truth that another decoder made is compared in every field that both name. Tolerances: 32-bit floats are printed with
five or more digits by the other side, so 2e-5 of the value or 2e-5 absolute; integers and texts must be equal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firmware_interfaces.captures import FORMATS, read

DATA = Path(os.environ.get("SARHAD_SENSOR_DATA", Path(__file__).parents[3] / "shared/data/sensors"))
EXPECTED = ".expected.json"
TOLERANCE = 2e-5
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no sensor data at {DATA} (SARHAD_SENSOR_DATA)")

OPTIONAL = "?"  # marks a record of the truth that a reader may leave out
Record = dict[str, Any]


@dataclass(frozen=True)
class Capture:
    """A file of raw bytes, and where its truth stands."""

    path: Path
    expected: Path
    shares_truth: bool = False  # a damaged twin: its offsets are not those of the truth

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


def captures(folder: str) -> list[Capture]:
    """The captures of one protocol's folder that have a truth."""
    found = [
        Capture(expected.with_name(expected.name.removesuffix(EXPECTED)), expected)
        for expected in sorted((DATA / folder).glob(f"*{EXPECTED}"))
    ]
    pairs = DATA / "pairs.json"
    shared = json.loads(pairs.read_text()) if pairs.is_file() else {}
    found += [
        Capture(DATA / name, (DATA / name).with_name(entry["expected"]), True)
        for name, entry in shared.items()
        if isinstance(entry, dict) and Path(name).parent.name == folder
    ]
    return [capture for capture in found if capture.path.is_file() and capture.expected.is_file()]


CASES = [(folder, capture) for folder in FORMATS for capture in captures(folder)]


# Folders: which records the truth lists, and what of them is none of the bytes' content


def frames(truth: Any, capture: Capture) -> Iterator[Record]:
    """TI: frames; those that the other reader gave up on are compared by their headers alone.

    Of those, only a frame that lost one byte can be asked for: it was padding, or is the next one's first.
    """
    listed = truth["frames"]
    for frame, following in zip(listed, [*listed[1:], None], strict=True):
        if "error" not in frame:
            yield frame
            continue
        end = capture.path.stat().st_size if following is None else following["offset"]
        lost = frame["total_len"] - (end - frame["offset"])
        yield {**{k: v for k, v in frame.items() if k not in ("error", "tlvs")}, OPTIONAL: lost > 1}


def messages(truth: Any, capture: Capture) -> Iterator[Record]:
    """MAVLink: "source" tells how the capture was made."""
    ignored = {"source", "offset"} if capture.shares_truth else {"source"}
    for message in truth["messages"]:
        yield {k: v for k, v in message.items() if k not in ignored}


def sentences(truth: Any, capture: Capture) -> Iterator[Record]:
    """GNSS: what the other decoder could not name is a comment line that begins with "$", not a sentence."""
    for message in truth["messages"]:
        if message["identity"] is not None:
            yield message


def reports(truth: Any, capture: Capture) -> Iterator[Record]:
    """LD2450: notes tell what stands between the reports."""
    for report in truth:
        if "note" not in report:
            yield {k: v for k, v in report.items() if k != "source"}


def lines(truth: Any, capture: Capture) -> Iterator[Record]:
    """ESP32: boot text and cut lines are no records; of a forged line it is told that it is forged."""
    for line in truth:
        value = line["value"]
        if value is None or "error" in value:
            continue
        yield {**line, "value": {"injection": True}} if value.get("injection") else line


def broadcasts(truth: Any, capture: Capture) -> Iterator[Record]:
    """DroneScout: the version of the envelope is not read, and authentication pages are left alone."""
    for message in truth:
        told = {k: v for k, v in message.items() if k != "protocol"}
        if "uas_data" in told:
            told["uas_data"] = {k: v for k, v in told["uas_data"].items() if k != "auth_pages"}
        yield told


TRUTH: dict[str, Callable[[Any, Capture], Iterator[Record]]] = {
    "ti_mmwave": frames,
    "mavlink_odid": messages,
    "gnss": sentences,
    "hlk_ld2450": reports,
    "esp32_rid_json": lines,
    "dronescout_mqtt": broadcasts,
}


def interpreted(folder: str, expected: Record, found: Record) -> tuple[Record, set[str]]:
    """The part of an expected record that we interpret, and the names of the rest."""
    if folder != "gnss":
        return expected, set()
    ours = found["fields"]
    left = {f"{expected['identity']}.{name}" for name in expected["fields"] if name not in ours}
    told = {**expected, "fields": {name: v for name, v in expected["fields"].items() if name in ours}}
    if not ours:  # not in the tables: framed and checked, the name is the other decoder's own
        left = {str(expected["identity"])}
        del told["identity"], told["fields"], told["protocol"]
    return told, left


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where two records differ, in words; what only `found` has is no difference."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                yield f"{where}.{name} is missing, expected {value!r}"
            else:
                yield from differences(value, found[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{where} has {len(found)} entries, expected {len(expected)}"
        for index, (a, b) in enumerate(zip(expected, found, strict=False)):
            yield from differences(a, b, f"{where}[{index}]")
    elif isinstance(expected, float) and isinstance(found, int | float) and not isinstance(found, bool):
        if abs(expected - found) > TOLERANCE * max(1.0, abs(expected)):
            yield f"{where} is {found!r}, expected {expected!r}"
    elif expected != found:
        yield f"{where} is {found!r}, expected {expected!r}"


def place_of(record: Record, index: int) -> int:
    """What a record of the truth and one of ours are matched by: where they stand."""
    if "end_offset" in record:
        return int(record["end_offset"] - record["len"])
    return int(record.get("offset", record.get("line", index)))


@pytest.mark.parametrize(("folder", "capture"), CASES, ids=[str(capture) for _, capture in CASES])
def test_every_record_of_a_capture_has_the_values_that_an_independent_decoder_found(
    folder: str, capture: Capture
) -> None:
    whole_truth = json.loads(capture.expected.read_text())
    truth = list(TRUTH[folder](whole_truth, capture))
    records, counts = read(FORMATS[folder], capture.path.read_bytes(), {})
    listed = list(records)
    assert counts.bytes == capture.path.stat().st_size
    assert sum(counts.decoded.values()) == len(listed)
    found = {i if capture.shares_truth else place_of(record, i): record for i, record in enumerate(listed)}
    not_interpreted: set[str] = set()
    for index, expected in enumerate(truth):
        is_optional = expected.pop(OPTIONAL, False)
        record = found.pop(place_of(expected, index), None)
        assert record is not None or is_optional, f"record {index} is missing: {expected}"
        if record is not None:
            told, left = interpreted(folder, expected, record)
            not_interpreted |= left
            assert not list(differences(told, record, f"record {index}"))
    # what the other decoder refused for its content may be sound by its checksum
    refused = whole_truth.get("errors", []) if isinstance(whole_truth, dict) else []
    assert len(found) <= len(refused), f"records that the truth does not list: {list(found.values())}"
    if not_interpreted:
        print(f"{capture}: not interpreted: {', '.join(sorted(not_interpreted))}")  # pytest -rP shows it


# Damage

DAMAGED = [
    c for c in captures("malformed") if Path(json.loads(c.expected.read_text())["source"]).parent.name in FORMATS
]


@pytest.mark.parametrize("capture", DAMAGED, ids=[str(capture) for capture in DAMAGED])
def test_every_intact_frame_of_a_damaged_stream_comes_out(capture: Capture) -> None:
    truth = json.loads(capture.expected.read_text())
    folder = Path(truth["source"]).parent.name
    records, _ = read(FORMATS[folder], capture.path.read_bytes(), {})
    offsets = {r["offset"] if "offset" in r else r["end_offset"] - r["len"] for r in records}
    lost = [frame for frame in truth["intact_frames"] if frame["offset"] not in offsets]
    # the truth allows one good frame lost a damage; a reader that scans and checks loses none
    assert lost == []


def test_there_is_something_to_compare() -> None:
    assert {folder for folder, _ in CASES} <= set(TRUTH)
    assert CASES, f"{DATA} holds no capture of {', '.join(FORMATS)}"
