"""Truth of ASTERIX captures: datagrams as libasterix alone reads them; those that it refuses, nobody may read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firmware_interfaces.asterix_records import known_editions


def settings(path: Path) -> tuple[str, dict[str, Any]]:
    """The edition stands in the name ("cat062ed1.16"); it is used where it is one that can be read."""
    editions = [
        f"{int(category)}:{major}.{minor}"
        for category, major, minor in re.findall(r"cat(\d{2,3})ed(\d+)\.(\d+)", path.name)
        if (int(major), int(minor)) in known_editions(int(category))
    ]
    return "asterix", {"editions": ", ".join(editions)}


def datagrams(truth: Any, capture: Path, shares_truth: bool) -> Iterator[dict[str, Any]]:
    """Those that the strict reader accepts; a record of any other would be one that the truth does not list."""
    yield from (datagram for datagram in truth if "error" not in datagram)
