"""Truth of the captures of byte streams: which records it lists, and what of them is none of the bytes' content."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

Record = dict[str, Any]
OPTIONAL = "?"  # marks a record of the truth that a reader may leave out


def ti_frames(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """TI: frames; those that the other reader gave up on are compared by their headers alone.

    Of those, only a frame that lost one byte can be asked for: it was padding, or is the next one's first.
    """
    listed = truth["frames"]
    for frame, following in zip(listed, [*listed[1:], None], strict=True):
        if "error" not in frame:
            yield frame
            continue
        end = capture.stat().st_size if following is None else following["offset"]
        lost = frame["total_len"] - (end - frame["offset"])
        yield {**{k: v for k, v in frame.items() if k not in ("error", "tlvs")}, OPTIONAL: lost > 1}


def mavlink_messages(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """MAVLink: "source" tells how the capture was made."""
    ignored = {"source", "offset"} if shares_truth else {"source"}
    for message in truth["messages"]:
        yield {k: v for k, v in message.items() if k not in ignored}


def gnss_messages(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """GNSS: what the other decoder could not name is a comment line that begins with "$", not a sentence."""
    for message in truth["messages"]:
        if message["identity"] is not None:
            yield message


def gnss_interpreted(expected: Record, found: Record) -> tuple[Record, set[str]]:
    """Fields that our tables leave out; of a message in no table, the name is the other decoder's own."""
    ours = found["fields"]
    left = {f"{expected['identity']}.{name}" for name in expected["fields"] if name not in ours}
    told = {**expected, "fields": {name: v for name, v in expected["fields"].items() if name in ours}}
    if not ours:
        left = {str(expected["identity"]).replace(".", " ")}  # a whole message's name has no dot
        del told["identity"], told["fields"], told["protocol"]
    return told, left


def is_checked_gnss(data: bytes, record: Record) -> bool:
    """Whether a record's own bytes bear it out: the other decoder passes over talkers and types that it does not know
    (QZ, AIVDM), and over sound sentences that come close behind a broken one."""
    sent = data[record["end_offset"] - record["len"] : record["end_offset"]].rstrip(b"\r\n")
    body, _, digits = sent[1:].partition(b"*")
    if record["protocol"] == "NMEA":
        return len(digits) == 2 and int(digits, 16) == reduce(xor, body, 0)
    if record["protocol"] == "UBX":
        first = [sum(sent[2 : end + 1]) for end in range(2, len(sent) - 2)]
        return sent[-2:] == bytes((first[-1] % 256, sum(first) % 256))
    return False


def reports(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """LD2450: notes tell what stands between the reports."""
    for report in truth:
        if "note" not in report:
            yield {k: v for k, v in report.items() if k != "source"}


def esp32_lines(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """ESP32: boot text and cut lines are no records; of a forged line it is told that it is forged."""
    for line in truth:
        value = line["value"]
        if value is None or "error" in value:
            continue
        yield {**line, "value": {"injection": True}} if value.get("injection") else line


def broadcasts(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """DroneScout: the version of the envelope is not read, and authentication pages are left alone."""
    for message in truth:
        told = {k: v for k, v in message.items() if k != "protocol"}
        if "uas_data" in told:
            told["uas_data"] = {k: v for k, v in told["uas_data"].items() if k != "auth_pages"}
        yield told


def ops243_lines(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """OPS243: one entry a line; notes are for people."""
    for line in truth:
        yield {name: value for name, value in line.items() if name != "note"}


def modbus_frames(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """Modbus: what has a wrong CRC is no frame."""
    for frame in truth:
        if frame["kind"] != "bad_crc":
            yield frame


def listed(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """A list of records."""
    yield from truth
