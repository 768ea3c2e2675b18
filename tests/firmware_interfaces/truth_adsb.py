"""Truth of ADS-B captures: Beast frames, AVR and CSV lines, the stateful decode that several files share, SBS-1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]
# what of a Mode S message stands outside the register that DF20 and 21 carry
REPLY = {"df", "icao", "icao_verified", "altitude", "squawk", "flight_status", "downlink_request", "utility_message"}
ROUNDING = {"groundspeed": 1.0, "track": 0.51, "latitude": 1e-3, "longitude": 1e-3}  # kt, deg; places of another pair
SQUITTER = {"df", "icao", "crc_valid", "typecode", "bds", "subtype"}


def messages(truth: Any, capture: Path, shares_truth: bool) -> Iterator[Record]:
    """A stateful truth lists its fields beside the line; its times are those of the table that it was made from.

    Where the capture is a part of a longer session, positions that need what came before it cannot be asked for.
    """
    if not shares_truth:
        yield from truth["frames"] if isinstance(truth, dict) else truth
        return
    heard: dict[str, set[int]] = {}  # parities of the position messages of each address
    lines = capture.read_bytes().splitlines()
    for listed in truth:
        fields = {name: value for name, value in listed.items() if name not in ("line", "t")}
        message = re.search(rb"([0-9A-Fa-f]{28});", lines[listed["line"] - 1])
        if "latitude" in fields and message is not None:
            parities = heard.setdefault(listed["icao"], set())
            parities.add(bytes.fromhex(message[1].decode())[6] >> 2 & 1)
            if parities != {0, 1}:
                del fields["latitude"], fields["longitude"]
        yield {"line": listed["line"], "icao": listed["icao"], "decoded": fields}


def interpreted(expected: Record, found: Record) -> tuple[Record, set[str]]:
    """DF20 and 21 carry a register that the other decoder guesses; of some message types only the frame is read."""
    fields = expected.get("decoded", {})
    kind = f"TC{fields.get('typecode')}.{fields.get('subtype')}"
    if "transmission" in found.get("decoded", {}):
        return rounded(expected, found)
    if fields.get("df") in (20, 21):
        kept, kind = REPLY, f"DF{fields['df']}"
    elif (fields.get("typecode"), fields.get("subtype")) in ((28, 2), (29, 0), (29, 2), (29, 3)):
        kept = SQUITTER
    else:
        return expected, set()
    left = {f"{kind}.{name}" for name in fields if name not in kept}
    return {**expected, "decoded": {name: value for name, value in fields.items() if name in kept}}, left


def rounded(expected: Record, found: Record) -> tuple[Record, set[str]]:
    """SBS-1 comes from the same messages through another program, which rounds, and may hold first positions back."""
    ours, told = found["decoded"], {}
    for name, value in expected["decoded"].items():
        if name == "typecode" or (name in ("latitude", "longitude") and name not in ours):
            continue
        tolerance = ROUNDING.get(name)
        is_near = tolerance is not None and name in ours and abs(ours[name] - value) <= tolerance
        told[name] = ours[name] if is_near else value
    return {**expected, "decoded": told}, set()
