"""Captures of real and synthetic devices against values that independent decoders found in them.

Walks whatever lies at $SARHAD_SENSOR_DATA (default: ../shared/data/sensors beside the checkout): a folder a protocol,
NAME beside NAME.expected.json, `pairs.json` for captures that share a truth. No file is known by name here.

A folder is one line of FOLDERS. Its parts:

    truth        (expected file's content, path of the capture, whether it is a damaged twin) -> the records it lists; a
                 generator in a `truth_*.py` beside this, where the truth also tells what is none of the bytes' content
    how          path of the capture -> (name in captures.FORMATS, settings): by suffix and by what SOURCE.md says of a
                 file name, such as an edition; left out: the folder's own name, no settings
    interpreted  (expected record, ours) -> (what of it is compared, names of the rest); left out: all but the fields
                 that the format's `not_interpreted` names by path
    compare      (truth, our records, shares truth) -> differences in words; for truths that are no list of records
    is_borne_out (bytes of the capture, our record) -> whether a record that the truth does not list is sound by its own
                 checksum; left out: none is

Records meet by "offset", "end_offset", "line" or "index", else by their order. Truth that another decoder made is
compared in every field that it names. Tolerances: 32-bit floats are printed with five or more digits by the other side,
so 2e-5 of the value or 2e-5 absolute; integers and texts must be equal.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import truth_adsb as adsb
import truth_asterix as asterix
import truth_radio as radio
import truth_streams as streams

from firmware_interfaces.captures import FORMATS, Format, read
from firmware_interfaces.sniffing import identify

DATA = Path(os.environ.get("SARHAD_SENSOR_DATA", Path(__file__).parents[3] / "shared/data/sensors"))
EXPECTED = ".expected.json"
TOLERANCE = 2e-5
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no sensor data at {DATA} (SARHAD_SENSOR_DATA)")

Record = dict[str, Any]


def by_folder(path: Path) -> tuple[str, Record]:
    """The format named as the folder is, nothing set."""
    return path.parent.name, {}


@dataclass(frozen=True)
class Folder:
    """How the captures of one protocol family are read and compared; see the top of this file."""

    truth: Callable[[Any, Path, bool], Iterable[Record]]
    how: Callable[[Path], tuple[str, Record]] = by_folder
    interpreted: Callable[[Record, Record], tuple[Record, set[str]]] | None = None
    compare: Callable[[Any, list[Record], bool], Iterable[str]] | None = None
    is_borne_out: Callable[[bytes, Record], bool] = lambda data, record: False


FOLDERS: dict[str, Folder] = {
    "adsb_modes": Folder(adsb.messages, interpreted=adsb.interpreted),
    "dji_droneid": Folder(radio.frames),
    "asterix": Folder(asterix.datagrams, asterix.settings),
    "dronescout_mqtt": Folder(streams.broadcasts),
    "esp32_rid_json": Folder(streams.esp32_lines),
    "gnss": Folder(streams.gnss_messages, interpreted=streams.gnss_interpreted, is_borne_out=streams.is_checked_gnss),
    "hlk_ld2450": Folder(streams.reports),
    "krakensdr_doa": Folder(radio.directions),
    "mavlink_odid": Folder(streams.mavlink_messages),
    "modbus_rtu": Folder(streams.modbus_frames),
    "odas": Folder(radio.directions),
    "ops243": Folder(streams.ops243_lines),
    "ptz": Folder(streams.listed),
    "remote_id": Folder(radio.frames),
    "rtl_433_json": Folder(radio.transmissions, compare=radio.transmissions_differ),
    "spectrum_sweep": Folder(radio.sweeps, compare=radio.sweeps_differ),
    "ti_mmwave": Folder(streams.ti_frames),
}


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


CASES = [(folder, capture) for folder in FOLDERS for capture in captures(folder)]


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


def named(read_by: Format, value: Any, path: str, left: set[str]) -> Any:
    """A part of the truth without the fields that the format's table names as not interpreted."""
    if isinstance(value, list):
        return [named(read_by, entry, path, left) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, part in value.items():
        here = f"{path}.{name}".removeprefix(".")
        if any(fnmatchcase(here, pattern) for pattern in read_by.not_interpreted):
            left.add(re.sub(r"[0-9]+$", "#", here))
        else:
            kept[name] = named(read_by, part, here, left)
    return kept


def unnamed(read_by: Format, left: set[str]) -> list[str]:
    """What is left out of a record though the format's table does not name it; whole messages have no dot."""
    return [n for n in left if "." in n and not any(fnmatchcase(n, pattern) for pattern in read_by.not_interpreted)]


def place_of(record: Record, index: int) -> int:
    """What a record of the truth and one of ours are matched by: where they stand."""
    if "end_offset" in record:
        return int(record["end_offset"] - record["len"])
    return int(record.get("offset", record.get("line", record.get("index", index))))


@pytest.mark.parametrize(("folder", "capture"), CASES, ids=[str(capture) for _, capture in CASES])
def test_every_record_of_a_capture_has_the_values_that_an_independent_decoder_found(
    folder: str, capture: Capture
) -> None:
    whole_truth = json.loads(capture.expected.read_text())
    entry = FOLDERS[folder]
    name, settings = entry.how(capture.path)
    data = capture.path.read_bytes()
    records, counts = read(FORMATS[name], data, settings)
    listed = list(records)
    assert counts.bytes == len(data)
    assert sum(counts.decoded.values()) == len(listed)
    truth = list(entry.truth(whole_truth, capture.path, capture.shares_truth))
    if entry.compare is not None:
        assert not list(entry.compare(truth, listed, capture.shares_truth))
        return
    found = {i if capture.shares_truth else place_of(record, i): record for i, record in enumerate(listed)}
    assert len(found) == len(listed)
    not_interpreted: set[str] = set()
    for index, expected in enumerate(truth):
        is_optional = expected.pop(streams.OPTIONAL, False)
        record = found.pop(index if capture.shares_truth else place_of(expected, index), None)
        assert record is not None or is_optional, f"record {index} is missing: {expected}"
        if record is not None:
            told, left = entry.interpreted(expected, record) if entry.interpreted else (expected, set())
            told = named(FORMATS[name], told, "", not_interpreted)
            assert not unnamed(FORMATS[name], left), "left out, and named in no table"
            not_interpreted |= left
            assert not list(differences(told, record, f"record {index}"))
    # what the other decoder refused for its content may be sound by its checksum
    refused = whole_truth.get("errors", []) if isinstance(whole_truth, dict) else []
    unlisted = [record for record in found.values() if not entry.is_borne_out(data, record)]
    assert len(unlisted) <= len(refused), f"records that the truth does not list: {unlisted}"
    if not_interpreted:
        print(f"{capture}: not interpreted: {', '.join(sorted(not_interpreted))}")  # pytest -rP shows it


@pytest.mark.parametrize(("folder", "capture"), CASES, ids=[str(capture) for _, capture in CASES])
def test_a_capture_is_recognised_by_nobody_telling_what_it_is(folder: str, capture: Capture) -> None:
    name, _ = FOLDERS[folder].how(capture.path)
    guess = identify(capture.path.read_bytes())
    if guess is None:  # some hold no message of any protocol, as another decoder agrees
        assert not read_messages(capture)
    else:
        assert guess.name == name


def read_messages(capture: Capture) -> list[Record]:
    """What the truth lists."""
    truth = json.loads(capture.expected.read_text())
    return list(FOLDERS[capture.path.parent.name].truth(truth, capture.path, capture.shares_truth))


# Damage


def source_of(capture: Capture) -> Path:
    """The sound capture that a damaged one was made of; it need not be here."""
    return DATA / str(json.loads(capture.expected.read_text())["source"])


DAMAGED = [c for c in captures("malformed") if source_of(c).parent.name in FOLDERS]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("capture", DAMAGED, ids=[str(capture) for capture in DAMAGED])
def test_every_intact_frame_of_a_damaged_stream_comes_out(capture: Capture, chunk_bytes: int) -> None:
    truth = json.loads(capture.expected.read_text())
    source = source_of(capture)
    name, settings = FOLDERS[source.parent.name].how(source)
    records, _ = read(FORMATS[name], capture.path.read_bytes(), settings, chunk_bytes)
    offsets = {r["offset"] if "offset" in r else r["end_offset"] - r["len"] for r in records}
    lost = [frame for frame in truth["intact_frames"] if frame["offset"] not in offsets]
    # the truth allows one good frame lost a damage; a reader that scans and checks loses none
    assert lost == []


@pytest.mark.parametrize("capture", DAMAGED, ids=[str(capture) for capture in DAMAGED])
def test_a_damaged_stream_is_recognised_all_the_same(capture: Capture) -> None:
    name, _ = FOLDERS[source_of(capture).parent.name].how(source_of(capture))
    guess = identify(capture.path.read_bytes())
    assert guess is not None
    assert guess.name == name


def test_no_folder_of_captures_is_passed_over() -> None:
    folders = {path.parent.name for path in DATA.glob(f"*/*{EXPECTED}")} - {"malformed"}
    assert folders <= set(FOLDERS), f"no line for {', '.join(sorted(folders - set(FOLDERS)))}"


def test_there_is_something_to_compare() -> None:
    assert CASES, f"{DATA} holds no capture of {', '.join(FOLDERS)}"
